// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <usher/async/clock.hpp>

namespace usher {

/// Wakes one waiting coroutine from others on the same executor. A notice given while nobody waits is kept.
class Wakeup {
public:
    Wakeup(Clock& clock, boost::asio::any_io_executor executor) : timer_{clock.timer(std::move(executor))} {}

    void notify();

    /// Returns at a notice or after `limit`, whichever comes first; whether there was a notice.
    boost::asio::awaitable<bool> wait(std::chrono::steady_clock::duration limit);

private:
    std::unique_ptr<Timer> timer_;
    bool noticed_ = false;
};

} // namespace usher
