// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <set>
#include <utility>

#include <usher/core/ascii.hpp>
#include <usher/core/t1_token.hpp>
#include <usher/core/token_format.hpp>
#include <usher/core/utf8.hpp>
#include <usher/crypto/hmac.hpp>

#include "core/token_text.hpp"

namespace usher {

namespace {

constexpr std::array<std::string_view, 1> algorithms{"HMAC-SHA1"};

std::optional<std::int64_t> integer_of(std::string_view text)
{
    std::int64_t number = 0;
    char const* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || stop != end || text.empty())
        return std::nullopt;
    return number;
}

Result<DecodedToken> decode_t1(std::string_view text)
{
    auto parts = split_t1(text);
    if (!parts)
        return tl::unexpected{std::move(parts.error())};
    DecodedToken token;
    token.format = TokenFormat::t1;
    token.algorithm = "HMAC-SHA1";
    token.project_key = parts->partner_id;
    T1FieldList read = parse_t1_fields(parts->data);
    token.fields = std::move(read.fields);
    if (token.fields.empty())
        return fail(Errc::token_malformed, "The T1 token has no fields.");

    const bool hex = std::all_of(parts->signature.begin(), parts->signature.end(), is_hex_digit);
    if (parts->signature.size() != 40 || !hex)
        token.notes.emplace_back("Its signature is not 40 hex digits.");
    if (read.damaged)
        token.notes.emplace_back("A percent sign is not followed by two hex digits; it may be truncated.");

    std::set<std::string_view> seen;
    bool utf8 = true;
    for (auto const& [name, value] : token.fields) {
        utf8 = utf8 && is_utf8(name) && is_utf8(value);
        const bool first = seen.insert(name).second;
        if (!first && name != "initial_layout_class_list") {
            token.notes.push_back("The field " + name + " is there more than once; the first counts here.");
            continue;
        }
        const auto time = [&, &name = name, &value = value] {
            const auto read_time = integer_of(value);
            if (!read_time)
                token.notes.push_back("Its " + name + " is not a number of seconds.");
            return read_time;
        };
        if (name == "session_id")
            token.session_id = value;
        else if (name == "create_time")
            token.issued_at = time();
        else if (name == "expire_time")
            token.expires_at = time();
        else if (name == "role")
            token.role = value;
        else if (name == "connection_data")
            token.connection_data = value;
        else if (name == "initial_layout_class_list") // some encoders repeat the field for each class
            token.layout_classes += (first ? "" : " ") + value;
        else if (name != "nonce" && name != "scope")
            token.notes.push_back("The field " + name + " is not one of a T1 token.");
    }
    if (!utf8)
        token.notes.emplace_back("Its fields are not UTF-8.");
    return with_oddities(std::move(token));
}

class T1Key final : public TokenKey {
public:
    T1Key(std::string const& api_key, std::string_view secret)
        : api_key_{api_key}, encoder_{api_key}, key_{Digest::sha1, secret}
    {}

    Result<std::string> sign(TokenClaims const& claims, TokenEntropy entropy) const override
    {
        // In the order of the vendor's node SDKs, so that tokens can be compared by bytes.
        T1Fields fields;
        fields.add_value("session_id", claims.session_id)
            .add_plain("create_time", unix_seconds(claims.issued_at))
            .add_plain("nonce", nonce_of(entropy))
            .add_plain("role", to_text(claims.role))
            .add_plain("expire_time", unix_seconds(claims.expires_at));
        if (!claims.connection_data.empty())
            fields.add_value("connection_data", claims.connection_data);
        fields.add_value("initial_layout_class_list", claims.layout_classes).add_plain("scope", connect_scope);
        return encoder_.encode(key_, fields);
    }

    Result<void> verify(std::string_view token) const override
    {
        const auto parts = split_t1(token);
        if (!parts)
            return tl::unexpected{parts.error()};
        // The signature does not cover the partner id.
        if (parts->partner_id != api_key_)
            return mismatch("The token is of another project than " + api_key_ + ".");
        if (!constant_time_equal(to_hex(key_.sign(parts->data)), parts->signature))
            return mismatch("The token was not signed with the secret of project " + api_key_ + ".");
        return {};
    }

private:
    std::string api_key_;
    T1Encoder encoder_;
    HmacKey key_;
};

} // namespace

constexpr TokenFormatDeclaration t1_format{
    .id = "t1",
    .algorithms = algorithms,
    .recognises = [](std::string_view token) { return token.starts_with("T1=="); },
    .decode = decode_t1,
    .by_secret = [](std::string const& project_key, std::string_view secret) -> std::shared_ptr<TokenKey const> {
        return std::make_shared<T1Key>(project_key, secret);
    },
};

} // namespace usher
