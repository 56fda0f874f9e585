// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace usher::ctl {

using std::chrono::local_days;
using std::chrono::local_seconds;

/// A recurrence rule: RFC 5545, 3.3.10.
struct RecurrenceRule {
    enum class Frequency : std::uint8_t { hourly, daily, weekly, monthly, yearly };
    /// `MO`, or `-1MO`: the last one of its month, or of the year if the rule is yearly and names no month.
    struct Day {
        std::chrono::weekday day;
        int nth = 0; ///< 0: each.
    };
    struct Until {
        local_seconds time; ///< Inclusive; of a date: its midnight, and the whole day is included.
        bool is_date = false;
        bool is_utc = false;
    };

    Frequency frequency = Frequency::daily;
    int interval = 1;
    std::optional<int> count;
    std::optional<Until> until; ///< Left to who calls each_recurrence: it may be in another zone.
    std::chrono::weekday week_start = std::chrono::Monday;
    std::vector<Day> days;
    std::vector<int> months;
    std::vector<int> month_days;
    std::vector<int> year_days;
    std::vector<int> weeks;
    std::vector<int> hours;
    std::vector<int> minutes;
    std::vector<int> seconds;
    std::vector<int> positions; ///< BYSETPOS
};

/// Reads the value of an RRULE. Errors: a sentence, for a rule that is none, and for one whose meaning is not agreed
/// upon.
tl::expected<RecurrenceRule, std::string> parse_recurrence(std::string_view text);

/// Calls `visit` with `start`, which is the first occurrence even if the rule would not have it, and then with each
/// later one, by the clock on the wall and in its order, until COUNT is reached, `visit` returns false, or those that
/// begin before `end` are through. `whole_days`: without times of day.
void each_recurrence(
    RecurrenceRule rule, local_seconds start, bool whole_days, local_seconds end,
    std::function<bool(local_seconds)> const& visit
);

} // namespace usher::ctl
