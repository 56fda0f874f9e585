// SPDX-License-Identifier: Apache-2.0
#include <usher/core/utf8.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace usher {

bool is_utf8(std::string_view text)
{
    std::size_t at = 0;
    while (at < text.size()) {
        std::array<std::uint64_t, 2> next{0x80, 0};
        if (text.size() - at >= sizeof next)
            std::memcpy(next.data(), text.data() + at, sizeof next);
        if (((next[0] | next[1]) & 0x8080808080808080) == 0) { // sixteen bytes of ASCII, as nearly all texts are
            at += sizeof next;
            continue;
        }
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
