// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>

#include <boost/asio/any_io_executor.hpp>

namespace usher {

/// Where work that needs the processor is done, and on how many threads.
struct Workers {
    boost::asio::any_io_executor executor;
    std::size_t count = 1;
};

/// Calls `work(first, last)` for all of [0, count) in chunks, on the calling thread and on as many of the others as are
/// free; returns when all is done. An exception of `work` ends it, and is thrown here.
void share(Workers const& workers, std::size_t count, std::function<void(std::size_t, std::size_t)> work);

} // namespace usher
