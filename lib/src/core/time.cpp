// SPDX-License-Identifier: Apache-2.0
#include <usher/core/time.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include <usher/core/printable.hpp>

namespace usher {

namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;

constexpr sys_seconds year_zero = std::chrono::sys_days{std::chrono::year{0} / 1 / 1};
constexpr sys_seconds year_ten_thousand = std::chrono::sys_days{std::chrono::year{10000} / 1 / 1};
constexpr std::int64_t longest_duration = 100'000LL * 86'400; // leaves room to add and subtract without overflow

struct Unit {
    char letter;
    std::uint64_t length;
};

constexpr std::array<Unit, 4> units{{{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}}};

bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

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
        for (char const c : rest_.substr(0, count)) {
            value = value * 10 + (c - '0');
        }
        rest_.remove_prefix(count);
        return value;
    }

    /// At least one digit.
    bool skip_digits()
    {
        auto const end = std::find_if_not(rest_.begin(), rest_.end(), is_digit);
        auto const count = static_cast<std::size_t>(end - rest_.begin());
        rest_.remove_prefix(count);
        return count > 0;
    }

    bool at_end() const { return rest_.empty(); }

private:
    std::string_view rest_;
};

std::optional<std::chrono::sys_days> take_date(Scanner& in)
{
    auto const year = in.number(4);
    if (!year || !in.take('-')) {
        return std::nullopt;
    }
    auto const month = in.number(2);
    if (!month || !in.take('-')) {
        return std::nullopt;
    }
    auto const day = in.number(2);
    if (!day) {
        return std::nullopt;
    }
    std::chrono::year_month_day const date{
        std::chrono::year{*year}, std::chrono::month{static_cast<unsigned>(*month)},
        std::chrono::day{static_cast<unsigned>(*day)}};
    return date.ok() ? std::optional{std::chrono::sys_days{date}} : std::nullopt;
}

std::optional<seconds> take_time_of_day(Scanner& in)
{
    auto const hour = in.number(2);
    if (!hour || *hour > 23 || !in.take(':')) {
        return std::nullopt;
    }
    auto const minute = in.number(2);
    if (!minute || *minute > 59) {
        return std::nullopt;
    }
    seconds time = hours{*hour} + minutes{*minute};
    if (in.take(':')) {
        auto const second = in.number(2);
        if (!second || *second > 59) {
            return std::nullopt;
        }
        time += seconds{*second};
        if (in.take_any(".,") && !in.skip_digits()) {
            return std::nullopt;
        }
    }
    return time;
}

/// `Z`, `+01:00`, `+0100` or `+01`, as the offset from UTC.
std::optional<seconds> take_zone(Scanner& in)
{
    if (in.take_any("Zz")) {
        return seconds{0};
    }
    bool const behind = in.take('-');
    if (!behind && !in.take('+')) {
        return std::nullopt;
    }
    auto const hour = in.number(2);
    if (!hour || *hour > 23) {
        return std::nullopt;
    }
    seconds offset = hours{*hour};
    if (in.take(':') || !in.at_end()) {
        auto const minute = in.number(2);
        if (!minute || *minute > 59) {
            return std::nullopt;
        }
        offset += minutes{*minute};
    }
    return behind ? -offset : offset;
}

std::string padded(unsigned value, std::size_t width)
{
    auto digits = std::to_string(value);
    return digits.size() < width ? std::string(width - digits.size(), '0') + digits : digits;
}

/// The magnitude of a difference, without overflow for any two values.
std::uint64_t distance(std::int64_t from, std::int64_t to)
{
    auto const a = static_cast<std::uint64_t>(from);
    auto const b = static_cast<std::uint64_t>(to);
    return from < to ? b - a : a - b;
}

} // namespace

std::string to_iso8601(sys_seconds instant)
{
    if (instant < year_zero || instant >= year_ten_thousand) {
        return "@" + std::to_string(unix_seconds(instant)); // no calendar date in four digits
    }
    auto const day = std::chrono::floor<days>(instant);
    std::chrono::year_month_day const date{day};
    std::chrono::hh_mm_ss const time{instant - day};
    auto const two = [](auto count) { return padded(static_cast<unsigned>(count), 2); };
    return padded(static_cast<unsigned>(static_cast<int>(date.year())), 4) + "-" +
           two(static_cast<unsigned>(date.month())) + "-" + two(static_cast<unsigned>(date.day())) + "T" +
           two(time.hours().count()) + ":" + two(time.minutes().count()) + ":" + two(time.seconds().count()) + "Z";
}

Result<sys_seconds> parse_iso8601(std::string_view text)
{
    constexpr auto expected = "expected a time such as 2021-02-06T09:00:00Z, got ";
    Scanner in{text};
    auto const date = take_date(in);
    if (!date || !in.take_any("Tt ")) {
        return fail(Errc::bad_time, expected + in_quotes(text));
    }
    auto const time = take_time_of_day(in);
    if (!time) {
        return fail(Errc::bad_time, expected + in_quotes(text));
    }
    if (in.at_end()) {
        return fail(Errc::bad_time, in_quotes(text) + " has no zone: add Z for UTC, or an offset such as +01:00");
    }
    auto const offset = take_zone(in);
    if (!offset || !in.at_end()) {
        return fail(Errc::bad_time, expected + in_quotes(text));
    }
    return sys_seconds{*date} + *time - *offset;
}

Result<seconds> parse_duration(std::string_view text)
{
    auto const expected = [&] {
        return fail(Errc::bad_duration, "expected a duration such as 90m, got " + in_quotes(text));
    };
    if (text.size() < 2) {
        return expected();
    }
    auto const digits = text.substr(0, text.size() - 1);
    auto const unit = std::find_if(units.begin(), units.end(), [&](Unit u) { return u.letter == text.back(); });
    if (unit == units.end() || !std::all_of(digits.begin(), digits.end(), is_digit)) {
        return expected();
    }
    auto const length = static_cast<std::int64_t>(unit->length);
    std::int64_t count = 0;
    for (char const c : digits) {
        count = count * 10 + (c - '0');
        if (count > longest_duration / length) {
            return fail(Errc::bad_duration, "the duration " + in_quotes(text) + " is longer than 100000d");
        }
    }
    return seconds{count * length};
}

std::string to_text(seconds duration)
{
    auto const magnitude = distance(0, duration.count());
    if (magnitude == 0) {
        return "0s";
    }
    // The largest unit that divides it leaves the fewest digits.
    auto const unit = std::find_if(units.begin(), units.end(), [&](Unit u) { return magnitude % u.length == 0; });
    return (duration.count() < 0 ? "-" : "") + std::to_string(magnitude / unit->length) + unit->letter;
}

std::string to_relative(sys_seconds instant, sys_seconds now)
{
    auto const magnitude = distance(unix_seconds(now), unix_seconds(instant));
    if (magnitude == 0) {
        return "now";
    }
    auto const first = std::find_if(units.begin(), units.end(), [&](Unit u) { return magnitude >= u.length; });
    auto text = std::to_string(magnitude / first->length) + first->letter;
    if (auto const second = std::next(first); second != units.end()) {
        if (auto const rest = magnitude % first->length / second->length; rest > 0) {
            text += " " + std::to_string(rest) + second->letter;
        }
    }
    return instant > now ? "in " + text : text + " ago";
}

} // namespace usher
