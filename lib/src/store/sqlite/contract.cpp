// SPDX-License-Identifier: Apache-2.0
#include "contract.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <map>

#include <sqlite3.h>

#include <usher/core/ascii.hpp>
#include <usher/core/printable.hpp>

#include "connection.hpp"
#include "migrations.hpp"
#include "sql_tokens.hpp"

namespace usher {

namespace {

constexpr std::array<std::string_view, 4> platform_tables = {"block", "meeting", "participant", "request"};
constexpr char const* repair_command = "usherctl init --repair";
constexpr std::size_t statement_max = 1 << 20; // no tool writes longer ones
constexpr std::size_t foreign_named_max = 20;  // of one table
constexpr std::int64_t indexed_at_once = 2500; // rows, in a few milliseconds
constexpr int value_max = 64 << 20;            // bytes of a value or a row
constexpr int trigger_depth_max = 8;
constexpr auto put_back_every = std::chrono::minutes{1};

std::string in_upper_case(std::string_view text)
{
    std::string result{text};
    for (char& c : result)
        if (c >= 'a' && c <= 'z')
            c = static_cast<char>(c - 'a' + 'A');
    return result;
}

/// A name or an expression of somebody else's as a part of a sentence.
std::string shown(std::string_view text)
{
    return printable(text, 100);
}

std::string in_parentheses(std::vector<std::string> const& names)
{
    std::string text;
    for (std::string const& name : names)
        text.append(text.empty() ? "(" : ", ").append(name);
    return text + ")";
}

/// A name for a CHECK that has none.
std::string name_of(CheckText const& check)
{
    return check.name.empty() ? "CHECK (" + check.condition + ")" : check.name;
}

std::string article(std::string_view type)
{
    return (type == "index" ? "an " : "a ") + std::string{type};
}

bool is_unique(SchemaObject const& index)
{
    const std::vector<SqlToken> tokens = sql_tokens(index.sql);
    return tokens.size() > 1 && tokens[1].is("unique");
}

bool same(SchemaObject const& a, SchemaObject const& b)
{
    return a.sql == b.sql ||
           (b.sql.size() < statement_max && canonical(sql_tokens(a.sql)) == canonical(sql_tokens(b.sql)));
}

bool names_any(SchemaObject const& object, std::vector<std::string> const& names)
{
    if (names.empty())
        return false;
    const std::vector<SqlToken> tokens = sql_tokens(object.sql);
    return std::any_of(tokens.begin(), tokens.end(), [&](SqlToken const& token) {
        return std::find(names.begin(), names.end(), token.text) != names.end();
    });
}

using Finding = Contract::Finding;

/// Compares one table with what it ought to be.
class TableComparison {
public:
    TableComparison(Contract::TableContract const& wanted, TableText const& found)
        : wanted_{wanted}, name_{wanted.object.name}, found_{found}
    {}

    Contract::Difference run()
    {
        for (ColumnText const& column : wanted_.text.columns)
            if (ColumnText const* other = found_.column(column.name))
                compare(column, *other);
            else
                lose(column);
        for (ColumnText const& column : found_.columns)
            if (wanted_.text.column(column.name) == nullptr)
                compare_foreign(column);
        compare_checks();
        compare_keys();
        for (ReferenceText const& reference : found_.references)
            foreign("the constraint FOREIGN KEY " + reference.condition);
        for (std::string const& option : wanted_.text.options)
            if (!found_.has_option(option))
                damage(name_, name_ + " lost " + in_upper_case(option));
        for (std::string const& option : found_.options)
            if (!wanted_.text.has_option(option)) {
                if (option == "without rowid")
                    damage(name_, name_ + " is WITHOUT ROWID");
                else
                    foreign("the option " + in_upper_case(option));
            }
        return std::move(result_);
    }

private:
    void damage(std::string object, std::string const& sentence)
    {
        result_.findings.push_back({{std::move(object), sentence, repair_command}});
    }

    /// Another one in its place may be the same by another name.
    void lose(ColumnText const& column)
    {
        std::string way_out = repair_command;
        const auto place = static_cast<std::size_t>(&column - wanted_.text.columns.data());
        if (place < found_.columns.size() && wanted_.text.column(found_.columns[place].name) == nullptr) {
            const std::string there = shown(found_.columns[place].name);
            way_out = "if " + there + " is that column, have whoever renamed it do: ALTER TABLE " + name_ +
                      " RENAME COLUMN " + there + " TO " + column.name + "; else: " + way_out;
        }
        result_.findings.push_back({{name_, name_ + " lost the column " + column.name, way_out}});
        result_.lost_columns.push_back(column.name);
    }

    /// Something more than the contract has, which may refuse what the contract takes.
    void foreign(std::string const& what)
    {
        if (wanted_.is_platforms)
            result_.notes.push_back(name_ + " has " + shown(what) + ", which may refuse what usher's contract takes");
        else if (++foreign_ <= foreign_named_max)
            damage(name_, name_ + " has " + shown(what) + ", which is not usher's");
    }

    void compare(ColumnText const& wanted, ColumnText const& found)
    {
        const std::string name = name_ + "." + wanted.name;
        if (found.type != wanted.type)
            damage(name, name + " is " + described_type(found) + " instead of " + described_type(wanted));
        if (wanted.not_null && !found.not_null)
            damage(name, name + " lost NOT NULL");
        else if (wanted.not_null && wanted.not_null != found.not_null)
            damage(name, name + " has NOT NULL " + in_upper_case(*found.not_null));
        else if (found.not_null && !wanted.not_null)
            foreign("NOT NULL at " + wanted.name);
        if (found.default_value != wanted.default_value) {
            if (!found.default_value)
                damage(name, name + " lost its default " + *wanted.default_value);
            else if (wanted.default_value)
                damage(
                    name,
                    name + " has the default " + shown(*found.default_value) + " instead of " + *wanted.default_value
                );
            else
                damage(name, name + " has the default " + shown(*found.default_value) + " and must have none");
        }
        if (found.collation != wanted.collation)
            damage(
                name, name + " compares by " + in_upper_case(collation(found)) + " instead of " +
                          in_upper_case(collation(wanted))
            );
        if (found.generated != wanted.generated)
            damage(name, name + (found.generated.empty() ? " is no generated column" : " is a generated column"));
    }

    static std::string described_type(ColumnText const& column)
    {
        return column.type.empty() ? "of no type" : shown(in_upper_case(column.type));
    }

    static std::string collation(ColumnText const& column)
    {
        return column.collation.empty() ? "binary" : shown(column.collation);
    }

    void compare_foreign(ColumnText const& column)
    {
        if (!wanted_.is_platforms)
            foreign("the column " + column.name);
        else if (column.not_null && !column.default_value && column.generated.empty())
            foreign("the column " + column.name + ", which is NOT NULL and has no default");
    }

    void compare_checks()
    {
        std::vector<CheckText const*> others;
        for (CheckText const& check : found_.checks)
            others.push_back(&check);
        for (CheckText const& check : wanted_.text.checks) {
            if (!check.column.empty() && found_.column(check.column) == nullptr)
                continue; // it went with its column
            const auto whole = std::find_if(others.begin(), others.end(), [&](CheckText const* other) {
                return other->name == check.name && other->condition == check.condition;
            });
            if (whole != others.end()) {
                others.erase(whole);
                continue;
            }
            const auto named = std::find_if(others.begin(), others.end(), [&](CheckText const* other) {
                return !check.name.empty() && other->name == check.name;
            });
            if (named == others.end()) {
                damage(name_, name_ + " lost " + name_of(check));
                continue;
            }
            others.erase(named);
            damage(name_, name_ + " has another condition in " + check.name);
        }
        for (CheckText const* check : others)
            foreign("the constraint " + name_of(*check));
    }

    void compare_keys()
    {
        if (std::optional<KeyText> const& wanted = wanted_.text.primary_key) {
            std::optional<KeyText> const& found = found_.primary_key;
            if (!found)
                damage(name_, name_ + " lost its primary key " + in_parentheses(wanted->columns));
            else if (!same_key(*wanted, *found))
                damage(
                    name_,
                    name_ + " has the primary key " + shown(described(*found)) + " instead of " + described(*wanted)
                );
            else if (wanted->autoincrement && !found->autoincrement)
                damage(name_, name_ + " lost AUTOINCREMENT");
            else if (found->autoincrement && !wanted->autoincrement)
                damage(name_, name_ + " has AUTOINCREMENT");
        }
        std::vector<KeyText> others = found_.unique;
        for (KeyText const& key : wanted_.text.unique) {
            const auto found =
                std::find_if(others.begin(), others.end(), [&](KeyText const& other) { return same_key(key, other); });
            if (found != others.end())
                others.erase(found);
            else
                damage(name_, name_ + " lost UNIQUE " + in_parentheses(key.columns));
        }
        for (KeyText const& key : others)
            foreign("the constraint UNIQUE " + described(key));
    }

    static std::string described(KeyText const& key)
    {
        return in_parentheses(key.columns) + (key.conflict.empty() ? "" : " " + in_upper_case(key.conflict));
    }

    Contract::TableContract const& wanted_;
    std::string name_;
    TableText const& found_;
    Contract::Difference result_;
    std::size_t foreign_ = 0;
};

bool has_more_rows_than(SQLite::Database const& database, std::string const& table, std::int64_t most)
{
    SQLite::Statement query{database, "SELECT 1 FROM main." + quoted_name(table) + " LIMIT 1 OFFSET ?"};
    query.bind(1, most);
    return query.executeStep();
}

} // namespace

std::string quoted_name(std::string_view name)
{
    std::string result = "\"";
    for (const char c : name)
        result.append(c == '"' ? 2 : 1, c);
    return result + '"';
}

std::vector<SchemaObject> schema_objects(SQLite::Database const& database, std::string const& query)
{
    std::vector<SchemaObject> objects;
    SQLite::Statement rows{database, query};
    while (rows.executeStep())
        objects.push_back(
            {rows.getColumn(0).getString(), rows.getColumn(1).getString(), rows.getColumn(2).getString(),
             rows.getColumn(3).getString()}
        );
    return objects;
}

Contract const& Contract::get()
{
    static const Contract contract;
    return contract;
}

Contract::Contract()
{
    const auto in_memory = open_in_memory();
    SQLite::Database& model = *in_memory;
    for (Migration const& migration : migrations())
        model.exec(std::string{migration.sql});
    std::string names;
    for (SchemaObject& object : schema_objects(
             model, "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite~_%' ESCAPE '~' "
                    "ORDER BY rowid"
         )) {
        names.append(names.empty() ? "'" : ", '").append(object.name).append("'");
        if (object.type != "table") {
            others.push_back(std::move(object));
            continue;
        }
        TableContract table{std::move(object), {}, false, {}};
        table.text = table_text(table.object.sql).value();
        table.is_platforms =
            std::find(platform_tables.begin(), platform_tables.end(), table.object.name) != platform_tables.end();
        std::string columns;
        for (ColumnText const& column : table.text.columns)
            columns.append(columns.empty() ? "quote(" : " || ', ' || quote(").append(column.name).append(")");
        SQLite::Statement rows{model, "SELECT " + columns + " FROM " + table.object.name};
        while (rows.executeStep()) {
            std::string into;
            for (ColumnText const& column : table.text.columns)
                into.append(into.empty() ? "" : ", ").append(column.name);
            table.seeds.push_back(
                "INSERT INTO main." + table.object.name + " (" + into + ") VALUES (" + rows.getColumn(0).getString() +
                ")"
            );
        }
        tables.push_back(std::move(table));
    }
    query_ = "SELECT type, name, tbl_name, sql FROM main.sqlite_master WHERE sql IS NOT NULL AND (lower(name) IN (" +
             names + ") OR lower(tbl_name) IN (" + names + "))";
}

Contract::TableContract const* Contract::table(std::string_view name) const
{
    const auto found = std::find_if(tables.begin(), tables.end(), [&](TableContract const& table) {
        return table.object.name == name;
    });
    return found == tables.end() ? nullptr : &*found;
}

SchemaObject const* Contract::other(std::string_view name) const
{
    const auto found =
        std::find_if(others.begin(), others.end(), [&](SchemaObject const& object) { return object.name == name; });
    return found == others.end() ? nullptr : &*found;
}

bool Contract::is_recognised_in(SQLite::Database const& database) const
{
    std::size_t there = 0;
    for (SchemaObject const& object : schema_objects(database, query_))
        there += object.type == "table" && table(in_lower_case(object.name)) != nullptr ? 1U : 0U;
    return there * 2 > tables.size();
}

Contract::Difference Contract::compare(SQLite::Database const& database) const
{
    Difference result;
    std::map<std::string, SchemaObject> found;
    for (SchemaObject& object : schema_objects(database, query_))
        found.insert_or_assign(in_lower_case(object.name), std::move(object));
    const auto there = [&](std::string const& name) {
        const auto at = found.find(name);
        return at == found.end() ? nullptr : &at->second;
    };
    const auto damage = [&](std::string const& object, std::string sentence, std::string const& way_out) {
        result.findings.push_back({{object, std::move(sentence), way_out}});
    };
    std::vector<std::string> missing;
    for (TableContract const& table : tables) {
        std::string const& name = table.object.name;
        SchemaObject const* object = there(name);
        if (object == nullptr) {
            missing.push_back(name);
            damage(name, "the table " + name + " is gone", repair_command);
            continue;
        }
        if (object->type != "table") {
            damage(name, name + " is " + article(object->type) + " instead of a table", repair_command);
            continue;
        }
        if (object->sql == table.object.sql)
            continue;
        const std::optional<TableText> text =
            object->sql.size() < statement_max ? table_text(object->sql) : std::nullopt;
        if (text)
            result += TableComparison{table, *text}.run();
        else
            damage(name, name + " is a virtual table instead of a table", repair_command);
    }
    missing.insert(missing.end(), result.lost_columns.begin(), result.lost_columns.end());
    for (SchemaObject const& wanted : others) {
        SchemaObject const* on = there(wanted.table);
        if (wanted.type != "view" && (on == nullptr || on->type != "table"))
            continue; // its table is damage already
        SchemaObject const* object = there(wanted.name);
        if (object != nullptr && object->type != wanted.type) {
            damage(
                wanted.name, wanted.name + " is " + article(object->type) + " instead of " + article(wanted.type),
                "rename or drop the " + object->type + " " + wanted.name + ", then: " + repair_command
            );
            continue;
        }
        if (object != nullptr && same(wanted, *object))
            continue;
        Finding finding{
            {wanted.name,
             "the " + wanted.type + " " + wanted.name + (object == nullptr ? " is gone" : " is not as usher made it"),
             repair_command},
            &wanted};
        if (names_any(wanted, missing))
            finding.lost = nullptr; // it would be dead, and keep SQLite from renaming what is to become that
        if (wanted.type == "index" && is_unique(wanted) && has_more_rows_than(database, wanted.table, indexed_at_once))
            finding.lost = nullptr; // it would keep platforms waiting
        result.findings.push_back(std::move(finding));
    }
    std::map<std::string, std::size_t> foreign;
    for (auto const& [name, object] : found) {
        TableContract const* on = table(in_lower_case(object.table));
        if (on == nullptr || other(name) != nullptr || (object.type != "trigger" && object.type != "index"))
            continue;
        if (object.type == "index" && !is_unique(object))
            continue;
        const std::string what = (object.type == "index" ? "the unique index " : "the trigger ") + shown(object.name);
        if (on->is_platforms)
            result.notes.push_back(on->object.name + " has " + what + ", which may refuse what usher's contract takes");
        else if (++foreign[on->object.name] <= foreign_named_max)
            damage(on->object.name, on->object.name + " has " + what + ", which is not usher's", repair_command);
    }
    return result;
}

Contract::Difference& Contract::Difference::operator+=(Difference more)
{
    std::move(more.findings.begin(), more.findings.end(), std::back_inserter(findings));
    std::move(more.notes.begin(), more.notes.end(), std::back_inserter(notes));
    std::move(more.lost_columns.begin(), more.lost_columns.end(), std::back_inserter(lost_columns));
    return *this;
}

ContractState Contract::Difference::state() const
{
    ContractState state{{}, notes};
    for (Finding const& finding : findings)
        state.damages.push_back(finding.damage);
    return state;
}

std::optional<SQLite::Exception> Contract::put_back(SQLite::Database& database, SchemaObject const& object)
{
    database.exec("SAVEPOINT put_back");
    try {
        // Triggers that others have on a view go with it.
        std::vector<SchemaObject> on_it;
        if (object.type == "view")
            on_it = schema_objects(
                database, "SELECT type, name, tbl_name, sql FROM main.sqlite_master WHERE type = 'trigger' AND "
                          "lower(tbl_name) = '" +
                              object.name + "'"
            );
        database.exec("DROP " + in_upper_case(object.type) + " IF EXISTS main." + quoted_name(object.name));
        database.exec(object.sql);
        for (SchemaObject const& trigger : on_it) // `main.`, since there is a view of ours with this name in `temp`
            database.exec("CREATE TRIGGER main." + trigger.sql.substr(std::string_view{"CREATE TRIGGER "}.size()));
        database.exec("RELEASE put_back");
    } catch (SQLite::Exception const& error) {
        database.tryExec("ROLLBACK TO put_back; RELEASE put_back");
        const int code = error.getErrorCode() & 0xff;
        if (code != SQLITE_ERROR && code != SQLITE_CONSTRAINT)
            throw;
        return error;
    }
    return std::nullopt;
}

void harden(sqlite3* database)
{
    for (const int off :
         {SQLITE_DBCONFIG_ENABLE_TRIGGER, SQLITE_DBCONFIG_ENABLE_VIEW, SQLITE_DBCONFIG_TRUSTED_SCHEMA,
          SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION})
        sqlite3_db_config(database, off, 0, nullptr);
    sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_limit(database, SQLITE_LIMIT_LENGTH, value_max);
    sqlite3_limit(database, SQLITE_LIMIT_TRIGGER_DEPTH, trigger_depth_max);
    sqlite3_limit(database, SQLITE_LIMIT_ATTACHED, 0);
}

void shield(sqlite3* database)
{
    harden(database);
    const bool is_read_only = sqlite3_db_readonly(database, "main") == 1; // so that no trigger can act
    for (SchemaObject const& object : Contract::get().others) {
        if (object.type == "index" || (object.type == "trigger" && is_read_only))
            continue;
        const std::string sql = "CREATE TEMP" + object.sql.substr(std::string_view{"CREATE"}.size());
        const int code = sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr);
        // A trigger cannot be made while its table is gone, or is a view.
        if (code != SQLITE_OK && !(code == SQLITE_ERROR && object.type == "trigger"))
            throw SQLite::Exception{database, code};
    }
}

ContractDefault contract_default(std::string_view table, std::string_view column)
{
    Contract::TableContract const* found = Contract::get().table(table);
    ColumnText const* text = found == nullptr ? nullptr : found->text.column(column);
    const std::vector<SqlToken> tokens = sql_tokens(text != nullptr ? text->default_value.value_or("") : "");
    if (tokens.size() != 1)
        return {};
    if (tokens[0].kind == SqlToken::Kind::string)
        return tokens[0].text;
    std::int64_t number = 0;
    char const* const end = tokens[0].text.data() + tokens[0].text.size();
    if (std::from_chars(tokens[0].text.data(), end, number).ptr != end)
        return {};
    return number;
}

Inspection ContractKeeper::inspect(SQLite::Database& database, std::chrono::steady_clock::time_point now)
{
    const auto is_due = [&](Finding const& finding) {
        if (finding.lost == nullptr)
            return false;
        const auto last = put_back_.find(finding.lost->name);
        return last == put_back_.end() || now - last->second >= put_back_every;
    };
    Inspection result;
    Contract::Difference difference = Contract::get().compare(database);
    if (std::any_of(difference.findings.begin(), difference.findings.end(), is_due)) {
        SQLite::Transaction transaction{database, SQLite::TransactionBehavior::IMMEDIATE};
        difference = Contract::get().compare(database); // as it is now that nobody else changes it
        std::erase_if(difference.findings, [&](Finding& finding) {
            if (!is_due(finding))
                return false;
            put_back_[finding.lost->name] = now;
            if (const auto refused = Contract::put_back(database, *finding.lost)) {
                finding.damage.sentence += ", and cannot be put back: " + shown(refused->what());
                return false;
            }
            result.put_back.push_back(finding.damage.sentence);
            return true;
        });
        transaction.commit();
    }
    for (Finding& finding : difference.findings)
        if (finding.lost != nullptr && !is_due(finding) && put_back_.at(finding.lost->name) != now)
            finding.damage.sentence += "; usherd puts it back once a minute";
    result.state = difference.state();
    result.again = std::any_of(difference.findings.begin(), difference.findings.end(), [](Finding const& finding) {
        return finding.lost != nullptr;
    });
    return result;
}

} // namespace usher
