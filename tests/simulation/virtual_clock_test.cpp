// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <usher/async/task_group.hpp>
#include <usher/async/wakeup.hpp>

#include "simulation/virtual_clock.hpp"

namespace usher::simulation {
namespace {

using namespace std::chrono_literals;

constexpr sys_seconds start{1'800'000'000s};

boost::asio::awaitable<void> say_after(VirtualClock& clock, Duration duration, std::string& said, char word)
{
    co_await clock.wait(duration);
    said += word;
}

boost::asio::awaitable<void> wait_on(Wakeup& wakeup, std::optional<bool>& noticed)
{
    noticed = co_await wakeup.wait(1h);
}

class VirtualTime : public testing::Test {
protected:
    void run()
    {
        for (;;) {
            context.restart();
            context.poll();
            if (clock.fire())
                continue;
            const auto next = clock.next();
            if (!next)
                return;
            clock.jump(*next);
        }
    }

    VirtualClock clock{start};
    boost::asio::io_context context{1};
    TaskGroup tasks{context.get_executor(), [](std::string const& task, std::exception_ptr const& /*error*/) {
                        ADD_FAILURE() << task;
                    }};
};

TEST_F(VirtualTime, ThoseWhoWaitAreWokenInTheOrderOfTheirTimes)
{
    std::string said;
    tasks.spawn("c", say_after(clock, 40h, said, 'c'));
    tasks.spawn("a", say_after(clock, 1s, said, 'a'));
    tasks.spawn("b", say_after(clock, 1s, said, 'b'));

    run();

    EXPECT_EQ(said, "abc");
    EXPECT_EQ(clock.now(), start + 40h);
}

TEST_F(VirtualTime, NobodyIsWokenBeforeHisTime)
{
    std::string said;
    tasks.spawn("a", say_after(clock, 1s, said, 'a'));
    context.poll();

    clock.charge(1s - 1ns);
    EXPECT_FALSE(clock.fire());
    clock.charge(1ns);
    EXPECT_TRUE(clock.fire());
    context.poll();

    EXPECT_EQ(said, "a");
}

TEST_F(VirtualTime, ANoticeTakesNoTime)
{
    Wakeup wakeup{clock, context.get_executor()};
    std::optional<bool> noticed;
    tasks.spawn("wait", wait_on(wakeup, noticed));
    context.poll();

    wakeup.notify();
    run();

    EXPECT_EQ(noticed, true);
    EXPECT_EQ(clock.now(), start);
}

TEST_F(VirtualTime, AWaitWithoutANoticeLasts)
{
    Wakeup wakeup{clock, context.get_executor()};
    std::optional<bool> noticed;
    tasks.spawn("wait", wait_on(wakeup, noticed));

    run();

    EXPECT_EQ(noticed, false);
    EXPECT_EQ(clock.now(), start + 1h);
}

TEST_F(VirtualTime, ATaskThatIsCancelledDoesNotGoOn)
{
    std::string said;
    tasks.spawn("a", say_after(clock, 1s, said, 'a'));
    context.poll();

    tasks.request_stop();
    run();

    EXPECT_EQ(said, "");
    EXPECT_EQ(tasks.running(), 0U);
    EXPECT_EQ(clock.next(), std::nullopt);
}

TEST_F(VirtualTime, AStepMovesTheWallClockOnly)
{
    clock.set_offset(-3h);
    EXPECT_EQ(clock.now(), start - 3h);
    EXPECT_EQ(clock.true_now(), start);
    EXPECT_EQ(clock.steady_now(), Instant{});
}

TEST_F(VirtualTime, TheSteadyClockStandsWhileTheMachineIsSuspended)
{
    clock.suspend(2h);
    EXPECT_EQ(clock.now(), start + 2h);
    EXPECT_EQ(clock.true_now(), start + 2h);
    EXPECT_EQ(clock.steady_now(), Instant{});
}

TEST_F(VirtualTime, ADriftGrows)
{
    clock.set_drift(100);
    clock.charge(10'000s);
    EXPECT_EQ(clock.now(), start + 10'001s);
    EXPECT_EQ(clock.true_now(), start + 10'000s);
}

} // namespace
} // namespace usher::simulation
