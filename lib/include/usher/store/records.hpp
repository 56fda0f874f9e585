// SPDX-License-Identifier: Apache-2.0
// What a store is given to write, and what it answers.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <usher/core/certain_time.hpp>
#include <usher/core/meeting.hpp>
#include <usher/core/plan.hpp>
#include <usher/core/settlement.hpp>

namespace usher {

/// Meetings that began or will begin within this time are served in the order of their starts. All others are served
/// day by day. Meetings of one day are served in the order of their rows, which reads far less.
inline constexpr seconds near_before = std::chrono::hours{24};
inline constexpr seconds near_after = std::chrono::hours{2};

/// What a store had seen at an instant. While it is the same, only publish() has written. The numbers mean
/// something to the store alone.
struct Seen {
    std::int64_t of_others = 0;
    std::uint64_t of_ours = 0;

    friend bool operator==(Seen const&, Seen const&) = default;
};

/// A token ready to be published.
struct SignedToken {
    std::size_t participant; ///< Index into MeetingSnapshot::participants.
    std::string token;
    TokenReason reason;
    sys_seconds issued_at;
    sys_seconds expires_at;
    std::uint64_t fingerprint;
};

/// Work done for one meeting, or a slice of it. Several slices may carry tokens; the last one settles. Whether the
/// platform edited the rows since they were read is found out by the store.
struct Publication {
    MeetingSnapshot const* meeting;
    Plan const* plan;
    Seen seen;                           ///< Before the meeting was read.
    SessionRow const* session = nullptr; ///< What the tokens are for; published by the last slice. It has no number
                                         ///< when it was made for this publication.
    std::string_view key_id;             ///< Of the key that signed.
    std::span<SignedToken const> tokens;
    bool first = true;    ///< Of the slices.
    bool last = true;     ///< Likewise.
    SessionNo numbered{}; ///< The number that an earlier slice has given to the session.
};

struct PublishCounts {
    std::size_t tokens = 0;                                    ///< Stored,
    std::array<std::size_t, token_reasons> reasons{};          ///< by why: from TokenReason::issued on.
    std::size_t withdrawn = 0;                                 ///< Deleted,
    std::array<std::size_t, withdraw_reasons> withdraw_whys{}; ///< by why: from WithdrawReason::removed on.
    std::size_t skipped = 0;  ///< Not stored, since the platform edited the rows meanwhile; the meeting is due again.
    std::size_t sessions = 0; ///< Published.
    std::size_t settled = 0;  ///< Meetings.

    void count_token(TokenReason reason)
    {
        ++tokens;
        ++reasons.at(static_cast<std::size_t>(reason) - first_token_reason);
    }
    PublishCounts& operator+=(PublishCounts const& other);
};

/// A row of `project_status`.
struct ProjectStatus {
    std::string name;
    std::string provider;
    std::string project_key;
    std::string key_id;
    std::string reason; ///< Empty while the provider is asked.
    std::string detail;
    std::optional<sys_seconds> next_at{};
    std::optional<seconds> clock_ahead{};
};

/// A session that is marked: whoever is in it is to be thrown out.
struct Disconnect {
    SessionRow session{};
    MeetingNo meeting{};
    std::string meeting_id{}; ///< Empty when that is not known any more.
    bool ours = false;        ///< Its row was written by usher.
    bool shared = false;      ///< Another meeting is served by the same session.
};

/// How that ended. `event` goes into the meeting's history; none when it is empty.
struct EndedDisconnect {
    SessionNo session{};
    MeetingNo meeting{};
    std::string event{};
    std::string detail{};
};

/// All that is written at once about calls to providers.
struct CallNews {
    std::span<EndedCall const> ended{};
    std::span<MeetingNo const> begun{}; ///< So that a lost answer is counted.
    std::span<ProjectStatus const> projects{};
    bool all_projects = false;               ///< `projects` are all that there are.
    std::span<MeetingNo const> to_look_at{}; ///< Become due.
    std::span<EndedDisconnect const> disconnects{};

    bool empty() const
    {
        return ended.empty() && begun.empty() && projects.empty() && !all_projects && to_look_at.empty() &&
               disconnects.empty();
    }
};

struct CallRecord {
    std::vector<std::optional<SessionNo>> staged; ///< For each that ended; none where nothing can be used.
    std::vector<std::int64_t> attempts;           ///< For each that begins.
};

/// Work for requests that has ended.
struct RequestNews {
    std::int64_t request_id = 0; ///< Of the first.
    bool retries = false;        ///< It asked to try again at once.
    std::size_t requests = 0;    ///< That asked for the same.
    std::string detail;          ///< What was done, or why not.
};

/// What a daemon learns from those before it.
struct Tenure {
    sys_seconds last_look; ///< By the clock of then; the beginning of time when there was none.
    ClockRecord clock;     ///< How far the clock is to be believed.
};

/// What publish() came to.
struct Published {
    /// A publication that cannot be written, by its place among those that were given; the others are.
    struct Refused {
        std::size_t publication = 0;
        std::string why;
    };
    PublishCounts counts;
    std::vector<PublishCounts> each; ///< For each that was given; what a stop left out counts nothing.
    std::vector<Refused> refused;
};

/// What is due; see Store::due().
struct DueMeetings {
    std::vector<MeetingNo> meetings;
    bool near = false; ///< There are such that are live or about to open.
    Seen seen{};       ///< Before they were looked for.
};
/// What one call of Store::advance_requests() did.
struct RequestStep {
    std::vector<RequestNews> finished; ///< Since the last call, by this or by Store::publish().
    bool more = false;
};

/// A row of `agenda` in short.
struct AgendaEntry {
    MeetingNo number{};
    std::int64_t due_at = 0;
    std::uint64_t policy_hash = 0;
    State state = State::pending;
    sys_seconds starts_at;
    std::int64_t seq = 0; ///< Of the last change that was published; 0 before the first.
    SessionNo session{};  ///< The published one; 0 without.
    sys_seconds settled_at{};
};

/// Meetings whose agenda row is missing or wrong, as it is when a trigger was.
struct MissingRows {
    std::vector<std::string> meeting_ids;
    std::optional<std::string> next; ///< The cursor for the rest; none at the end.
};

/// What is over since before an instant though its meeting lives on. The last session and event of a meeting stay.
struct Outdated {
    enum class OldTable : std::uint8_t { token_past, session, session_attempt, history, none };
    struct Cursor {
        OldTable table = OldTable::token_past;
        std::int64_t after = 0;
    };
    struct OldRow {
        std::int64_t number;
        std::string participant_id{}; ///< Of token_past,
        std::int64_t seq = 0;         ///< and so is this.
    };
    OldTable table = OldTable::none;
    std::vector<OldRow> rows;
    Cursor next; ///< Where to go on; `none` at the end.
};

} // namespace usher
