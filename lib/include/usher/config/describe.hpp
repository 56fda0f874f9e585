// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <usher/config/config.hpp>

namespace usher {

/// What may stand at a key of the configuration file.
enum class KeyForm : std::uint8_t { text, url, path, duration, role_durations, number, choice, secret };

/// A key, as it is declared.
struct KeyDescription {
    std::string section; ///< `tokens`; empty at the top; `projects`: of each project.
    std::string name;
    KeyForm form = KeyForm::text;
    std::string about; ///< A sentence.
    bool required = false;
    std::optional<std::int64_t> least; ///< Of numbers.
    std::optional<std::int64_t> most;
    std::string range;                   ///< Of durations: `1m to 400d`.
    std::vector<std::string_view> words; ///< Of a choice.
    std::string scheme;                  ///< Of a URL.
    std::optional<std::string> standard; ///< The default, as the file would have it. Never a secret.
};

/// Each key once, in the order in which people are told of them, without those that only hold others.
std::vector<KeyDescription> describe_keys(ProviderDeclarations const& kinds);

/// A key whose value is not its default.
struct KeyDifference {
    std::string key;      ///< `tokens.visible`, `projects.default.rate`
    std::string standard; ///< Empty where there is none, as of what must be given.
    std::string value;    ///< Of a secret: where it is, and never what.
};

std::vector<KeyDifference> differences(Config const& config);

} // namespace usher
