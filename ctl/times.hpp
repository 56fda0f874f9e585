// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include <usher/core/time.hpp>

namespace usher::ctl {

/// Instants as people read them: in UTC, or in this machine's zone; seconds unless they are zero, the date unless it is
/// today's.
class Times {
public:
    Times(sys_seconds now, bool local) : now_{now}, local_{local} {}

    sys_seconds now() const { return now_; }

    /// `11:00 UTC (in 1h 40m)`.
    std::string relative(sys_seconds instant) const;
    /// `11:00 UTC`.
    std::string at(sys_seconds instant) const;
    /// `11:00`, beside another that has the zone.
    std::string bare(sys_seconds instant) const;
    /// `2026-03-02 11:00 UTC`.
    std::string with_date(sys_seconds instant) const;
    /// `in 1h 40m`.
    std::string away(sys_seconds instant) const;
    /// How long ago: `1h 40m`; nothing is less than `0s`.
    std::string since(sys_seconds instant) const;

    /// What somebody typed: `16:20` of today, `2026-03-02 16:20`, both in the zone that is printed; ISO 8601 with a
    /// zone; `now`, `+3h`. Errors: Errc::bad_time.
    Result<sys_seconds> parse(std::string_view text) const;

private:
    std::string text(sys_seconds instant, bool date, bool zone) const;

    sys_seconds now_;
    bool local_;
};

/// `1h 21m`: at most two units.
std::string span_text(seconds span);

} // namespace usher::ctl
