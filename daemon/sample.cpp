// SPDX-License-Identifier: Apache-2.0
#include "sample.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include <usher/service/workers.hpp>

namespace usher {

namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr auto at_rest = 60s;
constexpr auto looked_at = 2s;
constexpr int cost_at_rest = 2000; // at most a two thousandth of a processor
constexpr int cost_looked_at = 20;
constexpr auto wait_max = std::chrono::hours{1};

Sample read(std::string const& database, Viewpoint view)
{
    Sample sample;
    sample.at = view.now;
    const Report report{database, view.now};
    sample.damages = report.damages();
    sample.health = report.health();
    sample.daemon = report.daemon();
    view.at_work = sample.daemon.looked_at + absent_after > view.now;
    try {
        sample.report = report.status(view);
    } catch (DatabaseError const&) {
        if (sample.damages.empty())
            throw;
        sample.is_unread = true;
    }
    sample.verdict = verdict_of(
        {.damaged = !sample.damages.empty(),
         .failed_near = sample.report.failed_near,
         .at_risk = sample.report.at_risk,
         .people_unserved = sample.report.not_served.total,
         .at_work = view.at_work}
    );
    return sample;
}

} // namespace

WordCounts Sample::window(std::size_t quarters) const
{
    WordCounts sum = report.live;
    for (std::size_t i = 0; i < quarters; ++i)
        for (std::size_t word = 0; word < sum.size(); ++word)
            sum[word] += report.quarters[i][word];
    return sum;
}

SteadyClock::duration pause_after(SteadyClock::duration took, bool somebody_looks)
{
    return somebody_looks ? std::max<SteadyClock::duration>(looked_at, took * cost_looked_at)
                          : std::max<SteadyClock::duration>(at_rest, took * cost_at_rest);
}

Sampler::Sampler(
    Parts parts, std::string database, std::function<Viewpoint()> view,
    std::function<void(std::shared_ptr<Sample const> const&)> taken
)
    : parts_{std::move(parts)},
      database_{std::move(database)},
      view_{std::move(view)},
      taken_{std::move(taken)},
      wakeup_{parts_.clock, parts_.executor}
{}

void Sampler::somebody_looks()
{
    looked_ = true;
    wakeup_.notify();
}

boost::asio::awaitable<void> Sampler::run()
{
    for (;;) {
        co_await take();
        for (;;) {
            const SteadyClock::duration left = *ended_ + pause_after(took_, looked_) - parts_.clock.steady_now();
            if (left <= SteadyClock::duration::zero())
                break;
            co_await wakeup_.wait(std::min<SteadyClock::duration>(left, wait_max));
        }
        looked_ = false;
    }
}

boost::asio::awaitable<void> Sampler::take()
{
    const SteadyClock::time_point began = parts_.clock.steady_now();
    const auto sample = std::make_shared<std::optional<Sample>>();
    std::function<void()> work = [sample, database = database_, view = view_()] {
        try {
            *sample = read(database, view);
        } catch (std::exception const&) { // no picture is worth the daemon: what is the matter, the engine says
        }
    };
    co_await on_workers(parts_.workers, parts_.clock, parts_.executor, std::move(work));
    ended_ = parts_.clock.steady_now();
    took_ = *ended_ - began;
    if (!*sample) {
        parts_.metrics.sample_failed();
        co_return;
    }
    (*sample)->taken = *ended_;
    (*sample)->took = took_;
    taken_(std::make_shared<Sample const>(std::move(**sample)));
}

} // namespace usher
