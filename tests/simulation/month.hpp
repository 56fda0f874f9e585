// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "simulation/virtual_clock.hpp"

namespace usher::simulation {

struct MonthOptions {
    std::uint64_t seed = 1;
    int days = 30;
    bool calm = false;    ///< No faults, and platforms that only sign people up.
    bool is_told = false; ///< Every event goes to standard output.

    // What is left out of the story; the rest of it stays as it would be.
    std::set<std::string, std::less<>> without{};       ///< Kinds of faults and of edits.
    std::set<std::string, std::less<>> only_meetings{}; ///< All when it is empty.
    std::optional<std::set<int>> only_faults{};         ///< By their numbers.
    std::optional<double> until{};                      ///< In days: then it becomes calm.
    std::size_t violations_max = 5;                     ///< Then it ends; those after them follow from them.
};

struct MonthResult {
    std::int64_t events = 0;
    std::int64_t meetings = 0;
    std::int64_t edits = 0;
    std::int64_t faults = 0;
    std::int64_t rounds = 0;           ///< Of the daemons' loops.
    std::int64_t rows = 0;             ///< Published ones that the oracle saw.
    std::int64_t starts = 0;           ///< Of daemons.
    std::int64_t sound_percent = 0;    ///< Of the time: all promises were to hold.
    std::int64_t calm_percent = 0;     ///< Of the time: every meeting had to be ready at its door.
    std::int64_t lock_held_max = 0;    ///< In microseconds.
    std::int64_t failed_calls_max = 0; ///< Within half an hour.
    std::uint64_t hash = 0;
    std::vector<std::string> violations;
    std::string promise;             ///< Of the first violation,
    std::string kind;                ///< with what was said, up to its first number,
    double violated_at = 0;          ///< in days,
    std::vector<std::string> story;  ///< and what led to it.
    std::vector<std::string> names;  ///< Of all meetings that were planned.
    std::vector<int> faults_planned; ///< Their numbers.
    std::map<std::string, std::int64_t> faults_by_kind;
};

std::vector<std::string> edit_kind_names();
std::vector<std::string> fault_kind_names();

/// One month of usher's life, from a new database on. The same options give the same result.
MonthResult run_month(MonthOptions options);

} // namespace usher::simulation
