// SPDX-License-Identifier: Apache-2.0
#include <usher/async/clock.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace usher {

sys_seconds SystemClock::now() const
{
    return std::chrono::floor<seconds>(std::chrono::system_clock::now());
}

std::chrono::steady_clock::time_point SystemClock::steady_now() const
{
    return std::chrono::steady_clock::now();
}

boost::asio::awaitable<void> SystemClock::wait(std::chrono::steady_clock::duration duration)
{
    boost::asio::steady_timer timer{co_await boost::asio::this_coro::executor, duration};
    co_await timer.async_wait(boost::asio::use_awaitable);
}

} // namespace usher
