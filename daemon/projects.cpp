// SPDX-License-Identifier: Apache-2.0
#include "projects.hpp"

#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>

#include <usher/service/log_event.hpp>

namespace usher {

std::vector<Project> projects_of(Config& config, ProviderDoors const& doors, ProviderKinds kinds)
{
    std::vector<Project> projects;
    for (ProjectConfig& configured : config.projects) {
        const std::string where = "projects." + configured.name + ": ";
        auto signer = configured.signer();
        if (!signer)
            throw std::runtime_error{where + signer.error().message};
        ProviderDeclaration const& kind = *configured.kind;
        if (kind.pretends)
            log_event("project.sandbox"_event, {{"project", configured.name}});
        auto provider = kind_of(kind, kinds).make(configured.settings, *signer, config.base.clock_skew, doors);
        if (!provider)
            throw std::runtime_error{where + provider.error()};
        Project project{{}, *signer, std::move(*provider)};
        project.facts.name = configured.name;
        project.facts.provider = kind.name;
        project.facts.project_key = project.signer.project_key();
        project.facts.key_id = project.signer.key_id();
        project.facts.format = configured.token_format;
        project.facts.policy = config.policy_for(configured);
        project.facts.connection_hash = configured.connection_hash();
        if (kind.uses_network()) {
            project.pace.concurrency = static_cast<std::size_t>(configured.settings.number("concurrency"));
            project.pace.rate = static_cast<double>(configured.settings.number("rate"));
            project.pace.burst = static_cast<double>(configured.settings.number("burst"));
        }
        projects.push_back(std::move(project));
        configured.settings.forget_secrets(); // the signer has made of them what it needs
    }
    return projects;
}

} // namespace usher
