// SPDX-License-Identifier: Apache-2.0
// Texts of which nearly all bytes are written as they are, sixteen at a time.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace usher {

/// Bytes that g++ and clang compute with at once, on any processor.
using Block [[gnu::vector_size(16)]] = unsigned char;

inline Block load_block(char const* from)
{
    Block bytes;
    std::memcpy(&bytes, from, sizeof bytes);
    return bytes;
}

/// `bits` is the result of comparing two blocks.
template <class Bits>
bool is_true_for_all(Bits bits)
{
    std::array<std::uint64_t, 2> halves{};
    std::memcpy(halves.data(), &bits, sizeof bits);
    return (halves[0] & halves[1]) == ~std::uint64_t{0};
}

/// `is_plain` says of a block whether each of its bytes is to be copied, and may say no too often; `put_byte` writes
/// one byte of the other blocks.
template <class IsPlain, class PutByte>
char* put_by_blocks(char* to, std::string_view text, IsPlain is_plain, PutByte put_byte)
{
    constexpr std::size_t size = sizeof(Block);
    char const* from = text.data();
    char const* const end = from + text.size();
    while (from != end) {
        if (text.size() >= size) {
            // What would be a shorter block at the end begins earlier. If it is plain, that much of it is written
            // already, as it is.
            char const* const begin = std::min(from, end - size);
            if (const Block block = load_block(begin); is_plain(block)) {
                to -= from - begin;
                std::memcpy(to, &block, size);
                to += size;
                from = begin + size;
                continue;
            }
        }
        for (std::size_t left = std::min(size, static_cast<std::size_t>(end - from)); left > 0; --left)
            to = put_byte(to, *from++);
    }
    return to;
}

} // namespace usher
