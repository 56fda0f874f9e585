// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <usher/core/failure.hpp>
#include <usher/core/role.hpp>
#include <usher/core/time.hpp>
#include <usher/crypto/rsa.hpp>
#include <usher/crypto/secret.hpp>

namespace usher {

enum class TokenFormat : std::uint8_t { t1, jwt };

/// What a client token grants. Texts are borrowed for the call only.
struct TokenClaims {
    std::string_view session_id;
    Role role;
    sys_seconds issued_at;
    sys_seconds expires_at;
    std::string_view connection_data; ///< At most 1000 bytes of UTF-8, seen by everyone in the session; may be empty.
    std::string_view layout_classes;  ///< `[A-Za-z0-9_-]+` joined by one space, at most 1000 bytes; may be empty.
};

/// Random bits that make two tokens for the same claims differ (T1 and HS256: nonce; RS256: a UUID v4 as jti), but not
/// in their length.
struct TokenEntropy {
    std::uint64_t high;
    std::uint64_t low;
};

/// Eight, four, four, four and twelve hex digits with `-` between: what an application id is.
bool is_uuid(std::string_view text);

/// The part of the validation that depends on the participant alone.
Result<void> check_participant(std::string_view connection_data, std::string_view layout_classes);

/// The same, one by one; the message does not name the column.
Result<void> check_connection_data(std::string_view connection_data);
Result<void> check_layout_classes(std::string_view layout_classes);

/// Signs for one project: client tokens, and the requests to the vendor's REST API. The HMAC key is prepared and the
/// RSA key loaded once, here; copies share them. Safe to use from several threads at once.
class TokenSigner {
public:
    /// API key and secret: T1 (HMAC-SHA1) or JWT (HS256). Errors: api_key_not_numeric, api_secret_empty.
    static Result<TokenSigner> for_api_key(TokenFormat format, std::string api_key, Secret const& api_secret);

    /// Application id and RSA key: JWT (RS256). Errors: application_id_not_uuid.
    static Result<TokenSigner> for_application(std::string application_id, RsaSigner key);

    /// Errors: each of the token claims' Errc, by name; nothing is signed then.
    Result<std::string> sign(TokenClaims const& claims, TokenEntropy entropy, sys_seconds now) const;

    /// A JWT that authorises one REST request: `iss` and `ist` by an API key, `application_id` and `jti` by an
    /// application. Dated back by `skew`, two minutes at most, and good for a minute from now: a vendor whose clock is
    /// further ahead than that refuses the request instead of making a session that nobody can use.
    std::string sign_request(sys_seconds now, seconds skew, TokenEntropy entropy) const;

    /// Whether `token` was signed by this project's key (in constant time). Errors: token_malformed, token_too_long,
    /// signature_mismatch.
    Result<void> verify(std::string_view token) const;

    std::string_view project_key() const; ///< API key or application id: what a client needs beside the token.
    std::string_view key_id() const;      ///< 16 hex digits that name the secret without revealing it.
    TokenFormat format() const;

private:
    struct State;
    explicit TokenSigner(std::shared_ptr<State const> state);
    std::shared_ptr<State const> state_;
};

/// What a token says. Its signature is not checked, and its texts may hold anything: escape them before printing.
struct DecodedToken {
    TokenFormat format = TokenFormat::t1;
    std::string algorithm; ///< As the header has it; `HMAC-SHA1` for T1.
    std::string project_key;
    std::string session_id;
    std::string role;
    std::optional<std::int64_t> issued_at;
    std::optional<std::int64_t> expires_at;
    std::string connection_data;
    std::string layout_classes;
    std::vector<std::pair<std::string, std::string>> fields; ///< All of them, in the token's order; JSON if no text.
    std::vector<std::string> notes;                          ///< What is odd about it, a sentence each.
};

/// Reads a token of any of the vendor's SDKs; never throws for what is in it. Errors: token_malformed, token_too_long.
Result<DecodedToken> decode_token(std::string_view token);

} // namespace usher
