// SPDX-License-Identifier: Apache-2.0
#include <usher/core/jwt.hpp>

#include <cstddef>
#include <utility>

#include <usher/crypto/base64.hpp>

#include "core/blocks.hpp"

namespace usher {

namespace {

/// Of each byte, whether JSON takes it as it is.
constexpr auto is_plain = [](Block bytes) {
    return is_true_for_all((bytes >= 0x20) & (bytes != '"') & (bytes != '\\'));
};

constexpr auto put_byte = [](char* to, char c) {
    constexpr std::string_view digits = "0123456789abcdef";
    switch (c) {
    case '"': return put(to, "\\\"");
    case '\\': return put(to, "\\\\");
    case '\b': return put(to, "\\b");
    case '\f': return put(to, "\\f");
    case '\n': return put(to, "\\n");
    case '\r': return put(to, "\\r");
    case '\t': return put(to, "\\t");
    default: break;
    }
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20)
        return put(to, c);
    return put(put(put(to, "\\u00"), digits[byte >> 4U]), digits[byte & 15U]);
};

} // namespace

char* JwtClaims::put_quoted(char* to, std::string_view text)
{
    return put(put_by_blocks(put(to, '"'), text, is_plain, put_byte), '"');
}

std::string_view JwtClaims::text()
{
    if (text_.text().empty())
        return "{}";
    put(text_.room(1), '}'); // beyond the end, where the next claim begins
    return {text_.text().data(), text_.text().size() + 1};
}

std::string jwt_signing_input(std::string_view header_json, std::string_view payload_json)
{
    constexpr std::size_t signature_room = 1 + base64url_size(32); // of HS256; beside RS256 growing costs nothing
    const std::size_t size = base64url_size(header_json.size()) + 1 + base64url_size(payload_json.size());
    std::string input;
    input.reserve(size + signature_room);
    input.resize(size);
    write_base64url(put(write_base64url(input.data(), header_json), '.'), payload_json);
    return input;
}

std::string join_jwt(std::string signing_input, std::string_view signature)
{
    const std::size_t start = signing_input.size();
    signing_input.resize(start + 1 + base64url_size(signature.size()));
    write_base64url(put(signing_input.data() + start, '.'), signature);
    return signing_input;
}

Result<JwtParts> split_jwt(std::string_view token)
{
    const std::size_t first = token.find('.');
    const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
    if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos)
        return fail(Errc::token_malformed, "The token is neither T1==… nor three parts with a dot between.");
    auto header = base64_decode_lenient(token.substr(0, first));
    if (!header)
        return fail(Errc::token_malformed, "The header of the JWT is not base64url.");
    auto payload = base64_decode_lenient(token.substr(first + 1, second - first - 1));
    if (!payload)
        return fail(Errc::token_malformed, "The payload of the JWT is not base64url.");
    return JwtParts{std::move(*header), std::move(*payload), token.substr(0, second), token.substr(second + 1)};
}

} // namespace usher
