// SPDX-License-Identifier: Apache-2.0
// Rows, triggers and files that somebody other than usher or a platform has touched.
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "provisioning_fixture.hpp"

namespace usher {
namespace {

using namespace test;

TEST_F(Provisioning, TheTriggersKnowOfASessionWhatUsherDoes)
{
    struct Case {
        std::string options;
        std::string change;
        std::string back;
    };
    for (auto const& [options, change, back] :
         {Case{"title = ''", "location = '203.0.113.7'", "location = NULL"},
          Case{"e2ee = 1, location = '203.0.113.7'", "e2ee = 0", "e2ee = 1"},
          Case{"media_mode = 'relayed'", "media_mode = 'routed'", "media_mode = 'relayed'"},
          Case{
              "archive_mode = 'always', archive_name = 'n', archive_resolution = '640x480', location = '203.0.113.7'",
              "archive_name = NULL", "archive_name = 'n'"},
          Case{"archive_mode = 'always'", "archive_resolution = '640x480'", "archive_resolution = NULL"},
          Case{"project = 'second'", "project = 'default'", "project = 'second'"}}) {
        SCOPED_TRACE(options);
        const auto flag_after = [&](std::string const& assignments) {
            sql("UPDATE meeting SET " + assignments);
            return text("SELECT edited_early FROM agenda");
        };
        meeting(30 * minute, 90 * minute);
        participant("ann");
        flag_after(options);
        settle();
        ASSERT_EQ(credentials().size(), 1U);
        EXPECT_EQ(flag_after("title = 'new'"), "0");
        EXPECT_EQ(flag_after(change), "1");
        EXPECT_EQ(flag_after(back), "0");
        sql("DELETE FROM participant; DELETE FROM meeting; DELETE FROM session; DELETE FROM token; DELETE FROM agenda");
    }
}

TEST_F(Provisioning, ATriggerOfSomebodyElseDoesNotRunInUsher)
{
    ready_meeting();
    sql("CREATE TRIGGER stubborn AFTER UPDATE OF due_at ON agenda WHEN NEW.due_at <> 0 AND NEW.meeting_id = 'm' "
        "BEGIN UPDATE agenda SET due_at = 0 WHERE meeting_no = NEW.meeting_no; END");
    sql("UPDATE meeting SET title = 'new'");
    meeting(30 * minute, 90 * minute, "other");
    participant("eve", "publisher", "other");
    work(); // ends: the row would be due again after each look
    EXPECT_EQ(credentials("other").size(), 1U);
    EXPECT_EQ(text("SELECT count(*) FROM agenda WHERE due_at = 0"), "0");
}

TEST_F(Provisioning, ACrowdedMeetingIsServedAsFarAsItMayAndSaysSo)
{
    meeting(30 * minute, 90 * minute);
    sql("WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 20001) INSERT INTO participant "
        "(meeting_id, participant_id, role) SELECT 'm', printf('p%05d', k), 'publisher' FROM n");
    work();
    EXPECT_EQ(text("SELECT count(*) FROM join_credential"), "20000");
    EXPECT_EQ(status(), "ready|too_many_participants");
}

TEST_F(Provisioning, ARowThatTheContractWouldRefuseIsNamedAndServedAsNothingElse)
{
    struct Case {
        std::string edit;
        std::string column;
    };
    for (Case const& test :
         {Case{"status = 'foo'", "status"}, Case{"starts_at = starts_at * 1000, ends_at = ends_at * 1000", "starts_at"},
          Case{"starts_at = datetime('now')", "starts_at"}, Case{"ends_at = starts_at", "ends_at"},
          Case{"e2ee = 'yes'", "e2ee"}, Case{"location = '999.1.1.1'", "location"}}) {
        SCOPED_TRACE(test.edit);
        ready_meeting();
        const std::string session = credentials().at("ann").session_id;
        sql("PRAGMA ignore_check_constraints = ON"); // as after a rebuild that lost them
        sql("UPDATE meeting SET " + test.edit);
        sql("PRAGMA ignore_check_constraints = OFF");
        work();
        EXPECT_EQ(status(), "failed|row_invalid");
        EXPECT_EQ(text("SELECT detail LIKE '" + test.column + "%' FROM meeting_status"), "1")
            << text("SELECT detail FROM meeting_status");
        sql("DELETE FROM participant; DELETE FROM meeting; DELETE FROM session; DELETE FROM token; DELETE FROM agenda");
    }
}

TEST_F(Provisioning, ASessionRowOfSomebodyElseServesNobody)
{
    meeting(30 * minute, 90 * minute, "other");
    participant("eve", "publisher", "other");
    ready_meeting();
    const std::string session = credentials().at("ann").session_id;
    for (const std::string forgery :
         {"INSERT INTO session (meeting_no, session_id, provider, project, project_key, options, created_at) "
          "SELECT meeting_no, 'forged', provider, project, project_key, options, created_at FROM session WHERE "
          "session_no = (SELECT session_no FROM agenda WHERE meeting_id = 'm');"
          "UPDATE agenda SET session_no = (SELECT max(session_no) FROM session) WHERE meeting_id = 'm'",
          "UPDATE agenda SET session_no = (SELECT session_no FROM agenda WHERE meeting_id = 'other') "
          "WHERE meeting_id = 'm'",
          "UPDATE session SET session_id = 'forged2' WHERE session_no = (SELECT session_no FROM agenda WHERE "
          "meeting_id = 'm')",
          "UPDATE session SET project_key = '999999', mac = NULL WHERE session_no = (SELECT session_no FROM agenda "
          "WHERE meeting_id = 'm')"}) {
        SCOPED_TRACE(forgery);
        sql(forgery);
        sql("UPDATE meeting SET title = title || 'x' WHERE id = 'm'");
        settle();
        const std::string other = credentials("other").at("eve").session_id;
        for (auto const& [person, credential] : credentials()) {
            EXPECT_NE(credential.session_id.substr(0, 6), "forged");
            EXPECT_NE(credential.session_id, other);
            EXPECT_EQ(text("SELECT project_key FROM join_credential WHERE meeting_id = 'm' LIMIT 1"), "123456");
        }
        EXPECT_EQ(credentials().size(), 2U);
    }
}

/// Nobody looks at the meeting again before it closes.
TEST_F(Provisioning, TokensOfAForgedSessionGoAlsoWhereNoOtherCanBeMade)
{
    meeting(-10 * minute, 90 * minute);
    participant("ann", "publisher");
    settle();
    ASSERT_EQ(credentials().size(), 1U);
    sql("UPDATE meeting SET project = 'gone'");
    settle();
    ASSERT_EQ(credentials().size(), 1U) << "it keeps its session";

    sql("UPDATE session SET session_id = 'forged'; UPDATE meeting SET title = 'x'");
    settle();

    EXPECT_EQ(credentials().size(), 0U);
    EXPECT_EQ(text("SELECT state, reason FROM meeting_status"), "failed|unknown_project");
    EXPECT_EQ(text("SELECT count(*) FROM token"), "0");
}

TEST_F(Provisioning, AForgedSessionIsFoundWithoutAnEdit)
{
    ready_meeting();
    sql("UPDATE session SET session_id = 'forged'");
    reconcile();
    settle();
    EXPECT_NE(credentials().at("ann").session_id, "forged");
}

TEST_F(Provisioning, WithoutItsKeyUsherRefusesUntilTheSessionsAreAdopted)
{
    ready_meeting();
    const auto before = credentials();
    std::filesystem::remove(path + ".key");
    try {
        restart();
        ADD_FAILURE() << "started";
    } catch (DatabaseError const& error) {
        EXPECT_NE(std::string{error.what()}.find("--adopt-sessions"), std::string::npos) << error.what();
    }
    EXPECT_EQ(adopt_sessions(path, "a test"), 1);
    restart();
    settle();
    EXPECT_EQ(credentials(), before);
}

TEST_F(Provisioning, ANewSecretOfAProjectOrphansNoSession)
{
    ready_meeting();
    const std::string session = credentials().at("ann").session_id;
    secret = "another";
    restart();
    settle();
    EXPECT_EQ(credentials().at("ann").session_id, session);
}

TEST_F(Provisioning, WithoutItsRowInDaemonItStillKnowsItsSessions)
{
    ready_meeting();
    const std::string session = credentials().at("ann").session_id;

    sql("DELETE FROM daemon");
    restart();
    settle();
    EXPECT_EQ(credentials().at("ann").session_id, session);

    sql("DELETE FROM daemon");
    sql("UPDATE participant SET role = 'moderator'");
    settle();
    EXPECT_EQ(credentials().at("ann").session_id, session);
    EXPECT_NE(text("SELECT who FROM usher_status"), "");
    restart();
    settle();
    EXPECT_EQ(credentials().at("ann").session_id, session);
}

TEST_F(Provisioning, AResultThatSomebodyMadeTooLargeIsWrittenAllTheSame)
{
    ready_meeting();
    sql("INSERT INTO request (action, meeting_id) VALUES ('rotate', 'm')");
    sql("UPDATE request_result SET detail = printf('%.3000000c', 'B')");
    settle();
    EXPECT_EQ(text("SELECT state FROM request_status"), "done");
    EXPECT_EQ(reason("ann"), std::to_string(static_cast<int>(TokenReason::requested)));
}

TEST_F(Provisioning, APersonWhoseIdIsNoIdIsNamedAndTheOthersAreServed)
{
    for (const std::string id :
         {"printf('%.3000000c', 'B')", "printf('%.2000c', 'B')", "x'ff1b'", "x'616e6e'", "x''", "hex(zeroblob(200))"}) {
        SCOPED_TRACE(id);
        meeting(30 * minute, 90 * minute);
        participant("ann");
        participant("zoe");
        sql("PRAGMA ignore_check_constraints = 1; INSERT INTO participant (meeting_id, participant_id, role) "
            "VALUES ('m', " +
            id + ", 'publisher')");
        settle();
        EXPECT_EQ(credentials().size(), 2U);
        EXPECT_EQ(status(), "ready|participant_problems");
        EXPECT_EQ(
            text("SELECT state, reason FROM participant_status ORDER BY state DESC"),
            "ready|\nready|\nfailed|row_invalid"
        );
        participant("new");
        settle();
        EXPECT_EQ(credentials().size(), 3U);
        const std::string seq = text("SELECT seq FROM daemon");
        sql("UPDATE agenda SET due_at = 0");
        settle();
        EXPECT_EQ(text("SELECT seq FROM daemon"), seq);
        sql("DELETE FROM participant WHERE participant_id NOT IN ('ann', 'zoe', 'new')");
        settle();
        EXPECT_EQ(text("SELECT count(*) FROM participant_problem"), "0");
        EXPECT_EQ(status(), "ready|");
        sql("DELETE FROM participant; DELETE FROM meeting; DELETE FROM session; DELETE FROM token; DELETE FROM agenda");
    }
}

TEST_F(Provisioning, AValueTooLargeInItsOwnRowStopsNobody)
{
    ready_meeting();
    sql("UPDATE daemon SET damage = hex(zeroblob(1500000))");
    participant("eve");
    settle();
    EXPECT_EQ(credentials().size(), 3U);
    test::run(context, provisioner->beat());
    reconcile();
    EXPECT_EQ(text("SELECT damage FROM daemon"), "");
}

TEST_F(Provisioning, WhatARowShowsOfAMeetingThatNoTriggerMarkedIsFoundToo)
{
    meeting(9 * 86400, 9 * 86400 + 3600);
    settle();
    sql("DROP TRIGGER usher_meeting_update; UPDATE meeting SET grace = 7200");
    reconcile();
    settle();
    EXPECT_EQ(text("SELECT closes_at - ends_at FROM meeting JOIN meeting_status ON meeting_id = id"), "7200");
}

TEST_F(Provisioning, AnOlderDaemonIsFenced)
{
    ready_meeting();
    StoreFile newer = StoreFile::open(path);
    newer.take_over("the newer one", clock.now(), clock.steady_now());
    participant("eve");
    EXPECT_THROW(pass(), Fenced);
    EXPECT_FALSE(credentials().contains("eve"));
}

TEST_F(Provisioning, AMarkThatSomebodyRemovedIsMadeAgain)
{
    ready_meeting();
    std::filesystem::remove(path + ".mark");
    participant("eve");
    settle();
    EXPECT_GT(std::filesystem::file_size(path + ".mark"), 0U);
}

TEST_F(Provisioning, AKeyThatSomebodyRemovedIsPutBackUnlessAnotherIsInItsPlace)
{
    ready_meeting();
    const auto read_key = [&] {
        std::ifstream file{path + ".key"};
        return std::string{std::istreambuf_iterator<char>{file}, {}};
    };
    const std::string key = read_key();
    ASSERT_EQ(key.size(), 65U);
    std::filesystem::remove(path + ".key");
    participant("eve");
    settle();
    EXPECT_EQ(read_key(), key);
    EXPECT_EQ(std::filesystem::status(path + ".key").permissions(), std::filesystem::perms{0600});

    std::filesystem::remove(path + ".key");
    std::filesystem::remove(path + ".mark");
    test::run(context, provisioner->beat()); // nothing is published
    EXPECT_EQ(read_key(), key);
    EXPECT_GT(std::filesystem::file_size(path + ".mark"), 0U);

    std::filesystem::remove(path + ".key");
    std::filesystem::create_directory(path + ".key");
    participant("fay");
    settle();
    EXPECT_TRUE(credentials().contains("fay"));
    std::filesystem::remove(path + ".key");
    participant("gus");
    settle();
    EXPECT_EQ(read_key(), key);
}

/// No row says that they are due.
TEST_F(Provisioning, SuspectsStayWhereTheyCannotBeRead)
{
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "the sanitizers need descriptors of their own";
#endif
    ready_meeting();
    sql("DROP TRIGGER usher_participant_update; UPDATE participant SET role = 'subscriber'");
    provisioner->start_sweep();
    for (int chunk = 0; chunk < 2; ++chunk) // which has the only reader meanwhile
        ASSERT_TRUE(test::run(context, provisioner->sweep()));
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const int next = ::dup(0);
    ASSERT_GE(next, 0);
    ::close(next);
    const rlimit no_more{static_cast<rlim_t>(next), limit.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &no_more), 0);
    EXPECT_THROW(work(), std::runtime_error);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);

    settle();

    EXPECT_EQ(text("SELECT group_concat(DISTINCT role) FROM join_credential"), "subscriber");
}

TEST_F(Provisioning, AnEpochThatSomebodyWroteIsNoOtherDaemon)
{
    ready_meeting();
    sql("UPDATE daemon SET epoch = epoch + 1");
    participant("eve");
    try {
        pass();
        ADD_FAILURE() << "not fenced";
    } catch (Fenced const& error) {
        const std::string what = error.what();
        EXPECT_NE(what.find("somebody else wrote to usher's row in daemon"), std::string::npos) << what;
    }
}

TEST_F(Provisioning, LostTriggersArePutBackAndWhatTheyMissedIsFound)
{
    ready_meeting();
    const std::string triggers = text("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'");
    sql("DROP TRIGGER usher_participant_insert");
    sql("DROP TRIGGER usher_meeting_insert");
    participant("eve");
    meeting(30 * minute, 90 * minute, "unseen");
    reconcile();
    settle();
    EXPECT_TRUE(credentials().contains("eve"));
    EXPECT_EQ(status("unseen"), "ready|");
    EXPECT_EQ(text("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"), triggers);
}

} // namespace
} // namespace usher
