// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <usher/async/clock.hpp>
#include <usher/async/wakeup.hpp>
#include <usher/store/sqlite/file_guard.hpp>
#include <usher/store/sqlite/store_file.hpp>
#include <usher/store/sqlite/store_writer.hpp>
#include <usher/store/store.hpp>

namespace usher {

/// The store in one SQLite file: StoreFile reads and writes the rows, StoreWriter has others take their turns, and a
/// FileGuard watches the file. This class decides when the WAL is emptied, and
/// notices when others have committed.
class SqliteStore final : public Store {
public:
    /// `who` names this daemon to the next one. `background` is where the WAL is moved while the daemon works; it may
    /// be `executor`.
    SqliteStore(
        std::unique_ptr<FileGuard> guard, std::string who, Clock& clock, boost::asio::any_io_executor executor,
        boost::asio::any_io_executor background
    );
    ~SqliteStore() override;

    std::string open() override;
    Tenure take_over() override;

    std::optional<SlowNotices> notice_changes() override;
    boost::asio::awaitable<void> follow_changes(Duration every, std::function<void()> changed) override;
    void caught_up() override;
    void check() override { guard_->check(clock_.steady_now()); }
    void check_after_failure() override { guard_->check_log(); }

    std::int64_t schema_version() const override { return file_->schema_version(); }
    boost::asio::awaitable<Inspection> inspect() override;
    bool holds_older_rows() const override { return file_->holds_older_rows(); }
    bool take_restored() override { return file_->take_restored(); }
    boost::asio::awaitable<bool> renumber(std::size_t limit) override;

    std::unique_ptr<StoreReader> reader() const override { return file_->reader(); }
    DueMeetings due(sys_seconds now, std::size_t limit, std::set<MeetingNo> const& in_hand) const override
    {
        return file_->due(now, limit, in_hand);
    }
    std::optional<sys_seconds> next_due() const override { return file_->next_due(); }
    boost::asio::awaitable<Published> publish(std::vector<Publication> publications) override;
    std::size_t fill(std::size_t tokens) const override { return writer_->fill(tokens); }
    boost::asio::awaitable<RequestStep> advance_requests() override { return writer_->advance_requests(); }

    std::vector<MeetingSnapshot> read_orders(std::span<MeetingNo const> meetings) const override
    {
        return file_->read_orders(meetings);
    }
    bool has_session(std::string const& session_id) const override { return file_->has_session(session_id); }
    std::vector<Disconnect>
    read_disconnects(std::optional<std::string> const& project, std::size_t limit) const override
    {
        return file_->read_disconnects(project, limit);
    }
    boost::asio::awaitable<CallRecord> record_calls(CallNews news) override { return writer_->record_calls(news); }

    std::int64_t last_seq() const override { return file_->last_seq(); }
    boost::asio::awaitable<void> add_missing(std::vector<std::string> meeting_ids) override;
    boost::asio::awaitable<void> forget_unreadable(std::vector<MeetingNo> meetings) override;
    boost::asio::awaitable<void> remove(Outdated outdated) override;

    boost::asio::awaitable<void> record_doors(Policy policy) override;
    boost::asio::awaitable<void> beat(sys_seconds certain) override;
    boost::asio::awaitable<void> keep_house() override;
    std::optional<Duration> keep_house_in() const override;

    void request_stop() override;
    boost::asio::awaitable<void> come_to_rest() override { return writer_->come_to_rest(); }
    bool finish(std::function<void(Duration)> const& pause) override;

    void watch_writes(std::function<void(Duration waited, std::optional<Duration> held)> wrote) override;
    std::vector<HealthRow> health() const override;
    std::string concern() const override { return writer_->concern(); }

    /// The rows themselves, for tests of what only SQLite has.
    StoreFile& file() { return *file_; }

private:
    bool has_changed() const;
    boost::asio::awaitable<void> empty_log();

    std::function<void(Duration waited, std::optional<Duration> held)> wrote_;
    std::unique_ptr<FileGuard> guard_; // closes its files after all connections
    std::string who_;
    Clock& clock_;
    boost::asio::any_io_executor executor_;
    boost::asio::any_io_executor background_;
    std::optional<StoreFile> file_; // once it is open
    std::optional<StoreWriter> writer_;
    Wakeup looks_;
    std::string notice_problem_;
    std::int64_t seen_version_ = 0;
    std::chrono::steady_clock::time_point worked_at_{};
    bool stopping_ = false;
};

} // namespace usher
