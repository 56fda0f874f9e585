// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

#include <usher/provider/http_transport.hpp>

#include "simulation/dice.hpp"
#include "simulation/story.hpp"
#include "simulation/virtual_clock.hpp"
#include "vendor/model.hpp"

namespace usher::simulation {

/// What somebody on the way answers, or the vendor on a bad day: nothing is done.
struct OddAnswer {
    char const* name;
    int status;
    char const* body;
};

/// One for each thing that an answer can tell.
std::span<OddAnswer const> odd_answers();

/// The vendor and the way there. The vendor's clock shows the true time, unless its behaviour says otherwise.
class Network {
public:
    Network(VirtualClock& clock, Story& story, std::uint64_t seed);

    vendor::Vendor vendor;

    int twice_in_a_hundred = 0; ///< Requests that arrive twice, as if somebody on the way had sent them again.
    int late_in_a_hundred = 0;  ///< Answers that come after the caller has given up.
    std::int64_t quota = 1000;  ///< Requests in one second; those beyond are refused.
    Duration latency_max = std::chrono::milliseconds{200};
    bool way_is_broken = false; ///< Every call fails, at some step of its way.
    std::deque<OddAnswer> odd;  ///< Each is the answer to one request.

    /// Told of each call, before it is under way.
    std::function<void()> on_call;
    /// Told when somebody asks who is in a session, to throw them out.
    std::function<void(std::string const& session_id)> on_disconnect;

    /// What a daemon sends through. Whoever dies while it waits for an answer never gets one.
    std::shared_ptr<HttpTransport> transport();

    /// How many answers the daemon was kept from, or given twice.
    std::int64_t faults_met() const { return faults_met_; }
    /// How many calls went wrong, whoever is to blame.
    std::int64_t calls_failed() const { return calls_failed_; }
    /// The project that the vendor made the session for; empty when it made no such session.
    std::string project_of(std::string const& session_id);

private:
    class Wire;
    bool is_beyond_quota();
    void note_fault(std::string const& text);

    VirtualClock& clock_;
    Story& story_;
    Dice dice_;
    std::int64_t second_ = 0;
    std::int64_t in_second_ = 0;
    std::int64_t faults_met_ = 0;
    std::int64_t calls_failed_ = 0;
    std::size_t sessions_seen_ = 0;
    std::map<std::string, std::string, std::less<>> made_; ///< Sessions and their projects.
};

} // namespace usher::simulation
