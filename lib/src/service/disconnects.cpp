// SPDX-License-Identifier: Apache-2.0
// Throwing people out of sessions that they are to be in no longer.
#include <algorithm>

#include <usher/core/backoff.hpp>
#include <usher/service/log_event.hpp>

#include "service/project_calls.hpp"

namespace usher {

namespace {

using SteadyClock = std::chrono::steady_clock;

// In the table `history`.
constexpr char disconnected[] = "disconnected";
constexpr char disconnect_failed[] = "disconnect_failed";
constexpr char disconnect_needless[] = "disconnect_needless";

constexpr std::size_t disconnects_at_once = 100;
constexpr int disconnect_tries = 30; // then whoever is there stays there, and log and history say so
constexpr seconds disconnect_cap{60};
constexpr seconds disconnect_patience{600}; // the longest pause, whatever was asked for: people are there
constexpr auto turn_of_sessions = std::chrono::milliseconds{10}; // in which one that waits takes its place

} // namespace

/// Some requests that throw people out of one session: one at a time, each with a place of its own among the calls of
/// the project.
struct SessionMaker::Emptying {
    std::shared_ptr<ProjectCalls> project;
    Disconnect row;
    bool has_place = false; ///< A request is under way.
    bool is_left = false;   ///< There is no place for the next one, or
    bool is_unread = false; ///< nobody can tell whether it is still wanted.
    WhyNotDisconnect stopped{};
};

void SessionMaker::want_disconnects()
{
    disconnects_wanted_ = true;
    wakeup_.notify();
}

void SessionMaker::retry_disconnects()
{
    const SteadyClock::time_point now = clock_.steady_now();
    for (auto const& [name, project] : projects_)
        hurry_disconnects(*project, now);
    for (auto& [session, tries] : disconnects_)
        tries.next = std::min(tries.next, now);
    want_disconnects();
}

/// While the circuit is open, and somebody is to be thrown out: the next probe comes at `by` at the latest.
void SessionMaker::hurry_disconnects(ProjectCalls& project, SteadyClock::time_point by)
{
    if (project.pace.open() && !store_.read_disconnects(project.called.facts.name, 1).empty())
        hurry(project, by);
}

/// Starts what may be started of the sessions that are marked; returns when to look again.
SteadyClock::duration SessionMaker::start_disconnects()
{
    if (!disconnects_wanted_ || stopping_)
        return idle;
    StartedDisconnects all = start_disconnects(std::nullopt);
    for (auto const& [name, facts] : known_.by_name) {
        const StartedDisconnects started = start_disconnects(name);
        all.any_left = all.any_left || started.any_left;
        all.wait = std::min(all.wait, started.wait);
    }
    disconnects_wanted_ = all.any_left;
    return std::max(all.wait, SteadyClock::duration::zero());
}

/// Of one project, or of those that are not configured.
SessionMaker::StartedDisconnects SessionMaker::start_disconnects(std::optional<std::string> const& name)
{
    SteadyClock::duration wait = idle;
    const auto found = name ? projects_.find(*name) : projects_.end();
    const SteadyClock::time_point now = clock_.steady_now();
    const auto has_place = [&] {
        if (found == projects_.end())
            return true;
        ProjectCalls const& project = *found->second;
        if (project.emptying >= std::max<std::size_t>(project.pace.concurrency() / 2, 1))
            return false; // until one of them is over
        const auto next = next_disconnect(*found->second, now);
        if (next && *next <= now)
            return true;
        wait = std::min<SteadyClock::duration>(wait, next ? *next - now : idle); // else a call will end
        return false;
    };
    if (found != projects_.end())
        hurry_disconnects(*found->second, found->second->pace.failed_at() + disconnect_patience);
    if (!has_place())
        return {true, wait};
    const std::vector<Disconnect> rows = store_.read_disconnects(name, disconnects_at_once);
    for (Disconnect const& row : rows) {
        Tries& tries = disconnects_[row.session.number];
        if (tries.under_way)
            continue;
        if (tries.next > now) {
            wait = std::min(wait, tries.next - now);
            continue;
        }
        if (!has_place())
            break;
        if (WhyNotDisconnect why = why_not(row); !why.sentence.empty()) {
            end_disconnect(row, why.is_needless ? disconnect_needless : disconnect_failed, std::move(why.sentence));
            continue;
        }
        tries.under_way = true;
        ++found->second->emptying;
        calls_.spawn("disconnect call", disconnect(found->second, row));
    }
    return {!rows.empty(), wait};
}

/// Why nobody is thrown out of a session that is marked for it.
WhyNotDisconnect SessionMaker::why_not(Disconnect const& row) const
{
    if (!row.ours)
        return {"usher did not write its row"};
    if (row.shared)
        return {"another meeting is served by it"};
    const MeetingNo number = row.meeting;
    const std::vector<MeetingSnapshot> meeting = store_.read_orders({&number, 1});
    return why_not_disconnect(meeting.empty() ? MeetingSnapshot{} : meeting.front(), row.session, known_, clock_.now());
}

/// When the next request may be sent; nothing when a call has to end before. While sessions wait too, they have every
/// other place.
std::optional<SessionMaker::SteadyInstant>
SessionMaker::next_disconnect(ProjectCalls& project, SteadyClock::time_point now)
{
    auto next = project.pace.next(now);
    if (next && project.sessions_next && project.waits())
        next = std::max(*next, now + turn_of_sessions);
    return next;
}

/// A place for the next request, if there is one and the request is still wanted.
bool SessionMaker::take_turn(Emptying& emptying)
{
    ProjectCalls& project = *emptying.project;
    if (std::exchange(emptying.has_place, false)) { // the request before went well
        hear(project, nullptr, std::nullopt, clock_.now() + patience_max);
        start(emptying.project);
    }
    const SteadyClock::time_point now = clock_.steady_now();
    const auto next = next_disconnect(project, now);
    emptying.is_left = stopping_ || !next || *next > now;
    if (emptying.is_left)
        return false;
    try { // the platform may have its meeting on again by now
        emptying.stopped = why_not(emptying.row);
    } catch (std::runtime_error const&) { // the next step meets it too, and says so
        emptying.is_unread = true;
    }
    if (emptying.is_unread || !emptying.stopped.sentence.empty())
        return false;
    project.pace.started();
    project.sessions_next = emptying.has_place = true;
    return true;
}

boost::asio::awaitable<void> SessionMaker::disconnect(std::shared_ptr<ProjectCalls> project, Disconnect row)
{
    Tries& tries = disconnects_[row.session.number];
    if (!tries.emptier || tries.project != project) { // the configuration may be another one since
        tries.project = project;
        tries.emptier = project->called.provider->emptier(row.session.session_id);
    }
    SessionOrder asked{{}, clock_.now(), {random_.next(), random_.next(), random_.next()}};
    const SteadyClock::time_point started = say_started(*project, "disconnect", row.meeting_id);
    const CountedCall counted{metrics_, project->called.facts.name, VendorCall::disconnect, clock_};
    Emptying emptying{project, row};
    std::function<bool()> turn = [this, &emptying] { return take_turn(emptying); };
    const DisconnectOutcome outcome = co_await tries.emptier->go_on(std::move(asked), std::move(turn));
    WhyNotDisconnect& stopped = emptying.stopped;
    --project->emptying;
    ProviderFailure const* const failure = outcome.disconnected ? nullptr : &outcome.disconnected.error();
    counted.ended(failure);
    say_done(*project, "disconnect", row.meeting_id, started, failure);
    if (emptying.has_place)
        hear(*project, failure, outcome.clock_ahead, clock_.now() + patience_max);
    tries.under_way = false;
    if (!stopped.sentence.empty()) {
        std::string detail = std::move(stopped.sentence);
        if (outcome.disconnected && *outcome.disconnected > 0)
            detail += "; " + std::to_string(*outcome.disconnected) + " connections had been ended";
        end_disconnect(row, stopped.is_needless ? disconnect_needless : disconnect_failed, std::move(detail));
    } else if (emptying.is_unread) {
        tries.next = clock_.steady_now() + retry_base;
    } else if (emptying.is_left) {
        tries.next = clock_.steady_now() + turn_of_sessions;
    } else if (failure == nullptr) {
        end_disconnect(row, disconnected, std::to_string(*outcome.disconnected) + " connections");
    } else {
        // What all calls share is waited for as long as it takes: the circuit sees to it that this costs few of them.
        tries.failures += failure->of_project || failure->retry_after ? 0 : 1;
        tries.next = clock_.steady_now() +
                     backoff(std::max(tries.failures, 1), retry_base, disconnect_cap, row.session.session_id);
        if (tries.failures == disconnect_tries || outcome.is_endless)
            end_disconnect(row, disconnect_failed, failure->reason + ": " + failure->detail);
    }
    disconnects_wanted_ = true;
    wakeup_.notify();
}

void SessionMaker::end_disconnect(Disconnect const& row, std::string event, std::string detail)
{
    if (event != disconnected)
        log_event(
            event == disconnect_needless ? "disconnect.needless"_event : "disconnect.failed"_event,
            {{"project", row.session.project},
             {"meeting_id", row.meeting_id},
             {"session_id", row.session.session_id},
             {"reason", detail}}
        );
    disconnects_[row.session.number].under_way = true; // until it is on record
    if (!row.ours)
        event.clear(); // what others wrote is no part of a meeting's history
    ended_disconnects_.push_back({row.session.number, row.meeting, std::move(event), std::move(detail)});
}

} // namespace usher
