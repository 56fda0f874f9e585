// SPDX-License-Identifier: Apache-2.0
#include <usher/core/outlook.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace usher {

namespace {

constexpr std::size_t looks_max = 10'000; // at one meeting

bool has_started_over(SessionStep step)
{
    return step == SessionStep::create || step == SessionStep::publish;
}

SessionRow session_for(MeetingRow const& row, ProjectFacts const& project, std::string const& adopted)
{
    SessionRow session;
    session.session_id = adopted.empty() ? "imagined" : adopted;
    session.provider = project.provider;
    session.project = project.name;
    session.project_key = project.project_key;
    session.options = to_text(row.options);
    session.adopted = !adopted.empty();
    return session;
}

void forget_tokens(MeetingSnapshot& meeting)
{
    for (ParticipantRow& participant : meeting.participants)
        participant.token.reset();
}

/// What the planner finds of a token that was signed at `now` for the session at hand.
TokenRow token_for(
    MeetingSnapshot const& meeting, ParticipantRow const& participant, SignStep const& step,
    ProjectFacts const& project, SessionRow const& session, sys_seconds closes, sys_seconds now
)
{
    TokenRow token;
    token.role = participant.role;
    token.issued_at = now - project.policy.clock_skew;
    token.expires_at = expiry_of(token.issued_at, closes, project.policy);
    token.generation = meeting.generation;
    token.key_id = project.key_id;
    token.fingerprint = fingerprint_of(participant, session.session_id, project.format);
    token.reason = static_cast<std::uint8_t>(step.reason);
    return token;
}

void take_sessions(MeetingSnapshot& meeting, Plan const& plan, Projects const& projects)
{
    switch (plan.session) {
    case SessionStep::create:
        if (ProjectFacts const* const project = projects.find(meeting.meeting->project)) {
            meeting.published = session_for(*meeting.meeting, *project, plan.adopt);
            forget_tokens(meeting);
        }
        meeting.staged.reset();
        break;
    case SessionStep::publish: meeting.published = std::exchange(meeting.staged, std::nullopt); break;
    case SessionStep::drop:
        meeting.published.reset();
        meeting.staged.reset();
        forget_tokens(meeting);
        break;
    case SessionStep::keep:
    case SessionStep::order: meeting.staged.reset(); break;
    }
    if (has_started_over(plan.session)) {
        meeting.renew_session = Renewal::no;
        meeting.removed_early = false;
        meeting.attempts = 0;
    }
}

void take_tokens(MeetingSnapshot& meeting, Plan const& plan, Projects const& projects)
{
    for (Withdrawal const& withdrawal : plan.withdraw)
        meeting.participants[withdrawal.participant].token.reset();
    if (plan.delete_tokens)
        forget_tokens(meeting);
    ProjectFacts const* const project = projects.find(plan.project);
    if (project == nullptr || !meeting.published || !plan.closes)
        return;
    for (SignStep const& step : plan.sign) {
        ParticipantRow& participant = meeting.participants[step.participant];
        participant.token = token_for(meeting, participant, step, *project, *meeting.published, *plan.closes, plan.at);
    }
}

void take_as_done(MeetingSnapshot& meeting, Plan const& plan, Projects const& projects)
{
    take_sessions(meeting, plan, projects);
    take_tokens(meeting, plan, projects);
    for (ParticipantProblem const& problem : plan.problems)
        meeting.participants[problem.participant].problem = problem.reason;
    for (const std::size_t solved : plan.solved)
        meeting.participants[solved].problem.clear();
    meeting.has_leftovers = meeting.has_leftovers && !plan.delete_leftovers;
    meeting.has_removals = meeting.has_removals && !plan.settle_removals;
    meeting.has_past = meeting.has_past && !plan.purge;
    meeting.requests.clear(); // the generation that they ask for stays
    meeting.state = plan.state;
    meeting.reason = plan.reason;
    meeting.detail = plan.detail;
    meeting.opens = plan.opens;
    meeting.closes = plan.closes;
    meeting.gone_at = plan.gone_at;
    meeting.edited_early = plan.edited_early;
    meeting.policy_hash = plan.policy_hash;
    meeting.settled_at = plan.at;
}

/// The session that was asked for is there: the next look publishes it.
void answer_call(MeetingSnapshot& meeting, Projects const& projects)
{
    ProjectFacts const* const project = projects.find(meeting.meeting->project);
    if (project == nullptr)
        return;
    meeting.staged = session_for(*meeting.meeting, *project, {});
    meeting.attempts = 0;
    forget_tokens(meeting); // those of the staged session count now
}

/// When this person first cannot join; nothing: they can, as long as it lasts.
std::optional<sys_seconds> left_out_since(
    ParticipantRow const& participant, bool has_session, sys_seconds door, sys_seconds from, sys_seconds until
)
{
    const sys_seconds enters = std::max(from, door);
    if (enters >= until)
        return std::nullopt;
    const bool works = has_session && participant.token && participant.token->role == participant.role &&
                       participant.token->issued_at <= enters && participant.token->expires_at > enters;
    if (!works)
        return enters;
    if (participant.token->expires_at < until)
        return participant.token->expires_at;
    return std::nullopt;
}

} // namespace

MeetingSnapshot imagine(
    MeetingSnapshot meeting, Projects const& projects, sys_seconds from, sys_seconds until, ImaginedCalls calls,
    std::function<void(ImaginedLook const&)> const& visit
)
{
    sys_seconds now = from;
    bool answered_now = false; // an answer that is of no use must not be asked for without end
    for (std::size_t looks = 0; looks < looks_max && now < until && !meeting.is_unreadable; ++looks) {
        const Plan planned = plan(meeting, projects, now);
        const bool asks = planned.session == SessionStep::order && !planned.blocked;
        if (visit)
            visit({now, planned, asks && !answered_now});
        take_as_done(meeting, planned, projects);
        if (planned.forget)
            break;
        if (asks && calls == ImaginedCalls::answered && !answered_now) {
            answer_call(meeting, projects);
            answered_now = true;
            continue;
        }
        if (!planned.due || *planned.due <= now)
            break;
        now = *planned.due;
        answered_now = false;
    }
    return meeting;
}

std::optional<LeftOut>
left_out_without_usher(MeetingSnapshot const& meeting, Projects const& projects, sys_seconds from, sys_seconds until)
{
    if (meeting.is_unreadable || !meeting.meeting || meeting.meeting->cancelled)
        return std::nullopt;
    const Plan planned = plan(meeting, projects, from);
    if (!planned.opens || !planned.closes || planned.state == State::failed || planned.state == State::ended)
        return std::nullopt;
    std::vector<bool> served(meeting.participants.size());
    for (std::size_t i = 0; i < served.size(); ++i)
        served[i] = meeting.participants[i].problem.empty();
    for (const std::size_t solved : planned.solved)
        served[solved] = true;
    for (ParticipantProblem const& problem : planned.problems)
        served[problem.participant] = false;
    for (std::size_t i = 0; i < served.size(); ++i) {
        ParticipantRow const& participant = meeting.participants[i];
        served[i] = served[i] && participant.present && !participant.blocked && participant.role;
    }
    ProjectFacts const* const project = projects.find(meeting.meeting->project);
    Policy const& policy = project != nullptr ? project->policy : projects.base;
    // The tokens at hand are those of a staged session, which nobody would publish.
    const bool has_session = meeting.published && !meeting.staged;
    const sys_seconds end = std::min(until, *planned.closes);
    std::optional<LeftOut> result;
    for (std::size_t i = 0; i < served.size(); ++i) {
        if (!served[i])
            continue;
        ParticipantRow const& participant = meeting.participants[i];
        const sys_seconds door = door_of(*meeting.meeting, *participant.role, policy);
        auto since = left_out_since(participant, has_session, door, from, end);
        if (!since)
            continue;
        if (*since <= std::max(from, door)) // the meeting is not ready when it opens
            since = std::max(from, *planned.opens);
        if (!result)
            result = LeftOut{0, *since};
        ++result->people;
        result->since = std::min(result->since, *since);
    }
    return result;
}

} // namespace usher
