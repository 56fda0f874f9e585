// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "simulation/dice.hpp"
#include "simulation/virtual_clock.hpp"

namespace usher::simulation {

/// Who has files open. The kernel closes them when it ends.
using ProcessId = int;

/// What the disk costs.
struct DiskCosts {
    Duration read = std::chrono::microseconds{1};
    Duration page = std::chrono::microseconds{20}; ///< Written, for each 8192 bytes or a part of them.
    Duration sync = std::chrono::microseconds{500};
    int slow_syncs = 3;                                ///< Of a hundred; these take
    Duration slow_sync = std::chrono::milliseconds{2}; ///< up to so long.
    Duration work = std::chrono::microseconds{100};    ///< Of the processor, for each thousand steps of a statement.
};

enum class DiskFault : std::uint8_t {
    none,
    read_error,
    write_error,
    checkpoint_error, ///< A write into the database itself fails.
    short_write,      ///< Half of it is written, then an error.
    full,
    sync_error, ///< What was to be synced is not.
    busy,       ///< Somebody holds the lock that is asked for.
    death,      ///< The process ends before it.
    power_loss, ///< Everybody's, before it.
};

/// SQLite's door to files, in memory, as its default. Files have shared memory and locks as of the operating system,
/// between connections of one thread; each belongs to the process that was chosen when it was opened. What was not
/// synced may be lost by a power loss. All that depends on chance or time comes from the dice and the clock.
class MemoryVfs {
public:
    /// Registers itself. Nobody else may have connections, and there may be one only. SQLite's own random numbers begin
    /// anew, from `seed`.
    MemoryVfs(VirtualClock& clock, std::uint64_t seed);
    MemoryVfs(MemoryVfs const&) = delete;
    MemoryVfs& operator=(MemoryVfs const&) = delete;
    ~MemoryVfs();

    DiskCosts costs;
    /// Told when a process lets go of the lock of those who write.
    std::function<void(ProcessId process, Instant from)> on_release;

    /// How much longer than others the syncs since `from` took. What was before is forgotten.
    Duration slow_since(Instant from);

    /// Files that are opened from now on are its.
    void run_as(ProcessId process) { process_ = process; }
    ProcessId running() const { return process_; }

    /// What its statements take of the processor takes time from now on: of connections that it has yet to open.
    void charge(ProcessId process) { charged_.insert(process); }

    /// Its locks are released, and whatever its connections still do has no effect.
    void kill(ProcessId process);
    bool is_dead(ProcessId process) const { return dead_.contains(process); }
    /// Everybody dies; of what was not synced, some is lost.
    void power_loss();

    /// The process meets `fault` at the `nth` operation from now on to which the fault can happen: at `times` of them
    /// in a row.
    void plan(ProcessId process, DiskFault fault, std::int64_t nth, std::int64_t times = 1);
    /// What was planned and has not happened does not.
    void forget_plans() { plans_.clear(); }
    void forget_plan(ProcessId process) { plans_.erase(process); }
    /// How many operations met a planned fault.
    std::int64_t faults_met() const { return faults_met_; }

    /// A file as it is, for tests; nothing when there is none of that name.
    std::optional<std::string> contents(std::string const& name) const;
    void remove(std::string const& name);
    /// While nobody has it open: as if somebody else had written to it, synced.
    void put(std::string const& name, std::string bytes);
    /// Somebody died in the middle of a commit, and somebody else, who found that out, is at work on what connections
    /// to the file share: they can neither read nor write until it ends. False when one of them writes.
    bool begin_recovery(std::string const& name);
    void end_recovery(std::string const& name);
    std::int64_t power_losses() const { return power_losses_; }
    std::int64_t operations() const { return operations_; }
    /// Writes to files whose name ends in -wal, by any process.
    std::int64_t log_writes() const { return log_writes_; }
    /// By this process.
    std::int64_t log_writes_of(ProcessId process) const
    {
        const auto found = log_writes_by_.find(process);
        return found == log_writes_by_.end() ? 0 : found->second;
    }

private:
    struct File;
    struct Handle;
    struct Calls;
    struct Plan {
        DiskFault fault = DiskFault::none;
        std::int64_t nth = 0;
        std::int64_t times = 0;
    };

    /// Whether `fault` happens to this operation of `handle`.
    bool meets(Handle& handle, DiskFault fault);
    /// Counts the operation; false when the process is dead, or dies now.
    bool may_go_on(Handle& handle);
    static void cut_off(Handle& handle);

    VirtualClock& clock_;
    Dice dice_;
    Dice randomness_;
    ProcessId process_ = 0;
    std::map<std::string, std::shared_ptr<File>> files_;
    std::set<Handle*> handles_;
    std::set<ProcessId> dead_;
    std::vector<std::pair<Instant, Duration>> slow_; ///< Syncs that took longer: when, and by how much.
    std::set<ProcessId> charged_;
    std::map<ProcessId, Plan> plans_;
    std::int64_t faults_met_ = 0;
    std::int64_t operations_ = 0;
    std::int64_t log_writes_ = 0;
    std::map<ProcessId, std::int64_t> log_writes_by_;
    std::int64_t power_losses_ = 0;
    std::uint64_t serial_ = 0;
};

/// Chooses a process for a scope.
class As {
public:
    As(MemoryVfs& vfs, ProcessId process) : vfs_{vfs}, before_{vfs.running()} { vfs_.run_as(process); }
    As(As const&) = delete;
    As& operator=(As const&) = delete;
    ~As() { vfs_.run_as(before_); }

private:
    MemoryVfs& vfs_;
    ProcessId before_;
};

} // namespace usher::simulation
