// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <usher/store/sqlite/lock_gap.hpp>

namespace usher {
namespace {

using namespace std::chrono_literals;

constexpr LockGap::Instant zero{};

TEST(LockGap, IsTwiceTheHoldWhileOthersWrite)
{
    LockGap gap{7};
    gap.look(8, zero + 500ms);
    gap.lock(true, zero + 600ms);
    gap.lock(false, zero + 610ms);
    EXPECT_EQ(gap.left(zero + 610ms), 20ms);
    EXPECT_EQ(gap.left(zero + 629ms), 1ms);
    EXPECT_EQ(gap.left(zero + 630ms), 0ms);
    EXPECT_EQ(gap.left(zero + 631ms), 0ms);
}

TEST(LockGap, IsNoneWhenNobodyElseWrites)
{
    LockGap gap{7};
    gap.lock(true, zero);
    gap.lock(false, zero + 10ms);
    EXPECT_EQ(gap.left(zero + 10ms), 0ms);
    gap.look(7, zero + 10ms); // nothing new
    EXPECT_EQ(gap.left(zero + 10ms), 0ms);
    EXPECT_FALSE(gap.beside_a_writer(zero + 10ms));
    gap.look(6, zero + 10ms); // any other value is
    EXPECT_TRUE(gap.beside_a_writer(zero + 10ms));
    EXPECT_EQ(gap.left(zero + 10ms), 20ms);
}

TEST(LockGap, AShortHoldEndsNoGap)
{
    LockGap gap{7};
    gap.lock(true, zero);
    gap.lock(false, zero + 10ms);
    gap.lock(true, zero + 15ms);
    gap.lock(false, zero + 15ms);
    gap.look(8, zero + 15ms);
    EXPECT_EQ(gap.left(zero + 15ms), 15ms);
}

TEST(LockGap, ForgetsAWriterAfterASecond)
{
    LockGap gap{7};
    gap.look(8, zero);
    gap.lock(true, zero + 980ms);
    gap.lock(false, zero + 990ms);
    EXPECT_TRUE(gap.beside_a_writer(zero + 999ms));
    EXPECT_EQ(gap.left(zero + 999ms), 11ms);
    EXPECT_FALSE(gap.beside_a_writer(zero + 1000ms));
    EXPECT_EQ(gap.left(zero + 1000ms), 0ms);
    gap.look(9, zero + 1001ms);
    EXPECT_EQ(gap.left(zero + 1001ms), 9ms);
}

} // namespace
} // namespace usher
