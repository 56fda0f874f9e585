// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "simulation/world.hpp"

namespace usher::simulation {

/// Looks again and again, as a month goes on, at what no single commit shows: whether all is ready when people come,
/// and how much the daemons do for it.
class Watch {
public:
    explicit Watch(World& world) : world_{world} {}

    /// From now on twice an hour.
    void begin();
    /// A daemon does not go round and round for nothing.
    void check_rounds();

    std::int64_t most_failed_calls() const { return most_failed_; }
    std::int64_t sound_percent() const { return percent(sound_half_hours_); }
    std::int64_t calm_percent() const { return percent(calm_half_hours_); }

private:
    void half_hour();
    void check_calls();
    void look_at_what_is_live();
    void look_at_doors();
    std::int64_t percent(std::int64_t half_hours) const;

    World& world_;
    std::int64_t rounds_before_ = 0; ///< This half hour,
    std::int64_t edits_before_ = 0;  ///< likewise,
    std::int64_t failed_before_ = 0; ///< likewise.
    bool spins_ = false;             ///< In this half hour.
    std::int64_t most_failed_ = 0;
    std::int64_t half_hours_ = 0;
    std::int64_t sound_half_hours_ = 0;
    std::int64_t calm_half_hours_ = 0;
};

} // namespace usher::simulation
