// SPDX-License-Identifier: Apache-2.0
// Sessions from the network, through all weathers, on a virtual clock and a real database.
#include <fstream>
#include <iterator>
#include <memory>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "live_world.hpp"
#include "support/log_capture.hpp"

namespace usher {
namespace {

using namespace test;
using vendor::Fault;
using vendor::FaultKind;

class Sessions : public LiveWorld, public testing::Test {
protected:
    /// As after SIGTERM.
    void stop()
    {
        boost::asio::co_spawn(context, maker->drain(1s), [](std::exception_ptr error) {
            if (error)
                std::rethrow_exception(error);
        });
        context.restart();
        context.run();
    }

    /// How many transactions are in the WAL: each ends with a frame that has the size of the database.
    std::int64_t commits() const
    {
        constexpr std::size_t header = 32;
        constexpr std::size_t frame = 24 + 4096;
        std::ifstream file{path + "-wal", std::ios::binary};
        const std::string wal{std::istreambuf_iterator<char>{file}, {}};
        std::int64_t count = 0;
        for (std::size_t at = header; at + frame <= wal.size() && wal.compare(at + 8, 8, wal, 16, 8) == 0; at += frame)
            count += wal.compare(at + 4, 4, std::string(4, '\0')) != 0 ? 1 : 0;
        return count;
    }
};

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

TEST_F(Sessions, DebugTellsWhyAMeetingIsLookedAtAndOfEachCall)
{
    const LogCapture log{LogSeverity::debug};
    meetings(1, 60);
    quiesce();
    ASSERT_EQ(ready(), 1);
    vendor.behaviour.outage = vendor::Outage::unavailable;
    meetings(1, 60, "n");
    pass_time(1min);

    const std::string text = log.text();
    for (char const* const said :
         {"meeting.planned: meeting is planned meeting_id=m0 why=written state=pending session=order tokens=0",
          "session=publish tokens=1 withdrawn=0",
          "batch.done: meetings are served meetings=1 tokens=1 withdrawn=0 skipped=0 prepare_ms=",
          "call.started: provider is asked project=default call=create meeting_id=m0\n",
          "call.done: provider answered project=default call=create meeting_id=m0 took_ms=",
          "call.planned: call is tried again project=default meeting_id=n0 attempts=1 reason=provider_error next_at="})
        EXPECT_NE(text.find(said), std::string::npos) << said << '\n' << text;
    EXPECT_EQ(text.find(credentials("m0").at("p").token), std::string::npos) << text;
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
    step_sessions(); // the intent is on record, the answer is here, and the daemon dies
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

TEST_F(Sessions, AnEditFromBeforeOpensThatIsSeenLateKeepsItsOrderUntilItIsMade)
{
    meetings(1, 7200);
    quiesce();
    const std::string old = credentials("m0").at("p").session_id;
    sql("UPDATE meeting SET media_mode = 'relayed'");
    clock.advance(110min); // it opened at 105
    vendor.behaviour.outage = vendor::Outage::refused;
    restart();
    quiesce();
    EXPECT_EQ(credentials("m0").at("p").session_id, old); // it serves until the other is there
    sql("UPDATE meeting SET title = 'another'");
    quiesce();
    vendor.behaviour.outage = vendor::Outage::none;
    pass_time(1min);

    EXPECT_EQ(status("m0"), "ready|");
    EXPECT_NE(credentials("m0").at("p").session_id, old);
}

TEST_F(Sessions, AnEditThatWasSeenBeforeOpensIsGivenUpWhereItsSessionIsNotThereByThen)
{
    meetings(1, 7200);
    quiesce();
    const std::string old = credentials("m0").at("p").session_id;
    vendor.behaviour.outage = vendor::Outage::refused;
    sql("UPDATE meeting SET media_mode = 'relayed'");
    quiesce();
    clock.advance(106min); // people are in
    vendor.behaviour.outage = vendor::Outage::none;
    pass_time(1min);

    EXPECT_EQ(status("m0"), "ready|session_kept");
    EXPECT_EQ(credentials("m0").at("p").session_id, old);
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

TEST_F(Sessions, AnIdThatIsGivenTwiceIsAbandonedAndAllOthersGoOn)
{
    others = {"second"};
    restart();
    vendor.behaviour.repeats = "123456";
    meetings(5);
    meetings(5, 1800, "other");
    sql("UPDATE meeting SET project = 'second' WHERE id LIKE 'other%'");

    pass_time(1min);

    EXPECT_EQ(ready(), 1 + 5);
    EXPECT_EQ(
        text("SELECT DISTINCT state, reason FROM meeting_status WHERE state <> 'ready'"), "pending|session_id_taken"
    );
    EXPECT_GE(abandoned(), 4);
    EXPECT_EQ(number("SELECT count(*) FROM session_attempt WHERE outcome = 'created'"), 6);

    vendor.behaviour.repeats.clear();
    pass_time(20min);
    EXPECT_EQ(ready(), 10);
}

TEST_F(Sessions, TheIdOfASessionThatIsNotServingAnyMoreIsNotTakenEither)
{
    meetings(1, 7200);
    quiesce();
    const std::string old = credentials("m0").at("p").session_id;
    vendor.behaviour.repeats = "123456";
    sql("INSERT INTO request (action, meeting_id) VALUES ('replace_session', 'm0')");
    pass_time(1min);
    EXPECT_EQ(status("m0"), "pending|session_id_taken");
    EXPECT_EQ(credentials("m0").at("p").session_id, old); // it serves on
    vendor.behaviour.repeats.clear();
    pass_time(20min);
    EXPECT_EQ(status("m0"), "ready|");
    EXPECT_NE(credentials("m0").at("p").session_id, old);
}

TEST_F(Sessions, TwoAnswersWithOneIdInOneCommitAreOneSession)
{
    meetings(2);
    World::settle();
    std::vector<EndedCall> ended(2);
    std::vector<MeetingNo> begun;
    for (std::size_t i = 0; i < 2; ++i) {
        const std::string id = "m" + std::to_string(i);
        const auto meeting = rows().read_one(id);
        begun.push_back(meeting->number);
        ended[i].meeting = meeting->number;
        ended[i].session = {{}, "1_MX4one", "opentok", "default", "123456", to_text(meeting->meeting->options)};
    }
    CallNews intents;
    intents.begun = begun;
    const CallRecord attempts = rows().record_calls(intents, clock.now());
    for (std::size_t i = 0; i < 2; ++i)
        ended[i].attempt = attempts.attempts[i];
    CallNews news;
    news.ended = ended;

    const CallRecord record = rows().record_calls(news, clock.now());

    EXPECT_TRUE(record.staged[0]);
    EXPECT_FALSE(record.staged[1]);
    EXPECT_EQ(text("SELECT outcome FROM session_attempt ORDER BY attempt_no"), "created\nabandoned");
}

TEST_F(Sessions, AClockThatWasBehindServesOnceItIsRight)
{
    vendor.behaviour.clock_offset = 120s;
    meetings(3);
    pass_time(10min);
    EXPECT_EQ(text("SELECT DISTINCT state, reason FROM meeting_status"), "failed|clock_skewed");
    EXPECT_EQ(text("SELECT reason FROM project_status"), "clock_skewed");
    vendor.behaviour.clock_offset = 0s;
    pass_time(5min);
    EXPECT_EQ(ready(), 3);
    EXPECT_EQ(vendor.sessions().size(), 3U);
    EXPECT_EQ(abandoned(), 0);
}

TEST_F(Sessions, APauseOfTenMinutesDoesNotHoldUpAMeetingThatIsOn)
{
    pace = {1, 1000, 1000};
    restart();
    Fault pause = vendor::fault_of(FaultKind::too_many);
    pause.retry_after = 600s;
    vendor.behaviour.next.push_back(pause);
    meetings(20, 7200);
    pass_time(3s);
    ASSERT_EQ(ready(), 0);

    meetings(1, -60, "live");
    pass_time(10s);

    EXPECT_EQ(status("live0"), "ready|");
    pass_time(10s);
    EXPECT_EQ(ready(), 21); // that it answers again is good for all
}

TEST_F(Sessions, WhileAMeetingIsOnAPauseIsCutToTenSeconds)
{
    Fault pause = vendor::fault_of(FaultKind::too_many);
    pause.retry_after = 24h;
    meetings(1, 7200);
    for (int i = 0; i < 100; ++i)
        vendor.behaviour.next.push_back(pause);
    pass_time(1min);
    ASSERT_EQ(vendor.requests().size(), 1U);

    meetings(1, -60, "live");
    pass_time(1min);

    EXPECT_GE(vendor.requests().size(), 1U + 6U);
    EXPECT_LE(vendor.requests().size(), 1U + 8U);
    EXPECT_EQ(status("live0"), "pending|provider_quota");
    EXPECT_EQ(number("SELECT count(*) FROM meeting_status WHERE next_at IS NULL"), 0);
}

TEST_F(Sessions, ARetryAsksAtOnceWhateverPauseIsWanted)
{
    pace = {1, 1000, 1000};
    restart();
    int served = 0;
    for (const std::string scope : {"'a0', NULL", "NULL, 'default'", "NULL, '*'"}) {
        Fault pause = vendor::fault_of(FaultKind::too_many);
        pause.retry_after = 24h;
        vendor.behaviour.next.push_back(pause);
        const std::string prefix(1, static_cast<char>('a' + served / 3));
        meetings(3, unix_seconds(clock.now()) - unix_seconds(start) + 7200, prefix);
        pass_time(20s);
        ASSERT_EQ(ready(), served) << scope;
        EXPECT_GT(
            number("SELECT min(next_at) FROM meeting_status WHERE state <> 'ready'"), unix_seconds(clock.now() + 1min)
        ) << scope;

        sql("INSERT INTO request (action, meeting_id, project) VALUES ('retry', " + scope + ")");
        quiesce();
        EXPECT_GT(ready(), served) << scope;
        pass_time(30s);
        served += 3;
        EXPECT_EQ(ready(), served) << scope;
    }
}

TEST_F(Sessions, ARetryIsOneCallWhileTheVendorWantsItsPause)
{
    pace = {1, 1000, 1000};
    restart();
    Fault pause = vendor::fault_of(FaultKind::too_many);
    pause.retry_after = 24h;
    for (int i = 0; i < 100; ++i)
        vendor.behaviour.next.push_back(pause);
    meetings(10, 7200);
    pass_time(20s);
    const std::size_t asked = vendor.requests().size();

    sql("INSERT INTO request (action, project) VALUES ('retry', '*')");
    pass_time(5min);

    EXPECT_EQ(vendor.requests().size(), asked + 1);
    EXPECT_EQ(text("SELECT state FROM request_status"), "done");
}

TEST_F(Sessions, APauseTakesBackWhatWasBegunAndNotSent)
{
    pace = {8, 1000, 1000};
    restart();
    Fault pause = vendor::fault_of(FaultKind::too_many);
    pause.retry_after = 600s;
    for (int i = 0; i < 50; ++i)
        vendor.behaviour.next.push_back(pause);
    meetings(50, 7200);
    quiesce();
    EXPECT_FALSE(maker->busy()); // so that --once ends
    EXPECT_EQ(text("SELECT DISTINCT state, reason FROM meeting_status"), "pending|provider_quota");
    EXPECT_EQ(number("SELECT count(*) FROM meeting_status WHERE next_at IS NULL"), 0);
    EXPECT_GT(number("SELECT count(*) FROM session_attempt WHERE outcome = 'unsent'"), 0);
    const auto asked = static_cast<std::int64_t>(vendor.requests().size());
    EXPECT_LE(asked, 8);

    restart(); // as after a kill
    EXPECT_EQ(abandoned(), 0);
    EXPECT_EQ(number("SELECT count(*) FROM session_attempt WHERE outcome = 'failed'"), asked);
}

TEST_F(Sessions, AnAnswerThatWasUnderWayDoesNotEndAPause)
{
    meetings(8, 7200);
    Fault pause = vendor::fault_of(FaultKind::too_many);
    pause.retry_after = 600s;
    vendor.behaviour.next.push_back(pause); // and seven good answers after it
    quiesce();
    const std::size_t asked = vendor.requests().size();
    meetings(8, 7200, "later");
    pass_time(9min);
    EXPECT_EQ(vendor.requests().size(), asked);
    pass_time(2min);
    EXPECT_EQ(ready(), 16);
}

TEST_F(Sessions, AMeetingIsToldOfAnOutageOnceHoweverOftenTheVendorComesAndGoes)
{
    constexpr int count = 100;
    pace = {8, 5, 10};
    restart();
    vendor.behaviour.chance = 0.75;
    vendor.behaviour.by_chance.push_back(vendor::fault_of(FaultKind::unavailable));
    meetings(count, 7200);

    pass_time(35s);
    EXPECT_EQ(text("SELECT DISTINCT reason FROM meeting_status WHERE state <> 'ready'"), "provider_error");
    pass_time(40s);

    // Once that its session is ordered, and once that the provider has an outage.
    EXPECT_LE(
        number("SELECT max(n) FROM (SELECT count(*) AS n FROM history WHERE event IN ('pending', 'session_failed')"
               " GROUP BY meeting_no)"),
        2
    );
    vendor.behaviour.chance = 0;
    pass_time(2min);
    EXPECT_EQ(ready(), count);
}

TEST_F(Sessions, AnOutageThatComesToNeedSomebodyIsToldAgainAndOnlyThen)
{
    vendor.behaviour.outage = vendor::Outage::unavailable;
    meetings(20, 7200);
    quiesce();
    EXPECT_EQ(text("SELECT DISTINCT state, reason FROM meeting_status"), "pending|provider_error");
    vendor.behaviour.outage = vendor::Outage::none;
    vendor.add_opentok("123456", "another"); // at the vendor's
    pass_time(2min);
    EXPECT_EQ(text("SELECT DISTINCT state, reason FROM meeting_status"), "failed|credentials_refused");
    vendor.behaviour.outage = vendor::Outage::unavailable;
    const std::int64_t history = number("SELECT count(*) FROM history");
    pass_time(9min);
    EXPECT_EQ(number("SELECT count(*) FROM history"), history);
}

TEST_F(Sessions, AServersPauseIsOneForAllOfItsProject)
{
    policy.disconnect_on_cancel = true;
    restart();
    meetings(20, 60);
    quiesce();
    for (vendor::SessionRecord const& session : std::vector{vendor.sessions()})
        vendor.connect(session.id, clock.now());
    const std::size_t before = vendor.requests().size();
    Fault pause = vendor::fault_of(FaultKind::too_many);
    pause.retry_after = 600s;
    for (int i = 0; i < 8; ++i) // what is under way at once
        vendor.behaviour.next.push_back(pause);

    sql("UPDATE meeting SET status = 'cancelled'");
    pass_time(590s);
    EXPECT_LE(vendor.requests().size() - before, 8U);
    EXPECT_EQ(number("SELECT count(*) FROM session WHERE disconnect = 1"), 20);
    EXPECT_EQ(text("SELECT reason FROM project_status"), "provider_quota");

    vendor.behaviour.next.clear();
    pass_time(2min);
    EXPECT_EQ(number("SELECT count(*) FROM history WHERE event = 'disconnected'"), 20);
    for (vendor::SessionRecord const& session : vendor.sessions())
        EXPECT_TRUE(session.connections.empty());
}

TEST_F(Sessions, ThrowingOutKeepsToTheRateWithEachRequest)
{
    policy.disconnect_on_cancel = true;
    pace = {8, 2, 2};
    restart();
    meetings(1, 60);
    pass_time(5s);
    ASSERT_EQ(ready(), 1);
    for (int i = 0; i < 40; ++i)
        vendor.connect(vendor.sessions().front().id, clock.now());
    const std::size_t before = vendor.requests().size();

    sql("UPDATE meeting SET status = 'cancelled'");
    for (int i = 0; i < 10; ++i)
        pass_time(1s);
    const std::size_t asked = vendor.requests().size() - before;
    EXPECT_LE(asked, 2U + 2U * 10U + 1U);
    EXPECT_GE(asked, 15U);
    for (int i = 0; i < 30; ++i)
        pass_time(1s);
    EXPECT_TRUE(vendor.sessions().front().connections.empty());
    EXPECT_EQ(number("SELECT count(*) FROM history WHERE event = 'disconnected' AND detail = '40 connections'"), 1);
}

class Beside : public LiveWorld, public testing::TestWithParam<std::size_t> {};

TEST_P(Beside, ASessionDoesNotWaitUntilAllAreThrownOutOfOthers)
{
    policy.disconnect_on_cancel = true;
    restart();
    meetings(9, 60);
    quiesce();
    for (vendor::SessionRecord const& session : std::vector{vendor.sessions()})
        for (int i = 0; i < 100; ++i)
            vendor.connect(session.id, clock.now());
    pace = {GetParam(), 1, 1};
    restart();
    sql("UPDATE meeting SET status = 'cancelled'");
    for (int i = 0; i < 5; ++i)
        pass_time(1s);

    meetings(1, 0, "live");
    for (int i = 0; i < 5; ++i)
        pass_time(1s);
    EXPECT_EQ(ready(), 1);
}

INSTANTIATE_TEST_SUITE_P(Places, Beside, testing::Values(std::size_t{1}, std::size_t{2}, std::size_t{8}));

TEST_F(Sessions, APauseForSessionsIsOneForThrowingOutToo)
{
    policy.disconnect_on_cancel = true;
    restart();
    meetings(1, 60);
    quiesce();
    Fault pause = vendor::fault_of(FaultKind::too_many);
    pause.retry_after = 600s;
    vendor.behaviour.next.push_back(pause);
    meetings(1, 7200, "next");
    quiesce();
    const std::size_t before = vendor.requests().size();
    sql("UPDATE meeting SET status = 'cancelled' WHERE id = 'm0'");
    pass_time(590s);
    EXPECT_EQ(vendor.requests().size(), before);
    pass_time(20s);
    EXPECT_EQ(number("SELECT count(*) FROM history WHERE event = 'disconnected'"), 1);
}

TEST_F(Sessions, ThrowingOutWaitsTenMinutesAtMostAndARetryAsksAtOnce)
{
    policy.disconnect_on_cancel = true;
    restart();
    meetings(4, 60);
    quiesce();
    for (vendor::SessionRecord const& session : std::vector{vendor.sessions()})
        vendor.connect(session.id, clock.now());
    const auto thrown_out = [&] { return number("SELECT count(*) FROM history WHERE event = 'disconnected'"); };
    Fault pause = vendor::fault_of(FaultKind::too_many);
    pause.retry_after = 24h;

    // That the pause is of a call for a session makes no difference.
    vendor.behaviour.next.push_back(pause);
    meetings(1, 48 * 3600, "next");
    quiesce();
    sql("UPDATE meeting SET status = 'cancelled' WHERE id = 'm0'");
    pass_time(590s);
    EXPECT_EQ(thrown_out(), 0);
    pass_time(20s);
    EXPECT_EQ(thrown_out(), 1);

    vendor.behaviour.next.push_back(pause);
    sql("UPDATE meeting SET status = 'cancelled' WHERE id = 'm1'");
    pass_time(590s);
    EXPECT_EQ(thrown_out(), 1);
    pass_time(20s);
    EXPECT_EQ(thrown_out(), 2);

    for (const std::string whose : {"meeting_id) VALUES ('retry', 'm2')", "project) VALUES ('retry', '*')"}) {
        vendor.behaviour.next.push_back(pause);
        sql("UPDATE meeting SET status = 'cancelled' WHERE id = '" + std::string{whose[0] == 'm' ? "m2" : "m3"} + "'");
        pass_time(5s);
        const auto before = thrown_out();
        sql("INSERT INTO request (action, " + whose);
        pass_time(5s);
        EXPECT_EQ(thrown_out(), before + 1) << whose;
    }
}

TEST_F(Sessions, ThrowingOutIsGivenUpInTheEndAndTheLogSaysSo)
{
    policy.disconnect_on_cancel = true;
    restart();
    meetings(1, 60);
    quiesce();
    vendor.behaviour.outage = vendor::Outage::unavailable;
    sql("UPDATE meeting SET status = 'cancelled'");
    const LogCapture log;
    pass_time(2h);
    EXPECT_EQ(number("SELECT count(*) FROM history WHERE event = 'disconnect_failed'"), 1);
    EXPECT_NE(
        log.text().find("disconnect.failed: nobody was thrown out project=default meeting_id=m0 "), std::string::npos
    ) << log.text();
    EXPECT_NE(log.text().find("provider_error"), std::string::npos) << log.text();
}

TEST_F(Sessions, NobodyMoreIsThrownOutOnceTheMeetingIsOnAgain)
{
    policy.disconnect_on_cancel = true;
    restart();
    meetings(1, 60);
    quiesce();
    const std::string session = vendor.sessions().back().id;
    for (int i = 0; i < 10; ++i)
        vendor.connect(session, clock.now());
    int answers = 0;
    transport->after_answer = [&] {
        if (++answers == 4) // a list, and three people
            sql("UPDATE meeting SET status = 'scheduled'");
    };
    const LogCapture log;
    sql("UPDATE meeting SET status = 'cancelled'");
    pass_time(1min);

    EXPECT_EQ(vendor.sessions().front().connections.size(), 7U);
    EXPECT_NE(log.text().find("its meeting is neither cancelled nor over; "), std::string::npos) << log.text();
    EXPECT_NE(log.text().find("3 connections had been ended"), std::string::npos) << log.text();
    EXPECT_EQ(number("SELECT count(*) FROM session WHERE disconnect = 1"), 0);
    EXPECT_EQ(number("SELECT count(*) FROM history WHERE event = 'disconnected'"), 0);
    EXPECT_EQ(number("SELECT count(*) FROM history WHERE event = 'disconnect_needless'"), 1);
}

TEST_F(Sessions, AMarkThatSomebodyForgedThrowsNobodyOut)
{
    struct Case {
        char const* name;
        bool on_cancel;
        bool at_close;
        bool cancelled;
        seconds later;
        bool thrown_out;
    };
    for (Case const& c : {
             Case{"policy off", false, false, true, 0s, false},
             Case{"scheduled", true, true, false, 0s, false},
             Case{"closed, and only cancellations count", true, false, false, 3h, false},
             Case{"cancelled, and only the end counts", false, true, true, 0s, false},
             Case{"closed", false, true, false, 3h, true},
         }) {
        policy.disconnect_on_cancel = false;
        policy.disconnect_at_close = false;
        sql("DELETE FROM meeting");
        restart();
        quiesce();
        const std::string id = c.name;
        meeting(
            unix_seconds(clock.now()) - unix_seconds(start) + 60,
            unix_seconds(clock.now()) - unix_seconds(start) + 7200, id
        );
        participant("p", "publisher", id);
        quiesce();
        const std::string session = vendor.sessions().back().id;
        vendor.connect(session, clock.now());
        if (c.cancelled)
            sql("UPDATE meeting SET status = 'cancelled' WHERE id = '" + id + "'");
        quiesce();
        clock.advance(c.later);
        quiesce();
        const std::size_t before = vendor.requests().size();
        policy.disconnect_on_cancel = c.on_cancel;
        policy.disconnect_at_close = c.at_close;

        const LogCapture log;
        sql("UPDATE session SET disconnect = 1 WHERE session_id = '" + session + "'");
        restart();
        pass_time(1min);

        EXPECT_EQ(log.text().find("disconnect.needless: ") == std::string::npos, c.thrown_out) << id << log.text();
        EXPECT_EQ(log.text().find("disconnect.failed"), std::string::npos) << id << log.text();
        EXPECT_EQ(vendor.sessions().back().connections.empty(), c.thrown_out) << id;
        EXPECT_EQ(vendor.requests().size() > before, c.thrown_out) << id;
        EXPECT_EQ(number("SELECT count(*) FROM session WHERE disconnect = 1"), 0) << id;
    }
}

TEST_F(Sessions, NobodyIsThrownOutOfASessionThatSomebodyElseWrote)
{
    policy.disconnect_on_cancel = true;
    restart();
    meetings(2, 60);
    quiesce();
    vendor.connect(vendor.sessions().at(1).id, clock.now());
    sql("UPDATE meeting SET status = 'cancelled' WHERE id = 'm0'");
    pass_time(1min);
    const std::size_t before = vendor.requests().size();

    // The session of the meeting that is on, as if it were the cancelled one's.
    sql("UPDATE session SET disconnect = 1, meeting_no = (SELECT meeting_no FROM agenda WHERE meeting_id = 'm0')"
        " WHERE session_id = '" +
        vendor.sessions().at(1).id + "'");
    maker->want_disconnects();
    pass_time(1min);

    EXPECT_EQ(vendor.sessions().at(1).connections.size(), 1U);
    EXPECT_EQ(vendor.requests().size(), before);
    EXPECT_EQ(number("SELECT count(*) FROM session WHERE disconnect = 1"), 0);
    EXPECT_EQ(number("SELECT count(*) FROM history WHERE event = 'disconnect_failed'"), 0);
}

TEST_F(Sessions, AStepIsOneTransaction)
{
    policy.disconnect_on_cancel = true;
    others = {"second"};
    restart();
    meetings(4, 60, "gone");
    quiesce();
    vendor.behaviour.outage = vendor::Outage::unavailable;
    meetings(12, 7200);
    meetings(12, 7200, "other");
    sql("UPDATE meeting SET project = 'second' WHERE id LIKE 'other%'");
    sql("UPDATE meeting SET status = 'cancelled' WHERE id LIKE 'gone%'");
    for (int i = 0; i < 40; ++i) {
        World::settle();
        const std::int64_t before = commits();
        step_sessions();
        ASSERT_LE(commits() - before, 1);
        if (i == 10)
            vendor.behaviour.outage = vendor::Outage::none;
        clock.advance(1s);
    }
    EXPECT_EQ(ready(), 24);
}

TEST_F(Sessions, AStepThatFindsTheDatabaseBusyLosesNothing)
{
    meetings(2);
    World::settle();
    const auto step_beside_a_writer = [&] {
        sql("BEGIN IMMEDIATE");
        EXPECT_THROW(step_sessions(), DatabaseBusy);
        sql("ROLLBACK");
    };
    step_beside_a_writer(); // the orders are not on record, so nobody was called
    EXPECT_EQ(vendor.sessions().size(), 0U);
    EXPECT_TRUE(maker->busy());
    step_sessions();
    ASSERT_EQ(vendor.sessions().size(), 2U);
    step_beside_a_writer(); // the answers are here, and not on record
    EXPECT_TRUE(maker->busy());

    quiesce();

    EXPECT_EQ(ready(), 2);
    EXPECT_EQ(vendor.sessions().size(), 2U) << "no session was made twice";
    EXPECT_EQ(number("SELECT count(*) FROM session_attempt WHERE outcome = 'created'"), 2);
    EXPECT_EQ(number("SELECT count(*) FROM session_attempt"), 2);
}

} // namespace
} // namespace usher
