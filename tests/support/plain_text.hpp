// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include <usher/core/utf8.hpp>

namespace usher::test {

/// What must not get to a terminal: controls but the newline, what is not UTF-8, marks that hide or turn text around.
/// Names the first; empty when all is plain.
inline std::string first_fault(std::string_view text)
{
    for (std::size_t at = 0; at < text.size();) {
        const Utf8Character character = first_utf8_character(text.substr(at, 4));
        const char32_t code = character.code;
        const auto in = [&](char32_t first, char32_t last) { return code >= first && code <= last; };
        if (!character.valid || (code < 0x20 && code != '\n') || in(0x7f, 0x9f) || in(0x200b, 0x200f) ||
            in(0x2028, 0x202e) || in(0x2060, 0x206f) || code == 0xfeff || in(0xe0000, 0xe0fff))
            return "character " + std::to_string(static_cast<unsigned long>(code)) + " at " + std::to_string(at);
        at += character.size;
    }
    return {};
}

} // namespace usher::test
