// SPDX-License-Identifier: Apache-2.0
#include "known_projects.hpp"

#include <algorithm>

#include <usher/provider/kinds.hpp>

namespace usher::ctl {
namespace {

constexpr double usual_rate = 5; // calls a second, of a project whose configuration is not known

ProjectFacts recorded(ProjectReport const& report, ProviderDeclaration const* kind, Config const& config)
{
    ProjectFacts facts;
    facts.name = report.name;
    facts.provider = report.provider;
    facts.project_key = report.project_key;
    facts.key_id = report.key_id;
    facts.network = kind == nullptr || kind->orders_sessions; // one that this program does not know may be
    facts.disconnects = kind == nullptr || kind->disconnects;
    if (kind != nullptr)
        facts.format = kind->standard_format;
    facts.policy = config.base;
    return facts;
}

} // namespace

ProjectFacts facts_of(Config const& config, ProjectConfig const& project, std::string key_id)
{
    ProjectFacts facts;
    facts.name = project.name;
    facts.provider = project.kind->name;
    facts.project_key = project.project_key();
    facts.key_id = std::move(key_id);
    facts.format = project.token_format;
    facts.network = project.kind->orders_sessions;
    facts.disconnects = project.kind->disconnects;
    facts.connection_hash = project.connection_hash();
    facts.policy = config.policy_for(project);
    facts.policy_hash = hash_of(facts);
    return facts;
}

KnownProjects known_projects(Context& context, Report const& rows)
{
    Config const& config = context.config();
    const std::vector<ProjectReport> reports = rows.projects();
    const bool configured = context.database_path.empty();
    KnownProjects known;
    known.projects.base = config.base;
    if (!configured && !reports.empty()) {
        const ProviderDeclarations kinds = declarations_of();
        for (ProjectReport const& report : reports) {
            ProviderDeclaration const* const kind = find_kind(kinds, report.provider);
            ProjectFacts facts = recorded(report, kind, config);
            if (facts.network)
                known.calls_per_second.emplace(facts.name, usual_rate);
            known.projects.by_name.emplace(facts.name, std::move(facts));
        }
        known.notes.emplace_back("leads, lives and rates are the defaults; name the configuration with --config");
        return known;
    }
    for (ProjectConfig const& project : config.projects) {
        const auto report = std::find_if(reports.begin(), reports.end(), [&](ProjectReport const& each) {
            return each.name == project.name;
        });
        ProjectFacts facts = facts_of(config, project, report == reports.end() ? "" : report->key_id);
        if (facts.network)
            known.calls_per_second.emplace(facts.name, static_cast<double>(project.settings.number("rate")));
        known.projects.by_name.emplace(facts.name, std::move(facts));
    }
    return known;
}

} // namespace usher::ctl
