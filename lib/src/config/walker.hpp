// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <usher/config/load.hpp>
#include <usher/settings/key.hpp>
#include <usher/settings/settings.hpp>

#include "config/document.hpp"
#include "config/keys.hpp"
#include "config/mistakes.hpp"

namespace usher {

/// `projects` and `default` are `projects.default`.
std::string under(std::string const& parent, std::string_view name);

/// A map of the file: what was written, and the values of all its keys.
struct Section {
    ConfigEntries written;
    Settings values;
};

/// Walks over the maps of a file by their declared keys. What is wrong goes to `mistakes`; the default then stands for
/// what was written.
class Walker {
public:
    /// `keys` are to find the home of a key that stands at the wrong place.
    Walker(std::filesystem::path folder, Secrets secrets, ConfigKeys const& keys, Mistakes& mistakes)
        : folder_{std::move(folder)}, secrets_{secrets}, keys_{keys}, mistakes_{mistakes}
    {}

    using IsKey = std::function<bool(std::string const& name, Position at)>;
    /// The pairs of a map whose name `is_key` takes; a repeated one counts once.
    ConfigEntries entries(ConfigEntry const& map, IsKey const& is_key);
    ConfigEntries known_entries(ConfigEntry const& map, std::span<KeyDeclaration const> keys);

    /// A section of `parent` that may be left out or left empty.
    Section section(ConfigEntries const& parent, std::string_view name, std::span<KeyDeclaration const> keys);
    Settings values(ConfigEntries const& written, std::span<KeyDeclaration const> keys);

    /// The text of a scalar, as it is written: 010 stays 010. `expected` is for the message.
    std::optional<std::string> text(ConfigEntry const& entry, std::string_view expected);
    std::optional<seconds> duration(ConfigEntry const& entry);
    /// Which of `words` it is.
    std::optional<std::size_t> choice(ConfigEntry const& entry, std::span<std::string_view const> words);

    void add(ConfigEntry const& entry, std::string message);

private:
    std::string unknown_key(std::string_view name, std::span<KeyDeclaration const> keys) const;
    std::string beside_config(std::string const& path) const { return (folder_ / path).string(); }
    bool passes(ConfigEntry const& entry, KeyCheck check, std::string_view value, std::string const& prefix = {});

    using ReadValue = std::optional<Settings::Value>;
    ReadValue read(ConfigEntry const& entry, OwnRule const& key);
    ReadValue read(ConfigEntry const& entry, TextKey const& key);
    ReadValue read(ConfigEntry const& entry, UrlKey const& key);
    ReadValue read(ConfigEntry const& entry, PathKey const& key);
    ReadValue read(ConfigEntry const& entry, DurationKey const& key);
    ReadValue read(ConfigEntry const& entry, RoleDurationsKey const& key);
    ReadValue read(ConfigEntry const& entry, NumberKey const& key);
    ReadValue read(ConfigEntry const& entry, ChoiceKey const& key);
    ReadValue read(ConfigEntry const& entry, SecretKey const& key);
    std::optional<seconds> duration(ConfigEntry const& entry, seconds least, seconds most);

    std::filesystem::path folder_;
    Secrets secrets_;
    ConfigKeys const& keys_;
    Mistakes& mistakes_;
};

} // namespace usher
