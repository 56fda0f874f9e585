// SPDX-License-Identifier: Apache-2.0
#include <usher/async/task_group.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

namespace usher {

namespace {

bool is_cancellation(std::exception_ptr const& error)
{
    try {
        std::rethrow_exception(error);
    } catch (boost::system::system_error const& system) {
        return system.code() == boost::asio::error::operation_aborted;
    } catch (...) {
        return false;
    }
}

} // namespace

TaskGroup::TaskGroup(boost::asio::any_io_executor executor, OnFailure on_failure)
    : executor_{std::move(executor)}, on_failure_{std::move(on_failure)}
{}

void TaskGroup::spawn(std::string name, boost::asio::awaitable<void> work)
{
    const auto task = tasks_.emplace(tasks_.end());
    task->name = std::move(name);
    boost::asio::co_spawn(
        executor_, run(*task, std::move(work)),
        boost::asio::bind_cancellation_slot(
            task->stop.slot(),
            [this, task](std::exception_ptr error) {
                const std::string ended = std::move(task->name);
                tasks_.erase(task);
                if (error && !is_cancellation(error))
                    on_failure_(ended, error);
            }
        )
    );
}

boost::asio::awaitable<void> TaskGroup::run(Task& task, boost::asio::awaitable<void> work)
{
    if (task.stopped)
        co_return;
    task.started = true;
    std::exception_ptr error;
    try {
        co_await std::move(work);
    } catch (...) {
        error = std::current_exception();
    }
    // A task that was cancelled without waiting again would have Asio throw out of run() when it completes.
    co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
    if (error)
        std::rethrow_exception(error);
}

void TaskGroup::request_stop()
{
    // A task may end, and leave the list, while it is being cancelled.
    for (auto task = tasks_.begin(); task != tasks_.end();) {
        const auto current = task++;
        current->stopped = true;
        if (current->started) // Asio throws out of run() when a coroutine is cancelled before its first step
            current->stop.emit(boost::asio::cancellation_type::terminal);
    }
}

} // namespace usher
