// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include <sqlite3.h>

#include <usher/core/ascii.hpp>
#include <usher/core/printable.hpp>
#include <usher/store/contract.hpp>
#include <usher/store/database.hpp>

#include "connection.hpp"
#include "contract.hpp"
#include "sql_tokens.hpp"

namespace usher {

namespace {

constexpr std::size_t refused_named_max = 20;
constexpr std::int64_t rows_worth_a_word = 20000;
constexpr std::int64_t rebuilt_a_second = 200000; // rows
constexpr char const* new_name = "usher_repair_new";

std::string joined(std::vector<std::string> const& parts, std::string_view separator)
{
    std::string text;
    for (std::string const& part : parts)
        text.append(text.empty() ? "" : separator).append(part);
    return text;
}

std::string key_source(std::string const& what, KeyText const& key)
{
    return what + " (" + joined(key.columns, ", ") + (key.autoincrement ? " AUTOINCREMENT)" : ")") +
           (key.conflict.empty() ? "" : " " + key.conflict);
}

std::string check_source(CheckText const& check)
{
    return (check.name.empty() ? "" : "CONSTRAINT " + quoted_name(check.name) + " ") + "CHECK (" + check.source + ")";
}

/// A statement that creates the table of the contract, with its columns in the order of `found`, and with what a
/// platform added to its own table.
std::string merged(Contract::TableContract const& wanted, TableText const& found, std::string_view name)
{
    TableText const& ours = wanted.text;
    std::vector<std::string> items;
    const auto add_ours = [&](ColumnText const& column) {
        ColumnText const* there = found.column(column.name);
        const bool is_stricter = wanted.is_platforms && there != nullptr && there->not_null && !column.not_null;
        items.push_back(column.source + (is_stricter ? " NOT NULL" : ""));
    };
    for (ColumnText const& column : found.columns)
        if (ColumnText const* own = ours.column(column.name))
            add_ours(*own);
        else if (wanted.is_platforms)
            items.push_back(column.source_without_key);
    for (ColumnText const& column : ours.columns)
        if (found.column(column.name) == nullptr)
            add_ours(column);

    if (ours.primary_key && ours.primary_key->column.empty())
        items.push_back(key_source("PRIMARY KEY", *ours.primary_key));
    for (KeyText const& key : ours.unique)
        if (key.column.empty())
            items.push_back(key_source("UNIQUE", key));
    for (CheckText const& check : ours.checks)
        if (check.column.empty())
            items.push_back(check_source(check));
    if (wanted.is_platforms) {
        // What stands in the definition of a column of theirs came with it.
        const auto is_loose = [&](std::string const& column) {
            return column.empty() || ours.column(column) != nullptr;
        };
        for (KeyText const& key : found.unique)
            if (is_loose(key.column) && std::none_of(ours.unique.begin(), ours.unique.end(), [&](KeyText const& own) {
                    return same_key(own, key);
                }))
                items.push_back(key_source("UNIQUE", key));
        for (CheckText const& check : found.checks)
            if (is_loose(check.column) &&
                std::none_of(ours.checks.begin(), ours.checks.end(), [&](CheckText const& own) {
                    return own.condition == check.condition || (!own.name.empty() && own.name == check.name);
                }))
                items.push_back(check_source(check));
        for (ReferenceText const& reference : found.references)
            if (is_loose(reference.column))
                items.push_back(reference.source);
    }
    std::vector<std::string> options = ours.options;
    if (wanted.is_platforms && found.has_option("strict") && !ours.has_option("strict"))
        options.emplace_back("strict");
    return "CREATE TABLE " + quoted_name(name) + " (\n    " + joined(items, ",\n    ") + "\n)" +
           (options.empty() ? "" : " " + joined(options, ", "));
}

/// Whether rows and indexes of `found` are stored as `text` says, so that only the statement needs to change.
bool is_stored_alike(TableText const& text, TableText const& found)
{
    const auto same_column = [](ColumnText const& a, ColumnText const& b) {
        // The default is what rows have that are older than their column.
        return a.name == b.name && a.type == b.type && a.default_value == b.default_value &&
               a.collation == b.collation && a.generated == b.generated;
    };
    const auto same_primary_key = [&] {
        if (!text.primary_key || !found.primary_key)
            return !text.primary_key && !found.primary_key;
        return text.primary_key->columns == found.primary_key->columns &&
               text.primary_key->autoincrement == found.primary_key->autoincrement;
    };
    return text.columns.size() == found.columns.size() &&
           std::equal(text.columns.begin(), text.columns.end(), found.columns.begin(), same_column) &&
           same_primary_key() && text.automatic_indexes == found.automatic_indexes && text.options == found.options;
}

/// The names of columns in the parentheses of `CREATE UNIQUE INDEX name ON table (a, b)`.
std::vector<std::string> indexed_columns(std::string const& sql)
{
    std::vector<std::string> columns;
    bool inside = false;
    for (SqlToken const& token : sql_tokens(sql)) {
        if (token.is_operator(')'))
            break;
        if (inside && token.is_name())
            columns.push_back(token.text);
        inside = inside || token.is_operator('(');
    }
    return columns;
}

/// Whether a column is the rowid.
bool is_rowid_named(TableText const& table)
{
    if (!table.primary_key || table.primary_key->columns.size() != 1)
        return false;
    ColumnText const* column = table.column(table.primary_key->columns[0]);
    return column != nullptr && column->type == "integer";
}

class Repairer {
public:
    Repairer(SQLite::Database& database, std::function<void(std::string const&)> const& announce)
        : database_{database}, announce_{announce}
    {}

    /// In the transaction at hand, which is to be rolled back if rows are refused.
    Repair run(Contract::Difference const& difference);

private:
    struct Found {
        std::string type; ///< Empty when there is nothing.
        std::string name;
        std::optional<TableText> text; ///< Of an ordinary table.
    };

    Found find(std::string const& name);
    void mend(Contract::TableContract const& table);
    void create(Contract::TableContract const& table);
    void refuse_lost_rows(Contract::TableContract const& table);
    void rebuild(Contract::TableContract const& table, Found const& found);
    void change_text(Contract::TableContract const& table, Found const& found, std::string const& sql);
    std::set<std::string> columns_of(std::string const& name);
    void drop_foreign(Contract::TableContract const& table);
    void put_back(SchemaObject const& object);
    std::int64_t integer(std::string const& sql);

    std::vector<std::string> key_of(Contract::TableContract const& table, std::set<std::string> const& there);
    struct Fault;
    static std::vector<Fault> nulls(Contract::TableContract const& table, std::set<std::string> const& there);
    static std::vector<Fault> failing_checks(Contract::TableContract const& table);
    void refuse_rows(Contract::TableContract const& table, std::string const& name, std::vector<Fault> const& faults);
    void
    refuse_repeats(Contract::TableContract const& table, std::string const& name, std::set<std::string> const& there);
    void refuse(std::string line);

    SQLite::Database& database_;
    std::function<void(std::string const&)> const& announce_;
    Repair result_;
};

std::int64_t Repairer::integer(std::string const& sql)
{
    SQLite::Statement query{database_, sql};
    return query.executeStep() ? query.getColumn(0).getInt64() : 0;
}

Repairer::Found Repairer::find(std::string const& name)
{
    Found found;
    for (SchemaObject const& object : schema_objects(
             database_, "SELECT type, name, tbl_name, sql FROM main.sqlite_master WHERE lower(name) = '" + name + "'"
         )) {
        found.type = object.type;
        found.name = object.name;
        if (object.type == "table")
            found.text = table_text(object.sql);
    }
    return found;
}

std::set<std::string> Repairer::columns_of(std::string const& name)
{
    std::set<std::string> columns;
    SQLite::Statement query{database_, "SELECT lower(name) FROM pragma_table_info(?)"};
    query.bind(1, name);
    while (query.executeStep())
        columns.insert(query.getColumn(0).getString());
    return columns;
}

void Repairer::refuse(std::string line)
{
    if (++result_.refused_in_all <= static_cast<std::int64_t>(refused_named_max))
        result_.refused.push_back(std::move(line));
}

/// What people know a row by: the columns of a key of text where there is one.
std::vector<std::string> Repairer::key_of(Contract::TableContract const& table, std::set<std::string> const& there)
{
    std::vector<std::string> key;
    if (table.text.primary_key)
        key = table.text.primary_key->columns;
    if (is_rowid_named(table.text))
        for (SchemaObject const& index : Contract::get().others)
            if (index.table == table.object.name && index.sql.starts_with("CREATE UNIQUE INDEX"))
                key = indexed_columns(index.sql);
    std::erase_if(key, [&](std::string const& column) { return !there.contains(column); });
    return key;
}

/// `meeting m-7`, from the columns of the statement from `first` on.
std::string row_name(std::string const& table, std::vector<std::string> const& key, SQLite::Statement& row, int first)
{
    std::string name = table;
    for (std::size_t i = 0; i < key.size(); ++i) {
        const SQLite::Column column = row.getColumn(first + static_cast<int>(i));
        name.append(i == 0 ? " " : ", ").append(column.isNull() ? "NULL" : printable(column.getString()));
    }
    return name;
}

/// SQL for a value as a message shows it.
std::string shown_sql(std::string const& column)
{
    return "CASE typeof(" + column + ") WHEN 'null' THEN 'NULL' WHEN 'blob' THEN 'a blob of ' || length(" + column +
           ") || ' bytes' WHEN 'text' THEN '\"' || substr(" + column + ", 1, 60) || '\"' ELSE CAST(" + column +
           " AS TEXT) END";
}

std::string selected(std::vector<std::string> const& key)
{
    std::string text;
    for (std::string const& column : key)
        text.append("substr(").append(quoted_name(column)).append(", 1, 100), ");
    return text;
}

/// What is wrong with a row, as a condition, and its name as an expression.
struct Repairer::Fault {
    std::string condition;
    std::string shown;
};

std::vector<Repairer::Fault> Repairer::nulls(Contract::TableContract const& table, std::set<std::string> const& there)
{
    std::vector<Fault> faults;
    for (ColumnText const& column : table.text.columns)
        if (column.not_null && there.contains(column.name))
            faults.push_back({quoted_name(column.name) + " IS NULL", "'" + column.name + " is NULL'"});
        else if (column.not_null && !column.default_value)
            faults.push_back({"1", "'" + column.name + " is gone and has no default'"});
    return faults;
}

std::vector<Repairer::Fault> Repairer::failing_checks(Contract::TableContract const& table)
{
    std::vector<Fault> faults;
    for (CheckText const& check : table.text.checks) {
        std::string column = check.column;
        for (SqlToken const& token : sql_tokens(check.condition)) {
            if (!column.empty())
                break;
            if (token.is_name() && table.text.column(token.text) != nullptr)
                column = token.text;
        }
        const std::string value =
            column.empty() ? "" : "'" + column + " is ' || " + shown_sql(quoted_name(column)) + " || ', but ' || ";
        faults.push_back({"NOT (" + check.source + ")", value + "'" + check.name + "'"});
    }
    return faults;
}

/// In one look at all rows.
void Repairer::refuse_rows(
    Contract::TableContract const& table, std::string const& name, std::vector<Fault> const& faults
)
{
    if (faults.empty())
        return;
    const std::vector<std::string> key = key_of(table, columns_of(name));
    std::string shown;
    std::string any;
    for (Fault const& fault : faults) {
        shown += ", CASE WHEN " + fault.condition + " THEN " + fault.shown + " END";
        any += (any.empty() ? "(" : " OR (") + fault.condition + ")";
    }
    SQLite::Statement rows{
        database_, "SELECT " + selected(key) + "1" + shown + " FROM main." + quoted_name(name) + " WHERE " + any};
    while (rows.executeStep()) {
        std::string reasons;
        for (std::size_t i = 0; i < faults.size(); ++i) {
            const SQLite::Column reason = rows.getColumn(static_cast<int>(key.size() + 1 + i));
            if (!reason.isNull())
                reasons.append(reasons.empty() ? "" : "; ").append(printable(reason.getString()));
        }
        refuse(row_name(table.object.name, key, rows, 0) + ": " + reasons);
    }
}

void Repairer::refuse_repeats(
    Contract::TableContract const& table, std::string const& name, std::set<std::string> const& there
)
{
    std::vector<std::vector<std::string>> keys;
    if (table.text.primary_key)
        keys.push_back(table.text.primary_key->columns);
    for (KeyText const& key : table.text.unique)
        keys.push_back(key.columns);
    for (SchemaObject const& index : Contract::get().others)
        if (index.table == table.object.name && index.sql.starts_with("CREATE UNIQUE INDEX") &&
            index.sql.find(" WHERE ") == std::string::npos)
            keys.push_back(indexed_columns(index.sql));
    for (std::vector<std::string> const& key : keys) {
        if (key.empty() ||
            !std::all_of(key.begin(), key.end(), [&](std::string const& column) { return there.contains(column); }))
            continue;
        std::vector<std::string> names;
        std::string not_null;
        for (std::string const& column : key) {
            names.push_back(quoted_name(column));
            not_null += (not_null.empty() ? " WHERE " : " AND ") + quoted_name(column) + " IS NOT NULL";
        }
        SQLite::Statement rows{
            database_, "SELECT " + selected(key) + "count(*) FROM main." + quoted_name(name) + not_null + " GROUP BY " +
                           joined(names, ", ") + " HAVING count(*) > 1"};
        while (rows.executeStep())
            refuse(
                row_name(table.object.name, key, rows, 0) + ": " +
                std::to_string(rows.getColumn(static_cast<int>(key.size())).getInt64()) + " rows have the same " +
                joined(key, ", ")
            );
    }
}

void Repairer::create(Contract::TableContract const& table)
{
    database_.exec(table.object.sql);
    for (std::string const& seed : table.seeds)
        database_.exec(seed);
}

/// A tool that builds a table anew and stops in the middle leaves the rows in its copy. If the repair then made an
/// empty table, usher would take all meetings for deleted.
void Repairer::refuse_lost_rows(Contract::TableContract const& table)
{
    std::vector<std::string> names;
    SQLite::Statement others{
        database_, "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"};
    while (others.executeStep())
        names.push_back(others.getColumn(0).getString());
    for (std::string const& name : names) {
        if (Contract::get().table(in_lower_case(name)) != nullptr)
            continue;
        const std::set<std::string> there = columns_of(name);
        const bool is_copy = std::all_of(table.text.columns.begin(), table.text.columns.end(), [&](auto const& column) {
            return there.contains(column.name);
        });
        const std::int64_t rows = is_copy ? integer("SELECT count(*) FROM main." + quoted_name(name)) : 0;
        if (rows > 0)
            refuse(
                table.object.name + ": the table is gone, and " + printable(name) + " has all its columns and " +
                std::to_string(rows) + (rows == 1 ? " row" : " rows") +
                ", as a migration leaves it that stopped; take them back by PRAGMA legacy_alter_table = ON; ALTER "
                "TABLE " +
                printable(quoted_name(name)) + " RENAME TO " + table.object.name +
                "; or, to begin with none, by CREATE TABLE " + table.object.name + " (id)"
            );
    }
}

void Repairer::change_text(Contract::TableContract const& table, Found const& found, std::string const& sql)
{
    std::vector<Fault> faults = nulls(table, columns_of(found.name));
    for (Fault& fault : failing_checks(table))
        faults.push_back(std::move(fault));
    refuse_rows(table, found.name, faults);
    if (!result_.refused.empty())
        return;
    open_in_memory()->exec(sql); // that it can be read
    database_.exec("PRAGMA writable_schema = ON");
    SQLite::Statement update{database_, "UPDATE main.sqlite_master SET sql = ? WHERE type = 'table' AND name = ?"};
    update.bind(1, sql);
    update.bind(2, found.name);
    update.exec();
    database_.exec("PRAGMA writable_schema = OFF");
}

void Repairer::rebuild(Contract::TableContract const& table, Found const& found)
{
    const std::set<std::string> there = columns_of(found.name);
    refuse_rows(table, found.name, nulls(table, there));
    refuse_repeats(table, found.name, there);
    if (!result_.refused.empty())
        return;

    TableText const& old = found.text ? *found.text : TableText{};
    database_.exec(merged(table, old, new_name));
    std::vector<std::string> copied;
    for (std::string const& column : columns_of(new_name)) {
        ColumnText const* text = old.column(column);
        if (there.contains(column) && (text == nullptr || text->generated.empty()))
            copied.push_back(quoted_name(column));
    }
    const auto has_rowid = [](TableText const& text) {
        return !text.has_option("without rowid") && text.column("rowid") == nullptr;
    };
    if (found.text && has_rowid(old) && has_rowid(table.text) && !is_rowid_named(table.text))
        copied.emplace_back("rowid"); // what others keep by it stays right
    const std::string columns = joined(copied, ", ");
    database_.exec("PRAGMA ignore_check_constraints = ON"); // they get a list of all rows, not the first one
    database_.exec(
        "INSERT INTO main." + std::string{new_name} + " (" + columns + ") SELECT " + columns + " FROM main." +
        quoted_name(found.name)
    );
    database_.exec("PRAGMA ignore_check_constraints = OFF");
    refuse_rows(table, new_name, failing_checks(table));
    if (!result_.refused.empty())
        return;

    std::vector<SchemaObject> kept;
    for (SchemaObject& object : schema_objects(
             database_, "SELECT type, name, tbl_name, sql FROM main.sqlite_master WHERE sql IS NOT NULL AND type IN "
                        "('index', 'trigger') AND lower(tbl_name) = '" +
                            table.object.name + "'"
         ))
        if (found.type == "table" && Contract::get().other(in_lower_case(object.name)) == nullptr)
            kept.push_back(std::move(object));
    std::int64_t sequence = 0;
    const bool counts = table.text.primary_key && table.text.primary_key->autoincrement;
    if (counts)
        sequence = integer(
            "SELECT seq FROM main.sqlite_sequence WHERE lower(name) = '" + table.object.name + "' ORDER BY seq DESC"
        );
    database_.exec((found.type == "view" ? "DROP VIEW main." : "DROP TABLE main.") + quoted_name(found.name));
    database_.exec("ALTER TABLE main." + std::string{new_name} + " RENAME TO " + table.object.name);
    if (counts) {
        sequence = std::max(
            sequence,
            integer(
                "SELECT max(" + quoted_name(table.text.primary_key->columns[0]) + ") FROM main." + table.object.name
            )
        );
        database_.exec("DELETE FROM main.sqlite_sequence WHERE lower(name) = '" + table.object.name + "'");
        database_.exec(
            "INSERT INTO main.sqlite_sequence (name, seq) VALUES ('" + table.object.name + "', " +
            std::to_string(sequence) + ")"
        );
    }
    for (SchemaObject const& object : kept)
        database_.exec(object.sql);
}

void Repairer::mend(Contract::TableContract const& table)
{
    const Found found = find(table.object.name);
    if (found.type.empty()) {
        if (table.is_platforms)
            refuse_lost_rows(table);
        if (result_.refused.empty())
            create(table);
        return;
    }
    const std::int64_t rows = integer("SELECT count(*) FROM main." + quoted_name(found.name));
    result_.rows += rows;
    if (found.text) {
        std::string sql = merged(table, *found.text, found.name);
        if (canonical(sql_tokens(sql)) == canonical(sql_tokens(merged(table, table.text, found.name))))
            sql = table.object.sql; // with its comments
        if (const auto text = table_text(sql); text && is_stored_alike(*text, *found.text)) {
            change_text(table, found, sql);
            return;
        }
    }
    if (rows >= rows_worth_a_word)
        announce_(
            table.object.name + " is built anew from " + std::to_string(rows) +
            " rows; whoever writes waits for about " + std::to_string(rows / rebuilt_a_second + 1) + "s"
        );
    rebuild(table, found);
}

/// From one of usher's own tables.
void Repairer::drop_foreign(Contract::TableContract const& table)
{
    for (SchemaObject const& object : schema_objects(
             database_, "SELECT type, name, tbl_name, sql FROM main.sqlite_master WHERE sql IS NOT NULL AND type IN "
                        "('index', 'trigger') AND lower(tbl_name) = '" +
                            table.object.name + "'"
         )) {
        if (Contract::get().other(in_lower_case(object.name)) != nullptr)
            continue;
        if (object.type == "trigger")
            database_.exec("DROP TRIGGER main." + quoted_name(object.name));
        else if (const auto tokens = sql_tokens(object.sql); tokens.size() > 1 && tokens[1].is("unique"))
            database_.exec("DROP INDEX main." + quoted_name(object.name));
    }
}

Repair Repairer::run(Contract::Difference const& difference)
{
    for (Contract::Finding const& finding : difference.findings)
        result_.mended.push_back(finding.damage);
    const auto is_damaged = [](Contract::Difference const& found, std::string const& table) {
        return std::any_of(found.findings.begin(), found.findings.end(), [&](Contract::Finding const& finding) {
            return finding.damage.object.substr(0, finding.damage.object.find('.')) == table;
        });
    };
    for (Contract::TableContract const& table : Contract::get().tables)
        if (!table.is_platforms && is_damaged(difference, table.object.name))
            drop_foreign(table);
    const Contract::Difference tables = Contract::get().compare(database_);
    for (Contract::TableContract const& table : Contract::get().tables)
        if (is_damaged(tables, table.object.name))
            mend(table);
    if (!result_.refused.empty())
        return std::move(result_);
    // What was lost, and what went with a table that was built anew.
    for (Contract::Finding const& finding : Contract::get().compare(database_).findings)
        if (SchemaObject const* object = Contract::get().other(finding.damage.object))
            put_back(*object);
    if (!result_.refused.empty())
        return std::move(result_);
    const Contract::Difference rest = Contract::get().compare(database_);
    if (!rest.findings.empty())
        throw DatabaseError{
            rest.findings.front().damage.sentence +
            ", which this cannot mend; do: " + rest.findings.front().damage.way_out};
    database_.exec("UPDATE main.daemon SET damage = '' WHERE damage <> ''"); // what usher_status says of it
    // So that everybody reads the schema again.
    const std::int64_t version = integer("PRAGMA main.schema_version");
    database_.exec("PRAGMA main.schema_version = " + std::to_string(version + 1));
    return std::move(result_);
}

void Repairer::put_back(SchemaObject const& object)
{
    const std::optional<SQLite::Exception> refused = Contract::put_back(database_, object);
    Contract::TableContract const* table = Contract::get().table(object.table);
    if (refused && (refused->getErrorCode() & 0xff) == SQLITE_CONSTRAINT && table != nullptr)
        refuse_repeats(*table, table->object.name, columns_of(table->object.name));
}

} // namespace

Repair repair_database(std::string const& path, std::function<void(std::string const&)> const& announce)
{
    const std::unique_ptr<SQLite::Database> database = open_for_repair(path);
    try {
        // Neither can be changed in a transaction. RENAME then leaves the triggers and views of others as they are.
        database->exec("PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON");
        SQLite::Transaction transaction{*database, SQLite::TransactionBehavior::IMMEDIATE};
        Repair result;
        const bool adopted = put_marks(*database);
        const Contract::Difference difference = Contract::get().compare(*database);
        if (!difference.findings.empty())
            result = Repairer{*database, announce}.run(difference);
        if (adopted)
            result.mended.push_back({"the database", "application_id and user_version were not usher's", {}});
        if (result.refused.empty() && !result.mended.empty())
            transaction.commit();
        return result;
    } catch (SQLite::Exception const& error) {
        rethrow(error, path);
    } catch (DatabaseError const& error) {
        throw DatabaseError{path + ": " + error.what()};
    }
}

} // namespace usher
