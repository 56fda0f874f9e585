// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include <usher/config/config.hpp>
#include <usher/provider/kind.hpp>
#include <usher/service/provisioning.hpp>

namespace usher {

/// What the daemon works with, from what is configured; the secrets in `config` are forgotten. Errors: runtime_error
/// with a sentence on the project.
std::vector<Project> projects_of(Config& config, ProviderDoors const& doors, ProviderKinds kinds = provider_kinds());

} // namespace usher
