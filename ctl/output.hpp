// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <usher/core/time.hpp>
#include <usher/store/report.hpp>

#include "printer.hpp"

namespace usher::ctl {

using Json = nlohmann::ordered_json;

/// The instant that "now" is for one command.
sys_seconds current_time();

/// `2021-02-06T09:00:00Z (in 2h 5m)`.
std::string at_and_relative(sys_seconds instant, sys_seconds now);

/// As above while it lies ahead; `due now` once it is being tried, or waits for its turn or for a daemon.
std::string next_attempt(sys_seconds instant, sys_seconds now);

/// `1 meeting`, `2 meetings`.
std::string counted(std::int64_t count, std::string_view thing);

/// Writes one document, indented. Bytes that are not UTF-8 become U+FFFD.
void print(Printer& out, Json const& document);

Json json_of(std::optional<sys_seconds> instant);
Json json_of(MeetingReport const& meeting);
Json json_of(ProblemReport const& problem);

/// Two lines about a meeting: what it is, and what is the matter with it.
void print(Printer& out, MeetingReport const& meeting, sys_seconds now);

} // namespace usher::ctl
