// SPDX-License-Identifier: Apache-2.0
// What a key of the configuration file declares of itself: its name, what may stand there, and its default.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include <usher/core/policy.hpp>
#include <usher/core/time.hpp>

namespace usher {

/// What a check of a value found. Both texts follow the key's name, as in `expected a number`; empty: nothing.
struct KeyFinding {
    std::string error;
    std::string warning;
};

/// Never repeats the value where that may be a secret.
using KeyCheck = KeyFinding (*)(std::string_view value);

/// Read apart from the others, by a rule of its own.
struct OwnRule {};

struct TextKey {
    std::string_view expected; ///< For messages: `the project's API key, which is a number`.
    KeyCheck check = nullptr;
    std::string_view standard{};
};

struct UrlKey {
    std::string_view scheme; ///< The only one: `https`.
    std::string_view standard{};
};

/// A path; a relative one is taken from the configuration's folder.
struct PathKey {
    std::string_view expected;        ///< For messages: `the path of the database`.
    KeyCheck check_content = nullptr; ///< Without one the file need not be there.
    std::string_view standard{};
};

struct DurationKey {
    seconds least;
    seconds most;
    std::optional<seconds> standard; ///< Nothing: the default depends on other keys.
};

/// One duration for all roles, or a map with one for each role and `default` for the others.
struct RoleDurationsKey {
    seconds least;
    seconds most;
    EarlyJoin standard;
};

struct NumberKey {
    std::int64_t least;
    std::int64_t most;
    std::int64_t standard;
};

struct ChoiceKey {
    std::span<std::string_view const> words;
    std::size_t standard = 0; ///< Which of `words`.
};

/// `{file: PATH}` or `{credential: NAME}`: never the secret itself.
struct SecretKey {
    KeyCheck check = nullptr;
    std::string_view standard{}; ///< A secret that is public on purpose, or nothing.
};

struct KeyDeclaration {
    std::string_view name;
    std::variant<OwnRule, TextKey, UrlKey, PathKey, DurationKey, RoleDurationsKey, NumberKey, ChoiceKey, SecretKey>
        value;
    bool required = false;
};

} // namespace usher
