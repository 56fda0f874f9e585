// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <usher/async/clock.hpp>

namespace usher {

/// Where work that needs the processor is done, and on how many threads.
struct Workers {
    boost::asio::any_io_executor executor;
    std::size_t count = 1;
};

/// Calls `work(first, last)` for all of [0, count) in chunks, on the calling thread and on as many of the others as are
/// free; returns when all is done. An exception of `work` ends it, and is thrown here.
void share(Workers const& workers, std::size_t count, std::function<void(std::size_t, std::size_t)> work);

/// Runs `work` on the workers while the caller, who runs on `executor`, waits for it. It must own what it uses: it goes
/// on if the wait for it is given up.
boost::asio::awaitable<void>
on_workers(Workers workers, Clock& clock, boost::asio::any_io_executor executor, std::function<void()> work);

} // namespace usher
