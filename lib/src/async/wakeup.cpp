// SPDX-License-Identifier: Apache-2.0
#include <usher/async/wakeup.hpp>

#include <utility>

namespace usher {

void Wakeup::notify()
{
    noticed_ = true;
    timer_->cancel();
}

boost::asio::awaitable<bool> Wakeup::wait(std::chrono::steady_clock::duration limit)
{
    if (!noticed_)
        co_await timer_->wait(limit);
    co_return std::exchange(noticed_, false);
}

} // namespace usher
