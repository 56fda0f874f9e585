// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <usher/core/time.hpp>

#include "simulation/daemon.hpp"
#include "simulation/dice.hpp"
#include "simulation/events.hpp"
#include "simulation/folder.hpp"
#include "simulation/memory_vfs.hpp"
#include "simulation/network.hpp"
#include "simulation/oracle.hpp"
#include "simulation/story.hpp"
#include "simulation/virtual_clock.hpp"

namespace usher::simulation {

/// The midnight at which every story begins.
constexpr sys_seconds first_midnight{
    std::chrono::seconds{1'800'000'000} - std::chrono::seconds{1'800'000'000 % 86'400}};

/// What every story takes place in: time, a disk, a network and chance, and an oracle who looks on. Its parts are
/// everybody's: whoever brings a trouble about, or looks at what comes of it, takes hold of them.
struct Scene {
    Scene(std::uint64_t seed, bool is_told);

    ProcessId new_process() { return ++processes; }
    /// A new database, with the files of usherd beside it.
    static void make_database(std::string const& path, std::string const& key, std::string const& mark);
    std::unique_ptr<Daemon>
    make_daemon(ProcessId process, Setting const& setting, std::string const& name, std::string const& path);
    /// Everything that happens until then, in its order, while it `goes_on`: `step` is what daemons do, and whether
    /// there was anything.
    void run_until(Instant end, std::function<bool()> const& goes_on, std::function<bool()> const& step);

    Dice dice;
    Folder folder;
    std::string database = folder.file("usher.db");
    VirtualClock clock{first_midnight};
    Story story;
    MemoryVfs vfs;
    Network network;
    DiceSource random;
    Events events{clock};
    Oracle oracle{clock, vfs, story, network, database};
    ProcessId processes = 0;
};

} // namespace usher::simulation
