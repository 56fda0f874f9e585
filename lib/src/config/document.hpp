// SPDX-License-Identifier: Apache-2.0
// From the text of a YAML file to its nodes.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include <tl/expected.hpp>
#include <yaml-cpp/yaml.h>

#include "config/mistakes.hpp"

namespace usher {

/// A value with the key that it belongs to.
struct ConfigEntry {
    YAML::Node value;
    std::string key; ///< Its full name.
    Position at;     ///< Of the value, or of its key where there is no value.
};

using ConfigEntries = std::map<std::string, ConfigEntry, std::less<>>;

Position position_of(YAML::Mark const& mark);

/// For messages: `a map`.
std::string_view node_kind(YAML::Node const& node);

/// The one document of the file at `path`. `needed` says what an empty file must hold at least.
tl::expected<ConfigEntry, Mistake> read_document(std::string const& path, std::string const& needed);

} // namespace usher
