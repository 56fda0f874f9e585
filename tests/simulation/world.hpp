// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "simulation/virtual_clock.hpp"

namespace usher::simulation {

struct MonthOptions {
    std::uint64_t seed = 1;
    int days = 30;
    bool calm = false;    ///< No faults, and platforms that only sign people up.
    bool is_told = false; ///< Every event goes to standard output.
};

struct MonthResult {
    std::int64_t events = 0;
    std::int64_t meetings = 0;
    std::int64_t edits = 0;
    std::int64_t faults = 0;
    std::int64_t rounds = 0;        ///< Of the daemons' loops.
    std::int64_t rows = 0;          ///< Published ones that the oracle saw.
    std::int64_t starts = 0;        ///< Of daemons.
    std::int64_t sound_percent = 0; ///< Of the time: all promises were to hold.
    std::int64_t calm_percent = 0;  ///< Of the time: every meeting had to be ready at its door.
    std::int64_t lock_held_max = 0; ///< In microseconds.
    std::uint64_t hash = 0;
    std::vector<std::string> violations;
    std::vector<std::string> story; ///< Of the first violation.
};

/// One month of usher's life, from a new database on. The same options give the same result.
MonthResult run_month(MonthOptions options);

} // namespace usher::simulation
