// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <usher/core/certain_time.hpp>

namespace usher {
namespace {

using namespace std::chrono_literals;

constexpr sys_seconds start{1'800'000'000s};
constexpr CertainTime::Instant boot{};

TEST(CertainTime, IsTheClockWhileTheClockRunsAsTimeDoes)
{
    CertainTime time{at_start({}, start, boot), start, boot};
    EXPECT_EQ(time.at(start, boot), start);
    EXPECT_EQ(time.at(start + 30min, boot + 30min), start + 30min);
}

TEST(CertainTime, BelievesAStepAheadAfterAnHour)
{
    CertainTime time{at_start({}, start, boot), start, boot};
    EXPECT_EQ(time.at(start + 40 * 24h, boot + 1min), start);
    EXPECT_EQ(time.at(start + 40 * 24h + 59min + 59s, boot + 1min + 59min + 59s), start + 59min + 59s);
    EXPECT_EQ(time.at(start + 40 * 24h + 1h, boot + 1min + 1h), start + 40 * 24h + 1h);
}

TEST(CertainTime, FollowsAStepBackAtOnce)
{
    CertainTime time{at_start({}, start, boot), start, boot};
    EXPECT_EQ(time.at(start - 3h, boot + 1s), start - 3h);
}

TEST(CertainTime, GoesOnFromWhereAnEarlierRunEnded)
{
    CertainTime later{{start - 10 * 24h, start, 0s}, start, boot};
    EXPECT_EQ(later.at(start, boot), start - 10 * 24h);
    EXPECT_EQ(later.at(start + 1h, boot + 1h), start + 1h);
    CertainTime ahead{{start + 3h, start, 0s}, start, boot}; // the earlier run's clock was wrong
    EXPECT_EQ(ahead.at(start, boot), start);
}

TEST(CertainTime, DoesNotBelieveAStartWhoseClockIsBehind)
{
    const ClockRecord kept = at_start({}, start, boot + 24h);
    const sys_seconds behind = start - 40 * 24h;
    for (const CertainTime::Instant steady : {boot + 25h, boot + 1min}) { // the second one after another boot
        const ClockRecord first = at_start(kept, behind, steady);
        CertainTime time{first, behind, steady};
        EXPECT_EQ(time.at(behind, steady), behind);
        EXPECT_FALSE(time.believes());
        CertainTime again{at_start(first, behind + 50min, steady + 50min), behind + 50min, steady + 50min};
        EXPECT_FALSE(again.believes());
        again.at(behind + 1h, steady + 1h);
        EXPECT_TRUE(again.believes());
    }
}

TEST(CertainTime, BelievesAStartWhoseClockNobodySet)
{
    const ClockRecord first = at_start({}, start, boot);
    EXPECT_TRUE((CertainTime{first, start, boot}.believes()));
    const ClockRecord next = at_start(first, start + 10min, boot + 10min);
    EXPECT_TRUE((CertainTime{next, start + 10min, boot + 10min}.believes()));
}

TEST(ClockRecord, IsNotBelievedBySomebodyWhoStartsOftenEnough)
{
    const auto up = [](seconds since) { return boot + std::chrono::days{1} + since; };
    ClockRecord record = at_start({}, start, up(0s));
    EXPECT_EQ(record.certain, start);
    record = at_start(record, start + 2h, up(2h)); // nobody set it meanwhile
    EXPECT_EQ(record.certain, start + 2h);

    const sys_seconds ahead = start + 40 * 24h;
    record = at_start(record, ahead + 2h + 1min, up(2h + 1min));
    EXPECT_EQ(record.certain, start + 2h);
    record = at_start(record, ahead + 3h, up(3h));
    EXPECT_EQ(record.certain, start + 2h);
    EXPECT_EQ(at_start(record, ahead + 3h + 1min, up(3h + 1min)).certain, ahead + 3h + 1min);

    record = at_start(record, start + 3h, up(3h)); // put right
    EXPECT_EQ(record.certain, start + 2h);
    EXPECT_EQ(at_start(record, start + 1h, up(3h)).certain, start + 1h);
}

TEST(ClockRecord, IsBelievedAfterAnotherBootWhereItHadComeAnHourBefore)
{
    ClockRecord record = at_start({}, start, boot + 24h);
    record = at_start(record, start + 7 * 24h, boot + 1min);
    EXPECT_EQ(record.certain, start);
    EXPECT_EQ(at_start(record, start + 7 * 24h + 59min, boot).certain, start);
    EXPECT_EQ(at_start(record, start + 7 * 24h + 1h, boot).certain, start + 7 * 24h);
}

} // namespace
} // namespace usher
