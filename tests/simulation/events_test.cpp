// SPDX-License-Identifier: Apache-2.0
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "simulation/events.hpp"
#include "simulation/story.hpp"

namespace usher::simulation {
namespace {

using namespace std::chrono_literals;

constexpr sys_seconds start{1'800'000'000s};

class WorldEvents : public testing::Test {
protected:
    std::function<void()> say(char word)
    {
        return [this, word] { said += word; };
    }

    VirtualClock clock{start};
    Events events{clock};
    std::string said;
};

TEST_F(WorldEvents, HappenInTheirOrderAndNotBeforeTheirTime)
{
    events.after(2s, say('c'));
    events.after(1s, say('a'));
    events.after(1s, say('b'));

    clock.charge(1s - 1ns);
    EXPECT_FALSE(events.happen());
    clock.charge(1ns);
    while (events.happen())
        ;

    EXPECT_EQ(said, "ab");
    EXPECT_EQ(events.next(), Instant{} + 2s);
}

TEST_F(WorldEvents, OnlyThoseThatMayComeEarlyAreHurried)
{
    events.after(1s, say('a'));
    events.about(Instant{} + 10s, say('b'));

    EXPECT_FALSE(events.hurry(10s - 1ns));
    EXPECT_TRUE(events.hurry(10s));
    EXPECT_FALSE(events.hurry(1h));

    EXPECT_EQ(said, "b");
}

TEST_F(WorldEvents, WhatCameEarlyDoesNotHappenAgain)
{
    events.about(Instant{} + 1s, say('a'));
    events.about(Instant{} + 2s, say('b'));
    events.hurry(1h);
    clock.charge(1s);
    EXPECT_FALSE(events.happen());
    clock.charge(1s);
    EXPECT_TRUE(events.happen());
    EXPECT_FALSE(events.hurry(1h));
    EXPECT_EQ(said, "ab");
}

TEST_F(WorldEvents, AStoryIsHashedByWhatHappenedAndWhen)
{
    const auto hash_of = [](std::string const& text, std::string const& meeting, Duration later) {
        VirtualClock another{start};
        another.charge(later);
        Story story{another, false};
        story.tell(text, meeting);
        return story.hash();
    };

    EXPECT_EQ(hash_of("x", "m", 0s), hash_of("x", "m", 0s));
    EXPECT_NE(hash_of("x", "m", 0s), hash_of("y", "m", 0s));
    EXPECT_NE(hash_of("x", "m", 0s), hash_of("x", "n", 0s));
    EXPECT_NE(hash_of("x", "m", 0s), hash_of("x", "m", 1us));
}

TEST_F(WorldEvents, AStoryIsToldOfOneMeetingAndOfEverybody)
{
    Story story{clock, false};
    story.tell("one", "m");
    story.tell("two", "n");
    story.tell("all");

    EXPECT_EQ(story.last("m", 9).size(), 2U);
    EXPECT_EQ(story.last("m", 1), (std::vector<std::string>{"day  0 00:00:00.000000  all"}));
    EXPECT_EQ(story.events(), 3);
}

} // namespace
} // namespace usher::simulation
