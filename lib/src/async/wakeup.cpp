// SPDX-License-Identifier: Apache-2.0
#include <usher/async/wakeup.hpp>

#include <utility>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace usher {

void Wakeup::notify()
{
    noticed_ = true;
    timer_.cancel();
}

boost::asio::awaitable<bool> Wakeup::wait(std::chrono::steady_clock::duration limit)
{
    if (!noticed_) {
        timer_.expires_after(limit);
        boost::system::error_code ignored; // a cancelled timer is the notice
        co_await timer_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
    }
    co_return std::exchange(noticed_, false);
}

} // namespace usher
