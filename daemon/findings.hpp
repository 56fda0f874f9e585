// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <usher/core/time.hpp>

#include "sample.hpp"

namespace usher {

enum class FindingSeverity : std::uint8_t { critical, warning, note };

/// `critical`, as metrics and JSON have it.
std::string_view to_text(FindingSeverity severity);

/// Something that is not as it should be, or that is good to know.
struct Finding {
    std::string id; ///< One of finding_ids.
    FindingSeverity severity = FindingSeverity::warning;
    std::string project; ///< Of which it is; empty for all.
    std::string text;
    std::string way_out;
    std::vector<std::string> hides{}; ///< What follows from it, and is not listed by itself.
};

/// Every id that there is, in the order of importance; docs/monitoring.md says what each means.
inline constexpr std::string_view finding_ids[] = {
    "contract_damaged",  "not_looking",    "meetings_failed", "circuit_open", "meetings_at_risk",
    "people_not_served", "config_refused", "store_concern",   "clock_off",    "no_real_meetings",
};

/// What the daemon knows beside the rows.
struct DaemonFacts {
    sys_seconds now;
    std::string refused_reload{}; ///< Why the last reload was refused; empty when it was taken.
    sys_seconds refused_at{};
    std::vector<std::string> pretending_projects{};
};

/// The most important first; what follows from another is in its `hides`.
std::vector<Finding> findings_of(Sample const& sample, DaemonFacts const& facts);

/// Whether everybody who may enter now, or within a quarter of an hour, can.
bool is_ready(Sample const& sample);

/// For STATUS= and the page: how things stand and, if well, until when they stay so without usherd.
std::string status_sentence(Sample const& sample, DaemonFacts const& facts);

} // namespace usher
