// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <usher/config/listen.hpp>
#include <usher/core/policy.hpp>
#include <usher/core/time.hpp>
#include <usher/core/token.hpp>
#include <usher/settings/provider_declaration.hpp>
#include <usher/settings/settings.hpp>

namespace usher {

enum class LogLevel : std::uint8_t { debug, info, notice, warning, error };
inline constexpr std::array<std::string_view, 5> log_level_words{"debug", "info", "notice", "warning", "error"};

constexpr std::string_view to_text(LogLevel level)
{
    return log_level_words[static_cast<std::size_t>(level)];
}

/// `automatic` is `journal` where standard error is the journal, and `text` elsewhere.
enum class LogFormat : std::uint8_t { automatic, text, json, journal };
inline constexpr std::array<std::string_view, 4> log_format_words{"auto", "text", "json", "journal"};

constexpr std::string_view to_text(LogFormat format)
{
    return log_format_words[static_cast<std::size_t>(format)];
}

struct LogConfig {
    LogLevel level = LogLevel::info;
    LogFormat format = LogFormat::automatic;
};

/// Where metrics, health and the status page are served.
struct StatusConfig {
    std::optional<ListenAddress> listen; ///< Nowhere without.
    std::string server_name; ///< A name by which requests may ask for it, beside the address's own; mostly empty.

    friend bool operator==(StatusConfig const&, StatusConfig const&) = default;
};

struct ProjectConfig {
    std::string name;
    ProviderDeclaration const* kind; ///< Of its provider; never null.
    Settings settings; ///< Of the kind's keys, and of `concurrency`, `rate` and `burst` where it has them.
    TokenFormat token_format;
    seconds max_token_life;
    seconds rotation_margin;
    bool replace_on_removal = false;
    bool disconnect_on_cancel = false;
    bool disconnect_at_close = false;

    std::string const& project_key() const; ///< API key, application id, or what else the vendor calls it.
    std::string const& key_source() const;  ///< Of what signs tokens: a path, `credential NAME`, or nothing.

    /// Of where and how the provider is reached, without the limits: what a failed call failed at. It is stored.
    std::uint64_t connection_hash() const;

    /// Signs by what is configured, in `format` where this kind of provider takes it, else in the project's own.
    /// Errors: those of TokenSigner, and the RSA key's; none for a configuration that was loaded.
    Result<TokenSigner> signer(TokenFormat format) const;
    Result<TokenSigner> signer() const { return signer(token_format); }
};

struct Config {
    std::string database;                ///< A relative path in the file is taken from the file's folder.
    std::vector<ProjectConfig> projects; ///< At least one, in the file's order; names differ.
    Policy base;                         ///< All but what each project has of its own; see policy_for.
    LogConfig log;
    StatusConfig status;
    std::vector<std::string> warnings; ///< Each with its position; nothing that keeps usher from working.

    /// `base` with the project's life and rotation margin.
    Policy policy_for(ProjectConfig const& project) const;
};

/// One project named `default`, of the first kind, and the default of everything else.
Config default_config(std::string database_path, ProviderDeclarations const& kinds);

} // namespace usher
