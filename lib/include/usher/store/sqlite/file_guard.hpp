// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include <usher/store/sqlite/store_file.hpp>

namespace usher {

/// What the store asks of the system about its file. usherd has DatabaseKeeper; where there are no real files, another
/// one stands in. Instants are of the steady clock.
class FileGuard {
public:
    using Instant = std::chrono::steady_clock::time_point;

    FileGuard() = default;
    FileGuard(FileGuard const&) = delete;
    FileGuard& operator=(FileGuard const&) = delete;
    virtual ~FileGuard() = default;

    virtual std::string const& path() const = 0; ///< The real one.

    /// Errors: DatabaseBusy, after which it may be called again, and DatabaseError.
    virtual StoreFile open() = 0;
    /// Where the -wal is that another file of this name had left; empty when there was none.
    virtual std::string const& log_set_aside() const = 0;
    /// Looks after the files from now on. `store` is the one that was opened, and has been taken over.
    virtual void attend(StoreFile& store) = 0;

    /// From now on calls `noticed` on the executor when somebody may have committed. Why it does not, or nothing.
    virtual std::string notice(boost::asio::any_io_executor executor, std::function<void()> noticed) = 0;
    virtual void stop_notices() = 0;
    /// Whether the database's own file was written to, and check() has not looked yet.
    virtual bool is_file_noticed() const = 0;

    /// Errors: DatabaseLost, and from then on at each call. It saves what it can without touching what others do; the
    /// next start works on what is there then.
    virtual void check(Instant now) = 0;
    /// The part of it that tells why something else may have failed.
    virtual void check_log() = 0;

    /// To be called before the -wal is moved into the database. Errors: DatabaseLost, if it would go into another file.
    virtual void check_contents() = 0;

    /// The files are as they should be after all that is committed.
    virtual void note_commits() = 0;
    /// The database's own file may change from now on, until note_commits().
    virtual void expect_change() = 0;
};

} // namespace usher
