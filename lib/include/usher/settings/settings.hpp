// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include <usher/core/policy.hpp>
#include <usher/core/time.hpp>
#include <usher/crypto/secret.hpp>
#include <usher/settings/key.hpp>

namespace usher {

/// The values of declared keys, checked, with defaults where nothing was written. To ask for a key that was not
/// declared, or for another type than its own, is a bug.
class Settings {
public:
    struct Choice {
        std::size_t index;
    };
    struct Kept {
        Secret secret;
        std::string source; ///< A path, `credential NAME`, or nothing for a default.
    };
    using Value = std::variant<std::string, seconds, EarlyJoin, std::int64_t, Choice, Kept>;

    Settings() = default;
    Settings(Settings&&) = default;
    Settings& operator=(Settings&&) = default;
    Settings(Settings const&) = delete; // they hold secrets
    Settings& operator=(Settings const&) = delete;
    ~Settings() = default;

    void set(std::string_view name, Value value);
    /// The default of `key`, where it has one.
    void set_standard(KeyDeclaration const& key);

    bool has(std::string_view name) const { return values_.contains(name); }
    bool is_text(std::string_view name) const;
    std::string const& text(std::string_view name) const; ///< Of texts, URLs and paths.
    seconds duration(std::string_view name) const;
    EarlyJoin early_join(std::string_view name) const;
    std::int64_t number(std::string_view name) const;
    std::size_t choice(std::string_view name) const; ///< Which of the words.
    Secret const& secret(std::string_view name) const;
    std::string const& source(std::string_view name) const; ///< Of a secret.

    /// For when they have been made use of.
    void forget_secrets();

private:
    Value const& at(std::string_view name) const;

    std::map<std::string, Value, std::less<>> values_;
};

} // namespace usher
