// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

namespace usher {

/// Wakes one waiting coroutine from others on the same executor. A notice given while nobody waits is kept.
class Wakeup {
public:
    explicit Wakeup(boost::asio::any_io_executor const& executor) : timer_{executor} {}

    void notify();

    /// Returns at a notice or after `limit`, whichever comes first; whether there was a notice.
    boost::asio::awaitable<bool> wait(std::chrono::steady_clock::duration limit);

private:
    boost::asio::steady_timer timer_;
    bool noticed_ = false;
};

} // namespace usher
