// SPDX-License-Identifier: Apache-2.0
// The words and sums that rows become, whatever is in them.
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <usher/store/database.hpp>
#include <usher/store/report.hpp>
#include <usher/store/snapshots.hpp>
#include <usher/store/sqlite/store_file.hpp>

#include "support/temp_dir.hpp"

namespace usher {

void PrintTo(Word word, std::ostream* out)
{
    *out << to_text(word);
}

namespace {

using namespace std::chrono_literals;

constexpr sys_seconds now{1'800'000'000s};

class Reports : public testing::Test {
protected:
    Reports() { create_database(path, FileAccess::group); }

    void sql(std::string const& statements) const { SQLite::Database{path, SQLite::OPEN_READWRITE}.exec(statements); }

    static std::string at(seconds from_now) { return std::to_string(unix_seconds(now + from_now)); }

    /// A meeting of an hour with ann, as usher recorded it when its session and her token were published.
    void add_ready(std::string const& id, seconds starts) const
    {
        sql("INSERT INTO meeting (id, starts_at, ends_at) VALUES ('" + id + "', " + at(starts) + ", " +
            at(starts + 1h) +
            ");"
            "INSERT INTO participant (meeting_id, participant_id, role) VALUES ('" +
            id +
            "', 'ann', 'publisher');"
            "INSERT INTO session (meeting_no, session_id, provider, project, project_key, options, created_at) "
            "SELECT meeting_no, 's-" +
            id + "', 'sandbox', 'default', '1', '', 1 FROM agenda WHERE meeting_id = '" + id +
            "';"
            "UPDATE agenda SET state = 'ready', session_no = last_insert_rowid(), last_session_no = "
            "last_insert_rowid(), "
            "opens = " +
            at(starts - 15min) + ", closes = " + at(starts + 75min) + " WHERE meeting_id = '" + id +
            "';"
            "UPDATE agenda SET due_at = closes WHERE meeting_id = '" +
            id +
            "';"
            "INSERT INTO token (session_no, participant_id, token, role, reason, issued_at, expires_at, generation, "
            "key_id, fingerprint) SELECT session_no, 'ann', 'x', 2, 2, " +
            at(-1min) +
            ", closes, 0, 'k', 0 FROM agenda "
            "WHERE meeting_id = '" +
            id + "'");
    }

    Word word(std::string const& id = "m", bool at_work = true) const
    {
        return Report{path, now}.meeting(id, {now, Policy{}, at_work}).value().standing.word;
    }

    StatusReport status(bool at_work = true) const { return Report{path, now}.status({now, Policy{}, at_work}); }

    test::TempDir folder;
    std::string path = folder.file("usher.db");
};

TEST_F(Reports, RowsThatSomebodyTookFromUsherAreMissedNearTheDoor)
{
    for (const std::string theft :
         {"DELETE FROM token", "DELETE FROM session", "DELETE FROM door", "DELETE FROM agenda",
          "UPDATE agenda SET session_no = NULL", "UPDATE token SET expires_at = 1"}) {
        SCOPED_TRACE(theft);
        sql("DELETE FROM meeting; DELETE FROM participant; DELETE FROM agenda; DELETE FROM session; DELETE FROM token");
        add_ready("m", 45min); // opens in half an hour
        EXPECT_EQ(word(), Word::ready);
        sql("CREATE TABLE IF NOT EXISTS kept AS SELECT * FROM door; " + theft);
        EXPECT_EQ(word(), Word::at_risk);
        const StatusReport report = status();
        EXPECT_EQ(report.at_risk, 1);
        ASSERT_EQ(report.groups.items.size(), 1U);
        EXPECT_TRUE(report.groups.items[0].rows_gone);
        for (const std::string rows : {"join_credential", "participant_status WHERE state = 'ready'"})
            EXPECT_EQ(SQLite::Database{path}.execAndGet("SELECT count(*) FROM " + rows).getInt(), 0) << rows;
        sql("INSERT OR REPLACE INTO door SELECT * FROM kept");
    }
}

TEST_F(Reports, AnIdThatUsherRecordsNowhereIsNamed)
{
    sql("PRAGMA ignore_check_constraints = ON; INSERT INTO meeting (id, starts_at, ends_at) VALUES "
        "(printf('%.2000c', 'm'), 1800000000, 1800003600)");
    EXPECT_EQ(SQLite::Database{path}.execAndGet("SELECT count(*) FROM agenda").getInt(), 0);
    const StatusReport report = status();
    ASSERT_EQ(report.groups.items.size(), 1U);
    EXPECT_EQ(report.groups.items[0].reason, "row_invalid");
    EXPECT_EQ(report.groups.items[0].detail, "id has more than 255 bytes");
}

TEST_F(Reports, AnEditDoesNotMakeAServedMeetingUnready)
{
    add_ready("m", 0s);
    EXPECT_EQ(word(), Word::ready);
    sql("UPDATE meeting SET title = 'another'");
    EXPECT_EQ(word(), Word::ready) << "the tokens still work";
    sql("INSERT INTO participant (meeting_id, participant_id, role) VALUES ('m', 'ben', 'publisher')");
    EXPECT_EQ(word(), Word::at_risk) << "ben has none, and the meeting is live";
    sql("INSERT INTO block (meeting_id, participant_id) VALUES ('m', 'ben')");
    EXPECT_EQ(word(), Word::ready) << "ben gets none";
    sql("DELETE FROM block; INSERT INTO participant_problem SELECT meeting_no, 'ben', 'unknown_role', '', 1 FROM agenda"
    );
    EXPECT_EQ(word(), Word::ready) << "ben cannot be served, which is told of ben";
    EXPECT_EQ(status().not_served.total, 1U);
    sql("UPDATE participant SET role = 'moderator' WHERE participant_id = 'ann'");
    EXPECT_EQ(word(), Word::at_risk) << "the old role's token is not shown";
}

TEST_F(Reports, ATokenThatHasExpiredOrIsFromTheFutureDoesNotWork)
{
    add_ready("m", 0s);
    sql("UPDATE agenda SET due_at = " + at(-2min));
    EXPECT_EQ(word(), Word::ready);
    sql("UPDATE token SET expires_at = " + at(1s));
    EXPECT_EQ(word(), Word::ready);
    sql("UPDATE token SET expires_at = " + at(0s));
    EXPECT_EQ(word(), Word::at_risk);
    sql("UPDATE token SET expires_at = " + at(1h) + ", issued_at = " + at(1s));
    EXPECT_EQ(word(), Word::at_risk);
}

TEST_F(Reports, WhatIsDueByTimeIsWantedSinceThen)
{
    add_ready("m", 2h);
    sql("UPDATE agenda SET session_no = NULL, state = 'waiting', reason = 'not_yet', due_at = " + at(-59s));
    EXPECT_EQ(word(), Word::on_schedule);
    EXPECT_EQ(word("m", false), Word::at_risk) << "nobody is at work";
    sql("UPDATE agenda SET due_at = " + at(-60s));
    EXPECT_EQ(word(), Word::at_risk);
    sql("UPDATE agenda SET due_at = " + at(1s));
    EXPECT_EQ(word(), Word::on_schedule);
    EXPECT_EQ(word("m", false), Word::on_schedule) << "nothing is wanted yet";
}

TEST_F(Reports, WindowsDoNotOverlap)
{
    const seconds early = 15min;
    const std::pair<char const*, seconds> doors[] = {{"closed", -90min}, {"live", 0s},     {"soon", 1s},
                                                     {"hour", 1h},       {"day", 1h + 1s}, {"whole-day", 24h},
                                                     {"later", 24h + 1s}};
    for (auto const& [id, opens] : doors)
        add_ready(id, opens + early);
    const StatusReport report = status();
    const auto ready = static_cast<std::size_t>(Word::ready);
    EXPECT_EQ(report.live[ready], 1);
    EXPECT_EQ(report.within_hour[ready], 2);
    EXPECT_EQ(report.within_day[ready], 2);
    EXPECT_EQ(report.later[ready], 1);
}

TEST_F(Reports, SafeUntilSomebodyCannotEnter)
{
    EXPECT_FALSE(status().safe.until);
    add_ready("a", 2h);
    EXPECT_FALSE(status().safe.until) << "its tokens last";
    add_ready("b", 0s);
    sql("UPDATE agenda SET due_at = " + at(10min) +
        " WHERE meeting_id = 'b';"
        "UPDATE token SET expires_at = " +
        at(30min) + " WHERE session_no = 2");
    EXPECT_EQ(status().safe.until, now + 30min) << "usherd would replace the token in time";
    EXPECT_EQ(status().safe.then_not.items, std::vector<std::string>{"b"});
    add_ready("c", 40min);
    sql("UPDATE agenda SET state = 'waiting', reason = 'not_yet', due_at = " + at(5min) +
        " WHERE meeting_id = 'c';"
        "DELETE FROM token WHERE session_no = 3");
    EXPECT_EQ(status().safe.until, now + 25min);
    EXPECT_EQ(status().safe.then_not.items, std::vector<std::string>{"c"});
    sql("DELETE FROM participant WHERE meeting_id = 'c';"
        "UPDATE agenda SET due_at = " +
        at(5min) + " WHERE meeting_id = 'c'");
    EXPECT_EQ(status().safe.until, now + 30min) << "nobody is in c";
}

TEST_F(Reports, AnyNumberOfReasonsIsBounded)
{
    std::string statements = "BEGIN;";
    for (int i = 0; i < 150; ++i) {
        const std::string n = std::to_string(i);
        statements += "INSERT INTO meeting (id, starts_at, ends_at, project) VALUES ('m" + n + "', " + at(1h) + ", " +
                      at(2h) + ", 'p" + n + "');";
    }
    sql(statements + "UPDATE agenda SET state = 'failed', reason = 'unknown_project', due_at = " + at(2h) +
        ", opens = " + at(45min) + ", closes = " + at(3h) + "; COMMIT");
    const StatusReport report = status();
    EXPECT_EQ(report.groups.total, 150U);
    EXPECT_EQ(report.groups.items.size(), 100U);
    EXPECT_EQ(report.failed_near, 150U);
}

TEST_F(Reports, AWalkGoesOnWhereItStopped)
{
    for (char const* const id : {"a", "b", "c", "d"})
        add_ready(id, 1h);
    std::vector<std::string> seen;
    const auto wanted = [](SnapshotHint const& hint) { return hint.due != now + 3h; };
    const auto visit = [&](MeetingSnapshot const& meeting) { seen.push_back(meeting.id); };
    sql("UPDATE agenda SET due_at = " + at(3h) + " WHERE meeting_id = 'b'");
    SnapshotWalk walk{path};
    std::vector<std::size_t> after_each;
    for (bool more = true; more;) {
        more = walk.go_on(wanted, visit, 0s);
        after_each.push_back(seen.size());
        ASSERT_LT(after_each.size(), 20U);
    }
    EXPECT_EQ(seen, (std::vector<std::string>{"a", "c", "d"}));
    EXPECT_GE(after_each.size(), 3U) << "no step is longer than it may be";
    EXPECT_FALSE(walk.go_on(wanted, visit, 1h));
    EXPECT_EQ(seen.size(), 3U);

    SnapshotWalk quick{path};
    EXPECT_FALSE(quick.go_on(wanted, visit, 1h));
    EXPECT_EQ(seen.size(), 6U);
}

TEST_F(Reports, NumbersThatNoDaemonWroteDoNoHarm)
{
    add_ready("m", 0s);
    for (char const* const number : {"9223372036854775807", "-9223372036854775808", "'x'", "NULL"}) {
        const std::string n = number;
        for (char const* const column : {"opens", "closes", "due_at", "next_at", "starts_at", "ready_at", "settled_at"})
            if (n != "NULL" || (std::string{column} != "due_at" && std::string{column} != "next_at" &&
                                std::string{column} != "settled_at")) {
                add_ready("x", 0s);
                sql("UPDATE agenda SET " + std::string{column} + " = " + n + " WHERE meeting_id = 'x'");
                EXPECT_NO_THROW(status()) << column << " = " << n;
                EXPECT_TRUE(Report(path, now).meeting("x", {now, Policy{}}).has_value());
                sql("DELETE FROM meeting WHERE id = 'x'; DELETE FROM participant WHERE meeting_id = 'x';"
                    "DELETE FROM token WHERE session_no IN (SELECT session_no FROM session WHERE session_id = 's-x');"
                    "DELETE FROM session WHERE session_id = 's-x'; DELETE FROM agenda WHERE meeting_id = 'x'");
            }
        if (n != "NULL")
            sql("UPDATE daemon SET heartbeat = " + n + ", since = " + n);
        EXPECT_NO_THROW(Report(path, now).daemon());
    }
}

TEST_F(Reports, ADaemonThatHasNothingToDoStillSaysThatItIsThere)
{
    StoreFile store = StoreFile::open(path);
    store.take_over("pid 1 on h, started x", now - 1h, {});
    EXPECT_EQ(Report(path, now).daemon().looked_at, now - 1h);
    store.beat(now, now);
    EXPECT_EQ(Report(path, now).daemon().looked_at, now);
    EXPECT_EQ(Report(path, now).daemon().who, "pid 1 on h, started x");
}

} // namespace
} // namespace usher
