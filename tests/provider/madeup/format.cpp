// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <memory>

#include <nlohmann/json.hpp>

#include <usher/core/jwt.hpp>
#include <usher/crypto/base64.hpp>
#include <usher/crypto/hmac.hpp>

#include "provider/madeup/madeup.hpp"

namespace usher::madeup {

namespace {

constexpr std::string_view begin = "MU1.";
constexpr std::array<std::string_view, 1> algorithms{"HMAC-SHA256"};

struct Parts {
    std::string_view signed_text;
    std::string_view payload;
    std::string_view signature;
};

Result<Parts> split(std::string_view token)
{
    const std::size_t dot = token.rfind('.');
    if (!token.starts_with(begin) || dot < begin.size())
        return fail(Errc::token_malformed, "The token does not have the three parts of MU1.");
    return Parts{token.substr(0, dot), token.substr(begin.size(), dot - begin.size()), token.substr(dot + 1)};
}

class Key final : public TokenKey {
public:
    Key(std::string workspace, std::string_view secret) : workspace_{std::move(workspace)}, key_{Digest::sha256, secret}
    {}

    Result<std::string> sign(TokenClaims const& claims, TokenEntropy) const override
    {
        JwtClaims payload;
        payload.add("workspace", workspace_)
            .add("room", claims.session_id)
            .add("who", claims.identity)
            .add("name", claims.name)
            .add("role", to_text(claims.role))
            .add("from", unix_seconds(claims.issued_at))
            .add("until", unix_seconds(claims.expires_at));
        std::string text = std::string{begin} + base64url_encode(payload.text());
        return text + "." + base64url_encode(key_.sign(text));
    }

    Result<void> verify(std::string_view token) const override
    {
        const auto parts = split(token);
        if (!parts)
            return tl::unexpected{parts.error()};
        if (!constant_time_equal(base64url_encode(key_.sign(parts->signed_text)), parts->signature))
            return fail(Errc::signature_mismatch, "The token was not signed with the key of " + workspace_ + ".");
        return {};
    }

private:
    std::string workspace_;
    HmacKey key_;
};

Result<DecodedToken> decode(std::string_view token)
{
    const auto parts = split(token);
    if (!parts)
        return tl::unexpected{parts.error()};
    const auto text = base64url_decode(parts->payload);
    const auto payload = nlohmann::json::parse(text.value_or(""), nullptr, false);
    if (!payload.is_object())
        return fail(Errc::token_malformed, "The payload of the token is no JSON object.");
    DecodedToken decoded;
    decoded.format = TokenFormat{format};
    decoded.algorithm = algorithms[0];
    for (auto const& [name, value] : payload.items())
        decoded.fields.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
    decoded.project_key = payload.value("workspace", "");
    decoded.session_id = payload.value("room", "");
    decoded.role = payload.value("role", "");
    decoded.issued_at = payload.value("from", std::int64_t{0});
    decoded.expires_at = payload.value("until", std::int64_t{0});
    return decoded;
}

} // namespace

constexpr TokenFormatDeclaration format{
    .id = "mu1",
    .algorithms = algorithms,
    .carries_person = true,
    .recognises = [](std::string_view token) { return token.starts_with(begin); },
    .decode = decode,
    .by_secret = [](std::string const& workspace, std::string_view secret) -> std::shared_ptr<TokenKey const> {
        return std::make_shared<Key>(workspace, secret);
    },
};

} // namespace usher::madeup
