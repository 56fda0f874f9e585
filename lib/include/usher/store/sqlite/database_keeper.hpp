// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <usher/store/sqlite/change_watch.hpp>
#include <usher/store/sqlite/database_files.hpp>
#include <usher/store/sqlite/instance_lock.hpp>
#include <usher/store/store.hpp>

namespace usher {

/// The database is not the one any more that the daemon has open, or its -wal is lost; the message says what is kept.
/// What fails beside it follows from it.
class DatabaseLost : public DatabaseError {
public:
    using DatabaseError::DatabaseError;
};

/// What the daemon does for its database as a file: keeps a second daemon off it, opens it, notices commits of others,
/// and that somebody takes it or its -wal away, and moves its -wal into it when there is nothing else to do. Instants
/// are of the steady clock.
class DatabaseKeeper {
public:
    using Instant = std::chrono::steady_clock::time_point;
    using Duration = std::chrono::steady_clock::duration;

    /// Takes the lock. `named` is the path as the configuration has it; `who` names this daemon to the next one that
    /// wants it. Errors: AlreadyAtWork, DatabaseError.
    DatabaseKeeper(std::string named, std::string const& who);
    DatabaseKeeper(DatabaseKeeper const&) = delete;
    DatabaseKeeper& operator=(DatabaseKeeper const&) = delete;
    ~DatabaseKeeper();

    std::string const& path() const { return path_; } ///< The real one.

    /// Opens the store. A -wal that another file of this name has left is not played into this one: it is set aside.
    /// Errors: DatabaseBusy, after which it may be called again, and DatabaseError.
    Store open();
    /// Where that -wal is; empty when there was none.
    std::string const& log_set_aside() const { return set_aside_; }

    /// Looks after the files from now on. `store` is the one that was opened, and has been taken over.
    void attend(Store& store);
    /// Begins to take notice of commits; without it, and where notice_problem() says why there is none, changed()
    /// tells.
    void take_notices();
    std::string notice_problem() const { return watch_ ? watch_->problem() : std::string{}; }
    int notice_descriptor() const { return watch_->descriptor(); } ///< Readable when there is a notice.
    /// Takes the notices that are there; whether somebody may have committed.
    bool drain_notices();
    /// Whether a notice says that the database's own file was written to, and check() has not looked yet.
    bool is_file_noticed() const { return file_noticed_; }

    /// Whether anybody else may have committed since note_commits().
    bool changed() const;
    void note_commits();

    /// Errors: DatabaseLost, from now on at each call. As much is saved as can be without touching what others do; the
    /// next start works on what is there then.
    void check(Instant now);
    /// The part of it that tells why something else may have failed.
    void check_log();

    /// The store was written to.
    void worked(Instant now);
    /// Moves the -wal into the database, all of it once nothing has been written for a while. Errors: DatabaseLost.
    void tend(Instant now);
    /// How soon it wants to be called again.
    std::optional<Duration> tend_again() const;

    /// Empties -wal at the stop, so that it is not played into a backup that somebody puts in the database's place.
    /// Whoever still reads in it is waited for, `pause` at a time, with no lock held. Whether it is empty.
    bool finish(std::function<void(Duration)> const& pause);

private:
    void check_contents();
    [[noreturn]] void lose(std::string const& why);
    void expect_not_lost() const;
    void expect_nobody_separated() const;

    std::string named_;
    std::string path_;
    InstanceLock lock_;
    std::string set_aside_;
    std::optional<DatabaseFiles> files_; // closed after all connections
    Store* store_ = nullptr;
    std::optional<ChangeWatch> watch_;
    std::optional<std::string> lost_; // why
    std::int64_t seen_version_ = 0;
    bool file_noticed_ = false; // the database was written to
    std::string file_note_;     // of it as it is while its -wal is empty
    Instant files_compared_at_{};
    Instant worked_at_{};
};

} // namespace usher
