// SPDX-License-Identifier: Apache-2.0
#include <usher/crypto/base64.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

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

std::string encode(std::string_view bytes, std::string_view alphabet, bool padded)
{
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const char byte : bytes) {
        bits = ((bits << 8) | static_cast<unsigned char>(byte)) & 0xffffU;
        held += 8;
        while (held >= 6) {
            held -= 6;
            text += alphabet[(bits >> held) & 63U];
        }
    }
    if (held > 0)
        text += alphabet[(bits << (6 - held)) & 63U];
    while (padded && text.size() % 4 != 0)
        text += '=';
    return text;
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

std::string base64_encode(std::string_view bytes)
{
    return encode(bytes, standard, true);
}

std::string base64url_encode(std::string_view bytes)
{
    return encode(bytes, url, false);
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

} // namespace usher
