// SPDX-License-Identifier: Apache-2.0
#include <usher/core/time.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include <usher/core/ascii.hpp>
#include <usher/core/printable.hpp>

namespace usher {

namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;

constexpr sys_seconds year_zero = std::chrono::sys_days{std::chrono::year{0} / 1 / 1};
constexpr sys_seconds year_ten_thousand = std::chrono::sys_days{std::chrono::year{10000} / 1 / 1};
constexpr std::int64_t duration_max = 100'000LL * 86'400; // leaves room to add and subtract without overflow

struct Unit {
    char letter;
    std::uint64_t length;
};

constexpr std::array<Unit, 4> units{{{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}}};

/// Takes text off the front, piece by piece.
class Scanner {
public:
    explicit Scanner(std::string_view text) : rest_{text} {}

    bool take(char c)
    {
        if (rest_.empty() || rest_.front() != c) {
            return false;
        }
        rest_.remove_prefix(1);
        return true;
    }

    bool take_any(std::string_view set)
    {
        if (rest_.empty() || set.find(rest_.front()) == std::string_view::npos) {
            return false;
        }
        rest_.remove_prefix(1);
        return true;
    }

    /// Exactly `count` digits.
    std::optional<int> number(std::size_t count)
    {
        if (rest_.size() < count || !std::all_of(rest_.begin(), rest_.begin() + std::ptrdiff_t(count), is_digit)) {
            return std::nullopt;
        }
        int value = 0;
        for (const char c : rest_.substr(0, count)) {
            value = value * 10 + (c - '0');
        }
        rest_.remove_prefix(count);
        return value;
    }

    /// As many digits as there are.
    std::string_view digits()
    {
        const auto end = std::find_if_not(rest_.begin(), rest_.end(), is_digit);
        const auto taken = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
        rest_.remove_prefix(taken.size());
        return taken;
    }

    bool at_end() const { return rest_.empty(); }

private:
    std::string_view rest_;
};

constexpr auto expected_time = "expected a time such as 2021-02-06T09:00:00Z";
constexpr auto expected_zone = "its zone must be Z for UTC, or an offset such as +01:00";

template <class T>
using Taken = tl::expected<T, std::string>; ///< Or what is wrong, a part of a sentence.

std::string padded(unsigned value, std::size_t width)
{
    auto digits = std::to_string(value);
    return digits.size() < width ? std::string(width - digits.size(), '0') + digits : digits;
}

tl::unexpected<std::string> there_is_no(std::string_view unit, int value)
{
    return tl::unexpected{"there is no " + std::string{unit} + " " + padded(static_cast<unsigned>(value), 2)};
}

Taken<std::chrono::sys_days> take_date(Scanner& in)
{
    const auto year = in.number(4);
    if (!year || !in.take('-')) {
        return tl::unexpected{std::string{expected_time}};
    }
    const auto month = in.number(2);
    if (!month || !in.take('-')) {
        return tl::unexpected{std::string{expected_time}};
    }
    const auto day = in.number(2);
    if (!day) {
        return tl::unexpected{std::string{expected_time}};
    }
    if (*month < 1 || *month > 12) {
        return there_is_no("month", *month);
    }
    const std::chrono::year_month_day date{
        std::chrono::year{*year}, std::chrono::month{static_cast<unsigned>(*month)},
        std::chrono::day{static_cast<unsigned>(*day)}};
    if (!date.ok()) {
        const auto which = padded(static_cast<unsigned>(*year), 4) + "-" + padded(static_cast<unsigned>(*month), 2);
        return tl::unexpected{there_is_no("day", *day).value() + " in " + which};
    }
    return std::chrono::sys_days{date};
}

Taken<seconds> take_time_of_day(Scanner& in)
{
    const auto hour = in.number(2);
    if (!hour || !in.take(':')) {
        return tl::unexpected{std::string{expected_time}};
    }
    const auto minute = in.number(2);
    if (!minute) {
        return tl::unexpected{std::string{expected_time}};
    }
    std::optional<int> second{0};
    if (in.take(':')) {
        second = in.number(2);
        const bool has_fraction = second && in.take_any(".,");
        const auto fraction = has_fraction ? in.digits() : std::string_view{"0"};
        if (!second || fraction.empty()) {
            return tl::unexpected{std::string{expected_time}};
        }
        if (fraction.find_first_not_of('0') != std::string_view::npos) {
            return tl::unexpected{std::string{"seconds must be whole"}};
        }
    }
    if (*hour > 23) {
        return there_is_no("hour", *hour);
    }
    if (*minute > 59) {
        return there_is_no("minute", *minute);
    }
    if (*second > 59) {
        return there_is_no("second", *second);
    }
    return hours{*hour} + minutes{*minute} + seconds{*second};
}

/// `Z`, `+01:00`, `+0100` or `+01`, as the offset from UTC.
Taken<seconds> take_zone(Scanner& in)
{
    if (in.take_any("Zz")) {
        return seconds{0};
    }
    const bool behind = in.take('-');
    if (!behind && !in.take('+')) {
        return tl::unexpected{std::string{expected_zone}};
    }
    const auto hour = in.number(2);
    std::optional<int> minute{0};
    if (hour && (in.take(':') || !in.at_end())) {
        minute = in.number(2);
    }
    if (!hour || !minute || !in.at_end()) {
        return tl::unexpected{std::string{expected_zone}};
    }
    if (*hour > 23 || *minute > 59) {
        return tl::unexpected{
            std::string{"there is no offset "} + (behind ? "-" : "+") + padded(static_cast<unsigned>(*hour), 2) + ":" +
            padded(static_cast<unsigned>(*minute), 2)};
    }
    const seconds offset = hours{*hour} + minutes{*minute};
    return behind ? -offset : offset;
}

/// All of it, which is in ISO 8601.
Taken<sys_seconds> take_instant(Scanner& in)
{
    const auto date = take_date(in);
    if (!date) {
        return tl::unexpected{date.error()};
    }
    if (in.at_end()) {
        return tl::unexpected{std::string{"has no time of day; "} + expected_time};
    }
    if (!in.take_any("Tt ")) {
        return tl::unexpected{std::string{expected_time}};
    }
    const auto time = take_time_of_day(in);
    if (!time) {
        return tl::unexpected{time.error()};
    }
    if (in.at_end()) {
        return tl::unexpected{std::string{"has no zone: add Z for UTC, or an offset such as +01:00"}};
    }
    const auto offset = take_zone(in);
    if (!offset) {
        return tl::unexpected{offset.error()};
    }
    if (!in.at_end()) {
        return tl::unexpected{std::string{expected_zone}};
    }
    return sys_seconds{*date} + *time - *offset;
}

/// The magnitude of a difference, without overflow for any two values.
std::uint64_t distance(std::int64_t from, std::int64_t to)
{
    const auto a = static_cast<std::uint64_t>(from);
    const auto b = static_cast<std::uint64_t>(to);
    return from < to ? b - a : a - b;
}

} // namespace

std::string to_iso8601(sys_seconds instant)
{
    if (instant < year_zero || instant >= year_ten_thousand) {
        return "@" + std::to_string(unix_seconds(instant)); // no calendar date in four digits
    }
    const auto day = std::chrono::floor<days>(instant);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss time{instant - day};
    const auto two = [](auto count) { return padded(static_cast<unsigned>(count), 2); };
    return padded(static_cast<unsigned>(static_cast<int>(date.year())), 4) + "-" +
           two(static_cast<unsigned>(date.month())) + "-" + two(static_cast<unsigned>(date.day())) + "T" +
           two(time.hours().count()) + ":" + two(time.minutes().count()) + ":" + two(time.seconds().count()) + "Z";
}

Result<sys_seconds> parse_iso8601(std::string_view text)
{
    Scanner in{text};
    const auto instant = take_instant(in);
    if (!instant) {
        return fail(Errc::bad_time, (text.empty() ? "" : printable(text, 64) + ": ") + instant.error());
    }
    return *instant;
}

Result<seconds> parse_duration(std::string_view text)
{
    const auto expected = [&] {
        return fail(Errc::bad_duration, "expected a duration such as 90m, got " + in_quotes(text));
    };
    if (text.size() < 2) {
        return expected();
    }
    const auto digits = text.substr(0, text.size() - 1);
    const auto unit = std::find_if(units.begin(), units.end(), [&](Unit u) { return u.letter == text.back(); });
    if (unit == units.end() || !std::all_of(digits.begin(), digits.end(), is_digit)) {
        return expected();
    }
    const auto length = static_cast<std::int64_t>(unit->length);
    std::int64_t count = 0;
    for (const char c : digits) {
        count = count * 10 + (c - '0');
        if (count > duration_max / length) {
            return fail(Errc::bad_duration, "the duration " + in_quotes(text) + " is longer than 100000d");
        }
    }
    return seconds{count * length};
}

std::string to_text(seconds duration)
{
    const auto magnitude = distance(0, duration.count());
    if (magnitude == 0) {
        return "0s";
    }
    // The largest unit that divides it leaves the fewest digits.
    const auto unit = std::find_if(units.begin(), units.end(), [&](Unit u) { return magnitude % u.length == 0; });
    return (duration.count() < 0 ? "-" : "") + std::to_string(magnitude / unit->length) + unit->letter;
}

std::string to_relative(sys_seconds instant, sys_seconds now)
{
    const auto magnitude = distance(unix_seconds(now), unix_seconds(instant));
    if (magnitude == 0) {
        return "now";
    }
    const auto first = std::find_if(units.begin(), units.end(), [&](Unit u) { return magnitude >= u.length; });
    auto text = std::to_string(magnitude / first->length) + first->letter;
    if (const auto second = std::next(first); second != units.end()) {
        if (const auto rest = magnitude % first->length / second->length; rest > 0) {
            text += " " + std::to_string(rest) + second->letter;
        }
    }
    return instant > now ? "in " + text : text + " ago";
}

} // namespace usher
