// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <usher/core/failure.hpp>
#include <usher/core/time.hpp>
#include <usher/core/token_format.hpp>
#include <usher/crypto/rsa.hpp>
#include <usher/crypto/secret.hpp>

namespace usher {

/// Eight, four, four, four and twelve hex digits with `-` between: what an application id is.
bool is_uuid(std::string_view text);

/// The part of the validation that depends on the participant alone.
Result<void> check_participant(std::string_view connection_data, std::string_view layout_classes);

/// The same, one by one; the message does not name the column.
Result<void> check_connection_data(std::string_view connection_data);
Result<void> check_layout_classes(std::string_view layout_classes);

/// What one project signs with, as its vendor wants it.
struct SignerParts {
    TokenFormat format;
    std::string project_key; ///< What a client needs beside the token.
    std::string key_id;      ///< Names the key without revealing it.
    std::shared_ptr<TokenKey const> key;
    /// Refuses a session that is not this project's; empty: ids do not tell whose they are.
    std::function<Result<void>(std::string_view session_id)> check_session{};
    /// Makes what authorises one request to the vendor's REST API; empty: requests are not signed by this key.
    std::function<std::string(sys_seconds now, seconds skew, TokenEntropy entropy)> sign_request{};
    std::shared_ptr<VeiledSecret const>
        shared_secret{}; ///< Which the vendor has, too; none where it has a public key only.
};

/// Signs for one project: client tokens, and the requests to the vendor's REST API. The HMAC key is prepared and the
/// RSA key loaded once, here; copies share them. Safe to use from several threads at once.
class TokenSigner {
public:
    explicit TokenSigner(SignerParts parts);

    /// API key and secret: T1 (HMAC-SHA1) or JWT (HS256), or another format that is signed with a secret. Errors:
    /// api_key_not_numeric, api_secret_empty.
    static Result<TokenSigner> for_api_key(TokenFormat format, std::string api_key, Secret const& api_secret);

    /// Application id and RSA key: JWT (RS256). Errors: application_id_not_uuid.
    static Result<TokenSigner> for_application(std::string application_id, RsaSigner key);

    /// Errors: each of the token claims' Errc, by name; nothing is signed then.
    Result<std::string> sign(TokenClaims const& claims, TokenEntropy entropy, sys_seconds now) const;

    /// A JWT that authorises one REST request: `iss` and `ist` by an API key, `application_id` and `jti` by an
    /// application. Dated back by `skew`, two minutes at most, and good for a minute from now: a vendor whose clock is
    /// further ahead than that refuses the request instead of making a session that nobody can use. Empty where the
    /// key of tokens does not authorise requests.
    std::string sign_request(sys_seconds now, seconds skew, TokenEntropy entropy) const;

    /// Whether `token` was signed by this project's key (in constant time). Errors: token_malformed, token_too_long,
    /// signature_mismatch.
    Result<void> verify(std::string_view token) const;

    std::string_view project_key() const; ///< API key or application id: what a client needs beside the token.
    std::string_view key_id() const;      ///< 16 hex digits that name the secret without revealing it.
    TokenFormat format() const;
    VeiledSecret const*
    shared_secret() const; ///< To be cut out of what the vendor says; null where it cannot know one.

private:
    std::shared_ptr<SignerParts const> parts_;
};

} // namespace usher
