// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include <SQLiteCpp/SQLiteCpp.h>

namespace usher::simulation {

/// A statement that is kept: rewound when it is answered, since it keeps its snapshot until then.
class Question {
public:
    explicit Question(SQLite::Statement& statement) : statement_{statement} {}
    Question(Question const&) = delete;
    Question& operator=(Question const&) = delete;
    ~Question() { statement_.tryReset(); }

    SQLite::Statement* operator->() const { return &statement_; }
    SQLite::Statement& operator*() const { return statement_; }

private:
    SQLite::Statement& statement_;
};

/// Somebody's connection, with what is asked so often that it is prepared once.
class Connection : public SQLite::Database {
public:
    using SQLite::Database::Database;

    Question ask(char const* sql) { return Question{statements_.try_emplace(sql, *this, sql).first->second}; }

private:
    std::map<std::string, SQLite::Statement, std::less<>> statements_;
};

} // namespace usher::simulation
