// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <usher/service/log_event.hpp>

namespace usher {

/// Thins out floods: of an event of a project, the first few of a minute pass, and the others are counted. Pure.
class Flood {
public:
    using Instant = std::chrono::steady_clock::time_point;

    /// What a minute left out.
    struct LeftOut {
        LogEvent const* event;
        std::string project; ///< Empty where the event has none.
        std::size_t count;
    };

    static constexpr std::size_t passed_max = 5;

    /// Whether the event passes.
    bool passes(LogEvent const& event, std::string const& project, Instant now);

    /// Of minutes that are over; of all that began, at the end.
    std::vector<LeftOut> over(Instant now, bool all = false);

private:
    struct Minute {
        Instant since{};
        std::size_t passed = 0;
        std::size_t left_out = 0;
    };
    std::map<std::pair<LogEvent const*, std::string>, Minute> minutes_;
};

} // namespace usher
