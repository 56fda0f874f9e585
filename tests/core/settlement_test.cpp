// SPDX-License-Identifier: Apache-2.0
// What a publication still may write though the platform went on editing.
#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <usher/core/settlement.hpp>

namespace usher {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr sys_seconds now{seconds{1'800'000'000}};
constexpr SessionNo old_session{1};
constexpr SessionNo new_session{2};

/// A meeting that is ready: with a published session, and somebody with a token for it.
MeetingSnapshot ready_meeting()
{
    MeetingSnapshot meeting;
    meeting.number = MeetingNo{7};
    meeting.id = "m";
    meeting.meeting.emplace();
    meeting.state = State::ready;
    meeting.ready_at = now - seconds{60};
    meeting.opens = now + seconds{600};
    meeting.closes = now + seconds{4200};
    meeting.published = SessionRow{old_session, "s1", "sandbox", "default", "1", ""};
    ParticipantRow& person = meeting.participants.emplace_back();
    person.id = "ann";
    person.role = Role::publisher;
    person.token.emplace();
    return meeting;
}

/// What keeps that meeting as it is.
Plan keeping(MeetingSnapshot const& meeting)
{
    Plan plan;
    plan.state = meeting.state;
    plan.opens = meeting.opens;
    plan.closes = meeting.closes;
    plan.at = now;
    plan.due = now + seconds{4200};
    return plan;
}

Cleared nothing_cleared()
{
    Cleared cleared;
    cleared.links = {old_session, std::nullopt, old_session};
    return cleared;
}

std::vector<std::string> names(Settlement const& settlement)
{
    std::vector<std::string> names;
    for (HistoryEvent const& event : settlement.events)
        names.push_back(event.name);
    return names;
}

TEST(Settlement, TheAgendaRowAloneSaysThatNobodyEdited)
{
    MeetingSnapshot read = ready_meeting();

    read.due_at = 500;
    EXPECT_TRUE(is_untouched(read, 500, false));
    EXPECT_TRUE(is_untouched(read, 500, true)) << "each edit sets 0";
    EXPECT_FALSE(is_untouched(read, 0, true));
    EXPECT_FALSE(is_untouched(read, 501, false));
    read.due_at = 0;
    EXPECT_TRUE(is_untouched(read, 0, false));
    EXPECT_FALSE(is_untouched(read, 0, true)) << "another edit leaves the same row";
}

TEST(Settlement, ParticipantsAreComparedUpTo256)
{
    MeetingSnapshot read = ready_meeting();
    read.participants.resize(256);
    EXPECT_TRUE(reads_participants(read, read.due_at));
    EXPECT_TRUE(is_compared_whole(read));
    EXPECT_FALSE(reads_participants(read, read.due_at + 1)) << "it was edited, whoever it was";
    read.participants.resize(257);
    EXPECT_FALSE(reads_participants(read, read.due_at));
    EXPECT_FALSE(is_compared_whole(read));
}

TEST(Settlement, HowFarAPlanStands)
{
    struct Case {
        std::string name;
        Standing expected;
        std::function<void(MeetingSnapshot&)> edit;
        std::int64_t due_at = 0;
        std::size_t people = 1;
    };
    const Case cases[] = {
        {"the same rows", Standing::intact, [](MeetingSnapshot&) {}},
        {"another role", Standing::edited,
         [](MeetingSnapshot& later) { later.participants[0].role = Role::moderator; }},
        {"another end", Standing::gone, [](MeetingSnapshot& later) { later.meeting->ends_at += seconds{1}; }},
        {"cancelled", Standing::gone, [](MeetingSnapshot& later) { later.meeting->cancelled = true; }},
        {"deleted", Standing::gone, [](MeetingSnapshot& later) { later.meeting.reset(); }},
        {"unreadable", Standing::gone, [](MeetingSnapshot& later) { later.is_unreadable = true; }},
        {"another due_at", Standing::edited, [](MeetingSnapshot&) {}, 500},
        {"256 people as they were", Standing::intact, [](MeetingSnapshot&) {}, 0, 256},
        {"257 people of whom nobody knows", Standing::unclear,
         [](MeetingSnapshot& later) { later.participants.clear(); }, 0, 257},
        {"257 people of another meeting row", Standing::gone,
         [](MeetingSnapshot& later) { later.meeting->project = "other"; }, 0, 257},
    };
    for (Case const& one : cases) {
        SCOPED_TRACE(one.name);
        MeetingSnapshot read = ready_meeting();
        read.participants.resize(one.people);
        MeetingSnapshot current = read;
        one.edit(current);

        EXPECT_EQ(standing_of(read, current, one.due_at), one.expected);
    }
    EXPECT_EQ(standing_of(ready_meeting(), std::nullopt, 0), Standing::gone);
}

TEST(Settlement, ARowThatWasCancelledWhenItWasReadNeverStands)
{
    MeetingSnapshot read = ready_meeting();
    read.meeting->cancelled = true;
    MeetingSnapshot current = read;
    current.participants.clear();

    EXPECT_EQ(standing_of(read, current, 0), Standing::gone);
}

TEST(Settlement, AnAbortedRequestLeavesNothingIntact)
{
    MeetingSnapshot read = ready_meeting();
    read.requests = {{WorkNo{3}, RequestAction::replace_session, now}};
    Plan plan = keeping(read);
    plan.session = SessionStep::create;
    plan.create_reason = "requested";

    SettlementFacts facts{read, plan, Standing::intact, read.requests, true};
    EXPECT_EQ(standing_of(facts), Standing::intact);
    EXPECT_TRUE(uses_session(facts));
    facts.requests[0].action.reset();
    EXPECT_EQ(standing_of(facts), Standing::edited);
    EXPECT_FALSE(uses_session(facts)) << "nobody asks for it any more";
    plan.create_reason = "first";
    EXPECT_TRUE(uses_session(facts)) << "it is needed whoever asked";
}

TEST(Settlement, ASessionIsUsedUnlessTheRowIsAnother)
{
    const MeetingSnapshot read = ready_meeting();
    const Plan plan = keeping(read);
    for (const Standing standing : {Standing::intact, Standing::unclear, Standing::edited, Standing::gone})
        EXPECT_EQ(uses_session({read, plan, standing, {}, true}), standing != Standing::gone);
    EXPECT_FALSE(uses_session({read, plan, Standing::intact, {}, false})) << "there is none";
}

TEST(Settlement, NothingGoesWhenSomebodyEdited)
{
    MeetingSnapshot read = ready_meeting();
    read.has_removals = true;
    Plan plan = keeping(read);
    plan.delete_tokens = WithdrawReason::cancelled;
    plan.disconnect = plan.settle_removals = plan.purge = plan.forget = plan.delete_leftovers = true;

    const Clearance clear = clearance_of({read, plan, Standing::intact, {}, false}, true);
    EXPECT_TRUE(clear.withdraws && clear.keeps_problems && clear.leftovers && clear.marks_disconnect);
    EXPECT_TRUE(clear.removals && clear.past && clear.agenda_row);
    EXPECT_EQ(clear.all_tokens, WithdrawReason::cancelled);
    for (const Standing standing : {Standing::unclear, Standing::edited, Standing::gone}) {
        const Clearance none = clearance_of({read, plan, standing, {}, false}, true);
        EXPECT_FALSE(none.withdraws || none.keeps_problems || none.leftovers || none.marks_disconnect);
        EXPECT_FALSE(none.removals || none.past || none.agenda_row || none.all_tokens);
    }
    EXPECT_FALSE(clearance_of({read, plan, Standing::intact, {}, false}, false).withdraws) << "no session is in use";
}

TEST(Settlement, RemovalsAreForgottenOnceAnotherSessionServes)
{
    MeetingSnapshot read = ready_meeting();
    Plan plan = keeping(read);
    const auto forgets = [&](SessionStep step, bool in_use) {
        plan.session = step;
        return clearance_of({read, plan, Standing::intact, {}, true}, in_use).removals;
    };
    EXPECT_FALSE(forgets(SessionStep::publish, true)) << "there are none";
    read.has_removals = true;
    EXPECT_TRUE(forgets(SessionStep::publish, true));
    EXPECT_TRUE(forgets(SessionStep::create, true));
    EXPECT_FALSE(forgets(SessionStep::create, false));
    EXPECT_FALSE(forgets(SessionStep::order, true));
    EXPECT_FALSE(forgets(SessionStep::keep, true));
}

TEST(Settlement, AMeetingAsItWasIsSettledWithoutAWordToReaders)
{
    const MeetingSnapshot read = ready_meeting();
    const Plan plan = keeping(read);

    const Settlement result = settle({read, plan}, nothing_cleared(), old_session, now);

    EXPECT_TRUE(result.settled);
    EXPECT_FALSE(result.changed);
    EXPECT_TRUE(result.leaves_no_doubt);
    EXPECT_THAT(result.events, IsEmpty());
    EXPECT_EQ(result.links, (SessionLinks{old_session, std::nullopt, old_session}));
    ASSERT_TRUE(result.row);
    EXPECT_FALSE(result.row->due_now);
    EXPECT_EQ(result.row->due, plan.due);
    EXPECT_EQ(result.row->ready_at, read.ready_at) << "it has been ready since then";
    EXPECT_EQ(result.row->settled_at, plan.at);
}

TEST(Settlement, WhatReadersSeeGivesANewSeq)
{
    struct Case {
        std::string name;
        std::function<void(Plan&, Cleared&)> change;
    };
    const Case cases[] = {
        {"tokens", [](Plan&, Cleared& cleared) { cleared.tokens = 1; }},
        {"withdrawn tokens", [](Plan&, Cleared& cleared) { cleared.withdrawn = 1; }},
        {"all tokens", [](Plan& plan, Cleared&) { plan.delete_tokens = WithdrawReason::ended; }},
        {"state", [](Plan& plan, Cleared&) { plan.state = State::ended; }},
        {"reason", [](Plan& plan, Cleared&) { plan.reason = "session_kept"; }},
        {"detail", [](Plan& plan, Cleared&) { plan.detail = "other"; }},
        {"door", [](Plan& plan, Cleared&) { plan.opens = now; }},
        {"end", [](Plan& plan, Cleared&) { plan.closes = now; }},
        {"no session", [](Plan& plan, Cleared&) { plan.session = SessionStep::drop; }},
    };
    for (Case const& one : cases) {
        SCOPED_TRACE(one.name);
        const MeetingSnapshot read = ready_meeting();
        Plan plan = keeping(read);
        Cleared cleared = nothing_cleared();
        one.change(plan, cleared);

        EXPECT_TRUE(settle({read, plan}, cleared, old_session, now).changed);
        const bool stored = cleared.tokens > 0 || cleared.withdrawn > 0;
        EXPECT_EQ(settle({read, plan, Standing::edited}, cleared, old_session, now).changed, stored);
    }
    const MeetingSnapshot read = ready_meeting();
    Plan plan = keeping(read);
    plan.due = now; // not for readers
    plan.policy_hash = 9;
    Cleared cleared = nothing_cleared();
    cleared.deleted = 5; // of sessions that nobody sees
    EXPECT_FALSE(settle({read, plan}, cleared, old_session, now).changed);
}

TEST(Settlement, ANewSessionIsPublishedWhateverWasEditedBesideIt)
{
    MeetingSnapshot read = ready_meeting();
    read.staged = SessionRow{new_session, "s2", "sandbox", "default", "1", ""};
    Plan plan = keeping(read);
    plan.session = SessionStep::publish;
    plan.create_reason = "options_changed";
    Cleared cleared = nothing_cleared();
    cleared.links = {old_session, new_session, new_session};

    const Settlement intact = settle({read, plan}, cleared, new_session, now);
    EXPECT_EQ(intact.links, (SessionLinks{new_session, std::nullopt, new_session}));
    EXPECT_THAT(intact.events, ElementsAre(HistoryEvent{"session_published", "options_changed"}));
    EXPECT_TRUE(intact.outcome.publishes && intact.changed);
    EXPECT_TRUE(intact.row->due_now) << "the tokens of the old one are still to go";
    EXPECT_FALSE(intact.settled);

    const Settlement edited = settle({read, plan, Standing::edited}, cleared, new_session, now);
    EXPECT_EQ(edited.links, intact.links);
    EXPECT_TRUE(edited.outcome.publishes && edited.changed);
    EXPECT_FALSE(edited.row || edited.settled) << "the rest is for the next pass";

    const Settlement gone = settle({read, plan, Standing::gone}, cleared, std::nullopt, now);
    EXPECT_EQ(gone.links, cleared.links);
    EXPECT_FALSE(gone.outcome.publishes || gone.changed || gone.row);
}

TEST(Settlement, TheFirstSessionLeavesNothingToGo)
{
    MeetingSnapshot read = ready_meeting();
    read.published.reset();
    read.state = State::pending;
    Plan plan = keeping(read);
    plan.session = SessionStep::create;
    plan.state = State::ready;
    plan.create_reason = "first";
    plan.sign = {{0, TokenReason::issued}};
    Cleared cleared = nothing_cleared();
    cleared.links = {std::nullopt, new_session, new_session};
    cleared.tokens = 1;

    const Settlement result = settle({read, plan}, cleared, new_session, now);

    EXPECT_TRUE(result.settled);
    EXPECT_FALSE(result.row->due_now);
    EXPECT_EQ(result.row->ready_at, now);
    EXPECT_THAT(
        result.events, ElementsAre(
                           HistoryEvent{"session_published", "first"}, HistoryEvent{"ready", ""},
                           HistoryEvent{"tokens_signed", "issued 1"}
                       )
    );
}

TEST(Settlement, ASessionThatIsNoLongerWantedIsTakenOffByAPlanThatIsSure)
{
    MeetingSnapshot read = ready_meeting();
    Plan plan = keeping(read);
    Cleared cleared = nothing_cleared();
    cleared.links.staged = new_session;

    const auto links = [&](SessionStep step, Standing standing) {
        plan.session = step;
        return settle({read, plan, standing}, cleared, std::nullopt, now).links;
    };
    EXPECT_EQ(links(SessionStep::keep, Standing::intact), (SessionLinks{old_session, std::nullopt, old_session}));
    EXPECT_EQ(links(SessionStep::order, Standing::intact), (SessionLinks{old_session, std::nullopt, old_session}));
    EXPECT_EQ(links(SessionStep::drop, Standing::intact), (SessionLinks{std::nullopt, std::nullopt, old_session}));
    for (const SessionStep step : {SessionStep::keep, SessionStep::order, SessionStep::drop})
        EXPECT_EQ(links(step, Standing::edited), cleared.links);
}

TEST(Settlement, ASessionOfSomebodyElseIsTakenOff)
{
    MeetingSnapshot read = ready_meeting();
    read.published.reset();
    read.has_foreign_session = true;
    Plan plan = keeping(read);
    plan.session = SessionStep::create;
    Cleared cleared = nothing_cleared();
    cleared.links = {SessionNo{40}, new_session, new_session};

    const Settlement own_is_staged = settle({read, plan}, cleared, new_session, now);
    EXPECT_EQ(own_is_staged.links.published, new_session);
    EXPECT_THAT(names(own_is_staged), ElementsAre("foreign_session", "session_published"));
    // Its tokens are there still: the next pass deletes them.
    EXPECT_TRUE(own_is_staged.row->due_now);
    EXPECT_FALSE(own_is_staged.settled);

    plan.session = SessionStep::order;
    const Settlement ordered = settle({read, plan}, cleared, std::nullopt, now);
    EXPECT_EQ(ordered.links.published, std::nullopt);
    EXPECT_EQ(ordered.links.staged, std::nullopt);
    EXPECT_TRUE(ordered.changed);

    EXPECT_EQ(settle({read, plan, Standing::edited}, cleared, std::nullopt, now).links, cleared.links);
}

TEST(Settlement, HistoryGetsALineForEachThingThatHappened)
{
    MeetingSnapshot read = ready_meeting();
    Plan plan = keeping(read);
    plan.state = State::cancelled;
    plan.reason = "cancelled";
    plan.session = SessionStep::drop;
    plan.disconnect = true;
    plan.delete_tokens = WithdrawReason::cancelled;
    plan.withdraw = {{0, WithdrawReason::blocked}};
    plan.sign = {{0, TokenReason::rotated}, {0, TokenReason::issued}, {0, TokenReason::rotated}};

    EXPECT_THAT(
        settle({read, plan}, nothing_cleared(), old_session, now).events,
        ElementsAre(
            HistoryEvent{"disconnect_wanted", "cancelled"}, HistoryEvent{"session_withdrawn", "cancelled"},
            HistoryEvent{"cancelled", "cancelled"}, HistoryEvent{"tokens_signed", "issued 1, rotated 2"},
            HistoryEvent{"tokens_withdrawn", "1"}
        )
    );
    plan.purge = true;
    EXPECT_THAT(settle({read, plan}, nothing_cleared(), old_session, now).events, IsEmpty())
        << "an event would outlive what it is about";
    plan.purge = false;
    EXPECT_THAT(names(settle({read, plan, Standing::edited}, nothing_cleared(), old_session, now)), IsEmpty())
        << "nothing was stored";
}

TEST(Settlement, WhatIsNotFinishedIsDueAtOnce)
{
    MeetingSnapshot read = ready_meeting();
    const Plan plan = keeping(read);
    Cleared cleared = nothing_cleared();
    cleared.finished = false;

    const Settlement result = settle({read, plan}, cleared, old_session, now);
    EXPECT_TRUE(result.row->due_now);
    EXPECT_FALSE(result.settled);
    EXPECT_FALSE(result.outcome.intact) << "what is left has the tokens of before a rotation";

    read.requests.assign(open_work_max - 1, {WorkNo{1}, RequestAction::rotate, now});
    EXPECT_FALSE(settle({read, plan, Standing::intact, read.requests}, nothing_cleared(), old_session, now).row->due_now
    );
    read.requests.push_back(read.requests.back());
    EXPECT_TRUE(settle({read, plan, Standing::intact, read.requests}, nothing_cleared(), old_session, now).row->due_now)
        << "there may be more requests than were read";
}

TEST(Settlement, ARetryThatWaitsIsLookedAtAgain)
{
    MeetingSnapshot read = ready_meeting();
    read.requests = {{WorkNo{1}, RequestAction::retry, now}};
    Plan plan = keeping(read);
    plan.session = SessionStep::order;
    plan.due.reset();

    const Settlement waits = settle({read, plan, Standing::intact, read.requests}, nothing_cleared(), old_session, now);
    EXPECT_EQ(waits.row->due, now + retry_patience);
    plan.due = now + seconds{1};
    const Settlement sooner =
        settle({read, plan, Standing::intact, read.requests}, nothing_cleared(), old_session, now);
    EXPECT_EQ(sooner.row->due, plan.due);
}

TEST(Settlement, AFailureIsRememberedWhileTheSameSessionIsWanted)
{
    MeetingSnapshot read = ready_meeting();
    read.attempts = 3;
    read.failed_inputs = 11;
    read.next_at = now + seconds{9};
    Plan plan = keeping(read);
    const auto attempts = [&](SessionStep step, std::uint64_t inputs) {
        plan.session = step;
        plan.inputs = inputs;
        const SettledRow row = *settle({read, plan}, nothing_cleared(), std::nullopt, now).row;
        EXPECT_EQ(row.next_at, plan.blocked && row.attempts > 0 ? read.next_at : sys_seconds{});
        EXPECT_EQ(row.failed_inputs == read.failed_inputs, row.attempts > 0);
        return row.attempts;
    };
    EXPECT_EQ(attempts(SessionStep::order, 11), 3);
    plan.blocked = true;
    EXPECT_EQ(attempts(SessionStep::order, 11), 3);
    EXPECT_EQ(attempts(SessionStep::order, 12), 0);
    EXPECT_EQ(attempts(SessionStep::keep, 11), 0);
}

TEST(Settlement, ARemovalIsRememberedUntilTheSessionIsReplaced)
{
    MeetingSnapshot read = ready_meeting();
    Plan plan = keeping(read);
    plan.session = SessionStep::order;
    plan.renew = Renewal::participant_removed;
    EXPECT_EQ(settle({read, plan}, nothing_cleared(), std::nullopt, now).row->renewal, Renewal::participant_removed);
    plan.renew = Renewal::requested;
    EXPECT_EQ(settle({read, plan}, nothing_cleared(), std::nullopt, now).row->renewal, Renewal::no)
        << "a request is on record itself";
    plan.session = SessionStep::keep;
    plan.renew = Renewal::participant_removed;
    EXPECT_EQ(settle({read, plan}, nothing_cleared(), std::nullopt, now).row->renewal, Renewal::no);
}

TEST(Settlement, DoubtIsLeftForTheNextPass)
{
    const MeetingSnapshot read = ready_meeting();
    const Plan plan = keeping(read);

    const Settlement result = settle({read, plan, Standing::unclear}, nothing_cleared(), old_session, now);

    EXPECT_FALSE(result.leaves_no_doubt);
    EXPECT_FALSE(result.row || result.settled);
}

TEST(Settlement, HowACallEnds)
{
    struct Case {
        std::string name;
        CallOutcome outcome;
        bool is_wanted;
        bool id_taken;
        CallOutcome recorded;
        bool is_due;
        bool is_staged;
        bool fails;
    };
    const Case cases[] = {
        {"created", CallOutcome::created, true, false, CallOutcome::created, true, true, false},
        {"created, and the platform wants another", CallOutcome::created, false, false, CallOutcome::abandoned, true,
         false, false},
        {"created, with an id that is taken", CallOutcome::created, true, true, CallOutcome::abandoned, true, false,
         false},
        {"failed", CallOutcome::failed, true, false, CallOutcome::failed, true, false, true},
        {"answer lost", CallOutcome::abandoned, true, false, CallOutcome::abandoned, true, false, true},
        {"unsent", CallOutcome::unsent, true, false, CallOutcome::unsent, false, false, false},
    };
    for (Case const& one : cases) {
        SCOPED_TRACE(one.name);
        EndedCall call;
        call.outcome = one.outcome;
        CallFacts facts;
        facts.is_wanted = one.is_wanted;
        facts.id_taken = one.id_taken;

        const CallSettlement result = settle_call(call, facts);

        EXPECT_EQ(result.outcome, one.recorded);
        EXPECT_EQ(result.is_due, one.is_due);
        EXPECT_EQ(result.is_staged, one.is_staged);
        EXPECT_EQ(result.attempts.has_value(), one.fails);
    }
}

TEST(Settlement, FailuresInARowAreCountedForTheSameSession)
{
    EndedCall call;
    call.outcome = CallOutcome::failed;
    call.state = State::pending;
    call.reason = "provider_timeout";
    call.inputs = 11;
    CallFacts facts;
    facts.state = State::pending;
    facts.reason = "provider_timeout";
    facts.attempts = 2;
    facts.failed_inputs = 11;
    EXPECT_EQ(settle_call(call, facts).attempts, 3);
    EXPECT_FALSE(settle_call(call, facts).is_news);
    facts.failed_inputs = 12;
    EXPECT_EQ(settle_call(call, facts).attempts, 1) << "of another session";
    facts.reason = "session_pending";
    EXPECT_TRUE(settle_call(call, facts).is_news);
    facts.reason = call.reason;
    facts.state = State::failed;
    EXPECT_TRUE(settle_call(call, facts).is_news);
    facts.is_known = false;
    EXPECT_FALSE(settle_call(call, facts).attempts || settle_call(call, facts).is_news) << "its row is gone";
}

} // namespace
} // namespace usher
