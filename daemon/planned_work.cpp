// SPDX-License-Identifier: Apache-2.0
#include "planned_work.hpp"

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

#include <usher/store/snapshots.hpp>

namespace usher {

namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr auto step_max = 50ms; // of a worker that others wait for
constexpr int step_cost = 20;   // while it is counted, at most a twentieth of a processor,
constexpr int count_cost = 100; // and all in all a hundredth
constexpr auto count_every = 60s;
constexpr auto wait_max = std::chrono::hours{1};
constexpr seconds day{86400};
constexpr seconds quarter{900};

/// All that a count needs, however long it takes.
struct Count {
    explicit Count(std::string const& database, WorkCounter::Known from)
        : known{std::move(from)}, walk{database}, ahead{known.projects, known.now, known.now, known.now + day}
    {}

    /// Whether there is more.
    bool step()
    {
        const auto wanted = [this](SnapshotHint const& hint) { return ahead.concerns(hint.due, hint.policy_hash); };
        const auto visit = [this](MeetingSnapshot const& meeting) { ahead.add(meeting); };
        return walk.go_on(wanted, visit, step_max);
    }

    PlannedWork result() const
    {
        PlannedWork work;
        work.at = known.now;
        work.rates = known.rates;
        for (auto const& [when, in_minute] : ahead.minutes()) {
            const auto index = std::max(when - known.now, seconds{0}) / quarter;
            if (index < static_cast<std::int64_t>(work.quarters.size()))
                work.quarters.at(static_cast<std::size_t>(index)) += in_minute;
        }
        for (auto const& [project, rate] : known.rates)
            work.peak_ratios.emplace(project, ahead.peak_ratio(project, rate));
        return work;
    }

    WorkCounter::Known known;
    SnapshotWalk walk;
    WorkAhead ahead;
};

} // namespace

SteadyClock::duration pause_within(SteadyClock::duration took)
{
    return (step_cost - 1) * took;
}

SteadyClock::duration pause_between(SteadyClock::duration took)
{
    return std::max<SteadyClock::duration>(count_every, count_cost * took);
}

WorkCounter::WorkCounter(
    Parts parts, std::string database, std::function<Known()> known,
    std::function<void(std::shared_ptr<PlannedWork const> const&)> counted
)
    : parts_{std::move(parts)}, database_{std::move(database)}, known_{std::move(known)}, counted_{std::move(counted)}
{}

boost::asio::awaitable<void> WorkCounter::run()
{
    for (;;) {
        SteadyClock::duration took{};
        const std::shared_ptr<PlannedWork const> work = co_await count();
        if (work) {
            took = work->took;
            counted_(work);
        } else {
            parts_.metrics.sample_failed();
        }
        const SteadyClock::time_point until = parts_.clock.steady_now() + pause_between(took);
        for (auto now = parts_.clock.steady_now(); now < until; now = parts_.clock.steady_now())
            co_await parts_.clock.wait(std::min<SteadyClock::duration>(until - now, wait_max));
    }
}

/// Nothing where the rows cannot be read: why, the engine says.
boost::asio::awaitable<std::shared_ptr<PlannedWork const>> WorkCounter::count()
{
    struct Step {
        std::optional<Count> count{};
        bool more = true;
        bool failed = false;
        SteadyClock::duration took{};
    };
    const auto step = std::make_shared<Step>();
    SteadyClock::duration took{};
    while (step->more && !step->failed) {
        std::function<void()> work = [step, database = database_, known = step->count ? Known{} : known_()] {
            const SteadyClock::time_point began = SteadyClock::now();
            try {
                if (!step->count)
                    step->count.emplace(database, known);
                step->more = step->count->step();
            } catch (std::exception const&) {
                step->failed = true;
            }
            step->took = SteadyClock::now() - began;
        };
        co_await on_workers(parts_.workers, parts_.clock, parts_.executor, std::move(work));
        took += step->took;
        if (step->more && !step->failed)
            co_await parts_.clock.wait(pause_within(step->took));
    }
    if (step->failed)
        co_return nullptr;
    PlannedWork result = step->count->result();
    result.took = took;
    co_return std::make_shared<PlannedWork const>(std::move(result));
}

} // namespace usher
