// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include <usher/core/jwt.hpp>
#include <usher/core/token_format.hpp>
#include <usher/crypto/base64.hpp>
#include <usher/crypto/hmac.hpp>
#include <usher/crypto/rsa.hpp>

#include "core/token_text.hpp"

namespace usher {

namespace {

constexpr std::array<std::string_view, 2> algorithms{"HS256", "RS256"};
constexpr int json_depth_max = 32;

// Reading JSON from outside: nlohmann parses without recursion, but writes with it.

bool is_deeper_than(std::string_view json, int limit)
{
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < json.size(); ++i) {
        const char c = json[i];
        if (quoted) {
            if (c == '\\')
                ++i;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > limit)
                return true;
        } else if (c == '}' || c == ']') {
            --depth;
        }
    }
    return false;
}

using Json = nlohmann::ordered_json;

struct ParsedObject {
    Json object;
    std::set<std::string> repeated;
};

Result<ParsedObject> parse_object(std::string_view text, std::string const& what)
{
    if (is_deeper_than(text, json_depth_max))
        return fail(Errc::token_malformed, "The " + what + " of the JWT is nested too deeply.");
    ParsedObject parsed;
    std::set<std::string> names;
    const auto note_names = [&](int depth, Json::parse_event_t event, Json& value) {
        if (event == Json::parse_event_t::key && depth == 1) {
            auto const& name = value.get_ref<Json::string_t const&>();
            if (!names.insert(name).second)
                parsed.repeated.insert(name);
        }
        return true;
    };
    parsed.object = Json::parse(text, note_names, false);
    if (!parsed.object.is_object())
        return fail(Errc::token_malformed, "The " + what + " of the JWT is not a JSON object.");
    return parsed;
}

std::string text_of(Json const& value)
{
    if (value.is_string())
        return value.get_ref<Json::string_t const&>();
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// A time as SDKs write it; some of them write a fraction.
std::optional<std::int64_t> time_of(Json const& value)
{
    if (value.is_number_unsigned()) {
        const auto number = value.get<std::uint64_t>();
        if (number > static_cast<std::uint64_t>(INT64_MAX))
            return std::nullopt;
        return static_cast<std::int64_t>(number);
    }
    if (value.is_number_integer())
        return value.get<std::int64_t>();
    if (value.is_number_float()) {
        const double number = std::floor(value.get<double>());
        if (!(std::abs(number) < 9e15)) // also NaN; above it a double holds no fractions anyway
            return std::nullopt;
        return static_cast<std::int64_t>(number);
    }
    return std::nullopt;
}

Result<DecodedToken> decode_jwt(std::string_view text)
{
    auto parts = split_jwt(text);
    if (!parts)
        return tl::unexpected{std::move(parts.error())};
    auto header = parse_object(parts->header_json, "header");
    if (!header)
        return tl::unexpected{std::move(header.error())};
    auto payload = parse_object(parts->payload_json, "payload");
    if (!payload)
        return tl::unexpected{std::move(payload.error())};

    DecodedToken token;
    token.format = TokenFormat::jwt;
    const auto algorithm = header->object.find("alg");
    if (algorithm == header->object.end() || !algorithm->is_string())
        return fail(Errc::token_malformed, "The header of the JWT names no algorithm.");
    token.algorithm = text_of(*algorithm);
    if (token.algorithm != "HS256" && token.algorithm != "RS256")
        token.notes.emplace_back("Its algorithm is neither HS256 nor RS256.");
    if (!base64_decode_lenient(parts->signature) || parts->signature.empty())
        token.notes.emplace_back("Its signature is missing or not base64url.");
    for (auto const& name : header->repeated)
        token.notes.push_back("The header's " + name + " is there more than once; the last counts here.");
    for (auto const& name : payload->repeated)
        token.notes.push_back("The claim " + name + " is there more than once; the last counts here.");

    constexpr std::array known{"ist", "nonce", "scope", "jti", "sub", "subject", "acl", "create_time", "expire_time"};
    for (auto const& [name, value] : payload->object.items()) {
        token.fields.emplace_back(name, text_of(value));
        const auto time = [&, &name = name, &value = value] {
            const auto read_time = time_of(value);
            if (!read_time)
                token.notes.push_back("Its " + name + " is not a number of seconds.");
            return read_time;
        };
        if (name == "iss" || name == "application_id")
            token.project_key = text_of(value);
        else if (name == "session_id")
            token.session_id = text_of(value);
        else if (name == "role")
            token.role = text_of(value);
        else if (name == "iat")
            token.issued_at = time();
        else if (name == "exp")
            token.expires_at = time();
        else if (name == "connection_data" || name == "data")
            token.connection_data = text_of(value);
        else if (name == "initial_layout_class_list" && value.is_array()) {
            for (auto const& entry : value)
                token.layout_classes += (token.layout_classes.empty() ? "" : " ") + text_of(entry);
        } else if (name == "initial_layout_class_list")
            token.layout_classes = text_of(value);
        else if (std::find(known.begin(), known.end(), name) == known.end())
            token.notes.push_back("The claim " + name + " is not one of a client token.");
    }
    return with_oddities(std::move(token));
}

/// The parts of a JWT that names `algorithm`. The key decides on the algorithm, never the token; else a public key
/// could be taken for a shared secret.
Result<JwtParts> split_signed(std::string_view token, std::string_view algorithm)
{
    auto parts = split_jwt(token);
    if (!parts)
        return parts;
    const auto header = parse_object(parts->header_json, "header");
    if (!header)
        return tl::unexpected{header.error()};
    const auto named = header->object.find("alg");
    if (named == header->object.end() || *named != algorithm || header->repeated.contains("alg"))
        return mismatch("The token's algorithm is not " + std::string{algorithm} + ".");
    return parts;
}

// The claims below are in the order of the vendor's node SDKs, so that tokens can be compared by bytes.

class Hs256Key final : public TokenKey {
public:
    Hs256Key(std::string api_key, std::string_view secret) : api_key_{std::move(api_key)}, key_{Digest::sha256, secret}
    {}

    Result<std::string> sign(TokenClaims const& claims, TokenEntropy entropy) const override
    {
        JwtClaims payload;
        payload.add_plain("iss", api_key_)
            .add_plain("ist", "project")
            .add("iat", unix_seconds(claims.issued_at))
            .add("exp", unix_seconds(claims.expires_at))
            .add("session_id", claims.session_id)
            .add("create_time", unix_seconds(claims.issued_at))
            .add("nonce", nonce_of(entropy))
            .add_plain("role", to_text(claims.role))
            .add("expire_time", unix_seconds(claims.expires_at));
        if (!claims.connection_data.empty())
            payload.add("connection_data", claims.connection_data);
        payload.add("initial_layout_class_list", claims.layout_classes).add_plain("scope", connect_scope);
        std::string input = jwt_signing_input(hs256_header, payload.text());
        const HmacCode signature = key_.sign(input);
        return join_jwt(std::move(input), signature);
    }

    Result<void> verify(std::string_view token) const override
    {
        const auto parts = split_signed(token, "HS256");
        if (!parts)
            return tl::unexpected{parts.error()};
        if (!constant_time_equal(base64url_encode(key_.sign(parts->signing_input)), parts->signature))
            return mismatch("The token was not signed with the key of project " + api_key_ + ".");
        return {};
    }

private:
    std::string api_key_;
    HmacKey key_;
};

class Rs256Key final : public TokenKey {
public:
    Rs256Key(std::string application_id, std::shared_ptr<RsaSigner const> key)
        : application_id_{std::move(application_id)}, key_{std::move(key)}
    {}

    Result<std::string> sign(TokenClaims const& claims, TokenEntropy entropy) const override
    {
        JwtClaims payload;
        payload.add_plain("scope", connect_scope)
            .add("session_id", claims.session_id)
            .add_plain("role", to_text(claims.role))
            .add("initial_layout_class_list", claims.layout_classes)
            .add("exp", unix_seconds(claims.expires_at))
            .add_plain("sub", "video")
            .add_json("acl", R"({"paths":{"/session/**":{}}})");
        if (!claims.connection_data.empty())
            payload.add("connection_data", claims.connection_data);
        payload.add_plain("jti", uuid_v4(entropy))
            .add("iat", unix_seconds(claims.issued_at))
            .add_plain("application_id", application_id_);
        std::string input = jwt_signing_input(rs256_header, payload.text());
        const std::string signature = key_->sign(input);
        return join_jwt(std::move(input), signature);
    }

    Result<void> verify(std::string_view token) const override
    {
        const auto parts = split_signed(token, "RS256");
        if (!parts)
            return tl::unexpected{parts.error()};
        const auto signature = base64url_decode(parts->signature);
        if (!signature || !key_->verify(parts->signing_input, *signature))
            return mismatch("The token was not signed with the key of project " + application_id_ + ".");
        return {};
    }

private:
    std::string application_id_;
    std::shared_ptr<RsaSigner const> key_;
};

} // namespace

constexpr TokenFormatDeclaration jwt_format{
    .id = "jwt",
    .algorithms = algorithms,
    .decode = decode_jwt,
    .by_secret = [](std::string const& project_key, std::string_view secret) -> std::shared_ptr<TokenKey const> {
        return std::make_shared<Hs256Key>(project_key, secret);
    },
    .by_rsa_key = [](std::string const& project_key, std::shared_ptr<RsaSigner const> key)
        -> std::shared_ptr<TokenKey const> { return std::make_shared<Rs256Key>(project_key, std::move(key)); },
};

} // namespace usher
