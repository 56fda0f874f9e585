// SPDX-License-Identifier: Apache-2.0
// What a platform does, and what usher does then; each on a real database file with a clock that the test holds.
#include "provisioning_fixture.hpp"

namespace usher {
namespace {

using namespace test;

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

    for (const std::string column : {"connection_data", "layout_classes"}) {
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

TEST_F(Provisioning, ReplaceChangesNothingUnderEitherSetting)
{
    ready_meeting();
    const auto before = credentials();
    for (const std::string recursive : {"ON", "OFF"})
        for (const std::string foreign : {"ON", "OFF"}) {
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
    for (const std::string edit :
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

} // namespace
} // namespace usher
