// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <usher/config/config.hpp>
#include <usher/core/token.hpp>
#include <usher/provider/kinds.hpp>
#include <usher/store/promise_check.hpp>

namespace usher::test {

/// Every breach of a promise in a database of default sandbox projects, a line each; `lead` is that of its
/// configuration.
inline std::string check_database(std::string const& path, seconds lead = seconds{0})
{
    Config config = default_config(path, declarations_of());
    ProjectConfig& project = config.projects.at(0);
    if (lead.count() > 0)
        config.base.session_lead = config.base.token_lead = lead;
    const auto signer = project.signer();
    ProjectFacts facts;
    facts.name = project.name;
    facts.provider = project.kind->name;
    facts.project_key = signer->project_key();
    facts.key_id = signer->key_id();
    facts.format = project.token_format;
    facts.policy = config.policy_for(project);
    facts.policy_hash = hash_of(facts);
    Projects projects;
    projects.base = config.base;
    projects.by_name.emplace(facts.name, facts);

    const std::vector<Violation> found = find_violations(
        path, projects,
        [&](std::string_view, Credential const& credential) { return check_token(*signer, credential); },
        std::chrono::floor<seconds>(std::chrono::system_clock::now())
    );
    std::string lines;
    for (Violation const& violation : found)
        lines += violation.promise + " " + violation.meeting_id + ": " + violation.what + "\n";
    return lines;
}

} // namespace usher::test
