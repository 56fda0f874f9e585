// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <usher/core/request.hpp>
#include <usher/core/role.hpp>
#include <usher/core/time.hpp>

namespace usher {

enum class MeetingNo : std::int64_t {}; ///< usher's own number of a meeting; the platform's id is text.
enum class SessionNo : std::int64_t {}; ///< Ascends in order of creation, so tokens are stored in order of need.

/// What a provider needs to create a session; equal options mean that a session can serve.
struct SessionOptions {
    std::string media_mode = "routed";   ///< routed | relayed
    std::string archive_mode = "manual"; ///< manual | always
    std::string archive_name;
    std::string archive_resolution;
    std::string location; ///< IPv4 hint, or empty.
    bool e2ee = false;

    friend bool operator==(SessionOptions const&, SessionOptions const&) = default;
};

/// One comparable line, as stored in `session.options`: `media=routed archive=manual e2ee=0 …`.
std::string to_text(SessionOptions const& options);

/// A row of `meeting`.
struct MeetingRow {
    sys_seconds starts_at;
    sys_seconds ends_at;
    bool cancelled = false;
    std::string project = "default";
    SessionOptions options{};
    std::string session_id{};            ///< An existing session to use instead of a new one, or empty.
    std::optional<seconds> early_join{}; ///< Of every role, instead of the policy's.
    std::optional<seconds> grace{};      ///< Instead of the policy's.
    std::string fault{}; ///< What the contract would refuse of the row; see check_row(). Empty: nothing.

    friend bool operator==(MeetingRow const&, MeetingRow const&) = default;
};

/// A row of `session`.
struct SessionRow {
    SessionNo number{};
    std::string session_id;
    std::string provider;
    std::string project;
    std::string project_key;
    std::string options;
    bool adopted = false; ///< The platform's own session, named in the meeting's row.

    friend bool operator==(SessionRow const&, SessionRow const&) = default;
};

/// Why a token was signed. The values are stored in the `token` table: never renumber. None is 0 or 1, which SQLite
/// stores in no byte: a token signed anew then has a row of the same size, and is overwritten in place.
enum class TokenReason : std::uint8_t {
    issued = 2,           ///< The participant had none for this session.
    role_changed = 3,     ///< The platform changed the role.
    details_changed = 4,  ///< The platform changed connection data or layout classes, or the token format changed.
    schedule_changed = 5, ///< The meeting's end moved.
    policy_changed = 6,   ///< The configured life changed.
    key_changed = 7,      ///< The project's secret changed.
    rotated = 8,          ///< Its life was running out.
    requested = 9,        ///< An operator or the platform asked.
    clock_changed = 10,   ///< It was issued in what has become the future.
};

std::string_view to_text(TokenReason reason);

inline constexpr std::uint8_t first_token_reason = 2;
inline constexpr std::size_t token_reasons = 9;

/// Why a token was taken back without another in its place. Stored in `token_past`, beside TokenReason for those that
/// were replaced: never renumber.
enum class WithdrawReason : std::uint8_t {
    removed = 20,          ///< The participant's row is gone.
    blocked = 21,          ///< The participant is blocked.
    cancelled = 22,        ///< The meeting was cancelled.
    deleted = 23,          ///< The meeting's row is gone.
    ended = 24,            ///< The meeting closed.
    session_replaced = 25, ///< It was for a session before.
    not_served = 26,       ///< Something is wrong with the participant's or the meeting's row.
    not_yet = 27,          ///< The meeting moved away; tokens are not wanted yet.
};

std::string_view to_text(WithdrawReason reason);

inline constexpr std::uint8_t first_withdraw_reason = 20;
inline constexpr std::size_t withdraw_reasons = 8;

/// What is stored of a token, without its text.
struct TokenRow {
    std::optional<Role> role; ///< Empty when the stored number is none of ours.
    sys_seconds issued_at;
    sys_seconds expires_at;
    std::int64_t generation = 0;
    std::string key_id;
    std::uint64_t fingerprint = 0;
    std::uint8_t reason = 0; ///< As stored; see TokenReason.

    friend bool operator==(TokenRow const&, TokenRow const&) = default;
};

/// A row of `participant` with its token for the session at hand. A participant that is gone has a token only.
struct ParticipantRow {
    std::string id;
    bool present = true;
    bool blocked = false;
    std::optional<Role> role; ///< Empty when the text is none of the four.
    std::string connection_data;
    std::string layout_classes;
    std::optional<TokenRow> token;
    std::string problem; ///< Reason in `participant_problem`, or empty.
    std::string fault{}; ///< What the contract would refuse of the row; see check_row(). Empty: nothing.
    bool unread = false; ///< Of the row only its id was, and the fault is why.
    std::string display_name{};

    friend bool operator==(ParticipantRow const&, ParticipantRow const&) = default;
};

enum class State : std::uint8_t { waiting, pending, ready, failed, cancelled, ended };

std::string_view to_text(State state);
std::optional<State> parse_state(std::string_view text);

/// Whether the published session is to be replaced though it could serve. The values are stored: never renumber.
enum class Renewal : std::uint8_t { no = 0, requested = 1, participant_removed = 2 };

inline constexpr std::size_t meeting_participants_max =
    20'000; ///< Of one meeting; those beyond get nothing, and are counted.

/// One meeting as the planner sees it: every row that concerns it, read at one instant.
struct MeetingSnapshot {
    MeetingNo number{};
    std::string id;
    std::int64_t due_at = 0;            ///< 0: the platform wrote; else the instant of work that time makes due.
    std::optional<sys_seconds> opens;   ///< As last planned.
    std::optional<sys_seconds> closes;  ///< As last planned.
    std::optional<sys_seconds> gone_at; ///< When the meeting's own row was first found deleted.
    bool edited_early = false;          ///< An edit before it opened may need another session, and is not settled yet.
    bool has_removals = false;          ///< Rows in `removal`: people were removed before it opened, and are not back.
    bool removed_early = false;         ///< One of them has a token that opens `published` when the meeting starts.
    bool has_past = false;              ///< There are sessions or history to be purged.
    sys_seconds next_at{};              ///< No network call before this.
    int attempts = 0;                   ///< Failed network calls in a row.
    std::uint64_t failed_inputs = 0;    ///< inputs_of() the last of them.
    std::int64_t generation = 0;        ///< Its tokens must have it: see wanted_generation().
    Renewal renew_session = Renewal::no;
    std::vector<OpenWork> requests; ///< What requests ask of it, by number.
    std::uint64_t policy_hash = 0;
    sys_seconds settled_at{}; ///< The instant that it was last planned for, by the clock of then.
    State state = State::pending;
    std::string reason;
    std::string detail;
    std::optional<sys_seconds> ready_at;
    std::optional<MeetingRow> meeting;
    std::optional<SessionRow> published;
    std::optional<SessionRow> staged;
    bool has_foreign_session = false; ///< The agenda names a session that somebody else wrote.
    bool has_leftovers = false;       ///< Sessions that are neither published nor staged, with tokens.
    bool has_stale_problems = false;  ///< In `participant_problem`, of participants who are gone.
    bool has_unreadable_rows =
        false;                  ///< Tokens or problems that usher never wrote; all of the meeting's are made anew.
    bool is_crowded = false;    ///< There are more participants than the first `meeting_participants_max` here.
    bool is_unreadable = false; ///< Its row in `agenda` cannot be read; nothing but `number` is known.
    std::vector<ParticipantRow> participants; ///< By id. Tokens are those of `staged`, or else of `published`.

    friend bool operator==(MeetingSnapshot const&, MeetingSnapshot const&) = default;
};

} // namespace usher
