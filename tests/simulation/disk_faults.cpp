// SPDX-License-Identifier: Apache-2.0
#include "simulation/faults.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

namespace usher::simulation {

namespace {

using namespace std::chrono_literals;

} // namespace

void Faults::plan_death()
{
    plan_on_disk("the daemon will die at some operation", DiskFault::death, dice_.between(1, 400), 1);
}

void Faults::fail_reads()
{
    plan_on_disk("reads fail", DiskFault::read_error, dice_.between(1, 60), dice_.between(1, 9));
}

void Faults::fail_writes()
{
    plan_on_disk("writes fail", DiskFault::write_error, dice_.between(1, 30), dice_.between(1, 9));
}

void Faults::fail_checkpoints()
{
    plan_on_disk("what is in the log cannot be moved", DiskFault::checkpoint_error, dice_.between(1, 9), 1);
}

void Faults::write_short()
{
    plan_on_disk("a write is short", DiskFault::short_write, dice_.between(1, 30), 1);
}

void Faults::fill_disk()
{
    plan_on_disk("the disk is full", DiskFault::full, dice_.between(1, 30), dice_.between(1, 90));
}

void Faults::fail_syncs()
{
    plan_on_disk("syncs fail", DiskFault::sync_error, dice_.between(1, 9), dice_.between(1, 9));
}

void Faults::have_lock_held()
{
    plan_on_disk("the lock is held", DiskFault::busy, dice_.between(1, 9), dice_.between(1, 5000));
}

void Faults::plan_power_loss()
{
    plan_on_disk("power will fail at some operation", DiskFault::power_loss, dice_.between(1, 400), 1);
}

void Faults::plan_on_disk(char const* what, DiskFault fault, std::int64_t nth, std::int64_t times)
{
    if (!world_.daemon)
        return;
    tell(what);
    world_.plan_on_disk(world_.daemon->process(), fault, nth, times);
}

void Faults::lose_power()
{
    tell("power fails");
    const std::optional<std::string> before = world_.oracle.published();
    world_.vfs.power_loss();
    world_.come_back();
    if (before && world_.oracle.published() != before)
        world_.oracle.report("P7", "", "what was published is another after a power loss");
}

/// Somebody died while he wrote, and whoever came next has not brought it in order yet.
void Faults::recover()
{
    if (dice_.one_in(2))
        return begin_recovery();
    recovery_at_call_ = true; // just before an answer of the vendor comes
}

void Faults::begin_recovery()
{
    if (world_.blind || world_.damaged || !world_.vfs.begin_recovery(world_.database))
        return;
    tell("the log is being recovered by somebody");
    is_recovered_ = true;
    world_.set_blind(true);
    const Duration span{world_.dice.between(100, 20'000) * Duration{1ms}};
    world_.trouble(span);
    if (world_.daemon)
        world_.daemon->notice();
    world_.events.after(span, [this] { end_recovery(); });
}

void Faults::end_recovery()
{
    world_.vfs.end_recovery(world_.database);
    recovery_at_call_ = false;
    if (std::exchange(is_recovered_, false))
        world_.set_blind(false);
}

/// Nobody but usherd is there meanwhile, and afterwards all is as it was before.
void Faults::damage_page()
{
    if (world_.blind || world_.second || world_.damaged)
        return;
    constexpr std::size_t page_bytes = 4096;
    const auto file = world_.vfs.contents(world_.database);
    const auto log = world_.vfs.contents(world_.database + "-wal");
    if (!file || file->size() < 10 * page_bytes)
        return;
    tell("a page is damaged");
    world_.leave_all();
    std::string broken = *file;
    const auto pages = static_cast<std::int64_t>(file->size() / page_bytes);
    const auto at = static_cast<std::size_t>(dice_.between(1, pages - 1)) * page_bytes;
    for (std::size_t i = 0; i < page_bytes; ++i)
        broken[at + i] = static_cast<char>(dice_.next() & 0xffU);
    world_.vfs.put(world_.database, std::move(broken));
    world_.vfs.put(world_.database + "-wal", log.value_or(""));
    world_.damaged = true;
    world_.set_blind(true);
    const Duration span = some_time(5s, 30s);
    world_.forgive(span + 1min);
    world_.trouble(span);
    world_.events.after(span, [this, bytes = *file, log_bytes = log.value_or("")] {
        world_.story.tell("the page is as before");
        world_.leave_all();
        world_.vfs.put(world_.database, bytes);
        world_.vfs.put(world_.database + "-wal", log_bytes);
        world_.open_all();
        world_.damaged = false;
        world_.set_blind(false);
        world_.older_rows_came_back();
    });
}

} // namespace usher::simulation
