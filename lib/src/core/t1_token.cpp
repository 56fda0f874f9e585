// SPDX-License-Identifier: Apache-2.0
#include <usher/core/t1_token.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

#include <usher/core/ascii.hpp>
#include <usher/crypto/base64.hpp>

#include "core/blocks.hpp"

namespace usher {

namespace {

constexpr std::string_view prefix = "T1==";
constexpr std::string_view partner_name = "partner_id=";
constexpr std::string_view signature_name = "sig=";
constexpr std::size_t signature_size = 40;

/// The unreserved set of node's querystring, which wrote most of the tokens in the wild.
constexpr std::array<bool, 256> kept = [] {
    std::array<bool, 256> characters{};
    for (unsigned byte = 0; byte < characters.size(); ++byte)
        characters[byte] = is_letter(static_cast<char>(byte)) || is_digit(static_cast<char>(byte));
    for (const char c : std::string_view{"-_.!~*'()"})
        characters[static_cast<unsigned char>(c)] = true;
    return characters;
}();

/// Of each byte, whether it is a letter, a digit, `-` or `_`, as nearly all bytes of a session id are.
constexpr auto is_plain = [](Block bytes) {
    const Block letters = (bytes | 0x20) - 'a';
    const Block digits = bytes - '0';
    return is_true_for_all((letters < 26) | (digits < 10) | (bytes == '-') | (bytes == '_'));
};

constexpr auto put_byte = [](char* to, char c) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    if (kept[byte])
        return put(to, c);
    return put(put(put(to, '%'), digits[byte >> 4U]), digits[byte & 15U]);
};

/// Whether each `%` is followed by two hex digits.
bool is_whole(std::string_view text)
{
    for (std::size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1))
        if (at + 2 >= text.size() || !is_hex_digit(text[at + 1]) || !is_hex_digit(text[at + 2]))
            return false;
    return true;
}

std::string decoded(std::string_view text)
{
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+') {
            out += ' ';
        } else if (text[i] != '%') {
            out += text[i];
        } else {
            const auto high = i + 2 < text.size() ? hex_value(text[i + 1]) : std::nullopt;
            const auto low = high ? hex_value(text[i + 2]) : std::nullopt;
            if (low) {
                out += static_cast<char>(*high * 16U + *low);
                i += 2;
            } else {
                out += '%';
            }
        }
    }
    return out;
}

} // namespace

char* T1Fields::put_encoded(char* to, std::string_view text)
{
    return put_by_blocks(to, text, is_plain, put_byte);
}

T1Fields& T1Fields::add(std::string_view name, std::string_view value)
{
    char* to = text_.room(encoded_room * (name.size() + value.size()) + 2);
    if (!text_.text().empty())
        to = put(to, '&');
    text_.end_at(put_encoded(put(put_encoded(to, name), '='), value));
    return *this;
}

T1Encoder::T1Encoder(std::string_view partner_id)
{
    std::string head{partner_name};
    head.append(partner_id).append("&").append(signature_name);
    const std::size_t whole = head.size() / 3 * 3;
    begin_ = prefix;
    begin_ += base64_encode(std::string_view{head}.substr(0, whole));
    rest_ = head.substr(whole);
}

std::string T1Encoder::encode(HmacKey const& key, T1Fields const& fields) const
{
    const std::string_view data = fields.text();
    // What the signature needs, and as many bytes of the data as make it whole groups: so the data need not be copied,
    // and is encoded before it is signed.
    std::array<char, 2 + signature_size + 1 + 2> middle;
    const std::size_t size = rest_.size() + signature_size + 1;
    const std::size_t moved = std::min((3 - size % 3) % 3, data.size());
    std::string token(begin_.size() + base64_size(size + data.size()), '\0');
    char* const body = put(token.data(), begin_);
    write_base64(body + base64_size(size + moved), data.substr(moved));
    char* const to = put(write_hex(put(middle.data(), rest_), key.sign(data)), ':');
    put(to, data.substr(0, moved));
    write_base64(body, {middle.data(), size + moved});
    return token;
}

std::string encode_t1(std::string_view partner_id, HmacKey const& key, T1Fields const& fields)
{
    return T1Encoder{partner_id}.encode(key, fields);
}

Result<T1Parts> split_t1(std::string_view token)
{
    if (!token.starts_with(prefix))
        return fail(Errc::token_malformed, "The token does not start with T1==.");
    const auto inner = base64_decode_lenient(token.substr(prefix.size()));
    if (!inner)
        return fail(Errc::token_malformed, "What follows T1== is not base64.");
    const std::size_t colon = inner->find(':');
    if (colon == std::string::npos)
        return fail(Errc::token_malformed, "The T1 token has no colon between its signature and its fields.");

    T1Parts parts;
    parts.data = inner->substr(colon + 1);
    const std::string_view head = std::string_view{*inner}.substr(0, colon);
    const std::size_t ampersand = head.find('&');
    if (ampersand == std::string_view::npos)
        return fail(Errc::token_malformed, "The T1 token does not begin with partner_id=…&sig=….");
    const std::string_view partner = head.substr(0, ampersand);
    const std::string_view signature = head.substr(ampersand + 1);
    if (!partner.starts_with(partner_name) || !signature.starts_with(signature_name))
        return fail(Errc::token_malformed, "The T1 token does not begin with partner_id=…&sig=….");
    parts.partner_id = partner.substr(partner_name.size());
    parts.signature = signature.substr(signature_name.size());
    return parts;
}

T1FieldList parse_t1_fields(std::string_view data)
{
    T1FieldList list;
    while (!data.empty()) {
        const std::size_t end = data.find('&');
        const std::string_view field = data.substr(0, end);
        data = end == std::string_view::npos ? std::string_view{} : data.substr(end + 1);
        if (field.empty())
            continue;
        const std::size_t equals = field.find('=');
        const std::string_view name = field.substr(0, equals);
        const std::string_view value = equals == std::string_view::npos ? std::string_view{} : field.substr(equals + 1);
        list.damaged = list.damaged || !is_whole(name) || !is_whole(value);
        list.fields.emplace_back(decoded(name), decoded(value));
    }
    return list;
}

} // namespace usher
