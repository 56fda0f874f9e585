// SPDX-License-Identifier: Apache-2.0
#include <usher/crypto/base64.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace usher {

namespace {

constexpr std::string_view standard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t no_digit = 0xff;

constexpr std::array<std::uint8_t, 256> digits_of(std::string_view alphabet, std::string_view other)
{
    std::array<std::uint8_t, 256> digits{};
    digits.fill(no_digit);
    for (std::size_t i = 0; i < alphabet.size(); ++i) {
        digits[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
        digits[static_cast<unsigned char>(other[i])] = static_cast<std::uint8_t>(i);
    }
    return digits;
}

constexpr auto standard_digits = digits_of(standard, standard);
constexpr auto url_digits = digits_of(url, url);
constexpr auto either_digits = digits_of(standard, url);

/// Both characters of each twelve bits, so that three bytes become four characters by two look-ups.
using Pairs = std::array<std::array<char, 2>, 4096>;

constexpr Pairs pairs_of(std::string_view alphabet)
{
    Pairs pairs{};
    for (std::size_t bits = 0; bits < pairs.size(); ++bits)
        pairs[bits] = {alphabet[bits >> 6U], alphabet[bits & 63U]};
    return pairs;
}

constexpr Pairs standard_pairs = pairs_of(standard);
constexpr Pairs url_pairs = pairs_of(url);

char* write_encoded(char* to, std::string_view bytes, Pairs const& pairs)
{
    const auto byte = [&](std::size_t at) { return std::uint32_t{static_cast<unsigned char>(bytes[at])}; };
    const auto put = [&](std::uint32_t twelve_bits) {
        std::memcpy(to, pairs[twelve_bits].data(), 2);
        to += 2;
    };
    std::size_t at = 0;
    for (; at + 3 <= bytes.size(); at += 3) {
        const std::uint32_t bits = (byte(at) << 16U) | (byte(at + 1) << 8U) | byte(at + 2);
        put(bits >> 12U);
        put(bits & 0xfffU);
    }
    const std::size_t left = bytes.size() - at;
    if (left == 1) {
        put(byte(at) << 4U);
    } else if (left == 2) {
        const std::uint32_t bits = (byte(at) << 8U) | byte(at + 1);
        put(bits >> 4U);
        *to++ = pairs[(bits << 2U) & 63U][1];
    }
    return to;
}

/// `text` without its padding.
std::optional<std::string> decode(std::string_view text, std::array<std::uint8_t, 256> const& digits, bool strict)
{
    if (text.size() % 4 == 1)
        return std::nullopt;
    std::string bytes;
    bytes.reserve(text.size() / 4 * 3 + 2);
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const char c : text) {
        const std::uint8_t digit = digits[static_cast<unsigned char>(c)];
        if (digit == no_digit)
            return std::nullopt;
        bits = ((bits << 6) | digit) & 0x3fffU;
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes += static_cast<char>((bits >> held) & 0xffU);
        }
    }
    // Otherwise one value would have several spellings, and a signature could be altered without becoming invalid.
    if (strict && (bits & ((1U << held) - 1U)) != 0)
        return std::nullopt;
    return bytes;
}

std::string_view without_padding(std::string_view text)
{
    std::size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=')
        ++padding;
    return text.substr(0, text.size() - padding);
}

} // namespace

char* write_base64(char* out, std::string_view bytes)
{
    char* end = write_encoded(out, bytes, standard_pairs);
    for (std::size_t size = bytes.size(); size % 3 != 0; ++size)
        *end++ = '=';
    return end;
}

char* write_base64url(char* out, std::string_view bytes)
{
    return write_encoded(out, bytes, url_pairs);
}

std::string base64_encode(std::string_view bytes)
{
    std::string text(base64_size(bytes.size()), '\0');
    write_base64(text.data(), bytes);
    return text;
}

std::string base64url_encode(std::string_view bytes)
{
    std::string text(base64url_size(bytes.size()), '\0');
    write_base64url(text.data(), bytes);
    return text;
}

std::optional<std::string> base64_decode(std::string_view text)
{
    if (text.size() % 4 != 0)
        return std::nullopt;
    return decode(without_padding(text), standard_digits, true);
}

std::optional<std::string> base64url_decode(std::string_view text)
{
    return decode(text, url_digits, true);
}

std::optional<std::string> base64_decode_lenient(std::string_view text)
{
    return decode(without_padding(text), either_digits, false);
}

bool base64_starts_with(std::string_view text, std::string_view bytes)
{
    if (text.size() < base64url_size(bytes.size()))
        return false;
    char const* next = text.data();
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const char byte : bytes) {
        for (; held < 8; held += 6) {
            const std::uint8_t digit = either_digits[static_cast<unsigned char>(*next++)];
            if (digit == no_digit)
                return false;
            bits = ((bits << 6) | digit) & 0x3fffU;
        }
        held -= 8;
        if (((bits >> held) & 0xffU) != static_cast<unsigned char>(byte))
            return false;
    }
    return true;
}

} // namespace usher
