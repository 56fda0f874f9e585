// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <usher/core/certain_time.hpp>

namespace usher {
namespace {

using namespace std::chrono_literals;

constexpr sys_seconds start{1'800'000'000s};
constexpr CertainTime::Steady boot{};

TEST(CertainTime, IsTheClockWhileTheClockRunsAsTimeDoes)
{
    CertainTime time{sys_seconds{}, start, boot};
    EXPECT_EQ(time.at(start, boot), start);
    EXPECT_EQ(time.at(start + 30min, boot + 30min), start + 30min);
}

TEST(CertainTime, BelievesAStepAheadAfterAnHour)
{
    CertainTime time{start, start, boot};
    EXPECT_EQ(time.at(start + 40 * 24h, boot + 1min), start);
    EXPECT_EQ(time.at(start + 40 * 24h + 59min + 59s, boot + 1min + 59min + 59s), start + 59min + 59s);
    EXPECT_EQ(time.at(start + 40 * 24h + 1h, boot + 1min + 1h), start + 40 * 24h + 1h);
}

TEST(CertainTime, FollowsAStepBackAtOnce)
{
    CertainTime time{start, start, boot};
    EXPECT_EQ(time.at(start - 3h, boot + 1s), start - 3h);
}

TEST(CertainTime, GoesOnFromWhereAnEarlierRunEnded)
{
    CertainTime later{start - 10 * 24h, start, boot};
    EXPECT_EQ(later.at(start, boot), start - 10 * 24h);
    EXPECT_EQ(later.at(start + 1h, boot + 1h), start + 1h);
    CertainTime ahead{start + 3h, start, boot}; // the earlier run's clock was wrong
    EXPECT_EQ(ahead.at(start, boot), start);
}

} // namespace
} // namespace usher
