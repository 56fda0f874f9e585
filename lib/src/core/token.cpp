// SPDX-License-Identifier: Apache-2.0
#include <usher/core/token.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <usher/core/ascii.hpp>
#include <usher/core/jwt.hpp>
#include <usher/core/session_id.hpp>
#include <usher/core/utf8.hpp>
#include <usher/crypto/hmac.hpp>

#include "core/token_text.hpp"

namespace usher {

namespace {

constexpr std::size_t layout_classes_bytes_max = 1000;
constexpr std::size_t token_bytes_max = 16 * 1024; // twice the longest that claims within the limits can lead to
constexpr seconds life_limit{30 * 24 * 3600};
constexpr seconds request_life{61};
constexpr seconds request_skew_max{2 * 60};

bool is_layout_char(char c)
{
    return is_digit(c) || is_letter(c) || c == '_' || c == '-';
}

/// Names joined by one space each, or nothing.
bool are_layout_classes(std::string_view text)
{
    bool after_name = text.empty();
    for (const char c : text) {
        if (c != ' ' && !is_layout_char(c))
            return false;
        if (c == ' ' && !after_name)
            return false;
        after_name = c != ' ';
    }
    return after_name;
}

Result<void> check_times(TokenClaims const& claims, sys_seconds now)
{
    if (claims.expires_at <= now)
        return fail(
            Errc::expiry_not_after_now, "The token would expire at " + to_iso8601(claims.expires_at) +
                                            ", which is not after now, " + to_iso8601(now) + "."
        );
    if (claims.expires_at <= claims.issued_at)
        return fail(
            Errc::expiry_not_after_now, "The token would expire at " + to_iso8601(claims.expires_at) +
                                            ", which is not after its issue, " + to_iso8601(claims.issued_at) + "."
        );
    // Unsigned, since the difference of two instants may not fit; it is positive here.
    const auto life = static_cast<std::uint64_t>(unix_seconds(claims.expires_at)) -
                      static_cast<std::uint64_t>(unix_seconds(claims.issued_at));
    if (life >= static_cast<std::uint64_t>(life_limit.count()))
        return fail(
            Errc::life_too_long, "The token would live from " + to_iso8601(claims.issued_at) + " to " +
                                     to_iso8601(claims.expires_at) + "; it must be less than 30 days."
        );
    return {};
}

/// Whose the session is, by its id. `own` is how the ids of `api_key` begin.
Result<void> check_owner(std::string_view session_id, std::string const& api_key, SessionIdStart const& own)
{
    // The usual case: even if what follows did not decode, there would be no other owner to find.
    if (own.is_in(session_id))
        return {};
    const auto owner = project_key_of(session_id);
    if (owner && *owner != api_key)
        return fail(
            Errc::session_of_another_project,
            "The session belongs to project " + (is_utf8(*owner) ? *owner : "?") + ", the API key is " + api_key + "."
        );
    return {};
}

Result<void> check_session(std::string_view session_id, SignerParts const& parts)
{
    if (session_id.empty())
        return fail(Errc::session_id_empty, "The session id is empty.");
    if (!is_utf8(session_id))
        return fail(Errc::session_of_another_project, "The session id is not UTF-8, so no project has made it.");
    return parts.check_session ? parts.check_session(session_id) : Result<void>{};
}

Result<void> check_token_size(std::string_view token)
{
    if (token.size() > token_bytes_max)
        return fail(
            Errc::token_too_long, "The token has " + std::to_string(token.size()) + " bytes; none has more than " +
                                      std::to_string(token_bytes_max) + "."
        );
    return {};
}

} // namespace

bool is_uuid(std::string_view text)
{
    if (text.size() != 36)
        return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !is_hex_digit(text[i]))
            return false;
    }
    return true;
}

Result<void> check_connection_data(std::string_view connection_data)
{
    if (connection_data.size() > connection_data_bytes_max)
        return fail(
            Errc::connection_data_too_long,
            "has " + std::to_string(connection_data.size()) + " bytes; at most 1000 are allowed"
        );
    if (connection_data.find('\0') != std::string_view::npos)
        return fail(Errc::connection_data_not_utf8, "contains a NUL character");
    if (!is_utf8(connection_data))
        return fail(Errc::connection_data_not_utf8, "is not UTF-8");
    return {};
}

Result<void> check_layout_classes(std::string_view layout_classes)
{
    if (layout_classes.size() > layout_classes_bytes_max)
        return fail(
            Errc::layout_classes_too_long,
            "has " + std::to_string(layout_classes.size()) + " bytes; at most 1000 are allowed"
        );
    if (!are_layout_classes(layout_classes))
        return fail(
            Errc::layout_class_invalid, "expected names of letters, digits, _ and -, with one space between two of them"
        );
    return {};
}

Result<void> check_participant(std::string_view connection_data, std::string_view layout_classes)
{
    if (auto checked = check_connection_data(connection_data); !checked)
        return fail(checked.error().code, "connection_data " + checked.error().message + ".");
    if (auto checked = check_layout_classes(layout_classes); !checked)
        return fail(checked.error().code, "layout_classes: " + checked.error().message + ".");
    return {};
}

TokenSigner::TokenSigner(SignerParts parts) : parts_{std::make_shared<SignerParts const>(std::move(parts))} {}

Result<TokenSigner> TokenSigner::for_api_key(TokenFormat format, std::string api_key, Secret const& api_secret)
{
    assert(format.declared().by_secret != nullptr);
    if (api_key.empty() || !std::all_of(api_key.begin(), api_key.end(), is_digit))
        return fail(
            Errc::api_key_not_numeric,
            "The API key must be digits only; an application id goes with an RSA key instead of a secret."
        );
    if (api_secret.empty())
        return fail(Errc::api_secret_empty, "The API secret of project " + api_key + " is empty.");
    const std::string_view secret = api_secret.reveal();
    const auto key = std::make_shared<HmacKey const>(Digest::sha256, secret);
    SignerParts parts{
        format, api_key, to_hex(key->sign("usher key id")).substr(0, 16), format.declared().by_secret(api_key, secret)};
    parts.shared_secret = std::make_shared<VeiledSecret const>(secret);
    parts.check_session = [api_key, own = SessionIdStart{api_key}](std::string_view session_id) {
        return check_owner(session_id, api_key, own);
    };
    parts.sign_request = [key, api_key = std::move(api_key)](sys_seconds now, seconds skew, TokenEntropy) {
        JwtClaims payload;
        payload.add_plain("iss", api_key)
            .add_plain("ist", "project")
            .add("iat", unix_seconds(now - std::min(skew, request_skew_max)))
            .add("exp", unix_seconds(now + request_life));
        std::string input = jwt_signing_input(hs256_header, payload.text());
        const HmacCode signature = key->sign(input);
        return join_jwt(std::move(input), signature);
    };
    return TokenSigner{std::move(parts)};
}

Result<TokenSigner> TokenSigner::for_application(std::string application_id, RsaSigner key)
{
    if (!is_uuid(application_id))
        return fail(
            Errc::application_id_not_uuid,
            "The application id must be a UUID, such as 29f760f8-7ce1-46c9-ade3-f2dedee4ed5f."
        );
    const auto shared = std::make_shared<RsaSigner const>(std::move(key));
    // Not even the vendor's SDKs look into the session ids of applications.
    SignerParts parts{
        TokenFormat::jwt, application_id, to_hex(sha256(shared->public_key())).substr(0, 16),
        TokenFormat::jwt.declared().by_rsa_key(application_id, shared)};
    parts.sign_request = [shared, application_id =
                                      std::move(application_id)](sys_seconds now, seconds skew, TokenEntropy entropy) {
        JwtClaims payload;
        payload.add_plain("jti", uuid_v4(entropy))
            .add("iat", unix_seconds(now - std::min(skew, request_skew_max)))
            .add("exp", unix_seconds(now + request_life))
            .add_plain("application_id", application_id);
        std::string input = jwt_signing_input(rs256_header, payload.text());
        const std::string signature = shared->sign(input);
        return join_jwt(std::move(input), signature);
    };
    return TokenSigner{std::move(parts)};
}

Result<std::string> TokenSigner::sign(TokenClaims const& claims, TokenEntropy entropy, sys_seconds now) const
{
    if (to_text(claims.role).empty())
        return fail(Errc::unknown_role, "The role is none of subscriber, publisher, publisheronly and moderator.");
    if (auto checked = check_session(claims.session_id, *parts_); !checked)
        return tl::unexpected{std::move(checked.error())};
    if (auto checked = check_times(claims, now); !checked)
        return tl::unexpected{std::move(checked.error())};
    if (auto checked = check_participant(claims.connection_data, claims.layout_classes); !checked)
        return tl::unexpected{std::move(checked.error())};
    return parts_->key->sign(claims, entropy);
}

std::string TokenSigner::sign_request(sys_seconds now, seconds skew, TokenEntropy entropy) const
{
    return parts_->sign_request ? parts_->sign_request(now, skew, entropy) : std::string{};
}

Result<void> TokenSigner::verify(std::string_view token) const
{
    if (auto checked = check_token_size(token); !checked)
        return checked;
    return parts_->key->verify(token);
}

std::string_view TokenSigner::project_key() const
{
    return parts_->project_key;
}

VeiledSecret const* TokenSigner::shared_secret() const
{
    return parts_->shared_secret.get();
}

std::string_view TokenSigner::key_id() const
{
    return parts_->key_id;
}

TokenFormat TokenSigner::format() const
{
    return parts_->format;
}

Result<DecodedToken> decode_token(std::string_view token, std::span<TokenFormat const> formats)
{
    if (auto checked = check_token_size(token); !checked)
        return tl::unexpected{std::move(checked.error())};
    TokenFormatDeclaration const* reader = nullptr;
    for (TokenFormat const& format : formats) {
        TokenFormatDeclaration const& declared = format.declared();
        const bool recognised = declared.recognises != nullptr && declared.recognises(token);
        if (recognised)
            return declared.decode(token);
        if (declared.recognises == nullptr)
            reader = &declared;
    }
    if (reader == nullptr)
        return fail(Errc::token_malformed, "The token is of no format that is known here.");
    return reader->decode(token);
}

} // namespace usher
