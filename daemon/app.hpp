// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <usher/config/config.hpp>

namespace usher {

/// Builds every object in order, runs until a signal, and stops within a deadline. Returns the exit status.
/// With `once`: passes until nothing is due; 1 when a meeting whose tokens are wanted now is not ready.
/// Errors: those of Store, to the caller.
int run_daemon(Config config, bool once);

} // namespace usher
