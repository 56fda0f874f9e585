// SPDX-License-Identifier: Apache-2.0
// One word for a meeting and one verdict over all, at each boundary.
#include <algorithm>
#include <functional>
#include <ostream>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include <usher/core/readiness.hpp>

namespace usher {

void PrintTo(Word word, std::ostream* out)
{
    *out << to_text(word);
}

namespace {

using namespace std::chrono_literals;

constexpr sys_seconds now{1'800'000'000s};

/// Its session or tokens are wanted and missing, since an hour ago; it opens in two hours.
MeetingFacts missing()
{
    MeetingFacts facts;
    facts.opens = now + 2h;
    facts.closes = now + 3h;
    facts.wanted = true;
    facts.wanted_since = now - 1h;
    return facts;
}

struct Row {
    char const* name;
    std::function<void(MeetingFacts&)> change;
    Word at_work;
    Word alone; ///< While nobody is at work.
};

TEST(Readiness, TheFirstWordThatFits)
{
    const Row rows[] = {
        {"wanted for an hour", [](auto&) {}, Word::at_risk, Word::at_risk},
        {"wanted for a minute", [](auto& f) { f.wanted_since = now - 60s; }, Word::at_risk, Word::at_risk},
        {"wanted for less", [](auto& f) { f.wanted_since = now - 59s; }, Word::on_schedule, Word::at_risk},
        {"wanted since some time, opens in half an hour",
         [](auto& f) {
             f.wanted_since.reset();
             f.opens = now + 30min;
         },
         Word::at_risk, Word::at_risk},
        {"wanted since some time, opens later",
         [](auto& f) {
             f.wanted_since.reset();
             f.opens = now + 30min + 1s;
         },
         Word::on_schedule, Word::at_risk},
        {"wanted since some time, live",
         [](auto& f) {
             f.wanted_since.reset();
             f.opens = now;
         },
         Word::at_risk, Word::at_risk},
        {"not wanted yet", [](auto& f) { f.wanted = false; }, Word::on_schedule, Word::on_schedule},
        {"served", [](auto& f) { f.served = true; }, Word::ready, Word::ready},
        {"served, due",
         [](auto& f) {
             f.served = true;
             f.state = State::ready;
         },
         Word::ready, Word::ready},
        {"recorded as ready, and somebody has no token", [](auto& f) { f.state = State::ready; }, Word::at_risk,
         Word::at_risk},
        {"failed", [](auto& f) { f.state = State::failed; }, Word::failed, Word::failed},
        {"failed, and the old tokens work",
         [](auto& f) {
             f.state = State::failed;
             f.served = true;
         },
         Word::failed, Word::failed},
        {"cancelled", [](auto& f) { f.cancelled = true; }, Word::cancelled, Word::cancelled},
        {"cancelled before usher looked",
         [](auto& f) {
             f.cancelled = true;
             f.state = State::ready;
             f.served = true;
         },
         Word::cancelled, Word::cancelled},
        {"cancelled and failed",
         [](auto& f) {
             f.cancelled = true;
             f.state = State::failed;
         },
         Word::cancelled, Word::cancelled},
        {"deleted", [](auto& f) { f.exists = false; }, Word::cancelled, Word::cancelled},
        {"people without a meeting",
         [](auto& f) {
             f.exists = false;
             f.wanted = false;
             f.opens.reset();
             f.closes.reset();
             f.state = State::waiting;
         },
         Word::on_schedule, Word::on_schedule},
        {"closes now", [](auto& f) { f.closes = now; }, Word::ended, Word::ended},
        {"closes in a second", [](auto& f) { f.closes = now + 1s; }, Word::at_risk, Word::at_risk},
        {"over and cancelled",
         [](auto& f) {
             f.closes = now;
             f.cancelled = true;
         },
         Word::ended, Word::ended},
        {"over and failed",
         [](auto& f) {
             f.closes = now - 1s;
             f.state = State::failed;
         },
         Word::ended, Word::ended},
    };
    for (Row const& row : rows) {
        MeetingFacts facts = missing();
        row.change(facts);
        EXPECT_EQ(word_of(facts, true, now), row.at_work) << row.name;
        EXPECT_EQ(word_of(facts, false, now), row.alone) << row.name << ", nobody at work";
    }
}

TEST(Readiness, WhatIsWantedAndNotReadyDoesNotWaitForTheWord)
{
    MeetingFacts facts = missing();
    facts.wanted_since = now;
    EXPECT_EQ(word_of(facts, true, now), Word::on_schedule);
    EXPECT_TRUE(wanted_and_not_ready(facts, now));
    facts.state = State::failed;
    EXPECT_TRUE(wanted_and_not_ready(facts, now));
    facts.wanted = false;
    EXPECT_FALSE(wanted_and_not_ready(facts, now));
    facts = missing();
    facts.served = true;
    EXPECT_FALSE(wanted_and_not_ready(facts, now));
    facts = missing();
    facts.cancelled = true;
    EXPECT_FALSE(wanted_and_not_ready(facts, now));
    facts = missing();
    facts.closes = now;
    EXPECT_FALSE(wanted_and_not_ready(facts, now));
}

TEST(Readiness, SessionAndTokensAreWantedUntilTheMeetingCloses)
{
    const Schedule schedule{now, now + 1h, now - 24h, now - 1h};
    EXPECT_EQ(wanted_at(schedule, now - 24h - 1s), Wanted::nothing);
    EXPECT_EQ(wanted_at(schedule, now - 24h), Wanted::session);
    EXPECT_EQ(wanted_at(schedule, now - 1h - 1s), Wanted::session);
    EXPECT_EQ(wanted_at(schedule, now - 1h), Wanted::session_and_tokens);
    EXPECT_EQ(wanted_at(schedule, now + 1h - 1s), Wanted::session_and_tokens);
    EXPECT_EQ(wanted_at(schedule, now + 1h), Wanted::nothing);
}

TEST(Readiness, AMeetingIsLiveFromItsEarliestDoorUntilItCloses)
{
    MeetingFacts facts;
    EXPECT_FALSE(is_live(facts, now));
    facts.opens = now;
    facts.closes = now + 1h;
    EXPECT_FALSE(is_live(facts, now - 1s));
    EXPECT_TRUE(is_live(facts, now));
    EXPECT_TRUE(is_live(facts, now + 1h - 1s));
    EXPECT_FALSE(is_live(facts, now + 1h));
}

TEST(Readiness, ADaemonIsAtWorkWhileItLooks)
{
    struct {
        bool ever_ran;
        seconds ago;
        ProcessState process;
        DaemonState state;
    } const rows[] = {
        {false, 0s, ProcessState::unknown, DaemonState::never_ran},
        {true, 3s, ProcessState::runs, DaemonState::at_work},
        {true, 149s, ProcessState::runs, DaemonState::at_work},
        {true, 150s, ProcessState::runs, DaemonState::hung},
        {true, 149s, ProcessState::unknown, DaemonState::at_work},
        {true, 150s, ProcessState::unknown, DaemonState::stopped},
        {true, 3s, ProcessState::gone, DaemonState::stopped},
        {true, 150s, ProcessState::gone, DaemonState::stopped},
        {true, -10s, ProcessState::runs, DaemonState::at_work}, // the clock was set back
    };
    for (auto const& row : rows)
        EXPECT_EQ(daemon_state(row.ever_ran, now - row.ago, row.process, now), row.state) << row.ago.count();
}

TEST(Readiness, AMeetingMakesTheVerdictAsAllOfThemDo)
{
    MeetingFacts failed;
    failed.state = State::failed;
    failed.wanted = true;
    for (auto const& [opens, makes] : {std::pair{now + 24h, true}, std::pair{now + 24h + 1s, false}}) {
        failed.opens = opens;
        EXPECT_EQ(makes_verdict(failed, now), makes);
    }
    failed.closes = now;
    failed.opens = now - 1h;
    EXPECT_FALSE(makes_verdict(failed, now)) << "it is over";
    MeetingFacts waits;
    waits.opens = now + 48h;
    waits.wanted = true;
    for (auto const& [since, makes] : {std::pair{now - 60s, true}, std::pair{now - 59s, false}}) {
        waits.wanted_since = since;
        EXPECT_EQ(makes_verdict(waits, now), makes) << "however far it is";
    }
}

TEST(Readiness, HasOneNameForEachWordInJson)
{
    for (const Word word :
         {Word::ended, Word::cancelled, Word::failed, Word::ready, Word::at_risk, Word::on_schedule}) {
        std::string name{to_text(word)};
        std::replace(name.begin(), name.end(), ' ', '_');
        EXPECT_EQ(json_name(word), name);
    }
    EXPECT_EQ(json_name(Verdict::all_well), "all_well");
    EXPECT_EQ(json_name(Verdict::at_risk), "at_risk");
    EXPECT_EQ(json_name(Verdict::failing), "failing");
}

TEST(Readiness, TheVerdictIsTheWorst)
{
    struct {
        VerdictFacts facts;
        Verdict verdict;
    } const rows[] = {
        {{false, 0, 0, 0, true}, Verdict::all_well}, {{false, 0, 1, 0, true}, Verdict::at_risk},
        {{false, 0, 0, 1, true}, Verdict::at_risk},  {{false, 0, 0, 0, false}, Verdict::at_risk},
        {{false, 1, 0, 0, true}, Verdict::failing},  {{true, 0, 0, 0, true}, Verdict::failing},
        {{false, 1, 1, 1, false}, Verdict::failing},
    };
    for (auto const& row : rows)
        EXPECT_EQ(verdict_of(row.facts), row.verdict);
}

} // namespace
} // namespace usher
