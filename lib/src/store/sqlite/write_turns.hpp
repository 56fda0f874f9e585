// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <thread>

#include <sqlite3.h>

#include <usher/store/sqlite/lock_gap.hpp>

#include "connection.hpp"

namespace usher {

/// The write lock of a connection beside the daemon's, a few milliseconds at a time. Whoever waits for the lock only
/// looks for it now and then, so it is left alone for a while even when nobody is known to write. Errors:
/// SQLite::Exception.
class WriteTurns {
public:
    using SteadyClock = std::chrono::steady_clock;
    static constexpr std::chrono::milliseconds turn_max{4}; ///< Of the lock, of 10 with the COMMIT and what is late.

    explicit WriteTurns(SQLite::Database& database)
        : database_{database}, version_{database, "PRAGMA main.data_version"}, gap_{data_version()}
    {}

    void begin()
    {
        transaction_.emplace(database_, SQLite::TransactionBehavior::IMMEDIATE);
        locked_ = SteadyClock::now();
    }
    bool is_over() const { return SteadyClock::now() - locked_ >= turn_max; }
    void commit()
    {
        transaction_->commit();
        transaction_.reset();
    }
    /// Undoes what is not committed.
    void end() { transaction_.reset(); }

    /// After a turn that another one follows: waits until others have had theirs.
    void let_others()
    {
        constexpr std::chrono::milliseconds pause_min{2};
        const auto now = SteadyClock::now();
        held_ = now - locked_;
        gap_.lock(true, locked_);
        gap_.lock(false, now);
        gap_.look(data_version(), now);
        std::this_thread::sleep_for(std::max<SteadyClock::duration>({gap_.left(now), held_ / 4, pause_min}));
    }
    SteadyClock::duration last_held() const { return held_; }

private:
    /// This connection's own commits do not move it.
    std::int64_t data_version()
    {
        version_.reset();
        version_.executeStep();
        const std::int64_t value = version_.getColumn(0).getInt64();
        version_.reset();
        return value;
    }

    SQLite::Database& database_;
    SQLite::Statement version_;
    LockGap gap_;
    std::optional<SQLite::Transaction> transaction_;
    SteadyClock::time_point locked_{};
    SteadyClock::duration held_{};
};

/// Sees that what was committed without waiting for the disk survives a crash of the machine, once for all commits:
/// each would otherwise keep the lock while it waits. Whether it could.
inline bool sync_log(SQLite::Database& database)
{
    sqlite3_file* log = nullptr; // what a checkpoint has moved to the database was made durable before
    if (sqlite3_file_control(database.getHandle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) != SQLITE_OK ||
        log == nullptr || log->pMethods == nullptr)
        return true;
    return log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) == SQLITE_OK;
}

} // namespace usher
