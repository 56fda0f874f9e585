// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

#include <usher/core/readiness.hpp>

namespace usher::ctl {

/// Whether the process that a daemon's row names, as `pid 812 on host, started …`, lives and holds the lock of
/// `database`. Unknown where it is another machine's.
ProcessState process_state(std::string_view who, std::string const& database);

/// The number of that process, where it lives, on this machine.
std::optional<pid_t> pid_of(std::string_view who, std::string const& database);

/// `pid 812`; with ` on HOST` where it is another machine's. As it is printed.
std::string short_name(std::string_view who);

} // namespace usher::ctl
