// SPDX-License-Identifier: Apache-2.0
// Who is taken out of a meeting, and what is served then, whenever usher looks.
#include "provisioning_fixture.hpp"

namespace usher {
namespace {

using namespace test;

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

} // namespace
} // namespace usher
