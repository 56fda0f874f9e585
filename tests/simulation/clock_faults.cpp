// SPDX-License-Identifier: Apache-2.0
#include "simulation/faults.hpp"

#include <chrono>
#include <string>
#include <utility>

#include <usher/core/certain_time.hpp>

namespace usher::simulation {

namespace {

using namespace std::chrono_literals;

} // namespace

void Faults::set_clock(Duration offset)
{
    // A clock that has been wrong for long enough is believed, and what is over by it is purged.
    const bool was_believed = world_.clock.steady_now() - clock_set_at_ >= clock_believed_after - 1min;
    if (std::chrono::abs(world_.clock.offset()) > 30min && was_believed)
        world_.oracle.free_all();
    clock_set_at_ = world_.clock.steady_now();
    world_.clock.set_offset(offset);
    if (std::chrono::abs(offset) > clock_error_max)
        world_.disturb();
    for (Daemon* daemon : {world_.daemon.get(), world_.second.get()})
        if (daemon != nullptr)
            daemon->clock_was_set();
}

void Faults::step_clock()
{
    const Duration by =
        dice_.some<Duration>({1s, 7s, 60s, 10min, 1h, 5h, 24h, 8 * 24h, 40 * 24h}) + dice_.below(600) * Duration{1s};
    const bool is_back = dice_.one_in(2);
    tell("the clock is set " + std::to_string(by / Duration{1s}) + (is_back ? " s back" : " s ahead"));
    set_clock(is_back ? -by : by);
    world_.end_after(some_time(1min, 100min), clock_no_, [this] {
        world_.story.tell("the clock is right");
        set_clock(Duration::zero());
        world_.disturb();
    });
}

void Faults::suspend()
{
    const Duration span = some_time(1min, 5h);
    tell("the machine sleeps for " + std::to_string(span / Duration{1s}) + " s");
    world_.clock.suspend(span);
    set_clock(world_.clock.offset());
    world_.disturb();
    world_.trouble(0s);
}

/// Never so far that the vendor refuses what is signed; then it is put right.
void Faults::drift()
{
    if (std::exchange(drifts_, true))
        return;
    tell("the clock drifts");
    world_.clock.set_drift(dice_.between(-500, 500));
    world_.events.after(some_time(1h, 4h), [this] {
        world_.clock.set_drift(0);
        drifts_ = false;
        if (std::chrono::abs(world_.clock.offset()) <= clock_error_max)
            set_clock(Duration::zero());
    });
}

void Faults::end_clock_faults()
{
    world_.clock.set_drift(0);
    ++clock_no_;
    set_clock(Duration::zero());
}

} // namespace usher::simulation
