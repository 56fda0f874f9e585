// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <list>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>

namespace usher {

/// Owns the coroutines that run beside each other. A task that ends by an exception is reported, by its name, to
/// `on_failure`; cancellation is no failure. The group must outlive the run of its io_context.
class TaskGroup {
public:
    using OnFailure = std::function<void(std::string const& task, std::exception_ptr error)>;

    TaskGroup(boost::asio::any_io_executor executor, OnFailure on_failure);

    void spawn(std::string name, boost::asio::awaitable<void> work);

    /// Cancels every task that is waiting.
    void request_stop();

    std::size_t running() const { return tasks_.size(); }

private:
    struct Task {
        std::string name;
        bool started = false;
        bool stopped = false;
        boost::asio::cancellation_signal stop; // one signal per task: shared by two it is a use after free
    };

    static boost::asio::awaitable<void> run(Task& task, boost::asio::awaitable<void> work);

    boost::asio::any_io_executor executor_;
    OnFailure on_failure_;
    std::list<Task> tasks_;
};

} // namespace usher
