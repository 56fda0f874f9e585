// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <usher/async/clock.hpp>
#include <usher/async/wakeup.hpp>
#include <usher/core/readiness.hpp>
#include <usher/service/metrics.hpp>
#include <usher/service/workers.hpp>
#include <usher/store/report.hpp>

namespace usher {

/// How everything stood at one instant: what STATUS=, /readyz, metrics and the page tell, the same as `usherctl
/// status`.
struct Sample {
    sys_seconds at;
    std::chrono::steady_clock::time_point taken; ///< When it was at hand,
    std::chrono::steady_clock::duration took{};  ///< so long after it was begun.
    DaemonReport daemon;
    StatusReport report;
    std::vector<Damage> damages;
    std::vector<HealthRow> health;
    Verdict verdict = Verdict::all_well;
    bool is_unread = false; ///< The rows could not be read, because of the damage.

    /// Of meetings that are live or open within `quarters` of an hour.
    WordCounts window(std::size_t quarters) const;
};

/// How soon after a sample that took so long the next one may be taken: small ones follow each other closely where
/// somebody looks, and large ones cost little of the processor.
std::chrono::steady_clock::duration pause_after(std::chrono::steady_clock::duration took, bool somebody_looks);

/// Takes samples beside the daemon's work: every minute, and sooner where somebody looks.
class Sampler {
public:
    struct Parts {
        Clock& clock;
        Metrics& metrics;
        boost::asio::any_io_executor executor; ///< Where all members are called,
        Workers workers;                       ///< and where the rows are read.
    };

    /// `view` is asked before each sample, `taken` is called after it.
    Sampler(
        Parts parts, std::string database, std::function<Viewpoint()> view,
        std::function<void(std::shared_ptr<Sample const> const&)> taken
    );

    /// Until it is cancelled.
    boost::asio::awaitable<void> run();

    /// Somebody looks: the next sample comes soon.
    void somebody_looks();

private:
    boost::asio::awaitable<void> take();

    Parts parts_;
    std::string database_;
    std::function<Viewpoint()> view_;
    std::function<void(std::shared_ptr<Sample const> const&)> taken_;
    Wakeup wakeup_;
    bool looked_ = false;
    std::optional<std::chrono::steady_clock::time_point> ended_; ///< The last attempt,
    std::chrono::steady_clock::duration took_{};                 ///< and what it took.
};

} // namespace usher
