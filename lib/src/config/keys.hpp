// SPDX-License-Identifier: Apache-2.0
// The keys of the configuration file, each listed once.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <usher/settings/key.hpp>
#include <usher/settings/provider_declaration.hpp>

namespace usher {

/// The keys of each section.
struct ConfigKeys {
    std::vector<KeyDeclaration> root;
    std::vector<KeyDeclaration> project; ///< Those of every kind, each name once.
    std::vector<KeyDeclaration> sessions;
    std::vector<KeyDeclaration> tokens;
    std::vector<KeyDeclaration> doors; ///< Of `tokens.early_join`, where it is a map.
    std::vector<KeyDeclaration> log;
    std::vector<KeyDeclaration> status;

    explicit ConfigKeys(ProviderDeclarations const& kinds);

    /// The full name of the one key that is called `name`, such as `projects.<name>.provider`; nothing when there is
    /// none, or more than one.
    std::optional<std::string> home_of(std::string_view name) const;
};

/// The keys that a project of this kind has.
std::vector<KeyDeclaration> keys_of(ProviderDeclaration const& kind);

/// Of them, those that its provider is made from.
std::vector<KeyDeclaration> provider_keys(ProviderDeclaration const& kind);

/// Keys that limit how long a token works, since no vendor revokes one. They are read for every kind, and refused where
/// they do not apply.
std::vector<KeyDeclaration> policy_keys();

std::vector<std::string_view> key_names(std::span<KeyDeclaration const> keys);

/// Names for a sentence: `a, b and c`.
std::string listed(std::vector<std::string_view> const& names);

/// Why `key` is none of a project of `kind`: `belongs to provider opentok; vonage has …`.
std::string belongs_to(std::string_view key, ProviderDeclaration const& kind, ProviderDeclarations const& kinds);

} // namespace usher
