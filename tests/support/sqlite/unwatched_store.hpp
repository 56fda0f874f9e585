// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <usher/store/sqlite/sqlite_store.hpp>

namespace usher::test {

/// A database's file that nobody takes away, and whose lock no second daemon asks for.
class UnwatchedFile final : public FileGuard {
public:
    explicit UnwatchedFile(std::string path) : path_{std::move(path)} {}

    std::string const& path() const override { return path_; }
    StoreFile open() override { return StoreFile::open(path_); }
    std::string const& log_set_aside() const override { return set_aside_; }
    void attend(StoreFile&) override {}
    std::string notice(boost::asio::any_io_executor, std::function<void()> noticed) override
    {
        noticed_ = std::move(noticed);
        return {};
    }
    void stop_notices() override { noticed_ = nullptr; }
    bool is_file_noticed() const override { return false; }
    void check(Instant) override {}
    void check_log() override {}
    void check_contents() override {}
    void note_commits() override {}
    void expect_change() override {}

    /// As the kernel does when somebody has written to a file.
    void tell() const
    {
        if (noticed_)
            noticed_();
    }

private:
    std::string path_;
    std::string set_aside_;
    std::function<void()> noticed_;
};

/// The store of a daemon `who`, which has taken over nothing yet.
inline std::unique_ptr<Store>
unwatched_store(std::string path, std::string who, Clock& clock, boost::asio::any_io_executor executor)
{
    return std::make_unique<SqliteStore>(
        std::make_unique<UnwatchedFile>(std::move(path)), std::move(who), clock, executor, executor
    );
}

/// What is behind such a store, for single steps.
inline StoreFile& rows_of(Store& store)
{
    return dynamic_cast<SqliteStore&>(store).file();
}

} // namespace usher::test
