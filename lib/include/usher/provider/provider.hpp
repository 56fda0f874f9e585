// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include <boost/asio/awaitable.hpp>

#include <usher/core/failure.hpp>
#include <usher/core/meeting.hpp>

namespace usher {

/// What a session is created from. `entropy` is drawn by the caller, so that a test can repeat it.
struct SessionOrder {
    SessionOptions options;
    std::chrono::sys_time<std::chrono::milliseconds> at;
    std::array<std::uint64_t, 3> entropy;
};

/// Creates sessions for one project: the door to a vendor.
class Provider {
public:
    virtual ~Provider() = default;

    /// The new session's id. Errors: why there is none; the caller owns retries.
    virtual boost::asio::awaitable<Result<std::string>> create_session(SessionOrder order) = 0;
};

} // namespace usher
