// SPDX-License-Identifier: Apache-2.0
#include "simulation/month.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <utility>

#include "simulation/faults.hpp"
#include "simulation/twin.hpp"
#include "simulation/watch.hpp"
#include "simulation/world.hpp"

namespace usher::simulation {

namespace {

using namespace std::chrono_literals;

constexpr Duration calm_at_the_end = 4h + 10min; // ends at an instant at which nothing begins or ends
constexpr int commands_a_day = 3;

/// From the first day to the last check.
class Month {
public:
    explicit Month(MonthOptions options) : world_{std::move(options)} {}

    MonthResult run();

private:
    void begin();
    void plan_operators();
    void run_until(Instant end);
    bool step(std::unique_ptr<Daemon>& daemon);
    void calm_down();
    void wait_for_platforms();
    void final_check();
    MonthResult result();

    World world_;
    Faults faults_{world_};
    Watch watch_{world_};
};

MonthResult Month::run()
{
    begin();
    try {
        const Duration until =
            world_.options.until ? std::chrono::duration_cast<Duration>(*world_.options.until * 24.0h) : world_.span;
        run_until(Instant{} + std::min(until, world_.span));
        calm_down();
        run_until(world_.clock.steady_now() + calm_at_the_end);
        if (world_.oracle.violations().size() < world_.options.violations_max)
            wait_for_platforms();
        final_check();
        if (world_.oracle.violations().empty())
            compare_with_twin(world_, [this](Duration span) { run_until(world_.clock.steady_now() + span); });
    } catch (std::exception const& error) {
        world_.oracle.report("run", "", std::string{"the simulation stops: "} + error.what());
    }
    world_.daemon.reset();
    world_.second.reset();
    world_.twin.reset();
    world_.close_all();
    return result();
}

void Month::begin()
{
    world_.begin();
    watch_.begin();
    if (world_.options.calm)
        return;
    faults_.plan();
    plan_operators();
}

void Month::plan_operators()
{
    for (int number = 0; number < world_.options.days * commands_a_day; ++number) {
        Dice dice = world_.dice.fork();
        world_.events.after(Duration{dice.below(world_.span.count())}, [this, dice] {
            if (!world_.blind && !world_.damaged)
                world_.operators.act(world_.new_process(), world_.setting.policy, dice);
        });
    }
}

void Month::run_until(Instant end)
{
    world_.run_until(
        end, [this] { return world_.oracle.violations().size() < world_.options.violations_max; },
        [this] { return step(world_.daemon) || step(world_.second) || (world_.twin && world_.twin->step()); }
    );
}

bool Month::step(std::unique_ptr<Daemon>& daemon)
{
    if (!daemon)
        return false;
    const std::int64_t writes = world_.vfs.log_writes();
    const ProcessId process = daemon->process();
    const std::int64_t own_writes = world_.vfs.log_writes_of(process);
    const std::int64_t times_done = daemon->times_done();
    const std::int64_t rounds = daemon->rounds();
    const bool worked = daemon->step();
    world_.rounds += daemon->rounds() - rounds;
    if (daemon->rounds() != rounds)
        watch_.check_rounds();
    // What is gone from the schema is put back by whoever sees it.
    const bool wrote = world_.vfs.log_writes_of(process) != own_writes;
    if (wrote && process != world_.owner && !world_.blind && !world_.restored_beside_another)
        world_.oracle.report("P10", "", "a daemon writes though another has taken over");
    if (daemon == world_.daemon && daemon->times_done() != times_done)
        world_.become_sound();
    if (world_.vfs.power_losses() != world_.losses) {
        world_.come_back();
        return true;
    }
    if (world_.vfs.log_writes() != writes)
        world_.oracle.look();
    if (daemon->is_over()) {
        world_.bury(daemon);
        return true;
    }
    return worked;
}

void Month::calm_down()
{
    faults_.end_all();
    world_.start_daemon();
    if (world_.options.calm)
        return;
    faults_.mend_odd_rows();
    world_.platforms[0]->edit("", {"INSERT INTO request (action, project) VALUES ('retry', '*')"});
}

void Month::wait_for_platforms()
{
    for (auto const& platform : world_.platforms)
        if (!platform->is_idle())
            world_.oracle.report("run", "", "a platform cannot write");
}

void Month::final_check()
{
    if (world_.oracle.violations().size() >= world_.options.violations_max)
        return;
    if (!world_.sound)
        world_.oracle.report("P8", "", "the daemon does not find an end");
    world_.oracle.check_all(true);
    world_.oracle.check_upkeep();
}

MonthResult Month::result()
{
    MonthResult result;
    result.events = world_.story.events();
    result.faults = faults_.count() + world_.network.faults_met();
    result.rounds = world_.rounds;
    result.rows = world_.oracle.rows_seen();
    result.starts = world_.starts;
    result.failed_calls_max = watch_.most_failed_calls();
    result.lock_held_max = std::chrono::floor<std::chrono::microseconds>(world_.lock_watch.most_held()).count();
    result.sound_percent = watch_.sound_percent();
    result.calm_percent = watch_.calm_percent();
    result.hash = world_.story.hash();
    result.faults_planned = faults_.planned();
    result.faults_by_kind = faults_.by_kind();
    for (auto const& platform : world_.platforms) {
        result.edits += platform->edits();
        result.meetings += platform->meetings();
        result.names.insert(result.names.end(), platform->ids().begin(), platform->ids().end());
    }
    for (Violation const& violation : world_.oracle.violations())
        result.violations.push_back(violation.promise + " " + violation.meeting_id + ": " + violation.what);
    if (!world_.oracle.violations().empty()) {
        Violation const& first = world_.oracle.violations().front();
        result.promise = first.promise;
        result.kind = first.promise + " " + first.what.substr(0, first.what.find_first_of("0123456789"));
        result.violated_at =
            std::chrono::duration<double, std::ratio<86400>>(world_.oracle.first_at() - Instant{}).count();
    }
    result.story = world_.oracle.story_so_far();
    return result;
}

} // namespace

std::vector<std::string> edit_kind_names()
{
    return Platform::edit_names();
}

std::vector<std::string> fault_kind_names()
{
    std::vector<std::string> names;
    for (Faults::Kind const& kind : Faults::kinds())
        names.emplace_back(kind.name);
    return names;
}

MonthResult run_month(MonthOptions options)
{
    return Month{std::move(options)}.run();
}

} // namespace usher::simulation
