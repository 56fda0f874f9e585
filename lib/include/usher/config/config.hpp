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

/// How a provider is reached over the network, and how hard it may be asked.
struct ConnectionConfig {
    std::string base_url; ///< https.
    std::string ca_file;  ///< Empty: the certificates that the system trusts.
    std::string proxy;    ///< http, asked to CONNECT; empty: none.
    seconds connect_timeout{5};
    seconds timeout{20}; ///< Of a whole call.
    std::int64_t concurrency = 8;
    double rate = 5; ///< Calls a second.
    std::int64_t burst = 10;

    /// Of where and how, without the limits: what a failed call failed at.
    std::uint64_t hash() const;
};

struct ProjectConfig {
    std::string name;
    std::string provider;    ///< sandbox, opentok or vonage.
    std::string project_key; ///< API key; application id of a vonage project.
    Secret key;              ///< API secret; private key, in PEM, of a vonage project.
    TokenFormat token_format;
    seconds max_token_life;
    seconds rotation_margin;
    ConnectionConfig connection{};
    bool replace_on_removal = false;
    bool disconnect_on_cancel = false;
    bool disconnect_at_close = false;
    std::string key_source{}; ///< Where `key` comes from: a path, `credential NAME`, or nothing.

    /// Signs by what is configured, in the project's format or another one. Errors: those of TokenSigner, and the RSA
    /// key's; none for a configuration that was loaded.
    Result<TokenSigner> signer(TokenFormat format) const;
    Result<TokenSigner> signer() const { return signer(token_format); }
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
