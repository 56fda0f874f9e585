// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>

#include <usher/config/config.hpp>

namespace usher {

/// Sends logs to standard error in the configured level and format. The only place that names a sink.
void set_up_log(LogConfig const& config);

/// Says what is still to be said, and waits until it was read, or for about `at_most`. Nothing is logged any more.
void end_log(std::optional<std::chrono::milliseconds> at_most);

} // namespace usher
