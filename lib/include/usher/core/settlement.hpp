// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <usher/core/meeting.hpp>
#include <usher/core/plan.hpp>
#include <usher/core/request.hpp>
#include <usher/core/time.hpp>

namespace usher {

// What a publication still may write though the platform went on editing while it was planned and signed. A store asks
// these functions inside its transaction, and writes what they say; it decides nothing itself.

/// How far what was planned for a meeting still holds.
enum class Standing : std::uint8_t {
    intact,  ///< All of it.
    unclear, ///< Its row stands; of the participants nobody knows. It is due still.
    edited,  ///< Its row stands, and the platform edited something.
    gone,    ///< Its row is another one, or none.
};

/// Whether nobody edited `read` meanwhile, by its agenda row alone. Each edit sets `due_at` to 0; so a row that was due
/// by an edit before tells nothing once `others_wrote` to the database.
bool is_untouched(MeetingSnapshot const& read, std::int64_t due_at, bool others_wrote);

/// Whether its participants are so few that they can be read again all at once.
bool is_compared_whole(MeetingSnapshot const& read);

/// Otherwise the meeting is read again; whether with its participants, which takes long where they are many.
bool reads_participants(MeetingSnapshot const& read, std::int64_t due_at);

/// `current`: the meeting as it is, with its participants if reads_participants(); nothing when it cannot be read.
Standing standing_of(MeetingSnapshot const& read, std::optional<MeetingSnapshot> const& current, std::int64_t due_at);

/// The sessions that a meeting's agenda row names.
struct SessionLinks {
    std::optional<SessionNo> published;
    std::optional<SessionNo> staged;
    std::optional<SessionNo> last; ///< The newest one, from which the others are found.

    friend bool operator==(SessionLinks const&, SessionLinks const&) = default;
};

/// Without those to sessions whose rows usher did not write; `session` is the one that is published now.
SessionLinks without_foreign(MeetingSnapshot const& read, SessionLinks links, std::optional<SessionNo> session);

/// What is at hand for a meeting when the write lock is held.
struct SettlementFacts {
    MeetingSnapshot const& read;
    Plan const& plan;
    Standing standing = Standing::intact;
    std::vector<OpenWork> requests{}; ///< As they are; an aborted one marks no meeting.
    bool has_session = false;         ///< The publication brings the session that its tokens are for.
};

/// Standing, with what only requests tell.
Standing standing_of(SettlementFacts const& facts);

/// Whether the session of the publication is used at all.
bool uses_session(SettlementFacts const& facts);

/// Tokens and rows that go before a meeting is settled, in this order.
struct Clearance {
    bool withdraws = false; ///< The plan's withdrawals. Removals wait for a pass that is sure: the view hides what is
                            ///< gone, and a restored row keeps its token.
    bool keeps_problems = false;                ///< The plan's problems are written, and those that are over go.
    std::optional<WithdrawReason> all_tokens{}; ///< Of every session; why.
    bool leftovers = false;                     ///< Tokens of sessions that are neither published nor staged.
    bool marks_disconnect = false;              ///< Whoever is in one of its sessions is to be thrown out.
    bool removals = false;                      ///< Rows that remember who was removed early.
    bool past = false;                          ///< Retention is over.
    bool agenda_row = false;                    ///< And nothing of the meeting is left.
};

/// `in_use`: the publication's session is the published or the staged one.
Clearance clearance_of(SettlementFacts const& facts, bool in_use);

/// What the writing of tokens and the clearance came to.
struct Cleared {
    std::size_t tokens = 0;                           ///< Stored by this slice.
    std::size_t withdrawn = 0;                        ///< Of participants who are not served any more.
    std::size_t deleted = 0;                          ///< These, and those of sessions that are over,
    std::array<std::size_t, withdraw_reasons> whys{}; ///< by why: from WithdrawReason::removed on.
    bool finished = true; ///< Nothing is left of what was to go; else the meeting stays due.
    SessionLinks links;   ///< As they are now.
};

/// An entry of `history`.
struct HistoryEvent {
    std::string name;
    std::string detail;

    friend bool operator==(HistoryEvent const&, HistoryEvent const&) = default;
};

/// The columns of a meeting's agenda row that a pass settles.
struct SettledRow {
    bool due_now = false;           ///< There is more to do at once; else:
    std::optional<sys_seconds> due; ///< nothing: not before the platform writes.
    std::optional<sys_seconds> opens;
    std::optional<sys_seconds> closes;
    std::uint64_t policy_hash = 0;
    sys_seconds next_at{};
    int attempts = 0;
    std::uint64_t failed_inputs = 0;
    State state = State::pending;
    std::string reason;
    std::string detail;
    std::optional<sys_seconds> ready_at;
    Renewal renewal = Renewal::no; ///< To be remembered.
    std::int64_t generation = 0;   ///< At least.
    sys_seconds settled_at{};
    std::optional<sys_seconds> gone_at;
    bool edited_early = false;
};

/// How a meeting ends a publication.
struct Settlement {
    SessionLinks links;
    std::vector<HistoryEvent> events;
    PublishOutcome outcome;
    bool changed = false;          ///< Something that readers see, so the meeting gets a new seq.
    bool settled = false;          ///< Nothing is left to do.
    bool leaves_no_doubt = true;   ///< Else the row is made due by time, so that the next pass sees by it alone whether
                                   ///< there was an edit.
    std::optional<SettledRow> row; ///< Nothing where the rest is for the next pass.
};

/// `session`: the publication's, if it is in use.
Settlement
settle(SettlementFacts const& facts, Cleared const& cleared, std::optional<SessionNo> session, sys_seconds now);

/// How a call for a session ended; `unsent`: it was never made.
enum class CallOutcome : std::uint8_t { created, failed, abandoned, unsent };

std::string_view to_text(CallOutcome outcome);

/// A call for a session that is over.
struct EndedCall {
    MeetingNo meeting{};
    std::int64_t attempt = 0; ///< As begun.
    CallOutcome outcome = CallOutcome::created;
    SessionRow session{}; ///< What was made, or asked for; `number` is given by the store.
    // What a failure puts on record:
    State state = State::pending;
    std::string reason{};
    std::string detail{};
    sys_seconds next_at{};
    std::uint64_t inputs = 0;
};

/// The rows that the end of a call meets.
struct CallFacts {
    bool is_known = true;   ///< The meeting is.
    bool is_wanted = false; ///< The meeting would be given this very session.
    bool id_taken = false;  ///< There is a session of that id.
    State state = State::pending;
    std::string reason{};
    int attempts = 0;
    std::uint64_t failed_inputs = 0;
};

struct CallSettlement {
    CallOutcome outcome = CallOutcome::created; ///< As `session_attempt` has it.
    bool is_due = false;                        ///< The meeting is looked at again.
    bool is_staged = false;                     ///< The session is the meeting's next one.
    std::optional<int> attempts{};              ///< The failure is put on record; so many in a row by now.
    bool is_news = false;                       ///< Likewise in history, and to readers.
};

CallSettlement settle_call(EndedCall const& call, CallFacts const& facts);

} // namespace usher
