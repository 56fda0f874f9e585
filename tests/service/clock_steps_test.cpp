// SPDX-License-Identifier: Apache-2.0
// What usher does when its machine's clock was wrong.
#include "provisioning_fixture.hpp"

namespace usher {
namespace {

using namespace test;

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

} // namespace
} // namespace usher
