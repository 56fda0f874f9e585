// SPDX-License-Identifier: Apache-2.0
#include <usher/async/clock.hpp>

#include <chrono>
#include <exception>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <usher/async/task_group.hpp>

namespace usher {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;

class RealClock : public testing::Test {
protected:
    asio::awaitable<void> wait(std::chrono::steady_clock::duration duration)
    {
        co_await clock.wait(duration);
        waited = true;
    }

    asio::io_context context;
    SystemClock clock;
    bool waited = false;
    TaskGroup tasks{context.get_executor(), [](std::string const& task, std::exception_ptr const& /*error*/) {
                        ADD_FAILURE() << task;
                    }};
};

TEST_F(RealClock, TellsWholeSecondsThatHaveBegun)
{
    const auto before = std::chrono::system_clock::now();
    const sys_seconds now = clock.now();
    const auto after = std::chrono::system_clock::now();

    EXPECT_LE(now, after);
    EXPECT_GT(now + 1s, before);
}

TEST_F(RealClock, NeverGoesBackWhereItIsSteady)
{
    const auto first = clock.steady_now();
    const auto second = clock.steady_now();
    const auto last = std::chrono::steady_clock::now(); // whose instants these are

    EXPECT_LE(first, second);
    EXPECT_LE(second, last);
}

TEST_F(RealClock, WaitsNoLessThanItIsAskedTo)
{
    const auto start = clock.steady_now();
    tasks.spawn("wait", wait(20ms));
    context.poll();
    EXPECT_FALSE(waited);

    context.restart();
    context.run();

    EXPECT_TRUE(waited);
    EXPECT_GE(clock.steady_now() - start, 20ms);
}

TEST_F(RealClock, DoesNotWaitForWhatIsOver)
{
    for (const std::chrono::steady_clock::duration over : {0s, -3600s}) {
        waited = false;
        tasks.spawn("wait", wait(over));

        context.restart();
        context.run();

        EXPECT_TRUE(waited);
    }
}

TEST_F(RealClock, StopsWaitingWhenTheTaskIsCancelled)
{
    tasks.spawn("wait", wait(1h));
    context.poll();

    tasks.request_stop();
    context.restart();
    context.run(); // ends

    EXPECT_FALSE(waited);
    EXPECT_EQ(tasks.running(), 0U);
}

} // namespace
} // namespace usher
