// SPDX-License-Identifier: Apache-2.0
// How a meeting stood when it opened, at the boundaries.
#include <vector>

#include <gtest/gtest.h>

#include <usher/core/openings.hpp>

namespace usher {
namespace {

using namespace std::chrono_literals;

constexpr sys_seconds opens{1'800'000'000s};

Opening opening(Word word, std::optional<sys_seconds> ready_at = {}, sys_seconds at = opens)
{
    return {MeetingNo{7}, at, word, ready_at};
}

OpenedCounts one(Opened opened)
{
    OpenedCounts counts{};
    ++counts.at(static_cast<std::size_t>(opened));
    return counts;
}

OpenedCounts look(Openings& openings, sys_seconds now, std::vector<Opening> const& found)
{
    return openings.look(now, found);
}

TEST(Openings, CountNothingBeforeTheFirstLook)
{
    Openings openings;
    EXPECT_FALSE(openings.counted_to());
    EXPECT_EQ(look(openings, opens, {opening(Word::ready, opens - 1h)}), OpenedCounts{});
    EXPECT_EQ(openings.counted_to(), opens);
}

TEST(Openings, CountEachOnce)
{
    Openings openings;
    look(openings, opens - 1s, {});
    EXPECT_EQ(look(openings, opens, {opening(Word::ready, opens - 1h)}), one(Opened::ready));
    EXPECT_EQ(look(openings, opens + 1s, {opening(Word::ready, opens - 1h)}), OpenedCounts{});
    EXPECT_EQ(look(openings, opens - 10s, {}), OpenedCounts{}) << "the clock was set back";
    EXPECT_EQ(look(openings, opens + 2s, {opening(Word::ready, opens - 1h)}), OpenedCounts{});
}

TEST(Openings, KnowLateFromReady)
{
    for (auto const& [ready_at, expected] : {std::pair{opens, Opened::ready}, std::pair{opens + 1s, Opened::late}}) {
        Openings openings;
        look(openings, opens - 60s, {opening(Word::at_risk)});
        EXPECT_EQ(look(openings, opens + 5s, {opening(Word::ready, ready_at)}), one(expected));
    }
}

TEST(Openings, ExcuseWhatWasWrittenAMinuteBefore)
{
    for (auto const& [seen, expected] :
         {std::pair{opens - 60s, Opened::unready}, std::pair{opens - 59s, Opened::excused}}) {
        Openings openings;
        look(openings, opens - 1h, {});
        look(openings, seen, {opening(Word::on_schedule)});
        EXPECT_EQ(look(openings, opens + 5s, {opening(Word::at_risk)}), one(expected));
        EXPECT_EQ(look(openings, opens + 9s, {opening(Word::at_risk)}), OpenedCounts{});
    }
}

TEST(Openings, ExcuseLatenessLikewise)
{
    Openings openings;
    look(openings, opens - 30s, {});
    EXPECT_EQ(look(openings, opens + 5s, {opening(Word::ready, opens + 2s)}), one(Opened::excused));
}

TEST(Openings, ForgetThatAMeetingWasUnreadyOnceItIsReady)
{
    Openings openings;
    look(openings, opens - 1h, {opening(Word::at_risk)});
    look(openings, opens - 30min, {});                         // ready
    look(openings, opens - 20s, {opening(Word::on_schedule)}); // edited
    EXPECT_EQ(look(openings, opens, {opening(Word::on_schedule)}), one(Opened::excused));
}

TEST(Openings, HoldNothingOfAnotherScheduleAgainstAMeeting)
{
    Openings openings;
    look(openings, opens - 1h, {opening(Word::at_risk, {}, opens + 30min)});
    EXPECT_EQ(look(openings, opens, {opening(Word::at_risk)}), one(Opened::excused)) << "it was moved";
}

TEST(Openings, RememberSinceWhenAMeetingIsUnready)
{
    Openings openings;
    for (const seconds before : {3600s, 600s, 61s, 1s})
        look(openings, opens - before, {opening(Word::at_risk)});
    EXPECT_EQ(look(openings, opens, {opening(Word::failed)}), one(Opened::unready));
}

} // namespace
} // namespace usher
