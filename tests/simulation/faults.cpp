// SPDX-License-Identifier: Apache-2.0
#include "simulation/faults.hpp"

#include <chrono>
#include <utility>

namespace usher::simulation {

namespace {

using namespace std::chrono_literals;

constexpr double a_day = 3.5; // of them: each can fail many calls, and more than one lasts until a restart

} // namespace

std::vector<Faults::Kind> const& Faults::kinds()
{
    static const std::vector<Kind> all{
        {"kill", 3, &Faults::kill},
        {"death-at-operation", 3, &Faults::plan_death},
        {"read-errors", 1, &Faults::fail_reads},
        {"write-errors", 1, &Faults::fail_writes},
        {"checkpoint-errors", 1, &Faults::fail_checkpoints},
        {"short-write", 1, &Faults::write_short},
        {"disk-full", 1, &Faults::fill_disk},
        {"sync-errors", 1, &Faults::fail_syncs},
        {"lock-held", 1, &Faults::have_lock_held},
        {"power", 2, &Faults::lose_power},
        {"power-at-operation", 1, &Faults::plan_power_loss},
        {"outage", 2, &Faults::outage},
        {"vendor-chance", 3, &Faults::chance_failures},
        {"odd-answers", 3, &Faults::answer_oddly},
        {"quota", 1, &Faults::dip_quota},
        {"garble", 1, &Faults::garble_answers},
        {"same-ids", 1, &Faults::repeat_ids},
        {"clock-step", 3, &Faults::step_clock},
        {"suspend", 1, &Faults::suspend},
        {"drift", 1, &Faults::drift},
        {"reload", 2, &Faults::reload},
        {"key", 1, &Faults::rotate_key},
        {"second-daemon", 1, &Faults::start_second},
        {"restore", 1, &Faults::restore},
        {"drop", 2, &Faults::drop_something},
        {"unmarked-edit", 2, &Faults::edit_unmarked},
        {"lost-notices", 1, &Faults::lose_notices},
        {"platform-holds-lock", 1, &Faults::hold_lock},
        {"recovery", 1, &Faults::recover},
        {"odd-daemon-row", 1, &Faults::write_odd_daemon_row},
        {"snapshot", 2, &Faults::hold_snapshot},
        {"forged-session", 1, &Faults::forge_session},
        {"odd-rows", 2, &Faults::write_odd_rows},
        {"bad-reload", 1, &Faults::reload_in_vain},
        {"damaged-page", 1, &Faults::damage_page},
        {"stop", 1, &Faults::stop}};
    return all;
}

Faults::Faults(World& world) : world_{world}
{
    world_.network.on_call = [this] {
        if (std::exchange(recovery_at_call_, false))
            begin_recovery();
        if (std::exchange(kill_at_call_, false)) // before its answer comes
            world_.events.after(Duration{1ms}, [this] { kill_now(); });
    };
}

Faults::Kind const& Faults::some_kind(Dice& dice)
{
    int weights = 0;
    for (Kind const& kind : kinds())
        weights += kind.weight;
    std::int64_t place = dice.below(weights);
    auto kind = kinds().begin();
    while ((place -= kind->weight) >= 0)
        ++kind;
    return *kind;
}

void Faults::plan()
{
    const int planned = static_cast<int>(world_.options.days * a_day);
    for (int number = 1; number <= planned; ++number) {
        Dice dice = world_.dice.fork();
        const Duration when{dice.below(world_.span.count())};
        Kind const& kind = some_kind(dice);
        const bool is_wanted = !world_.options.only_faults || world_.options.only_faults->contains(number);
        if (!is_wanted || world_.options.without.contains(kind.name))
            continue;
        planned_.push_back(number);
        world_.events.after(when, [this, &kind, number, dice] {
            if (world_.quiet)
                return;
            dice_ = dice;
            world_.story.tell("fault " + std::to_string(number) + ": " + kind.name);
            ++by_kind_[kind.name];
            (this->*kind.begin)();
        });
    }
    for (int day = 0; day < world_.options.days; day += 3)
        world_.events.after(day * Duration{24h} + Duration{world_.dice.below(Duration{24h}.count())}, [this] {
            if (!world_.blind)
                back_up();
        });
}

void Faults::end_all()
{
    world_.quiet = true;
    world_.vfs.forget_plans();
    end_clock_faults();
    world_.disturb();
    end_vendor_faults();
    end_recovery();
    kill_at_call_ = false;
    world_.notices_get_lost = false;
    if (world_.second)
        world_.bury(world_.second);
}

Duration Faults::some_time(Duration low, Duration high)
{
    return low + Duration{dice_.below((high - low).count())};
}

void Faults::tell(std::string const& what)
{
    ++count_;
    world_.story.tell("FAULT " + what);
}

} // namespace usher::simulation
