// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <usher/core/time.hpp>

namespace usher {

/// A wait that others on the same executor can cut short; one at a time.
class Timer {
public:
    virtual ~Timer() = default;

    /// Returns after `duration`, or at cancel().
    virtual boost::asio::awaitable<void> wait(std::chrono::steady_clock::duration duration) = 0;
    /// Ends the wait that is under way, if there is one.
    virtual void cancel() = 0;
};

/// The wall clock for decisions and the steady clock for waiting; a door to the world, so that tests bring their own.
class Clock {
public:
    virtual ~Clock() = default;

    virtual sys_seconds now() const = 0;
    virtual std::chrono::steady_clock::time_point steady_now() const = 0;
    virtual boost::asio::awaitable<void> wait(std::chrono::steady_clock::duration duration) = 0;
    virtual std::unique_ptr<Timer> timer(boost::asio::any_io_executor executor) = 0;
};

class SystemClock final : public Clock {
public:
    sys_seconds now() const override;
    std::chrono::steady_clock::time_point steady_now() const override;
    boost::asio::awaitable<void> wait(std::chrono::steady_clock::duration duration) override;
    std::unique_ptr<Timer> timer(boost::asio::any_io_executor executor) override;
};

} // namespace usher
