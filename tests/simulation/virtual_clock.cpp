// SPDX-License-Identifier: Apache-2.0
#include "simulation/virtual_clock.hpp"

#include <algorithm>

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace usher::simulation {

namespace {

constexpr std::int64_t million = 1'000'000;

} // namespace

/// One wait: a timer of Asio's that never ends by itself, so that all that can cancel a wait can cancel this one.
class VirtualClock::Waiting final : public Timer {
public:
    Waiting(VirtualClock& clock, boost::asio::any_io_executor executor) : clock_{clock}, timer_{std::move(executor)} {}
    Waiting(Waiting const&) = delete;
    Waiting& operator=(Waiting const&) = delete;
    ~Waiting() override { leave(); }

    boost::asio::awaitable<void> wait(Duration duration) override { co_await wait_or_cancel(duration); }

    /// Whether the time is over; if not, it was cancelled.
    boost::asio::awaitable<bool> wait_or_cancel(Duration duration)
    {
        const Instant now = clock_.steady_now();
        const Duration rest = Instant::max() - now;
        place_ = Place{now + std::clamp(duration, Duration::zero(), rest), ++clock_.serial_};
        fired_ = false;
        clock_.waiting_.emplace(*place_, this);
        timer_.expires_at(boost::asio::steady_timer::time_point::max());
        boost::system::error_code ignored;
        co_await timer_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
        leave();
        co_return fired_;
    }

    void cancel() override { timer_.cancel(); }

    void fire()
    {
        fired_ = true;
        leave();
        timer_.cancel();
    }

private:
    void leave()
    {
        if (place_)
            clock_.waiting_.erase(*place_);
        place_.reset();
    }

    VirtualClock& clock_;
    boost::asio::steady_timer timer_;
    std::optional<Place> place_;
    bool fired_ = false;
};

VirtualClock::VirtualClock(sys_seconds start) : start_{start} {}

sys_seconds VirtualClock::now() const
{
    return std::chrono::floor<seconds>(wall_time());
}

boost::asio::awaitable<void> VirtualClock::wait(Duration duration)
{
    Waiting waiting{*this, co_await boost::asio::this_coro::executor};
    const bool over = co_await waiting.wait_or_cancel(duration);
    if (!over)
        throw boost::system::system_error{boost::asio::error::operation_aborted};
}

std::unique_ptr<Timer> VirtualClock::timer(boost::asio::any_io_executor executor)
{
    return std::make_unique<Waiting>(*this, std::move(executor));
}

void VirtualClock::charge(Duration duration)
{
    steady_ += duration;
    if (drift_ != 0)
        offset_ += duration / million * drift_;
}

void VirtualClock::jump(Instant to)
{
    if (to > steady_)
        charge(to - steady_);
}

std::optional<Instant> VirtualClock::next() const
{
    return waiting_.empty() ? std::nullopt : std::optional{waiting_.begin()->first.first};
}

bool VirtualClock::fire()
{
    if (waiting_.empty() || waiting_.begin()->first.first > steady_)
        return false;
    waiting_.begin()->second->fire();
    return true;
}

} // namespace usher::simulation
