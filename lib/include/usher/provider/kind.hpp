// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <tl/expected.hpp>

#include <usher/core/time.hpp>
#include <usher/core/token.hpp>
#include <usher/provider/http_transport.hpp>
#include <usher/provider/kinds.hpp>
#include <usher/provider/provider.hpp>
#include <usher/settings/provider_declaration.hpp>

namespace usher {

/// What providers see of the world. `transport` fails with a sentence on the settings.
struct ProviderDoors {
    std::function<sys_seconds()> now;
    std::function<tl::expected<std::shared_ptr<HttpTransport>, std::string>(TransportSettings)> transport;
};

/// A kind of provider: what it declares, and how one is made for a project.
struct ProviderKind {
    using Made = tl::expected<std::shared_ptr<Provider>, std::string>;

    ProviderDeclaration declared;
    /// From checked settings. Requests are dated back by `clock_skew`. The error is a sentence of a door.
    Made (*make)(Settings const& settings, TokenSigner const& signer, seconds clock_skew, ProviderDoors const& doors);
};

} // namespace usher
