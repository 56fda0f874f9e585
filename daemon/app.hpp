// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <vector>

#include <tl/expected.hpp>

#include <usher/config/config.hpp>
#include <usher/config/load.hpp>

namespace usher {

/// Reads the configuration again, or says why not: one line per mistake.
using Reload = std::function<tl::expected<Config, std::vector<ConfigError>>()>;

/// Builds every object in order, runs until a signal, and stops within a deadline. Returns the exit status.
/// SIGHUP takes a new configuration; a bad one leaves the old one running and is logged.
/// Errors: those of Store, to the caller.
int run_daemon(Config config, Reload reload);

/// Passes until nothing is due; 1 when a meeting whose tokens are wanted now is not ready.
int run_once(Config config);

} // namespace usher
