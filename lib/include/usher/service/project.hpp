// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include <usher/core/plan.hpp>
#include <usher/core/token.hpp>
#include <usher/provider/provider.hpp>
#include <usher/service/pace.hpp>

namespace usher {

/// A configured project with what signs its tokens and what creates its sessions.
struct Project {
    ProjectFacts facts;
    TokenSigner signer;
    std::shared_ptr<Provider> provider;
    PaceSettings pace{}; ///< Of calls over the network.
};

using ProjectsByName = std::map<std::string, Project, std::less<>>;

} // namespace usher
