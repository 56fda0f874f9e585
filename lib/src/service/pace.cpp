// SPDX-License-Identifier: Apache-2.0
#include <usher/service/pace.hpp>

#include <algorithm>

#include <usher/core/backoff.hpp>

namespace usher {

namespace {

constexpr int failures_to_open = 5;
// An outage's end must be noticed soon; credentials are put right by people, and asking all the time may lock them.
constexpr seconds probe_cap{30};
constexpr seconds probe_cap_for_people{300};
constexpr seconds pause_cap{24 * 3600}; // whatever a provider asks for
constexpr double ahead_seconds = 0.1;   // longer than a commit takes
// The part of a call that may be saved beyond the burst. It never makes a whole call. Without it a thread that wakes up
// late would lose the time since, and with a burst of 1 it would then miss the rate.
constexpr double lateness = 0.9;

} // namespace

Pace::Pace(std::string name, PaceSettings settings, Instant now)
    : name_{std::move(name)}, settings_{settings}, calls_left_{settings.burst}, refilled_{now}
{}

void Pace::refill(Instant now)
{
    const double passed = std::chrono::duration<double>(now - refilled_).count();
    if (passed > 0)
        calls_left_ = std::min(settings_.burst + lateness, calls_left_ + passed * settings_.rate);
    refilled_ = now;
}

std::size_t Pace::allowance(Instant now)
{
    refill(now);
    if (open_)
        return now >= probe_at_ && running_ == 0 ? 1 : 0;
    const std::size_t places = settings_.concurrency - std::min(running_, settings_.concurrency);
    return std::min(places, static_cast<std::size_t>(std::max(calls_left_, 0.0)));
}

std::size_t Pace::at_hand(Instant now)
{
    if (open_)
        return allowance(now);
    refill(now);
    const std::size_t places = settings_.concurrency - std::min(running_, settings_.concurrency);
    const double soon = calls_left_ + settings_.rate * ahead_seconds;
    return std::min(places + settings_.concurrency, static_cast<std::size_t>(std::max(soon, 0.0)));
}

std::optional<Pace::Instant> Pace::next(Instant now)
{
    refill(now);
    if (open_)
        return running_ == 0 ? std::optional{std::max(now, probe_at_)} : std::nullopt;
    if (running_ >= settings_.concurrency)
        return std::nullopt;
    if (calls_left_ >= 1)
        return now;
    const std::chrono::duration<double> wait{(1 - calls_left_) / settings_.rate};
    return now + std::chrono::duration_cast<std::chrono::steady_clock::duration>(wait) + std::chrono::microseconds{1};
}

void Pace::started()
{
    ++running_;
    calls_left_ -= 1;
    probing_ = open_;
}

void Pace::succeeded()
{
    --running_;
    if (open_ && !probing_)
        return; // was under way when the circuit opened, and says nothing about the pause that came after it
    failures_ = 0;
    openings_ = 0;
    open_ = probing_ = false;
}

bool Pace::failed(ProviderFailure const& failure, Instant now, seconds patience)
{
    --running_;
    ++failures_;
    if (open_ && !probing_)
        return false; // likewise
    const bool of_all = failure.of_project || failure.retry_after;
    if (!open_ && !of_all && failures_ < failures_to_open)
        return false;
    open_ = true;
    probing_ = false;
    failed_at_ = now;
    ++openings_;
    seconds delay =
        backoff(openings_, seconds{1}, needs_somebody(failure.kind) ? probe_cap_for_people : probe_cap, name_);
    if (failure.retry_after)
        delay = std::max(delay, std::min(*failure.retry_after, pause_cap));
    probe_at_ = now + std::max(std::min(delay, patience), seconds{1});
    return true;
}

void Pace::hurry(Instant by)
{
    if (open_)
        probe_at_ = std::min(probe_at_, by);
}

} // namespace usher
