// SPDX-License-Identifier: Apache-2.0
// What a platform does, and what usher does then; each on a real database file with a clock that the test holds.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include <boost/asio/thread_pool.hpp>

#include "world.hpp"

namespace usher {
namespace {

using namespace test;

constexpr std::int64_t minute = 60;
constexpr std::int64_t hour = 3600;
constexpr std::int64_t day = 24 * hour;

class Provisioning : public testing::Test, protected World {
protected:
    /// A meeting in half an hour, of an hour, with two people, provisioned.
    void ready_meeting()
    {
        meeting(30 * minute, 90 * minute);
        participant("ann");
        participant("bob", "subscriber");
        settle();
        ASSERT_EQ(credentials().size(), 2U);
    }
};

TEST_F(Provisioning, WaitsForAMeetingThatIsFarAway)
{
    meeting(30 * day, 30 * day + hour);
    participant("ann");

    const PassResult result = settle();

    EXPECT_EQ(result.published.sessions, 0U);
    EXPECT_EQ(status(), "waiting|not_yet");
    EXPECT_TRUE(credentials().empty());
}

TEST_F(Provisioning, MakesTheSessionFirstAndTheTokensWithinTheirLead)
{
    meeting(12 * hour, 13 * hour);
    participant("ann");
    EXPECT_EQ(settle().published.sessions, 1U);
    EXPECT_EQ(status(), "waiting|not_yet");
    EXPECT_TRUE(credentials().empty());

    clock.set(start + 12h - 15min - 1h); // the latest start of the lead: the spread only makes it earlier
    settle();

    EXPECT_EQ(status(), "ready|");
    EXPECT_EQ(credentials().size(), 1U);
}

TEST_F(Provisioning, ServesAtOnceInsideTheLeadAndAfterOpens)
{
    meeting(30 * minute, 90 * minute, "soon");
    meeting(-10 * minute, 50 * minute, "live");
    participant("ann", "publisher", "soon");
    participant("ann", "moderator", "live");

    settle();

    EXPECT_EQ(status("soon"), "ready|");
    EXPECT_EQ(status("live"), "ready|");
    EXPECT_EQ(credentials("soon").at("ann").expires_at, unix_seconds(start) + 105 * minute);
    EXPECT_EQ(credentials("live").at("ann").role, "moderator");
}

TEST_F(Provisioning, MintsUntilTheLastSecondAndNothingAfterClose)
{
    meeting(-hour, -15 * minute + 1, "last_second");
    meeting(-hour, -15 * minute, "closed");
    participant("ann", "publisher", "last_second");
    participant("ann", "publisher", "closed");

    const PassResult result = settle();

    EXPECT_EQ(status("last_second"), "ready|");
    EXPECT_EQ(status("closed"), "ended|");
    EXPECT_EQ(result.published.sessions, 1U);
}

TEST_F(Provisioning, AMeetingWithNobodyGetsItsSession)
{
    meeting(30 * minute, 90 * minute);
    EXPECT_EQ(settle().published.sessions, 1U);
    EXPECT_EQ(status(), "ready|");
}

TEST_F(Provisioning, ASecondPassPublishesNothing)
{
    ready_meeting();
    const auto before = credentials();

    const PassResult result = settle();

    EXPECT_EQ(result.published.tokens, 0U);
    EXPECT_EQ(credentials(), before);
}

TEST_F(Provisioning, MovingKeepsTheSessionAndSignsToTheNewClose)
{
    ready_meeting();
    const auto before = credentials();
    for (const std::int64_t ends : {80 * minute, 120 * minute}) {
        sql("UPDATE meeting SET ends_at = " + std::to_string(unix_seconds(start) + ends));
        settle();

        EXPECT_EQ(credentials().at("ann").session_id, before.at("ann").session_id);
        EXPECT_EQ(credentials().at("ann").expires_at, unix_seconds(start) + ends + 15 * minute);
        EXPECT_EQ(reason("ann"), std::to_string(static_cast<int>(TokenReason::schedule_changed)));
    }
}

TEST_F(Provisioning, ExtendingALiveOrAnEndedMeetingKeepsItsSession)
{
    ready_meeting();
    const std::string session = credentials().at("ann").session_id;
    clock.set(start + 105min); // closed
    settle();
    EXPECT_EQ(status(), "ended|");
    EXPECT_TRUE(credentials().empty());

    sql("UPDATE meeting SET ends_at = ends_at + 3600");
    settle();

    EXPECT_EQ(status(), "ready|");
    EXPECT_EQ(credentials().at("ann").session_id, session);
}

TEST_F(Provisioning, AnEndedMeetingThatMovesIntoTheFutureKeepsItsSession)
{
    ready_meeting();
    const std::string session = credentials().at("ann").session_id;
    clock.set(start + 105min);
    settle();

    sql("UPDATE meeting SET starts_at = starts_at + 10800, ends_at = ends_at + 10800");
    settle();
    clock.set(start + 3h);
    settle();

    EXPECT_EQ(status(), "ready|");
    EXPECT_EQ(credentials().at("ann").session_id, session);
}

TEST_F(Provisioning, AMeetingThatIsDeletedAndWrittenAgainKeepsItsSessionWheneverUsherLooks)
{
    for (const bool looks : {false, true}) {
        ready_meeting();
        const std::string session = credentials().at("ann").session_id;
        sql("DELETE FROM participant; DELETE FROM meeting");
        if (looks) {
            clock.advance(1min);
            settle();
            EXPECT_EQ(text("SELECT closes_at FROM meeting_status"), std::to_string(unix_seconds(start + 105min)));
        }
        meeting(30 * minute, 90 * minute);
        participant("ann");
        settle();
        EXPECT_EQ(credentials().at("ann").session_id, session) << looks;
        sql("DELETE FROM participant; DELETE FROM meeting; DELETE FROM session; DELETE FROM token; DELETE FROM agenda");
    }
}

TEST_F(Provisioning, WhatWasDecidedInTheFutureIsDecidedAgainWhenTheClockComesBack)
{
    policy.token_lead = 60s;
    restart();
    for (const seconds ahead : {seconds{3h}, seconds{24h * 40}}) {
        for (const bool while_up : {false, true}) {
            clock.set(start);
            meeting(30 * minute, 90 * minute);
            participant("ann");
            clock.set(start + ahead);
            restart();
            settle();
            EXPECT_EQ(status(), "ended|");
            clock.set(start);
            if (while_up)
                reconcile();
            else
                restart();
            settle();
            EXPECT_EQ(status(), "waiting|not_yet");
            clock.set(start + 15min);
            settle();
            EXPECT_EQ(status(), "ready|");
            EXPECT_TRUE(credentials().contains("ann"));
            clock.set(start);
            sql("DELETE FROM participant; DELETE FROM meeting; DELETE FROM session; DELETE FROM token;"
                "DELETE FROM agenda; DELETE FROM history; DELETE FROM token_past");
        }
    }
}

TEST_F(Provisioning, NothingIsPurgedSoonAfterTheClockStepped)
{
    ready_meeting();
    const std::string session = credentials().at("ann").session_id;
    clock.set(start + 2 * policy.retention);
    settle();
    EXPECT_EQ(text("SELECT count(*) FROM session"), "1");
    clock.set(start + 1min);
    reconcile();
    settle();
    EXPECT_EQ(credentials().at("ann").session_id, session);
    clock.set(start + 2 * policy.retention); // for good, this time
    settle();
    clock.advance(1h + 10min);
    settle();
    EXPECT_EQ(text("SELECT count(*) FROM session"), "0");
}

TEST_F(Provisioning, NothingIsPurgedByStartingAgainWhileTheClockIsWrong)
{
    ready_meeting();
    const std::string session = credentials().at("ann").session_id;
    clock.set(start + 2 * policy.retention);
    for (int starts = 0; starts < 3; ++starts) {
        restart();
        settle();
        clock.advance(1min);
    }
    clock.set(start + 3min);
    restart();
    settle();
    EXPECT_EQ(credentials().at("ann").session_id, session);
}

TEST_F(Provisioning, AMeetingThatIsDeletedIsNotForgottenEarlySinceTheClockWasBehind)
{
    ready_meeting();
    const std::string session = credentials().at("ann").session_id;
    sql("DELETE FROM meeting");
    settle();
    clock.set(start - 2 * policy.retention);
    reconcile();
    sql("UPDATE participant SET display_name = 'x'");
    settle();
    clock.set(start);
    reconcile();
    settle();
    clock.advance(2h);
    settle();
    meeting(3h / 1s, 5h / 1s);
    settle();
    EXPECT_EQ(credentials().at("ann").session_id, session);
}

TEST_F(Provisioning, AMeetingThatIsDeletedIsNotForgottenEarlyByAStartWhileTheClockWasBehind)
{
    ready_meeting();
    const std::string session = credentials().at("ann").session_id;
    sql("DELETE FROM meeting");
    settle();
    clock.set(start - 2 * policy.retention);
    for (int starts = 0; starts < 2; ++starts) {
        restart();
        sql("UPDATE participant SET display_name = 'x'");
        settle();
        clock.advance(1min);
    }
    clock.set(start);
    reconcile();
    settle();
    clock.advance(2h);
    settle();
    meeting(3h / 1s, 5h / 1s);
    settle();
    EXPECT_EQ(credentials().at("ann").session_id, session);
}

TEST_F(Provisioning, WhatIsPurgedIsNotWrittenAgain)
{
    ready_meeting();
    clock.advance(policy.retention + 3h);
    settle();
    EXPECT_EQ(text("SELECT count(*) FROM session"), "0");
    EXPECT_EQ(text("SELECT count(*) FROM meeting"), "1");
    const std::string seq = text("SELECT seq FROM daemon");
    for (int i = 0; i < 3; ++i) {
        restart();
        EXPECT_EQ(settle().looked_at, 0U);
    }
    EXPECT_EQ(text("SELECT seq FROM daemon"), seq);
}

TEST_F(Provisioning, ADeletedMeetingWhosePeopleAreLeftStaysDeleted)
{
    ready_meeting();
    sql("DELETE FROM meeting");
    settle();
    clock.advance(policy.retention + 1h);
    settle();
    EXPECT_EQ(status(), "cancelled|deleted");
    EXPECT_EQ(text("SELECT count(*) FROM session"), "0");
    const std::string seq = text("SELECT seq FROM daemon");
    restart();
    EXPECT_EQ(settle().looked_at, 0U);
    EXPECT_EQ(text("SELECT seq FROM daemon"), seq);
}

TEST_F(Provisioning, EverybodyRemovedAndWrittenAgainIsNobodyRemoved)
{
    policy.replace_on_removal = true;
    restart();
    for (const bool looks : {false, true}) {
        ready_meeting();
        const std::string session = credentials().at("ann").session_id;
        sql("DELETE FROM participant");
        if (looks)
            settle();
        participant("ann");
        participant("bob");
        settle();
        EXPECT_EQ(credentials().at("ann").session_id, session) << looks;
        sql("DELETE FROM participant WHERE participant_id = 'bob'");
        settle();
        EXPECT_NE(credentials().at("ann").session_id, session) << looks;
        sql("DELETE FROM participant; DELETE FROM meeting; DELETE FROM session; DELETE FROM token; DELETE FROM agenda");
    }
}

TEST_F(Provisioning, WhoIsLeftOutOfARewriteIsRemovedWheneverUsherLooks)
{
    policy.replace_on_removal = true;
    restart();
    const std::vector<std::string> people_first{"DELETE FROM participant", "DELETE FROM meeting"};
    const std::vector<std::string> meeting_first{"DELETE FROM meeting", "DELETE FROM participant"};
    for (auto const& deletions : {people_first, meeting_first})
        for (const bool all_back : {false, true})
            for (const bool looks : {false, true}) {
                SCOPED_TRACE(deletions.front() + (all_back ? ", all back" : "") + (looks ? ", looks" : ""));
                ready_meeting();
                const std::string session = credentials().at("ann").session_id;
                const auto look = [&] {
                    if (looks)
                        settle();
                };
                for (std::string const& deletion : deletions) {
                    sql(deletion);
                    look();
                }
                meeting(30 * minute, 90 * minute);
                look();
                if (all_back)
                    participant("bob", "subscriber");
                participant("ann");
                settle();
                EXPECT_EQ(credentials().at("ann").session_id == session, all_back);
                settle();
                sql("DELETE FROM participant; DELETE FROM meeting; DELETE FROM session; DELETE FROM token; "
                    "DELETE FROM token_past; DELETE FROM agenda");
            }
}

TEST_F(Provisioning, EachRemovalHasItsOwnInstantWhenUsherWasDownAcrossOpens)
{
    policy.replace_on_removal = true;
    const std::string ann_leaves = "DELETE FROM participant WHERE participant_id = 'ann'";
    const std::string ann_is_renamed = "UPDATE participant SET participant_id = 'new' WHERE participant_id = 'ann'";
    const std::string ann_is_moved = "UPDATE participant SET meeting_id = 'else' WHERE participant_id = 'ann'";
    const std::string ann_is_replaced = "INSERT OR REPLACE INTO participant (id, meeting_id, participant_id, role) "
                                        "SELECT id, 'else', 'new', role FROM participant WHERE participant_id = 'ann'";
    const std::string ann_is_back =
        "INSERT OR IGNORE INTO participant (meeting_id, participant_id, role) VALUES ('m', 'ann', 'publisher')";
    const std::string ann_is_back_from = "UPDATE participant SET meeting_id = 'm', participant_id = 'ann' "
                                         "WHERE participant_id = 'new' OR meeting_id = 'else'";
    const std::string ann_is_written_again =
        "INSERT OR IGNORE INTO participant (id, meeting_id, participant_id, role) "
        "SELECT id, 'm', 'ann', role FROM participant WHERE participant_id = 'ann'";
    const std::string bob_leaves = "DELETE FROM participant WHERE participant_id = 'bob'";
    const std::string everybody_leaves = "DELETE FROM participant";
    const std::string some_are_back = "INSERT INTO participant (meeting_id, participant_id, role) VALUES ('m', 'ann', "
                                      "'publisher'), ('m', 'cleo', 'publisher')";
    const std::string bob_is_back =
        "INSERT INTO participant (meeting_id, participant_id, role) VALUES ('m', 'bob', 'subscriber')";
    struct Case {
        std::vector<std::string> before; // it opens
        std::vector<std::string> after;
        bool replaced;
    };
    for (Case const& each :
         {Case{{ann_leaves}, {}, true}, Case{{}, {ann_leaves}, false},
          Case{{ann_leaves, ann_is_back}, {bob_leaves}, false},
          Case{{ann_is_renamed, ann_is_back_from}, {bob_leaves}, false},
          Case{{ann_is_moved, ann_is_back_from}, {bob_leaves}, false},
          Case{{ann_is_replaced, ann_is_back_from}, {bob_leaves}, false},
          Case{{ann_is_replaced, ann_is_back}, {bob_leaves}, false},
          Case{{ann_leaves, ann_is_back}, {ann_leaves}, false},
          Case{{everybody_leaves, some_are_back, bob_is_back}, {bob_leaves}, false},
          Case{{everybody_leaves}, {some_are_back, bob_is_back}, false},
          Case{{everybody_leaves}, {some_are_back}, true}, Case{{ann_is_written_again}, {ann_leaves}, false},
          Case{{ann_is_written_again, "UPDATE meeting SET title = 'x'"}, {}, false},
          Case{{ann_is_renamed}, {bob_leaves}, true}, Case{{ann_is_moved}, {bob_leaves}, true},
          Case{{ann_is_replaced}, {bob_leaves}, true}}) {
        std::string story;
        clock.set(start);
        ready_meeting(); // opens at 15 minutes
        participant("cleo");
        settle();
        const std::string session = text("SELECT session_no FROM agenda WHERE meeting_id = 'm'");
        clock.set(start + 15min - 1s);
        for (std::string const& edit : each.before)
            sql(edit), story += edit + "; ";
        clock.set(start + 15min);
        for (std::string const& edit : each.after)
            sql(edit), story += "opened; " + edit + "; ";
        restart();
        settle();
        EXPECT_EQ(text("SELECT session_no FROM agenda WHERE meeting_id = 'm'") != session, each.replaced) << story;
        // What is left is of people who are there: a row that was ignored.
        EXPECT_EQ(
            text("SELECT count(*) FROM removal JOIN participant USING (meeting_id, participant_id)"),
            text("SELECT count(*) FROM removal")
        ) << story;
        sql("DELETE FROM participant; DELETE FROM meeting; DELETE FROM session; DELETE FROM token; DELETE FROM "
            "token_past; "
            "DELETE FROM agenda; DELETE FROM removal");
    }
}

TEST_F(Provisioning, ARemovalIsServedAlikeWheneverUsherLooks)
{
    policy.replace_on_removal = true;
    restart();
    const std::string ann_leaves = "DELETE FROM participant WHERE participant_id = 'ann'";
    const std::string ann_is_replaced = "REPLACE INTO participant (id, meeting_id, participant_id, role) "
                                        "VALUES (-7, 'else', 'eve', 'publisher')";
    struct Case {
        std::vector<std::string> edits;
        bool replaced;
        std::chrono::minutes at{0}; // it opens at 15 minutes
    };
    for (Case const& each :
         {Case{{"UPDATE meeting SET project = 'typo'", ann_leaves, "UPDATE meeting SET project = 'default'"}, true},
          Case{{"UPDATE meeting SET location = 'nowhere'", ann_leaves, "UPDATE meeting SET location = NULL"}, true},
          Case{
              {"UPDATE meeting SET starts_at = starts_at + 4320000, ends_at = ends_at + 4320000", ann_leaves,
               "UPDATE meeting SET starts_at = starts_at - 4320000, ends_at = ends_at - 4320000"},
              true},
          Case{{ann_is_replaced}, true},
          Case{{ann_leaves, "UPDATE meeting SET starts_at = starts_at + 360"}, false, 15min},
          Case{
              {"UPDATE meeting SET early_join = 1800", ann_leaves, "UPDATE meeting SET early_join = NULL"},
              false,
              10min},
          Case{{ann_is_replaced}, false, 15min}})
        for (const bool looks : {false, true}) {
            SCOPED_TRACE(each.edits.front() + (looks ? ", looks" : ""));
            clock.set(start);
            meeting(30 * minute, 90 * minute);
            sql("INSERT INTO participant (id, meeting_id, participant_id, role) VALUES (-7, 'm', 'ann', 'publisher')");
            participant("bob", "subscriber");
            settle();
            const std::string session = credentials().at("bob").session_id;
            clock.set(start + each.at);
            for (std::string const& edit : each.edits) {
                sql("PRAGMA ignore_check_constraints = 1; " + edit);
                if (looks)
                    settle();
            }
            settle();
            EXPECT_EQ(credentials().at("bob").session_id != session, each.replaced);
            sql("DELETE FROM participant; DELETE FROM meeting; DELETE FROM session; DELETE FROM token; "
                "DELETE FROM token_past; DELETE FROM agenda; DELETE FROM removal");
        }
}

TEST_F(Provisioning, ALiveEditOfAMeetingThatIsMovedAheadIsServedWheneverUsherLooks)
{
    for (const bool looks : {false, true}) {
        clock.set(start);
        ready_meeting();
        const std::string session = credentials().at("ann").session_id;
        clock.set(start + 20min);
        sql("UPDATE meeting SET archive_mode = 'always'");
        if (looks)
            settle();
        sql("UPDATE meeting SET starts_at = starts_at + 360"); // opens at 21 minutes
        if (looks)
            settle();
        clock.set(start + 21min);
        restart();
        settle();
        EXPECT_NE(credentials().at("ann").session_id, session) << looks;
        EXPECT_EQ(status(), "ready|") << looks;
        sql("DELETE FROM participant; DELETE FROM meeting; DELETE FROM session; DELETE FROM token; DELETE FROM agenda");
    }
}

TEST_F(Provisioning, RowsOfOthersInRemovalStopNobody)
{
    policy.replace_on_removal = true;
    restart();
    ready_meeting();
    sql("INSERT INTO removal VALUES ('m', printf('%.1000001c', 'B')), ('m', x'ff1b'), (x'00', 1)");
    meeting(30 * minute, 90 * minute, "other");
    participant("eve", "publisher", "other");
    sql("UPDATE meeting SET title = 'x'");
    settle();
    EXPECT_EQ(credentials("other").size(), 1U);
    sql("DELETE FROM participant WHERE participant_id = 'ann'");
    const std::string session = credentials().at("bob").session_id;
    settle();
    EXPECT_NE(credentials().at("bob").session_id, session);
    EXPECT_EQ(text("SELECT count(*) FROM removal WHERE meeting_id = 'm'"), "0");
}

TEST_F(Provisioning, WhoWasRemovedFromTheLastTimeSplitsNoMeetingThatIsMovedToTheNext)
{
    policy.replace_on_removal = true;
    restart();
    ready_meeting(); // opens at 15 minutes, closes at 1 h 45 min
    const std::string session = text("SELECT session_no FROM agenda");
    clock.set(start + 20min);
    sql("DELETE FROM participant WHERE participant_id = 'bob'");
    settle();
    ASSERT_EQ(text("SELECT session_no FROM agenda"), session);
    sql("UPDATE meeting SET starts_at = starts_at + 10800, ends_at = ends_at + 10800");
    sql("DELETE FROM participant");
    participant("ann");                                       // as a sync does that writes all rows again
    for (const std::chrono::minutes look : {30min, 200min}) { // before and after it opens
        clock.set(start + look);
        settle();
        EXPECT_EQ(text("SELECT session_no FROM agenda"), session);
        restart();
    }
}

TEST_F(Provisioning, WhatStoodWhenTheMeetingOpenedCountsNotThatItWasWritten)
{
    const std::string again = "INSERT OR REPLACE INTO meeting SELECT * FROM meeting";
    const std::string there_and_back =
        "UPDATE meeting SET location = '203.0.113.7'; UPDATE meeting SET location = NULL";
    const std::string all_options =
        "UPDATE meeting SET media_mode = 'routed', archive_mode = 'manual', archive_name = NULL, e2ee = 0";
    for (std::string const& early : {again, there_and_back, all_options}) {
        SCOPED_TRACE(early);
        clock.set(start);
        ready_meeting(); // opens at 15 minutes
        const std::string session = credentials().at("ann").session_id;
        clock.set(start + 15min - 1s);
        sql(early);
        clock.set(start + 20min);
        sql("UPDATE meeting SET archive_mode = 'always'");
        restart();
        settle();
        EXPECT_EQ(credentials().at("ann").session_id, session);
        EXPECT_EQ(status(), "ready|session_kept");
        sql("DELETE FROM participant; DELETE FROM meeting; DELETE FROM session; DELETE FROM token; DELETE FROM agenda");
    }
}

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
    for (std::string const forgery :
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

class Restores : public Provisioning {
protected:
    /// What a follower knows, who starts anew whenever `restores` has changed.
    void follow()
    {
        const std::string now = text("SELECT restores FROM usher_status");
        if (now != restores) {
            known.clear();
            last = 0;
        }
        restores = now;
        SQLite::Statement query{
            *platform, "SELECT meeting_id, state, seq FROM meeting_status WHERE seq > ? ORDER BY seq"};
        query.bind(1, last);
        while (query.executeStep()) {
            known[query.getColumn(0).getString()] = query.getColumn(1).getString();
            last = query.getColumn(2).getInt64();
        }
    }

    std::string restores = "0";
    std::int64_t last = 0;
    std::map<std::string, std::string> known;
};

TEST_F(Restores, AreToldToFollowersWhetherUsherRunsOrNot)
{
    for (const bool running : {false, true}) {
        SCOPED_TRACE(running);
        ready_meeting();
        follow();
        EXPECT_EQ(known["m"], "ready");
        const std::string before = text("SELECT restores FROM usher_status");
        const std::string copy = path + ".copy";
        std::filesystem::remove(copy);
        sql("VACUUM INTO '" + copy + "'");
        sql("UPDATE meeting SET status = 'cancelled'");
        settle();
        follow();
        EXPECT_EQ(known["m"], "cancelled");

        if (!running) {
            stop();
        }
        platform->backup(copy.c_str(), SQLite::Database::BackupType::Load);
        if (running) {
            sql("UPDATE meeting SET title = 'any edit' WHERE id = 'm'");
            settle();
            EXPECT_TRUE(provisioner->take_sweep_wish());
            reconcile();
        } else {
            restart();
        }
        settle();
        EXPECT_EQ(text("SELECT restores FROM usher_status"), std::to_string(std::stoi(before) + 1));
        follow();
        EXPECT_EQ(known["m"], "ready");
        sql("DELETE FROM participant; DELETE FROM meeting");
        settle();
    }
}

/// The second time the copy says again how often rows had come back when it was made.
TEST_F(Restores, OfTheSameCopyAreToldEachTime)
{
    ready_meeting();
    const std::string copy = path + ".copy";
    sql("VACUUM INTO '" + copy + "'");
    std::set<std::string> told{text("SELECT restores FROM usher_status")};
    for (const bool running : {false, false, true, true, false}) {
        sql("UPDATE meeting SET ends_at = ends_at + 60");
        settle();
        if (!running)
            stop();
        platform->backup(copy.c_str(), SQLite::Database::BackupType::Load);
        if (running)
            sql("UPDATE meeting SET title = 'any edit'");
        else
            restart();
        settle();
        EXPECT_TRUE(told.insert(text("SELECT restores FROM usher_status")).second) << *told.rbegin();
    }
}

TEST_F(Restores, ADatabaseThatWasOnlyRestartedTellsNothing)
{
    ready_meeting();
    for (int i = 0; i < 3; ++i) {
        restart();
        sql("UPDATE meeting SET title = title || 'x', ends_at = ends_at + 60");
        settle();
    }
    EXPECT_EQ(text("SELECT restores FROM usher_status"), "0");
    std::filesystem::remove(path + ".mark");
    restart();
    EXPECT_EQ(text("SELECT restores FROM usher_status"), "1");
}

class CredentialHistory : public Provisioning {
protected:
    /// Person, role, why it was given, and why it was withdrawn.
    std::string history(std::string const& where = "1")
    {
        return text(
            "SELECT participant_id, role, reason, COALESCE(withdrawn_reason, 'is shown') FROM credential_history "
            "WHERE " +
            where + " ORDER BY issued_at, participant_id, withdrawn_at IS NULL, withdrawn_at"
        );
    }
};

TEST_F(CredentialHistory, TellsEachTokenOfAPersonAndOfAMeeting)
{
    ready_meeting();
    EXPECT_EQ(text("SELECT count(*) FROM token_past"), "0");
    EXPECT_EQ(history(), "ann|publisher|issued|is shown\nbob|subscriber|issued|is shown");
    clock.advance(1min);
    sql("UPDATE participant SET role = 'moderator' WHERE participant_id = 'ann'");
    settle();
    clock.advance(1min);
    sql("DELETE FROM participant WHERE participant_id = 'bob'");
    settle();
    EXPECT_EQ(
        history("meeting_id = 'm'"), "ann|publisher|issued|role_changed\nbob|subscriber|issued|removed\n"
                                     "ann|moderator|role_changed|is shown"
    );
    EXPECT_EQ(
        text("SELECT withdrawn_at FROM credential_history WHERE withdrawn_reason = 'removed'"),
        std::to_string(unix_seconds(clock.now()))
    );
    clock.advance(1min);
    sql("UPDATE meeting SET status = 'cancelled'");
    settle();
    EXPECT_EQ(
        history("participant_id = 'ann'"), "ann|publisher|issued|role_changed\nann|moderator|role_changed|cancelled"
    );
    clock.advance(policy.retention + 3h);
    settle();
    EXPECT_EQ(history(), "");
    EXPECT_EQ(text("SELECT count(*) FROM token_past"), "0");
}

TEST_F(CredentialHistory, HasNothingThatNobodyWasGiven)
{
    meeting(30 * minute, 90 * minute);
    participant("ann");
    settle();
    sql("INSERT INTO request (action, meeting_id) VALUES ('replace_session', 'm')");
    settle();
    EXPECT_EQ(history("1"), "ann|publisher|issued|session_replaced\nann|publisher|issued|is shown");
    sql("INSERT INTO block (meeting_id, participant_id) VALUES ('m', 'ann')");
    settle();
    EXPECT_EQ(history("withdrawn_reason = 'blocked'"), "ann|publisher|issued|blocked");
}

TEST_F(Provisioning, CancellingWithdrawsWithTheCommitItselfAndRestoringMakesANewSession)
{
    ready_meeting();
    const std::string session = credentials().at("ann").session_id;

    sql("UPDATE meeting SET status = 'cancelled'");
    EXPECT_TRUE(credentials().empty());
    settle();
    EXPECT_EQ(status(), "cancelled|cancelled");
    EXPECT_EQ(text("SELECT count(*) FROM token"), "0");

    sql("UPDATE meeting SET status = 'scheduled'");
    EXPECT_TRUE(credentials().empty());
    settle();
    EXPECT_NE(credentials().at("ann").session_id, session);
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

TEST_F(Provisioning, ACancellationIsRememberedWhenBothEditsFallBetweenTwoPasses)
{
    ready_meeting();
    const std::string session = credentials().at("ann").session_id;

    sql("UPDATE meeting SET status = 'cancelled'");
    sql("UPDATE meeting SET status = 'scheduled'");
    EXPECT_TRUE(credentials().empty());
    settle();

    EXPECT_NE(credentials().at("ann").session_id, session);
    EXPECT_EQ(text("SELECT count(*) FROM token"), "2");
}

TEST_F(Provisioning, ACancellationByReplaceIsRememberedToo)
{
    ready_meeting();
    const std::string session = credentials().at("ann").session_id;
    const std::string row = "INSERT OR REPLACE INTO meeting (id, starts_at, ends_at, status) VALUES ('m', " +
                            std::to_string(unix_seconds(start) + 30 * minute) + ", " +
                            std::to_string(unix_seconds(start) + 90 * minute) + ", ";

    sql(row + "'cancelled')");
    EXPECT_TRUE(credentials().empty());
    sql(row + "'scheduled')");
    EXPECT_TRUE(credentials().empty());
    settle();

    EXPECT_NE(credentials().at("ann").session_id, session);
}

TEST_F(Provisioning, ReplacesOnlyTheTokenOfWhomTheChangeConcerns)
{
    ready_meeting();
    const auto before = credentials();

    sql("UPDATE participant SET role = 'moderator' WHERE participant_id = 'ann'");
    EXPECT_FALSE(credentials().contains("ann")); // the commit itself withdraws the old role
    settle();
    EXPECT_EQ(credentials().at("ann").role, "moderator");
    EXPECT_EQ(reason("ann"), std::to_string(static_cast<int>(TokenReason::role_changed)));

    for (std::string const column : {"connection_data", "layout_classes"}) {
        const std::string token = credentials().at("ann").token;
        sql("UPDATE participant SET " + column + " = 'focus' WHERE participant_id = 'ann'");
        settle();
        EXPECT_NE(credentials().at("ann").token, token);
        EXPECT_EQ(reason("ann"), std::to_string(static_cast<int>(TokenReason::details_changed)));
    }
    EXPECT_EQ(credentials().at("bob"), before.at("bob"));
}

TEST_F(Provisioning, AnEditThatIsTakenBackChangesNothing)
{
    ready_meeting();
    const auto before = credentials();
    sql("UPDATE participant SET role = 'moderator' WHERE participant_id = 'ann'");
    sql("UPDATE participant SET role = 'publisher' WHERE participant_id = 'ann'");
    settle();
    EXPECT_EQ(credentials(), before);
}

TEST_F(Provisioning, AddsAndRemovesDuringTheMeeting)
{
    ready_meeting();
    clock.set(start + 40min);
    participant("eve");
    settle();
    EXPECT_EQ(credentials().size(), 3U);

    sql("DELETE FROM participant WHERE participant_id = 'eve'");
    EXPECT_EQ(credentials().size(), 2U);
    settle();
    EXPECT_EQ(text("SELECT count(*) FROM token"), "2");
}

TEST_F(Provisioning, ChangedOptionsMakeANewSessionBeforeOpensAndAreOnlyNotedAfter)
{
    ready_meeting(); // opens at 15 minutes
    const std::string first = credentials().at("ann").session_id;
    sql("UPDATE meeting SET media_mode = 'relayed'");
    settle();
    const std::string second = credentials().at("ann").session_id;
    EXPECT_NE(second, first);
    EXPECT_EQ(text("SELECT count(*) FROM token"), "2"); // those of the first session are deleted

    clock.set(start + 15min);
    sql("UPDATE meeting SET media_mode = 'routed', archive_mode = 'always'");
    settle();
    EXPECT_EQ(credentials().at("ann").session_id, second);
    EXPECT_EQ(status(), "ready|session_kept");
}

TEST_F(Provisioning, AChangedProjectMovesTheMeetingBeforeOpensOnly)
{
    ready_meeting();
    sql("UPDATE meeting SET project = 'second'");
    settle();
    EXPECT_EQ(text("SELECT DISTINCT project, project_key FROM join_credential"), "second|654321");

    clock.set(start + 20min);
    sql("UPDATE meeting SET project = 'default'");
    settle();
    EXPECT_EQ(text("SELECT DISTINCT project, project_key FROM join_credential"), "second|654321");
    EXPECT_EQ(status(), "ready|session_kept");
}

TEST_F(Provisioning, WhatCameBeforeOpensIsServedAsSuchHoweverLateItIsLookedAt)
{
    policy.replace_on_removal = true;
    restart();
    const std::string title = "UPDATE meeting SET title = 'another' WHERE id = 'm'";
    const std::string added =
        "INSERT INTO participant (meeting_id, participant_id, role) VALUES ('m', 'eve', 'publisher')";
    const std::string again =
        "INSERT OR REPLACE INTO meeting (id, starts_at, ends_at, media_mode, project) SELECT id, starts_at, ends_at, "
        "media_mode, project FROM meeting";
    struct Case {
        std::string edit;
        std::string later;
    };
    for (auto const& [edit, later] :
         {Case{"UPDATE meeting SET media_mode = 'relayed'", again},
          Case{
              "DELETE FROM participant WHERE participant_id = 'bob'",
              "DELETE FROM participant WHERE participant_id = 'x'; " + again},
          Case{"UPDATE meeting SET media_mode = 'relayed'", ""},
          Case{"UPDATE meeting SET media_mode = 'relayed'", title},
          Case{"UPDATE meeting SET project = 'second'", added},
          Case{"UPDATE meeting SET archive_name = 'b', archive_mode = 'always'", ""},
          Case{"UPDATE meeting SET session_id = NULL, e2ee = 1", ""},
          Case{
              "INSERT OR REPLACE INTO meeting (id, starts_at, ends_at, location) SELECT id, starts_at, ends_at, "
              "'203.0.113.7' FROM meeting",
              title},
          Case{"DELETE FROM participant WHERE participant_id = 'bob'", added},
          Case{"UPDATE participant SET participant_id = 'ben' WHERE participant_id = 'bob'", title},
          Case{
              "INSERT OR REPLACE INTO participant (id, meeting_id, participant_id, role) SELECT id, 'other', 'x', "
              "'publisher' "
              "FROM participant WHERE participant_id = 'bob'",
              ""}})
        for (const bool before : {true, false}) {
            SCOPED_TRACE(edit + (before ? " before" : " after"));
            clock.set(start);
            ready_meeting(); // opens at 15 minutes
            const std::string session = credentials().at("ann").session_id;
            clock.set(start + 15min - (before ? 1s : 0s));
            sql(edit);
            clock.set(start + 20min);
            if (!later.empty())
                sql(later);
            restart();
            settle();
            EXPECT_EQ(credentials().at("ann").session_id != session, before);
            const std::string settled = credentials().at("ann").session_id;
            sql(title);
            settle();
            EXPECT_EQ(credentials().at("ann").session_id, settled);
            sql("DELETE FROM participant; DELETE FROM meeting; DELETE FROM session; DELETE FROM token; "
                "DELETE FROM agenda");
        }
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
    for (std::string const id :
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

TEST_F(Provisioning, AnUnknownProjectFailsAndIsPickedUpOnceItExists)
{
    second_project = false;
    restart();
    meeting(30 * minute, 90 * minute);
    participant("ann");
    sql("UPDATE meeting SET project = 'second'");
    settle();
    EXPECT_EQ(status(), "failed|unknown_project");

    second_project = true;
    restart();
    settle();
    EXPECT_EQ(status(), "ready|");
}

TEST_F(Provisioning, DeletingWithdrawsAndPurgesAfterRetention)
{
    ready_meeting();
    sql("DELETE FROM meeting");
    EXPECT_TRUE(credentials().empty());
    settle();
    EXPECT_EQ(status(), "cancelled|deleted");
    EXPECT_EQ(text("SELECT count(*) FROM token"), "0");
    sql("DELETE FROM participant");
    settle();

    clock.advance(policy.retention - 1s);
    settle();
    EXPECT_EQ(text("SELECT count(*) FROM session"), "1");
    clock.advance(1s);
    settle();
    EXPECT_EQ(
        text("SELECT (SELECT count(*) FROM session) + (SELECT count(*) FROM agenda) + "
             "(SELECT count(*) FROM history)"),
        "0"
    );
}

TEST_F(Provisioning, ReplaceChangesNothingUnderEitherSetting)
{
    ready_meeting();
    const auto before = credentials();
    for (std::string const recursive : {"ON", "OFF"})
        for (std::string const foreign : {"ON", "OFF"}) {
            sql("PRAGMA recursive_triggers = " + recursive);
            sql("PRAGMA foreign_keys = " + foreign);
            meeting(30 * minute, 90 * minute, "m", "INSERT OR REPLACE");
            participant("ann", "publisher", "m", "INSERT OR REPLACE");
            settle();
            EXPECT_EQ(credentials(), before);
        }
}

TEST_F(Provisioning, ARenamedMeetingIsWithdrawnAndProvisionedAnew)
{
    ready_meeting();
    const std::string session = credentials().at("ann").session_id;
    sql("UPDATE meeting SET id = 'n'");
    EXPECT_TRUE(credentials("m").empty());
    sql("UPDATE participant SET meeting_id = 'n'");
    settle();
    EXPECT_EQ(credentials("n").size(), 2U);
    EXPECT_NE(credentials("n").at("ann").session_id, session);
    EXPECT_EQ(status("m"), "cancelled|deleted");
}

TEST_F(Provisioning, ParticipantsMayComeBeforeTheirMeeting)
{
    participant("ann");
    settle();
    EXPECT_EQ(status(), "waiting|no_meeting");
    meeting(30 * minute, 90 * minute);
    settle();
    EXPECT_EQ(credentials().size(), 1U);
}

TEST_F(Provisioning, OneUnusableParticipantDoesNotStopTheOthers)
{
    ready_meeting();
    sql("UPDATE participant SET connection_data = CAST(x'ff41' AS TEXT) WHERE participant_id = 'ann'");
    settle();
    EXPECT_EQ(status(), "ready|participant_problems");
    EXPECT_EQ(text("SELECT participant_id, reason FROM participant_problem"), "ann|connection_data_not_utf8");
    EXPECT_FALSE(credentials().contains("ann"));
    EXPECT_TRUE(credentials().contains("bob"));

    sql("UPDATE participant SET connection_data = 'fine' WHERE participant_id = 'ann'");
    settle();
    EXPECT_EQ(status(), "ready|");
    EXPECT_EQ(text("SELECT count(*) FROM participant_problem"), "0");
    EXPECT_TRUE(credentials().contains("ann"));
}

TEST_F(Provisioning, RequestsAreDoneAndMarkedDone)
{
    ready_meeting();
    const auto before = credentials();
    sql("INSERT INTO request (action, meeting_id) VALUES ('rotate', 'm')");
    settle();
    EXPECT_NE(credentials().at("ann").token, before.at("ann").token);
    EXPECT_EQ(credentials().at("ann").session_id, before.at("ann").session_id);
    EXPECT_EQ(
        text("SELECT state, detail FROM request_result WHERE request_id = 1"),
        "done|1 meeting looked at, 0 sessions replaced, 2 tokens signed"
    );

    sql("INSERT INTO request (action, project) VALUES ('replace_session', 'default')");
    settle();
    EXPECT_NE(credentials().at("ann").session_id, before.at("ann").session_id);
    EXPECT_EQ(
        text("SELECT state, detail FROM request_result WHERE request_id = 2"),
        "done|1 meeting looked at, 1 session replaced, 2 tokens signed"
    );

    sql("INSERT INTO request (action, meeting_id) VALUES ('retry', 'nobody knows')");
    settle();
    EXPECT_EQ(
        text("SELECT state, detail FROM request_result WHERE request_id = 3"),
        "refused|there is no meeting \"nobody knows\""
    );
}

TEST_F(Provisioning, RotatesBeforeLessThanTheMarginIsLeft)
{
    meeting(30 * minute, 10 * day);
    participant("ann");
    settle();
    const std::string first = credentials().at("ann").token;
    const sys_seconds expires = from_unix(credentials().at("ann").expires_at);
    EXPECT_EQ(expires, start - 10s + 24h);

    clock.set(expires - policy.rotation_margin - policy.max_token_life / 12 - 1s);
    settle();
    EXPECT_EQ(credentials().at("ann").token, first);
    clock.set(expires - policy.rotation_margin);
    settle();
    EXPECT_NE(credentials().at("ann").token, first);
    EXPECT_EQ(reason("ann"), std::to_string(static_cast<int>(TokenReason::rotated)));
}

TEST_F(Provisioning, AShorterLifeAndANewSecretReachEveryToken)
{
    meeting(30 * minute, 10 * day);
    participant("ann");
    settle();

    policy.max_token_life = 6h;
    policy.rotation_margin = 2h;
    restart();
    settle();
    EXPECT_EQ(reason("ann"), std::to_string(static_cast<int>(TokenReason::policy_changed)));
    EXPECT_EQ(credentials().at("ann").expires_at, unix_seconds(start) - 10 + 6 * hour);

    secret = "another";
    restart();
    settle();
    EXPECT_EQ(reason("ann"), std::to_string(static_cast<int>(TokenReason::key_changed)));
}

TEST_F(Provisioning, TakesNewProjectsWithoutANewStart)
{
    ready_meeting();
    std::vector<Project> changed;
    changed.push_back(sandbox("default", "123456", policy, "another secret"));
    ProvisioningSettings settings;
    settings.base = policy;

    provisioner->configure(std::move(changed), settings);
    reconcile();
    settle();

    EXPECT_EQ(reason("ann"), std::to_string(static_cast<int>(TokenReason::key_changed)));
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

TEST_F(Provisioning, ACancelledMeetingFollowsThePolicyToo)
{
    ready_meeting();
    sql("UPDATE meeting SET status = 'cancelled'");
    settle();
    policy.grace += 60s;
    restart();
    settle();
    EXPECT_EQ(
        text("SELECT closes_at - ends_at FROM meeting JOIN meeting_status ON meeting_id = id"),
        std::to_string(policy.grace.count())
    );
}

TEST_F(Provisioning, WhatWasWrongWithAPersonIsNotToldOnceTheMeetingHasEnded)
{
    ready_meeting();
    sql("UPDATE participant SET connection_data = CAST(x'ff' AS TEXT) WHERE participant_id = 'ann'");
    settle();
    const std::string standing = "SELECT state, reason, detail FROM participant_status WHERE participant_id = 'ann'";
    EXPECT_EQ(text(standing), "failed|connection_data_not_utf8|connection_data is not UTF-8.");
    clock.advance(24h);
    EXPECT_EQ(text(standing), "ended||");
    settle();
    EXPECT_EQ(text(standing), "ended||");
}

TEST_F(Provisioning, TokensFromTheFutureAreSignedAnewAfterTheClockWasSetBack)
{
    ready_meeting();
    clock.set(start - 5min);
    restart();
    settle();
    EXPECT_EQ(reason("ann"), std::to_string(static_cast<int>(TokenReason::clock_changed)));
}

TEST_F(Provisioning, AClockStepThatIsTakenBackLosesNothing)
{
    ready_meeting();
    const auto before = credentials();
    clock.set(start + std::chrono::days{365});
    reconcile();
    settle();
    EXPECT_EQ(status(), "ended|");

    clock.set(start + 1min);
    reconcile();
    settle();

    EXPECT_EQ(status(), "ready|");
    EXPECT_EQ(credentials().size(), 2U);
    EXPECT_EQ(credentials().at("ann").expires_at, before.at("ann").expires_at);
}

TEST_F(Provisioning, EndedMeetingsLoseTheirTokensAndTheirSessionAfterRetention)
{
    ready_meeting();
    clock.advance(105min);
    settle();
    EXPECT_EQ(text("SELECT (SELECT count(*) FROM token), (SELECT count(*) FROM session)"), "0|1");
    clock.advance(policy.retention);
    settle();
    EXPECT_EQ(text("SELECT count(*) FROM session"), "0");
    EXPECT_EQ(text("SELECT count(*) FROM meeting"), "1");
}

TEST_F(Provisioning, ThePastOfAMeetingThatLivesGoesAfterRetention)
{
    ready_meeting();
    sql("UPDATE meeting SET ends_at = starts_at + 200 * 86400");
    settle();
    for (int i = 0; i < 3; ++i) {
        clock.advance(1h);
        sql("INSERT INTO request (action, meeting_id) VALUES ('replace_session', 'm')");
        sql("UPDATE participant SET role = 'publisher' WHERE participant_id = 'ann'");
        settle();
        sql("UPDATE participant SET role = 'moderator' WHERE participant_id = 'ann'");
        settle();
    }
    const auto past = [&](std::string const& rest) { return text("SELECT count(*) FROM token_past" + rest); };
    const std::string last = text("SELECT max(withdrawn_at) FROM token_past");
    ASSERT_EQ(text("SELECT count(*) FROM session"), "4");

    clock.advance(sys_seconds{seconds{std::stoll(last)}} + policy.retention - clock.now());
    settle();
    reconcile();
    EXPECT_EQ(past(" WHERE withdrawn_at < " + last), "0");
    EXPECT_NE(past(" WHERE withdrawn_at = " + last), "0");

    clock.advance(1s);
    reconcile(); // the tokens,
    reconcile(); // and what they were of
    EXPECT_EQ(past(" WHERE withdrawn_at <= " + last), "0");
    EXPECT_EQ(text("SELECT count(*), sum(session_no IN (SELECT session_no FROM agenda)) FROM session"), "1|1");
    EXPECT_EQ(text("SELECT count(*) FROM history WHERE at <= " + last), "0");
    settle();
    EXPECT_TRUE(credentials().contains("ann"));

    // What is deleted now has no place in a chain.
    sql("UPDATE participant SET role = 'publisher' WHERE participant_id = 'ann'");
    settle();
    sql("DELETE FROM participant; DELETE FROM meeting");
    clock.advance(policy.retention + 1h);
    settle();
    clock.advance(policy.retention + 1h);
    settle();
    EXPECT_EQ(
        text("SELECT (SELECT count(*) FROM session), (SELECT count(*) FROM token_past), "
             "(SELECT count(*) FROM history)"),
        "0|0|0"
    );
}

TEST_F(Provisioning, ThePastIsTakenAwayInSlices)
{
    ready_meeting();
    sql("UPDATE meeting SET ends_at = starts_at + 200 * 86400");
    settle();
    // As after months of edits.
    sql("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
        "INSERT INTO token_past SELECT session_no, 'ann', i, 1, 2, 1, 2, 3, 8 FROM n, agenda");
    sql("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
        "INSERT INTO history (at, meeting_no, event) SELECT 1, meeting_no, 'ready' FROM n, agenda");
    sql("UPDATE session SET has_past = 1");
    clock.advance(40min);
    settle();
    // Rows that usher never wrote are passed over, and the search has an end.
    sql("INSERT INTO token_past SELECT 1.5, 'ann', 1, 1, 2, 1, 2, 2, 8; "
        "INSERT INTO token_past SELECT 'x', 'ann', 1, 1, 2, 1, 2, 2, 8");
    sql("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) "
        "INSERT INTO token_past SELECT session_no, x'00', i, 1, 2, 1, 2, 2, 8 FROM n, agenda");
    std::size_t most = 0;
    for (Store::Outdated::Cursor place{}; place.table != Store::Outdated::OldTable::none;) {
        const Store::Outdated found = rows().find_outdated(place, clock.now() - policy.retention, 100);
        most = std::max(most, found.rows.size());
        place = found.next;
        rows().remove(found);
    }
    EXPECT_EQ(most, 100);
    EXPECT_EQ(
        text("SELECT (SELECT count(*) FROM token_past WHERE withdrawn_at = 3), (SELECT count(*) FROM history "
             "WHERE at = 1)"),
        "0|0"
    );
    settle();
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
    std::filesystem::create_directory(path + ".key");
    participant("fay");
    settle();
    EXPECT_TRUE(credentials().contains("fay"));
    std::filesystem::remove(path + ".key");
    participant("gus");
    settle();
    EXPECT_EQ(read_key(), key);
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

TEST_F(Provisioning, APassThatFailedIsMadeUpForByTheNext)
{
    ready_meeting();
    participant("eve");
    // The platform takes the write lock between the daemon's reading and its publish, and keeps it.
    random.before_next = [&] { sql("BEGIN IMMEDIATE"); };
    EXPECT_THROW(pass(), DatabaseBusy);
    sql("COMMIT");
    EXPECT_FALSE(credentials().contains("eve"));

    settle();

    EXPECT_TRUE(credentials().contains("eve"));
    EXPECT_EQ(status(), "ready|");
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

TEST_F(Provisioning, ABlockTakesTheCredentialWithThePlatformsOwnCommitAndHoldsAgainstAnySync)
{
    ready_meeting();
    sql("INSERT INTO block (meeting_id, participant_id, reason) VALUES ('m', 'bob', 'asked to leave')");
    EXPECT_FALSE(credentials().contains("bob"));
    EXPECT_TRUE(credentials().contains("ann"));
    EXPECT_EQ(
        text("SELECT state, reason, detail FROM participant_status WHERE participant_id = 'bob'"),
        "cancelled|blocked|asked to leave"
    );
    settle();
    EXPECT_EQ(text("SELECT count(*) FROM token WHERE participant_id = 'bob'"), "0");
    EXPECT_EQ(status("m"), "ready|");
    sql("DELETE FROM participant");
    settle();
    participant("ann");
    participant("bob");
    settle();
    EXPECT_FALSE(credentials().contains("bob"));
    EXPECT_TRUE(credentials().contains("ann"));
    sql("DELETE FROM block");
    settle();
    EXPECT_TRUE(credentials().contains("bob"));
    EXPECT_TRUE(violations().empty());
}

TEST_F(Provisioning, ReplacingABlockOrAParticipantByItsKeyMarksTheMeetingThatLosesTheRow)
{
    meeting(30 * minute, 90 * minute, "other");
    participant("eve", "publisher", "other");
    ready_meeting();
    sql("INSERT INTO block (id, meeting_id, participant_id) VALUES (7, 'm', 'bob')");
    settle();
    EXPECT_FALSE(credentials().contains("bob"));
    sql("REPLACE INTO block (id, meeting_id, participant_id) VALUES (7, 'other', 'eve')");
    settle();
    EXPECT_TRUE(credentials().contains("bob"));
    EXPECT_EQ(text("SELECT count(*) FROM join_credential WHERE meeting_id = 'other'"), "0");
    sql("REPLACE INTO participant (id, meeting_id, participant_id, role) "
        "SELECT id, 'other', 'gus', 'publisher' FROM participant WHERE participant_id = 'bob'");
    settle();
    EXPECT_EQ(text("SELECT count(*) FROM token WHERE participant_id = 'bob'"), "0");
    EXPECT_EQ(text("SELECT participant_id FROM join_credential WHERE meeting_id = 'other'"), "gus");
}

TEST_F(Provisioning, AnAdoptedSessionServesEveryMeetingThatNamesIt)
{
    const std::string adopt = " SET session_id = 'the-room'";
    meeting(30 * minute, 90 * minute, "a");
    meeting(30 * minute, 90 * minute, "b");
    participant("ann", "publisher", "a");
    participant("ann", "publisher", "b");
    sql("UPDATE meeting" + adopt);
    settle();
    EXPECT_EQ(text("SELECT meeting_id, session_id FROM join_credential ORDER BY 1"), "a|the-room\nb|the-room");
    EXPECT_EQ(text("SELECT count(*) FROM session WHERE adopted = 1"), "2");
    EXPECT_TRUE(violations().empty());
    sql("UPDATE meeting SET session_id = 'another' WHERE id = 'a'");
    settle();
    EXPECT_EQ(text("SELECT meeting_id, session_id FROM join_credential ORDER BY 1"), "a|another\nb|the-room");
    sql("UPDATE meeting SET session_id = NULL WHERE id = 'b'");
    settle();
    EXPECT_EQ(text("SELECT count(*) FROM join_credential WHERE meeting_id = 'b' AND session_id <> 'the-room'"), "1");
    EXPECT_TRUE(violations().empty());
}

TEST_F(Provisioning, ASessionOfAnotherProjectIsAReasonAndNotServed)
{
    ready_meeting();
    // 1_MX45OTk5OTl-… reads 1~999999~…: another API key.
    sql("UPDATE meeting SET session_id = '1_MX45OTk5OTl-fjE3NzI0NDIwMDAwMDB-YWJjZGVmZ2h-fn4'");
    settle();
    EXPECT_EQ(text("SELECT count(*) FROM join_credential"), "0");
    EXPECT_EQ(status("m"), "failed|session_of_another_project");
    sql("UPDATE meeting SET session_id = NULL");
    settle();
    EXPECT_EQ(status("m"), "ready|");
    EXPECT_TRUE(violations().empty());
}

TEST_F(Provisioning, AMeetingsOwnEarlyJoinAndGraceComeBeforeThePolicys)
{
    ready_meeting();
    sql("UPDATE meeting SET early_join = 60, grace = 0");
    settle();
    EXPECT_EQ(
        text("SELECT a.opens - m.starts_at, a.closes - m.ends_at, c.opens_at - m.starts_at, c.expires_at - m.ends_at "
             "FROM agenda a JOIN meeting m ON m.id = a.meeting_id JOIN join_credential c USING (meeting_id) LIMIT 1"),
        "-60|0|-60|0"
    );
    EXPECT_TRUE(violations().empty());
}

TEST_F(Provisioning, SeqMovesWithEveryChangeOfWhatIsPublished)
{
    ready_meeting();
    const auto seq = [&] { return std::stoll(text("SELECT max(seq) FROM meeting_status")); };
    std::int64_t last = seq();
    for (std::string const edit :
         {"UPDATE participant SET role = 'moderator' WHERE participant_id = 'ann'",
          "DELETE FROM participant WHERE participant_id = 'bob'", "UPDATE meeting SET status = 'cancelled'",
          "UPDATE meeting SET status = 'scheduled'"}) {
        sql(edit);
        settle();
        EXPECT_GT(seq(), last) << edit;
        last = seq();
    }
    settle();
    EXPECT_EQ(seq(), last);
}

/// A token for each participant of a meeting that a daemon has read and is about to publish.
class BetweenReadAndPublish : public Provisioning {
protected:
    void read()
    {
        seen = rows().seen();
        meetings = {*rows().read_one("m")};
        tokens.clear();
        planned = plan(meetings[0], provisioner->projects(), clock.now());
        session = *meetings[0].published;
        for (SignStep const& step : planned.sign)
            tokens.push_back({step.participant, "token", step.reason, clock.now(), clock.now() + 1h, 1});
    }

    PublishCounts publish()
    {
        Publication publication{&meetings[0], &planned, seen, &session, "key", tokens};
        return rows().publish({&publication, 1}, clock.now()).counts;
    }

    std::int64_t due_at() { return std::stoll(text("SELECT due_at FROM agenda WHERE meeting_id = 'm'")); }

    Seen seen;
    std::vector<MeetingSnapshot> meetings;
    Plan planned;
    SessionRow session;
    std::vector<SignedToken> tokens;
};

TEST_F(BetweenReadAndPublish, AnEditIsNotOverrun)
{
    ready_meeting();
    participant("eve", "moderator");
    read();
    ASSERT_EQ(tokens.size(), 1U);
    sql("DELETE FROM participant WHERE participant_id = 'eve'");

    const PublishCounts counts = publish();

    EXPECT_EQ(counts.skipped, 1U);
    EXPECT_EQ(counts.settled, 0U);
    EXPECT_EQ(text("SELECT count(*) FROM token WHERE participant_id = 'eve'"), "0");
    EXPECT_EQ(status(), "pending|");
    settle();
    EXPECT_EQ(status(), "ready|");
}

TEST_F(BetweenReadAndPublish, AnEditOfAMeetingThatTimeMadeDueIsNotOverrun)
{
    ready_meeting();
    sql("UPDATE agenda SET due_at = 5, generation = 1"); // all are to be signed anew
    read();
    ASSERT_EQ(tokens.size(), 2U);
    sql("UPDATE participant SET role = 'moderator' WHERE participant_id = 'bob'");

    const PublishCounts counts = publish();

    EXPECT_EQ(counts.tokens, 1U);
    EXPECT_EQ(counts.skipped, 1U);
    EXPECT_EQ(counts.settled, 0U);
    EXPECT_EQ(due_at(), 0);
}

TEST_F(BetweenReadAndPublish, WhatOthersWriteElsewhereDoesNotMatter)
{
    ready_meeting();
    participant("eve");
    read();
    sql("INSERT INTO meeting (id, starts_at, ends_at) VALUES ('another', 1800000001, 1800000002)");

    const PublishCounts counts = publish();

    EXPECT_EQ(counts.tokens, 1U);
    EXPECT_EQ(counts.settled, 1U);
    EXPECT_GT(due_at(), 0);
}

TEST_F(BetweenReadAndPublish, TheDaemonsOwnWritesAreSeenToo)
{
    ready_meeting();
    participant("eve");
    read();
    sql("UPDATE agenda SET due_at = 0");
    const Seen now = rows().seen();
    seen.of_others = now.of_others; // as if only the daemon had written
    const MeetingNo number = meetings[0].number;
    rows().mark({&number, 1});
    sql("UPDATE agenda SET generation = generation + 1");
    seen.of_others = rows().seen().of_others;

    EXPECT_EQ(publish().settled, 0U);
    EXPECT_EQ(due_at(), 0);
}

TEST_F(BetweenReadAndPublish, AMeetingOfManyIsLookedAtAgainWhereOthersWrote)
{
    ready_meeting();
    for (int i = 0; i < 300; ++i)
        participant("guest-" + std::to_string(i));
    read();
    sql("INSERT INTO meeting (id, starts_at, ends_at) VALUES ('another', 1800000001, 1800000002)");

    const PublishCounts counts = publish(); // who was edited is not looked for under the lock

    EXPECT_EQ(counts.tokens, 300U);
    EXPECT_EQ(counts.settled, 0U);
    EXPECT_EQ(due_at(), 1); // an edit from here on would show
    read();
    EXPECT_EQ(publish().settled, 1U);
    EXPECT_GT(due_at(), 1);
}

TEST_F(Provisioning, DueComesByNeed)
{
    // Began long ago, and within the last day; soon, just inside and outside of two hours; next week, with a day's end
    // between the last two.
    const std::int64_t next_week = 7 * day - unix_seconds(start) % day;
    const std::vector<std::int64_t> starts{-25 * hour,   -23 * hour,    hour,          2 * hour,
                                           2 * hour + 1, next_week - 1, next_week - 2, next_week};
    for (const std::size_t i : {7U, 5U, 2U, 0U, 4U, 6U, 1U, 3U})
        meeting(starts[i], starts[i] + 60 * day, std::to_string(i));
    const auto order = [&](std::size_t limit, std::set<MeetingNo> const& in_hand = {}) {
        std::string ids;
        for (const MeetingNo number : store->due(clock.now(), limit, in_hand).meetings)
            ids += text("SELECT meeting_id FROM agenda WHERE meeting_no = " + std::to_string(static_cast<int>(number)));
        return ids;
    };
    EXPECT_EQ(order(10), "12304567"); // near ones by their starts, then day by day, as they arrived
    EXPECT_EQ(order(2), "12");
    EXPECT_EQ(order(0), "");

    const Store::DueMeetings due = store->due(clock.now(), 3, {});
    EXPECT_TRUE(due.near);
    const std::set<MeetingNo> near{due.meetings.begin(), due.meetings.end()};
    EXPECT_FALSE(store->due(clock.now(), 10, near).near);
    EXPECT_EQ(order(10, near), "04567");

    // What time made due shares what is left with what was written.
    sql("UPDATE agenda SET due_at = 100 WHERE meeting_id = '4'; UPDATE agenda SET due_at = 99 WHERE meeting_id = '5'");
    EXPECT_EQ(order(10), "12354067");
    EXPECT_EQ(order(5), "12350");
    sql("UPDATE agenda SET due_at = " + std::to_string(unix_seconds(start) + 1) + " WHERE meeting_id = '5'");
    EXPECT_EQ(order(10), "1234067");
}

TEST_F(Provisioning, ManyThreadsPublishWhatOneDoes)
{
    boost::asio::thread_pool pool{4};
    workers = Workers{pool.get_executor(), 4};
    restart();
    constexpr int meetings = 200;
    constexpr int each = 10;
    sql("BEGIN");
    for (int i = 0; i < meetings; ++i) {
        const int place = i * 77 % meetings; // the times are shuffled against the order of arrival
        meeting(30 * minute + place, 90 * minute, "m" + std::to_string(place));
        for (int p = 0; p < each; ++p)
            participant("p" + std::to_string(p), "publisher", "m" + std::to_string(place));
    }
    sql("COMMIT");

    EXPECT_EQ(settle().published.tokens, static_cast<std::size_t>(meetings * each)); // and asks the checker

    EXPECT_EQ(text("SELECT count(*) FROM join_credential"), std::to_string(meetings * each));
    const std::string by_need = text("SELECT meeting_id FROM agenda ORDER BY starts_at");
    EXPECT_EQ(
        text("SELECT a.meeting_id FROM session s JOIN agenda a USING (meeting_no) ORDER BY s.session_no"), by_need
    );

    secret = "another";
    restart();
    EXPECT_EQ(settle().published.tokens, static_cast<std::size_t>(meetings * each));
    EXPECT_EQ(text("SELECT count(DISTINCT key_id) FROM token"), "1");
    EXPECT_EQ(text("SELECT meeting_id FROM agenda ORDER BY seq"), by_need);
}

/// A meeting that is near, and many that are far off.
class BesideABulk : public Provisioning {
public:
    BesideABulk()
    {
        policy.token_lead = policy.session_lead = 20 * 24h;
        policy.max_token_life = 28 * 24h;
        restart();
        meeting(hour, 2 * hour, "near");
        participant("ann", "publisher", "near");
        sql("BEGIN");
        for (int i = 0; i < 300; ++i) {
            meeting(5 * day, 6 * day, "far" + std::to_string(i));
            for (int p = 0; p < 10; ++p)
                participant("p" + std::to_string(p), "publisher", "far" + std::to_string(i));
        }
        sql("COMMIT");
        settle();
        secret = "another"; // everything is to be signed anew
        restart();
    }
    ~BesideABulk() override { clock.on_wait = nullptr; }
};

TEST_F(BesideABulk, AnEditOfANearMeetingOvertakes)
{
    int slices = 0; // each waits once, for nothing here
    int edited = 0;
    int served = 0;
    clock.on_wait = [&](auto) {
        if (++slices == 3) {
            sql("UPDATE participant SET role = 'moderator' WHERE meeting_id = 'near'");
            edited = slices;
        } else if (edited != 0 && served == 0 && credentials("near").count("ann") == 1) {
            served = slices;
        }
    };
    EXPECT_EQ(settle().published.tokens, 3002U);
    clock.on_wait = nullptr;

    // What was about to be published is; but not what was signed already.
    EXPECT_EQ(served, edited + 2);
    EXPECT_GT(slices, served + 2);
}

TEST_F(BesideABulk, EditsWithoutAnEndOvertakeOnceOnly)
{
    int slices = 0;
    int all_signed = 0;
    clock.on_wait = [&](auto) {
        ++slices;
        // All but that of the near meeting, which is edited each time before it is stored.
        if (slices > 1 && text("SELECT min(n) FROM (SELECT count(*) AS n FROM token GROUP BY key_id)") == "1")
            all_signed = slices;
        if (all_signed == 0 && slices < 100) // else it never ends
            sql("UPDATE participant SET role = CASE role WHEN 'publisher' THEN 'moderator' ELSE 'publisher' END "
                "WHERE meeting_id = 'near'");
    };
    settle();
    EXPECT_GT(all_signed, 1);
}

TEST_F(Provisioning, WhatIsDeletedTakesTheLockInSlicesToo)
{
    sql("BEGIN");
    for (int i = 0; i < 100; ++i) {
        meeting(hour, 2 * hour, "m" + std::to_string(i));
        for (int p = 0; p < 20; ++p)
            participant("p" + std::to_string(p), "publisher", "m" + std::to_string(i));
    }
    sql("COMMIT");
    settle();
    restart(); // slices are small again
    sql("UPDATE meeting SET status = 'cancelled'");
    std::int64_t left = 2000;
    std::int64_t most = 0; // deleted from one wait to the next, of which there is one before each transaction
    clock.on_wait = [&](auto) {
        const std::int64_t now = std::stoll(text("SELECT count(*) FROM token"));
        most = std::max(most, left - now);
        left = now;
    };
    EXPECT_EQ(settle().published.withdrawn, 2000U);
    clock.on_wait = nullptr;
    EXPECT_EQ(text("SELECT count(*) FROM token"), "0");
    EXPECT_LE(most, 1125); // the fourth batch has 1280; slices are 512 at first, then a quarter larger each
}

TEST_F(Provisioning, TheWalStaysSmallWhileMuchIsPublished)
{
    constexpr std::uintmax_t most = 32U << 20U;
    sql("BEGIN");
    for (int i = 0; i < 25; ++i) {
        const std::string id = "m" + std::to_string(i);
        meeting(hour, 2 * hour, id);
        sql("WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 1000) INSERT INTO participant "
            "(meeting_id, participant_id, role, connection_data) SELECT '" +
            id + "', 'p' || k, 'publisher', printf('%01000d', k) FROM n");
    }
    sql("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
    std::uintmax_t largest = 0;
    clock.on_wait = [&](auto) {
        largest = std::max(largest, std::filesystem::file_size(path + "-wal"));
        clock.advance(1s); // so that it is long ago that the platform wrote
    };
    EXPECT_EQ(settle().published.tokens, 25'000U);
    clock.on_wait = nullptr;
    EXPECT_GT(std::stoll(text("SELECT sum(length(token)) FROM token")), static_cast<std::int64_t>(most));
    EXPECT_GT(largest, most / 2);
    EXPECT_LE(largest, most);
}

TEST_F(Provisioning, TheWalStartsAnewOnceNobodyReadsInIt)
{
    ready_meeting();
    SQLite::Database reader{path, SQLite::OPEN_READONLY};
    reader.exec("BEGIN");
    EXPECT_EQ(reader.execAndGet("SELECT count(*) FROM participant").getInt(), 2);
    participant("eve");
    settle();
    EXPECT_GT(rows().wal_pages(), 0);
    EXPECT_FALSE(rows().checkpoint(CheckpointMode::restart));

    reader.exec("COMMIT");

    EXPECT_TRUE(rows().checkpoint(CheckpointMode::restart));
    EXPECT_EQ(rows().wal_pages(), 0);
}

} // namespace
} // namespace usher
