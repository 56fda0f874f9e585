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
#include <usher/core/settlement.hpp>
#include <usher/store/contract.hpp>
#include <usher/store/health.hpp>
#include <usher/store/records.hpp>
#include <usher/store/store_reader.hpp>

namespace usher {

/// How much of the WAL is moved into the database; see StoreFile::checkpoint().
enum class CheckpointMode : std::uint8_t { passive, restart, truncate };

/// What becomes of the write lock.
enum class LockStep : std::uint8_t {
    wanted,
    taken,
    refused, ///< Others held it for too long.
    released,
};

/// All that usher keeps in one SQLite file, by one connection. Each call is one short transaction, or one read. One
/// thread at a time; readers have a connection each, opened read-only. Writers other than the owner of the epoch get
/// Fenced; a lock held by others for too long gives DatabaseBusy; all else that goes wrong with the file is a
/// DatabaseError.
class StoreFile final : public StoreReader {
public:
    /// Opens an existing database for writing, migrating its schema. Errors: DatabaseError.
    static StoreFile open(std::string const& path);
    /// Opens for reading only; nothing is created or migrated.
    static StoreFile open_read_only(std::string const& path);

    /// Another one on the same database, for reading by another thread.
    std::unique_ptr<StoreFile> reader() const;
    std::string const& path() const;

    StoreFile(StoreFile&&) noexcept;
    StoreFile& operator=(StoreFile&&) noexcept;
    ~StoreFile() override;

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
    DueMeetings due(sys_seconds now, std::size_t limit, std::set<MeetingNo> const& in_hand) const;

    /// The meetings as they are, in this order; ends early once they have more than `participants_max` participants.
    std::vector<MeetingSnapshot> read(std::span<MeetingNo const> meetings, std::size_t participants_max) const override;

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

    /// Whether publish() looks at each of many tokens again, since somebody may have edited the meeting: the write lock
    /// is held for longer then.
    bool doubts(Publication const& publication) const;

    /// Reads what publish() is about to change, so that the write lock need not be held for it. Another connection's
    /// commit empties the cache.
    void warm_up(std::span<Publication const> publications) const;

    /// Stores the tokens, and settles each meeting that is as it was read. Of one that the platform edited meanwhile,
    /// it stores what is still right and leaves it due; and likewise one of which more than `deletes_max` rows were to
    /// go, together with those before it.
    struct PublishedSlice {
        std::vector<PublishCounts> counts; ///< By publication.
        std::vector<SessionNo> sessions;   ///< By publication: the number of its session; 0 where none is used.
        std::size_t deleted = 0;           ///< Rows: tokens that went, and what is over for good.
    };
    PublishedSlice publish(std::span<Publication const> publications, sys_seconds now, std::size_t deletes_max = 2000);

    /// Takes one step for requests, if there is one to take: begins those that were filed, or marks the next meetings.
    /// What it writes takes a short time however many requests there are.
    RequestStep advance_requests(sys_seconds now);
    bool has_request_work() const; ///< So advance_requests() may write.

    /// Up to `limit` rows of `agenda` after `after`, by number, in short.
    std::vector<AgendaEntry> scan(MeetingNo after, std::size_t limit) const override;

    /// Meetings whose agenda row is missing or wrong, as it is when a trigger was; of up to `limit` meetings and
    /// participants after `cursor`. `next` is the cursor for the rest, none at the end.
    MissingRows find_missing(std::string const& cursor, std::size_t limit) const override;
    /// Adds or mends these rows, and makes them due.
    void add_missing(std::span<std::string const> meeting_ids);

    /// Looks at some rows from `place` on: enough that about `limit` are found, or that many have been seen.
    Outdated find_outdated(Outdated::Cursor place, sys_seconds before, std::size_t limit) const override;
    void remove(Outdated const& outdated);

    /// Deletes rows of `agenda` that cannot be read; find_missing() finds their meetings then.
    void forget_unreadable(std::span<MeetingNo const> meetings);

    std::optional<MeetingSnapshot> read_one(std::string_view meeting_id) const;
    void mark(std::span<MeetingNo const> meetings);

    /// The highest `seq` that was given.
    std::int64_t last_seq() const;

    /// Changes whenever another connection commits, and when the schema changes.
    std::int64_t data_version() const;
    std::int64_t schema_version() const;

    /// `watcher` is told when any of these calls takes the write lock, and when it has released it; mostly also when it
    /// begins to wait for it.
    void watch_lock(std::function<void(LockStep)> watcher);

    /// How many pages the WAL had after the last transaction of this store.
    int wal_pages() const;

    /// Moves the WAL into the database: what nobody else reads (passive); all of it, so that the next commit starts the
    /// WAL anew (restart), or the file is emptied (truncate). Whether it was done. It waits for nobody, since it would
    /// keep everybody from writing meanwhile; what others are in the way of is to be tried again.
    using Checkpoint = CheckpointMode;
    bool checkpoint(Checkpoint mode);

    std::vector<HealthRow> health() const;

    struct Impl; ///< For the files that it is made of.

private:
    explicit StoreFile(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace usher
