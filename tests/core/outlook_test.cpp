// SPDX-License-Identifier: Apache-2.0
// What usher will do, and whom its absence hurts, at the boundaries.
#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <usher/core/outlook.hpp>

namespace usher {
namespace {

using namespace std::chrono_literals;

constexpr sys_seconds starts{1'800'000'000s};
constexpr sys_seconds ends = starts + 1h;

Projects projects(bool network = false)
{
    Projects result;
    ProjectFacts facts;
    facts.name = "default";
    facts.provider = "sandbox";
    facts.project_key = "123456";
    facts.key_id = "key";
    facts.network = network;
    facts.policy_hash = hash_of(facts);
    result.by_name.emplace(facts.name, facts);
    return result;
}

/// A meeting with two people, and no session yet.
MeetingSnapshot snapshot(sys_seconds until = ends)
{
    MeetingSnapshot meeting;
    meeting.number = MeetingNo{1};
    meeting.id = "m";
    meeting.meeting = MeetingRow{starts, until, false, "default", {}};
    for (char const* const id : {"ann", "bob"}) {
        ParticipantRow person;
        person.id = id;
        person.role = Role::publisher;
        meeting.participants.push_back(person);
    }
    return meeting;
}

Schedule schedule(sys_seconds until = ends)
{
    return schedule_of("m", MeetingRow{starts, until}, Policy{});
}

struct Seen {
    std::vector<std::pair<sys_seconds, std::size_t>> tokens;
    std::vector<sys_seconds> calls;
    MeetingSnapshot meeting;
};

Seen look(
    MeetingSnapshot const& meeting, Projects const& known, sys_seconds from, sys_seconds until,
    ImaginedCalls calls = ImaginedCalls::answered
)
{
    Seen seen;
    seen.meeting = imagine(meeting, known, from, until, calls, [&](ImaginedLook const& at) {
        if (!at.plan.sign.empty())
            seen.tokens.emplace_back(at.at, at.plan.sign.size());
        if (at.calls)
            seen.calls.push_back(at.at);
    });
    return seen;
}

/// As usher leaves it when its tokens are there.
MeetingSnapshot served(sys_seconds until = ends)
{
    const Schedule at = schedule(until);
    return look(snapshot(until), projects(), at.tokens_from, at.tokens_from + 1s).meeting;
}

TEST(Imagine, SignsWhenTokensAreWanted)
{
    const sys_seconds from = schedule().tokens_from;
    EXPECT_TRUE(look(snapshot(), projects(), from - 48h, from).tokens.empty());

    const Seen seen = look(snapshot(), projects(), from - 48h, from + 1s);
    ASSERT_EQ(seen.tokens.size(), 1U);
    EXPECT_EQ(seen.tokens[0], std::pair(from, std::size_t{2}));
    EXPECT_TRUE(seen.calls.empty());
    EXPECT_EQ(seen.meeting.state, State::ready);
    EXPECT_EQ(seen.meeting.participants[0].token->expires_at, schedule().closes);
}

TEST(Imagine, ReplacesTokensAsThePlannerDoes)
{
    const sys_seconds until = starts + 48h;
    const Schedule at = schedule(until);
    const Policy policy;

    const Seen seen = look(snapshot(until), projects(), at.tokens_from, at.closes + 1s);

    ASSERT_GE(seen.tokens.size(), 3U);
    sys_seconds expires = at.tokens_from - policy.clock_skew + policy.max_token_life;
    for (std::size_t i = 1; i < seen.tokens.size(); ++i) {
        const auto rotation = rotation_of("m", expires, at.closes, policy);
        ASSERT_TRUE(rotation);
        EXPECT_EQ(seen.tokens[i], std::pair(*rotation, std::size_t{2}));
        expires = expiry_of(*rotation - policy.clock_skew, at.closes, policy);
    }
    EXPECT_EQ(expires, at.closes);
    EXPECT_EQ(seen.meeting.state, State::ended);
    EXPECT_FALSE(seen.meeting.participants[0].token);
}

TEST(Imagine, AsksForASessionOnce)
{
    const Schedule at = schedule();
    EXPECT_TRUE(look(snapshot(), projects(true), at.session_from - 1h, at.session_from).calls.empty());

    const Seen seen = look(snapshot(), projects(true), at.session_from - 1h, at.closes);
    EXPECT_EQ(seen.calls, std::vector{at.session_from});
    ASSERT_EQ(seen.tokens.size(), 1U);
    EXPECT_EQ(seen.tokens[0].first, at.tokens_from);
    EXPECT_TRUE(seen.meeting.published);
}

TEST(Imagine, AVendorMayBeSilent)
{
    const Schedule at = schedule();
    const Seen seen = look(snapshot(), projects(true), at.opens - 30min, at.opens, ImaginedCalls::unanswered);
    EXPECT_FALSE(seen.meeting.published);
    EXPECT_GE(seen.calls.size(), 2U);
    EXPECT_TRUE(seen.tokens.empty());
}

TEST(Imagine, ASettledMeetingNeedsNothing)
{
    const Seen seen = look(served(), projects(), starts, starts + 30min);
    EXPECT_TRUE(seen.tokens.empty());
    EXPECT_EQ(seen.meeting.participants, served().participants);
}

TEST(LeftOut, WhoHasNoTokenFromTheirDoorOn)
{
    const sys_seconds opens = schedule().opens;
    EXPECT_FALSE(left_out_without_usher(snapshot(), projects(), opens - 3h, opens));

    const auto found = left_out_without_usher(snapshot(), projects(), opens - 3h, opens + 1s);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->people, 2U);
    EXPECT_EQ(found->since, opens);

    EXPECT_EQ(left_out_without_usher(snapshot(), projects(), starts, ends)->since, starts);
    EXPECT_FALSE(left_out_without_usher(snapshot(), projects(), schedule().closes, schedule().closes + 3h));
    EXPECT_FALSE(left_out_without_usher(served(), projects(), opens, schedule().closes + 3h));
}

TEST(LeftOut, CountsFromTheOpeningWhoeverComesFirst)
{
    Projects known = projects();
    Policy& policy = known.by_name.at("default").policy;
    policy.early_join.set(Role::publisher, 5min); // all others 15 min
    EXPECT_FALSE(left_out_without_usher(snapshot(), known, starts - 3h, starts - 5min));

    const auto found = left_out_without_usher(snapshot(), known, starts - 3h, starts - 5min + 1s);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->since, starts - 15min);
}

TEST(LeftOut, WhoseTokenRunsOut)
{
    const sys_seconds until = starts + 48h;
    const MeetingSnapshot meeting = served(until);
    const sys_seconds expires = meeting.participants[0].token->expires_at;
    ASSERT_LT(expires, schedule(until).closes);
    EXPECT_FALSE(left_out_without_usher(meeting, projects(), starts, expires));

    const auto found = left_out_without_usher(meeting, projects(), starts, expires + 1s);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->people, 2U);
    EXPECT_EQ(found->since, expires);
}

TEST(LeftOut, OnlyThoseWhomUsherCouldServe)
{
    MeetingSnapshot meeting = snapshot();
    meeting.participants[0].blocked = true;
    meeting.participants[0].problem = "unknown_role"; // is over, and does not matter
    EXPECT_EQ(left_out_without_usher(meeting, projects(), starts, ends)->people, 1U);
    meeting.participants[1].role.reset();
    EXPECT_FALSE(left_out_without_usher(meeting, projects(), starts, ends));

    MeetingSnapshot cancelled = snapshot();
    cancelled.meeting->cancelled = true;
    EXPECT_FALSE(left_out_without_usher(cancelled, projects(), starts, ends));
    MeetingSnapshot unknown = snapshot();
    unknown.meeting->project = "other";
    EXPECT_FALSE(left_out_without_usher(unknown, projects(), starts, ends));
}

TEST(LeftOut, AnotherRoleNeedsAnotherToken)
{
    MeetingSnapshot meeting = served();
    meeting.participants[1].role = Role::moderator;
    EXPECT_EQ(left_out_without_usher(meeting, projects(), starts, ends)->people, 1U);
}

} // namespace
} // namespace usher
