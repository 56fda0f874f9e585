// SPDX-License-Identifier: Apache-2.0
#include <usher/core/backoff.hpp>

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace usher {
namespace {

using namespace std::chrono_literals;

TEST(Backoff, StaysWithinItsBoundsAndGrows)
{
    seconds longest{0};
    for (int failures = 1; failures < 100; ++failures)
        for (int i = 0; i < 50; ++i) {
            const seconds delay = backoff(failures, 2s, 900s, "m" + std::to_string(i));
            EXPECT_GE(delay, 1s);
            EXPECT_LE(delay, failures < 9 ? 2s * (1 << (failures - 1)) : 900s);
            longest = std::max(longest, delay);
        }
    EXPECT_GT(longest, 800s);
}

TEST(Backoff, KeepsThoseWhoFailedTogetherApart)
{
    std::set<seconds> delays;
    for (int i = 0; i < 100; ++i)
        delays.insert(backoff(9, 2s, 900s, "m" + std::to_string(i)));
    EXPECT_GT(delays.size(), 80U);
    EXPECT_EQ(backoff(3, 2s, 900s, "m"), backoff(3, 2s, 900s, "m"));
}

TEST(Backoff, IsCutShortBeforeTheDeadline)
{
    const sys_seconds deadline{10'000s};
    EXPECT_EQ(retry_at(deadline - 200s, 100s, deadline, 60s, 10s), deadline - 100s);
    EXPECT_EQ(retry_at(deadline - 200s, 500s, deadline, 60s, 10s), deadline - 60s);
    EXPECT_EQ(retry_at(deadline - 61s, 500s, deadline, 60s, 10s), deadline - 60s);
    EXPECT_EQ(retry_at(deadline - 60s, 500s, deadline, 60s, 10s), deadline - 50s); // from here on every ten seconds
    EXPECT_EQ(retry_at(deadline + 60s, 500s, deadline, 60s, 10s), deadline + 70s);
    EXPECT_EQ(retry_at(deadline + 60s, 3s, deadline, 60s, 10s), deadline + 63s);
}

} // namespace
} // namespace usher
