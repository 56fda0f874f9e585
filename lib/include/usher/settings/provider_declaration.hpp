// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <usher/core/failure.hpp>
#include <usher/core/time.hpp>
#include <usher/core/token.hpp>
#include <usher/settings/key.hpp>
#include <usher/settings/settings.hpp>

namespace usher {

/// What a kind of provider declares of itself, in a folder of its own. Everything that differs from one kind to the
/// next is asked here: nobody compares names.
struct ProviderDeclaration {
    /// Configurations and session rows name the kind by it: it never changes.
    std::string_view name;
    /// What identifies a project at this vendor. All of them are read, and those of other kinds refused.
    std::span<KeyDeclaration const> credentials;
    std::string_view project_key; ///< Of the credentials, the one that clients need beside the token.
    std::string_view secret;      ///< Of the credentials, the one that tokens are signed with.
    /// How the vendor is reached.
    std::span<KeyDeclaration const> connection{};
    /// To follow the name of a key for connections that this kind does not have: `the sandbox does not use the
    /// network`. Empty: the key alone is missing.
    std::string_view lacks_connection{};

    /// Sessions are made by calls over the network, which take time and fail: they are ordered ahead of time. Others
    /// are made on the spot, while tokens are signed.
    bool orders_sessions = true;
    /// Whoever is in a session can be thrown out, by calls over the network.
    bool disconnects = true;
    /// Its tokens open no real meeting, and people must be told.
    bool pretends = false;

    seconds life_limit{30 * 24 * 3600};   ///< Tokens live for less than this; 30 days at most.
    std::span<TokenFormat const> formats; ///< That its tokens may have.
    TokenFormat standard_format;          ///< One of them.
    /// `project` is for sentences. Errors: those of TokenSigner and of the key; none for settings that were checked.
    Result<TokenSigner> (*signer)(std::string_view project, Settings const& settings, TokenFormat format);

    /// Whether anything of it goes over the network, and is paced.
    bool uses_network() const { return orders_sessions || disconnects; }
};

/// The kinds that there are, in the order in which people are told of them. The first one needs no key: it serves where
/// there is no configuration.
using ProviderDeclarations = std::vector<ProviderDeclaration const*>;

/// Null when there is none of that name.
ProviderDeclaration const* find_kind(ProviderDeclarations const& kinds, std::string_view name);

/// All formats that any of the kinds takes, each once.
std::vector<TokenFormat> formats_of(ProviderDeclarations const& kinds);

} // namespace usher
