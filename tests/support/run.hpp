// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

namespace usher::test {

/// Runs `work`, and whatever else there is on `context`, to its end; returns or throws what it does.
template <class T>
T run(boost::asio::io_context& context, boost::asio::awaitable<T> work)
{
    std::exception_ptr failure;
    context.restart();
    if constexpr (std::is_void_v<T>) {
        boost::asio::co_spawn(context, std::move(work), [&](std::exception_ptr error) { failure = error; });
        context.run();
        if (failure)
            std::rethrow_exception(failure);
    } else {
        std::optional<T> result;
        boost::asio::co_spawn(context, std::move(work), [&](std::exception_ptr error, T value) {
            failure = error;
            result = std::move(value);
        });
        context.run();
        if (failure)
            std::rethrow_exception(failure);
        return std::move(*result);
    }
}

} // namespace usher::test
