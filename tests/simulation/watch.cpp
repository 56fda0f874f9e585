// SPDX-License-Identifier: Apache-2.0
#include "simulation/watch.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace usher::simulation {

namespace {

using namespace std::chrono_literals;

constexpr std::int64_t rounds_an_hour = 3000; // that a daemon may take at most, beside those for edits
constexpr std::int64_t rounds_an_edit = 60;
// In half an hour: each of three projects asks every ten seconds while somebody waits at a door.
constexpr std::int64_t failed_calls_max = 600;

} // namespace

void Watch::check_rounds()
{
    const std::int64_t rounds = world_.rounds - rounds_before_;
    const std::int64_t edits = world_.edits - edits_before_;
    if (spins_ || rounds <= rounds_an_hour / 2 + rounds_an_edit * edits)
        return;
    spins_ = true;
    world_.oracle.report(
        "spin", "", "a daemon took " + std::to_string(rounds) + " rounds for " + std::to_string(edits) + " edits"
    );
    world_.options.violations_max = 1; // the rest of the month would take for ever
}

/// A vendor that is away is asked now and then.
void Watch::check_calls()
{
    const std::int64_t failed = world_.network.calls_failed();
    const std::int64_t now = failed - std::exchange(failed_before_, failed);
    most_failed_ = std::max(most_failed_, now);
    if (now > failed_calls_max)
        world_.oracle.report("pace", "", std::to_string(now) + " calls failed within half an hour");
}

void Watch::begin()
{
    world_.events.after(30min, [this] { half_hour(); });
}

void Watch::half_hour()
{
    begin();
    check_rounds();
    check_calls();
    if (world_.sound)
        world_.oracle.check_views();
    spins_ = false;
    rounds_before_ = world_.rounds;
    edits_before_ = world_.edits;
    ++half_hours_;
    sound_half_hours_ += world_.sound ? 1 : 0;
    if (world_.sound && !world_.blind && half_hours_ % 2 == 0)
        look_at_what_is_live();
    if (world_.is_calm() && world_.sound && !world_.blind) {
        ++calm_half_hours_;
        look_at_doors();
        world_.oracle.check_rotations(recovery);
    }
    if (world_.clock.true_now().time_since_epoch() % 24h < 30min) {
        world_.oracle.check_all(false);
        if (world_.is_calm() && world_.sound)
            world_.oracle.check_upkeep();
    }
}

/// What people join now, or soon, is looked at again, though nothing was published; and somebody comes.
void Watch::look_at_what_is_live()
{
    std::vector<std::pair<std::string, std::string>> live; // its session, if it began not long ago
    {
        const Question query = world_.reader().ask(
            "SELECT a.meeting_id, iif(a.opens > ?1 - 7200, s.session_id, '') FROM agenda a JOIN session s "
            "USING (session_no) WHERE a.state = 'ready' AND a.opens < ?1 + 3600 AND a.closes > ?1 "
            "ORDER BY a.meeting_no"
        );
        query->bind(1, unix_seconds(world_.clock.now()));
        while (query->executeStep())
            live.emplace_back(query->getColumn(0).getString(), query->getColumn(1).getString());
    }
    const auto now = std::chrono::floor<std::chrono::milliseconds>(world_.clock.true_time());
    for (auto const& [meeting, session] : live) {
        world_.oracle.check(meeting);
        if (!session.empty())
            world_.network.vendor.connect(session, now);
    }
}

/// After a calm, whoever comes when his meeting starts is served.
void Watch::look_at_doors()
{
    const Question query = world_.reader().ask(
        "SELECT m.id, coalesce(a.state, 'unknown'), coalesce(a.reason, ''), coalesce(a.next_at - ?1, 0), "
        "coalesce(a.due_at - ?1, 0) FROM meeting m LEFT JOIN agenda a ON a.meeting_id = m.id WHERE "
        "m.status = 'scheduled' AND m.starts_at > ?1 - 1800 AND m.starts_at <= ?1 AND m.ends_at > ?1 AND "
        "coalesce(a.state, 'unknown') NOT IN ('ready', 'ended')"
    );
    query->bind(1, unix_seconds(world_.clock.now()));
    while (query->executeStep()) {
        const std::string meeting = query->getColumn(0).getString();
        const std::string reason = query->getColumn(2).getString();
        if (reason == "unknown_project" || reason == "session_of_another_project" || reason == "row_invalid")
            continue;
        bool is_fresh = false;
        for (auto const& platform : world_.platforms)
            if (const auto edited = platform->edited_at(meeting))
                is_fresh = is_fresh || world_.clock.steady_now() - *edited < 5min;
        if (!is_fresh)
            world_.oracle.report(
                "P1", meeting,
                "starts, and is " + query->getColumn(1).getString() + " " + reason + " after a calm; next attempt in " +
                    query->getColumn(3).getString() + " s, due in " + query->getColumn(4).getString() + " s"
            );
    }
}

std::int64_t Watch::percent(std::int64_t half_hours) const
{
    return 100 * half_hours / std::max<std::int64_t>(half_hours_, 1);
}

} // namespace usher::simulation
