// SPDX-License-Identifier: Apache-2.0
// The planner at its boundaries: one second before, at, after.
#include <gtest/gtest.h>

#include <usher/core/plan.hpp>

namespace usher {
namespace {

using namespace std::chrono_literals;

constexpr sys_seconds starts{1'800'000'000s};
constexpr sys_seconds ends = starts + 1h;

Projects projects()
{
    Projects result;
    ProjectFacts facts;
    facts.name = "default";
    facts.provider = "sandbox";
    facts.project_key = "123456";
    facts.key_id = "key";
    facts.policy_hash = hash_of(facts);
    result.by_name.emplace(facts.name, facts);
    return result;
}

/// A meeting of one hour with one person and, from the start, a published session.
MeetingSnapshot snapshot()
{
    MeetingSnapshot meeting;
    meeting.number = MeetingNo{1};
    meeting.id = "m";
    meeting.meeting = MeetingRow{starts, ends, false, "default", {}};
    meeting.published = SessionRow{SessionNo{1}, "s", "sandbox", "default", "123456", to_text(SessionOptions{})};
    ParticipantRow ann;
    ann.id = "ann";
    ann.role = Role::publisher;
    meeting.participants.push_back(ann);
    return meeting;
}

Schedule schedule()
{
    return schedule_of("m", starts, ends, Policy{});
}

TEST(Schedule, SpreadsOnlyMakeWorkEarlier)
{
    const Policy policy;
    for (int i = 0; i < 1000; ++i) {
        const std::string id = "meeting " + std::to_string(i);
        const Schedule planned = schedule_of(id, starts, ends, policy);
        EXPECT_EQ(planned.opens, starts - 15min);
        EXPECT_EQ(planned.closes, ends + 15min);
        EXPECT_LE(planned.tokens_from, planned.opens - policy.token_lead);
        EXPECT_GE(planned.tokens_from, planned.opens - policy.token_lead - policy.token_lead / 4);
        EXPECT_LE(planned.session_from, planned.opens - policy.session_lead);
        EXPECT_LE(planned.session_from, planned.tokens_from);
    }
}

TEST(Plan, SessionAndTokensBeginAtTheirInstant)
{
    MeetingSnapshot meeting = snapshot();
    meeting.published.reset();
    const Schedule at = schedule();
    const Plan before = plan(meeting, projects(), at.session_from - 1s);
    EXPECT_EQ(before.session, SessionStep::keep);
    EXPECT_EQ(before.due, at.session_from);
    const Plan session = plan(meeting, projects(), at.session_from);
    EXPECT_EQ(session.session, SessionStep::create);
    EXPECT_TRUE(session.sign.empty());
    EXPECT_EQ(session.due, at.tokens_from);

    EXPECT_TRUE(plan(snapshot(), projects(), at.tokens_from - 1s).sign.empty());
    const Plan tokens = plan(snapshot(), projects(), at.tokens_from);
    ASSERT_EQ(tokens.sign.size(), 1U);
    EXPECT_EQ(tokens.sign[0].reason, TokenReason::issued);
    EXPECT_EQ(tokens.state, State::ready);
    EXPECT_EQ(tokens.due, at.closes);
}

TEST(Plan, EndsAtCloses)
{
    EXPECT_EQ(plan(snapshot(), projects(), schedule().closes - 1s).state, State::ready);
    const Plan ended = plan(snapshot(), projects(), schedule().closes);
    EXPECT_EQ(ended.state, State::ended);
    EXPECT_TRUE(ended.sign.empty());
    EXPECT_EQ(ended.due, schedule().closes + Policy{}.retention);
    EXPECT_FALSE(plan(snapshot(), projects(), schedule().closes + Policy{}.retention - 1s).purge);
    EXPECT_TRUE(plan(snapshot(), projects(), schedule().closes + Policy{}.retention).purge);
}

TEST(Plan, OptionsMatterUntilOpens)
{
    MeetingSnapshot meeting = snapshot();
    meeting.meeting->options.media_mode = "relayed";
    const Plan before = plan(meeting, projects(), schedule().opens - 1s);
    EXPECT_EQ(before.session, SessionStep::create);
    EXPECT_EQ(before.create_reason, "options_changed");
    const Plan at = plan(meeting, projects(), schedule().opens);
    EXPECT_EQ(at.session, SessionStep::keep);
    EXPECT_EQ(at.reason, "session_kept");
}

TEST(Plan, RotatesAtItsInstant)
{
    const Policy policy;
    MeetingSnapshot meeting = snapshot();
    meeting.meeting->ends_at = starts + std::chrono::days{5};
    meeting.policy_hash = projects().by_name.at("default").policy_hash;
    const sys_seconds issued = starts;
    const sys_seconds closes = starts + std::chrono::days{5} + 15min;
    TokenRow token;
    token.role = Role::publisher;
    token.issued_at = issued;
    token.expires_at = expiry_of(issued, closes, policy);
    token.key_id = "key";
    token.fingerprint = fingerprint_of(meeting.participants[0], "s", TokenFormat::jwt);
    meeting.participants[0].token = token;
    const auto rotation = rotation_of("m", token.expires_at, closes, policy);
    ASSERT_TRUE(rotation);
    EXPECT_LE(*rotation, token.expires_at - policy.rotation_margin);

    EXPECT_TRUE(plan(meeting, projects(), *rotation - 1s).sign.empty());
    EXPECT_EQ(plan(meeting, projects(), *rotation - 1s).due, *rotation);
    const Plan at = plan(meeting, projects(), *rotation);
    ASSERT_EQ(at.sign.size(), 1U);
    EXPECT_EQ(at.sign[0].reason, TokenReason::rotated);
    // One that lasts until the meeting closes is left alone.
    EXPECT_FALSE(rotation_of("m", closes, closes, policy));
    EXPECT_TRUE(rotation_of("m", closes - 1s, closes, policy));
}

TEST(Plan, BlocksTheNetworkCallUntilItsTime)
{
    MeetingSnapshot meeting = snapshot();
    meeting.published.reset();
    meeting.next_at = schedule().tokens_from + 10s;
    const Plan blocked = plan(meeting, projects(), schedule().tokens_from + 9s);
    EXPECT_TRUE(blocked.blocked);
    EXPECT_EQ(blocked.due, meeting.next_at);
    EXPECT_EQ(plan(meeting, projects(), meeting.next_at).session, SessionStep::create);
}

} // namespace
} // namespace usher
