// SPDX-License-Identifier: Apache-2.0
#include <usher/core/jwt.hpp>

#include <cstddef>
#include <utility>

#include <usher/crypto/base64.hpp>

namespace usher {

namespace {

void append_quoted(std::string& out, std::string_view text)
{
    constexpr std::string_view digits = "0123456789abcdef";
    out += '"';
    for (const char c : text) {
        switch (c) {
        case '"': out += "\\\""; break;
        case '\\': out += "\\\\"; break;
        case '\b': out += "\\b"; break;
        case '\f': out += "\\f"; break;
        case '\n': out += "\\n"; break;
        case '\r': out += "\\r"; break;
        case '\t': out += "\\t"; break;
        default:
            if (const auto byte = static_cast<unsigned char>(c); byte < 0x20) {
                out += "\\u00";
                out += digits[byte >> 4U];
                out += digits[byte & 15U];
            } else {
                out += c;
            }
        }
    }
    out += '"';
}

} // namespace

void JwtClaims::begin(std::string_view name)
{
    if (text_.size() > 1)
        text_ += ',';
    append_quoted(text_, name);
    text_ += ':';
}

JwtClaims& JwtClaims::add(std::string_view name, std::string_view text)
{
    begin(name);
    append_quoted(text_, text);
    return *this;
}

JwtClaims& JwtClaims::add(std::string_view name, std::int64_t number)
{
    begin(name);
    text_ += std::to_string(number);
    return *this;
}

JwtClaims& JwtClaims::add_json(std::string_view name, std::string_view json)
{
    begin(name);
    text_ += json;
    return *this;
}

std::string JwtClaims::json() const
{
    return text_ + '}';
}

std::string jwt_signing_input(std::string_view header_json, std::string_view payload_json)
{
    return base64url_encode(header_json) + '.' + base64url_encode(payload_json);
}

std::string join_jwt(std::string signing_input, std::string_view signature)
{
    signing_input += '.';
    signing_input += base64url_encode(signature);
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
