// SPDX-License-Identifier: Apache-2.0
#include <usher/core/utf8.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace usher {

namespace {

/// Eight bytes at a time; the last eight may overlap those before.
bool is_ascii(std::string_view text)
{
    std::uint64_t any = 0;
    std::uint64_t bytes = 0;
    if (text.size() < sizeof bytes) {
        for (const char c : text)
            any |= static_cast<unsigned char>(c);
        return any < 0x80;
    }
    for (std::size_t at = 0; at < text.size(); at += sizeof bytes) {
        std::memcpy(&bytes, text.data() + std::min(at, text.size() - sizeof bytes), sizeof bytes);
        any |= bytes;
    }
    return (any & 0x8080808080808080) == 0;
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
