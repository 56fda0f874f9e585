// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include <usher/core/time.hpp>

namespace usher {

/// How long to wait after `failures` failures in a row, at least 1: exponential from `base` up to `cap`, with full
/// jitter, so that those who failed together do not come back together. In [1 s, max(1 s, cap)]. Pure: the jitter is a
/// hash of `id` and `failures`.
seconds backoff(int failures, seconds base, seconds cap, std::string_view id);

/// When to try again for something that must be ready at `deadline`: at `now + delay`, but never past the last moment
/// that leaves time for the attempt, which is `margin` before; from there on, every `floor` at least.
sys_seconds retry_at(sys_seconds now, seconds delay, sys_seconds deadline, seconds margin, seconds floor);

} // namespace usher
