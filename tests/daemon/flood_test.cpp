// SPDX-License-Identifier: Apache-2.0
#include "flood.hpp"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

namespace usher {
namespace {

using namespace std::chrono_literals;

constexpr Flood::Instant start{1'700'000'000s};
constexpr LogEvent const& busy = event_of("store.busy"_event);
constexpr LogEvent const& failed = event_of("session.call_failed"_event);

/// How many of `count` pass.
int passed(Flood& flood, LogEvent const& event, std::string const& project, int count, Flood::Instant now = start)
{
    int passes = 0;
    for (int i = 0; i < count; ++i)
        passes += flood.passes(event, project, now) ? 1 : 0;
    return passes;
}

/// `event project count`, for each that was left out.
std::string told(Flood& flood, Flood::Instant now, bool all = false)
{
    std::string text;
    for (Flood::LeftOut const& one : flood.over(now, all))
        text += std::string{one.event->name} + ' ' + one.project + ' ' + std::to_string(one.count) + '\n';
    return text;
}

TEST(Flood, LetsFiveAMinutePassAndCountsTheRest)
{
    Flood flood;
    EXPECT_EQ(passed(flood, busy, "", 5), 5);
    EXPECT_EQ(passed(flood, busy, "", 1, start + 59s), 0);
    EXPECT_EQ(passed(flood, busy, "", 1, start + 59s), 0);
    EXPECT_EQ(told(flood, start + 60s - 1ns), "");
    EXPECT_EQ(told(flood, start + 60s), "store.busy  2\n");
    EXPECT_EQ(told(flood, start + 60s), "") << "once";
    EXPECT_EQ(passed(flood, busy, "", 6, start + 60s), 5);
}

TEST(Flood, SaysNothingOfAMinuteThatLeftNothingOut)
{
    Flood flood;
    EXPECT_EQ(passed(flood, busy, "", 5), 5);
    EXPECT_EQ(told(flood, start + 60s), "");
    EXPECT_EQ(passed(flood, busy, "", 5, start + 60s), 5);
}

TEST(Flood, KeepsEventsAndProjectsApart)
{
    Flood flood;
    EXPECT_EQ(passed(flood, failed, "a", 7), 5);
    EXPECT_EQ(passed(flood, failed, "b", 6), 5);
    EXPECT_EQ(passed(flood, busy, "a", 5), 5);
    const std::string text = told(flood, start + 60s);
    EXPECT_NE(text.find("session.call_failed a 2\n"), std::string::npos) << text;
    EXPECT_NE(text.find("session.call_failed b 1\n"), std::string::npos) << text;
    EXPECT_EQ(text.find("store.busy"), std::string::npos) << text;
}

TEST(Flood, TellsAllAtTheEnd)
{
    Flood flood;
    EXPECT_EQ(passed(flood, busy, "", 6), 5);
    EXPECT_EQ(told(flood, start, true), "store.busy  1\n");
}

TEST(Flood, LeavesAnswersAndWhatEndsTheDaemonAlone)
{
    Flood flood;
    for (LogEvent const* const event :
         {&event_of("config.refused"_event), &event_of("daemon.failed"_event), &event_of("task.failed"_event),
          &event_of("stopped.at_once"_event), &event_of("meeting.planned"_event)})
        EXPECT_EQ(passed(flood, *event, "", 1000), 1000) << event->name;
    EXPECT_EQ(told(flood, start, true), "");
}

TEST(Flood, IsBoundedHoweverManyProjectsThereAre)
{
    Flood flood;
    int passes = 0;
    for (int i = 0; i < 100'000; ++i)
        passes += flood.passes(failed, std::to_string(i), start) ? 1 : 0;
    EXPECT_LT(passes, 2000);
    EXPECT_EQ(told(flood, start, true), "session.call_failed  " + std::to_string(100'000 - passes) + '\n');
}

} // namespace
} // namespace usher
