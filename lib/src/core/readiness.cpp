// SPDX-License-Identifier: Apache-2.0
#include <usher/core/readiness.hpp>

namespace usher {

namespace {

/// Whether what is wanted has been missing for too long. Where no row tells since when it is wanted, the meeting may
/// have been written a moment ago, and is late only if it has no time to wait.
bool is_late(MeetingFacts const& facts, sys_seconds now)
{
    if (facts.wanted_since)
        return now >= *facts.wanted_since + ready_within;
    return facts.opens && now >= *facts.opens - near_door;
}

} // namespace

Wanted wanted_at(Schedule const& schedule, sys_seconds now)
{
    if (now < schedule.session_from || now >= schedule.closes)
        return Wanted::nothing;
    return now < schedule.tokens_from ? Wanted::session : Wanted::session_and_tokens;
}

std::string_view to_text(Word word)
{
    switch (word) {
    case Word::ended: return "ended";
    case Word::cancelled: return "cancelled";
    case Word::failed: return "failed";
    case Word::ready: return "ready";
    case Word::at_risk: return "at risk";
    case Word::on_schedule: return "on schedule";
    }
    return {};
}

std::string_view json_name(Word word)
{
    switch (word) {
    case Word::at_risk: return "at_risk";
    case Word::on_schedule: return "on_schedule";
    default: return to_text(word);
    }
}

Word word_of(MeetingFacts const& facts, bool at_work, sys_seconds now)
{
    if (facts.closes && now >= *facts.closes)
        return Word::ended;
    if (facts.cancelled || (!facts.exists && facts.opens)) // it has been there
        return Word::cancelled;
    if (facts.state == State::failed)
        return Word::failed;
    if (facts.served)
        return Word::ready;
    if (facts.wanted && (!at_work || is_late(facts, now)))
        return Word::at_risk;
    return Word::on_schedule;
}

bool wanted_and_not_ready(MeetingFacts const& facts, sys_seconds now)
{
    const Word word = word_of(facts, true, now);
    return facts.wanted && (word == Word::failed || word == Word::at_risk || word == Word::on_schedule);
}

bool makes_verdict(MeetingFacts const& facts, sys_seconds now)
{
    const Word word = word_of(facts, true, now);
    const bool is_near = !facts.opens || *facts.opens <= now + verdict_span;
    return word == Word::at_risk || (word == Word::failed && facts.exists && is_near);
}

bool is_live(MeetingFacts const& facts, sys_seconds now)
{
    return facts.opens && now >= *facts.opens && (!facts.closes || now < *facts.closes);
}

DaemonState daemon_state(bool ever_ran, sys_seconds looked_at, ProcessState process, sys_seconds now)
{
    if (!ever_ran)
        return DaemonState::never_ran;
    if (process == ProcessState::gone)
        return DaemonState::stopped;
    if (now < looked_at + absent_after)
        return DaemonState::at_work;
    return process == ProcessState::runs ? DaemonState::hung : DaemonState::stopped;
}

std::string_view to_text(Verdict verdict)
{
    switch (verdict) {
    case Verdict::all_well: return "All well";
    case Verdict::at_risk: return "At risk";
    case Verdict::failing: return "Failing";
    }
    return {};
}

std::string_view json_name(Verdict verdict)
{
    switch (verdict) {
    case Verdict::all_well: return "all_well";
    case Verdict::at_risk: return "at_risk";
    case Verdict::failing: return "failing";
    }
    return {};
}

Verdict verdict_of(VerdictFacts const& facts)
{
    if (facts.damaged || facts.failed_near > 0)
        return Verdict::failing;
    if (facts.at_risk > 0 || facts.people_unserved > 0 || !facts.at_work)
        return Verdict::at_risk;
    return Verdict::all_well;
}

} // namespace usher
