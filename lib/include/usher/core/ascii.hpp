// SPDX-License-Identifier: Apache-2.0
// What ASCII says about characters, whatever the locale is.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace usher {

constexpr bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

constexpr bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// The value of a hex digit in either case; nothing for any other character.
constexpr std::optional<unsigned> hex_value(char c)
{
    if (is_digit(c))
        return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f')
        return static_cast<unsigned>(c - 'a') + 10U;
    if (c >= 'A' && c <= 'F')
        return static_cast<unsigned>(c - 'A') + 10U;
    return std::nullopt;
}

constexpr bool is_hex_digit(char c)
{
    return hex_value(c).has_value();
}

constexpr char in_lower_case(char c)
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Letters beyond ASCII stay as they are.
inline std::string in_lower_case(std::string_view text)
{
    std::string result{text};
    for (char& c : result)
        c = in_lower_case(c);
    return result;
}

} // namespace usher
