// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <usher/core/meeting.hpp>
#include <usher/core/policy.hpp>
#include <usher/core/token.hpp>

namespace usher {

/// Why a project's provider makes no sessions at present, though meetings need some. An outage begins when usher stops
/// asking the provider, and ends when calls have gone well for a while. Each meeting is told of it once.
struct Outage {
    State state = State::pending; ///< Of the meetings that wait for it: pending, or failed when it needs somebody.
    std::string reason;
    std::string detail;

    friend bool operator==(Outage const&, Outage const&) = default;
};

/// What the planner must know of a configured project. `policy_hash` covers everything here but the outage.
struct ProjectFacts {
    std::string name;
    std::string provider;    ///< Kind: sandbox, …
    std::string project_key; ///< API key or application id.
    std::string key_id;      ///< Names the secret.
    TokenFormat format = TokenFormat::jwt;
    bool network = false;     ///< Sessions are made by network calls, which take time and fail: they are ordered.
    bool disconnects = false; ///< Whoever is in a session can be thrown out.
    std::uint64_t connection_hash = 0; ///< Of where and how the provider is reached.
    Policy policy;
    std::optional<Outage> outage{};
    std::uint64_t policy_hash = 0; ///< See hash_of().
};

std::uint64_t hash_of(ProjectFacts const& facts);

/// Hash of all that a session is made from. A failure counts only while it is the same.
std::uint64_t inputs_of(MeetingRow const& row, ProjectFacts const& project);

/// By name. `base` serves meetings whose project is not configured: their window is known, their tokens are not.
struct Projects {
    Policy base;
    std::map<std::string, ProjectFacts, std::less<>> by_name;
    /// An instant that has certainly come, whatever the clock says after a step. What cannot be undone waits for it.
    sys_seconds certain = sys_seconds::max();
    /// Whether the clock is known to be right. An instant that retention is counted from waits for it.
    bool clock_believed = true;

    ProjectFacts const* find(std::string_view name) const;
};

/// The window in which a meeting can be joined and the instants from which its parts are wanted. The one place where
/// time is computed and rounded: the planner, the checker and status all call it.
struct Schedule {
    sys_seconds opens;        ///< First instant at which a join of some role must succeed.
    sys_seconds closes;       ///< First instant at which a join must fail.
    sys_seconds session_from; ///< A session is wanted from here on.
    sys_seconds tokens_from;  ///< Tokens are wanted from here on; never before `session_from`.
};

Schedule schedule_of(std::string_view meeting_id, MeetingRow const& row, Policy const& policy);

/// The first instant at which a join of somebody with this role must succeed. `Schedule::opens` is the earliest door of
/// all roles, whoever is in the meeting.
sys_seconds door_of(MeetingRow const& row, Role role, Policy const& policy);

/// Expiry of a token issued at `issued_at` for a meeting that closes at `closes`.
sys_seconds expiry_of(sys_seconds issued_at, sys_seconds closes, Policy const& policy);

/// When a token must be replaced, or nothing when it outlives the meeting.
std::optional<sys_seconds>
rotation_of(std::string_view meeting_id, sys_seconds expires_at, sys_seconds closes, Policy const& policy);

/// What the planner compares of a token beside its role: connection data, layout classes, session, format, and the name
/// where the format carries it.
std::uint64_t fingerprint_of(ParticipantRow const& participant, std::string_view session_id, TokenFormat format);

struct SignStep {
    std::size_t participant; ///< Index into MeetingSnapshot::participants.
    TokenReason reason;
};

struct ParticipantProblem {
    std::size_t participant;
    std::string reason; ///< A code, such as connection_data_not_utf8.
    std::string detail; ///< A sentence.
};

struct Withdrawal {
    std::size_t participant; ///< Index into MeetingSnapshot::participants.
    WithdrawReason reason;

    friend bool operator==(Withdrawal const&, Withdrawal const&) = default;
};

enum class SessionStep : std::uint8_t {
    keep,    ///< The published session serves (or none is wanted yet).
    publish, ///< The staged session serves: publish it once its tokens are stored.
    create,  ///< A new session is needed, and made at once.
    order,   ///< A new session is needed from the network; meanwhile the published one serves, as well as it can.
    drop,    ///< No session may be published.
};

/// What one meeting needs at an instant. Tokens are signed for the session that `session` leads to.
struct Plan {
    SessionStep session = SessionStep::keep;
    std::string create_reason; ///< Why a new session: first, cancelled, project_changed, …
    std::string adopt;         ///< With `create`: the id of the platform's own session, which is used; else empty.
    std::string project;       ///< Signs the tokens: the name of a configured project, or empty when none is signed.
    std::vector<SignStep> sign;
    std::vector<Withdrawal> withdraw; ///< Tokens without a participant that can be served.
    std::vector<ParticipantProblem> problems;
    std::vector<std::size_t> solved;               ///< Participants whose problem is over.
    std::optional<WithdrawReason> delete_tokens{}; ///< Of every session of this meeting.
    bool delete_leftovers = false;                 ///< Tokens of sessions that are neither published nor staged.
    bool purge = false;                            ///< Retention is over: of sessions, problems and history.
    bool forget = false;                           ///< Likewise of the agenda row: nothing of the meeting is left.
    bool blocked = false;        ///< A session is ordered, and `next_at` forbids the network call for now.
    std::uint64_t inputs = 0;    ///< Of the session that is ordered.
    Renewal renew = Renewal::no; ///< To be remembered until the session is replaced.
    bool disconnect = false;     ///< Whoever is in this meeting's sessions is to be thrown out.

    State state = State::waiting; ///< To be recorded once all of the above is done.
    std::string reason;
    std::string detail;
    std::optional<sys_seconds> opens;
    std::optional<sys_seconds> closes;
    std::optional<sys_seconds> gone_at; ///< Of a meeting whose own row is gone.
    bool edited_early = false;          ///< An edit from before `opens` waits for its session still.
    bool settle_removals = false;       ///< Who was removed before `opens` need not be remembered any longer.
    sys_seconds at;                     ///< The instant that this was decided for.
    std::uint64_t policy_hash = 0;
    std::optional<sys_seconds> due; ///< When to look again; nothing: not before the platform writes.

    /// Whether anything must be written beyond the state itself.
    bool has_work() const;
};

/// Decides what `meeting` needs at `now`. Pure and total: same input, same output; no clock, no I/O.
Plan plan(MeetingSnapshot const& meeting, Projects const& projects, sys_seconds now);

struct WhyNotDisconnect {
    std::string sentence;    ///< Empty: it may be done.
    bool is_needless = true; ///< Nobody is to be thrown out; else somebody is, but usher cannot do it.
};

/// Why nobody is thrown out of `session` at `now`, though its row says so. Policy and meeting are asked again: a mark
/// may be old, or anybody's. `meeting` is read without participants.
WhyNotDisconnect why_not_disconnect(
    MeetingSnapshot const& meeting, SessionRow const& session, Projects const& projects, sys_seconds now
);

} // namespace usher
