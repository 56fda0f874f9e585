// SPDX-License-Identifier: Apache-2.0
// The words and sums that rows become, whatever is in them.
#include <algorithm>
#include <map>
#include <numeric>
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

TEST_F(Reports, AnIdThatIsNoTextIsNamed)
{
    sql("PRAGMA ignore_check_constraints = ON; INSERT INTO meeting (id, starts_at, ends_at) VALUES "
        "(x'fffe00', 1800000000, 1800003600); DELETE FROM agenda");
    const StatusReport report = status();
    ASSERT_EQ(report.groups.items.size(), 1U);
    EXPECT_FALSE(report.groups.items[0].rows_gone);
    EXPECT_EQ(report.groups.items[0].reason, "row_invalid");
    EXPECT_EQ(report.groups.items[0].detail, "id is a BLOB; write it as text");
}

TEST_F(Reports, WhoHasAnIdWithoutAByteMakesNoMeetingUnready)
{
    add_ready("m", 0s);
    sql("PRAGMA ignore_check_constraints = ON; INSERT INTO participant (meeting_id, participant_id, role) VALUES "
        "('m', '', 'publisher'); INSERT INTO participant_problem SELECT meeting_no, '', 'row_invalid', '', 1 FROM "
        "agenda");
    EXPECT_EQ(word(), Word::ready);
    EXPECT_EQ(status().not_served.total, 1U);
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

TEST_F(Reports, EachRowOfTheAgendaIsInTheStockOnce)
{
    sql("INSERT INTO project_status (name, provider, project_key, key_id, changed_at) "
        "VALUES ('default', 'sandbox', '1', 'k', 1)");
    for (char const* const id : {"ready", "edited", "cancelled", "over", "gone", "failed", "waits"})
        add_ready(id, id == std::string{"over"} ? -3h : 1h);
    sql("UPDATE agenda SET due_at = 0 WHERE meeting_id = 'edited';"
        "UPDATE agenda SET state = 'cancelled' WHERE meeting_id = 'cancelled';"
        "UPDATE agenda SET state = 'ended', due_at = " +
        at(24h) +
        " WHERE meeting_id = 'over';"
        "UPDATE agenda SET state = 'failed', reason = 'row_invalid' WHERE meeting_id = 'failed';"
        "UPDATE meeting SET project = 'somewhere' WHERE id = 'waits';"
        "UPDATE agenda SET state = 'pending', reason = 'provider_quota', due_at = " +
        at(1min) + " WHERE meeting_id = 'waits'; DELETE FROM meeting WHERE id = 'gone'");

    const StatusReport report = status();

    const std::map<StockKey, std::int64_t> expected{
        {{"", State::pending, ""}, 1}, // of the row that is gone
        {{"", State::pending, "provider_quota"}, 1},
        {{"default", State::pending, ""}, 1},
        {{"default", State::ready, ""}, 1},
        {{"default", State::failed, "row_invalid"}, 1},
        {{"default", State::cancelled, ""}, 1},
        {{"default", State::ended, ""}, 1},
    };
    EXPECT_EQ(report.stock, expected);
    EXPECT_EQ(report.agenda_rows, 7);
    std::map<std::string, std::int64_t> by_view;
    SQLite::Database database{path};
    SQLite::Statement view{
        database, "SELECT CASE WHEN a.due_at <= " + at(0s) +
                      " THEN 'pending' ELSE a.state END, count(*) FROM agenda a "
                      "GROUP BY 1"};
    while (view.executeStep())
        by_view[view.getColumn(0).getString()] = view.getColumn(1).getInt64();
    std::map<std::string, std::int64_t> by_state;
    for (auto const& [key, count] : report.stock)
        by_state[std::string{to_text(key.state)}] += count;
    EXPECT_EQ(by_state, by_view);
}

TEST_F(Reports, ReasonsOfTheStockAreBounded)
{
    std::string statements = "BEGIN;";
    for (int i = 0; i < 150; ++i)
        statements += "INSERT INTO agenda (meeting_id, state, reason, due_at) VALUES ('m" + std::to_string(i) +
                      "', 'failed', 'made_up_" + std::to_string(i) + "', " + at(2h) + ");";
    sql(statements + "COMMIT");
    const StatusReport report = status();
    EXPECT_EQ(report.agenda_rows, 150);
    EXPECT_EQ(report.stock.size(), 51U);
    EXPECT_EQ(report.stock.at({"", State::failed, "(other)"}), 100);
}

TEST_F(Reports, TokensAreCountedByTheirKeys)
{
    sql("INSERT INTO project_status (name, provider, project_key, key_id, changed_at) "
        "VALUES ('default', 'sandbox', '1', 'k5', 1)");
    for (int i = 0; i < 7; ++i)
        add_ready("m" + std::to_string(i), i < 2 ? 0s : 2h);
    sql("UPDATE token SET key_id = 'k' || (session_no - 1), issued_at = issued_at - 100 + session_no;"
        "UPDATE token SET key_id = 'k5' WHERE key_id = 'k6'");

    const ProjectReport project = status().projects.at(0);

    EXPECT_EQ(project.tokens, 7);
    EXPECT_EQ(project.tokens_of_old_key, 5);
    EXPECT_EQ(project.live_tokens_of_old_key, 2);
    EXPECT_EQ(project.old_key_id, "k4");
    EXPECT_EQ(project.older_keys, (std::map<std::string, std::int64_t, std::less<>>{{"k2", 1}, {"k3", 1}, {"k4", 1}}))
        << "the newest three";
    EXPECT_EQ(project.first_of_new_key, now - 1min - 94s);
}

TEST_F(Reports, TokensThatEndBeforeTheirMeetingAreInTheirQuarter)
{
    for (char const* const id : {"a", "b", "c", "d"})
        add_ready(id, 48h);
    sql("UPDATE token SET expires_at = " + at(1s) + " WHERE session_no = 1; UPDATE token SET expires_at = " +
        at(15min) + " WHERE session_no = 2; UPDATE token SET expires_at = " + at(24h) +
        " WHERE session_no = 3"); // and d's with its meeting
    const StatusReport report = status();
    EXPECT_EQ(report.token_ends[0], 1);
    EXPECT_EQ(report.token_ends[1], 1);
    EXPECT_EQ(std::accumulate(report.token_ends.begin(), report.token_ends.end(), std::int64_t{0}), 2);
}

TEST_F(Reports, OpenRequestsAreCountedByWhatTheyAskFor)
{
    EXPECT_EQ(status().requests_open.at(RequestAction::retry), 0);
    sql("INSERT INTO request (action, project) VALUES ('rotate', '*'), ('rotate', 'default'), ('retry', '*');"
        "UPDATE request_result SET state = 'running' WHERE request_id = 2;"
        "UPDATE request_result SET state = 'done' WHERE request_id = 3");
    const StatusReport report = status();
    EXPECT_EQ(report.requests_open.at(RequestAction::rotate), 2);
    EXPECT_EQ(report.requests_open.at(RequestAction::retry), 0);
}

TEST_F(Reports, OpeningsAreThoseThatOpenedSinceAndThoseThatWillBeUnready)
{
    const std::pair<char const*, seconds> doors[] = {{"before", -60s}, {"since", -59s}, {"now", 0s},
                                                     {"soon", 30min},  {"hour", 1h},    {"later", 61min}};
    for (auto const& [id, opens] : doors)
        add_ready(id, 15min + opens);
    sql("UPDATE agenda SET ready_at = " + at(-2h) + ";UPDATE agenda SET state = 'pending', due_at = " + at(3h) +
        " WHERE meeting_id IN ('now', 'hour', 'later'); DELETE FROM token WHERE session_no IN "
        "(SELECT session_no FROM agenda WHERE state = 'pending')");
    const StatusReport report = Report{path, now}.status({now, Policy{}, true, now - 60s});
    std::vector<std::pair<seconds, Word>> found;
    for (Opening const& opening : report.openings)
        found.emplace_back(opening.opens - now, opening.word);
    std::sort(found.begin(), found.end());
    ASSERT_EQ(found.size(), 3U);
    EXPECT_EQ(found[0], std::pair(seconds{-59}, Word::ready));
    EXPECT_EQ(found[1].first, 0s);
    EXPECT_NE(found[1].second, Word::ready);
    EXPECT_EQ(found[2].first, 3600s);
    EXPECT_TRUE(status().openings.empty()) << "nobody asks for them";
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
