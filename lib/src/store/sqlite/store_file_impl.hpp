// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <sqlite3.h>

#include <usher/core/settlement.hpp>
#include <usher/store/sqlite/store_file.hpp>

#include "columns.hpp"
#include "companions.hpp"
#include "connection.hpp"
#include "contract.hpp"
#include "request_book.hpp"
#include "statements.hpp"

namespace usher {

/// A connection, and what is done on it. A file for each theme, named above its functions.
struct StoreFile::Impl : Statements {
    Impl(std::string file, Access access)
        : Statements{open_for_tables(file, access, busy_timeout)}, path{std::move(file)}
    {
        // Only checkpoint() moves what is in the WAL: the file may have been replaced when this is closed.
        sqlite3_db_config(database->getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
        sqlite3_wal_hook(
            database->getHandle(),
            [](void* pages, sqlite3*, char const*, int count) {
                *static_cast<int*>(pages) = count;
                return SQLITE_OK;
            },
            &wal_pages
        );
        sqlite3_limit(database->getHandle(), SQLITE_LIMIT_LENGTH, value_bytes_max);
    }
    Impl(Impl const&) = delete;
    Impl& operator=(Impl const&) = delete;
    ~Impl() { sqlite3_wal_hook(database->getHandle(), nullptr, nullptr); }

    std::string path;
    ContractKeeper keeper;
    RequestBook requests{*this};
    std::int64_t epoch = 0;
    std::uint64_t own_writes = 0; // transactions that changed what a snapshot holds, but publish()
    int wal_pages = 0;            // after the last commit of ours
    std::optional<Seal> seal;     // without: sessions are not looked at closely
    std::optional<KeyFile> key_file;
    std::optional<MarkFile> mark_file;
    std::string who; // took over
    sys_seconds since{};
    std::string database_id;
    std::int64_t highest_seq = 0; // that was committed
    std::int64_t restores = 0;    // that followers know of, at most
    std::int64_t marked_restores = 0;
    bool restored = false;              // older rows came back since anybody asked
    std::int64_t last_seq = 0;          // in the transaction at hand
    std::optional<std::string> damaged; // once one was met
    std::int64_t deletes_left = 0;      // likewise: how many rows may go
    std::function<void(LockStep)> lock_watcher;

    /// Runs `work` with no bound of ours on the size of a value: for what must pass over one that is too large.
    template <class Work>
    auto unbounded(Work&& work)
    {
        struct Bound {
            explicit Bound(SQLite::Database& of)
                : handle{of.getHandle()}, before{sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, -1)}
            {
                read_any_size(of);
            }
            Bound(Bound const&) = delete;
            Bound& operator=(Bound const&) = delete;
            ~Bound() { sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, before); }
            sqlite3* handle;
            int before; // another may be around this one
        };
        const Bound bound{*database};
        return work();
    }

    /// Runs `work`, and again without that bound if a value is too large.
    template <class Work>
    auto passing_over(Work&& work)
    {
        try {
            return work();
        } catch (SQLite::Exception const& error) {
            if (error.getErrorCode() != SQLITE_TOOBIG)
                throw;
        }
        return unbounded(work);
    }

    /// Runs `work`; false when a value that it met is too large.
    template <class Work>
    bool fits(Work&& work)
    {
        try {
            work();
        } catch (SQLite::Exception const& error) {
            if (error.getErrorCode() != SQLITE_TOOBIG)
                throw;
            return false;
        }
        return true;
    }

    template <class Work>
    auto guarded(Work&& work)
    {
        try {
            return work();
        } catch (SQLite::Exception const& error) {
            if ((error.getErrorCode() & 0xff) == SQLITE_CORRUPT)
                throw DatabaseDamaged{damage_text(error)};
            rethrow(error, path, database->getHandle());
        }
    }
    /// Names the tables that have damaged pages. Looks for them once, since that reads all of the database.
    std::string damage_text(SQLite::Exception const& error);

    /// Holds the write lock until the commit, and says so.
    class Writing {
    public:
        explicit Writing(Impl& impl) : impl_{impl}
        {
            impl_.tell_lock(LockStep::wanted);
            try {
                transaction_.emplace(*impl_.database, SQLite::TransactionBehavior::IMMEDIATE);
            } catch (SQLite::Exception const&) {
                impl_.tell_lock(LockStep::refused);
                throw;
            }
            impl_.tell_lock(LockStep::taken);
        }
        Writing(Writing const&) = delete;
        Writing& operator=(Writing const&) = delete;
        ~Writing()
        {
            if (!transaction_)
                return;
            transaction_.reset(); // rolled back
            impl_.tell_lock(LockStep::released);
        }
        void commit()
        {
            transaction_->commit();
            transaction_.reset();
            impl_.tell_lock(LockStep::released);
        }

    private:
        Impl& impl_;
        std::optional<SQLite::Transaction> transaction_;
    };

    /// Around what takes the write lock by itself, if at all.
    struct MaybeHeld {
        explicit MaybeHeld(Impl& of) : impl{of} { impl.tell_lock(LockStep::taken); }
        MaybeHeld(MaybeHeld const&) = delete;
        MaybeHeld& operator=(MaybeHeld const&) = delete;
        ~MaybeHeld() { impl.tell_lock(LockStep::released); }
        Impl& impl;
    };

    void tell_lock(LockStep step) const
    {
        if (lock_watcher)
            lock_watcher(step);
    }

    /// One short IMMEDIATE transaction of the daemon that owns the epoch.
    template <class Work>
    auto write(Work&& work)
    {
        return guarded([&] {
            Writing transaction{*this};
            expect_own_epoch();
            last_seq = 0;
            requests.drop_counts();
            if constexpr (std::is_void_v<decltype(work())>) {
                work();
                keep_seq();
                transaction.commit();
                keep_mark();
            } else {
                auto result = work();
                keep_seq();
                transaction.commit();
                keep_mark();
                return result;
            }
        });
    }

    /// The part of a meeting's agenda row that a publication reads.
    struct AgendaHead {
        std::int64_t due_at = 0;
        SessionLinks sessions;
        std::optional<std::int64_t> last_history_no;
    };

    /// One seq for all that a publication changes of a meeting; drawn when the first of it is written.
    struct Numbering {
        Impl& impl;
        sys_seconds now;
        std::optional<std::int64_t> drawn{};

        std::int64_t operator()() { return drawn ? *drawn : *(drawn = impl.next_seq(now)); }
    };

    struct PastLeft {
        std::optional<SessionNo> last_session;
        std::optional<std::int64_t> last_history_no;
        bool is_all_gone = false;
    };

    // store_file.cpp
    /// In a transaction. Refuses to write beside a newer daemon. Errors: Fenced.
    void expect_own_epoch();
    std::string owner();
    /// Grows with every change of what is published, also across a restored backup. Kept by keep_seq().
    std::int64_t next_seq(sys_seconds now);
    /// The rows are older than what followers have seen: they are told, and every meeting gets a new seq.
    void note_restore();
    /// After the commit: a reader has seen this seq.
    void keep_mark();
    void write_mark();
    void keep_seq();
    /// In a transaction. Gives the database its id, and finds out whether older rows came back while no daemon ran.
    void know_database();
    void read_database_id();
    /// Removes rows that usher never wrote and that would stop everybody: rows with a number after which there is none,
    /// and a row of `daemon` that cannot be read. Returns whether that row was missing or unreadable.
    bool discard_foreign_rows();
    /// Records that somebody is at work, in the transaction at hand.
    void look(sys_seconds now);

    // reading.cpp
    std::string problem_key(std::int64_t id);
    /// `statement`: its columns; the row's id and the name come last.
    ParticipantRow participant_at(SQLite::Statement& statement);
    std::vector<ParticipantRow> read_participants(std::string const& meeting_id);
    /// For a meeting with a value that is too large to be read: all the other participants are served.
    std::vector<ParticipantRow> read_participants_one_by_one(std::string const& meeting_id);
    /// Which rows there are beside a meeting's participants.
    struct Beside {
        bool problems = true;
        bool blocks = true;
    };
    /// Participants, their tokens and their problems come in the same order, by id, and are merged: that takes a seek
    /// for each of these, however many they are.
    void add_participants(MeetingSnapshot& meeting, Beside beside);
    /// All participants are there.
    void add_problems(MeetingSnapshot& meeting);
    /// Likewise; tokens of others are added behind them.
    void add_tokens(MeetingSnapshot& meeting, SessionNo session);
    std::optional<MeetingRow> read_meeting_row(std::string const& meeting_id);
    /// Nothing when there is no such row.
    std::optional<MeetingSnapshot> read_meeting(std::int64_t meeting_no, bool participants = true);
    /// Whether somebody who was removed before the meeting opened, and is not back, has a token, withdrawn or not, that
    /// opens the published session when the meeting starts.
    bool somebody_removed_can_enter(MeetingSnapshot const& meeting);

    // sessions.cpp
    /// A session of usher's making for this meeting; nothing for any other.
    std::optional<SessionRow> sealed_session(std::int64_t session_no, std::string const& meeting_id);
    /// A meeting's sessions from its last one back, at most `chain_max`. Their numbers go down; where they do not, the
    /// chain is not of usher's making, and ends.
    std::vector<SessionNo> sessions_since(std::optional<SessionNo> next);
    std::optional<SessionNo> session_before(SessionNo session);
    std::string meeting_id(MeetingNo meeting);
    void seal_session(std::string const& meeting_id, SessionRow const& session, std::int64_t created_at);
    SessionNo add_session(
        MeetingNo meeting, std::string const& meeting_id, std::optional<SessionNo> previous, SessionRow const& session,
        sys_seconds now, std::optional<sys_seconds> published = std::nullopt
    );
    /// Whether there is a session of this id, made by usher or adopted.
    bool has_session(std::string const& session_id);
    /// Whether usher wrote the session's row, for this meeting. Nobody is thrown out of any other.
    bool is_ours(SessionRow const& session, MeetingNo meeting);

    // publication.cpp
    bool participant_unchanged(MeetingSnapshot const& meeting, ParticipantRow const& participant);
    /// How far what was planned for a meeting still holds, in the transaction at hand.
    Standing standing(MeetingSnapshot const& meeting, std::int64_t due_at, bool others_wrote);
    /// Returns the number of the event, which `previous` was before.
    std::int64_t add_history(
        MeetingNo meeting, std::optional<std::int64_t> previous, std::string const& event, std::string const& detail,
        sys_seconds now
    );
    void history(MeetingNo meeting, std::string const& event, std::string const& detail, sys_seconds now);
    std::optional<AgendaHead> read_head(MeetingNo meeting);
    struct PublishedMeeting {
        PublishCounts counts;
        SessionNo session{};
    };
    PublishedMeeting publish_one(Publication const& publication, bool others_wrote, sys_seconds now);
    PublishCounts
    store_tokens(Publication const& publication, SessionNo session, bool intact, bool published, Numbering& numbering);
    void keep_settled(MeetingNo meeting, Settlement const& settlement, AgendaHead const& head, Numbering& seq);
    void keep_links(MeetingNo meeting, Settlement const& settlement, AgendaHead const& head, std::int64_t seq);

    // clearing.cpp
    /// Deletes up to so many tokens of a session. Those that were given out are kept as past.
    std::size_t delete_tokens(SessionNo session, WithdrawReason why, std::int64_t seq, sys_seconds now);
    /// One participant's token, likewise.
    std::size_t delete_token(
        SessionNo session, std::string const& participant_id, WithdrawReason why, std::int64_t seq, sys_seconds now
    );
    /// Deletes tokens of the meeting's sessions, up to a bound, and returns how many. `all`: why also those still in
    /// use are to go.
    std::size_t delete_session_tokens(
        SessionLinks const& links, std::optional<WithdrawReason> all, std::int64_t seq, sys_seconds now
    );
    void delete_unreadable(MeetingNo meeting, SessionLinks const& links);
    void keep_problems(MeetingSnapshot const& meeting, Plan const& plan, sys_seconds now);
    /// `session`: the one that the plan's withdrawals are from.
    Cleared clear(
        Publication const& publication, Clearance const& clearance, SessionLinks const& links,
        std::optional<SessionNo> session, Numbering& seq, sys_seconds now
    );
    PastLeft purge(MeetingNo meeting, AgendaHead const& head);
    bool forget_removals(std::string const& meeting_id);

    // calls.cpp
    /// Whether `session` is still one that the meeting would be given.
    bool inputs_unchanged(MeetingNo meeting, SessionRow const& session);
    std::optional<SessionNo> end_call(EndedCall const& call, sys_seconds now);
    CallFacts call_facts(EndedCall const& call);
    void end_disconnect(EndedDisconnect const& ended, sys_seconds now);
    void record_project(ProjectStatus const& project, sys_seconds now);

    // sweep.cpp
    /// Runs `sql` for each meeting, in short transactions.
    void mark(char const* sql, std::span<MeetingNo const> meetings);
};

} // namespace usher
