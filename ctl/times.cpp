// SPDX-License-Identifier: Apache-2.0
#include "times.hpp"

#include <algorithm>
#include <ctime>
#include <string_view>

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

std::string Times::away(sys_seconds instant) const
{
    return to_relative(instant, now_);
}

std::string Times::since(sys_seconds instant) const
{
    return span_text(now_ - instant);
}

} // namespace usher::ctl
