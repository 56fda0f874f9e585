// SPDX-License-Identifier: Apache-2.0
// What other people's tools do to the schema, and what comes of it.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <sqlite3.h>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <usher/store/contract.hpp>
#include <usher/store/database.hpp>
#include <usher/store/report.hpp>
#include <usher/store/requests.hpp>
#include <usher/store/sqlite/store_file.hpp>

#include "store/sqlite/connection.hpp"
#include "support/temp_dir.hpp"

namespace usher {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::chrono::steady_clock::time_point start{};

class Contract : public testing::Test {
protected:
    Contract() { create_database(path, FileAccess::group); }

    /// As a platform or its tools have it: nothing is set up.
    SQLite::Database open() const { return SQLite::Database{path, SQLite::OPEN_READWRITE, 5000}; }
    void run(std::string const& sql) const { open().exec(sql); }
    std::string text(std::string const& sql) const { return open().execAndGet(sql).getString(); }
    std::int64_t number(std::string const& sql) const { return open().execAndGet(sql).getInt64(); }

    std::string sql_of(std::string const& name) const
    {
        return text("SELECT sql FROM sqlite_master WHERE name = '" + name + "'");
    }

    /// With pieces of the statement that made `name` replaced; rows and all else stay.
    void change(std::string const& name, std::vector<std::pair<std::string, std::string>> const& pieces) const
    {
        std::string sql = sql_of(name);
        for (auto const& [from, to] : pieces) {
            const auto at = sql.find(from);
            ASSERT_NE(at, std::string::npos) << from << " in " << sql;
            sql.replace(at, from.size(), to);
        }
        SQLite::Database database = open();
        database.exec("PRAGMA writable_schema = ON");
        SQLite::Statement update{database, "UPDATE sqlite_master SET sql = ? WHERE name = ?"};
        update.bind(1, sql);
        update.bind(2, name);
        update.exec();
        const std::int64_t version = database.execAndGet("PRAGMA schema_version").getInt64();
        database.exec("PRAGMA schema_version = " + std::to_string(version + 1));
    }
    void change(std::string const& name, std::string const& from, std::string const& to) const
    {
        change(name, {{from, to}});
    }

    /// As tools change a table that ALTER TABLE cannot: another one with other text takes its name.
    void rebuild(std::string const& table, std::string const& from, std::string const& to) const
    {
        std::string sql = sql_of(table);
        const auto at = sql.find(from);
        ASSERT_NE(at, std::string::npos) << from << " in " << sql;
        sql.replace(at, from.size(), to);
        run("BEGIN; ALTER TABLE " + table + " RENAME TO " + table + "_old; " + sql + "; INSERT INTO " + table +
            " SELECT * FROM " + table + "_old; DROP TABLE " + table + "_old; COMMIT");
    }

    std::vector<std::string> damages() const
    {
        std::vector<std::string> sentences;
        for (Damage const& damage : (Report{path, from_unix(1'800'000'000)}.damages()))
            sentences.push_back(damage.sentence);
        return sentences;
    }

    Repair repair() const
    {
        return repair_database(path, [](std::string const&) {});
    }

    void add_meeting(std::string const& id) const
    {
        run("INSERT INTO meeting (id, starts_at, ends_at) VALUES ('" + id + "', 1800000000, 1800003600)");
    }

    test::TempDir folder;
    std::string path = folder.file("usher.db");
};

TEST_F(Contract, IsWholeInANewDatabase)
{
    EXPECT_THAT(damages(), IsEmpty());
    StoreFile store = StoreFile::open(path);
    const Inspection inspection = store.inspect(start);
    EXPECT_THAT(inspection.put_back, IsEmpty());
    EXPECT_THAT(inspection.state.notes, IsEmpty());
    EXPECT_FALSE(inspection.again);
}

TEST_F(Contract, DoesNotCountLayoutCaseQuotesAndOrder)
{
    change("meeting", "title TEXT NOT NULL DEFAULT ''", "\"TITLE\" text /* a comment */ default ('')\n not  NULL");
    change("meeting", "CHECK (ends_at > starts_at)", "check ( ([ends_at] > `Starts_At`) )");
    change(
        "meeting", {{"id TEXT NOT NULL PRIMARY KEY", "id TEXT NOT NULL"},
                    {"CONSTRAINT ends_at_must_be_after", "PRIMARY KEY (\"id\"), constraint ends_at_must_be_after"}}
    );
    change("agenda", "meeting_id TEXT NOT NULL UNIQUE", "meeting_id TEXT UNIQUE NOT NULL");
    change("usher_meeting_delete", "AFTER DELETE ON meeting", "after delete -- then\n on \"meeting\"");
    change("join_credential", "SELECT", "select /* all */");
    change("agenda_by_time", "ON agenda (due_at)", "on [agenda](due_at)");
    EXPECT_THAT(damages(), IsEmpty());
    run("ALTER TABLE meeting RENAME TO other; ALTER TABLE other RENAME TO meeting"); // and back again: quotes are left
    EXPECT_THAT(damages(), IsEmpty());
}

struct DamageCase {
    char const* name;
    char const* object;
    char const* from;
    char const* to;
    char const* sentence;

    friend void PrintTo(DamageCase const& test, std::ostream* out) { *out << test.name; }
};

class Damaged : public Contract, public testing::WithParamInterface<DamageCase> {};

TEST_P(Damaged, IsNamedAndRepaired)
{
    add_meeting("m");
    DamageCase const& test = GetParam();
    change(test.object, test.from, test.to);
    EXPECT_THAT(damages(), ElementsAre(test.sentence));
    run("UPDATE daemon SET damage = 'as a daemon wrote that does not run any more'");
    const Repair repaired = repair();
    EXPECT_THAT(repaired.refused, IsEmpty());
    ASSERT_EQ(repaired.mended.size(), 1U);
    EXPECT_EQ(repaired.mended[0].sentence, test.sentence);
    EXPECT_THAT(damages(), IsEmpty());
    EXPECT_EQ(number("SELECT count(*) FROM usher_status WHERE damage <> ''"), 0);
    EXPECT_EQ(text("PRAGMA integrity_check"), "ok");
    EXPECT_EQ(number("SELECT count(*) FROM meeting WHERE id = 'm' AND starts_at = 1800000000"), 1);
    EXPECT_EQ(number("SELECT count(*) FROM agenda WHERE meeting_id = 'm'"), 1);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, Damaged,
    testing::Values(
        DamageCase{
            "check", "meeting", "CONSTRAINT e2ee_must_be_0_or_1 CHECK (typeof(e2ee) = 'integer' AND e2ee IN (0, 1))",
            "", "meeting lost e2ee_must_be_0_or_1"},
        DamageCase{
            "check_of_the_table", "meeting", "CONSTRAINT ends_at_must_be_after_starts_at CHECK (ends_at > starts_at),",
            "", "meeting lost ends_at_must_be_after_starts_at"},
        DamageCase{
            "condition", "meeting", "CHECK (ends_at > starts_at)", "CHECK (ends_at >= starts_at)",
            "meeting has another condition in ends_at_must_be_after_starts_at"},
        DamageCase{
            "literal", "meeting", "CHECK (status IN ('scheduled', 'cancelled'))",
            "CHECK (status IN ('scheduled', 'CANCELLED', 'cancelled'))",
            "meeting has another condition in status_must_be_scheduled_or_cancelled"},
        DamageCase{
            "check_name", "meeting", "CONSTRAINT ends_at_must_be_after_starts_at", "CONSTRAINT ends_later",
            "meeting lost ends_at_must_be_after_starts_at"},
        DamageCase{"unnamed_check", "daemon", "CHECK (id = 1)", "", "daemon lost CHECK (id = 1)"},
        DamageCase{"not_null", "meeting", "status TEXT NOT NULL", "status TEXT", "meeting.status lost NOT NULL"},
        DamageCase{
            "not_null_conflict", "meeting", "status TEXT NOT NULL", "status TEXT NOT NULL ON CONFLICT REPLACE",
            "meeting.status has NOT NULL ON CONFLICT REPLACE"},
        DamageCase{"default", "meeting", "DEFAULT 'scheduled'", "", "meeting.status lost its default 'scheduled'"},
        DamageCase{
            "other_default", "meeting", "DEFAULT 'scheduled'", "DEFAULT 'cancelled'",
            "meeting.status has the default 'cancelled' instead of 'scheduled'"},
        DamageCase{
            "added_default", "participant", "role TEXT NOT NULL", "role TEXT NOT NULL DEFAULT 'moderator'",
            "participant.role has the default 'moderator' and must have none"},
        DamageCase{
            "type", "meeting", "starts_at INTEGER", "starts_at BIGINT",
            "meeting.starts_at is BIGINT instead of INTEGER"},
        DamageCase{
            "no_type", "meeting", "starts_at INTEGER", "starts_at",
            "meeting.starts_at is of no type instead of INTEGER"},
        DamageCase{
            "collation", "meeting", "title TEXT", "title TEXT COLLATE NOCASE",
            "meeting.title compares by NOCASE instead of BINARY"},
        DamageCase{"autoincrement", "agenda", "PRIMARY KEY AUTOINCREMENT", "PRIMARY KEY", "agenda lost AUTOINCREMENT"},
        DamageCase{
            "foreign_column", "history", "previous_no INTEGER", "previous_no INTEGER, note TEXT",
            "history has the column note, which is not usher's"},
        DamageCase{
            "foreign_check", "history", "previous_no INTEGER", "previous_no INTEGER CHECK (previous_no <> 7)",
            "history has the constraint CHECK (previous_no <> 7), which is not usher's"},
        DamageCase{
            "view", "join_credential", "m.status = 'scheduled'", "m.status <> ''",
            "the view join_credential is not as usher made it"},
        DamageCase{
            "trigger", "usher_meeting_delete", "due_at = 0", "due_at = 1",
            "the trigger usher_meeting_delete is not as usher made it"},
        DamageCase{
            "index", "agenda_by_time", "due_at > 0", "due_at > 1", "the index agenda_by_time is not as usher made it"}
    ),
    testing::PrintToStringParamName{}
);

struct StatementCase {
    char const* name;
    char const* sql;
    std::vector<std::string> sentences;

    friend void PrintTo(StatementCase const& test, std::ostream* out) { *out << test.name; }
};

class Statements : public Contract, public testing::WithParamInterface<StatementCase> {};

TEST_P(Statements, AreNamedAndRepaired)
{
    add_meeting("m");
    run(GetParam().sql);
    EXPECT_EQ(damages(), GetParam().sentences);
    EXPECT_THAT(repair().refused, IsEmpty());
    EXPECT_THAT(damages(), IsEmpty());
    EXPECT_EQ(text("PRAGMA integrity_check"), "ok");
    EXPECT_EQ(number("SELECT count(*) FROM meeting WHERE id = 'm' AND starts_at = 1800000000"), 1);
    EXPECT_EQ(number("SELECT count(*) FROM daemon"), 1);
    EXPECT_EQ(create_database(path, FileAccess::group), Created::unchanged);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, Statements,
    testing::Values(
        StatementCase{"drop_view", "DROP VIEW join_credential", {"the view join_credential is gone"}},
        StatementCase{
            "drop_trigger", "DROP TRIGGER usher_participant_update", {"the trigger usher_participant_update is gone"}},
        StatementCase{"drop_index", "DROP INDEX agenda_by_day", {"the index agenda_by_day is gone"}},
        StatementCase{"drop_column", "ALTER TABLE meeting DROP COLUMN title", {"meeting lost the column title"}},
        StatementCase{"drop_table", "DROP TABLE history", {"the table history is gone"}},
        StatementCase{"drop_seeded_table", "DROP TABLE daemon", {"the table daemon is gone"}},
        StatementCase{
            "table_becomes_view",
            "PRAGMA legacy_alter_table = ON; ALTER TABLE meeting RENAME TO other; CREATE VIEW meeting AS SELECT * FROM "
            "other; DROP TRIGGER usher_meeting_insert",
            {"meeting is a view instead of a table"}},
        StatementCase{
            "foreign_trigger",
            "CREATE TRIGGER spy AFTER INSERT ON token BEGIN SELECT 1; END",
            {"token has the trigger spy, which is not usher's"}},
        StatementCase{
            "foreign_unique_index",
            "CREATE UNIQUE INDEX one ON agenda (starts_at)",
            {"agenda has the unique index one, which is not usher's"}},
        StatementCase{
            "several",
            "DROP VIEW meeting_status; DROP INDEX agenda_by_seq; ALTER TABLE meeting DROP COLUMN title",
            {"meeting lost the column title", "the index agenda_by_seq is gone", "the view meeting_status is gone"}}
    ),
    testing::PrintToStringParamName{}
);

TEST_F(Contract, TakesWhatPlatformsAddToTheirTablesAndNotesWhatMayRefuse)
{
    run("ALTER TABLE meeting ADD COLUMN owner TEXT; CREATE INDEX meeting_by_owner ON meeting (owner);"
        "CREATE TRIGGER keep_owner AFTER UPDATE ON meeting BEGIN SELECT 1; END;"
        "CREATE UNIQUE INDEX one_title ON meeting (title);"
        "CREATE INDEX slow ON agenda (state); CREATE TABLE theirs (x)");
    EXPECT_THAT(damages(), IsEmpty());
    StoreFile store = StoreFile::open(path);
    EXPECT_THAT(
        store.inspect(start).state.notes,
        ElementsAre(
            "meeting has the trigger keep_owner, which may refuse what usher's contract takes",
            "meeting has the unique index one_title, which may refuse what usher's contract takes"
        )
    );
}

TEST_F(Contract, IsPutBackByTheDaemonAfterARebuild)
{
    StoreFile store = StoreFile::open(path);
    rebuild("participant", "role TEXT", "role TEXT"); // views and triggers now name what is gone
    EXPECT_THAT(damages(), testing::Contains("the view join_credential is not as usher made it"));
    EXPECT_FALSE(store.inspect(start).put_back.empty());
    EXPECT_THAT(damages(), IsEmpty());
    EXPECT_EQ(number("SELECT count(*) FROM join_credential"), 0);
    run("INSERT INTO meeting (id, starts_at, ends_at) VALUES ('m', 1800000000, 1800003600)");
    EXPECT_EQ(number("SELECT count(*) FROM agenda"), 1);
}

TEST_F(Contract, IsPutBackAtMostOnceAMinute)
{
    StoreFile store = StoreFile::open(path);
    run("DROP VIEW meeting_status");
    EXPECT_THAT(store.inspect(start).put_back, ElementsAre("the view meeting_status is gone"));
    run("DROP VIEW meeting_status; DROP TRIGGER usher_meeting_delete");
    const Inspection soon = store.inspect(start + 59s);
    EXPECT_THAT(soon.put_back, ElementsAre("the trigger usher_meeting_delete is gone"));
    ASSERT_EQ(soon.state.damages.size(), 1U);
    EXPECT_EQ(soon.state.damages[0].sentence, "the view meeting_status is gone; usherd puts it back once a minute");
    EXPECT_TRUE(soon.again);
    const Inspection later = store.inspect(start + 60s);
    EXPECT_THAT(later.put_back, ElementsAre("the view meeting_status is gone"));
    EXPECT_FALSE(later.again);
}

TEST_F(Contract, IsNotPutBackWhereItsTableIsGone)
{
    StoreFile store = StoreFile::open(path);
    run("ALTER TABLE participant RENAME TO participant_old"); // the first half of a rebuild in two commits
    const Inspection between = store.inspect(start);
    ASSERT_FALSE(between.state.damages.empty());
    EXPECT_EQ(between.state.damages[0].sentence, "the table participant is gone");
    EXPECT_THAT(between.put_back, IsEmpty());
    run("ALTER TABLE participant_old RENAME TO participant");
    store.inspect(start);
    EXPECT_THAT(damages(), IsEmpty());
}

/// SQLite writes views and triggers anew with the other name, and back again.
TEST_F(Contract, IsNotPutBackWhereAColumnHasAnotherName)
{
    for (const std::string column :
         {"participant.role", "meeting.starts_at", "participant.participant_id", "meeting.title"}) {
        SCOPED_TRACE(column);
        const std::string table = column.substr(0, column.find('.'));
        const std::string name = column.substr(column.find('.') + 1);
        StoreFile store = StoreFile::open(path);
        run("ALTER TABLE " + table + " RENAME COLUMN " + name + " TO other");
        const Inspection between = store.inspect(start);
        EXPECT_THAT(between.put_back, IsEmpty());
        ASSERT_FALSE(between.state.damages.empty());
        EXPECT_EQ(between.state.damages[0].sentence, table + " lost the column " + name);
        EXPECT_THAT(
            between.state.damages[0].way_out,
            HasSubstr("ALTER TABLE " + table + " RENAME COLUMN other TO " + name + "; else: usherctl init --repair")
        );
        run("SELECT * FROM join_credential");
        run("ALTER TABLE " + table + " RENAME COLUMN other TO " + name);
        store.inspect(start + std::chrono::minutes{2});
        EXPECT_THAT(damages(), IsEmpty());
    }
}

TEST_F(Contract, TriggersOfOthersOnAViewStayWhenItIsPutBack)
{
    StoreFile store = StoreFile::open(path);
    run("CREATE TRIGGER theirs INSTEAD OF INSERT ON meeting_status BEGIN SELECT 1; END");
    change("meeting_status", "SELECT", "SELECT DISTINCT");
    EXPECT_EQ(store.inspect(start).put_back.size(), 1U);
    EXPECT_EQ(number("SELECT count(*) FROM sqlite_master WHERE name = 'theirs'"), 1);
}

TEST_F(Contract, OurConnectionsRunNobodysCodeButOurs)
{
    add_meeting("m");
    run("CREATE TABLE log (what TEXT);"
        "CREATE TRIGGER spy1 AFTER UPDATE ON agenda BEGIN INSERT INTO log VALUES ('agenda'); END;"
        "CREATE TRIGGER spy2 AFTER UPDATE ON daemon BEGIN INSERT INTO log VALUES ('daemon'); END;"
        "CREATE TRIGGER spy3 AFTER INSERT ON request BEGIN INSERT INTO log VALUES ('request'); END;"
        "DROP VIEW meeting_status;"
        "CREATE VIEW meeting_status AS SELECT 'forged' AS meeting_id, 'ready' AS state, '' AS reason, '' AS detail, "
        "1 AS ready_at, 1 AS next_at, 1 AS opens_at, 1 AS closes_at, 1 AS seq");
    StoreFile store = StoreFile::open(path);
    store.take_over("test", from_unix(1'800'000'000), {});
    store.mark(std::vector{MeetingNo{1}});
    RequestDesk{path, true}.file(RequestAction::rotate, {"m", std::nullopt}, "test");
    EXPECT_EQ(number("SELECT count(*) FROM log"), 0);
    const Report report{path, from_unix(1'800'000'000)};
    const Viewpoint view{from_unix(1'800'000'000), Policy{}};
    EXPECT_TRUE(report.meeting("m", view));
    EXPECT_FALSE(report.meeting("forged", view));
}

TEST_F(Contract, OurOwnTriggersActThoughTheFileLacksThem)
{
    run("DROP TRIGGER usher_meeting_insert");
    SQLite::Database database = open();
    shield(database.getHandle());
    database.exec("INSERT INTO meeting (id, starts_at, ends_at) VALUES ('m', 1800000000, 1800003600)");
    EXPECT_EQ(number("SELECT count(*) FROM agenda WHERE meeting_id = 'm'"), 1);
}

TEST_F(Contract, AConnectionThatOnlyReadsHasOurViewsAndNoTriggers)
{
    SQLite::Database database{path, SQLite::OPEN_READONLY};
    shield(database.getHandle());
    const auto own = [&](std::string const& type) {
        return database.execAndGet("SELECT count(*) FROM sqlite_temp_master WHERE type = '" + type + "'").getInt();
    };
    EXPECT_GT(own("view"), 0);
    EXPECT_EQ(own("trigger"), 0);
}

TEST_F(Contract, AFunctionWithSideEffectsInADefaultIsRefused)
{
    change("history", "detail TEXT NOT NULL DEFAULT ''", "detail TEXT NOT NULL DEFAULT (load_extension('/tmp/x'))");
    SQLite::Database database = open();
    shield(database.getHandle());
    try {
        database.exec("INSERT INTO history (at, meeting_no, event) VALUES (1, 1, 'x')");
        FAIL();
    } catch (SQLite::Exception const& error) {
        EXPECT_THAT(error.what(), HasSubstr("unsafe use of load_extension()"));
    }
    EXPECT_EQ(contract_default("meeting", "status"), ContractDefault{"scheduled"});
    EXPECT_EQ(contract_default("meeting", "title"), ContractDefault{""});
    EXPECT_EQ(contract_default("meeting", "e2ee"), ContractDefault{std::int64_t{0}});
    EXPECT_EQ(contract_default("participant", "role"), ContractDefault{});
}

TEST_F(Contract, AShieldedConnectionHasBounds)
{
    SQLite::Database database = open();
    shield(database.getHandle());
    for (char const* sql :
         {"SELECT zeroblob(100000000)", "ATTACH ':memory:' AS other",
          "PRAGMA writable_schema = ON; DELETE FROM sqlite_master"})
        EXPECT_THROW(database.exec(sql), SQLite::Exception) << sql;
}

TEST_F(Contract, DamageIsKeptForTheStatusView)
{
    change("meeting", "starts_at INTEGER", "starts_at BIGINT");
    run("CREATE TRIGGER spy AFTER INSERT ON token BEGIN SELECT 1; END");
    StoreFile store = StoreFile::open(path);
    const ContractState damaged = store.inspect(start).state;
    EXPECT_FALSE(store.has_damage(damaged));
    store.record_damage(damaged);
    EXPECT_TRUE(store.has_damage(damaged));
    EXPECT_EQ(
        text("SELECT damage FROM usher_status"),
        "meeting.starts_at is BIGINT instead of INTEGER\ntoken has the trigger spy, which is not usher's"
    );
    repair();
    store.record_damage(store.inspect(start + 1s).state);
    EXPECT_EQ(text("SELECT damage FROM usher_status"), "");
}

TEST_F(Contract, AUniqueIndexIsPutBackWhereThatIsQuickAndPossible)
{
    StoreFile store = StoreFile::open(path);
    const std::string people = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) "
                               "INSERT INTO participant (meeting_id, participant_id, role) "
                               "SELECT 'm', 'p' || i, 'publisher' FROM n";
    run("DROP INDEX participant_by_meeting; " + people);
    EXPECT_THAT(store.inspect(start).put_back, ElementsAre("the index participant_by_meeting is gone"));

    run("DROP INDEX participant_by_meeting; INSERT INTO participant (meeting_id, participant_id, role) "
        "SELECT meeting_id, participant_id, role FROM participant WHERE participant_id = 'p7';"
        "DELETE FROM participant WHERE participant_id = 'p8'");
    const Inspection repeated = store.inspect(start + 60s);
    ASSERT_EQ(repeated.state.damages.size(), 1U);
    EXPECT_THAT(
        repeated.state.damages[0].sentence, HasSubstr("participant_by_meeting is gone, and cannot be put back")
    );
    EXPECT_THAT(repair().refused, ElementsAre("participant m, p7: 2 rows have the same meeting_id, participant_id"));

    run("DELETE FROM participant WHERE id > 2500; INSERT INTO participant (meeting_id, participant_id, role) "
        "VALUES ('m', 'p8', 'publisher'), ('m', 'p10001', 'publisher')");
    const Inspection many = store.inspect(start + 120s);
    EXPECT_THAT(many.put_back, IsEmpty());
    ASSERT_EQ(many.state.damages.size(), 1U);
    EXPECT_FALSE(many.again);
    EXPECT_THAT(repair().refused, IsEmpty());
    EXPECT_THAT(damages(), IsEmpty());
}

TEST_F(Contract, RowsThatItRefusesStopTheRepair)
{
    change("meeting", "CONSTRAINT e2ee_must_be_0_or_1 CHECK (typeof(e2ee) = 'integer' AND e2ee IN (0, 1))", "");
    change("meeting", "status TEXT NOT NULL", "status TEXT");
    for (int i = 0; i < 30; ++i)
        add_meeting("m-" + std::to_string(i));
    run("PRAGMA ignore_check_constraints = ON; UPDATE meeting SET e2ee = 'x' || char(10) WHERE id = 'm-7';"
        "UPDATE meeting SET starts_at = 1800000000000 WHERE id = 'm-8'");
    const std::string before = sql_of("meeting");
    const Repair refused = repair();
    EXPECT_THAT(
        refused.refused,
        testing::UnorderedElementsAre(
            "meeting m-7: e2ee is \"x\\x0a\", but e2ee_must_be_0_or_1",
            "meeting m-8: starts_at is 1800000000000, but starts_at_must_be_unix_seconds; ends_at is 1800003600, but "
            "ends_at_must_be_after_starts_at"
        )
    );
    EXPECT_EQ(refused.refused_in_all, 2);
    EXPECT_EQ(sql_of("meeting"), before);

    run("PRAGMA ignore_check_constraints = ON; UPDATE meeting SET e2ee = 2, status = NULL");
    const Repair many = repair();
    EXPECT_EQ(many.refused.size(), 20U);
    EXPECT_EQ(many.refused_in_all, 30);
    EXPECT_EQ(many.refused[0], "meeting m-0: status is NULL; e2ee is 2, but e2ee_must_be_0_or_1");
}

TEST_F(Contract, RowsThatItRefusesStopARebuild)
{
    rebuild("meeting", "id TEXT NOT NULL PRIMARY KEY", "id TEXT NOT NULL");
    add_meeting("m");
    add_meeting("m");
    add_meeting("n");
    EXPECT_THAT(repair().refused, ElementsAre("meeting m: 2 rows have the same id"));
    run("DELETE FROM meeting WHERE rowid = 2");
    run("PRAGMA ignore_check_constraints = ON; UPDATE meeting SET status = 'foo' WHERE id = 'n'");
    EXPECT_THAT(
        repair().refused, ElementsAre("meeting n: status is \"foo\", but status_must_be_scheduled_or_cancelled")
    );
    EXPECT_EQ(number("SELECT count(*) FROM meeting"), 2);
    run("UPDATE meeting SET status = 'cancelled' WHERE id = 'n'");
    EXPECT_THAT(repair().refused, IsEmpty());
    EXPECT_THAT(damages(), IsEmpty());
    EXPECT_EQ(number("SELECT count(*) FROM meeting"), 2);
}

TEST_F(Contract, ARepairMakesNoEmptyTableBesideTheCopyOfAStoppedMigration)
{
    add_meeting("m");
    run("CREATE TABLE archive AS SELECT id, starts_at, ends_at FROM meeting;"
        "CREATE TABLE \"New Meeting\" AS SELECT * FROM meeting; DROP TABLE meeting");
    EXPECT_THAT(
        repair().refused,
        ElementsAre("meeting: the table is gone, and New Meeting has all its columns and 1 row, as a migration leaves "
                    "it that stopped; take them back by PRAGMA legacy_alter_table = ON; ALTER TABLE \"New Meeting\" "
                    "RENAME TO meeting; or, to begin with none, by CREATE TABLE meeting (id)")
    );
    EXPECT_EQ(number("SELECT count(*) FROM sqlite_master WHERE name = 'meeting'"), 0);

    run("PRAGMA legacy_alter_table = ON; ALTER TABLE \"New Meeting\" RENAME TO meeting");
    EXPECT_THAT(repair().refused, IsEmpty());
    EXPECT_THAT(damages(), IsEmpty());
    EXPECT_EQ(number("SELECT count(*) FROM meeting"), 1);

    run("CREATE TABLE \"New Meeting\" AS SELECT * FROM meeting; DROP TABLE meeting; CREATE TABLE meeting (id)");
    EXPECT_THAT(repair().refused, IsEmpty());
    EXPECT_THAT(damages(), IsEmpty());

    run("DELETE FROM \"New Meeting\"; DROP TABLE meeting");
    EXPECT_THAT(repair().refused, IsEmpty()) << "an empty copy is no loss";
}

TEST_F(Contract, ARepairKeepsWhatPlatformsAdded)
{
    run("ALTER TABLE meeting ADD COLUMN owner TEXT NOT NULL DEFAULT 'nobody' CONSTRAINT owned CHECK (owner <> '')");
    change("meeting", "title TEXT NOT NULL", "title TEXT UNIQUE NOT NULL CONSTRAINT polite CHECK (title <> 'damn')");
    // The change added a constraint that needs an index of its own; a rebuild makes it.
    run("PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, 'TEXT UNIQUE NOT', 'TEXT NOT')");
    add_meeting("old");
    rebuild("meeting", "starts_at INTEGER", "starts_at BIGINT");
    run("DELETE FROM meeting; INSERT INTO meeting (id, starts_at, ends_at, owner) VALUES ('m', 1800000000, 1800003600, "
        "'ann');"
        "CREATE TABLE log (id TEXT); CREATE INDEX by_owner ON meeting (owner);"
        "CREATE TRIGGER theirs AFTER INSERT ON meeting BEGIN INSERT INTO log VALUES (NEW.id); END;"
        "CREATE VIEW owners AS SELECT owner FROM meeting;"
        "UPDATE sqlite_sequence SET seq = 77 WHERE name = 'agenda'");
    change("agenda", "PRIMARY KEY AUTOINCREMENT", "PRIMARY KEY");
    EXPECT_THAT(repair().refused, IsEmpty());
    EXPECT_THAT(damages(), IsEmpty());
    EXPECT_EQ(text("SELECT owner FROM owners"), "ann");
    EXPECT_EQ(number("SELECT count(*) FROM log"), 0);
    EXPECT_EQ(number("SELECT count(*) FROM sqlite_master WHERE name IN ('by_owner', 'theirs', 'owners')"), 3);
    run("INSERT INTO meeting (id, starts_at, ends_at) VALUES ('n', 1800000000, 1800003600)");
    EXPECT_EQ(text("SELECT owner FROM meeting WHERE id = 'n'"), "nobody");
    EXPECT_EQ(number("SELECT count(*) FROM log"), 1);
    EXPECT_EQ(number("SELECT meeting_no FROM agenda WHERE meeting_id = 'n'"), 78);
    for (char const* refused : {"UPDATE meeting SET owner = ''", "UPDATE meeting SET title = 'damn'"})
        EXPECT_THROW(run(refused), SQLite::Exception) << refused;
}

TEST_F(Contract, ARepairBesideAWritingPlatformLosesNothing)
{
    rebuild("meeting", "starts_at INTEGER", "starts_at BIGINT");
    std::atomic<bool> stop = false;
    std::atomic<int> written = 0;
    std::thread platform{[&] {
        SQLite::Database database = open();
        database.exec("PRAGMA synchronous = OFF");
        for (; !stop; ++written)
            database.exec(
                "INSERT INTO meeting (id, starts_at, ends_at) VALUES ('m" + std::to_string(written) +
                "', 1800000000, 1800003600)"
            );
    }};
    while (written < 100)
        std::this_thread::yield();
    const Repair repaired = repair();
    const int then = written;
    while (written < then + 100)
        std::this_thread::yield();
    stop = true;
    platform.join();
    EXPECT_THAT(repaired.refused, IsEmpty());
    EXPECT_THAT(damages(), IsEmpty());
    EXPECT_EQ(number("SELECT count(*) FROM meeting"), written);
}

TEST_F(Contract, ADumpThatWasReadBackIsRecognisedAndAdopted)
{
    add_meeting("m");
    run("PRAGMA application_id = 0; PRAGMA user_version = 0; PRAGMA journal_mode = DELETE");
    for (auto const& open_it : std::vector<std::function<void()>>{
             [&] { StoreFile::open(path); },
             [&] {
                 Report{path, from_unix(1'800'000'000)};
             },
             [&] { create_database(path, FileAccess::group); }}) {
        try {
            open_it();
            FAIL();
        } catch (DatabaseError const& error) {
            EXPECT_EQ(
                error.what(), path +
                                  ": has usher's tables but lacks usher's marks, as after a dump was read back; "
                                  "set them with: usherctl --db " +
                                  path +
                                  " init --repair, which is: PRAGMA application_id = 1970497650; PRAGMA user_version "
                                  "= 1"
            );
        }
    }
    ASSERT_EQ(repair().mended.size(), 1U);
    EXPECT_THAT(damages(), IsEmpty());
    EXPECT_EQ(create_database(path, FileAccess::group), Created::unchanged);
}

TEST_F(Contract, ARepairRefusesWhatIsNotUshers)
{
    const std::string other = folder.file("other.db");
    SQLite::Database{other, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE}.exec("CREATE TABLE meeting (id)");
    EXPECT_THROW(repair_database(other, [](std::string const&) {}), DatabaseError);
    run("PRAGMA user_version = 99; DROP VIEW usher_status");
    EXPECT_THROW(repair(), DatabaseError);
}

TEST_F(Contract, ATableInThePlaceOfAViewIsLeftToPeople)
{
    run("DROP VIEW join_credential; CREATE TABLE join_credential (x)");
    StoreFile store = StoreFile::open(path);
    const Inspection inspection = store.inspect(start);
    ASSERT_EQ(inspection.state.damages.size(), 1U);
    EXPECT_EQ(inspection.state.damages[0].sentence, "join_credential is a table instead of a view");
    EXPECT_EQ(
        inspection.state.damages[0].way_out, "rename or drop the table join_credential, then: usherctl init --repair"
    );
    EXPECT_THROW(repair(), DatabaseError);
    EXPECT_EQ(number("SELECT count(*) FROM join_credential"), 0);
}

} // namespace
} // namespace usher
