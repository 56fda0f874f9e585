// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <usher/service/set_aside.hpp>

namespace usher {
namespace {

using namespace std::chrono_literals;

constexpr MeetingNo meeting{7};
constexpr SetAside::Instant start{};

TEST(SetAside, TakesFiftyLooksInVainWithinAMinute)
{
    SetAside set;
    for (int i = 0; i < 49; ++i)
        EXPECT_FALSE(set.found_nothing(meeting, start + 1s));
    EXPECT_TRUE(set.with({}, start + 1s).empty());
    EXPECT_TRUE(set.found_nothing(meeting, start + 60s));
    EXPECT_EQ(set.with({MeetingNo{1}}, start + 60s), (std::set<MeetingNo>{MeetingNo{1}, meeting}));
    EXPECT_EQ(set.next(start + 60s), start + 61s);
    EXPECT_TRUE(set.with({}, start + 61s).empty());
}

TEST(SetAside, ForgetsLooksThatAreFarApartAndWhatWasServed)
{
    SetAside set;
    for (int i = 0; i < 200; ++i)
        EXPECT_FALSE(set.found_nothing(meeting, start + i * 2s));
    for (int i = 0; i < 200; ++i) {
        set.found_nothing(meeting, start + 1000s);
        if (i % 40 == 0)
            set.served(meeting, start + 1000s);
    }
    EXPECT_FALSE(set.next(start + 1000s));
}

TEST(SetAside, PausesTwiceAsLongEachTimeUpToAMinuteAndTellsOnce)
{
    SetAside set;
    SetAside::Instant now = start;
    EXPECT_TRUE(set.failed(meeting, now));
    for (const auto pause : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
        EXPECT_EQ(set.next(now), now + pause);
        now += pause;
        EXPECT_FALSE(set.failed(meeting, now));
    }
}

TEST(SetAside, WhatFailedIsNotServedByTheSameLook)
{
    SetAside set;
    EXPECT_TRUE(set.failed(meeting, start));
    set.served(meeting, start + 999ms);
    EXPECT_EQ(set.next(start + 999ms), start + 1s);
    EXPECT_FALSE(set.failed(meeting, start + 1s));
    set.served(meeting, start + 3s);
    EXPECT_TRUE(set.failed(meeting, start + 3s));
}

} // namespace
} // namespace usher
