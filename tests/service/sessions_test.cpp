// SPDX-License-Identifier: Apache-2.0
// Sessions from the network, through all weathers, on a virtual clock and a real database.
#include "live_world.hpp"

namespace usher {
namespace {

using namespace test;
using vendor::Fault;
using vendor::FaultKind;

class Sessions : public LiveWorld, public testing::Test {};

TEST_F(Sessions, AreMadeOnceAndServe)
{
    meetings(3);
    quiesce();
    EXPECT_EQ(ready(), 3);
    EXPECT_EQ(vendor.sessions().size(), 3U);
    EXPECT_EQ(credentials("m0").at("p").session_id, vendor.sessions().at(0).id);
    EXPECT_EQ(abandoned(), 0);
    pass_time(20min);
    EXPECT_EQ(vendor.requests().size(), 3U);
}

TEST_F(Sessions, AThirdOfTheAnswersFaultyCostsTimeAndNothingElse)
{
    vendor.behaviour.chance = 0.3;
    // reset_before is left out: it cannot be told from reset_after, so it is counted though nothing was made.
    for (const FaultKind kind :
         {FaultKind::delay, FaultKind::too_many, FaultKind::server_error, FaultKind::bad_gateway,
          FaultKind::unavailable, FaultKind::gateway_timeout, FaultKind::reset_connect, FaultKind::reset_after,
          FaultKind::half_body, FaultKind::wrong_type, FaultKind::xml, FaultKind::empty_array, FaultKind::missing_id,
          FaultKind::skewed_date}) {
        Fault fault = vendor::fault_of(kind);
        if (kind == FaultKind::delay)
            fault.delay = 30s;
        vendor.behaviour.by_chance.push_back(fault);
    }
    meetings(300, 7200);

    pass_time(40min);

    EXPECT_EQ(ready(), 300);
    const auto made = static_cast<std::int64_t>(vendor.sessions().size());
    EXPECT_GT(made, 300);
    EXPECT_EQ(made - 300, abandoned());
    EXPECT_EQ(number("SELECT count(*) FROM session_attempt WHERE outcome = 'started'"), 0);
    EXPECT_EQ(number("SELECT count(*) FROM session"), 300);
}

TEST_F(Sessions, AnOutageOfAnHourIsFollowedByNoStorm)
{
    meetings(50, 7200, "before");
    quiesce();
    ASSERT_EQ(ready(), 50);
    const std::size_t before = vendor.requests().size();

    vendor.behaviour.outage = vendor::Outage::unavailable;
    meetings(50, 7200, "after");
    pass_time(1h, [this] { ASSERT_EQ(credentials("before7").count("p"), 1U); });
    EXPECT_EQ(ready(), 50);
    EXPECT_EQ(status("after7"), "pending|provider_error");
    const std::size_t asked = vendor.requests().size() - before;
    EXPECT_LT(asked, 250U); // one probe each half a minute
    EXPECT_GT(asked, 100U);

    vendor.behaviour.outage = vendor::Outage::none;
    pass_time(1min);
    EXPECT_EQ(ready(), 100);
    EXPECT_EQ(vendor.sessions().size(), 100U);
    EXPECT_EQ(abandoned(), 0);
}

TEST_F(Sessions, ASickProjectDoesNotHoldUpAnother)
{
    others = {"second"};
    other_secret = "wrong";
    restart();
    meetings(20);
    meetings(20, 1800, "sick");
    sql("UPDATE meeting SET project = 'second' WHERE id LIKE 'sick%'");

    pass_time(10s);

    EXPECT_EQ(ready(), 20);
    EXPECT_EQ(status("sick3"), "failed|credentials_refused");
    EXPECT_EQ(text("SELECT name, reason FROM project_status ORDER BY name"), "default|\nsecond|credentials_refused");
    // Wrong credentials are not tried with every meeting: those under way at first, and then a probe at a time.
    EXPECT_LE(vendor.requests().size(), 20U + 8U + 8U);
}

TEST_F(Sessions, WrongCredentialsThatArePutRightServeAtOnce)
{
    secret = "wrong";
    restart();
    meetings(5);
    pass_time(1min);
    EXPECT_EQ(ready(), 0);
    EXPECT_EQ(text("SELECT DISTINCT state, reason FROM meeting_status ORDER BY 1"), "failed|credentials_refused");
    EXPECT_NE(
        text("SELECT detail FROM meeting_status LIMIT 1").find("the secret is not that of API key 123456"),
        std::string::npos
    );

    secret = "secret";
    restart();
    quiesce();
    EXPECT_EQ(ready(), 5);
    EXPECT_EQ(text("SELECT reason FROM project_status"), "");
}

TEST_F(Sessions, WhatOpensFirstIsMadeFirst)
{
    pace = {1, 1, 1};
    restart();
    meetings(5, 9000, "late");
    meetings(5, 1800, "soon");
    quiesce();
    meetings(1, 1000, "now"); // overtakes those that wait for their turn
    pass_time(1min);
    EXPECT_EQ(ready(), 11);
    const std::string order =
        text("SELECT a.meeting_id FROM session s JOIN agenda a USING (meeting_no) ORDER BY s.session_no");
    EXPECT_LT(order.find("now0"), order.find("soon4"));
    EXPECT_LT(order.find("soon4"), order.find("late0"));
}

TEST_F(Sessions, KeepToTheRate)
{
    pace = {8, 5, 10};
    restart();
    meetings(60);
    pass_time(1min);
    ASSERT_EQ(vendor.requests().size(), 60U);
    const auto first = vendor.requests().front().time;
    const auto last = vendor.requests().back().time;
    EXPECT_EQ(std::chrono::round<seconds>(last - first), 10s); // (60 - 10) / 5
}

TEST_F(Sessions, RetryAfterIsHonouredInBothForms)
{
    for (const bool date : {false, true}) {
        Fault fault = vendor::fault_of(FaultKind::too_many);
        fault.retry_after = 120s;
        fault.retry_after_is_date = date;
        vendor.behaviour.next.push_back(fault);
        const std::string id = date ? "date" : "number";
        meetings(1, 3600, id);
        pass_time(119s);
        EXPECT_EQ(status(id + "0"), "pending|provider_quota");
        pass_time(2s);
        EXPECT_EQ(status(id + "0"), "ready|");
    }
}

TEST_F(Sessions, RetryAfterIsCutShortBeforeTheMeetingOpens)
{
    Fault fault = vendor::fault_of(FaultKind::too_many);
    fault.retry_after = 6h;
    vendor.behaviour.next.push_back(fault);
    meetings(1, 15 * 60 + 600, "m"); // opens in ten minutes
    pass_time(9min - 1s);
    EXPECT_EQ(status("m0"), "pending|provider_quota");
    pass_time(2s); // a minute before it opens
    EXPECT_EQ(status("m0"), "ready|");
}

TEST_F(Sessions, WhatTheVendorWouldRefuseNeverReachesIt)
{
    meetings(1);
    sql("UPDATE meeting SET location = '999.1.1.1'");
    pass_time(1min);
    EXPECT_EQ(status("m0"), "failed|row_invalid");
    EXPECT_TRUE(vendor.requests().empty());
    sql("UPDATE meeting SET location = '203.0.113.7'"); // an edit of the inputs clears the failure
    quiesce();
    EXPECT_EQ(status("m0"), "ready|");
}

TEST_F(Sessions, OneMeetingThatIsRefusedIsNoOutage)
{
    for (int i = 0; i < 6; ++i)
        vendor.behaviour.next.push_back(vendor::fault_of(FaultKind::missing_id));
    meetings(1);
    quiesce();
    EXPECT_EQ(status("m0"), "pending|provider_answer_invalid");
    pass_time(5min);
    EXPECT_EQ(status("m0"), "ready|");
    EXPECT_EQ(abandoned(), 0);
}

TEST_F(Sessions, AnEditWhileTheAnswerIsUnderWayAbandonsWhatCame)
{
    meetings(1);
    transport->after_answer = [this] {
        transport->after_answer = nullptr;
        sql("UPDATE meeting SET media_mode = 'relayed'");
    };
    quiesce();
    EXPECT_EQ(status("m0"), "ready|");
    ASSERT_EQ(vendor.sessions().size(), 2U);
    EXPECT_EQ(credentials("m0").at("p").session_id, vendor.sessions().at(1).id);
    EXPECT_EQ(abandoned(), 1);
}

TEST_F(Sessions, AnEditOfTheTimesKeepsWhatCame)
{
    meetings(1);
    transport->after_answer = [this] {
        transport->after_answer = nullptr;
        sql("UPDATE meeting SET ends_at = ends_at + 600");
    };
    quiesce();
    EXPECT_EQ(status("m0"), "ready|");
    EXPECT_EQ(vendor.sessions().size(), 1U);
    EXPECT_EQ(abandoned(), 0);
}

TEST_F(Sessions, ACancellationWhileTheAnswerIsUnderWayPublishesNothing)
{
    meetings(1);
    transport->after_answer = [this] {
        transport->after_answer = nullptr;
        sql("UPDATE meeting SET status = 'cancelled'");
    };
    quiesce();
    EXPECT_EQ(status("m0"), "cancelled|cancelled");
    EXPECT_TRUE(credentials("m0").empty());
    EXPECT_EQ(abandoned(), 1);
}

TEST_F(Sessions, ACrashBetweenAnswerAndCommitLeavesAnAbandonedAttempt)
{
    meetings(1);
    World::settle();
    maker->step(); // the intent is on record, the call begins
    context.restart();
    context.run(); // the answer is here, and the daemon dies
    ASSERT_EQ(vendor.sessions().size(), 1U);

    restart();
    quiesce();

    EXPECT_EQ(abandoned(), 1);
    ASSERT_EQ(vendor.sessions().size(), 2U);
    EXPECT_EQ(status("m0"), "ready|");
    EXPECT_EQ(credentials("m0").at("p").session_id, vendor.sessions().at(1).id);
}

TEST_F(Sessions, AnotherApiKeyMeansNewSessionsForLiveMeetingsToo)
{
    meetings(1, 60);
    quiesce();
    clock.advance(10min); // it is on
    const std::string old = credentials("m0").at("p").session_id;
    api_key = "777";
    restart();
    EXPECT_EQ(credentials("m0").count("p"), 1U); // until the new one is there
    quiesce();
    EXPECT_EQ(status("m0"), "ready|");
    EXPECT_NE(credentials("m0").at("p").session_id, old);
    EXPECT_EQ(
        text("SELECT detail FROM history WHERE event = 'session_published' ORDER BY history_no"),
        "first\nproject_key_changed"
    );
}

TEST_F(Sessions, ThePublishedSessionServesNewcomersUntilItsReplacementComes)
{
    meetings(1, 7200);
    quiesce();
    vendor.behaviour.outage = vendor::Outage::refused;
    sql("INSERT INTO request (action, meeting_id) VALUES ('replace_session', 'm0')");
    pass_time(1min);
    participant("late", "publisher", "m0");
    quiesce();
    EXPECT_EQ(status("m0"), "pending|provider_unreachable");
    EXPECT_EQ(credentials("m0").size(), 2U);
    vendor.behaviour.outage = vendor::Outage::none;
    pass_time(1min);
    EXPECT_EQ(status("m0"), "ready|");
    EXPECT_EQ(credentials("m0").at("late").session_id, vendor.sessions().back().id);
    EXPECT_EQ(vendor.sessions().size(), 2U);
}

TEST_F(Sessions, AClockTenMinutesAheadIsSaidSo)
{
    vendor.behaviour.clock_offset = -600s;
    meetings(1);
    pass_time(10s);
    EXPECT_EQ(status("m0"), "failed|clock_skewed");
    EXPECT_NE(
        text("SELECT detail FROM meeting_status").find("clock is 10m ahead of that of vendor.example"),
        std::string::npos
    ) << text("SELECT detail FROM meeting_status");
    EXPECT_EQ(text("SELECT clock_ahead FROM project_status"), "600");
}

TEST_F(Sessions, AClockTwoMinutesBehindCostsNoSession)
{
    vendor.behaviour.clock_offset = 120s;
    meetings(1);
    pass_time(1h);
    EXPECT_EQ(status("m0"), "failed|clock_skewed");
    EXPECT_NE(
        text("SELECT detail FROM meeting_status").find("clock is 2m behind that of vendor.example"), std::string::npos
    ) << text("SELECT detail FROM meeting_status");
    EXPECT_EQ(vendor.sessions().size(), 0U);
    EXPECT_EQ(abandoned(), 0);
}

TEST_F(Sessions, ARetryIsTriedAtOnce)
{
    vendor.behaviour.next.push_back(vendor::fault_of(FaultKind::reset_after));
    meetings(1, 7200);
    quiesce();
    EXPECT_EQ(status("m0"), "pending|provider_unreachable");
    sql("INSERT INTO request (action, meeting_id) VALUES ('retry', 'm0')");
    quiesce();
    EXPECT_EQ(status("m0"), "ready|");
}

TEST_F(Sessions, ARemovalBeforeTheMeetingOpensReplacesTheSessionWherePolicySaysSo)
{
    policy.replace_on_removal = true;
    restart();
    meetings(1, 7200);
    participant("leaver", "publisher", "m0");
    quiesce();
    const std::string old = credentials("m0").at("p").session_id;

    vendor.behaviour.outage = vendor::Outage::refused;
    sql("DELETE FROM participant WHERE participant_id = 'leaver'");
    quiesce();
    EXPECT_EQ(credentials("m0").at("p").session_id, old); // the others are served while there is no new one
    restart();                                            // and it is not forgotten
    vendor.behaviour.outage = vendor::Outage::none;
    pass_time(1min);

    EXPECT_EQ(status("m0"), "ready|");
    EXPECT_NE(credentials("m0").at("p").session_id, old);
    EXPECT_EQ(credentials("m0").size(), 1U);
    EXPECT_EQ(
        text("SELECT detail FROM history WHERE event = 'session_published' ORDER BY history_no DESC LIMIT 1"),
        "participant_removed"
    );

    clock.advance(2h); // the meeting is open: splitting it would be worse
    participant("late", "publisher", "m0");
    quiesce();
    const std::size_t made = vendor.sessions().size();
    sql("DELETE FROM participant WHERE participant_id = 'late'");
    quiesce();
    EXPECT_EQ(vendor.sessions().size(), made);
}

TEST_F(Sessions, ACancellationThrowsOutWhoeverIsInWherePolicySaysSo)
{
    policy.disconnect_on_cancel = true;
    restart();
    meetings(2, 60);
    quiesce();
    for (vendor::SessionRecord const& session : std::vector{vendor.sessions()})
        vendor.connect(session.id, clock.now());
    vendor.behaviour.next.push_back(vendor::fault_of(FaultKind::unavailable));

    sql("UPDATE meeting SET status = 'cancelled' WHERE id = 'm0'");
    sql("DELETE FROM meeting WHERE id = 'm1'");
    pass_time(1min);

    EXPECT_TRUE(vendor.sessions().at(0).connections.empty());
    EXPECT_TRUE(vendor.sessions().at(1).connections.empty());
    EXPECT_EQ(number("SELECT count(*) FROM history WHERE event = 'disconnected' AND detail = '1 connections'"), 2);
    EXPECT_EQ(number("SELECT count(*) FROM session WHERE disconnect = 1"), 0);
}

TEST_F(Sessions, WhoeverIsInAtTheEndIsThrownOutWherePolicySaysSo)
{
    policy.disconnect_at_close = true;
    restart();
    meetings(1, 60);
    quiesce();
    vendor.connect(vendor.sessions().at(0).id, clock.now());
    const std::int64_t closes = number("SELECT closes_at FROM meeting_status");
    clock.advance(from_unix(closes) - 1s - clock.now());
    quiesce();
    EXPECT_EQ(vendor.sessions().at(0).connections.size(), 1U);
    clock.advance(1s);
    quiesce();
    EXPECT_EQ(vendor.sessions().at(0).connections.size(), 0U);
}

TEST_F(Sessions, NobodyIsThrownOutByDefault)
{
    meetings(1, 60);
    quiesce();
    vendor.connect(vendor.sessions().at(0).id, clock.now());
    sql("UPDATE meeting SET status = 'cancelled'");
    pass_time(3h);
    EXPECT_EQ(vendor.sessions().at(0).connections.size(), 1U);
    EXPECT_EQ(vendor.requests().size(), 1U);
}

} // namespace
} // namespace usher
