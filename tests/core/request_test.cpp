// SPDX-License-Identifier: Apache-2.0
// How a request advances: which meetings it marks, when one has been served, when all is done.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <usher/core/meeting.hpp>
#include <usher/core/plan.hpp>
#include <usher/core/request.hpp>

namespace usher {
namespace {

constexpr sys_seconds now{seconds{1'800'000'000}};
constexpr std::int64_t work_no = 7;

OpenWork work_of(std::optional<RequestAction> action)
{
    return {WorkNo{work_no}, action, now};
}

/// A meeting with a published session and two people, whose tokens were signed for work 3.
MeetingSnapshot served_before()
{
    MeetingSnapshot meeting;
    meeting.meeting.emplace();
    meeting.published = SessionRow{SessionNo{1}, "s1", "sandbox", "default", "1", ""};
    for (const std::string id : {"ann", "bob"}) {
        ParticipantRow& row = meeting.participants.emplace_back();
        row.id = id;
        row.token.emplace().generation = 3;
    }
    return meeting;
}

Plan plan_of(SessionStep session, State state = State::ready)
{
    Plan plan;
    plan.session = session;
    plan.state = state;
    return plan;
}

Plan signing(std::vector<std::size_t> const& participants, SessionStep session = SessionStep::keep)
{
    Plan plan = plan_of(session);
    for (const std::size_t participant : participants)
        plan.sign.push_back({participant, TokenReason::requested});
    return plan;
}

bool served(
    std::optional<RequestAction> action, MeetingSnapshot const& meeting, Plan const& plan, PublishOutcome outcome = {}
)
{
    return is_served(work_of(action), meeting, plan, outcome, now);
}

TEST(Request, ARotationIsServedOnceNoOlderTokenIsPublished)
{
    constexpr auto rotate = RequestAction::rotate;
    MeetingSnapshot meeting = served_before();
    EXPECT_TRUE(served(rotate, meeting, signing({0, 1})));
    EXPECT_FALSE(served(rotate, meeting, signing({0})));
    EXPECT_FALSE(served(rotate, meeting, signing({0, 1}), {false, false})) << "somebody edited the rows";
    EXPECT_TRUE(served(rotate, meeting, signing({0, 1}, SessionStep::order))) << "the old session goes on to serve";

    Plan one_leaves = signing({0});
    one_leaves.withdraw.emplace_back().participant = 1;
    EXPECT_TRUE(served(rotate, meeting, one_leaves));

    Plan one_fails = signing({0, 1});
    one_fails.problems.push_back({1, "too_long", ""});
    EXPECT_FALSE(served(rotate, meeting, one_fails));

    meeting.participants[1].token->generation = work_no; // a slice before this one
    EXPECT_TRUE(served(rotate, meeting, signing({0})));
    meeting.participants[1].token->generation = work_no - 1;
    EXPECT_FALSE(served(rotate, meeting, signing({0})));
    meeting.participants[1].token.reset();
    EXPECT_TRUE(served(rotate, meeting, signing({0})));
}

TEST(Request, ARotationWaitsForTokensThatCannotBeSignedAtPresent)
{
    Plan unknown_project = plan_of(SessionStep::keep, State::failed);
    EXPECT_FALSE(served(RequestAction::rotate, served_before(), unknown_project));
    MeetingSnapshot without_tokens = served_before();
    without_tokens.participants.clear();
    EXPECT_TRUE(served(RequestAction::rotate, without_tokens, unknown_project));

    MeetingSnapshot with_staged = served_before();
    with_staged.staged = SessionRow{SessionNo{2}, "s2", "sandbox", "default", "1", ""};
    EXPECT_FALSE(served(RequestAction::rotate, with_staged, signing({0, 1}, SessionStep::order)))
        << "the tokens that were read are those of the staged session";
    EXPECT_TRUE(served(RequestAction::rotate, with_staged, signing({0, 1}, SessionStep::publish)));
}

TEST(Request, ASessionIsReplacedOnceANewOneIsPublishedOrNoneIsLeft)
{
    constexpr auto replace = RequestAction::replace_session;
    const MeetingSnapshot meeting = served_before();
    EXPECT_TRUE(served(replace, meeting, plan_of(SessionStep::create), {true, true}));
    EXPECT_TRUE(served(replace, meeting, plan_of(SessionStep::publish), {false, true})) << "whatever else was edited";
    EXPECT_FALSE(served(replace, meeting, plan_of(SessionStep::publish), {false, false}));
    EXPECT_FALSE(served(replace, meeting, plan_of(SessionStep::order))) << "it is being made";
    EXPECT_TRUE(served(replace, meeting, plan_of(SessionStep::drop)));
    EXPECT_FALSE(served(replace, meeting, plan_of(SessionStep::drop), {false, false}));
    EXPECT_FALSE(served(replace, meeting, plan_of(SessionStep::keep, State::failed))) << "nobody can make one now";
    EXPECT_TRUE(served(replace, meeting, plan_of(SessionStep::keep))) << "the platform's own session stays";

    MeetingSnapshot without = served_before();
    without.published.reset();
    EXPECT_TRUE(served(replace, without, plan_of(SessionStep::keep, State::waiting)));
    EXPECT_TRUE(served(replace, without, plan_of(SessionStep::keep, State::failed)));
}

TEST(Request, ARetryIsOverOnceACallHasEndedOrTheProviderIsNotAsked)
{
    constexpr auto retry = RequestAction::retry;
    const MeetingSnapshot meeting = served_before();
    Plan ordered = plan_of(SessionStep::order, State::pending);
    EXPECT_FALSE(served(retry, meeting, ordered));
    ordered.blocked = true; // it failed again
    EXPECT_TRUE(served(retry, meeting, ordered));
    EXPECT_TRUE(served(retry, meeting, plan_of(SessionStep::publish), {true, true}));
    EXPECT_TRUE(served(retry, meeting, plan_of(SessionStep::keep, State::failed)));

    ordered.blocked = false;
    const OpenWork work = work_of(retry);
    EXPECT_FALSE(is_served(work, meeting, ordered, {}, now + retry_patience - seconds{1}));
    EXPECT_TRUE(is_served(work, meeting, ordered, {}, now + retry_patience));
    EXPECT_TRUE(is_served(work, meeting, ordered, {}, now - seconds{1})) << "the clock was put back";

    MeetingSnapshot asked = meeting;
    asked.requests = {work_of(RequestAction::rotate), work};
    EXPECT_EQ(look_again(asked, ordered, now), now + retry_patience);
    EXPECT_EQ(look_again(asked, plan_of(SessionStep::keep), now), std::nullopt);
    EXPECT_EQ(look_again(meeting, ordered, now), std::nullopt);
}

TEST(Request, NothingIsAskedOfAMeetingThatIsOver)
{
    for (const auto action : {RequestAction::rotate, RequestAction::replace_session, RequestAction::retry})
        for (const State state : {State::cancelled, State::ended}) {
            EXPECT_TRUE(served(action, served_before(), plan_of(SessionStep::keep, state))) << to_text(action);
            EXPECT_FALSE(served(action, served_before(), plan_of(SessionStep::keep, state), {false, false}));
        }
    MeetingSnapshot gone = served_before();
    gone.meeting.reset();
    EXPECT_TRUE(served(RequestAction::rotate, gone, plan_of(SessionStep::keep, State::waiting)));
}

TEST(Request, WhatNobodyAsksForAnyMoreIsServedByAnyLook)
{
    EXPECT_TRUE(served(std::nullopt, served_before(), plan_of(SessionStep::order)));
    EXPECT_FALSE(served(std::nullopt, served_before(), plan_of(SessionStep::keep), {false, false}));
}

TEST(Request, TheNewestRotationSetsTheGeneration)
{
    const std::vector<OpenWork> none;
    EXPECT_EQ(wanted_generation(none, 4), 4);
    const std::vector<OpenWork> open{
        {WorkNo{5}, RequestAction::rotate, now},
        {WorkNo{6}, RequestAction::rotate, now},
        {WorkNo{8}, RequestAction::replace_session, now},
        {WorkNo{9}, std::nullopt, now}};
    EXPECT_EQ(wanted_generation(open, 4), 6);
    EXPECT_EQ(wanted_generation(open, 7), 7);
    EXPECT_TRUE(wants_session(open));
    EXPECT_FALSE(wants_session(std::vector<OpenWork>{{WorkNo{5}, RequestAction::rotate, now}}));
    EXPECT_FALSE(wants_session(std::vector<OpenWork>{{WorkNo{5}, std::nullopt, now}}));

    MeetingSnapshot meeting = served_before();
    meeting.requests = open;
    EXPECT_EQ(settled_generation(meeting, signing({0, 1}), {}, now), 6);
    EXPECT_EQ(settled_generation(meeting, signing({0}), {}, now), 0) << "an abort leaves the other token as it is";
    EXPECT_EQ(settled_generation(meeting, signing({0, 1}), {false, false}, now), 0);
}

TEST(Request, MarksNearMeetingsFirstAndEachOnce)
{
    constexpr auto rotate = RequestAction::rotate;
    const auto window = [](seconds opens, seconds closes) {
        MarkFacts facts;
        facts.settled = true;
        facts.opens = now + opens;
        facts.closes = now + closes;
        return facts;
    };
    EXPECT_TRUE(is_marked(rotate, MarkPass::near, window(seconds{-60}, seconds{1}), now));
    EXPECT_FALSE(is_marked(rotate, MarkPass::near, window(seconds{-60}, seconds{0}), now));
    EXPECT_TRUE(is_marked(rotate, MarkPass::near, window(seconds{7200}, seconds{9000}), now));
    EXPECT_FALSE(is_marked(rotate, MarkPass::near, window(seconds{7201}, seconds{9000}), now));
    EXPECT_FALSE(is_marked(rotate, MarkPass::near, MarkFacts{}, now)) << "never planned";
    EXPECT_TRUE(is_marked(rotate, MarkPass::rest, MarkFacts{}, now));

    MarkFacts marked = window(seconds{-60}, seconds{60});
    EXPECT_TRUE(is_marked(rotate, MarkPass::rest, marked, now)) << "it has become near between the passes";
    marked.marked = true;
    EXPECT_FALSE(is_marked(rotate, MarkPass::rest, marked, now));
}

TEST(Request, LeavesAloneWhatItCannotConcern)
{
    MarkFacts over;
    over.settled = true;
    over.over = true;
    EXPECT_FALSE(is_marked(RequestAction::rotate, MarkPass::rest, over, now));
    over.settled = false; // the platform may have moved it
    EXPECT_TRUE(is_marked(RequestAction::rotate, MarkPass::rest, over, now));

    MarkFacts fine;
    fine.settled = true;
    EXPECT_TRUE(is_marked(RequestAction::rotate, MarkPass::rest, fine, now));
    EXPECT_TRUE(is_marked(RequestAction::replace_session, MarkPass::rest, fine, now));
    EXPECT_FALSE(is_marked(RequestAction::retry, MarkPass::rest, fine, now));
    fine.failing = true;
    EXPECT_TRUE(is_marked(RequestAction::retry, MarkPass::rest, fine, now));
}

TEST(Request, IsDoneWhenAllAreMarkedAndEachHasBeenServed)
{
    EXPECT_TRUE(is_done({2, 2, 0, 0, 0}, true));
    EXPECT_FALSE(is_done({2, 1, 0, 0, 0}, true));
    EXPECT_FALSE(is_done({2, 2, 0, 0, 0}, false));
    EXPECT_TRUE(is_done({}, true));
    EXPECT_EQ(to_text(RequestCounts{1, 1, 1, 0, 2}), "1 meeting looked at, 0 sessions replaced, 2 tokens signed");
}

TEST(Request, WhatTheContractRefusesIsRefusedByName)
{
    EXPECT_EQ(why_invalid("rotate", {"m", {}}), std::nullopt);
    EXPECT_EQ(why_invalid("retry", {{}, "*"}), std::nullopt);
    EXPECT_EQ(why_invalid("revoke", {"m", {}}), "its action \"revoke\" is none of rotate, replace_session, retry");
    EXPECT_EQ(why_invalid("rotate", {}), "it names neither a meeting nor a project; project '*' is all");
    EXPECT_EQ(why_invalid("rotate", {"m", "p"}), "it names a meeting and a project");
    EXPECT_EQ(why_invalid("rotate", {"", {}}), "its meeting_id is empty");
    EXPECT_EQ(why_invalid("rotate", {{}, ""}), "its project is empty");
}

TEST(Request, ActionsAreTheSchemas)
{
    for (const auto action : {RequestAction::rotate, RequestAction::replace_session, RequestAction::retry})
        EXPECT_EQ(parse_request_action(to_text(action)), action);
    EXPECT_EQ(parse_request_action("revoke"), std::nullopt);
    EXPECT_EQ(parse_request_action(""), std::nullopt);
}

} // namespace
} // namespace usher
