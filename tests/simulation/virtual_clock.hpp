// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include <usher/async/clock.hpp>

namespace usher::simulation {

using Duration = std::chrono::steady_clock::duration;
using Instant = std::chrono::steady_clock::time_point;

/// Time that passes only when the simulation says so. Whoever waits is woken by fire(); what computes or uses the disk
/// takes time by charge(). The wall clock is the steady one and an offset, which a step or a drift changes.
class VirtualClock final : public Clock {
public:
    explicit VirtualClock(sys_seconds start);

    sys_seconds now() const override;
    Instant steady_now() const override { return steady_; }
    boost::asio::awaitable<void> wait(Duration duration) override;
    std::unique_ptr<Timer> timer(boost::asio::any_io_executor executor) override;

    /// The true time, whatever the wall clock shows.
    std::chrono::sys_time<Duration> true_time() const { return start_ + (steady_ - Instant{}); }
    sys_seconds true_now() const { return std::chrono::floor<seconds>(true_time()); }
    std::chrono::sys_time<Duration> wall_time() const { return true_time() + offset_; }
    Duration offset() const { return offset_; }

    void charge(Duration duration);
    void jump(Instant to);
    /// The machine is suspended: time goes on, and the steady clock does not know.
    void suspend(Duration duration) { start_ += duration; }
    /// The wall clock shows `offset` more than the true time.
    void set_offset(Duration offset) { offset_ = offset; }
    /// From now on the wall clock gains `parts` in a million.
    void set_drift(std::int64_t parts) { drift_ = parts; }

    /// The first instant at which somebody is to be woken.
    std::optional<Instant> next() const;
    /// Wakes the first of those whose time has come; whether there was one.
    bool fire();

private:
    class Waiting;
    using Place = std::pair<Instant, std::uint64_t>;

    std::chrono::sys_time<Duration> start_;
    Instant steady_{};
    Duration offset_{};
    std::int64_t drift_ = 0;
    std::uint64_t serial_ = 0;
    std::map<Place, Waiting*> waiting_;
};

} // namespace usher::simulation
