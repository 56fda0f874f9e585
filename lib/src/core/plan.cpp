// SPDX-License-Identifier: Apache-2.0
#include <usher/core/plan.hpp>

#include <algorithm>
#include <charconv>

#include <usher/core/printable.hpp>
#include <usher/core/readiness.hpp>
#include <usher/core/session_id.hpp>

namespace usher {

namespace {

constexpr std::uint64_t session_salt = 1;
constexpr std::uint64_t token_salt = 2;
constexpr std::string_view waits_for_clock = "disconnect_waits_for_clock";
constexpr seconds disconnect_late{2 * 3600}; // a meeting that closed longer ago, while no daemon ran, is left alone
constexpr seconds back_off_max{24 * 3600};   // what a vendor may ask for, and more than any of ours
constexpr seconds purge_review{600};         // a purge that waits for the clock to be certain
constexpr seconds gone_review{3600};         // likewise, to say when a meeting's row was found deleted
constexpr seconds order_review{600};         // an order is looked at again, should it have got lost

/// Why `session` cannot serve `row`, or an empty text. A published session outlives changes of the options and the
/// project once the meeting has opened: splitting a live room is worse than an outdated option.
std::string
why_unusable(SessionRow const& session, MeetingRow const& row, Projects const& projects, bool keep_when_changed)
{
    const ProjectFacts* const maker = projects.find(session.project);
    if (maker == nullptr)
        return "project_removed";
    if (maker->provider != session.provider || maker->project_key != session.project_key)
        return "project_key_changed";
    // The platform says which session; that holds at any time.
    if (!row.session_id.empty() && (!session.adopted || session.session_id != row.session_id))
        return "adopted";
    if (keep_when_changed)
        return {};
    if (session.project != row.project)
        return "project_changed";
    if (session.adopted)
        return row.session_id.empty() ? "adoption_ended" : "";
    if (session.options != to_text(row.options))
        return "options_changed";
    return {};
}

std::string kept_detail(SessionRow const& session, MeetingRow const& row)
{
    if (session.project != row.project)
        return "the project changed to " + in_quotes(row.project) + " after the meeting opened; its session stays in " +
               in_quotes(session.project);
    if (session.adopted)
        return "the platform took session_id back after the meeting opened; its session stays";
    return "the session's options changed after the meeting opened; it keeps those it was created with (" +
           printable(session.options) + ")";
}

/// Why a token must be signed anew at `now`, or nothing.
std::optional<TokenReason> why_sign(
    MeetingSnapshot const& meeting, ParticipantRow const& participant, std::string_view session_id,
    ProjectFacts const& project, sys_seconds closes, sys_seconds now
)
{
    if (!participant.token)
        return TokenReason::issued;
    TokenRow const& token = *participant.token;
    if (token.role != participant.role)
        return TokenReason::role_changed;
    if (token.fingerprint != fingerprint_of(participant, session_id, project.format))
        return TokenReason::details_changed;
    if (token.key_id != project.key_id)
        return TokenReason::key_changed;
    if (token.issued_at > now)
        return TokenReason::clock_changed;
    if (token.expires_at != expiry_of(token.issued_at, closes, project.policy))
        return meeting.policy_hash == project.policy_hash ? TokenReason::schedule_changed : TokenReason::policy_changed;
    if (token.generation < meeting.generation)
        return TokenReason::requested;
    const auto rotation = rotation_of(meeting.id, token.expires_at, closes, project.policy);
    if (rotation && now >= *rotation)
        return TokenReason::rotated;
    return std::nullopt;
}

/// Collects the earliest instant after `now` at which something is to be done.
class NextLook {
public:
    explicit NextLook(sys_seconds now) : now_{now} {}

    void at(sys_seconds instant)
    {
        if (instant > now_ && (!earliest_ || instant < *earliest_))
            earliest_ = instant;
    }

    std::optional<sys_seconds> earliest() const { return earliest_; }

private:
    sys_seconds now_;
    std::optional<sys_seconds> earliest_;
};

bool has_tokens(MeetingSnapshot const& meeting)
{
    return std::any_of(meeting.participants.begin(), meeting.participants.end(), [](ParticipantRow const& participant) {
        return participant.token.has_value();
    });
}

/// Whether there may be tokens of any session. Beside a staged session those of the published one are not read.
bool may_have_tokens(MeetingSnapshot const& meeting)
{
    return has_tokens(meeting) || meeting.has_leftovers || (meeting.staged && meeting.published);
}

bool has_people(MeetingSnapshot const& meeting)
{
    return std::any_of(meeting.participants.begin(), meeting.participants.end(), [](ParticipantRow const& participant) {
        return participant.present;
    });
}

/// Withdraws what is left of a meeting that serves nobody any more, and purges it after retention.
void close(
    Plan& result, MeetingSnapshot const& meeting, WithdrawReason why, sys_seconds since, seconds retention,
    Projects const& projects
)
{
    if (may_have_tokens(meeting))
        result.delete_tokens = why;
    if (!meeting.has_past && !result.forget && meeting.state == result.state)
        return; // purged already
    const sys_seconds over = since + retention;
    result.purge = std::min(result.at, projects.certain) >= over;
    if (!result.purge)
        result.due = result.at < over ? over : result.at + purge_review;
}

void plan_missing_meeting(Plan& result, MeetingSnapshot const& meeting, Projects const& projects)
{
    const bool anybody = has_people(meeting);
    const bool existed = meeting.opens.has_value();
    if (!existed) {
        result.state = State::waiting;
        result.reason = "no_meeting";
        result.detail = "participants are there, the meeting's own row is not; usher waits for it";
        result.purge = result.forget = !anybody;
        return;
    }
    result.gone_at = meeting.gone_at;
    if (projects.clock_believed)
        result.gone_at = std::min(meeting.gone_at.value_or(result.at), result.at);
    result.state = State::cancelled;
    result.reason = "deleted";
    result.detail = "the platform deleted the meeting";
    result.opens = meeting.opens;
    result.closes = meeting.closes;
    // The project stood in the row that is gone; the session has it too.
    const ProjectFacts* const project = meeting.published ? projects.find(meeting.published->project) : nullptr;
    result.disconnect = project != nullptr && project->disconnects && project->policy.disconnect_on_cancel &&
                        meeting.state != State::cancelled && meeting.closes && result.at < *meeting.closes;
    result.forget = !anybody; // people who are left would bring the row back
    close(
        result, meeting, WithdrawReason::deleted, result.gone_at.value_or(sys_seconds::max() - projects.base.retention),
        projects.base.retention, projects
    );
    if (!result.gone_at)
        result.due = result.at + gone_review;
    result.forget = result.forget && result.purge;
}

/// Why a participant's token is to go, if it is.
WithdrawReason why_withdrawn(ParticipantRow const& participant, bool has_problem)
{
    if (!participant.present)
        return WithdrawReason::removed;
    if (participant.blocked)
        return WithdrawReason::blocked;
    return has_problem ? WithdrawReason::not_served : WithdrawReason::not_yet;
}

/// What is wrong with a person's own row, whatever becomes of the meeting. A blocked one gets nothing anyway.
std::optional<ParticipantProblem> problem_of(MeetingSnapshot const& meeting, std::size_t index)
{
    ParticipantRow const& participant = meeting.participants[index];
    if (participant.blocked || !participant.present)
        return std::nullopt;
    if (participant.unread)
        return ParticipantProblem{index, "row_invalid", participant.fault};
    if (!participant.role)
        return ParticipantProblem{
            index, "unknown_role", "the role is none of subscriber, publisher, publisheronly, moderator"};
    if (const auto checked = check_participant(participant.connection_data, participant.layout_classes); !checked)
        return ParticipantProblem{index, std::string{to_text(checked.error().code)}, checked.error().message};
    if (!participant.fault.empty())
        return ParticipantProblem{index, "row_invalid", participant.fault};
    return std::nullopt;
}

void note_problem(
    Plan& result, ParticipantRow const& participant, std::size_t index, std::optional<ParticipantProblem> const& problem
)
{
    if (problem && participant.problem != problem->reason)
        result.problems.push_back(*problem);
    else if (!problem && !participant.problem.empty())
        result.solved.push_back(index);
}

/// Of a meeting whose tokens are not planned.
void tell_problems(Plan& result, MeetingSnapshot const& meeting)
{
    for (std::size_t i = 0; i < meeting.participants.size(); ++i)
        note_problem(result, meeting.participants[i], i, problem_of(meeting, i));
}

/// Plans the tokens of a meeting that is or will be open, for the session that `result.session` leads to.
void plan_tokens(
    Plan& result, MeetingSnapshot const& meeting, ProjectFacts const& project, SessionRow const* session,
    Schedule const& schedule, sys_seconds now, NextLook& due
)
{
    const bool wanted = wanted_at(schedule, now) == Wanted::session_and_tokens;
    std::size_t present = 0;
    std::size_t unusable = 0;
    for (std::size_t i = 0; i < meeting.participants.size(); ++i) {
        ParticipantRow const& participant = meeting.participants[i];
        present += participant.present ? 1 : 0;
        const std::optional<ParticipantProblem> problem = problem_of(meeting, i);
        if (problem)
            ++unusable;
        note_problem(result, participant, i, problem);

        const bool serve = wanted && participant.present && !participant.blocked && !problem;
        // The tokens in the snapshot belong to `session`; a new session starts without any.
        if (!serve) {
            if (participant.token && session != nullptr)
                result.withdraw.push_back({i, why_withdrawn(participant, problem.has_value())});
            continue;
        }
        const auto reason = session == nullptr
                                ? std::optional{TokenReason::issued}
                                : why_sign(meeting, participant, session->session_id, project, schedule.closes, now);
        if (reason)
            result.sign.push_back({i, *reason});
        const sys_seconds expires = reason ? expiry_of(now - project.policy.clock_skew, schedule.closes, project.policy)
                                           : participant.token->expires_at;
        if (const auto rotation = rotation_of(meeting.id, expires, schedule.closes, project.policy))
            due.at(*rotation);
    }

    if (!wanted) {
        result.state = State::waiting;
        result.reason = "not_yet";
        result.detail = "tokens are wanted from " + to_iso8601(schedule.tokens_from);
        due.at(schedule.tokens_from);
    } else {
        result.state = State::ready;
        result.reason.clear();
        result.detail.clear();
    }
    if (meeting.is_crowded) {
        result.reason = "too_many_participants";
        result.detail = "there are more than " + std::to_string(meeting_participants_max) +
                        " participants; the first of them by participant_id are served, the others are not";
    } else if (unusable > 0) {
        result.reason = "participant_problems";
        result.detail = std::to_string(unusable) + " of " + std::to_string(present) +
                        " participants cannot be served; each is listed with its reason";
    }
}

/// Nothing can be created or signed until somebody mends what is named. What is published stays while it is true.
void plan_unservable(
    Plan& result, MeetingSnapshot const& meeting, Projects const& projects, sys_seconds closes, std::string reason,
    std::string detail
)
{
    ProjectFacts const* const maker = meeting.published ? projects.find(meeting.published->project) : nullptr;
    const auto is_true = [&](ParticipantRow const& participant) {
        TokenRow const& token = *participant.token;
        return participant.present && !participant.blocked && token.role == participant.role &&
               token.expires_at <= closes && token.issued_at <= result.at &&
               (maker == nullptr ||
                token.fingerprint == fingerprint_of(participant, meeting.published->session_id, maker->format));
    };
    for (std::size_t i = 0; i < meeting.participants.size(); ++i)
        if (meeting.participants[i].token && !is_true(meeting.participants[i]))
            result.withdraw.push_back({i, why_withdrawn(meeting.participants[i], true)});
    tell_problems(result, meeting);
    result.state = State::failed;
    result.reason = std::move(reason);
    result.detail = std::move(detail);
    if (closes > result.at)
        result.due = closes;
}

bool is_of_another_project(std::string const& session_id, ProjectFacts const& project)
{
    const std::optional<std::string> key = project_key_of(session_id);
    return key && *key != project.project_key;
}

/// The platform names a session that the meeting's project cannot sign for.
void plan_foreign_session(
    Plan& result, MeetingSnapshot const& meeting, ProjectFacts const& project, Schedule const& schedule
)
{
    if (meeting.published || meeting.staged)
        result.session = SessionStep::drop;
    if (may_have_tokens(meeting))
        result.delete_tokens = WithdrawReason::not_served;
    tell_problems(result, meeting);
    result.state = State::failed;
    result.reason = "session_of_another_project";
    result.detail = "session_id names a session of another project than " + in_quotes(project.name) +
                    "; correct the meeting's session_id or project";
    result.due = schedule.closes;
}

/// A session that has to come from the network. Until it is there, the published one goes on to serve wherever its
/// tokens can be signed.
void plan_order(
    Plan& result, MeetingSnapshot const& meeting, ProjectFacts const& project, Projects const& projects,
    Schedule const& schedule, sys_seconds now, NextLook& due
)
{
    ProjectFacts const* const maker = meeting.published ? projects.find(meeting.published->project) : nullptr;
    const bool serves = maker != nullptr && maker->provider == meeting.published->provider &&
                        maker->project_key == meeting.published->project_key && !meeting.staged;
    if (serves) {
        result.project = maker->name;
        plan_tokens(result, meeting, *maker, &*meeting.published, schedule, now, due);
    } else if (!meeting.staged) {
        for (std::size_t i = 0; i < meeting.participants.size(); ++i)
            if (meeting.participants[i].token && (!meeting.participants[i].present || meeting.participants[i].blocked))
                result.withdraw.push_back({i, why_withdrawn(meeting.participants[i], false)});
    }
    if (meeting.staged) // of no use any more: once it is off, the tokens of the published one can be seen
        due.at(now + seconds{1});

    result.inputs = inputs_of(*meeting.meeting, project);
    const bool has_failed = meeting.attempts > 0 && meeting.failed_inputs == result.inputs;
    // An instant beyond any back-off was set by a clock that has been corrected since.
    // What was decided by a clock that ran ahead is decided again.
    const bool is_of_the_future = meeting.settled_at > now || meeting.next_at > now + back_off_max;
    result.blocked = has_failed && meeting.next_at > now && !is_of_the_future;
    due.at(result.blocked ? meeting.next_at : now + order_review);
    const bool all_fail = project.outage && project.outage->state == State::failed;
    if (has_failed && !meeting.reason.empty() && (meeting.state == State::failed || !all_fail)) { // since the call
        result.state = meeting.state == State::failed ? State::failed : State::pending;
        result.reason = meeting.reason;
        result.detail = meeting.detail;
    } else if (project.outage) {
        result.state = project.outage->state;
        result.reason = project.outage->reason;
        result.detail = project.outage->detail;
    } else {
        result.state = State::pending;
        result.reason = "session_ordered";
        result.detail =
            "its session is being made, or waits for its turn, at the provider of project " + in_quotes(project.name);
    }
}

} // namespace

std::string to_text(SessionOptions const& options)
{
    std::string text = "media=" + options.media_mode + " archive=" + options.archive_mode;
    text += options.e2ee ? " e2ee=1" : " e2ee=0";
    if (!options.archive_resolution.empty())
        text += " resolution=" + options.archive_resolution;
    if (!options.location.empty())
        text += " location=" + options.location;
    if (!options.archive_name.empty()) // last: it is free text
        text += " name=" + options.archive_name;
    return text;
}

std::string_view to_text(TokenReason reason)
{
    switch (reason) {
    case TokenReason::issued: return "issued";
    case TokenReason::role_changed: return "role_changed";
    case TokenReason::details_changed: return "details_changed";
    case TokenReason::schedule_changed: return "schedule_changed";
    case TokenReason::policy_changed: return "policy_changed";
    case TokenReason::key_changed: return "key_changed";
    case TokenReason::rotated: return "rotated";
    case TokenReason::requested: return "requested";
    case TokenReason::clock_changed: return "clock_changed";
    }
    return "unknown";
}

std::string_view to_text(WithdrawReason reason)
{
    switch (reason) {
    case WithdrawReason::removed: return "removed";
    case WithdrawReason::blocked: return "blocked";
    case WithdrawReason::cancelled: return "cancelled";
    case WithdrawReason::deleted: return "deleted";
    case WithdrawReason::ended: return "ended";
    case WithdrawReason::session_replaced: return "session_replaced";
    case WithdrawReason::not_served: return "not_served";
    case WithdrawReason::not_yet: return "not_yet";
    }
    return "unknown";
}

std::string_view to_text(State state)
{
    switch (state) {
    case State::waiting: return "waiting";
    case State::pending: return "pending";
    case State::ready: return "ready";
    case State::failed: return "failed";
    case State::cancelled: return "cancelled";
    case State::ended: return "ended";
    }
    return "unknown";
}

std::optional<State> parse_state(std::string_view text)
{
    for (const State state :
         {State::waiting, State::pending, State::ready, State::failed, State::cancelled, State::ended})
        if (text == to_text(state))
            return state;
    return std::nullopt;
}

ProjectFacts const* Projects::find(std::string_view name) const
{
    const auto found = by_name.find(name);
    return found == by_name.end() ? nullptr : &found->second;
}

std::uint64_t hash_of(ProjectFacts const& facts)
{
    Policy const& policy = facts.policy;
    std::string text = facts.name + '\n' + facts.provider + '\n' + facts.project_key + '\n' + facts.key_id + '\n' +
                       std::string{facts.format.id()};
    for (const seconds value :
         {policy.session_lead, policy.token_lead, policy.early_join.of(Role::subscriber),
          policy.early_join.of(Role::publisher), policy.early_join.of(Role::publisheronly),
          policy.early_join.of(Role::moderator), policy.grace, policy.clock_skew, policy.max_token_life,
          policy.rotation_margin, policy.retention})
        text += '\n' + std::to_string(value.count());
    for (const bool value :
         {policy.visible_at_opens, policy.replace_on_removal, policy.disconnect_on_cancel, policy.disconnect_at_close})
        text += value ? "\n1" : "\n0";
    text += '\n' + std::to_string(facts.connection_hash);
    const std::uint64_t hash = stable_hash(text);
    return hash == 0 ? 1 : hash; // 0 in the agenda means: planned without a configured project
}

std::uint64_t inputs_of(MeetingRow const& row, ProjectFacts const& project)
{
    return stable_hash(
        project.name + '\n' + project.provider + '\n' + project.project_key + '\n' + project.key_id + '\n' +
        std::to_string(project.connection_hash) + '\n' + to_text(row.options)
    );
}

Schedule schedule_of(std::string_view meeting_id, MeetingRow const& row, Policy const& policy)
{
    Schedule result{};
    result.opens = row.starts_at - row.early_join.value_or(policy.early_join.longest());
    result.closes = row.ends_at + row.grace.value_or(policy.grace);
    result.tokens_from = result.opens - policy.token_lead - spread(meeting_id, token_salt, policy.token_lead / 4);
    result.session_from = std::min(
        result.tokens_from,
        result.opens - policy.session_lead - spread(meeting_id, session_salt, policy.session_lead / 4)
    );
    return result;
}

sys_seconds door_of(MeetingRow const& row, Role role, Policy const& policy)
{
    return row.starts_at - row.early_join.value_or(policy.early_join.of(role));
}

sys_seconds expiry_of(sys_seconds issued_at, sys_seconds closes, Policy const& policy)
{
    return std::min(closes, issued_at + policy.max_token_life);
}

std::optional<sys_seconds>
rotation_of(std::string_view meeting_id, sys_seconds expires_at, sys_seconds closes, Policy const& policy)
{
    if (expires_at >= closes)
        return std::nullopt;
    const auto salt = static_cast<std::uint64_t>(unix_seconds(expires_at));
    return expires_at - policy.rotation_margin - spread(meeting_id, salt, policy.max_token_life / 12);
}

std::uint64_t fingerprint_of(ParticipantRow const& participant, std::string_view session_id, TokenFormat format)
{
    // Separated by NUL, which none of the parts can hold, so that no two different inputs read alike.
    constexpr std::string_view nul{"\0", 1};
    std::uint64_t hash = stable_hash(session_id);
    hash = stable_hash(nul, hash);
    hash = stable_hash(participant.connection_data, hash);
    hash = stable_hash(nul, hash);
    hash = stable_hash(participant.layout_classes, hash);
    hash = stable_hash(nul, hash);
    hash = stable_hash(format.id(), hash);
    if (format.declared().carries_person) // its identity is the participant's id, which a row never changes
        hash = stable_hash(participant.display_name, stable_hash(nul, hash));
    return hash;
}

bool Plan::has_work() const
{
    return session == SessionStep::publish || session == SessionStep::create || session == SessionStep::drop ||
           (session == SessionStep::order && !blocked) || !sign.empty() || !withdraw.empty() || !problems.empty() ||
           !solved.empty() || delete_tokens.has_value() || delete_leftovers || settle_removals || purge || disconnect;
}

Plan plan(MeetingSnapshot const& meeting, Projects const& projects, sys_seconds now)
{
    Plan result;
    result.at = now;
    if (!meeting.meeting) {
        plan_missing_meeting(result, meeting, projects);
        return result;
    }
    MeetingRow const& row = *meeting.meeting;
    if (!row.fault.empty()) {
        result.opens = meeting.opens;
        result.closes = meeting.closes;
        plan_unservable(result, meeting, projects, meeting.closes.value_or(now), "row_invalid", row.fault);
        return result;
    }
    const ProjectFacts* const wanted_project = projects.find(row.project);
    Policy const& policy = wanted_project != nullptr ? wanted_project->policy : projects.base;
    const Schedule schedule = schedule_of(meeting.id, row, policy);
    result.opens = schedule.opens;
    result.closes = schedule.closes;
    result.policy_hash = wanted_project != nullptr ? wanted_project->policy_hash : 0;

    const bool disconnects = wanted_project != nullptr && wanted_project->disconnects;
    if (row.cancelled) {
        result.state = State::cancelled;
        result.reason = "cancelled";
        result.detail = "the platform cancelled the meeting";
        if (meeting.published || meeting.staged)
            result.session = SessionStep::drop;
        result.settle_removals = meeting.has_removals;
        result.disconnect =
            disconnects && policy.disconnect_on_cancel && meeting.state != State::cancelled && now < schedule.closes;
        close(result, meeting, WithdrawReason::cancelled, schedule.closes, policy.retention, projects);
        return result;
    }
    if (now >= schedule.closes) {
        result.state = State::ended;
        result.detail = "the meeting closed at " + to_iso8601(schedule.closes);
        result.settle_removals = meeting.has_removals && projects.certain >= schedule.closes;
        const bool news = meeting.state != State::ended || meeting.reason == waits_for_clock;
        if (news && disconnects && policy.disconnect_at_close && meeting.published &&
            now < schedule.closes + disconnect_late) {
            result.disconnect = projects.certain >= schedule.closes;
            if (!result.disconnect)
                result.reason = waits_for_clock;
        }
        close(result, meeting, WithdrawReason::ended, schedule.closes, policy.retention, projects);
        if (result.reason == waits_for_clock)
            result.due = now + purge_review;
        return result;
    }

    result.delete_leftovers = meeting.has_leftovers; // whatever is to become of the meeting
    const bool opened = now >= schedule.opens;
    // The instant of an edit counts, not that of the look.
    const bool edited_early = !opened || (meeting.edited_early && wanted_project != nullptr);
    std::string unusable = "first";
    if (meeting.published) {
        unusable = why_unusable(*meeting.published, row, projects, !edited_early);
        // Nobody gives up a session for one that cannot be made.
        const bool renewable = unusable.empty() && !meeting.published->adopted && wanted_project != nullptr;
        // A platform that deletes all people and writes them again has removed nobody.
        if (renewable && policy.replace_on_removal && meeting.removed_early && has_people(meeting))
            result.renew = Renewal::participant_removed;
        const bool never_renewed =
            meeting.published->adopted || (wanted_project != nullptr && !policy.replace_on_removal);
        result.settle_removals =
            meeting.has_removals && (never_renewed || result.renew == Renewal::participant_removed);
        if (renewable && result.renew == Renewal::no)
            result.renew = meeting.renew_session;
        if (unusable.empty() && result.renew != Renewal::no)
            unusable = result.renew == Renewal::requested ? "requested" : "participant_removed";
    }
    const bool staged_serves = meeting.staged && why_unusable(*meeting.staged, row, projects, false).empty();

    const SessionRow* session = nullptr;
    if (meeting.published && unusable.empty()) {
        session = &*meeting.published;
        result.session = SessionStep::keep;
    } else if (wanted_project == nullptr) {
        plan_unservable(
            result, meeting, projects, schedule.closes, "unknown_project",
            "the configuration has no project " + in_quotes(row.project) +
                "; add it under projects, or correct the meeting's project"
        );
        if (meeting.published && !opened)
            result.due = schedule.opens; // from then on it keeps the session that it has
        return result;
    } else if (is_of_another_project(row.session_id, *wanted_project)) {
        plan_foreign_session(result, meeting, *wanted_project, schedule);
        return result;
    } else if (staged_serves) {
        session = &*meeting.staged;
        result.session = SessionStep::publish;
        result.create_reason = unusable;
    } else if (wanted_at(schedule, now) != Wanted::nothing) {
        const bool ordered = wanted_project->network && row.session_id.empty();
        result.session = ordered ? SessionStep::order : SessionStep::create;
        result.adopt = row.session_id;
        result.create_reason = unusable;
    } else if (meeting.published || meeting.staged) {
        result.session = SessionStep::drop;
    }

    NextLook due{now};
    due.at(schedule.closes);
    due.at(schedule.session_from);
    if (result.session == SessionStep::order) {
        result.edited_early = opened && meeting.edited_early;
        plan_order(result, meeting, *wanted_project, projects, schedule, now, due);
        result.due = due.earliest();
        return result;
    }

    if (session == nullptr && result.session != SessionStep::create) {
        result.state = State::waiting;
        result.reason = "not_yet";
        result.detail = "a session is wanted from " + to_iso8601(schedule.session_from);
        tell_problems(result, meeting);
        if (may_have_tokens(meeting))
            result.delete_tokens = WithdrawReason::not_yet;
        result.due = due.earliest();
        return result;
    }
    ProjectFacts const& signing = session != nullptr ? *projects.find(session->project) : *wanted_project;
    result.project = signing.name;
    plan_tokens(result, meeting, signing, session, schedule, now, due);
    if (session != nullptr && result.reason.empty() &&
        (session->project != row.project || session->adopted != !row.session_id.empty() ||
         (!session->adopted && session->options != to_text(row.options)))) {
        result.reason = "session_kept";
        result.detail = kept_detail(*session, row);
    }
    result.due = due.earliest();
    return result;
}

std::string
why_not_disconnect(MeetingSnapshot const& meeting, SessionRow const& session, Projects const& projects, sys_seconds now)
{
    const ProjectFacts* const maker = projects.find(session.project);
    if (maker == nullptr || !maker->disconnects)
        return "the configuration has no project " + in_quotes(session.project) + " that can throw people out";
    if (maker->provider != session.provider || maker->project_key != session.project_key)
        return "it was not made with the key that project " + in_quotes(session.project) + " has now";
    if (session.adopted)
        return "it is the platform's own";
    if (meeting.id.empty())
        return "its meeting is unknown";
    if (!meeting.meeting || meeting.meeting->cancelled) {
        // As it was planned: by the project that the row names, or by that of the session where the row is gone.
        const ProjectFacts* const asked = meeting.meeting ? projects.find(meeting.meeting->project) : maker;
        if (asked == nullptr || !asked->policy.disconnect_on_cancel)
            return "on_cancel is not disconnect";
        return {};
    }
    const ProjectFacts* const asked = projects.find(meeting.meeting->project);
    Policy const& policy = asked != nullptr ? asked->policy : projects.base;
    if (now < schedule_of(meeting.id, *meeting.meeting, policy).closes)
        return "its meeting is neither cancelled nor over";
    if (asked == nullptr || !asked->policy.disconnect_at_close)
        return "hard_end is not disconnect";
    return {};
}

} // namespace usher
