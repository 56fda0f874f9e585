// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "connection.hpp"

/// By what `participant_problem` has a participant, as part of a literal. `id`: the column, also one that is no text or
/// too long for an id. The view participant_status says the same, but for an id without a byte: of that, substr() makes
/// NULL.
#define USHER_PROBLEM_KEY(id)                                                                                          \
    "CASE typeof(" id ") WHEN 'text' THEN CAST(ifnull(substr(CAST(" id " AS BLOB), 1, 256), '') AS TEXT) "             \
    "ELSE substr(quote(" id "), 1, 256) END"

namespace usher {

/// A connection and its statements, each prepared once.
struct Statements {
    explicit Statements(std::unique_ptr<SQLite::Database> connection) : database{std::move(connection)} {}

    std::unique_ptr<SQLite::Database> database;

    /// `text` must be a literal: where it is is the key.
    SQLite::Statement& prepared(char const* text)
    {
        auto& statement = by_text_[text];
        if (!statement)
            statement = std::make_unique<SQLite::Statement>(*database, text);
        return *statement;
    }

    template <class... Values>
    int run(char const* text, Values const&... values)
    {
        SQLite::Statement& statement = prepared(text);
        const Rewind rewind{statement};
        SQLite::bind(statement, values...);
        return statement.exec();
    }

    template <class... Values>
    std::optional<std::int64_t> integer(char const* text, Values const&... values)
    {
        SQLite::Statement& statement = prepared(text);
        const Rewind rewind{statement};
        SQLite::bind(statement, values...);
        if (!statement.executeStep() || statement.getColumn(0).isNull())
            return std::nullopt;
        return statement.getColumn(0).getInt64();
    }

private:
    std::unordered_map<char const*, std::unique_ptr<SQLite::Statement>> by_text_;
};

/// One instant for all that is read. Like SQLite::Transaction, without parsing its statements each time.
class ReadTransaction {
public:
    explicit ReadTransaction(Statements& statements) : end_{statements.prepared("ROLLBACK")}
    {
        statements.run("BEGIN");
    }
    ReadTransaction(ReadTransaction const&) = delete;
    ReadTransaction& operator=(ReadTransaction const&) = delete;
    ~ReadTransaction()
    {
        end_.tryExecuteStep(); // fails where SQLite has rolled back by itself
        end_.tryReset();
    }

private:
    SQLite::Statement& end_;
};

} // namespace usher
