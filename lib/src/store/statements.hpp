// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "connection.hpp"

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

} // namespace usher
