// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

namespace usher {

/// Whether `text` is UTF-8 as RFC 3629 has it: shortest forms only, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

/// Of text in UTF-8.
std::size_t count_characters(std::string_view text);

struct Utf8Character {
    char32_t code;    ///< The byte, when it is not valid.
    std::size_t size; ///< In bytes; 1 when it is not valid.
    bool valid;
};

/// What a text that is not empty begins with; it may be anything.
Utf8Character first_utf8_character(std::string_view text);

} // namespace usher
