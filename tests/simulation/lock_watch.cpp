// SPDX-License-Identifier: Apache-2.0
#include "simulation/lock_watch.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

namespace usher::simulation {

namespace {

using namespace std::chrono_literals;

constexpr Duration lock_held_max = 10ms;
constexpr Duration gap_error = 50us; // the daemon does not know to the microsecond for how long it held the lock
constexpr Instant long_ago = Instant{} - 1h;

} // namespace

LockWatch::LockWatch(VirtualClock const& clock, MemoryVfs& vfs, Oracle& oracle)
    : clock_{clock}, vfs_{vfs}, oracle_{oracle}, others_wrote_{long_ago}, released_at_{long_ago}
{}

void LockWatch::follow(ProcessId daemon)
{
    ours_ = daemon;
    forget_writers();
}

void LockWatch::forget_writers()
{
    others_wrote_ = long_ago;
}

void LockWatch::released(ProcessId process, Instant from)
{
    const Instant now = clock_.steady_now();
    const bool has_written = std::exchange(log_writes_, vfs_.log_writes()) != vfs_.log_writes();
    if (process != ours_) {
        if (daemon_before_ != process && has_written) // nor an earlier daemon's
            others_wrote_ = now;
        return;
    }
    const Duration held = now - from;
    most_held_ = std::max(most_held_, held);
    // Without what the disk took: usherd cannot know before how slow that will be.
    if (held - vfs_.slow_since(from) > lock_held_max && !has_large_rows_)
        oracle_.report("P11", "", "the lock was held for " + std::to_string(held / 1us) + " us");
    const bool beside_a_writer = others_wrote_ < released_at_ && from - others_wrote_ < 1s;
    if (beside_a_writer && from - released_at_ < 2 * held_ - gap_error && daemon_before_ == process)
        oracle_.report(
            "P11", "",
            "the lock was taken after " + std::to_string((from - released_at_) / 1us) + " us, though it was held for " +
                std::to_string(held_ / 1us) + " us beside a platform that writes"
        );
    daemon_before_ = process;
    released_at_ = now;
    held_ = held;
}

} // namespace usher::simulation
