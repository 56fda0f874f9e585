// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <usher/core/policy.hpp>
#include <usher/core/time.hpp>
#include <usher/core/token.hpp>
#include <usher/crypto/secret.hpp>

namespace usher {

/// What the sandbox signs with when the configuration names no key of its own. They are public on purpose, so that
/// anyone can verify a sandbox token; no vendor knows them.
inline constexpr std::string_view sandbox_api_key = "100000";
inline constexpr std::string_view sandbox_api_secret = "5a4db0c0ffee5a4db0c0ffee5a4db0c0ffee5a4d";

enum class LogLevel : std::uint8_t { debug, info, warning, error };

/// `automatic` is `journal` where standard error is the journal, and `text` elsewhere.
enum class LogFormat : std::uint8_t { automatic, text, json, journal };

struct LogConfig {
    LogLevel level = LogLevel::info;
    LogFormat format = LogFormat::automatic;
};

struct ProjectConfig {
    std::string name;
    std::string provider;
    std::string api_key;
    Secret api_secret;
    TokenFormat token_format;
    seconds max_token_life;
    seconds rotation_margin;
};

struct Config {
    std::string database;                ///< A relative path in the file is taken from the file's folder.
    std::vector<ProjectConfig> projects; ///< At least one, in the file's order; names differ.
    Policy base;                         ///< All but what each project has of its own; see policy_for.
    LogConfig log;
    std::vector<std::string> warnings; ///< Each with its position; nothing that keeps usher from working.

    /// `base` with the project's life and rotation margin.
    Policy policy_for(ProjectConfig const& project) const;
};

/// One sandbox project named `default`, and the default of everything else.
Config default_config(std::string database_path);

} // namespace usher
