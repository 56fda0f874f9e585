// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include <usher/provider/provider.hpp>

namespace usher {

struct PaceSettings {
    std::size_t concurrency = 8; ///< Calls in flight at once; at least 1.
    double rate = 5;             ///< Calls a second in the long run; more than 0.
    double burst = 10;           ///< Calls at once after a pause; at least 1.
};

/// When one project's provider may be called: bounded in number, in rate, and by a circuit breaker, which opens when
/// calls fail for a reason that all share, or the provider asks for a pause, and then lets one probe through at a time.
/// Pure: instants come in as arguments, from the steady clock.
class Pace {
public:
    using Instant = std::chrono::steady_clock::time_point;

    Pace(std::string name, PaceSettings settings, Instant now);

    /// How many calls may start now.
    std::size_t allowance(Instant now);
    /// How many calls should be prepared, so that one can start at once when a place becomes free; no more than the
    /// rate allows in the next moment.
    std::size_t at_hand(Instant now);
    /// The next instant at which a call may start if no call ends before; nothing while all places are taken.
    std::optional<Instant> next(Instant now);

    void started();
    void succeeded(); ///< Or failed for a reason of its own: the provider is there.
    /// `patience` is how long the meeting that opens first can wait. Returns whether the circuit opens, or stays open,
    /// because of this failure.
    bool failed(ProviderFailure const& failure, Instant now, seconds patience);
    /// While open: the next probe comes at `by` at the latest, whatever was asked for.
    void hurry(Instant by);

    bool open() const { return open_; }
    /// While open: the next probe.
    Instant probe_at() const { return probe_at_; }
    /// While open: the last failure that opened it or kept it open.
    Instant failed_at() const { return failed_at_; }
    std::size_t running() const { return running_; }
    std::size_t concurrency() const { return settings_.concurrency; }

private:
    void refill(Instant now);

    std::string name_;
    PaceSettings settings_;
    double calls_left_; ///< By the rate; less than one: none.
    Instant refilled_;
    std::size_t running_ = 0;
    int failures_ = 0; ///< In a row.
    int openings_ = 0; ///< Since the last success.
    bool open_ = false;
    bool probing_ = false; ///< The call under way is a probe: it began after the circuit opened.
    Instant probe_at_{};
    Instant failed_at_{};
};

} // namespace usher
