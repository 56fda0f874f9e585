// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "simulation/shrink.hpp"

namespace usher::simulation {
namespace {

std::vector<int> numbers(int count)
{
    std::vector<int> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), 1);
    return all;
}

bool has(std::vector<int> const& items, int item)
{
    return std::find(items.begin(), items.end(), item) != items.end();
}

TEST(Shrink, KeepsWhatIsNeededOnly)
{
    EXPECT_EQ(
        least<int>(numbers(100), [](auto const& left) { return has(left, 17) && has(left, 80); }), (std::vector{17, 80})
    );
}

TEST(Shrink, KeepsNothingWhereNothingIsNeeded)
{
    EXPECT_EQ(least<int>(numbers(9), [](auto const&) { return true; }), std::vector<int>{});
}

TEST(Shrink, KeepsAllWhereAllIsNeeded)
{
    EXPECT_EQ(least<int>(numbers(7), [](auto const& left) { return left.size() == 7; }), numbers(7));
}

TEST(Shrink, AsksSeldom)
{
    int asked = 0;

    least<int>(numbers(1000), [&](auto const& left) {
        ++asked;
        return has(left, 500);
    });

    EXPECT_LT(asked, 60);
}

TEST(Shrink, SaysWhatIsLeftOut)
{
    MonthOptions options;
    EXPECT_EQ(leaving_out(options), "");

    options.without = {"kill", "move"};
    options.only_faults.emplace();
    options.only_meetings = {"a1"};

    EXPECT_EQ(leaving_out(options), " --without kill,move --faults none --meetings a1");
}

TEST(Shrink, WhatIsLeftOutLeavesTheRestAsItWas)
{
    const MonthOptions options{.seed = 3, .days = 2};
    const MonthResult whole = run_month(options);
    ASSERT_GE(whole.faults_planned.size(), 2U);

    MonthOptions fewer = options;
    fewer.only_faults = {whole.faults_planned[1]};
    const MonthResult one = run_month(fewer);

    EXPECT_EQ(one.faults_planned, std::vector{whole.faults_planned[1]});
    EXPECT_EQ(one.names, whole.names);
    EXPECT_EQ(run_month(fewer).hash, one.hash);
}

} // namespace
} // namespace usher::simulation
