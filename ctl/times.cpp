// SPDX-License-Identifier: Apache-2.0
#include "times.hpp"

#include <algorithm>
#include <ctime>
#include <string_view>

#include <usher/core/printable.hpp>

namespace usher::ctl {
namespace {

/// By which this machine's zone is ahead of UTC at an instant.
seconds offset_at(sys_seconds instant)
{
    const std::time_t time = unix_seconds(instant);
    std::tm parts{};
    return ::localtime_r(&time, &parts) != nullptr ? seconds{parts.tm_gmtoff} : seconds{0};
}

std::string zone_text(seconds offset)
{
    const auto minutes = std::chrono::abs(offset) / std::chrono::minutes{1};
    const auto two = [](auto value) { return (value < 10 ? "0" : "") + std::to_string(value); };
    return (offset.count() < 0 ? "-" : "+") + two(minutes / 60) + ":" + two(minutes % 60);
}

} // namespace

std::string span_text(seconds span)
{
    if (span <= seconds{0})
        return "0s";
    constexpr std::string_view in = "in ";
    return to_relative(from_unix(span.count()), from_unix(0)).substr(in.size());
}

std::string Times::text(sys_seconds instant, bool date, bool zone) const
{
    const seconds offset = local_ ? offset_at(instant) : seconds{0};
    std::string iso = to_iso8601(instant + offset); // 2021-02-06T09:00:00Z
    if (iso.front() == '@')
        return iso;
    const std::string today = to_iso8601(now_ + (local_ ? offset_at(now_) : seconds{0})).substr(0, 10);
    const std::string day = iso.substr(0, 10);
    std::string clock = iso.substr(11, 8);
    if (clock.substr(6) == "00")
        clock.resize(5);
    if (date || day != today)
        clock.insert(0, day + " ");
    return zone ? clock + (local_ ? " " + zone_text(offset) : " UTC") : clock;
}

std::string Times::at(sys_seconds instant) const
{
    return text(instant, false, true);
}

std::string Times::bare(sys_seconds instant) const
{
    return text(instant, false, false);
}

std::string Times::with_date(sys_seconds instant) const
{
    return text(instant, true, true);
}

std::string Times::relative(sys_seconds instant) const
{
    return at(instant) + " (" + away(instant) + ")";
}

Result<sys_seconds> Times::parse(std::string_view text) const
{
    if (text == "now")
        return now_;
    if (text.starts_with('+')) {
        const auto span = parse_duration(text.substr(1));
        return span ? Result<sys_seconds>{now_ + *span} : tl::unexpected{span.error()};
    }
    if (auto with_zone = parse_iso8601(text))
        return with_zone;
    const seconds offset = local_ ? offset_at(now_) : seconds{0};
    std::string iso{text};
    if (text.find('-') == std::string_view::npos)
        iso.insert(0, to_iso8601(now_ + offset).substr(0, 11));
    else if (const std::size_t space = iso.find(' '); space != std::string::npos)
        iso[space] = 'T';
    const auto there = parse_iso8601(iso + "Z");
    if (!there)
        return fail(
            Errc::bad_time, "expected a time such as 16:20, 2026-03-02T16:20Z, now or +3h, got " + in_quotes(text)
        );
    return *there - (local_ ? offset_at(*there - offset) : seconds{0});
}

std::string Times::away(sys_seconds instant) const
{
    return to_relative(instant, now_);
}

std::string Times::since(sys_seconds instant) const
{
    return span_text(now_ - instant);
}

} // namespace usher::ctl
