// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include <usher/config/config.hpp>

namespace usher {

/// One mistake in a configuration file.
struct ConfigError {
    std::string file;
    int line;            ///< From 1; 0 where the mistake is the file itself.
    int column;          ///< From 1; counted in characters as yaml-cpp counts them.
    std::string key;     ///< Such as `tokens.lead`; may be empty.
    std::string message; ///< What was expected and what was found. Never a secret.

    /// `usher.yaml:12:5: tokens.lead: expected a duration such as 90m, got "soon"`.
    std::string text() const;
};

/// Whether the secrets that a configuration names are read. A program that only looks at the database needs none of
/// them, and may have no right to read them. Without secrets all keys are empty.
enum class Secrets : std::uint8_t { read, leave };

/// Reads and checks a configuration file and the secrets it names; projects may have providers of these kinds. All
/// mistakes are reported at once, in the order of their positions; after the first hundred, one more says that there
/// are others.
tl::expected<Config, std::vector<ConfigError>>
load_config(std::string const& path, ProviderDeclarations const& kinds, Secrets secrets = Secrets::read);

/// The words by which a refused reload says that a restart takes the file.
inline constexpr std::string_view with_restart_only = "changes with a restart only";

/// All keys that there are, such as `tokens.lead`; those of a project begin with `projects.`.
std::vector<std::string> configuration_keys(ProviderDeclarations const& kinds);

} // namespace usher
