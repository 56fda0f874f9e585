// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "repeats.hpp"

namespace usher {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

constexpr Repeats::WallInstant start{1'700'000'000s};

/// Takes `line` five times, which all pass.
void fill(Repeats& repeats, std::string const& line, Repeats::WallInstant now = start)
{
    for (int i = 0; i < 5; ++i)
        EXPECT_EQ(repeats.take(line, now), line);
}

TEST(Repeats, LetsTheFirstFewPassAndHoldsTheRest)
{
    Repeats repeats;
    fill(repeats, "busy tries=1");
    EXPECT_EQ(repeats.take("busy tries=2", start), std::nullopt);
    EXPECT_EQ(repeats.take("busy tries=34", start + 59s), std::nullopt);
    EXPECT_EQ(repeats.due(start + 59s), Lines{});
    EXPECT_EQ(repeats.due(start + 60s), Lines{"busy tries=34 repeated=2"});
    EXPECT_EQ(repeats.take("busy tries=35", start + 61s), std::nullopt);
}

TEST(Repeats, TellsTheCountWithTheNextLineAfterAMinute)
{
    Repeats repeats;
    fill(repeats, "busy");
    EXPECT_EQ(repeats.take("busy", start + 1s), std::nullopt);
    EXPECT_EQ(repeats.take("busy", start + 60s), "busy repeated=2");
    EXPECT_EQ(repeats.take("busy", start + 61s), std::nullopt);
}

TEST(Repeats, ForgetsAfterAMinuteWithoutRepetition)
{
    Repeats repeats;
    fill(repeats, "busy");
    EXPECT_EQ(repeats.due(start + 60s), Lines{});
    fill(repeats, "busy", start + 60s);
}

TEST(Repeats, KeepsOtherLinesApart)
{
    Repeats repeats;
    fill(repeats, "project=a failed");
    fill(repeats, "project=b failed");
}

TEST(Repeats, GoesOnWhenTheClockIsSetBack)
{
    Repeats repeats;
    fill(repeats, "busy");
    EXPECT_EQ(repeats.take("busy", start - 1h), "busy");
}

TEST(Repeats, TellsAllAtTheEnd)
{
    Repeats repeats;
    fill(repeats, "busy");
    EXPECT_EQ(repeats.take("busy", start), std::nullopt);
    EXPECT_EQ(repeats.due(start, true), Lines{"busy repeated=1"});
}

} // namespace
} // namespace usher
