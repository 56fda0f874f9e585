// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

#include <boost/asio/awaitable.hpp>

#include <usher/core/time.hpp>

namespace usher {

/// The wall clock for decisions and the steady clock for waiting; a door to the world, so that tests bring their own.
class Clock {
public:
    virtual ~Clock() = default;

    virtual sys_seconds now() const = 0;
    virtual std::chrono::steady_clock::time_point steady_now() const = 0;
    virtual boost::asio::awaitable<void> wait(std::chrono::steady_clock::duration duration) = 0;
};

class SystemClock final : public Clock {
public:
    sys_seconds now() const override;
    std::chrono::steady_clock::time_point steady_now() const override;
    boost::asio::awaitable<void> wait(std::chrono::steady_clock::duration duration) override;
};

} // namespace usher
