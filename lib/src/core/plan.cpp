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
constexpr seconds back_off_max{24 * 3600};   // a vendor may ask for this much; usher's own back-offs are shorter
constexpr seconds purge_review{600};         // for a purge that waits until the clock is certain
constexpr seconds gone_review{3600};         // for a deleted meeting, until the clock tells when its row was found gone
constexpr seconds order_review{600};         // for an order, in case its notice was lost

/// Why `session` cannot serve `row`, or an empty text. Once the meeting has opened, a published session stays although
/// options or project change: splitting a live room is worse than an outdated option.
std::string
why_unusable(SessionRow const& session, MeetingRow const& row, Projects const& projects, bool keep_when_changed)
{
    ProjectFacts const* const maker = projects.find(session.project);
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

/// Plans one meeting. Each function decides for one kind of meeting, from top to bottom.
class Planner {
public:
    Planner(MeetingSnapshot const& meeting, Projects const& projects, sys_seconds now)
        : meeting_{meeting}, projects_{projects}, now_{now}, next_look_{now}
    {
        plan_.at = now;
    }

    Plan run()
    {
        if (!meeting_.meeting)
            plan_missing_meeting();
        else if (!meeting_.meeting->fault.empty())
            plan_invalid_row();
        else
            plan_valid_row();
        return std::move(plan_);
    }

private:
    MeetingRow const& row() const { return *meeting_.meeting; }
    Policy const& policy() const { return project_ != nullptr ? project_->policy : projects_.base; }
    bool has_opened() const { return now_ >= schedule_.opens; }

    void plan_missing_meeting();
    void plan_invalid_row();
    void plan_valid_row();
    void plan_cancelled();
    void plan_ended();
    void plan_scheduled();
    void plan_unknown_project();
    void plan_foreign_session();
    void plan_order();
    void plan_wait();
    void plan_session(SessionRow const* session);

    void close(WithdrawReason why, sys_seconds since, seconds retention);
    void plan_unservable(sys_seconds closes, std::string reason, std::string detail);
    std::string why_new_session();
    void plan_tokens(ProjectFacts const& project, SessionRow const* session);
    void note_problem(std::size_t index, std::optional<ParticipantProblem> const& problem);
    void note_problems();

    MeetingSnapshot const& meeting_;
    Projects const& projects_;
    sys_seconds now_;
    ProjectFacts const* project_ = nullptr; ///< The one that the meeting's row names, where it is configured.
    Schedule schedule_{};                   ///< Of a valid row.
    NextLook next_look_;
    Plan plan_;
};

void Planner::plan_missing_meeting()
{
    const bool anybody = has_people(meeting_);
    const bool existed = meeting_.opens.has_value();
    if (!existed) {
        plan_.state = State::waiting;
        plan_.reason = "no_meeting";
        plan_.detail = "participants are there, the meeting's own row is not; usher waits for it";
        plan_.purge = plan_.forget = !anybody;
        return;
    }
    plan_.gone_at = meeting_.gone_at;
    if (projects_.clock_believed)
        plan_.gone_at = std::min(meeting_.gone_at.value_or(now_), now_);
    plan_.state = State::cancelled;
    plan_.reason = "deleted";
    plan_.detail = "the platform deleted the meeting";
    plan_.opens = meeting_.opens;
    plan_.closes = meeting_.closes;
    // The project stood in the row that is gone; the session has it too.
    ProjectFacts const* const project = meeting_.published ? projects_.find(meeting_.published->project) : nullptr;
    plan_.disconnect = project != nullptr && project->disconnects && project->policy.disconnect_on_cancel &&
                       meeting_.state != State::cancelled && meeting_.closes && now_ < *meeting_.closes;
    plan_.forget = !anybody; // people who are left would bring the row back
    close(
        WithdrawReason::deleted, plan_.gone_at.value_or(sys_seconds::max() - projects_.base.retention),
        projects_.base.retention
    );
    if (!plan_.gone_at)
        plan_.due = now_ + gone_review;
    plan_.forget = plan_.forget && plan_.purge;
}

/// The contract would refuse the meeting's row: nothing in it means anything.
void Planner::plan_invalid_row()
{
    plan_.opens = meeting_.opens;
    plan_.closes = meeting_.closes;
    plan_.delete_leftovers = meeting_.has_leftovers;
    plan_unservable(meeting_.closes.value_or(now_), "row_invalid", row().fault);
}

void Planner::plan_valid_row()
{
    project_ = projects_.find(row().project);
    schedule_ = schedule_of(meeting_.id, row(), policy());
    plan_.opens = schedule_.opens;
    plan_.closes = schedule_.closes;
    plan_.policy_hash = project_ != nullptr ? project_->policy_hash : 0;
    if (row().cancelled)
        plan_cancelled();
    else if (now_ >= schedule_.closes)
        plan_ended();
    else
        plan_scheduled();
}

void Planner::plan_cancelled()
{
    plan_.state = State::cancelled;
    plan_.reason = "cancelled";
    plan_.detail = "the platform cancelled the meeting";
    if (meeting_.published || meeting_.staged)
        plan_.session = SessionStep::drop;
    plan_.settle_removals = meeting_.has_removals;
    plan_.disconnect = project_ != nullptr && project_->disconnects && policy().disconnect_on_cancel &&
                       meeting_.state != State::cancelled && now_ < schedule_.closes;
    close(WithdrawReason::cancelled, schedule_.closes, policy().retention);
}

void Planner::plan_ended()
{
    plan_.state = State::ended;
    plan_.detail = "the meeting closed at " + to_iso8601(schedule_.closes);
    plan_.settle_removals = meeting_.has_removals && projects_.certain >= schedule_.closes;
    const bool news = meeting_.state != State::ended || meeting_.reason == waits_for_clock;
    if (news && project_ != nullptr && project_->disconnects && policy().disconnect_at_close && meeting_.published &&
        now_ < schedule_.closes + disconnect_late) {
        plan_.disconnect = projects_.certain >= schedule_.closes;
        if (!plan_.disconnect)
            plan_.reason = waits_for_clock;
    }
    close(WithdrawReason::ended, schedule_.closes, policy().retention);
    if (plan_.reason == waits_for_clock)
        plan_.due = now_ + purge_review;
}

/// A meeting that is open or will be: chooses its session, and goes on with what that means for its tokens.
void Planner::plan_scheduled()
{
    plan_.delete_leftovers = meeting_.has_leftovers; // whatever is to become of the meeting
    const std::string unusable = why_new_session();
    SessionRow const* session = nullptr;
    if (meeting_.published && unusable.empty()) {
        session = &*meeting_.published;
        plan_.session = SessionStep::keep;
    } else if (project_ == nullptr) {
        return plan_unknown_project();
    } else if (is_of_another_project(row().session_id, project_->project_key)) {
        return plan_foreign_session();
    } else if (meeting_.staged && why_unusable(*meeting_.staged, row(), projects_, false).empty()) {
        session = &*meeting_.staged;
        plan_.session = SessionStep::publish;
        plan_.create_reason = unusable;
    } else if (wanted_at(schedule_, now_) != Wanted::nothing) {
        const bool ordered = project_->network && row().session_id.empty();
        plan_.session = ordered ? SessionStep::order : SessionStep::create;
        plan_.adopt = row().session_id;
        plan_.create_reason = unusable;
    } else if (meeting_.published || meeting_.staged) {
        plan_.session = SessionStep::drop;
    }

    next_look_.at(schedule_.closes);
    next_look_.at(schedule_.session_from);
    if (plan_.session == SessionStep::order)
        plan_order();
    else if (session == nullptr && plan_.session != SessionStep::create)
        plan_wait();
    else
        plan_session(session);
    plan_.due = next_look_.earliest();
}

/// Why the published session cannot go on to serve: `first` where there is none, an empty text where it can.
std::string Planner::why_new_session()
{
    if (!meeting_.published)
        return "first";
    // The instant of an edit counts, not that of the look.
    const bool edited_early = !has_opened() || (meeting_.edited_early && project_ != nullptr);
    std::string unusable = why_unusable(*meeting_.published, row(), projects_, !edited_early);
    // Nobody gives up a session for one that cannot be made.
    const bool renewable = unusable.empty() && !meeting_.published->adopted && project_ != nullptr;
    // A platform that deletes all people and writes them again has removed nobody.
    if (renewable && policy().replace_on_removal && meeting_.removed_early && has_people(meeting_))
        plan_.renew = Renewal::participant_removed;
    const bool never_renewed = meeting_.published->adopted || (project_ != nullptr && !policy().replace_on_removal);
    plan_.settle_removals = meeting_.has_removals && (never_renewed || plan_.renew == Renewal::participant_removed);
    if (renewable && plan_.renew == Renewal::no)
        plan_.renew = meeting_.renew_session;
    if (unusable.empty() && plan_.renew != Renewal::no)
        unusable = plan_.renew == Renewal::requested ? "requested" : "participant_removed";
    return unusable;
}

void Planner::plan_unknown_project()
{
    plan_unservable(
        schedule_.closes, "unknown_project",
        "the configuration has no project " + in_quotes(row().project) +
            "; add it under projects, or correct the meeting's project"
    );
    if (meeting_.published && !has_opened())
        plan_.due = schedule_.opens; // from then on it keeps the session that it has
}

/// The platform names a session that the meeting's project cannot sign for.
void Planner::plan_foreign_session()
{
    if (meeting_.published || meeting_.staged)
        plan_.session = SessionStep::drop;
    if (may_have_tokens(meeting_))
        plan_.delete_tokens = WithdrawReason::not_served;
    note_problems();
    plan_.state = State::failed;
    plan_.reason = "session_of_another_project";
    plan_.detail = "session_id names a session of another project than " + in_quotes(project_->name) +
                   "; correct the meeting's session_id or project";
    plan_.due = schedule_.closes;
}

/// A session that has to come from the network. Until it is there, the published one goes on to serve wherever its
/// tokens can be signed.
void Planner::plan_order()
{
    plan_.edited_early = has_opened() && meeting_.edited_early;
    ProjectFacts const* const maker = meeting_.published ? projects_.find(meeting_.published->project) : nullptr;
    const bool serves = maker != nullptr && maker->provider == meeting_.published->provider &&
                        maker->project_key == meeting_.published->project_key && !meeting_.staged;
    if (serves) {
        plan_.project = maker->name;
        plan_tokens(*maker, &*meeting_.published);
    } else if (!meeting_.staged) {
        for (std::size_t i = 0; i < meeting_.participants.size(); ++i)
            if (meeting_.participants[i].token &&
                (!meeting_.participants[i].present || meeting_.participants[i].blocked))
                plan_.withdraw.push_back({i, why_withdrawn(meeting_.participants[i], false)});
    }
    if (meeting_.staged) // it is taken off; only then are the tokens of the published one read
        next_look_.at(now_ + seconds{1});

    plan_.inputs = inputs_of(row(), *project_);
    const bool has_failed = meeting_.attempts > 0 && meeting_.failed_inputs == plan_.inputs;
    // An instant beyond any back-off was set by a clock that has been corrected since.
    // What was decided by a clock that ran ahead is decided again.
    const bool is_of_the_future = meeting_.settled_at > now_ || meeting_.next_at > now_ + back_off_max;
    plan_.blocked = has_failed && meeting_.next_at > now_ && !is_of_the_future;
    next_look_.at(plan_.blocked ? meeting_.next_at : now_ + order_review);
    std::optional<Outage> const& outage = project_->outage;
    const bool all_fail = outage && outage->state == State::failed;
    if (has_failed && !meeting_.reason.empty() && (meeting_.state == State::failed || !all_fail)) { // since the call
        plan_.state = meeting_.state == State::failed ? State::failed : State::pending;
        plan_.reason = meeting_.reason;
        plan_.detail = meeting_.detail;
    } else if (outage) {
        plan_.state = outage->state;
        plan_.reason = outage->reason;
        plan_.detail = outage->detail;
    } else {
        plan_.state = State::pending;
        plan_.reason = "session_ordered";
        plan_.detail =
            "its session is being made, or waits for its turn, at the provider of project " + in_quotes(project_->name);
    }
}

/// There is no session, and none is wanted yet.
void Planner::plan_wait()
{
    plan_.state = State::waiting;
    plan_.reason = "not_yet";
    plan_.detail = "a session is wanted from " + to_iso8601(schedule_.session_from);
    note_problems();
    if (may_have_tokens(meeting_))
        plan_.delete_tokens = WithdrawReason::not_yet;
}

/// `session` serves; null: the one that is made now.
void Planner::plan_session(SessionRow const* session)
{
    ProjectFacts const& signing = session != nullptr ? *projects_.find(session->project) : *project_;
    plan_.project = signing.name;
    plan_tokens(signing, session);
    if (session != nullptr && plan_.reason.empty() &&
        (session->project != row().project || session->adopted != !row().session_id.empty() ||
         (!session->adopted && session->options != to_text(row().options)))) {
        plan_.reason = "session_kept";
        plan_.detail = kept_detail(*session, row());
    }
}

/// Plans the tokens for the session that `plan_.session` leads to; null: it is not made yet.
void Planner::plan_tokens(ProjectFacts const& project, SessionRow const* session)
{
    const bool wanted = wanted_at(schedule_, now_) == Wanted::session_and_tokens;
    std::size_t present = 0;
    std::size_t unusable = 0;
    for (std::size_t i = 0; i < meeting_.participants.size(); ++i) {
        ParticipantRow const& participant = meeting_.participants[i];
        present += participant.present ? 1 : 0;
        const std::optional<ParticipantProblem> problem = problem_of(meeting_, i);
        if (problem)
            ++unusable;
        note_problem(i, problem);

        const bool serve = wanted && participant.present && !participant.blocked && !problem;
        // The tokens in the snapshot belong to `session`; a new session starts without any.
        if (!serve) {
            if (participant.token && session != nullptr)
                plan_.withdraw.push_back({i, why_withdrawn(participant, problem.has_value())});
            continue;
        }
        const auto reason = session == nullptr
                                ? std::optional{TokenReason::issued}
                                : why_sign(meeting_, participant, session->session_id, project, schedule_.closes, now_);
        if (reason)
            plan_.sign.push_back({i, *reason});
        const sys_seconds expires = reason
                                        ? expiry_of(now_ - project.policy.clock_skew, schedule_.closes, project.policy)
                                        : participant.token->expires_at;
        if (const auto rotation = rotation_of(meeting_.id, expires, schedule_.closes, project.policy))
            next_look_.at(*rotation);
    }

    if (!wanted) {
        plan_.state = State::waiting;
        plan_.reason = "not_yet";
        plan_.detail = "tokens are wanted from " + to_iso8601(schedule_.tokens_from);
        next_look_.at(schedule_.tokens_from);
    } else {
        plan_.state = State::ready;
        plan_.reason.clear();
        plan_.detail.clear();
    }
    if (meeting_.is_crowded) {
        plan_.reason = "too_many_participants";
        plan_.detail = "there are more than " + std::to_string(meeting_participants_max) +
                       " participants; the first of them by participant_id are served, the others are not";
    } else if (unusable > 0) {
        plan_.reason = "participant_problems";
        plan_.detail = std::to_string(unusable) + " of " + std::to_string(present) +
                       " participants cannot be served; each is listed with its reason";
    }
}

/// Withdraws what is left of a meeting that serves nobody any more, and purges it after retention.
void Planner::close(WithdrawReason why, sys_seconds since, seconds retention)
{
    if (may_have_tokens(meeting_))
        plan_.delete_tokens = why;
    if (!meeting_.has_past && !plan_.forget && meeting_.state == plan_.state)
        return; // purged already
    const sys_seconds over = since + retention;
    plan_.purge = std::min(now_, projects_.certain) >= over;
    if (!plan_.purge)
        plan_.due = now_ < over ? over : now_ + purge_review;
}

/// Nothing can be created or signed until somebody mends what is named. What is published stays while it is true.
void Planner::plan_unservable(sys_seconds closes, std::string reason, std::string detail)
{
    ProjectFacts const* const maker = meeting_.published ? projects_.find(meeting_.published->project) : nullptr;
    const auto is_true = [&](ParticipantRow const& participant) {
        TokenRow const& token = *participant.token;
        return participant.present && !participant.blocked && token.role == participant.role &&
               token.expires_at <= closes && token.issued_at <= now_ &&
               (maker == nullptr ||
                token.fingerprint == fingerprint_of(participant, meeting_.published->session_id, maker->format));
    };
    for (std::size_t i = 0; i < meeting_.participants.size(); ++i)
        if (meeting_.participants[i].token && !is_true(meeting_.participants[i]))
            plan_.withdraw.push_back({i, why_withdrawn(meeting_.participants[i], true)});
    note_problems();
    plan_.state = State::failed;
    plan_.reason = std::move(reason);
    plan_.detail = std::move(detail);
    if (closes > now_)
        plan_.due = closes;
}

void Planner::note_problem(std::size_t index, std::optional<ParticipantProblem> const& problem)
{
    ParticipantRow const& participant = meeting_.participants[index];
    if (problem && participant.problem != problem->reason)
        plan_.problems.push_back(*problem);
    else if (!problem && !participant.problem.empty())
        plan_.solved.push_back(index);
}

/// Of a meeting whose tokens are not planned.
void Planner::note_problems()
{
    for (std::size_t i = 0; i < meeting_.participants.size(); ++i)
        note_problem(i, problem_of(meeting_, i));
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
    return Planner{meeting, projects, now}.run();
}

WhyNotDisconnect
why_not_disconnect(MeetingSnapshot const& meeting, SessionRow const& session, Projects const& projects, sys_seconds now)
{
    ProjectFacts const* const maker = projects.find(session.project);
    if (maker == nullptr || !maker->disconnects)
        return {"the configuration has no project " + in_quotes(session.project) + " that can throw people out", false};
    if (maker->provider != session.provider || maker->project_key != session.project_key)
        return {"it was not made with the key that project " + in_quotes(session.project) + " has now", false};
    if (session.adopted)
        return {"it is the platform's own"};
    if (meeting.id.empty())
        return {"its meeting is unknown"};
    if (!meeting.meeting || meeting.meeting->cancelled) {
        // As it was planned: by the project that the row names, or by that of the session where the row is gone.
        ProjectFacts const* const asked = meeting.meeting ? projects.find(meeting.meeting->project) : maker;
        if (asked == nullptr || !asked->policy.disconnect_on_cancel)
            return {"on_cancel is not disconnect"};
        return {};
    }
    ProjectFacts const* const asked = projects.find(meeting.meeting->project);
    Policy const& policy = asked != nullptr ? asked->policy : projects.base;
    if (now < schedule_of(meeting.id, *meeting.meeting, policy).closes)
        return {"its meeting is neither cancelled nor over"};
    if (asked == nullptr || !asked->policy.disconnect_at_close)
        return {"hard_end is not disconnect"};
    return {};
}

} // namespace usher
