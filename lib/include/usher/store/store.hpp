// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <usher/core/certain_time.hpp>
#include <usher/core/meeting.hpp>
#include <usher/core/plan.hpp>
#include <usher/core/promises.hpp>
#include <usher/core/settlement.hpp>
#include <usher/store/contract.hpp>
#include <usher/store/database.hpp>

namespace usher {

/// Meetings that began or will begin within this time are served in the order of their starts. All others in the order
/// of their days: within a day in that of the tables, which takes far fewer pages.
inline constexpr seconds near_before = std::chrono::hours{24};
inline constexpr seconds near_after = std::chrono::hours{2};

/// What the database had seen at an instant. While it is the same, nobody has written but publish().
struct Seen {
    std::int64_t data_version = 0; ///< Moves with the commits of others.
    std::uint64_t own_writes = 0;

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
    Seen seen;                     ///< Before the meeting was read.
    SessionRow* session = nullptr; ///< What the tokens are for; published by the last slice. One that was made for
                                   ///< this publication has no number yet, and gets it here.
    std::string_view key_id;       ///< Of the key that signed.
    std::span<SignedToken const> tokens;
    bool last = true;
};

struct PublishCounts {
    std::size_t tokens = 0;    ///< Stored.
    std::size_t withdrawn = 0; ///< Deleted.
    std::size_t skipped = 0;   ///< Not stored, since the platform edited the rows meanwhile; the meeting is due again.
    std::size_t sessions = 0;  ///< Published.
    std::size_t settled = 0;   ///< Meetings.

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
    sys_seconds last_look; ///< By the clock of then; epoch when there was none.
    ClockRecord clock;     ///< How far the clock is to be believed.
};

/// All that usher keeps in one SQLite file. Batch-shaped: due meetings out, publications in. Each call is one short
/// transaction, or one read. One thread at a time; readers have a store each, opened read-only. Writers other than the
/// owner of the epoch get Fenced; a lock held by others for too long gives DatabaseBusy; everything else that goes
/// wrong with the file is a DatabaseError.
class Store {
public:
    /// Opens an existing database for writing, migrating its schema. Errors: DatabaseError.
    static Store open(std::string const& path);
    /// Opens for reading only; nothing is created or migrated.
    static Store open_read_only(std::string const& path);

    /// Another one on the same database, for reading by another thread.
    Store reader() const;
    std::string const& path() const;

    Store(Store&&) noexcept;
    Store& operator=(Store&&) noexcept;
    ~Store();

    /// Begins this daemon's epoch: from now on an older daemon's writes are refused. `who` names this daemon to the
    /// next one. `steady` is of the clock that nobody sets.
    Tenure take_over(std::string_view who, sys_seconds now, std::chrono::steady_clock::time_point steady);
    /// Whether the file holds older rows than this daemon has written or found. Its next write tells followers.
    bool holds_older_rows() const;
    /// Whether older rows came back into the file while this daemon ran; asking takes it back.
    bool take_restored();
    /// After a restore: gives the next meetings a new seq, for those who follow it. Whether there is more to do.
    bool has_unnumbered() const; ///< There are such.
    bool renumber(std::size_t limit, sys_seconds now);
    /// Seals all sessions that are there anew, after the key was lost; returns how many. Needs no epoch.
    std::int64_t adopt_sessions();
    std::string owner() const; ///< Who holds the epoch, for messages.

    /// Compares the schema with the contract; puts back views, triggers and indexes, each at most once a minute. `now`
    /// is of a steady clock.
    Inspection inspect(std::chrono::steady_clock::time_point now);
    /// What could not be put back, for `usher_status`.
    bool has_damage(ContractState const& state) const; ///< It says so already.
    void record_damage(ContractState const& state);

    /// To be asked before meetings are read, on this store or another one.
    Seen seen() const;

    /// Up to `limit` due meetings that are not `in_hand`: those that are live or about to open first, by their start;
    /// then, in equal shares, what time has made due and what else the platform wrote, day by day (near_before,
    /// near_after). Nothing is written.
    struct Due {
        std::vector<MeetingNo> meetings;
        bool near = false; ///< There are such that are live or about to open.
    };
    Due due(sys_seconds now, std::size_t limit, std::set<MeetingNo> const& in_hand) const;

    /// The meetings as they are, in this order; ends early once they have more than `participants_max` participants.
    std::vector<MeetingSnapshot> read(std::span<MeetingNo const> meetings, std::size_t participants_max) const;

    /// The earliest instant at which a meeting is due; `now` or earlier when one is due already.
    std::optional<sys_seconds> next_due() const;

    /// Records it in one transaction; in none when `news` is empty. A new session is staged, unless the platform
    /// changed its inputs meanwhile, or a session of that id exists: then it is abandoned. A failure leaves its reason
    /// and when to try again.
    CallRecord record_calls(CallNews const& news, sys_seconds now);

    /// Whether there is a session of this id, whatever meeting it is or was of.
    bool has_session(std::string const& session_id) const;

    /// The meetings as they are, without their participants: enough to tell whether a session is still wanted.
    std::vector<MeetingSnapshot> read_orders(std::span<MeetingNo const> meetings) const;

    /// Up to `limit` sessions of a project that are marked to be emptied, oldest first; without a name, of those
    /// projects that are not in `project_status`.
    std::vector<Disconnect> read_disconnects(std::optional<std::string> const& project, std::size_t limit) const;

    /// Has the views show each credential from its holder's door on, as configured.
    bool has_doors(Policy const& policy) const; ///< They do already.
    void record_doors(Policy const& policy);

    /// Records that a daemon has looked, where nothing was to be published, and an instant that has certainly come.
    void beat(sys_seconds now, sys_seconds certain);

    /// Reads what publish() is about to change, so that the write lock need not be held for it. Another connection's
    /// commit empties the cache.
    void warm_up(std::span<Publication const> publications) const;

    /// Stores the tokens, and settles each meeting that is as it was read. Of one that the platform edited meanwhile,
    /// it stores what is still right and leaves it due; and likewise one of which more than `deletes_max` rows were to
    /// go, together with those before it.
    PublishCounts
    publish(std::span<Publication const> publications, sys_seconds now, std::size_t deletes_max = 2000);

    /// Takes one step for requests, if there is one to take: begins those that were filed, or marks the next meetings.
    /// What it writes takes a short time however many requests there are.
    struct RequestStep {
        std::vector<RequestNews> finished; ///< Since the last call, by this or by publish().
        bool more = false;
    };
    RequestStep advance_requests(sys_seconds now);
    bool has_request_work() const; ///< So advance_requests() may write.

    /// Up to `limit` rows of `agenda` after `after`, by number, in short.
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
    std::vector<AgendaEntry> scan(MeetingNo after, std::size_t limit) const;

    /// Meetings whose agenda row is missing or wrong, as it is when a trigger was; of up to `limit` meetings and
    /// participants after `cursor`. `next` is the cursor for the rest, none at the end.
    struct MissingRows {
        std::vector<std::string> meeting_ids;
        std::optional<std::string> next;
    };
    MissingRows find_missing(std::string const& cursor, std::size_t limit) const;
    /// Adds or mends these rows, and makes them due.
    void add_missing(std::span<std::string const> meeting_ids);

    /// What is over since before an instant though its meeting lives on. The last session and event of a meeting stay.
    struct Outdated {
        enum class Table : std::uint8_t { token_past, session, session_attempt, history, none };
        struct Place {
            Table table = Table::token_past;
            std::int64_t after = 0;
        };
        struct Row {
            std::int64_t number;
            std::string participant_id{}; ///< Of token_past,
            std::int64_t seq = 0;         ///< and so is this.
        };
        Table table = Table::none;
        std::vector<Row> rows;
        Place next; ///< Where to go on; `none` at the end.
    };
    /// Looks at some rows from `place` on: enough that about `limit` are found, or that many have been seen.
    Outdated find_outdated(Outdated::Place place, sys_seconds before, std::size_t limit) const;
    void remove(Outdated const& outdated);

    /// Deletes rows of `agenda` that cannot be read; find_missing() finds their meetings then.
    void forget_unreadable(std::span<MeetingNo const> meetings);

    std::optional<MeetingSnapshot> read_one(std::string_view meeting_id) const;
    void mark(std::span<MeetingNo const> meetings);

    /// Every meeting's evidence for the promises, as a reader whose clock shows `now` would see it.
    void
    check(Projects const& projects, SignatureCheck const& verify, sys_seconds now, std::vector<Violation>& found) const;

    /// The highest `seq` that was given.
    std::int64_t last_seq() const;

    /// Changes whenever another connection commits, and when the schema changes.
    std::int64_t data_version() const;
    std::int64_t schema_version() const;

    /// `watcher` is told when any of these calls takes the write lock, and when it has released it.
    void watch_lock(std::function<void(bool is_held)> watcher);

    /// How many pages the WAL had after the last transaction of this store.
    int wal_pages() const;

    /// Moves the WAL into the database: what nobody else reads (passive); all of it, so that the next commit starts the
    /// WAL anew (restart), or the file is emptied (truncate). Whether it was done. It waits for nobody, since it would
    /// keep everybody from writing meanwhile; what others are in the way of is to be tried again.
    using Checkpoint = CheckpointMode;
    bool checkpoint(Checkpoint mode);

private:
    struct Impl;
    explicit Store(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace usher
