// SPDX-License-Identifier: Apache-2.0
// Values between rows and what core knows of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include <sqlite3.h>

#include <usher/core/meeting.hpp>
#include <usher/core/row_check.hpp>

#include "connection.hpp"

namespace usher {

constexpr int value_bytes_max = 1'000'000; // nothing of usher's is nearly as large
constexpr std::size_t id_bytes_max = 255;
constexpr std::int64_t foreign_number = std::int64_t{1} << 62; // AUTOINCREMENT never gets there
constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

inline std::int64_t number(MeetingNo value)
{
    return static_cast<std::int64_t>(value);
}
inline std::int64_t number(SessionNo value)
{
    return static_cast<std::int64_t>(value);
}

/// Of an instant or a difference of two, in seconds.
inline constexpr std::int64_t far = 1'000'000'000'000;

/// Cuts what others wrote, so that calculations with it do not overflow. What usher writes stays as it is.
inline sys_seconds bounded_instant(std::int64_t value)
{
    return from_unix(std::clamp(value, -far, far));
}

/// Nothing for NULL.
inline std::optional<sys_seconds> instant_of(SQLite::Column const& column)
{
    if (column.isNull())
        return std::nullopt;
    return bounded_instant(column.getInt64());
}

/// Likewise of a duration, which is shorter than how far two clocks may be apart.
inline std::optional<seconds> duration_of(SQLite::Column const& column, std::int64_t seconds_max = 1'000'000'000)
{
    if (column.isNull())
        return std::nullopt;
    return seconds{std::clamp(column.getInt64(), -seconds_max, seconds_max)};
}

/// The value as it is stored. Texts are borrowed until the next step.
inline RowValue value_at(SQLite::Statement& statement, int index)
{
    const SQLite::Column column = statement.getColumn(index);
    const auto bytes = [&] {
        auto const* const data = static_cast<char const*>(column.getBlob());
        return std::string_view{data, static_cast<std::size_t>(column.getBytes())};
    };
    switch (column.getType()) {
    case SQLITE_INTEGER: return column.getInt64();
    case SQLITE_FLOAT: return column.getDouble();
    case SQLITE_TEXT: return bytes();
    case SQLITE_BLOB: return Blob{bytes()};
    default: return std::monostate{};
    }
}

inline std::optional<std::int64_t> integer_at(SQLite::Statement& statement, int column)
{
    const SQLite::Column value = statement.getColumn(column);
    return value.isNull() ? std::nullopt : std::optional{value.getInt64()};
}

inline std::optional<SessionNo> session_at(SQLite::Statement& statement, int column)
{
    const std::optional<std::int64_t> value = integer_at(statement, column);
    return value ? std::optional{SessionNo{*value}} : std::nullopt;
}

inline void bind_optional(SQLite::Statement& statement, int index, std::optional<std::int64_t> value)
{
    if (value)
        statement.bind(index, *value);
    else
        statement.bind(index);
}

inline void bind_optional(SQLite::Statement& statement, int index, std::optional<SessionNo> value)
{
    bind_optional(statement, index, value ? std::optional{number(*value)} : std::nullopt);
}

inline void bind_optional(SQLite::Statement& statement, int index, std::optional<sys_seconds> value)
{
    bind_optional(statement, index, value ? std::optional{unix_seconds(*value)} : std::nullopt);
}

inline std::optional<Role> stored_role(int value)
{
    if (value < 1 || value > 4)
        return std::nullopt;
    return static_cast<Role>(value);
}

inline std::string option(SQLite::Column const& column)
{
    return column.isNull() ? std::string{} : column.getString();
}

/// From six columns of `meeting`, in the order of the table.
inline SessionOptions options_at(SQLite::Statement& statement, int first)
{
    SessionOptions options;
    options.media_mode = statement.getColumn(first).getString();
    options.archive_mode = statement.getColumn(first + 1).getString();
    options.archive_name = option(statement.getColumn(first + 2));
    options.archive_resolution = option(statement.getColumn(first + 3));
    options.location = option(statement.getColumn(first + 4));
    options.e2ee = statement.getColumn(first + 5).getInt() != 0;
    return options;
}

} // namespace usher
