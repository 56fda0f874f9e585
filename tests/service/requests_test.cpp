// SPDX-License-Identifier: Apache-2.0
// What platforms and operators ask for: it is done, once and wholly, or refused by name.
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <usher/store/requests.hpp>

#include "live_world.hpp"

namespace usher::test {
namespace {

class Requests : public testing::Test, public World {
protected:
    void meetings(int count, std::int64_t starts = 1800)
    {
        sql("BEGIN");
        for (int i = 0; i < count; ++i) {
            const std::string id = "m" + std::to_string(i);
            meeting(starts, starts + 3600, id);
            participant("ann", "publisher", id);
            participant("bob", "subscriber", id);
        }
        sql("COMMIT");
        settle();
    }

    /// `done|1|1|0|2`: state, meetings, served, sessions, tokens.
    std::string request(std::int64_t id)
    {
        return text(
            "SELECT state, meetings, served, sessions, tokens FROM request_status WHERE id = " + std::to_string(id)
        );
    }

    std::string tokens() { return text("SELECT token FROM token ORDER BY session_no, participant_id"); }
};

TEST_F(Requests, TwoOnOneMeetingAreBothServedByWhatServesBoth)
{
    meetings(1);
    const auto before = credentials("m0");
    sql("INSERT INTO request (action, meeting_id) VALUES ('replace_session', 'm0'), ('rotate', 'm0')");
    settle();
    EXPECT_EQ(request(1), "done|1|1|1|2");
    EXPECT_EQ(request(2), "done|1|1|1|2");
    EXPECT_NE(credentials("m0").at("ann").session_id, before.at("ann").session_id);
    EXPECT_EQ(text("SELECT count(*) FROM session"), "2");
    EXPECT_EQ(text("SELECT count(*) FROM request_meeting"), "0");
}

TEST_F(Requests, OneThatComesInTheMiddleOfAnotherIsDoneByTokensOfItsOwn)
{
    meetings(40);
    sql("INSERT INTO request (action, project) VALUES ('rotate', '*')");
    std::string at_second;
    random.before_next = [&] { // while the first batch is signed: none of it is published
        const RequestReport second =
            RequestDesk{path, true}.file(RequestAction::rotate, {std::nullopt, "*"}, "somebody");
        EXPECT_EQ(second.id, 2);
        at_second = text("SELECT max(generation) FROM agenda");
    };
    settle();
    EXPECT_EQ(at_second, "0");
    EXPECT_EQ(request(1), "done|40|40|0|80");
    EXPECT_EQ(request(2), "done|40|40|0|80");
    // Each was signed after the second was filed.
    EXPECT_EQ(text("SELECT count(*) FROM token WHERE generation < 2"), "0");
    EXPECT_EQ(text("SELECT count(*) FROM token WHERE reason = 9"), "80");
}

/// However many meetings are live, nobody new in one of them waits for all.
TEST_F(Requests, WhatPlatformsWriteIsLookedAtBeforeTheRestOfARotation)
{
    meetings(40);
    sql("INSERT INTO request (action, project) VALUES ('rotate', '*')");
    while (run(context, store->advance_requests()).more) {
    }
    EXPECT_EQ(store->due(clock.now(), 100, {}).meetings.size(), 40U);
    participant("eve", "publisher", "m39");
    EXPECT_EQ(
        std::to_string(static_cast<std::int64_t>(store->due(clock.now(), 1, {}).meetings.at(0))),
        text("SELECT meeting_no FROM agenda WHERE meeting_id = 'm39'")
    );
    sql("INSERT INTO request (action, meeting_id) VALUES ('rotate', 'm38')");
    while (run(context, store->advance_requests()).more) {
    }
    EXPECT_EQ(text("SELECT due_at FROM agenda WHERE meeting_id = 'm38'"), "0") << "one meeting alone waits for none";
    settle();
    EXPECT_EQ(request(1), "done|40|40|0|81");
    EXPECT_TRUE(credentials("m39").contains("eve"));
}

TEST_F(Requests, WhatWasReadBeforeItWasFiledDoesNotServeIt)
{
    meetings(1);
    participant("late", "publisher", "m0");
    random.before_next = [&] { sql("INSERT INTO request (action, meeting_id) VALUES ('rotate', 'm0')"); };
    pass();
    EXPECT_EQ(request(1).substr(0, 4), "file") << "the pass had begun";
    settle();
    EXPECT_EQ(request(1), "done|1|1|0|3");
    EXPECT_EQ(text("SELECT DISTINCT generation FROM token"), "1");
}

TEST_F(Requests, EveryMeetingCountsOnceWhateverItsState)
{
    meetings(4);
    sql("UPDATE meeting SET status = 'cancelled' WHERE id = 'm0'");
    sql("DELETE FROM meeting WHERE id = 'm1'");
    // Marked before usher knows of either.
    sql("INSERT INTO request (action, project) VALUES ('replace_session', '*')");
    sql("INSERT INTO request (action, meeting_id) VALUES ('rotate', 'm0')");
    while (rows().advance_requests(clock.now()).more) {
    }
    settle();
    EXPECT_EQ(request(1), "done|4|4|2|4");
    EXPECT_EQ(request(2), "done|1|1|0|0");
    sql("INSERT INTO request (action, project) VALUES ('rotate', '*')"); // both are over and settled
    settle();
    EXPECT_EQ(request(3), "done|2|2|0|4");
}

TEST_F(Requests, OneOnAMeetingThatIsPurgedIsDone)
{
    meetings(1);
    clock.advance(5400s + 3600s + policy.retention);
    sql("DELETE FROM meeting; DELETE FROM participant;");
    sql("INSERT INTO request (action, meeting_id) VALUES ('rotate', 'm0')");
    settle();
    clock.advance(policy.retention);
    settle();
    EXPECT_EQ(request(1).substr(0, 8), "done|1|1");
}

TEST_F(Requests, ARotationIsNotDoneWhileTokensCannotBeSigned)
{
    second_project = true;
    restart();
    sql("INSERT INTO meeting (id, starts_at, ends_at, project) SELECT 'm', " +
        std::to_string(unix_seconds(start) + 600) + ", " + std::to_string(unix_seconds(start) + 4000) + ", 'second'");
    participant("ann");
    settle();
    second_project = false;
    restart();
    sql("INSERT INTO request (action, meeting_id) VALUES ('rotate', 'm')");
    settle();
    EXPECT_EQ(status(), "failed|unknown_project");
    EXPECT_EQ(request(1), "running|1|0|0|0") << "the old token is valid still";
    second_project = true;
    restart();
    settle();
    EXPECT_EQ(request(1), "done|1|1|0|1");
}

TEST_F(Requests, ARestartGoesOnWhereTheDaemonStopped)
{
    meetings(300);
    sql("INSERT INTO request (action, project) VALUES ('rotate', 'default')");
    for (int i = 0; i < 3; ++i)
        ASSERT_TRUE(rows().advance_requests(clock.now()).more);
    EXPECT_EQ(request(1).substr(0, 7), "running");
    restart();
    settle();
    EXPECT_EQ(request(1), "done|300|300|0|600");
}

TEST_F(Requests, NearMeetingsAreMarkedFirst)
{
    meetings(300, 40 * 3600);
    meeting(600, 4000, "near");
    participant("ann", "publisher", "near");
    settle();
    sql("INSERT INTO request (action, project) VALUES ('rotate', '*')");
    rows().advance_requests(clock.now()); // begins
    rows().advance_requests(clock.now());
    EXPECT_EQ(text("SELECT a.meeting_id FROM request_meeting JOIN agenda a USING (meeting_no)"), "near");
    settle();
    EXPECT_EQ(request(1), "done|301|301|0|1");
}

TEST_F(Requests, AnyNumberOfThemIsTakenInShortSteps)
{
    constexpr int count = 2000;
    constexpr std::int64_t most = 200; // meetings in one transaction
    meetings(1000);
    sql("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " + std::to_string(count) +
        ") INSERT INTO request (action, project) SELECT CASE i % 2 WHEN 0 THEN 'rotate' ELSE 'replace_session' END, "
        "'*' "
        "FROM n");
    const auto number = [&](char const* query) { return std::stoll(text(query)); };
    std::int64_t marked = 0;
    std::int64_t begun = 0;
    int steps = 0;
    while (rows().advance_requests(clock.now()).more) {
        const std::int64_t marked_now = number("SELECT count(*) FROM request_meeting");
        const std::int64_t begun_now = number("SELECT count(*) FROM request_result WHERE state <> 'filed'");
        EXPECT_LE(marked_now - marked, most);
        EXPECT_LE(begun_now - begun, 500);
        marked = marked_now;
        begun = begun_now;
        ASSERT_LT(++steps, 1000);
    }
    settle();
    EXPECT_EQ(
        number("SELECT count(*) FROM request_status WHERE state = 'done' AND meetings = 1000 AND served = 1000"), count
    );
    EXPECT_EQ(number("SELECT count(*) FROM request_meeting"), 0);
}

TEST_F(Requests, ManyForOneMeetingEachAreTakenInShortSteps)
{
    meetings(500);
    sql("INSERT INTO request (action, meeting_id) SELECT 'rotate', id FROM meeting");
    sql("INSERT INTO request (action, meeting_id) SELECT 'rotate', 'm0' FROM meeting");
    std::int64_t begun = 0;
    while (rows().advance_requests(clock.now()).more) {
        const std::int64_t now = std::stoll(text("SELECT count(*) FROM request_result WHERE state <> 'filed'"));
        EXPECT_LE(now - begun, 2 * 200);
        begun = now;
    }
    settle();
    EXPECT_EQ(text("SELECT count(*) FROM request_status WHERE state = 'done' AND tokens = 2"), "1000");
}

TEST_F(Requests, AResultGoesWithItsRow)
{
    meetings(1);
    const auto ask = [&](std::string const& before, std::string const& insert) {
        const std::string old = tokens();
        sql(before);
        sql(insert);
        EXPECT_EQ(text("SELECT state FROM request_status"), "filed") << before << insert;
        settle();
        EXPECT_EQ(text("SELECT state FROM request_status"), "done") << before << insert;
        EXPECT_NE(tokens(), old) << before << insert;
        EXPECT_EQ(text("SELECT count(*) FROM request_result"), "1");
    };
    const std::string insert = "INSERT INTO request (action, meeting_id) VALUES ('rotate', 'm0')";
    ask("", insert);
    ask("DELETE FROM request; DELETE FROM sqlite_sequence WHERE name = 'request';", insert);
    ask("DELETE FROM request; UPDATE sqlite_sequence SET seq = 0 WHERE name = 'request';", insert);
    ask("", "REPLACE INTO request (id, action, meeting_id) VALUES (1, 'rotate', 'm0')");
    ask("DELETE FROM request;", "INSERT INTO request (id, action, meeting_id) VALUES (1000, 'rotate', 'm0')");
    ask("DELETE FROM request;",
        "INSERT INTO request (id, action, meeting_id) VALUES (7, 'rotate', 'm0')"); // a lower one
    ask("DELETE FROM request;", "INSERT INTO request (id, action, meeting_id) VALUES (-3, 'rotate', 'm0')");
    sql("PRAGMA recursive_triggers = ON");
    ask("", "REPLACE INTO request (id, action, meeting_id) VALUES (-3, 'rotate', 'm0')");
}

TEST_F(Requests, AResultGoesWithItsRowThoughNoTriggerWasThere)
{
    meetings(1);
    sql("INSERT INTO request (action, meeting_id) VALUES ('rotate', 'm0')");
    settle();
    const std::string old = tokens();
    const std::string table = text("SELECT sql FROM sqlite_master WHERE name = 'request'");
    clock.advance(10s);
    sql("DROP TABLE request; " + table + ";");
    sql("INSERT INTO request (action, meeting_id) VALUES ('rotate', 'm0')"); // its id is 1 again
    sql("INSERT INTO request (action, meeting_id) VALUES ('retry', 'm0')");
    settle();
    EXPECT_EQ(text("SELECT id, state, tokens FROM request_status"), "1|done|2\n2|done|2");
    EXPECT_NE(tokens(), old);

    reconcile(); // the triggers are back
    sql("DELETE FROM request WHERE id = 1");
    EXPECT_EQ(text("SELECT request_id FROM request_result"), "2");
}

TEST_F(Requests, ADeletedRowTakesBackWhatItHadNotDone)
{
    meetings(300);
    sql("INSERT INTO request (action, project) VALUES ('rotate', '*')");
    for (int i = 0; i < 3; ++i)
        rows().advance_requests(clock.now());
    const std::string old = tokens();
    EXPECT_NE(text("SELECT count(*) FROM request_meeting"), "0");
    sql("DELETE FROM request");
    settle();
    EXPECT_EQ(tokens(), old);
    EXPECT_EQ(text("SELECT count(*) FROM request_result"), "0");
    EXPECT_EQ(text("SELECT count(*) FROM request_meeting"), "0");
}

TEST_F(Requests, AnAbortedOneLeavesTheRestAsItIs)
{
    meetings(10);
    sql("INSERT INTO request (action, meeting_id) VALUES ('replace_session', 'm0'), ('rotate', 'm1'), ('rotate', 'm1')"
    );
    ASSERT_TRUE(rows().advance_requests(clock.now()).more);
    const std::string old = tokens();
    RequestDesk desk{path, true};
    ASSERT_TRUE(desk.abort(1, "somebody", clock.now()));
    const auto rotation = desk.abort(2, "somebody", clock.now());
    ASSERT_TRUE(rotation);
    EXPECT_TRUE(desk.has_company(*rotation));
    ASSERT_TRUE(desk.abort(3, "somebody", clock.now()));
    EXPECT_FALSE(desk.abort(3, "somebody", clock.now()));
    EXPECT_FALSE(desk.abort(4, "somebody", clock.now()));
    settle();
    EXPECT_EQ(tokens(), old);
    EXPECT_EQ(request(1), "aborted|1|0|0|0");
    EXPECT_EQ(text("SELECT count(*) FROM request_meeting"), "0");
    // It does not come back later.
    participant("late", "publisher", "m1");
    settle();
    EXPECT_EQ(text("SELECT count(*) FROM token WHERE reason = 9"), "0");
}

TEST_F(Requests, AnAbortWhileItsSessionIsMadeKeepsTheOldOne)
{
    meetings(1);
    const auto before = credentials("m0");
    sql("INSERT INTO request (action, meeting_id) VALUES ('replace_session', 'm0')");
    random.before_next = [&] { EXPECT_TRUE((RequestDesk{path, true}.abort(1, "somebody", clock.now()))); };
    settle();
    EXPECT_EQ(credentials("m0"), before);
    EXPECT_EQ(request(1), "aborted|1|0|0|0");
}

TEST_F(Requests, AnAbortOfOneOfTwoEqualOnesStopsNothing)
{
    meetings(1);
    sql("INSERT INTO request (action, project) VALUES ('rotate', '*'), ('rotate', '*')");
    rows().advance_requests(clock.now());
    RequestDesk{path, true}.abort(1, "somebody", clock.now());
    settle();
    EXPECT_EQ(text("SELECT id, state FROM request_status"), "1|aborted\n2|done");
    EXPECT_EQ(request(2), "done|1|1|0|2");
}

TEST_F(Requests, AnUnknownScopeIsRefusedByName)
{
    meetings(1);
    sql("INSERT INTO request (action, meeting_id) VALUES ('rotate', 'typo')");
    sql("INSERT INTO request (action, project) VALUES ('rotate', 'typo')");
    settle();
    EXPECT_EQ(
        text("SELECT state, detail FROM request_status"),
        "refused|there is no meeting \"typo\"\nrefused|no meeting is in project \"typo\""
    );
    EXPECT_EQ(text("SELECT count(*) FROM request_status WHERE done_at IS NOT NULL"), "2");
}

TEST_F(Requests, WhatNoCheckRefusedIsRefusedByName)
{
    meetings(1);
    const std::string old = tokens();
    // The table as a tool rebuilds it that knows of no CHECK.
    sql("PRAGMA foreign_keys = OFF; BEGIN; CREATE TABLE request_new (id INTEGER PRIMARY KEY AUTOINCREMENT, action "
        "TEXT, "
        "meeting_id TEXT, project TEXT, requested_by TEXT, requested_at INTEGER DEFAULT 1800000000); DROP VIEW "
        "request_status; DROP TABLE request; ALTER TABLE request_new RENAME TO request; COMMIT;");
    reconcile();
    sql("INSERT INTO request (action, meeting_id, project) VALUES ('rotate', NULL, NULL), ('rotate', 'm0', '*'), "
        "('rotate', '', NULL), ('rotate', NULL, ''), ('revoke', 'm0', NULL), ('rotate', x'6d30', NULL), "
        "('rotate', NULL, x'2a'), ('rotate', printf('%.3000000c', 'm'), NULL)");
    settle();
    EXPECT_EQ(
        text("SELECT state, detail FROM request_result ORDER BY request_id"),
        "refused|it names neither a meeting nor a project; project '*' is all\n"
        "refused|it names a meeting and a project\n"
        "refused|its meeting_id is empty\n"
        "refused|its project is empty\n"
        "refused|its action \"revoke\" is none of rotate, replace_session, retry\n"
        "refused|what it names is a blob, not a text\n"
        "refused|what it names is a blob, not a text\n"
        "refused|what it names has more than 255 bytes"
    );
    EXPECT_EQ(tokens(), old);
}

TEST_F(Requests, WhatAWriterWithoutChecksFilesIsRecordedInPartAndRefused)
{
    meetings(1);
    sql("PRAGMA ignore_check_constraints = ON;"
        "INSERT INTO request (action, meeting_id, project, requested_at) VALUES "
        "(char(27) || '[31m' || char(8238), 'm0', NULL, 1800000000), ('rotate', 'm0', '*', 1800000000), "
        "('rotate', NULL, char(27) || 'x', 1800000000), ('rotate', 'm0', NULL, 'abc'), "
        "('rotate', NULL, '*', 9223372036854775807), ('rotate', NULL, printf('%.3000000c', 'm'), 1800000000), "
        "('rotate', 'm0', NULL, 1800000000)");
    const std::string old = tokens();
    settle();
    EXPECT_EQ(
        text("SELECT state, detail FROM request_status ORDER BY id LIMIT 6"),
        "refused|its action \"\\x1b[31m\\u{202e}\" is none of rotate, replace_session, retry\n"
        "refused|it names a meeting and a project\n"
        "refused|no meeting is in project \"\\x1bx\"\n"
        "refused|requested_at is no time in unix seconds\n"
        "refused|requested_at is no time in unix seconds\n"
        "refused|what it names has more than 255 bytes"
    );
    EXPECT_EQ(request(7), "done|1|1|0|2");
    EXPECT_NE(tokens(), old);
    EXPECT_EQ(text("SELECT max(length(project)) FROM request_result"), "256");
}

TEST_F(Requests, ACounterThatSomebodySetToTheLargestNumberIsNotGoneOnWith)
{
    meetings(1);
    const std::string old = tokens();
    sql("UPDATE daemon SET work_no = 9223372036854775807");
    sql("INSERT INTO request (action, meeting_id) VALUES ('rotate', 'm0')");
    settle();
    EXPECT_EQ(request(1), "done|1|1|0|2");
    EXPECT_NE(tokens(), old);
}

TEST_F(Requests, ACounterThatWasLostIsTakenFromTheRows)
{
    meetings(1);
    for (int i = 0; i < 2; ++i) {
        sql("INSERT INTO request (action, meeting_id) VALUES ('rotate', 'm0')");
        settle();
    }
    const std::string old = tokens();
    sql("UPDATE daemon SET work_no = 0"); // as in a row that somebody took away and usher wrote again
    sql("INSERT INTO request (action, meeting_id) VALUES ('rotate', 'm0')");
    settle();
    EXPECT_EQ(request(3), "done|1|1|0|2");
    EXPECT_NE(tokens(), old);
}

TEST_F(Requests, IdsNearTheLargestOneAreRefusedAndNothingEndsTheirSequence)
{
    meetings(1);
    EXPECT_THROW(
        sql("INSERT INTO request (id, action, meeting_id) VALUES (9223372036854775807, 'rotate', 'm0')"),
        SQLite::Exception
    );
    sql("INSERT INTO request (id, action, meeting_id) VALUES (4611686018427387903, 'rotate', 'm0')");
    sql("INSERT INTO request (action, meeting_id) VALUES ('rotate', 'm0')");
    settle();
    EXPECT_EQ(text("SELECT count(*) FROM request_status WHERE state = 'done'"), "2");
}

class VendorRequests : public testing::Test, public LiveWorld {
protected:
    std::string request(std::int64_t id)
    {
        return text(
            "SELECT state, meetings, served, sessions, tokens FROM request_status WHERE id = " + std::to_string(id)
        );
    }
};

TEST_F(VendorRequests, AReplacementIsDoneOnceTheVendorHasMadeTheSession)
{
    meetings(1, 7200);
    quiesce();
    vendor.behaviour.outage = vendor::Outage::refused;
    sql("INSERT INTO request (action, meeting_id) VALUES ('replace_session', 'm0')");
    pass_time(1min);
    EXPECT_EQ(request(1), "running|1|0|0|0");
    vendor.behaviour.outage = vendor::Outage::none;
    pass_time(1min);
    EXPECT_EQ(request(1), "done|1|1|1|1");
    EXPECT_EQ(vendor.sessions().size(), 2U);
}

TEST_F(VendorRequests, AnAbortedReplacementIsNotMadeLater)
{
    meetings(1, 7200);
    quiesce();
    const auto before = credentials("m0");
    vendor.behaviour.outage = vendor::Outage::refused;
    sql("INSERT INTO request (action, meeting_id) VALUES ('replace_session', 'm0')");
    pass_time(1min);
    ASSERT_TRUE((RequestDesk{path, true}.abort(1, "somebody", clock.now())));
    quiesce();
    EXPECT_EQ(status("m0"), "ready|");
    vendor.behaviour.outage = vendor::Outage::none;
    pass_time(20min);
    EXPECT_EQ(credentials("m0"), before);
    EXPECT_EQ(vendor.sessions().size(), 1U);
}

TEST_F(VendorRequests, ARetryIsDoneWhetherOrNotTheVendorIsBack)
{
    vendor.behaviour.outage = vendor::Outage::refused;
    meetings(8, 7200);
    pass_time(1min);
    sql("INSERT INTO request (action, project) VALUES ('retry', '*')");
    pass_time(retry_patience);
    EXPECT_EQ(request(1), "done|8|8|0|0");
    EXPECT_EQ(ready(), 0);
    vendor.behaviour.outage = vendor::Outage::none;
    sql("INSERT INTO request (action, project) VALUES ('retry', 'default')");
    pass_time(1min);
    EXPECT_EQ(text("SELECT state, meetings, served FROM request_status WHERE id = 2"), "done|8|8");
    EXPECT_EQ(ready(), 8);
}

} // namespace
} // namespace usher::test
