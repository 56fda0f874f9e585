// SPDX-License-Identifier: Apache-2.0
// The port to whatever keeps the rows: what the daemon reads and writes, in words that every database can answer.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include <usher/core/certain_time.hpp>
#include <usher/core/meeting.hpp>
#include <usher/core/plan.hpp>
#include <usher/core/policy.hpp>
#include <usher/core/settlement.hpp>
#include <usher/store/contract.hpp>
#include <usher/store/errors.hpp>
#include <usher/store/health.hpp>

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
    bool last = true;
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

class StoreReader;

/// All that usher keeps in one database. Batch-shaped: due meetings out, publications in. One thread at a time; what
/// reads much has a StoreReader of its own. What is read here is few rows, by their keys, so the caller waits for them;
/// writes are awaited, for a store lets others have their turn. Nothing that awaits holds anything that others wait
/// for. Errors: DatabaseBusy, after which nothing is lost and the same may be tried again; Fenced; DatabaseError for
/// all else.
class Store {
public:
    using Duration = std::chrono::steady_clock::duration;

    /// What is due; see due().
    struct DueMeetings {
        std::vector<MeetingNo> meetings;
        bool near = false; ///< There are such that are live or about to open.
        Seen seen{};       ///< Before they were looked for.
    };
    /// What one call of advance_requests() did.
    struct RequestStep {
        std::vector<RequestNews> finished; ///< Since the last call, by this or by publish().
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

    Store() = default;
    Store(Store const&) = delete;
    Store& operator=(Store const&) = delete;
    virtual ~Store() = default;

    // At the start, in this order.

    /// Opens an existing database, migrating its schema. Returns where it put what another database of this name had
    /// left beside it; mostly nothing.
    virtual std::string open() = 0;
    /// From now on an older daemon's writes are refused.
    virtual Tenure take_over() = 0;

    // What others do to it.

    /// Changes of others are noticed at once from now on. Or not: then why, and how often they are looked for instead.
    struct SlowNotices {
        std::string reason;
        std::chrono::milliseconds every{};
    };
    virtual std::optional<SlowNotices> notice_changes() = 0;
    /// Calls `changed` whenever others may have committed since caught_up(). Looks for it every so often even where
    /// nothing is noticed. Ends after request_stop(), at the next look.
    virtual boost::asio::awaitable<void> follow_changes(Duration every, std::function<void()> changed) = 0;
    /// What is committed by now is known to the caller.
    virtual void caught_up() = 0;

    /// Errors: DatabaseLost, from now on at each call.
    virtual void check() = 0;
    /// The part of it that tells why something else may have failed.
    virtual void check_after_failure() = 0;

    /// Changes when anybody alters the schema.
    virtual std::int64_t schema_version() const = 0;
    /// Compares the schema with the contract; puts back what may be put back beside those who work with it, each at
    /// most once a minute; keeps the rest for `usher_status`.
    virtual boost::asio::awaitable<Inspection> inspect() = 0;

    /// Whether there are older rows than this daemon has written or found. Its next write tells followers.
    virtual bool holds_older_rows() const = 0;
    /// Whether older rows came back while this daemon ran; asking takes it back.
    virtual bool take_restored() = 0;
    /// After a restore: gives the next meetings a new seq, for those who follow it. Whether there is more to do.
    virtual boost::asio::awaitable<bool> renumber(std::size_t limit) = 0;

    // Meetings that are due.

    virtual std::unique_ptr<StoreReader> reader() const = 0;

    /// Up to `limit` due meetings that are not `in_hand`: those that are live or about to open first, by their start;
    /// then, in equal shares, what time has made due and what else the platform wrote, day by day (near_before,
    /// near_after). Nothing is written.
    virtual DueMeetings due(sys_seconds now, std::size_t limit, std::set<MeetingNo> const& in_hand) const = 0;
    /// The earliest instant at which a meeting is due; `now` or earlier when one is due already.
    virtual std::optional<sys_seconds> next_due() const = 0;

    /// Stores tokens and settles each meeting that is as it was read, in the order given. Of one that the platform
    /// edited meanwhile, it stores what is still right and leaves it due. Ends early after request_stop(). What
    /// publications refer to must live until it returns.
    virtual boost::asio::awaitable<Published> publish(std::vector<Publication> publications) = 0;
    /// Of about so many tokens, as many as are best published together.
    virtual std::size_t fill(std::size_t tokens) const = 0;

    /// Takes a few steps for requests, if there are some to take: begins those that were filed, or marks the next
    /// meetings.
    virtual boost::asio::awaitable<RequestStep> advance_requests() = 0;

    // Calls to providers.

    /// The meetings as they are, without their participants: enough to tell whether a session is still wanted.
    virtual std::vector<MeetingSnapshot> read_orders(std::span<MeetingNo const> meetings) const = 0;
    /// Whether there is a session of this id, whatever meeting it is or was of.
    virtual bool has_session(std::string const& session_id) const = 0;
    /// Up to `limit` sessions of a project that are marked to be emptied, oldest first; without a name, of those
    /// projects that are not in `project_status`.
    virtual std::vector<Disconnect>
    read_disconnects(std::optional<std::string> const& project, std::size_t limit) const = 0;
    /// Records all of it or nothing; nothing is written when `news` is empty. A new session is staged, unless the
    /// platform changed its inputs meanwhile, or a session of that id exists: then it is abandoned. A failure leaves
    /// its reason and when to try again. Goes before what publish() has still to do.
    virtual boost::asio::awaitable<CallRecord> record_calls(CallNews news) = 0;

    // What a sweep found by a reader.

    /// The highest `seq` that was given.
    virtual std::int64_t last_seq() const = 0;
    /// Adds or mends the agenda rows of these meetings, and makes them due.
    virtual boost::asio::awaitable<void> add_missing(std::vector<std::string> meeting_ids) = 0;
    /// Deletes rows of `agenda` that cannot be read; find_missing() finds their meetings then.
    virtual boost::asio::awaitable<void> forget_unreadable(std::vector<MeetingNo> meetings) = 0;
    virtual boost::asio::awaitable<void> remove(Outdated outdated) = 0;

    // While there is nothing else to do, and at the end.

    /// Has the views show each credential from its holder's door on, as configured. Writes only what differs.
    virtual boost::asio::awaitable<void> record_doors(Policy policy) = 0;
    /// Records that a daemon has looked, where nothing was to be published, and an instant that has certainly come.
    virtual boost::asio::awaitable<void> beat(sys_seconds certain) = 0;
    /// Does what the store wants done for itself now and then. Errors: DatabaseLost too.
    virtual boost::asio::awaitable<void> keep_house() = 0;
    /// How soon it wants to do so again.
    virtual std::optional<Duration> keep_house_in() const = 0;

    /// Ends publish() after the transaction in hand, and follow_changes().
    virtual void request_stop() = 0;
    /// Returns when nothing is under way in the background.
    virtual boost::asio::awaitable<void> come_to_rest() = 0;
    /// Leaves the database as one whose files may be copied or replaced. Who is in the way of that is waited for a
    /// while, `pause` at a time. Whether it is so.
    virtual bool finish(std::function<void(Duration)> const& pause) = 0;

    /// Calls `wrote` whenever this store is done with writing for a moment: how long it waited for those who were
    /// writing, and how long it kept others from it. Of one that waited in vain too, with nothing for the latter.
    virtual void watch_writes(std::function<void(Duration waited, std::optional<Duration> held)> wrote) = 0;
    /// How the store is, since it was opened: what operators need of it and the words of this port do not have.
    virtual std::vector<HealthRow> health() const = 0;
    /// What others do that will slow it down, and what to do, for operators; empty mostly. Costs nothing to ask.
    virtual std::string concern() const = 0;
};

/// Reads on a thread of its own, one call at a time. Errors: those of Store.
class StoreReader {
public:
    virtual ~StoreReader() = default;

    /// The meetings as they are, in this order; ends early once they have more than `participants_max` participants.
    virtual std::vector<MeetingSnapshot>
    read(std::span<MeetingNo const> meetings, std::size_t participants_max) const = 0;

    /// Up to `limit` rows of `agenda` after `after`, by number.
    virtual std::vector<Store::AgendaEntry> scan(MeetingNo after, std::size_t limit) const = 0;

    /// Of up to `limit` meetings and participants after `cursor`.
    virtual Store::MissingRows find_missing(std::string const& cursor, std::size_t limit) const = 0;

    /// Looks at some rows from `place` on: enough that about `limit` are found, or that many have been seen.
    virtual Store::Outdated
    find_outdated(Store::Outdated::Cursor place, sys_seconds before, std::size_t limit) const = 0;

protected:
    StoreReader() = default;
    StoreReader(StoreReader&&) = default;
    StoreReader& operator=(StoreReader&&) = default;
};

} // namespace usher
