// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include <usher/store/contract.hpp>

#include "table_text.hpp"

namespace usher {

/// A row of sqlite_master.
struct SchemaObject {
    std::string type; ///< table, view, trigger, index
    std::string name;
    std::string table; ///< On which it is.
    std::string sql;
};

/// The schema as all migrations leave it, and how a database differs from it.
class Contract {
public:
    /// Made once, in memory, from the files that are embedded.
    static Contract const& get();

    struct TableContract {
        SchemaObject object;
        TableText text;
        bool is_platforms;              ///< Platforms write it, and may add to it.
        std::vector<std::string> seeds; ///< Statements for the rows that the migrations put into it.
    };
    std::vector<TableContract> tables;
    std::vector<SchemaObject> others; ///< Indexes, triggers and views.

    TableContract const* table(std::string_view name) const;
    SchemaObject const* other(std::string_view name) const;

    /// Whether most of the tables are there, so that the database is one of usher's whatever its header says.
    bool is_recognised_in(SQLite::Database const& database) const;

    struct Finding {
        Damage damage;
        SchemaObject const* lost = nullptr; ///< One of `others` that can be put back beside what runs.
    };
    struct Difference {
        std::vector<Finding> findings;
        std::vector<std::string> notes;
        std::vector<std::string> lost_columns;

        Difference& operator+=(Difference more);
        ContractState state() const;
    };
    /// Reads sqlite_master only.
    Difference compare(SQLite::Database const& database) const;

    /// Makes `object` as it was, in the transaction at hand. Returns why SQLite refuses it, such as rows that are there
    /// twice. Errors: SQLite::Exception, when the disk fails. With either nothing is changed.
    static std::optional<SQLite::Exception> put_back(SQLite::Database& database, SchemaObject const& object);

private:
    Contract();
    std::string query_; ///< For what sqlite_master has of ours, and on our tables and views.
};

/// Looks at the schema for the daemon, and puts back what it may: each object at most once a minute, so that a tool
/// that takes it away again and again gets no endless fight.
class ContractKeeper {
public:
    /// Takes the write lock only if there is something to put back. Errors: SQLite::Exception.
    Inspection inspect(SQLite::Database& database, std::chrono::steady_clock::time_point now);

private:
    std::map<std::string, std::chrono::steady_clock::time_point> put_back_; ///< When last, by name.
};

/// `"name"`, for a statement.
std::string quoted_name(std::string_view name);

/// All that sqlite_master has about tables and views of these names, or on them.
std::vector<SchemaObject> schema_objects(SQLite::Database const& database, std::string const& query);

} // namespace usher
