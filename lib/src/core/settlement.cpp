// SPDX-License-Identifier: Apache-2.0
#include <usher/core/settlement.hpp>

#include <algorithm>
#include <map>

namespace usher {

namespace {

constexpr std::size_t compared_max = 256; // participants that are read again under the write lock

bool is_intact(SettlementFacts const& facts)
{
    return standing_of(facts) == Standing::intact;
}

/// Whether a session that was published before is left behind, whoever wrote its row. Its tokens are deleted by the
/// next pass.
bool leaves_one_behind(MeetingSnapshot const& read, bool publishes)
{
    return publishes && (read.published || read.has_foreign_session);
}

bool leads_to_another(Plan const& plan)
{
    return plan.session == SessionStep::publish || plan.session == SessionStep::create;
}

/// `issued 12, rotated 3`.
std::string reasons_of(Plan const& plan)
{
    std::map<TokenReason, std::size_t> reasons;
    for (SignStep const& step : plan.sign)
        ++reasons[step.reason];
    std::string text;
    for (auto const& [reason, count] : reasons)
        text.append(text.empty() ? "" : ", ").append(to_text(reason)).append(" ").append(std::to_string(count));
    return text;
}

std::optional<sys_seconds> ready_since(MeetingSnapshot const& read, Plan const& plan, sys_seconds now)
{
    if (plan.state != State::ready)
        return std::nullopt;
    return read.state == State::ready && read.ready_at ? read.ready_at : now;
}

SettledRow settled_row(SettlementFacts const& facts, Cleared const& cleared, PublishOutcome outcome, sys_seconds now)
{
    MeetingSnapshot const& read = facts.read;
    Plan const& plan = facts.plan;
    SettledRow row;
    row.due_now =
        !cleared.finished || leaves_one_behind(read, outcome.publishes) || read.requests.size() >= open_work_max;
    row.due = plan.due;
    if (const auto again = look_again(read, plan, now))
        row.due = std::min(row.due.value_or(*again), *again);
    row.opens = plan.opens;
    row.closes = plan.closes;
    row.policy_hash = plan.policy_hash;
    // A failure is remembered for as long as the same session is wanted.
    if (plan.session == SessionStep::order && plan.inputs == read.failed_inputs) {
        row.next_at = plan.blocked ? read.next_at : sys_seconds{}; // it has come
        row.attempts = read.attempts;
        row.failed_inputs = read.failed_inputs;
    }
    row.state = plan.state;
    row.reason = plan.reason;
    row.detail = plan.detail;
    row.ready_at = ready_since(read, plan, now);
    // What a request asks for is on record as long as it does.
    if (plan.session == SessionStep::order && plan.renew == Renewal::participant_removed)
        row.renewal = plan.renew;
    row.generation = settled_generation(read, plan, outcome, now);
    row.settled_at = plan.at;
    row.gone_at = plan.gone_at;
    row.edited_early = plan.edited_early;
    return row;
}

} // namespace

bool is_untouched(MeetingSnapshot const& read, std::int64_t due_at, bool others_wrote)
{
    return due_at == read.due_at && (due_at != 0 || !others_wrote);
}

bool is_compared_whole(MeetingSnapshot const& read)
{
    return read.participants.size() <= compared_max;
}

bool reads_participants(MeetingSnapshot const& read, std::int64_t due_at)
{
    return due_at == read.due_at && is_compared_whole(read);
}

Standing standing_of(MeetingSnapshot const& read, std::optional<MeetingSnapshot> const& current, std::int64_t due_at)
{
    if (!current || current->is_unreadable)
        return Standing::gone;
    const bool compared = reads_participants(read, due_at);
    if (compared && *current == read)
        return Standing::intact;
    if (!read.meeting || read.meeting != current->meeting || read.meeting->cancelled)
        return Standing::gone;
    return due_at == read.due_at && !compared ? Standing::unclear : Standing::edited;
}

Standing standing_of(SettlementFacts const& facts)
{
    if (facts.standing == Standing::intact && facts.requests != facts.read.requests)
        return Standing::edited;
    return facts.standing;
}

bool uses_session(SettlementFacts const& facts)
{
    const bool aborted = facts.plan.create_reason == "requested" && !wants_session(facts.requests);
    return facts.has_session && facts.standing != Standing::gone && !aborted;
}

Clearance clearance_of(SettlementFacts const& facts, bool in_use)
{
    Clearance clearance;
    if (!is_intact(facts))
        return clearance;
    Plan const& plan = facts.plan;
    clearance.withdraws = in_use;
    clearance.keeps_problems = true;
    clearance.all_tokens = plan.delete_tokens;
    clearance.leftovers = plan.delete_leftovers;
    clearance.marks_disconnect = plan.disconnect;
    clearance.removals =
        facts.read.has_removals && (plan.settle_removals || plan.forget || (leads_to_another(plan) && in_use));
    clearance.past = plan.purge;
    clearance.agenda_row = plan.forget;
    return clearance;
}

SessionLinks without_foreign(MeetingSnapshot const& read, SessionLinks links, std::optional<SessionNo> session)
{
    if (!read.has_foreign_session)
        return links;
    if (!read.published)
        links.published.reset();
    if (!read.staged && links.staged != session)
        links.staged.reset();
    return links;
}

Settlement
settle(SettlementFacts const& facts, Cleared const& cleared, std::optional<SessionNo> session, sys_seconds now)
{
    MeetingSnapshot const& read = facts.read;
    Plan const& plan = facts.plan;
    const bool intact = is_intact(facts);
    Settlement result;
    result.links = cleared.links;
    result.changed = cleared.tokens > 0 || cleared.withdrawn > 0 || (intact && plan.delete_tokens.has_value());
    const auto note = [&](std::string name, std::string detail) {
        if (!plan.purge) // it would outlive what it is about
            result.events.push_back({std::move(name), std::move(detail)});
    };
    if (intact && plan.disconnect)
        note("disconnect_wanted", plan.reason.empty() ? "closed" : plan.reason);
    if (intact && read.has_foreign_session) {
        const bool had_published = result.links.published.has_value();
        result.links = without_foreign(read, result.links, session);
        result.changed = result.changed || (had_published && !result.links.published);
        note("foreign_session", "a session row that usher did not write was taken off");
    }
    const bool publishes = leads_to_another(plan) && session.has_value();
    if (publishes) {
        result.links.published = session;
        result.links.staged.reset();
        result.changed = true;
        note("session_published", plan.create_reason);
    }
    if (intact && plan.session == SessionStep::drop) {
        result.links.published.reset();
        result.links.staged.reset();
        result.changed = true;
        note("session_withdrawn", plan.reason);
    }
    if (intact && (plan.session == SessionStep::keep || plan.session == SessionStep::order))
        result.links.staged.reset();
    const bool is_news = read.state != plan.state || read.reason != plan.reason;
    if (intact && is_news)
        note(std::string{to_text(plan.state)}, plan.reason.empty() ? plan.detail : plan.reason);
    result.changed =
        result.changed ||
        (intact && (is_news || read.detail != plan.detail || read.opens != plan.opens || read.closes != plan.closes));
    // The last slice knows the whole plan, so the audit trail has one line a pass, not one a slice.
    if (!plan.sign.empty() && result.changed)
        note("tokens_signed", reasons_of(plan));
    if (!plan.withdraw.empty() && intact)
        note("tokens_withdrawn", std::to_string(plan.withdraw.size()));
    result.outcome = {intact && cleared.finished, publishes};
    result.leaves_no_doubt = standing_of(facts) != Standing::unclear;
    if (intact)
        result.row = settled_row(facts, cleared, result.outcome, now);
    result.settled = intact && cleared.finished && !leaves_one_behind(read, publishes);
    return result;
}

CallSettlement settle_call(EndedCall const& call, CallFacts const& facts)
{
    CallSettlement result;
    result.outcome = call.outcome;
    if (call.outcome == CallOutcome::unsent)
        return result;
    // Whatever pass has the meeting in hand planned without knowing of this.
    result.is_due = true;
    if (call.outcome == CallOutcome::created) {
        result.is_staged = facts.is_wanted && !facts.id_taken;
        if (!result.is_staged) // the platform wants another one by now, or somebody took the id
            result.outcome = CallOutcome::abandoned;
        return result;
    }
    if (!facts.is_known)
        return result;
    result.attempts = facts.failed_inputs == call.inputs ? facts.attempts + 1 : 1;
    result.is_news = facts.state != call.state || facts.reason != call.reason;
    return result;
}

std::string_view to_text(CallOutcome outcome)
{
    switch (outcome) {
    case CallOutcome::created: return "created";
    case CallOutcome::failed: return "failed";
    case CallOutcome::abandoned: return "abandoned";
    case CallOutcome::unsent: return "unsent";
    }
    return "unknown";
}

} // namespace usher
