// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include <usher/core/time.hpp>
#include <usher/core/token.hpp>
#include <usher/provider/provider.hpp>
#include <usher/settings/provider_declaration.hpp>

namespace usher {

/// How a vendor answered a question that changes nothing.
struct Probed {
    std::optional<ProviderFailure> failure;     ///< Why no session would be had; nothing: one would.
    std::optional<seconds> clock_ahead;         ///< Of this machine, where an answer told.
    std::optional<sys_seconds> certified_until; ///< When the certificate of the server ends; nothing: none was shown.
};

/// Asks the vendor of a project who is in a session that does not exist: name, address, TLS, proxy and credentials must
/// be right for that. Waits for the answer. Nothing for a kind that has no such calls.
std::optional<Probed>
probe(ProviderDeclaration const& kind, Settings const& settings, TokenSigner const& signer, seconds clock_skew);

} // namespace usher
