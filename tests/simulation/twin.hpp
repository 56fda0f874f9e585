// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "simulation/world.hpp"

namespace usher::simulation {

/// P6. Another usher sees the last rows only, and of each meeting that is on what its session was made from: that is
/// what rows remember. Both must show the same. `wait` lets the twin work for so long.
void compare_with_twin(World& world, std::function<void(Duration)> const& wait);

} // namespace usher::simulation
