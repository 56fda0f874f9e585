// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "commands.hpp"
#include "known_projects.hpp"
#include "output.hpp"
#include "times.hpp"

namespace usher::ctl {

/// Sessions of the next day that the vendors' quotas make come late: `12 sessions of partner come late, the first for
/// 10:15 UTC`. One for each project.
std::vector<std::string> late_sessions(Context& context, KnownProjects const& known, Times const& times);

/// What `plan --json` has of the next day. It names no meeting.
Json plan_of_a_day(Context& context, KnownProjects const& known, Times const& times);

} // namespace usher::ctl
