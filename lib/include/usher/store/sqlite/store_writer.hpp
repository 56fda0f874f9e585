// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <usher/async/clock.hpp>
#include <usher/async/wakeup.hpp>
#include <usher/store/sqlite/lock_gap.hpp>
#include <usher/store/sqlite/slice_size.hpp>
#include <usher/store/sqlite/store_file.hpp>

namespace usher {

/// Writes all that the daemon writes while it works, in turns. A turn holds the write lock for a few milliseconds;
/// while others write too, a gap follows in which they can; the WAL stays small. On one executor; no turn waits while
/// it holds the lock. Errors: those of StoreFile.
class StoreWriter {
public:
    using Duration = std::chrono::steady_clock::duration;
    using Instant = std::chrono::steady_clock::time_point;

    /// `background` is where the WAL is moved meanwhile; it may be the same.
    StoreWriter(
        StoreFile& store, Clock& clock, boost::asio::any_io_executor executor, boost::asio::any_io_executor background
    );
    StoreWriter(StoreWriter const&) = delete;
    StoreWriter& operator=(StoreWriter const&) = delete;
    ~StoreWriter();

    /// Stores tokens and settles meetings, in the order given. Ends early after request_stop(). What publications refer
    /// to must live until it returns.
    boost::asio::awaitable<Published> publish(std::vector<Publication> publications);
    /// The number of tokens, near `tokens`, that fills all its slices: no slice is nearly empty.
    std::size_t fill(std::size_t tokens) const { return slice_size_.fill(tokens); }

    /// A few steps for requests, as StoreFile::advance_requests().
    boost::asio::awaitable<RequestStep> advance_requests();

    /// Goes before the rest of publish(), since it takes the lock seldom and holds it for a moment.
    boost::asio::awaitable<CallRecord> record_calls(CallNews news);

    /// Like those of Store, each in its turn. None takes the lock where there is nothing to write.
    boost::asio::awaitable<Inspection> inspect();
    boost::asio::awaitable<void> record_doors(Policy policy);
    boost::asio::awaitable<void> beat(sys_seconds certain);
    boost::asio::awaitable<bool> renumber(std::size_t limit);
    boost::asio::awaitable<void> add_missing(std::vector<std::string> meeting_ids);
    boost::asio::awaitable<void> remove(Outdated outdated);
    boost::asio::awaitable<void> forget_unreadable(std::vector<MeetingNo> meetings);

    enum class TurnOrder : std::uint8_t { in_order, before_slices };
    /// For what takes the lock by itself, right after.
    boost::asio::awaitable<void> take_turn(TurnOrder turn = TurnOrder::in_order);

    /// As Store::concern().
    std::string concern() const;

    void request_stop() { stopping_ = true; }

    /// As Store::watch_writes().
    void watch_writes(std::function<void(Duration waited, std::optional<Duration> held)> wrote)
    {
        wrote_ = std::move(wrote);
    }
    std::vector<HealthRow> health() const;

    /// Returns when nothing is under way in the background.
    boost::asio::awaitable<void> come_to_rest();

private:
    /// What is published in one transaction.
    struct Slice {
        std::vector<Publication> parts{};
        std::size_t weight = 0;      ///< Of what is written.
        std::size_t deletes = 0;     ///< Their weight, at most.
        std::size_t deletes_max = 0; ///< What is more is left to the next pass.
        SliceSize* size = nullptr;   ///< What is told how long it took.
    };

    struct WrittenSlice {
        Published published;
        SessionNo last_session{}; ///< Of the last part, whose next slice may follow; 0 where none is used.
    };

    boost::asio::awaitable<WrittenSlice> publish_slice(Slice slice);
    boost::asio::awaitable<WrittenSlice> publish_each(Slice slice, std::string refusal);
    Duration gap_left();
    void hear_of_lock(LockStep step);
    boost::asio::awaitable<void> keep_log_small();
    void start_checkpoint();

    StoreFile& store_;
    Clock& clock_;
    boost::asio::any_io_executor executor_;
    boost::asio::any_io_executor background_;
    bool stopping_ = false;
    LockGap lock_gap_;
    std::optional<Instant> lock_wanted_; ///< Since when, while it is waited for.
    Duration lock_waited_{};             ///< The last time.
    std::function<void(Duration waited, std::optional<Duration> held)> wrote_;
    SliceSize slice_size_;
    SliceSize replacing_size_;              ///< Likewise, where tokens take the place of others.
    std::size_t waiting_first_ = 0;         ///< Those that go first, and wait for a gap.
    std::optional<StoreFile> checkpointer_; ///< Used in the background while `checkpointing_`.
    bool checkpointing_ = false;
    std::exception_ptr checkpoint_error_;
    Wakeup checkpointed_;
    /// Somebody reads in the WAL, so that it cannot start anew.
    struct LogHeld {
        Instant since;
        int pages_max; ///< It is tried again when the WAL has so many.
    };
    std::optional<LogHeld> log_held_;
    int log_pages_moved_ = 0; ///< Pages of the WAL that are in the database already, or about to be.
};

} // namespace usher
