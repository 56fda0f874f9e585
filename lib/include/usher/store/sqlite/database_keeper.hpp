// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <usher/store/sqlite/change_watch.hpp>
#include <usher/store/sqlite/database_files.hpp>
#include <usher/store/sqlite/file_guard.hpp>
#include <usher/store/sqlite/instance_lock.hpp>

namespace usher {

/// What the daemon does for its database as a file: keeps a second daemon off it, opens it, notices commits of others,
/// and that somebody takes it or its -wal away.
class DatabaseKeeper final : public FileGuard {
public:
    /// Takes the lock. `named` is the path as the configuration has it; `who` names this daemon to the next one that
    /// wants it. Errors: AlreadyAtWork, DatabaseError.
    DatabaseKeeper(std::string named, std::string const& who);
    ~DatabaseKeeper() override;

    std::string const& path() const override { return path_; }

    /// A -wal that another file of this name has left is not played into this one: it is set aside.
    StoreFile open() override;
    std::string const& log_set_aside() const override { return set_aside_; }
    void attend(StoreFile& store) override;

    std::string notice(boost::asio::any_io_executor executor, std::function<void()> noticed) override;
    void stop_notices() override { notices_.reset(); }
    bool is_file_noticed() const override { return file_noticed_; }

    void check(Instant now) override;
    void check_log() override;
    void check_contents() override;

    void note_commits() override;
    void expect_change() override { file_note_.clear(); }

private:
    void wait_for_notice();
    bool has_changed() const;
    [[noreturn]] void lose(std::string const& why);
    void expect_not_lost() const;
    void expect_nobody_separated() const;

    std::string named_;
    std::string path_;
    InstanceLock lock_;
    std::string set_aside_;
    std::optional<DatabaseFiles> files_; // closed after all connections
    StoreFile* store_ = nullptr;
    std::optional<ChangeWatch> watch_;
    std::optional<boost::asio::posix::stream_descriptor> notices_;
    std::function<void()> noticed_;
    std::optional<std::string> lost_; // why
    std::int64_t seen_version_ = 0;
    bool file_noticed_ = false; // the database was written to
    std::string file_note_;     // of it as it is while its -wal is empty
    Instant files_compared_at_{};
};

} // namespace usher
