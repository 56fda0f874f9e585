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

bool is_utf8(std::string_view text)
{
    if (is_ascii(text)) // as nearly all texts are
        return true;
    std::size_t at = 0;
    while (at < text.size()) {
        const auto lead = static_cast<unsigned char>(text[at++]);
        if (lead < 0x80)
            continue;
        if (lead < 0xc2 || lead > 0xf4)
            return false;
        const std::size_t more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
        if (text.size() - at < more)
            return false;
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
        for (std::size_t i = 0; i < more; ++i) {
            const auto byte = static_cast<unsigned char>(text[at++]);
            if (byte < low || byte > high)
                return false;
            low = 0x80;
            high = 0xbf;
        }
    }
    return true;
}

std::string without_controls(std::string_view text)
{
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        out += byte < 0x20 || byte == 0x7f ? '?' : c;
    }
    return out;
}

} // namespace usher
