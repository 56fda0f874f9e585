// SPDX-License-Identifier: Apache-2.0
#include "config/secret_text.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <usher/core/ascii.hpp>
#include <usher/core/utf8.hpp>
#include <usher/crypto/rsa.hpp>

namespace usher {

namespace {

constexpr std::size_t secret_bytes_min = 4;
constexpr std::size_t secret_bytes_max = 1024;
constexpr std::string_view blank{" \t\r\n\v\f"};
constexpr std::string_view quotes{"\"'`"};
constexpr std::string_view pem_begin{"-----BEGIN"};
constexpr std::string_view pem_end{"-----END"};

constexpr std::string_view has_quotes = "has quotes around the secret; remove them";
constexpr std::string_view has_name = "has a name before the secret, as in NAME=secret; leave the secret alone";

/// What nobody sees on a screen, and what editors put in the place of plain characters.
constexpr std::array<std::pair<char32_t, std::string_view>, 17> odd_characters{{
    {0x0000A0, "a no-break space"},
    {0x0000AD, "a soft hyphen"},
    {0x00180E, "a vowel separator that has no width"},
    {0x00200B, "a zero-width space"},
    {0x00200C, "a zero-width non-joiner"},
    {0x00200D, "a zero-width joiner"},
    {0x00200E, "a mark for the direction of writing"},
    {0x00200F, "a mark for the direction of writing"},
    {0x002013, "a dash"},
    {0x002014, "a dash"},
    {0x002018, "a typographic quote"},
    {0x002019, "a typographic quote"},
    {0x00201C, "a typographic quote"},
    {0x00201D, "a typographic quote"},
    {0x002028, "a line separator"},
    {0x002060, "a word joiner, which has no width"},
    {0x00FEFF, "a byte order mark"},
}};

constexpr bool begins_name(char c)
{
    return is_letter(c) || c == '_';
}

std::string code_point(char32_t code)
{
    std::string text;
    for (int shift = code > 0xfffff ? 20 : code > 0xffff ? 16 : 12; shift >= 0; shift -= 4)
        text += "0123456789ABCDEF"[(code >> static_cast<unsigned>(shift)) & 15U];
    return "U+" + text;
}

/// Every second byte of UTF-16 is a NUL while the text is plain.
bool is_utf16(std::string_view content)
{
    if (content.starts_with("\xff\xfe") || content.starts_with("\xfe\xff"))
        return true;
    if (content.size() < 2 || content.size() % 2 != 0)
        return false;
    const auto all_nul = [&](std::size_t at) {
        for (; at < content.size(); at += 2)
            if (content[at] != '\0')
                return false;
        return true;
    };
    return all_nul(0) != all_nul(1);
}

/// Any character of `text` but visible ASCII, blanks and those in `allowed`.
std::optional<std::string> odd_character(std::string_view text, std::string_view allowed)
{
    const auto is_plain = [&](char c) { return (c >= ' ' && c <= '~') || allowed.find(c) != std::string_view::npos; };
    auto const* const found = std::find_if_not(text.begin(), text.end(), is_plain);
    if (found == text.end())
        return std::nullopt;
    const Utf8Character character = first_utf8_character(text.substr(static_cast<std::size_t>(found - text.begin())));
    const char32_t code = character.code;
    if (!character.valid)
        return "holds bytes that are no text; is it another file?";
    if (code < 0x80)
        return "holds a control character, " + code_point(code) + "; remove it";
    auto const* const known =
        std::find_if(odd_characters.begin(), odd_characters.end(), [&](auto const& odd) { return odd.first == code; });
    const std::string what = known == odd_characters.end() ? "which no secret has" : std::string{known->second};
    return "holds the character " + code_point(code) + ", " + what + "; remove it";
}

/// `NAME=value`, also after `export`, as in a shell; `NAME: value`, as in YAML. Padding of base64 is no value.
bool begins_with_name(std::string_view text)
{
    if (text.starts_with("export "))
        return true;
    auto const* end = std::find_if_not(text.begin(), text.end(), [](char c) {
        return begins_name(c) || is_digit(c) || c == '-' || c == '.';
    });
    if (text.empty() || !begins_name(text.front()) || end == text.end())
        return false;
    std::string_view rest = text.substr(static_cast<std::size_t>(end - text.begin()));
    if (rest.starts_with(": ") || rest.starts_with(" = ") || rest.starts_with(" : "))
        return true;
    return rest.front() == '=' && rest.find_first_not_of('=') != std::string_view::npos;
}

bool is_placeholder(std::string_view text)
{
    constexpr std::array<std::pair<std::string_view, std::string_view>, 5> marks{{
        {"${", "}"},
        {"$(", ")"},
        {"{{", "}}"},
        {"<", ">"},
        {"%", "%"},
    }};
    return std::any_of(marks.begin(), marks.end(), [&](auto const& mark) {
        return text.starts_with(mark.first) && text.ends_with(mark.second);
    });
}

/// PEM that is no private key, or none that OpenSSL can read by itself.
std::optional<std::string> wrong_pem(std::string_view content)
{
    const auto has = [&](std::string_view words) { return content.find(words) != std::string_view::npos; };
    if (has("BEGIN ENCRYPTED PRIVATE KEY-----") || has("Proc-Type: 4,ENCRYPTED"))
        return "is a private key under a passphrase; take that off: openssl pkey -in OLD -out NEW";
    if (has("BEGIN OPENSSH PRIVATE KEY-----"))
        return "is a private key in OpenSSH's own format; write it in PEM: ssh-keygen -p -m PEM -f FILE";
    if (has("PRIVATE KEY-----"))
        return std::nullopt;
    if (has("PUBLIC KEY-----"))
        return "is a public key; the private one is needed, which the dashboard hands out once, when it makes the pair";
    return has("CERTIFICATE-----") ? std::optional<std::string>{"is a certificate; the private key is needed"}
                                   : std::nullopt;
}

std::optional<std::string> pem_fault(std::string_view content)
{
    const std::size_t begin = content.find(pem_begin);
    const std::size_t line = content.find_last_of('\n', begin) + 1; // 0 where there is none before
    if (std::string_view before = content.substr(line, begin - line); !before.empty()) {
        if (before.find_first_not_of(blank) == std::string_view::npos)
            return "has blanks before " + std::string{pem_begin} + "; remove them from all lines";
        if (before.find_first_not_of(quotes) == std::string_view::npos)
            return std::string{has_quotes};
        return begins_with_name(content.substr(line)) ? std::string{has_name}
                                                      : "has other text before " + std::string{pem_begin};
    }
    const std::string_view key = content.substr(begin); // notes of openssl may stand before it, in any language
    const std::size_t end = key.find(pem_end);
    if (end == std::string_view::npos)
        return "has no line with " + std::string{pem_end} + ": it was cut short";
    if (auto odd = odd_character(key, "\r\n\t"))
        return odd;
    if (quotes.find(key[key.find_last_not_of(blank)]) != std::string_view::npos)
        return std::string{has_quotes};
    return wrong_pem(content);
}

std::optional<std::string> line_fault(std::string_view content)
{
    if (content.ends_with('\n'))
        content.remove_suffix(1);
    if (content.empty())
        return "is empty";
    if (blank.find(content.front()) != std::string_view::npos || blank.find(content.back()) != std::string_view::npos)
        return "has white space around the secret, beyond one newline at its end; remove it";
    if (content.find_first_of("\r\n") != std::string_view::npos)
        return "holds more than one line; a secret is one line";
    if (auto odd = odd_character(content, {}))
        return odd;
    if (quotes.find(content.front()) != std::string_view::npos || quotes.find(content.back()) != std::string_view::npos)
        return std::string{has_quotes};
    if (begins_with_name(content))
        return std::string{has_name};
    if (is_placeholder(content))
        return "holds a placeholder that nothing has filled in";
    if (content.size() < secret_bytes_min)
        return "holds " + std::to_string(content.size()) + (content.size() == 1 ? " byte" : " bytes") +
               ", too few for a secret; it was cut short";
    if (content.size() > secret_bytes_max)
        return "holds " + std::to_string(content.size()) + " bytes, too many for a secret; at most " +
               std::to_string(secret_bytes_max);
    return std::nullopt;
}

} // namespace

std::optional<std::string> secret_fault(std::string_view content)
{
    if (content.starts_with("\xef\xbb\xbf"))
        return "begins with a byte order mark; save it as plain text without one (UTF-8 without BOM)";
    if (content.starts_with("\x30\x82"))
        return "is a key in DER; write it in PEM: openssl pkey -inform DER -in OLD -out NEW";
    if (is_utf16(content))
        return "is UTF-16 text; save it as plain text (UTF-8 without BOM)";
    if (content.find('\0') != std::string_view::npos)
        return "holds a NUL byte; remove it";
    return is_pem(content) ? pem_fault(content) : line_fault(content);
}

} // namespace usher
