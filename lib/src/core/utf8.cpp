// SPDX-License-Identifier: Apache-2.0
#include <usher/core/utf8.hpp>

#include <algorithm>
#include <cstddef>

#include "core/blocks.hpp"

namespace usher {

namespace {

bool is_ascii(std::string_view text)
{
    constexpr std::size_t size = sizeof(Block);
    if (text.size() < size)
        return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    Block any = load_block(text.data() + text.size() - size); // which overlaps the one before
    for (std::size_t at = 0; at + size < text.size(); at += size)
        any |= load_block(text.data() + at);
    return is_true_for_all(any < 0x80);
}

} // namespace

Utf8Character first_utf8_character(std::string_view text)
{
    const auto lead = static_cast<unsigned char>(text.front());
    if (lead < 0x80)
        return {lead, 1, true};
    const Utf8Character invalid{lead, 1, false};
    if (lead < 0xc2 || lead > 0xf4)
        return invalid;
    const std::size_t size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (text.size() < size)
        return invalid;
    // Only the second byte's range depends on the first: it excludes long forms, surrogates and what is too large.
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    switch (lead) {
    case 0xe0: low = 0xa0; break;
    case 0xed: high = 0x9f; break;
    case 0xf0: low = 0x90; break;
    case 0xf4: high = 0x8f; break;
    default: break;
    }
    char32_t code = lead & (0x7fU >> size);
    for (std::size_t i = 1; i < size; ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte < low || byte > high)
            return invalid;
        code = code << 6U | (byte & 0x3fU);
        low = 0x80;
        high = 0xbf;
    }
    return {code, size, true};
}

bool is_utf8(std::string_view text)
{
    if (is_ascii(text)) // as nearly all texts are
        return true;
    while (!text.empty()) {
        const Utf8Character first = first_utf8_character(text);
        if (!first.valid)
            return false;
        text.remove_prefix(first.size);
    }
    return true;
}

std::size_t count_characters(std::string_view text)
{
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
    }));
}

} // namespace usher
