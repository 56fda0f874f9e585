// SPDX-License-Identifier: Apache-2.0
#include "recurrence.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <set>
#include <utility>

#include <usher/core/printable.hpp>

namespace usher::ctl {
namespace {

using std::chrono::days;
using std::chrono::weekday;
using std::chrono::year;
using std::chrono::year_month_day;
using Frequency = RecurrenceRule::Frequency;

constexpr int interval_max = 10'000;
constexpr int count_max = 1'000'000;

struct BadRule {
    std::string reason;
};

std::string in_capitals(std::string_view text)
{
    std::string result{text};
    for (char& c : result)
        if (c >= 'a' && c <= 'z')
            c = static_cast<char>(c - 'a' + 'A');
    return result;
}

std::vector<std::string_view> split(std::string_view text, char separator)
{
    std::vector<std::string_view> parts;
    for (;;) {
        const std::size_t end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos)
            return parts;
        text.remove_prefix(end + 1);
    }
}

std::optional<int> number(std::string_view text)
{
    if (text.starts_with('+')) {
        text.remove_prefix(1);
        if (text.starts_with('-'))
            return std::nullopt;
    }
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() && !text.empty() ? std::optional{value}
                                                                                     : std::nullopt;
}

[[noreturn]] void refuse(std::string_view part, std::string_view value)
{
    throw BadRule{std::string{part} + "=" + printable(value, 64) + " is no value"};
}

int number_between(std::string_view part, std::string_view value, int min, int max)
{
    const auto read = number(value);
    if (!read || *read < min || *read > max)
        refuse(part, value);
    return *read;
}

/// `min` is 1 where the number may also be counted from the end, as -1 to -max.
std::vector<int> numbers(std::string_view part, std::string_view value, int min, int max)
{
    std::vector<int> list;
    for (std::string_view one : split(value, ',')) {
        const auto read = number(one);
        const int size = !read ? -1 : min == 1 && part != "BYMONTH" ? std::abs(*read) : *read;
        if (size < min || size > max)
            refuse(part, one);
        list.push_back(*read);
    }
    return list;
}

weekday weekday_of(std::string_view part, std::string_view value)
{
    constexpr std::array<std::string_view, 7> names{"SU", "MO", "TU", "WE", "TH", "FR", "SA"};
    const auto found = std::ranges::find(names, value);
    if (found == names.end())
        refuse(part, value);
    return weekday{static_cast<unsigned>(found - names.begin())};
}

std::vector<RecurrenceRule::Day> days_of(std::string_view part, std::string_view value)
{
    std::vector<RecurrenceRule::Day> list;
    for (std::string_view one : split(value, ',')) {
        if (one.size() < 2)
            refuse(part, one);
        const std::string_view nth = one.substr(0, one.size() - 2);
        const auto read = nth.empty() ? 0 : number(nth);
        if (!read || (!nth.empty() && *read == 0) || std::abs(*read) > 53)
            refuse(part, one);
        list.push_back({weekday_of(part, one.substr(one.size() - 2)), *read});
    }
    return list;
}

Frequency frequency_of(std::string_view part, std::string_view value)
{
    if (value == "SECONDLY" || value == "MINUTELY")
        throw BadRule{"a meeting that recurs each second or minute is not read"};
    constexpr std::array<std::string_view, 5> names{"HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"};
    const auto found = std::ranges::find(names, value);
    if (found == names.end())
        refuse(part, value);
    return static_cast<Frequency>(found - names.begin());
}

/// `20260304`, `20260304T090000` or `20260304T090000Z`.
RecurrenceRule::Until until_of(std::string_view part, std::string_view value)
{
    RecurrenceRule::Until until;
    std::string_view digits = value;
    until.is_date = digits.size() == 8;
    if (!until.is_date && digits.ends_with('Z')) {
        until.is_utc = true;
        digits.remove_suffix(1);
    }
    if (!until.is_date && (digits.size() != 15 || digits[8] != 'T'))
        refuse(part, value);
    const auto field = [&](std::size_t at, std::size_t size, int max) {
        const std::string_view text = digits.substr(at, size);
        if (text.find_first_not_of("0123456789") != std::string_view::npos)
            refuse(part, value);
        return number_between(part, text, 0, max);
    };
    const year_month_day date =
        year{field(0, 4, 9999)} / field(4, 2, 12) / std::chrono::day{static_cast<unsigned>(field(6, 2, 31))};
    if (!date.ok())
        refuse(part, value);
    until.time = local_days{date};
    if (!until.is_date)
        until.time += std::chrono::hours{field(9, 2, 23)} + std::chrono::minutes{field(11, 2, 59)} +
                      std::chrono::seconds{field(13, 2, 60)};
    return until;
}

void read_part(RecurrenceRule& rule, std::string const& part, std::string const& value)
{
    if (part == "FREQ")
        rule.frequency = frequency_of(part, value);
    else if (part == "INTERVAL")
        rule.interval = number_between(part, value, 1, interval_max);
    else if (part == "COUNT")
        rule.count = number_between(part, value, 1, count_max);
    else if (part == "UNTIL")
        rule.until = until_of(part, value);
    else if (part == "WKST")
        rule.week_start = weekday_of(part, value);
    else if (part == "BYDAY")
        rule.days = days_of(part, value);
    else if (part == "BYMONTH")
        rule.months = numbers(part, value, 1, 12);
    else if (part == "BYMONTHDAY")
        rule.month_days = numbers(part, value, 1, 31);
    else if (part == "BYYEARDAY")
        rule.year_days = numbers(part, value, 1, 366);
    else if (part == "BYWEEKNO")
        rule.weeks = numbers(part, value, 1, 53);
    else if (part == "BYHOUR")
        rule.hours = numbers(part, value, 0, 23);
    else if (part == "BYMINUTE")
        rule.minutes = numbers(part, value, 0, 59);
    else if (part == "BYSECOND")
        rule.seconds = numbers(part, value, 0, 59);
    else if (part == "BYSETPOS")
        rule.positions = numbers(part, value, 1, 366);
    else
        throw BadRule{printable(part, 64) + " is not read"};
}

/// Combinations that RFC 5545 forbids, or that programs read differently.
void refuse_doubtful(RecurrenceRule const& rule)
{
    const Frequency frequency = rule.frequency;
    const bool has_nth = std::ranges::any_of(rule.days, [](auto const& day) { return day.nth != 0; });
    if (has_nth && frequency != Frequency::monthly && frequency != Frequency::yearly)
        throw BadRule{"BYDAY with a number needs FREQ=MONTHLY or YEARLY"};
    if (!rule.weeks.empty() && frequency != Frequency::yearly)
        throw BadRule{"BYWEEKNO needs FREQ=YEARLY"};
    if (!rule.weeks.empty() && (rule.days.empty() || has_nth))
        throw BadRule{"BYWEEKNO needs BYDAY, without a number"};
    if (!rule.weeks.empty() && (rule.interval > 1 || !rule.positions.empty()))
        throw BadRule{"BYWEEKNO with INTERVAL or BYSETPOS is not read"};
    if (!rule.month_days.empty() && frequency == Frequency::weekly)
        throw BadRule{"BYMONTHDAY does not go with FREQ=WEEKLY"};
    if (!rule.year_days.empty() && frequency != Frequency::yearly && frequency != Frequency::hourly)
        throw BadRule{"BYYEARDAY needs FREQ=YEARLY"};
    if (!rule.positions.empty() && rule.days.empty() && rule.months.empty() && rule.month_days.empty() &&
        rule.year_days.empty() && rule.hours.empty() && rule.minutes.empty() && rule.seconds.empty())
        throw BadRule{"BYSETPOS needs another BY..."};
}

bool holds(std::vector<int> const& list, int value)
{
    return std::ranges::find(list, value) != list.end();
}

/// As the `first`th, or counted from the end of `count`.
bool holds_counted(std::vector<int> const& list, int first, int count)
{
    return holds(list, first) || holds(list, first - count - 1);
}

int day_count(local_days from, local_days to)
{
    return static_cast<int>((to - from).count());
}

/// The rule with what it leaves to its start, and whether days are in it.
class Expansion {
public:
    Expansion(RecurrenceRule rule, local_seconds start, bool whole_days) : rule_{std::move(rule)}, start_{start}
    {
        const local_days day = floor<days>(start);
        const year_month_day date{day};
        if (whole_days) {
            rule_.hours.clear();
            rule_.minutes.clear();
            rule_.seconds.clear();
        }
        const std::chrono::hh_mm_ss clock{start - day};
        if (rule_.hours.empty() && rule_.frequency != Frequency::hourly)
            rule_.hours = {static_cast<int>(clock.hours().count())};
        if (rule_.minutes.empty())
            rule_.minutes = {static_cast<int>(clock.minutes().count())};
        if (rule_.seconds.empty())
            rule_.seconds = {static_cast<int>(clock.seconds().count())};
        for (const int minute : rule_.minutes)
            for (const int second : rule_.seconds)
                after_hour_.push_back(std::chrono::minutes{minute} + std::chrono::seconds{second});
        if (!rule_.days.empty() || !rule_.month_days.empty() || !rule_.year_days.empty() || !rule_.weeks.empty())
            return;
        const int day_of_month = static_cast<int>(static_cast<unsigned>(date.day()));
        if (rule_.frequency == Frequency::yearly && rule_.months.empty())
            rule_.months = {static_cast<int>(static_cast<unsigned>(date.month()))};
        if (rule_.frequency == Frequency::yearly || rule_.frequency == Frequency::monthly)
            rule_.month_days = {day_of_month};
        if (rule_.frequency == Frequency::weekly)
            rule_.days = {{weekday{day}}};
    }

    void run(local_seconds end, std::function<bool(local_seconds)> const& visit) const
    {
        int count = 1;
        if (!visit(start_))
            return;
        const auto take = [&](std::set<local_seconds> const& times) {
            for (const local_seconds time : times) {
                if (time <= start_)
                    continue;
                if (time >= end || (rule_.count && count == *rule_.count))
                    return false;
                ++count;
                if (!visit(time))
                    return false;
            }
            return true;
        };
        for (std::int64_t n = 0;; n += rule_.interval) {
            if (rule_.frequency == Frequency::hourly) {
                const local_seconds hour = floor<std::chrono::hours>(start_) + std::chrono::hours{n};
                if (hour >= end || !take(chosen(times_of_hour(hour))))
                    return;
                continue;
            }
            const auto [first, behind] = period(n);
            if (first >= end || !take(chosen(times_of_days(first, behind))))
                return;
        }
    }

private:
    struct Period {
        local_days first;
        local_days behind;
    };

    /// The day, week, month or year that is the `n`th after that of the start.
    Period period(std::int64_t n) const
    {
        const local_days day = floor<days>(start_);
        const year_month_day date{day};
        if (rule_.frequency == Frequency::daily)
            return {day + days{n}, day + days{n + 1}};
        if (rule_.frequency == Frequency::weekly)
            return {week_of(day) + days{7 * n}, week_of(day) + days{7 * (n + 1)}};
        const auto month = date.year() / date.month();
        if (rule_.frequency == Frequency::monthly)
            return {
                local_days{(month + std::chrono::months{n}) / 1}, local_days{(month + std::chrono::months{n + 1}) / 1}};
        const year that = date.year() + std::chrono::years{n};
        return {local_days{that / 1 / 1}, local_days{(that + std::chrono::years{1}) / 1 / 1}};
    }

    local_days week_of(local_days day) const { return day - (weekday{day} - rule_.week_start); }

    /// The week that has four days or more of the new year.
    local_days first_week_of(year that) const { return week_of(local_days{that / 1 / 4}); }

    bool has_day(local_days day) const
    {
        const year_month_day date{day};
        const local_days month_begins{date.year() / date.month() / 1};
        const local_days month_ends{date.year() / date.month() / 1 + std::chrono::months{1}};
        const local_days year_begins{date.year() / 1 / 1};
        const local_days year_ends{(date.year() + std::chrono::years{1}) / 1 / 1};
        if (!rule_.months.empty() && !holds(rule_.months, static_cast<int>(static_cast<unsigned>(date.month()))))
            return false;
        if (!rule_.month_days.empty() &&
            !holds_counted(rule_.month_days, day_count(month_begins, day) + 1, day_count(month_begins, month_ends)))
            return false;
        if (!rule_.year_days.empty() &&
            !holds_counted(rule_.year_days, day_count(year_begins, day) + 1, day_count(year_begins, year_ends)))
            return false;
        if (!rule_.weeks.empty() && !is_in_weeks(day))
            return false;
        const bool of_year = rule_.frequency == Frequency::yearly && rule_.months.empty();
        const local_days begins = of_year ? year_begins : month_begins;
        const local_days ends = of_year ? year_ends : month_ends;
        return rule_.days.empty() || std::ranges::any_of(rule_.days, [&](RecurrenceRule::Day const& wanted) {
                   return wanted.day == weekday{day} &&
                          (wanted.nth == 0 || wanted.nth == day_count(begins, day) / 7 + 1 ||
                           wanted.nth == -(day_count(day, ends) - 1) / 7 - 1);
               });
    }

    bool is_in_weeks(local_days day) const
    {
        const local_days week = week_of(day);
        const year that = year_month_day{week + days{3}}.year();
        const local_days first = first_week_of(that);
        return holds_counted(
            rule_.weeks, day_count(first, week) / 7 + 1,
            day_count(first, first_week_of(that + std::chrono::years{1})) / 7
        );
    }

    std::set<local_seconds> times_of_hour(local_seconds hour) const
    {
        std::set<local_seconds> times;
        const local_days day = floor<days>(hour);
        const auto clock = std::chrono::duration_cast<std::chrono::hours>(hour - day);
        if ((rule_.hours.empty() || holds(rule_.hours, static_cast<int>(clock.count()))) && has_day(day))
            for (const std::chrono::seconds after : after_hour_)
                times.insert(hour + after);
        return times;
    }

    std::set<local_seconds> times_of_days(local_days first, local_days behind) const
    {
        std::set<local_seconds> times;
        for (local_days day = first; day < behind; day += days{1}) {
            if (!has_day(day))
                continue;
            for (const int hour : rule_.hours)
                for (const std::chrono::seconds after : after_hour_)
                    times.insert(day + std::chrono::hours{hour} + after);
        }
        return times;
    }

    /// Those that BYSETPOS chooses among the times of a period.
    std::set<local_seconds> chosen(std::set<local_seconds> times) const
    {
        if (rule_.positions.empty())
            return times;
        const std::vector<local_seconds> all{times.begin(), times.end()};
        const int size = static_cast<int>(all.size());
        std::set<local_seconds> chosen;
        for (const int position : rule_.positions)
            if (std::abs(position) <= size)
                chosen.insert(all[static_cast<std::size_t>(position > 0 ? position - 1 : size + position)]);
        return chosen;
    }

    RecurrenceRule rule_;
    local_seconds start_;
    std::vector<std::chrono::seconds> after_hour_; ///< Minutes and seconds.
};

} // namespace

tl::expected<RecurrenceRule, std::string> parse_recurrence(std::string_view text)
{
    RecurrenceRule rule;
    std::set<std::string> seen;
    const std::string capitals = in_capitals(text.substr(0, text.find_last_not_of(" \t") + 1));
    try {
        for (std::string_view part : split(capitals, ';')) {
            if (part.empty()) // some programs end a rule with ;
                continue;
            const std::size_t equals = part.find('=');
            const std::string name{part.substr(0, equals)};
            if (equals == std::string_view::npos || name.empty())
                throw BadRule{"is no rule"};
            if (name.starts_with("X-"))
                continue;
            if (!seen.insert(name).second)
                throw BadRule{printable(name, 64) + " is there twice"};
            read_part(rule, name, std::string{part.substr(equals + 1)});
        }
        if (!seen.contains("FREQ"))
            throw BadRule{"is no rule: it has no FREQ"};
        refuse_doubtful(rule);
    } catch (BadRule const& bad) {
        return tl::unexpected{bad.reason};
    }
    return rule;
}

void each_recurrence(
    RecurrenceRule rule, local_seconds start, bool whole_days, local_seconds end,
    std::function<bool(local_seconds)> const& visit
)
{
    Expansion{std::move(rule), start, whole_days}.run(end, visit);
}

} // namespace usher::ctl
