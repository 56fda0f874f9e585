// SPDX-License-Identifier: Apache-2.0
#include <usher/core/request.hpp>

#include <algorithm>
#include <vector>

#include <usher/core/meeting.hpp>
#include <usher/core/plan.hpp>
#include <usher/core/printable.hpp>

namespace usher {

namespace {

constexpr seconds near_ahead{2 * 3600}; // what opens within this time is marked with what is live

std::string counted(std::int64_t count, std::string const& thing)
{
    return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

/// Nobody can join it any more, by anything.
bool is_over(MeetingSnapshot const& meeting, Plan const& plan)
{
    return !meeting.meeting || plan.state == State::cancelled || plan.state == State::ended;
}

/// Whether every token that is published once `plan` is done was signed for `generation` or later.
bool is_rotated(std::int64_t generation, MeetingSnapshot const& meeting, Plan const& plan)
{
    if (plan.delete_tokens || plan.session == SessionStep::drop)
        return true;
    // The snapshot has the tokens of the staged session only; those of the published one are read once it is gone.
    if (meeting.staged && meeting.published && plan.session == SessionStep::order)
        return false;
    std::vector<bool> replaced(meeting.participants.size());
    for (SignStep const& step : plan.sign)
        replaced[step.participant] = true;
    for (ParticipantProblem const& problem : plan.problems) // one that could not be signed
        replaced[problem.participant] = false;
    for (Withdrawal const& withdrawal : plan.withdraw)
        replaced[withdrawal.participant] = true;
    for (std::size_t i = 0; i < meeting.participants.size(); ++i) {
        auto const& token = meeting.participants[i].token;
        if (token && token->generation < generation && !replaced[i])
            return false;
    }
    return true;
}

} // namespace

std::string_view to_text(RequestAction action)
{
    switch (action) {
    case RequestAction::rotate: return "rotate";
    case RequestAction::replace_session: return "replace_session";
    case RequestAction::retry: return "retry";
    }
    return "unknown";
}

std::string_view to_text(RequestState state)
{
    switch (state) {
    case RequestState::filed: return "filed";
    case RequestState::running: return "running";
    case RequestState::done: return "done";
    case RequestState::refused: return "refused";
    case RequestState::aborted: return "aborted";
    }
    return "unknown";
}

std::optional<RequestAction> parse_request_action(std::string_view text)
{
    for (const RequestAction action : {RequestAction::rotate, RequestAction::replace_session, RequestAction::retry})
        if (text == to_text(action))
            return action;
    return std::nullopt;
}

std::optional<std::string> why_invalid(std::string_view action, RequestScope const& scope)
{
    if (!parse_request_action(action))
        return "its action " + in_quotes(action) + " is none of rotate, replace_session, retry";
    if (scope.meeting && scope.project)
        return "it names a meeting and a project";
    if (!scope.meeting && !scope.project)
        return "it names neither a meeting nor a project; project '*' is all";
    if (scope.meeting ? scope.meeting->empty() : scope.project->empty())
        return scope.meeting ? "its meeting_id is empty" : "its project is empty";
    return std::nullopt;
}

std::int64_t wanted_generation(std::span<OpenWork const> open, std::int64_t settled)
{
    for (OpenWork const& work : open)
        if (work.action == RequestAction::rotate)
            settled = std::max(settled, static_cast<std::int64_t>(work.number));
    return settled;
}

bool wants_session(std::span<OpenWork const> open)
{
    return std::any_of(open.begin(), open.end(), [](OpenWork const& work) {
        return work.action == RequestAction::replace_session;
    });
}

bool is_served(
    OpenWork const& work, MeetingSnapshot const& meeting, Plan const& plan, PublishOutcome outcome, sys_seconds now
)
{
    if (!work.action)
        return outcome.intact;
    // A session is new whatever the platform edited beside it.
    if (work.action == RequestAction::replace_session && outcome.publishes)
        return true;
    if (!outcome.intact)
        return false;
    if (is_over(meeting, plan))
        return true;
    switch (*work.action) {
    case RequestAction::rotate: return is_rotated(static_cast<std::int64_t>(work.number), meeting, plan);
    case RequestAction::replace_session:
        if (plan.session == SessionStep::drop)
            return true;
        // What is published stays when it is the platform's own; one that nobody can replace now is replaced later.
        return plan.session == SessionStep::keep && (!meeting.published || plan.state != State::failed);
    case RequestAction::retry:
        // A beginning that lies ahead was seen on a clock that has been put back.
        return plan.session != SessionStep::order || plan.blocked || now < work.since ||
               now >= work.since + retry_patience;
    }
    return true;
}

std::int64_t
settled_generation(MeetingSnapshot const& meeting, Plan const& plan, PublishOutcome outcome, sys_seconds now)
{
    std::int64_t newest = 0;
    for (OpenWork const& work : meeting.requests)
        if (work.action == RequestAction::rotate && is_served(work, meeting, plan, outcome, now))
            newest = std::max(newest, static_cast<std::int64_t>(work.number));
    return newest;
}

std::optional<sys_seconds> look_again(MeetingSnapshot const& meeting, Plan const& plan, sys_seconds now)
{
    std::optional<sys_seconds> earliest;
    for (OpenWork const& work : meeting.requests)
        if (work.action == RequestAction::retry && !is_served(work, meeting, plan, {}, now))
            earliest = std::min(earliest.value_or(work.since + retry_patience), work.since + retry_patience);
    return earliest;
}

bool is_marked(RequestAction action, MarkPass pass, MarkFacts const& facts, sys_seconds now)
{
    if (facts.over && facts.settled)
        return false;
    if (action == RequestAction::retry && facts.settled && !facts.failing)
        return false;
    if (pass == MarkPass::rest)
        return !facts.marked;
    return facts.opens && facts.closes && *facts.opens <= now + near_ahead && *facts.closes > now;
}

std::string to_text(RequestCounts const& counts)
{
    return counted(counts.meetings, "meeting") + " looked at, " + counted(counts.sessions, "session") + " replaced, " +
           counted(counts.tokens, "token") + " signed";
}

} // namespace usher
