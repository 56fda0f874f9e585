// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "simulation/month.hpp"

namespace usher::simulation {
namespace {

TEST(Simulation, OneSeedGivesOneRun)
{
    const MonthOptions options{.seed = 4, .days = 3};

    const MonthResult first = run_month(options);
    const MonthResult again = run_month(options);

    EXPECT_EQ(first.hash, again.hash);
    EXPECT_EQ(first.events, again.events);
    EXPECT_NE(first.hash, run_month({.seed = 5, .days = 3}).hash);
}

TEST(Simulation, ACalmMonthIsServed)
{
    const MonthResult result = run_month({.seed = 1, .days = 5, .calm = true});

    EXPECT_EQ(result.violations, std::vector<std::string>{});
    EXPECT_GT(result.rows, 100);
    EXPECT_EQ(result.starts, 1);
}

} // namespace
} // namespace usher::simulation
