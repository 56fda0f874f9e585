// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include "support/manual_clock.hpp"

namespace usher::test {

/// A platform's own connection.
using Platform = SQLite::Database;

/// Its views and defaults ask for the reader's clock: on this connection that is the test's.
inline std::unique_ptr<Platform> connect_platform(std::string const& path, ManualClock& clock)
{
    auto platform = std::make_unique<Platform>(path, SQLite::OPEN_READWRITE, 5000);
    sqlite3_create_function_v2(
        platform->getHandle(), "strftime", 2, SQLITE_UTF8 | SQLITE_INNOCUOUS, &clock,
        [](sqlite3_context* call, int, sqlite3_value**) {
            auto const* const held = static_cast<ManualClock const*>(sqlite3_user_data(call));
            sqlite3_result_int64(call, unix_seconds(held->now()));
        },
        nullptr, nullptr, nullptr
    );
    return platform;
}

/// One that asks for the machine's clock, and waits for others.
inline Platform open_platform(std::string const& path)
{
    return Platform{path, SQLite::OPEN_READWRITE, 20000};
}

inline Platform open_reader(std::string const& path)
{
    return Platform{path, SQLite::OPEN_READONLY, 20000};
}

/// Moves when another connection commits.
inline std::int64_t commits_seen(Platform& platform)
{
    return platform.execAndGet("PRAGMA data_version").getInt64();
}

/// All rows of a query, a line each, with `|` between columns.
inline std::string text_of(Platform& platform, std::string const& query)
{
    SQLite::Statement statement{platform, query};
    std::string result;
    while (statement.executeStep()) {
        result += result.empty() ? "" : "\n";
        for (int i = 0; i < statement.getColumnCount(); ++i)
            result += (i > 0 ? "|" : "") + statement.getColumn(i).getString();
    }
    return result;
}

/// Calls `visit` with each row of a query that has one parameter.
template <class Visit>
void each_row(Platform& platform, std::string const& query, std::string const& parameter, Visit visit)
{
    SQLite::Statement statement{platform, query};
    statement.bind(1, parameter);
    while (statement.executeStep())
        visit(statement);
}

} // namespace usher::test
