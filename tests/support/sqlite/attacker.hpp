// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

namespace usher::test {

struct HostileValue {
    char const* name;
    char const* sql;
};

/// What a column is tried with. Two megabytes are more than a connection of usher's reads, and quick to write.
inline constexpr HostileValue hostile_values[] = {
    {"null", "NULL"},
    {"minus_one", "-1"},
    {"zero", "0"},
    {"largest", "9223372036854775807"},
    {"smallest", "-9223372036854775807 - 1"},
    {"fraction", "1.5"},
    {"infinite", "9e999"},
    {"text", "'text'"},
    {"empty", "''"},
    {"blob", "x'00ff1b5b324a'"},
    {"no_utf8", "CAST(x'ff41c3e280' AS TEXT)"},
    {"control", "'a' || char(27) || '[2J' || char(13, 10, 8, 0, 155, 8238, 8294, 65279, 917505)"},
    {"two_megabytes", "printf('%02000000d', 7)"},
};

/// Puts anything into any column, as somebody can who holds the file: neither CHECK, NOT NULL and trigger nor the type
/// of a column stands in the way. The schema is left as it was.
class Attacker {
public:
    explicit Attacker(std::string const& path) : database_{path, SQLite::OPEN_READWRITE}
    {
        sqlite3_db_config(database_.getHandle(), SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
        database_.exec("PRAGMA synchronous = OFF; PRAGMA ignore_check_constraints = ON;"
                       "CREATE TEMP TABLE was AS SELECT name, sql FROM sqlite_master WHERE type = 'table'");
    }

    std::vector<std::string> tables() const
    {
        return texts("SELECT name FROM was WHERE name NOT LIKE 'sqlite_%' ORDER BY name");
    }

    std::vector<std::string> columns(std::string const& table) const
    {
        return texts("SELECT name FROM pragma_table_info('" + table + "')");
    }

    /// `bind` binds parameter 1, which is what `value`, an expression, makes of it. `row` counts by the primary key.
    /// Whether there was such a row, and SQLite itself let it be written: a key may not occur twice.
    template <std::invocable<SQLite::Statement&> Bind>
    bool write(std::string const& table, std::string const& column, int row, Bind bind, std::string const& value = "?1")
    {
        try {
            SQLite::Transaction transaction{database_, SQLite::TransactionBehavior::IMMEDIATE};
            // An expression as the name of a type has no affinity.
            const std::string named = " WHERE type = 'table' AND name = '" + table + "'";
            change_schema(
                "UPDATE sqlite_master SET sql = replace(replace(sql, 'NOT NULL', ''), ' TEXT', ' BLOB')" + named
            );
            std::string key;
            for (std::string const& part :
                 texts("SELECT name FROM pragma_table_info('" + table + "') WHERE pk > 0 ORDER BY pk"))
                key += (key.empty() ? "" : ", ") + part;
            SQLite::Statement update{
                database_, "UPDATE " + table + " SET " + column + " = " + value + " WHERE (" + key + ") = (SELECT " +
                               key + " FROM " + table + " ORDER BY " + key + " LIMIT 1 OFFSET " + std::to_string(row) +
                               ")"};
            bind(update);
            const bool written = update.exec() == 1;
            update.reset();
            change_schema(
                "UPDATE sqlite_master SET sql = (SELECT w.sql FROM was w WHERE w.name = sqlite_master.name)" + named
            );
            transaction.commit();
            return written;
        } catch (SQLite::Exception const& error) {
            database_.exec("PRAGMA writable_schema = RESET");
            const int code = error.getErrorCode();
            if (code == SQLITE_CONSTRAINT || code == SQLITE_MISMATCH)
                return false;
            throw;
        }
    }

    bool write(std::string const& table, std::string const& column, int row, std::string const& value)
    {
        return write(
            table, column, row, [](SQLite::Statement&) {}, value
        );
    }

private:
    void change_schema(std::string const& update)
    {
        database_.exec("PRAGMA writable_schema = ON; " + update + "; PRAGMA writable_schema = RESET");
    }

    std::vector<std::string> texts(std::string const& query) const
    {
        std::vector<std::string> result;
        SQLite::Statement statement{database_, query};
        while (statement.executeStep())
            result.push_back(statement.getColumn(0).getString());
        return result;
    }

    SQLite::Database database_;
};

/// The file of a database that nobody has open, to go back to.
class Snapshot {
public:
    explicit Snapshot(std::string path) : path_{std::move(path)}
    {
        SQLite::Database{path_, SQLite::OPEN_READWRITE}.exec("PRAGMA wal_checkpoint(TRUNCATE)");
        std::filesystem::copy_file(path_, path_ + ".before");
    }

    void restore() const
    {
        for (char const* const file : {"-wal", "-shm"})
            std::filesystem::remove(path_ + file);
        std::filesystem::copy_file(path_ + ".before", path_, std::filesystem::copy_options::overwrite_existing);
    }

private:
    std::string path_;
};

} // namespace usher::test
