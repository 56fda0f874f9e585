// SPDX-License-Identifier: Apache-2.0
// What usherd does next, in every order that matters.
#include <chrono>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <usher/service/engine.hpp>

namespace usher {

std::ostream& operator<<(std::ostream& out, Engine::Step step)
{
    constexpr char const* names[] = {"look_through", "settle", "reload", "keep_house", "announce",
                                     "begin_sweep",  "sweep",  "wait",   "give_up",    "stop"};
    return out << names[static_cast<std::size_t>(step)];
}

namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using Step = Engine::Step;
using Mode = Engine::Mode;

/// An engine whose steps all go well, and the facts that it is told.
struct Daemon {
    explicit Daemon(Mode mode = Mode::serve, bool hurried = false) : engine{mode, Engine::Instant{}, hurried} {}

    Engine::Next ask() { return engine.next(facts); }

    /// Does the next step, with `outcome`.
    Engine::Next step(Engine::StepOutcome const& outcome = {})
    {
        const Engine::Next next = ask();
        facts.sweep_wished = false; // the wish was taken
        engine.done(next.step, outcome);
        return next;
    }

    /// Steps up to and including the next wait, or the end.
    std::vector<Step> round(Engine::StepOutcome const& outcome = {})
    {
        std::vector<Step> steps;
        for (int i = 0; i < 20; ++i) {
            last = step(outcome);
            steps.push_back(last.step);
            if (last.step == Step::wait || last.step == Step::stop || last.step == Step::give_up)
                break;
        }
        return steps;
    }

    /// Through the start and its sweep.
    void become_idle()
    {
        round();
        facts.now += 1s;
    }

    Engine engine;
    Engine::Facts facts{};
    Engine::Next last{};
};

TEST(Engine, StartsByLookingThroughAndIsReadyOnceNothingIsDue)
{
    Daemon daemon;
    EXPECT_THAT(
        daemon.round(), ElementsAre(
                            Step::look_through, Step::settle, Step::keep_house, Step::announce, Step::begin_sweep,
                            Step::sweep, Step::wait
                        )
    );
    EXPECT_EQ(daemon.last.wait, 30s);
    EXPECT_THAT(daemon.round(), ElementsAre(Step::settle, Step::keep_house, Step::wait));
}

TEST(Engine, SweepsAPartInEachRoundAndRestsFourTimesAsLong)
{
    Daemon daemon;
    const Engine::StepOutcome more{.more = true, .took = 20ms};
    daemon.round(more);
    EXPECT_EQ(daemon.last.wait, 80ms);
    EXPECT_THAT(daemon.round(more), ElementsAre(Step::settle, Step::keep_house, Step::sweep, Step::wait));
    EXPECT_EQ(daemon.last.wait, 80ms);
    EXPECT_THAT(daemon.round(), ElementsAre(Step::settle, Step::keep_house, Step::sweep, Step::wait));
    EXPECT_THAT(daemon.round(), ElementsAre(Step::settle, Step::keep_house, Step::wait));
}

TEST(Engine, AHurriedSweepTakesNoRestsUntilItIsDone)
{
    Daemon daemon{Mode::serve, true};
    const Engine::StepOutcome more{.more = true, .took = 20ms};
    daemon.round(more);
    EXPECT_EQ(daemon.last.wait, 0s);
    daemon.round({.took = 20ms});
    daemon.facts.sweep_wished = true;
    daemon.round(more);
    EXPECT_EQ(daemon.last.wait, 80ms) << "the next one is not in a hurry";
}

TEST(Engine, SweepsAgainAfterADay)
{
    Daemon daemon;
    daemon.become_idle();
    daemon.facts.now = Engine::Instant{} + 24h - 1ns;
    EXPECT_THAT(daemon.round(), ElementsAre(Step::settle, Step::keep_house, Step::wait));
    daemon.facts.now += 1ns;
    EXPECT_THAT(
        daemon.round(), ElementsAre(Step::settle, Step::keep_house, Step::begin_sweep, Step::sweep, Step::wait)
    );
    EXPECT_THAT(daemon.round(), ElementsAre(Step::settle, Step::keep_house, Step::wait));
}

TEST(Engine, HowLongItWaits)
{
    struct Case {
        std::string name;
        Engine::Facts facts;
        Engine::StepOutcome outcome;
        Engine::Duration wait;
    };
    const Case cases[] = {
        {"nothing is known", {}, {}, 30s},
        {"work is due later", {.due_in = 40s}, {}, 30s},
        {"work is due soon", {.due_in = 7s}, {}, 7s},
        {"work was due", {.due_in = -7s}, {}, 0s},
        {"rows that are set aside", {.due_in = 0s, .rest = 9s}, {}, 9s},
        {"rows that are set aside beside others", {.due_in = 0s, .rest = 9s}, {.looked_at = 1}, 0s},
        {"the store wants to be tended", {.tend_in = 5s}, {}, 5s},
        {"the store wants to be tended later", {.due_in = 4s, .tend_in = 5s}, {}, 4s},
    };
    for (Case const& one : cases) {
        SCOPED_TRACE(one.name);
        Daemon daemon;
        daemon.become_idle();
        daemon.facts = one.facts;
        daemon.facts.now = Engine::Instant{} + 2s;
        daemon.round(one.outcome);
        EXPECT_EQ(daemon.last, (Engine::Next{Step::wait, one.wait}));
    }
}

TEST(Engine, AReloadComesBetweenPassesAndIsLookedThrough)
{
    Daemon daemon;
    daemon.become_idle();
    daemon.engine.request_reload();
    EXPECT_THAT(
        daemon.round({.taken = true}), ElementsAre(
                                           Step::settle, Step::reload, Step::look_through, Step::settle,
                                           Step::keep_house, Step::begin_sweep, Step::sweep, Step::wait
                                       )
    );
}

TEST(Engine, AConfigurationThatIsRefusedChangesNothing)
{
    Daemon daemon;
    daemon.become_idle();
    daemon.engine.request_reload();
    EXPECT_THAT(daemon.round(), ElementsAre(Step::settle, Step::reload, Step::settle, Step::keep_house, Step::wait));
}

TEST(Engine, AClockStepIsLookedThroughAndSweptInAHurry)
{
    Daemon daemon;
    daemon.become_idle();
    daemon.engine.clock_was_set();
    EXPECT_THAT(daemon.round(), ElementsAre(Step::settle, Step::wait));
    EXPECT_EQ(daemon.last.wait, 0s) << "others have their moment";
    EXPECT_THAT(
        daemon.round({.more = true, .took = 20ms}),
        ElementsAre(Step::look_through, Step::settle, Step::keep_house, Step::begin_sweep, Step::sweep, Step::wait)
    );
    EXPECT_EQ(daemon.last.wait, 0s);
}

TEST(Engine, AReloadGoesBeforeAClockStepAndLosesNone)
{
    Daemon daemon;
    daemon.become_idle();
    daemon.engine.clock_was_set();
    daemon.engine.request_reload();
    EXPECT_THAT(daemon.round(), ElementsAre(Step::settle, Step::reload, Step::settle, Step::wait));
    EXPECT_EQ(daemon.round().front(), Step::look_through);
}

TEST(Engine, AnotherSchemaIsLookedThroughWheneverItComes)
{
    Daemon daemon;
    daemon.become_idle();
    daemon.facts.schema = 1;
    EXPECT_EQ(daemon.round().front(), Step::look_through);

    daemon.step(); // settle
    daemon.step(); // keep_house
    daemon.facts.schema = 2;
    EXPECT_EQ(daemon.ask(), (Engine::Next{Step::wait, 0s})) << "it changed while usherd worked";
    EXPECT_EQ(daemon.ask().step, Step::look_through);
}

TEST(Engine, TheSchemaIsInspectedAgainWhenMoreMayBePutBack)
{
    Daemon daemon;
    daemon.become_idle();
    daemon.facts.inspect_again_at = daemon.facts.now + 1s;
    EXPECT_EQ(daemon.round().front(), Step::settle);
    daemon.facts.now += 1s;
    EXPECT_EQ(daemon.round().front(), Step::look_through);
}

TEST(Engine, AWishForASweepIsServedAtOnce)
{
    Daemon daemon;
    daemon.become_idle();
    daemon.step(); // settle
    daemon.step(); // keep_house
    daemon.facts.sweep_wished = true;
    EXPECT_EQ(daemon.step().step, Step::begin_sweep);
    EXPECT_EQ(daemon.step({.more = true}).step, Step::sweep);
    daemon.facts.sweep_wished = true; // found by the sweep itself
    EXPECT_EQ(daemon.step(), (Engine::Next{Step::wait, 0s}));
    EXPECT_THAT(
        daemon.round(), ElementsAre(Step::settle, Step::keep_house, Step::begin_sweep, Step::sweep, Step::wait)
    );
}

TEST(Engine, ABusyDatabaseIsTriedAgainAfterASecondWithNothingLost)
{
    struct Case {
        std::string name;
        int steps;
        std::vector<Step> next_round;
    };
    const Case cases[] = {
        {"while it looks through",
         0,
         {Step::look_through, Step::settle, Step::keep_house, Step::announce, Step::begin_sweep, Step::sweep,
          Step::wait}},
        {"while it settles",
         1,
         {Step::settle, Step::keep_house, Step::announce, Step::begin_sweep, Step::sweep, Step::wait}},
        {"while it keeps house",
         2,
         {Step::settle, Step::keep_house, Step::announce, Step::begin_sweep, Step::sweep, Step::wait}},
        {"while it begins a sweep", 4, {Step::settle, Step::keep_house, Step::begin_sweep, Step::sweep, Step::wait}},
        {"while it sweeps", 5, {Step::settle, Step::keep_house, Step::sweep, Step::wait}},
    };
    for (Case const& one : cases) {
        SCOPED_TRACE(one.name);
        Daemon daemon;
        for (int i = 0; i < one.steps; ++i)
            daemon.step();
        daemon.ask();
        daemon.engine.busy(false, daemon.facts.now);
        EXPECT_EQ(daemon.ask(), (Engine::Next{Step::wait, 1s}));
        EXPECT_EQ(daemon.round(), one.next_round);
    }
}

TEST(Engine, AReloadThatFindsTheDatabaseBusyComesAgain)
{
    Daemon daemon;
    daemon.become_idle();
    daemon.engine.request_reload();
    daemon.step();
    EXPECT_EQ(daemon.ask().step, Step::reload);
    daemon.engine.busy(false, daemon.facts.now);
    daemon.ask();
    EXPECT_THAT(daemon.round(), ElementsAre(Step::settle, Step::reload, Step::settle, Step::keep_house, Step::wait));
}

TEST(Engine, AStopGoesBeforeEverything)
{
    for (int steps = 0; steps < 8; ++steps) {
        Daemon daemon;
        for (int i = 0; i < steps; ++i)
            daemon.step({.more = true});
        daemon.engine.request_reload();
        daemon.engine.clock_was_set();
        daemon.engine.busy(true, daemon.facts.now);
        daemon.engine.request_stop();
        EXPECT_EQ(daemon.ask().step, Step::stop) << steps;
    }
}

TEST(Engine, AServingDaemonWaitsForAnIncompleteSchemaWithoutEnd)
{
    Daemon daemon;
    for (int i = 0; i < 100; ++i) {
        daemon.ask();
        daemon.engine.busy(true, daemon.facts.now);
        EXPECT_EQ(daemon.ask().step, Step::wait);
        daemon.facts.now += 1s;
    }
}

TEST(Engine, OnceGivesUpAfterHalfAMinuteOfAnIncompleteSchema)
{
    const auto is_given_up = [](Daemon& daemon) {
        daemon.ask();
        daemon.engine.busy(true, daemon.facts.now);
        return daemon.ask().step == Step::give_up;
    };
    Daemon daemon{Mode::once};
    EXPECT_FALSE(is_given_up(daemon));
    daemon.facts.now += 30s - 1ns;
    EXPECT_FALSE(is_given_up(daemon));
    daemon.facts.now += 1ns;
    EXPECT_TRUE(is_given_up(daemon));

    Daemon other{Mode::once};
    EXPECT_FALSE(is_given_up(other));
    other.facts.now += 29s;
    other.round(); // the schema was whole in between
    other.facts.now += 29s;
    EXPECT_FALSE(is_given_up(other));

    Daemon partial{Mode::once};
    for (int i = 0; i < 30; ++i) {
        partial.facts.schema += 1; // mended in part, each time
        EXPECT_EQ(partial.step().step, Step::look_through);
        EXPECT_EQ(partial.step().step, Step::begin_sweep);
        EXPECT_FALSE(is_given_up(partial)) << i << " s"; // to settle needs what is missing
        partial.facts.now += 1s;
    }
    EXPECT_TRUE(is_given_up(partial));

    Daemon held{Mode::once};
    for (int i = 0; i < 100; ++i) {
        held.ask();
        held.engine.busy(false, held.facts.now);
        EXPECT_EQ(held.ask().step, Step::wait) << "a lock is waited for";
        held.facts.now += 1s;
    }
}

TEST(Engine, OnceSweepsEverythingAndEndsWhenNothingIsDue)
{
    Daemon daemon{Mode::once};
    EXPECT_THAT(
        daemon.round({.looked_at = 3, .more = true}),
        ElementsAre(Step::look_through, Step::begin_sweep, Step::settle, Step::sweep, Step::wait)
    );
    EXPECT_EQ(daemon.last.wait, 0s);
    EXPECT_THAT(daemon.round(), ElementsAre(Step::settle, Step::sweep, Step::wait)) << "the sweep may have found some";
    EXPECT_EQ(daemon.last.wait, 0s);
    EXPECT_THAT(daemon.round({.looked_at = 1}), ElementsAre(Step::settle, Step::wait));
    EXPECT_THAT(daemon.round(), ElementsAre(Step::settle, Step::stop));
}

TEST(Engine, OnceWaitsForSessionsThatAreBeingMade)
{
    Daemon daemon{Mode::once};
    daemon.facts.calls_under_way = true;
    daemon.round();
    daemon.round();
    EXPECT_EQ(daemon.last, (Engine::Next{Step::wait, 30s}));
    daemon.facts.calls_under_way = false;
    EXPECT_THAT(daemon.round({.looked_at = 1}), ElementsAre(Step::settle, Step::wait));
    EXPECT_THAT(daemon.round(), ElementsAre(Step::settle, Step::stop));
}

TEST(Engine, OnceEndsOnlyByAPassThatBeganWhenAllSessionsWereMade)
{
    Daemon daemon{Mode::once};
    daemon.round();
    daemon.facts.calls_under_way = true;
    EXPECT_EQ(daemon.step().step, Step::settle);
    daemon.facts.calls_under_way = false; // made while it settled
    EXPECT_THAT(daemon.round(), ElementsAre(Step::wait));
    EXPECT_THAT(daemon.round(), ElementsAre(Step::settle, Step::stop));
}

TEST(Engine, OnceServesOneWishForASweep)
{
    Daemon daemon{Mode::once};
    daemon.round();
    daemon.facts.sweep_wished = true;
    EXPECT_THAT(daemon.round(), ElementsAre(Step::begin_sweep, Step::settle, Step::sweep, Step::wait));
    daemon.facts.sweep_wished = true;
    EXPECT_THAT(daemon.round(), ElementsAre(Step::settle, Step::stop));
}

} // namespace
} // namespace usher
