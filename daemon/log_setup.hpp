// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include <usher/config/config.hpp>

#include "log.hpp"

namespace usher {

/// Logs in this level and format from now on; may be called again, for another configuration.
void set_up_log(LogConfig const& config);

/// Why usherd ends, as the log is written: a sentence on standard error, or an event.
void say_why_it_ends(std::string const& reason);

/// What became of all events so far.
LogCounts log_counts();

/// Offers again what readers of the log have not taken yet; returns in how long to do so again, if anything is left.
std::optional<std::chrono::milliseconds> push_log();

/// Says what is still to be said, and waits until it was read, or for about `at_most`. Nothing is logged any more.
void end_log(std::optional<std::chrono::milliseconds> at_most);

} // namespace usher
