// SPDX-License-Identifier: Apache-2.0
// What the two halves of SessionMaker share: calls that make sessions, and calls that throw people out of them.
#pragma once

#include <chrono>
#include <cstddef>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <usher/service/metrics.hpp>
#include <usher/service/session_maker.hpp>

namespace usher {

constexpr std::size_t queue_max = 10'000; // of one project; what does not fit is ordered again later
constexpr auto idle = std::chrono::hours{1};
constexpr seconds retry_base{2};
constexpr seconds patience_max{30 * 24 * 3600};

/// A project, and the calls to its provider that wait or are under way.
struct SessionMaker::ProjectCalls {
    CalledProject called;
    Pace pace;
    std::set<std::pair<sys_seconds, MeetingNo>> queue{}; ///< By need.
    std::map<MeetingNo, sys_seconds> queued{};
    std::vector<Order> begun{}; ///< On record, and waiting for a place.
    ProviderFailure refusal{};  ///< Why the circuit is open, while it is.
    std::optional<Outage> outage{};
    std::chrono::steady_clock::time_point closed_at{}; ///< When the circuit closed last.
    std::optional<seconds> clock_ahead{};
    WorkNo retried{};           ///< The last request for a new attempt.
    std::size_t emptying = 0;   ///< Sessions that people are being thrown out of.
    bool sessions_next = false; ///< The last call threw somebody out; a session that waits goes before another one.

    void put(MeetingNo meeting, sys_seconds opens)
    {
        take(meeting);
        queue.insert({opens, meeting});
        queued.emplace(meeting, opens);
        if (queue.size() > queue_max)
            take(std::prev(queue.end())->second);
    }
    void take(MeetingNo meeting)
    {
        if (const auto found = queued.find(meeting); found != queued.end()) {
            queue.erase({found->second, meeting});
            queued.erase(found);
        }
    }
    /// Whether a call would be made, were there a place.
    bool waits() const { return !queue.empty() || !begun.empty(); }
};

/// Tells the metrics, where there are any, that a call begins and that it ended.
class CountedCall {
public:
    CountedCall(Metrics* metrics, std::string project, VendorCall call, Clock const& clock)
        : metrics_{metrics}, project_{std::move(project)}, call_{call}, clock_{clock}, began_{clock.steady_now()}
    {
        if (metrics_ != nullptr)
            metrics_->call_started(project_, call_);
    }
    void ended(ProviderFailure const* failure) const
    {
        if (metrics_ == nullptr)
            return;
        const std::string_view outcome = failure == nullptr ? "ok" : to_text(failure->kind);
        metrics_->call_ended(project_, call_, outcome, clock_.steady_now() - began_);
        const bool is_answer =
            failure == nullptr || (failure->kind != FailureKind::transient && failure->kind != FailureKind::ambiguous);
        if (is_answer)
            metrics_->vendor_answered(project_, clock_.now());
    }

private:
    Metrics* metrics_;
    std::string project_;
    VendorCall call_;
    Clock const& clock_;
    std::chrono::steady_clock::time_point began_;
};

} // namespace usher
