// SPDX-License-Identifier: Apache-2.0
#include <usher/async/task_group.hpp>

#include <chrono>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace usher {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;

std::string text_of(std::exception_ptr const& error)
{
    try {
        std::rethrow_exception(error);
    } catch (std::exception const& known) {
        return known.what();
    }
}

class Tasks : public testing::Test {
protected:
    /// Lets all tasks go on until each of them waits.
    void go_on()
    {
        context.restart();
        context.poll();
    }

    /// Waits for an hour; what it meets on its way is in `steps`.
    asio::awaitable<void> linger(std::string name)
    {
        steps.push_back(name + " begins");
        asio::steady_timer timer{co_await asio::this_coro::executor, 1h};
        try {
            co_await timer.async_wait(asio::use_awaitable);
        } catch (boost::system::system_error const& error) {
            steps.push_back(name + (error.code() == asio::error::operation_aborted ? " is cancelled" : " fails"));
            throw;
        }
    }

    asio::awaitable<void> step(std::string name)
    {
        steps.push_back(std::move(name));
        co_return;
    }

    asio::awaitable<void> fail(std::string why)
    {
        co_await step("fails");
        throw std::runtime_error{why};
    }

    /// Asks for the stop of all, itself included, and does not wait afterwards.
    asio::awaitable<void> stop_all()
    {
        group.request_stop();
        steps.emplace_back("stopped all");
        co_return;
    }

    asio::awaitable<void> fail_when_cancelled()
    {
        try {
            co_await linger("task");
        } catch (boost::system::system_error const&) {
            throw std::runtime_error{"cleaning up failed"};
        }
    }

    asio::awaitable<void> spawn_another()
    {
        group.spawn("another", step("another"));
        co_await step("first");
    }

    asio::io_context context;
    std::vector<std::string> steps;
    std::vector<std::string> failures;
    TaskGroup group{context.get_executor(), [this](std::string const& task, std::exception_ptr error) {
                        failures.push_back(task + ": " + text_of(error));
                    }};
};

using Texts = std::vector<std::string>;

TEST_F(Tasks, RunBesideEachOther)
{
    group.spawn("a", linger("a"));
    group.spawn("b", linger("b"));
    EXPECT_EQ(steps, Texts{}); // not before the context runs

    go_on();

    EXPECT_EQ(steps, (Texts{"a begins", "b begins"}));
    EXPECT_EQ(group.running(), 2U);
    group.request_stop();
    go_on();
}

TEST_F(Tasks, LeaveTheGroupWhenTheyEnd)
{
    group.spawn("a", step("a"));
    EXPECT_EQ(group.running(), 1U);

    go_on();

    EXPECT_EQ(group.running(), 0U);
    EXPECT_EQ(failures, Texts{});
}

TEST_F(Tasks, ThatFailAreReportedByNameAndTheOthersGoOn)
{
    group.spawn("good", linger("good"));
    group.spawn("bad", fail("no disk"));
    group.spawn("worse", fail("no memory"));

    go_on();

    EXPECT_EQ(failures, (Texts{"bad: no disk", "worse: no memory"}));
    EXPECT_EQ(group.running(), 1U);
    group.request_stop();
    go_on();
}

TEST_F(Tasks, HaveLeftTheGroupWhenTheirFailureIsReported)
{
    std::size_t running = 77;
    TaskGroup other{context.get_executor(), [&](std::string const&, std::exception_ptr const&) {
                        running = other.running();
                        other.request_stop(); // as the daemon does
                    }};
    other.spawn("waits", linger("waits"));
    other.spawn("bad", fail("no disk"));

    go_on();

    EXPECT_EQ(running, 1U);
    EXPECT_EQ(other.running(), 0U);
    EXPECT_EQ(steps, (Texts{"waits begins", "fails", "waits is cancelled"}));
}

TEST_F(Tasks, ThatWaitAreCancelledByAStopAndThatIsNoFailure)
{
    group.spawn("a", linger("a"));
    group.spawn("b", linger("b"));
    go_on();

    group.request_stop();
    go_on();

    EXPECT_EQ(steps, (Texts{"a begins", "b begins", "a is cancelled", "b is cancelled"}));
    EXPECT_EQ(group.running(), 0U);
    EXPECT_EQ(failures, Texts{});
}

TEST_F(Tasks, ThatDidNotBeginBeforeAStopNeverDo)
{
    group.spawn("a", linger("a"));

    group.request_stop();
    go_on();

    EXPECT_EQ(steps, Texts{});
    EXPECT_EQ(group.running(), 0U);
    EXPECT_EQ(failures, Texts{});
}

TEST_F(Tasks, ThatAreSpawnedAfterAStopRun)
{
    group.request_stop();

    group.spawn("a", step("a"));
    go_on();

    EXPECT_EQ(steps, Texts{"a"});
}

TEST_F(Tasks, MayStopThemselvesAndNotWaitAgain)
{
    group.spawn("a", linger("a"));
    group.spawn("stop", stop_all());

    go_on();

    EXPECT_EQ(steps, (Texts{"a begins", "stopped all", "a is cancelled"}));
    EXPECT_EQ(group.running(), 0U);
    EXPECT_EQ(failures, Texts{});
}

TEST_F(Tasks, ThatFailWhileTheyAreCancelledAreReported)
{
    group.spawn("task", fail_when_cancelled());
    go_on();

    group.request_stop();
    go_on();

    EXPECT_EQ(failures, Texts{"task: cleaning up failed"});
}

TEST_F(Tasks, CanBeStoppedTwice)
{
    group.spawn("a", linger("a"));
    go_on();

    group.request_stop();
    group.request_stop();
    go_on();

    EXPECT_EQ(steps, (Texts{"a begins", "a is cancelled"}));
    EXPECT_EQ(group.running(), 0U);
}

TEST_F(Tasks, MaySpawnOthers)
{
    group.spawn("first", spawn_another());

    go_on();

    EXPECT_THAT(steps, testing::UnorderedElementsAre("first", "another"));
    EXPECT_EQ(group.running(), 0U);
}

} // namespace
} // namespace usher
