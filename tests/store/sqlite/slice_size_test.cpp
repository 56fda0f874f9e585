// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <usher/store/sqlite/slice_size.hpp>

namespace usher {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

/// After `times` slices of the size that it asks for, at so much for each token and so much beside them.
void publish(SliceSize& slices, int times, microseconds per_token, microseconds beside = {})
{
    for (int i = 0; i < times; ++i) {
        const std::size_t tokens = slices.next(1'000'000);
        slices.took(tokens, per_token * tokens + beside);
    }
}

TEST(SliceSize, DividesEvenly)
{
    const SliceSize slices{milliseconds{8}}; // begins with 512, and tolerates an eighth more
    EXPECT_EQ(slices.next(0), 1U);
    EXPECT_EQ(slices.next(1), 1U);
    EXPECT_EQ(slices.next(512), 512U);
    EXPECT_EQ(slices.next(576), 576U);
    EXPECT_EQ(slices.next(577), 289U);
    EXPECT_EQ(slices.next(577 - 289), 288U);
    EXPECT_EQ(slices.next(1152), 576U);
    EXPECT_EQ(slices.next(1153), 385U);
}

TEST(SliceSize, FillsItsSlices)
{
    const SliceSize slices{milliseconds{8}};
    EXPECT_EQ(slices.fill(20), 20U);
    EXPECT_EQ(slices.fill(576), 576U);
    EXPECT_EQ(slices.fill(577), 1024U);
    EXPECT_EQ(slices.fill(1152), 1024U);
    EXPECT_EQ(slices.fill(1153), 1536U);
    EXPECT_EQ(slices.next(slices.fill(1153)), 512U);
}

TEST(SliceSize, FindsHowManyTheLockAllowsFor)
{
    SliceSize slices{milliseconds{8}};
    publish(slices, 1, microseconds{4});
    EXPECT_LE(slices.next(4000), 512U * 5 / 4 * 9 / 8); // step by step
    publish(slices, 30, microseconds{4});
    EXPECT_EQ(slices.fill(4500), 4000U); // 2000 of 4 us each
    publish(slices, 30, microseconds{8});
    EXPECT_EQ(slices.fill(2250), 2000U);
    publish(slices, 30, microseconds{4}, milliseconds{2}); // what each slice costs beside its tokens counts
    EXPECT_NEAR(static_cast<double>(slices.fill(3200)), 3000, 30);
}

TEST(SliceSize, StaysWithinItsBounds)
{
    SliceSize slices{milliseconds{8}};
    publish(slices, 50, microseconds{1000});
    EXPECT_EQ(slices.fill(500), 512U);
    publish(slices, 50, microseconds{0});
    EXPECT_EQ(slices.fill(17000), 2 * 8192U);
}

TEST(SliceSize, DoesNotMindOneThatTookLong)
{
    SliceSize slices{milliseconds{8}};
    publish(slices, 30, microseconds{4});
    slices.took(2000, milliseconds{100});
    slices.took(2000, milliseconds{100});
    EXPECT_EQ(slices.fill(4500), 4000U);
    slices.took(2000, milliseconds{100}); // but three of the last five
    EXPECT_EQ(slices.fill(3000), 3000U);
    EXPECT_LT(slices.next(4500), 2000U);
}

TEST(SliceSize, LearnsNothingFromAFew)
{
    SliceSize slices{milliseconds{8}};
    for (int i = 0; i < 10; ++i)
        slices.took(127, milliseconds{100});
    EXPECT_EQ(slices.next(512), 512U);
    slices.took(128, milliseconds{100});
    EXPECT_EQ(slices.fill(800), 768U);
}

} // namespace
} // namespace usher
