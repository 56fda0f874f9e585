// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include <usher/async/clock.hpp>

namespace usher::test {

/// A clock that stands where it is put; the steady one moves when it is advanced. Waiting takes no time, but for that
/// of its timers, which are real.
class ManualClock final : public Clock {
public:
    explicit ManualClock(sys_seconds now) : now_{now} {}

    void set(sys_seconds now) { now_ = now; }
    void advance(seconds by)
    {
        now_ += by;
        steady_ += by;
    }

    sys_seconds now() const override { return now_; }
    std::chrono::steady_clock::time_point steady_now() const override { return steady_; }
    boost::asio::awaitable<void> wait(std::chrono::steady_clock::duration duration) override
    {
        if (on_wait)
            on_wait(duration);
        co_return;
    }
    std::unique_ptr<Timer> timer(boost::asio::any_io_executor executor) override
    {
        return SystemClock{}.timer(std::move(executor));
    }

    /// Asked at each wait.
    std::function<void(std::chrono::steady_clock::duration)> on_wait;

private:
    sys_seconds now_;
    std::chrono::steady_clock::time_point steady_{};
};

} // namespace usher::test
