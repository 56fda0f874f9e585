// SPDX-License-Identifier: Apache-2.0
#include <usher/async/clock.hpp>

#include <utility>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace usher {

namespace {

class SystemTimer final : public Timer {
public:
    explicit SystemTimer(boost::asio::any_io_executor executor) : timer_{std::move(executor)} {}

    boost::asio::awaitable<void> wait(std::chrono::steady_clock::duration duration) override
    {
        timer_.expires_after(duration);
        boost::system::error_code ignored; // a cancelled timer is a wait that was cut short
        co_await timer_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
    }
    void cancel() override { timer_.cancel(); }

private:
    boost::asio::steady_timer timer_;
};

} // namespace

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

std::unique_ptr<Timer> SystemClock::timer(boost::asio::any_io_executor executor)
{
    return std::make_unique<SystemTimer>(std::move(executor));
}

} // namespace usher
