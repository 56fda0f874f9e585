// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include <usher/core/failure.hpp>

namespace usher {

using std::chrono::seconds;
using sys_seconds = std::chrono::sys_seconds; ///< An instant in UTC, in whole seconds, as tables and tokens hold it.

/// Whole seconds since 1970-01-01T00:00:00Z.
constexpr std::int64_t unix_seconds(sys_seconds instant)
{
    return instant.time_since_epoch().count();
}

constexpr sys_seconds from_unix(std::int64_t seconds_since_epoch)
{
    return sys_seconds{seconds{seconds_since_epoch}};
}

/// `2021-02-06T09:00:00Z`.
std::string to_iso8601(sys_seconds instant);

/// Reads ISO 8601 with a date, a time and a zone: `2021-02-06T09:00:00Z`, `2021-02-06T10:00+01:00`; seconds
/// may have a fraction of zero. Errors: Errc::bad_time, with a message such as `2021-02-30T09:00Z: there is no day 30
/// in 2021-02`.
Result<sys_seconds> parse_iso8601(std::string_view text);

/// Reads a number and one of `s`, `m`, `h`, `d`: `90m`. Errors: Errc::bad_duration; negative values are refused.
Result<seconds> parse_duration(std::string_view text);

/// The shortest exact form: 5400 s is `90m`, 86400 s is `1d`.
std::string to_text(seconds duration);

/// Relative to `now`, for people, at most two units: `in 2h 5m`, `3d ago`, `now`.
std::string to_relative(sys_seconds instant, sys_seconds now);

} // namespace usher
