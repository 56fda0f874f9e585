// SPDX-License-Identifier: Apache-2.0
#include <usher/service/main_loop.hpp>

#include <algorithm>
#include <string_view>
#include <utility>

namespace usher {

namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr auto call_grace = 5s; // at the stop, for calls to providers that are under way
constexpr auto log_every = 60s; // what repeats

} // namespace

MainLoop::MainLoop(
    Parts parts, boost::asio::any_io_executor executor, Engine::Mode mode, bool hurried, Doors doors, Rhythm rhythm
)
    : parts_{parts},
      doors_{std::move(doors)},
      rhythm_{rhythm},
      engine_{mode, parts.clock.steady_now(), hurried, rhythm.wait_max},
      wakeup_{parts.clock, executor}
{}

void Hindrance::met(DatabaseBusy const& error)
{
    const bool broken = dynamic_cast<SchemaBroken const*>(&error) != nullptr;
    const bool full = dynamic_cast<DatabaseFull const*>(&error) != nullptr;
    const LogEventNo event = broken ? "schema.incomplete"_event : full ? "store.full"_event : "store.busy"_event;
    if (told_ == event)
        return;
    log_event(event, {{"reason", error.what()}});
    tell_status_("waiting: " + std::string{error.what()});
    told_ = event;
}

void Hindrance::over()
{
    if (std::exchange(told_, std::nullopt))
        log_event("store.free"_event);
}

boost::asio::awaitable<void> MainLoop::run()
{
    using Step = Engine::Step;
    std::exception_ptr broken; // by which the last step failed
    bool hindered = false;     // in this round
    const auto now = [this] { return parts_.clock.steady_now(); };
    const auto meet = [&](DatabaseBusy const& error, bool is_broken) {
        parts_.hindrance.met(error);
        doors_.progressed("waiting for the database");
        engine_.busy(is_broken, now());
        hindered = true;
    };
    for (;;) {
        Engine::Next next;
        try {
            next = engine_.next(stopping_ ? Engine::Facts{.now = now()} : facts());
        } catch (DatabaseBusy const& error) {
            meet(error, false);
            next = engine_.next({.now = now()});
        }
        if (next.step == Step::stop)
            break;
        if (next.step == Step::give_up)
            std::rethrow_exception(broken);
        if (next.step == Step::wait) {
            if (!hindered) // a step that does well is not enough
                parts_.hindrance.over();
            count_round(next.wait, std::exchange(hindered, false));
            co_await rest(next.wait);
            continue;
        }
        try {
            const SteadyClock::time_point started = now();
            Engine::StepOutcome outcome = co_await perform(next.step);
            outcome.took = now() - started;
            engine_.done(next.step, outcome);
            doors_.progressed(to_text(next.step));
            log_event("step.done"_event, [&] {
                return LogFields{{"step", to_text(next.step)}, {"took_ms", outcome.took}};
            });
        } catch (SchemaBroken const& error) {
            broken = std::current_exception();
            meet(error, true);
        } catch (DatabaseBusy const& error) { // nothing is lost: what is due stays so in the rows
            meet(error, false);
        }
    }
    co_await parts_.maker.drain(call_grace);
}

void MainLoop::count_round(SteadyClock::duration wait, bool hindered)
{
    const bool is_due = due_ && *due_ <= parts_.clock.now();
    ++counts_.rounds;
    if (!hindered && !is_due && !engine_.sweeping() && wait > SteadyClock::duration::zero())
        ++counts_.idle_rounds;
}

/// Until something happens, or for so long.
boost::asio::awaitable<void> MainLoop::rest(SteadyClock::duration wait)
{
    flush_log(); // lines that were held back
    tell_due();
    log_event("waiting"_event, [&] {
        LogFields fields{{"wait_ms", wait}};
        if (due_)
            fields.push_back({"next_at", *due_});
        return fields;
    });
    const SteadyClock::time_point until = parts_.clock.steady_now() + wait;
    for (;;) {
        const SteadyClock::duration left = until - parts_.clock.steady_now();
        const auto offer_in = doors_.offer_again ? doors_.offer_again() : std::nullopt;
        const bool ends = !offer_in || *offer_in >= left;
        if (co_await wakeup_.wait(ends ? left : *offer_in) || ends)
            break;
    }
}

Engine::Facts MainLoop::facts()
{
    Engine::Facts facts;
    facts.now = parts_.clock.steady_now();
    facts.schema = parts_.store.schema_version();
    facts.inspect_again_at = parts_.provisioner.inspect_again_at();
    facts.calls_under_way = parts_.maker.busy();
    facts.rest = parts_.provisioner.rest();
    facts.tend_in = parts_.store.keep_house_in();
    try {
        due_ = parts_.store.next_due();
        if (due_)
            facts.due_in = *due_ - parts_.clock.now();
    } catch (SchemaBroken const&) { // an index is gone: looking through the schema puts it back
        facts.due_in = SteadyClock::duration::zero();
    }
    facts.sweep_wished = parts_.provisioner.take_sweep_wish(); // last: what fails must not lose it
    return facts;
}

boost::asio::awaitable<Engine::StepOutcome> MainLoop::perform(Engine::Step step)
{
    using Step = Engine::Step;
    Engine::StepOutcome outcome;
    switch (step) {
    case Step::look_through:
        parts_.store.check();
        co_await parts_.provisioner.find_stale();
        break;
    case Step::settle: {
        parts_.store.check();
        const auto noticed = std::exchange(noticed_, std::nullopt);
        const PassResult result = co_await parts_.provisioner.settle();
        if (noticed && result.looked_at > 0)
            doors_.reacted(parts_.clock.steady_now() - *noticed, result.urgent);
        log(result);
        outcome.looked_at = result.looked_at;
        break;
    }
    case Step::reload: outcome.taken = doors_.reload(); break;
    case Step::keep_house:
        co_await parts_.provisioner.keep_doors();
        co_await parts_.store.keep_house();
        co_await beat();
        break;
    case Step::announce: doors_.announce(); break;
    case Step::begin_sweep: parts_.provisioner.start_sweep(); break;
    case Step::sweep:
        outcome.more = co_await parts_.provisioner.sweep();
        parts_.store.caught_up();
        break;
    case Step::wait:
    case Step::give_up:
    case Step::stop: break;
    }
    co_return outcome;
}

boost::asio::awaitable<void> MainLoop::look_for_changes()
{
    return parts_.store.follow_changes(rhythm_.wait_max, [this] {
        if (!noticed_)
            noticed_ = parts_.clock.steady_now();
        wakeup_.notify();
    });
}

void MainLoop::request_stop()
{
    stopping_ = true;
    engine_.request_stop();
    parts_.provisioner.request_stop();
    wakeup_.notify();
}

void MainLoop::request_reload()
{
    engine_.request_reload();
    parts_.provisioner.request_pause();
    wakeup_.notify();
}

void MainLoop::clock_was_set()
{
    engine_.clock_was_set();
    wakeup_.notify();
}

/// Has `usher_status` say that somebody is at work, also while there is nothing to do.
boost::asio::awaitable<void> MainLoop::beat()
{
    const SteadyClock::time_point steady = parts_.clock.steady_now();
    if (beaten_ && steady - *beaten_ < rhythm_.heartbeat && !parts_.store.holds_older_rows())
        co_return;
    try {
        co_await parts_.provisioner.beat();
        beaten_ = steady;
    } catch (DatabaseFull const&) {
        throw; // nobody who makes room would know of it otherwise
    } catch (DatabaseBusy const&) {
        // whoever holds the lock lets go; the next round tries again
    }
}

/// The first pass is told at once, those after it together, once a minute.
void MainLoop::log(PassResult const& result)
{
    total_ += result;
    unlogged_ += result;
    if (unlogged_.looked_at > 0 && parts_.clock.steady_now() >= log_again_)
        log_published();
}

void MainLoop::log_published()
{
    if (unlogged_.looked_at == 0)
        return;
    PublishCounts const& published = unlogged_.published;
    log_event(
        "pass.done"_event, {{"tokens", published.tokens},
                            {"withdrawn", published.withdrawn},
                            {"sessions", published.sessions},
                            {"meetings", published.settled},
                            {"skipped", published.skipped}}
    );
    unlogged_ = {};
    log_again_ = parts_.clock.steady_now() + log_every;
}

void MainLoop::tell_due()
{
    if (!parts_.hindrance.lasts())
        doors_.tell_status("nothing due; next " + (due_ ? to_iso8601(*due_) : std::string{"when a platform writes"}));
}

} // namespace usher
