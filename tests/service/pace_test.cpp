// SPDX-License-Identifier: Apache-2.0
#include <usher/service/pace.hpp>

#include <gtest/gtest.h>

namespace usher {
namespace {

using namespace std::chrono_literals;

constexpr Pace::Instant start{1h};

ProviderFailure failure(FailureKind kind, bool of_project = false)
{
    return {kind, "reason", "detail", of_project};
}

TEST(Pace, BoundsCallsInFlight)
{
    Pace pace{"p", {2, 100, 100}, start};
    EXPECT_EQ(pace.allowance(start), 2U);
    pace.started();
    EXPECT_EQ(pace.allowance(start), 1U);
    pace.started();
    EXPECT_EQ(pace.allowance(start), 0U);
    EXPECT_FALSE(pace.next(start)); // not before one ends
    pace.succeeded();
    EXPECT_EQ(pace.allowance(start), 1U);
}

TEST(Pace, BoundsTheRateAfterTheBurst)
{
    Pace pace{"p", {100, 5, 3}, start};
    EXPECT_EQ(pace.allowance(start), 3U);
    for (int i = 0; i < 3; ++i)
        pace.started();
    EXPECT_EQ(pace.allowance(start + 199ms), 0U);
    EXPECT_EQ(pace.allowance(start + 201ms), 1U);
    EXPECT_EQ(pace.allowance(start + 1h), 3U); // no more than the burst, however long the pause
}

TEST(Pace, KeepsTheRateWhenEachWakeUpIsLate)
{
    constexpr int calls = 1000;
    for (const double burst : {1.0, 2.0, 10.0}) {
        Pace pace{"p", {8, 100, burst}, start};
        const auto call = [&] {
            pace.started();
            pace.succeeded();
        };
        for (int i = 0; i < static_cast<int>(burst); ++i)
            call();
        Pace::Instant now = start;
        for (int i = 0; i < calls; ++i) {
            now = *pace.next(now) + (i % 2 == 0 ? 4ms : 0ms);
            ASSERT_EQ(pace.allowance(now), 1U) << burst; // one by one, late or not
            call();
        }
        EXPECT_GE(now - start, calls * 10ms);
        EXPECT_LE(now - start, calls * 10ms + 10ms);
    }
}

TEST(Pace, OpensAtTheFifthFailureInARow)
{
    Pace pace{"p", {10, 100, 100}, start};
    const auto fail = [&](ProviderFailure const& why) {
        pace.started();
        pace.failed(why, start, 1h);
    };
    for (int i = 0; i < 4; ++i)
        fail(failure(FailureKind::transient));
    EXPECT_FALSE(pace.open());
    pace.started();
    pace.succeeded();
    for (int i = 0; i < 4; ++i)
        fail(failure(FailureKind::ambiguous));
    EXPECT_FALSE(pace.open());
    fail(failure(FailureKind::transient));
    EXPECT_TRUE(pace.open());
}

TEST(Pace, OpensAtOnceForWhatAllShareAndLetsOneProbeThrough)
{
    Pace pace{"p", {10, 100, 100}, start};
    pace.started();
    pace.failed(failure(FailureKind::authentication, true), start, 1h);
    ASSERT_TRUE(pace.open());
    EXPECT_EQ(pace.allowance(pace.probe_at() - 1ms), 0U);
    EXPECT_EQ(pace.allowance(pace.probe_at()), 1U);
    pace.started();
    EXPECT_EQ(pace.allowance(pace.probe_at() + 1h), 0U); // one at a time
    pace.succeeded();
    EXPECT_FALSE(pace.open());
    EXPECT_GT(pace.allowance(pace.probe_at() + 1h), 1U);
}

TEST(Pace, ProbesEverMoreSlowlyUpToHalfAMinute)
{
    Pace pace{"p", {10, 100, 100}, start};
    Pace::Instant now = start;
    for (int i = 0; i < 20; ++i) {
        pace.started();
        pace.failed(failure(FailureKind::transient, true), now, 1h);
        EXPECT_GE(pace.probe_at() - now, 1s);
        EXPECT_LE(pace.probe_at() - now, 30s);
        now = pace.probe_at();
    }
}

TEST(Pace, WaitsAsLongAsAskedButNotLongerThanThereIsPatience)
{
    ProviderFailure quota = failure(FailureKind::quota, true);
    quota.retry_after = 120s;
    Pace patient{"p", {10, 100, 100}, start};
    patient.started();
    patient.failed(quota, start, 1h);
    EXPECT_EQ(patient.probe_at() - start, 120s);
    Pace hurried{"p", {10, 100, 100}, start};
    hurried.started();
    hurried.failed(quota, start, 20s);
    EXPECT_EQ(hurried.probe_at() - start, 20s);
}

TEST(Pace, LateFailuresOfAnOpenCircuitDoNotProlongIt)
{
    Pace pace{"p", {10, 100, 100}, start};
    pace.started();
    pace.started();
    pace.failed(failure(FailureKind::transient, true), start, 1h);
    const auto probe = pace.probe_at();
    pace.failed(failure(FailureKind::transient, true), start + 1ms, 1h);
    EXPECT_EQ(pace.probe_at(), probe);
    EXPECT_EQ(pace.running(), 0U);
}

TEST(Pace, APauseThatIsAskedForIsOneForAll)
{
    ProviderFailure unavailable = failure(FailureKind::transient);
    unavailable.retry_after = 600s;
    Pace pace{"p", {10, 100, 100}, start};
    pace.started();
    EXPECT_TRUE(pace.failed(unavailable, start, 24h));
    EXPECT_TRUE(pace.open());
    EXPECT_EQ(pace.probe_at() - start, 600s);
}

TEST(Pace, WhatWasUnderWayWhenTheCircuitOpenedDoesNotCloseIt)
{
    Pace pace{"p", {10, 100, 100}, start};
    pace.started();
    pace.started();
    EXPECT_TRUE(pace.failed(failure(FailureKind::quota, true), start, 1h));
    pace.succeeded();
    EXPECT_TRUE(pace.open());
    EXPECT_EQ(pace.allowance(pace.probe_at()), 1U);
    pace.started();
    pace.succeeded();
    EXPECT_FALSE(pace.open());
}

TEST(Pace, AProbeCanBeHurriedAndNotPutOff)
{
    ProviderFailure quota = failure(FailureKind::quota, true);
    quota.retry_after = 600s;
    Pace pace{"p", {10, 100, 100}, start};
    pace.started();
    EXPECT_TRUE(pace.failed(quota, start, 24h));
    pace.hurry(start + 700s);
    EXPECT_EQ(pace.probe_at(), start + 600s);
    pace.hurry(start + 10s);
    EXPECT_EQ(pace.allowance(start + 10s - 1ns), 0U);
    EXPECT_EQ(pace.allowance(start + 10s), 1U);
    pace.started();
    EXPECT_TRUE(pace.failed(quota, start + 10s, 24h));
    EXPECT_EQ(pace.probe_at(), start + 610s);
}

TEST(Pace, APauseOfYearsIsADay)
{
    ProviderFailure quota = failure(FailureKind::quota, true);
    quota.retry_after = seconds{std::int64_t{1} << 60};
    Pace pace{"p", {10, 100, 100}, start};
    pace.started();
    EXPECT_TRUE(pace.failed(quota, start, 30 * 24h));
    EXPECT_EQ(pace.probe_at() - start, 24h);
}

} // namespace
} // namespace usher
