// SPDX-License-Identifier: Apache-2.0
#include <usher/service/engine.hpp>

#include <algorithm>
#include <utility>

namespace usher {

namespace {

using namespace std::chrono_literals;

constexpr auto sweep_interval = 24h; // everything is compared with everything
constexpr int sweep_rest = 4;        // times as long as each of its parts took
constexpr auto retry_after_busy = 1s;
constexpr auto broken_patience = 30s; // that `once` has with an incomplete schema

} // namespace

std::string_view to_text(Engine::Step step)
{
    switch (step) {
    case Engine::Step::look_through: return "look_through";
    case Engine::Step::settle: return "settle";
    case Engine::Step::reload: return "reload";
    case Engine::Step::keep_house: return "keep_house";
    case Engine::Step::announce: return "announce";
    case Engine::Step::begin_sweep: return "begin_sweep";
    case Engine::Step::sweep: return "sweep";
    case Engine::Step::wait: return "wait";
    case Engine::Step::give_up: return "give_up";
    case Engine::Step::stop: return "stop";
    }
    return {};
}

Engine::Engine(Mode mode, Instant now, bool hurried, Duration at_most)
    : mode_{mode}, wait_max_{at_most}, hurried_{hurried || mode == Mode::once}, swept_at_{now}
{}

void Engine::clock_was_set()
{
    clock_was_set_ = true; // tokens may be from the future now
    sweep_wanted_ = true;
    hurried_ = true;
}

Engine::Next Engine::next(Facts const& facts)
{
    sweep_wanted_ = sweep_wanted_ || (facts.sweep_wished && may_sweep_again_);
    if (facts.sweep_wished && mode_ == Mode::once)
        may_sweep_again_ = false;
    if (stopping_)
        return {Step::stop};
    if (gives_up_)
        return {Step::give_up};
    if (std::exchange(busy_, false))
        return again(retry_after_busy);
    switch (stage_) {
    case Stage::begin: return begin(facts);
    case Stage::settle:
        if (mode_ == Mode::once && sweep_wanted_) { // what is published from here on needs no sweep
            swept_at_ = facts.now;
            return {Step::begin_sweep};
        }
        was_alone_ = !sweeping_ && !sweep_wanted_ && !facts.calls_under_way;
        return {Step::settle};
    case Stage::settled:
        if (reload_wanted_)
            return {Step::reload};
        if (std::exchange(clock_was_set_, false)) {
            schema_.reset(); // what was decided in what is the future now is looked through
            return again();
        }
        if (mode_ == Mode::once)
            break;
        return {Step::keep_house};
    case Stage::house:
        if (!ready_)
            return {Step::announce};
        break;
    case Stage::announced:
    case Stage::swept: break;
    }
    if (stage_ != Stage::swept) {
        if (sweep_wanted_ || facts.now - swept_at_ >= sweep_interval) {
            swept_at_ = facts.now;
            return {Step::begin_sweep};
        }
        if (sweeping_)
            return {Step::sweep};
    }
    return mode_ == Mode::once ? rest_once(facts) : rest(facts);
}

/// Another round, after a moment for others.
Engine::Next Engine::again(Duration after)
{
    stage_ = Stage::begin;
    return {Step::wait, after};
}

Engine::Next Engine::begin(Facts const& facts)
{
    const bool inspect = facts.inspect_again_at && facts.now >= *facts.inspect_again_at;
    if (schema_ == facts.schema && !inspect) {
        stage_ = Stage::settle;
        return next(facts);
    }
    schema_at_hand_ = facts.schema;
    return {Step::look_through};
}

Engine::Next Engine::rest(Facts const& facts)
{
    if (schema_ != facts.schema || sweep_wanted_)
        return again();
    Duration wait = sweeping_ ? sweep_rest_ : wait_max_;
    if (facts.due_in)
        wait = std::clamp(*facts.due_in, Duration::zero(), wait);
    if (looked_at_ == 0)
        wait = std::max(wait, facts.rest);
    if (facts.tend_in)
        wait = std::min(wait, *facts.tend_in);
    return again(wait);
}

Engine::Next Engine::rest_once(Facts const& facts)
{
    broken_until_.reset();                               // by a whole round: some steps do well without what is missing
    if (was_alone_ && looked_at_ == 0 && !sweep_wanted_) // else sessions may have been made meanwhile
        return {Step::stop};
    return again(!sweeping_ && !sweep_wanted_ && facts.calls_under_way ? wait_max_ : Duration{});
}

void Engine::done(Step step, StepOutcome const& outcome)
{
    switch (step) {
    case Step::look_through:
        schema_ = schema_at_hand_;
        sweep_wanted_ = true;
        stage_ = Stage::settle;
        break;
    case Step::settle:
        looked_at_ = outcome.looked_at;
        stage_ = Stage::settled;
        break;
    case Step::reload:
        reload_wanted_ = false;
        if (outcome.taken)
            schema_.reset(); // everything is looked through again
        stage_ = Stage::begin;
        break;
    case Step::keep_house: stage_ = Stage::house; break;
    case Step::announce:
        ready_ = true;
        stage_ = Stage::announced;
        break;
    case Step::begin_sweep:
        sweep_wanted_ = false;
        sweeping_ = true;
        break;
    case Step::sweep:
        sweeping_ = outcome.more;
        sweep_rest_ = hurried_ ? Duration{} : sweep_rest * outcome.took;
        hurried_ = mode_ == Mode::once || (hurried_ && sweeping_);
        stage_ = Stage::swept;
        break;
    case Step::wait:
    case Step::give_up:
    case Step::stop: break;
    }
}

void Engine::busy(bool broken, Instant now)
{
    busy_ = true;
    if (!broken)
        return;
    if (!broken_until_)
        broken_until_ = now + broken_patience;
    gives_up_ = mode_ == Mode::once && now >= *broken_until_;
}

} // namespace usher
