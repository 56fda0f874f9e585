// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <usher/core/plan.hpp>
#include <usher/store/report.hpp>

#include "commands.hpp"

namespace usher::ctl {

/// What the planner must know of the projects, without their secrets.
struct KnownProjects {
    Projects projects;
    std::map<std::string, double, std::less<>> calls_per_second; ///< Of those that are called over the network.
    std::vector<std::string> notes;                              ///< What is not known.
};

/// As configured, with the keys that the daemon last signed with. With `--db` alone as the daemon recorded them; how
/// far ahead it works is not in the database then, and the defaults are taken.
KnownProjects known_projects(Context& context, Report const& rows);

/// A configured project without its secret. `key_id` names the key that it signs with.
ProjectFacts facts_of(Config const& config, ProjectConfig const& project, std::string key_id);

} // namespace usher::ctl
