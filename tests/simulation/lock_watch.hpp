// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "simulation/memory_vfs.hpp"
#include "simulation/oracle.hpp"
#include "simulation/virtual_clock.hpp"

namespace usher::simulation {

/// P11: usherd holds the write lock for moments only, and beside a platform that writes it leaves the lock to others
/// for twice as long as it held it. A platform writes when it commits something while the daemon could see it.
class LockWatch {
public:
    LockWatch(VirtualClock const& clock, MemoryVfs& vfs, Oracle& oracle);

    /// The daemon's process from now on, also while it starts.
    void follow(ProcessId daemon);
    /// Nobody waits for a turn: the daemon cannot know who wrote before it, or the file is another one.
    void forget_writers();
    /// A row of a megabyte takes as long as a thousand: from now on the lock may be held for longer.
    void expect_large_rows() { has_large_rows_ = true; }
    void released(ProcessId process, Instant from);

    Duration most_held() const { return most_held_; }

private:
    VirtualClock const& clock_;
    MemoryVfs& vfs_;
    Oracle& oracle_;
    ProcessId ours_ = 0;
    ProcessId daemon_before_ = 0;
    std::int64_t log_writes_ = 0; ///< When the lock was released last.
    Instant others_wrote_{};
    Instant released_at_{};
    Duration held_{};
    Duration most_held_{};
    bool has_large_rows_ = false;
};

} // namespace usher::simulation
