// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <optional>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <usher/async/task_group.hpp>
#include <usher/async/wakeup.hpp>

namespace usher {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;

asio::awaitable<void> wait(Wakeup& wakeup, std::chrono::steady_clock::duration limit, std::optional<bool>& noticed)
{
    noticed = co_await wakeup.wait(limit);
}

class Wakeups : public testing::Test {
protected:
    asio::io_context context;
    SystemClock clock;
    Wakeup wakeup{clock, context.get_executor()};
    std::optional<bool> noticed;
    TaskGroup tasks{context.get_executor(), [](std::string const& task, std::exception_ptr const& /*error*/) {
                        ADD_FAILURE() << task;
                    }};
};

TEST_F(Wakeups, ANoticeEndsTheWait)
{
    tasks.spawn("wait", wait(wakeup, 1h, noticed));
    context.poll();
    EXPECT_EQ(noticed, std::nullopt);
    wakeup.notify();
    context.poll();
    EXPECT_EQ(noticed, true);
}

TEST_F(Wakeups, ANoticeBeforeTheWaitIsKeptOnce)
{
    wakeup.notify();
    wakeup.notify();
    tasks.spawn("wait", wait(wakeup, 1h, noticed));
    context.poll();
    EXPECT_EQ(noticed, true);
    noticed.reset();
    tasks.spawn("wait", wait(wakeup, 0s, noticed));
    context.restart();
    context.run();
    EXPECT_EQ(noticed, false);
}

TEST_F(Wakeups, TheEndOfTheTimeIsNoNotice)
{
    tasks.spawn("wait", wait(wakeup, 1ms, noticed));
    context.run();
    EXPECT_EQ(noticed, false);
}

} // namespace
} // namespace usher
