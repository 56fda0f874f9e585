// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <usher/async/clock.hpp>
#include <usher/core/work_ahead.hpp>
#include <usher/service/metrics.hpp>
#include <usher/service/workers.hpp>
#include <usher/store/report.hpp>

namespace usher {

/// Calls a second that each project which is called over the network allows.
using CallRates = std::map<std::string, double, std::less<>>;

/// What usher will do within a day, if nobody edits a row.
struct PlannedWork {
    sys_seconds at; ///< When it was counted.
    std::array<Work, quarters_in_day> quarters{};
    CallRates rates;                                        ///< By which it was judged.
    std::map<std::string, double, std::less<>> peak_ratios; ///< See WorkAhead::peak_ratio().
    std::chrono::steady_clock::duration took{};             ///< Of a processor, to count it.
};

/// How long the worker leaves the work to others after it has counted for so long, and how soon all is counted again.
std::chrono::steady_clock::duration pause_within(std::chrono::steady_clock::duration took);
std::chrono::steady_clock::duration pause_between(std::chrono::steady_clock::duration took);

/// Counts the planned work again and again, beside the daemon's own. That reads each meeting with its people, so it
/// goes in small steps, and costs a hundredth of a processor.
class WorkCounter {
public:
    struct Parts {
        Clock& clock;
        Metrics& metrics;
        boost::asio::any_io_executor executor; ///< Where all members are called,
        Workers workers;                       ///< and where the rows are read.
    };
    struct Known {
        sys_seconds now;
        Projects projects;
        CallRates rates;
    };

    /// `known` is asked before each count, `counted` is called after it.
    WorkCounter(
        Parts parts, std::string database, std::function<Known()> known,
        std::function<void(std::shared_ptr<PlannedWork const> const&)> counted
    );

    /// Until it is cancelled.
    boost::asio::awaitable<void> run();

private:
    boost::asio::awaitable<std::shared_ptr<PlannedWork const>> count();

    Parts parts_;
    std::string database_;
    std::function<Known()> known_;
    std::function<void(std::shared_ptr<PlannedWork const> const&)> counted_;
};

} // namespace usher
