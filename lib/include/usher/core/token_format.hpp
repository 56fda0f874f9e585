// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
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

/// What a client token grants. Texts are borrowed for the call only.
struct TokenClaims {
    std::string_view session_id;
    Role role;
    sys_seconds issued_at;
    sys_seconds expires_at;
    std::string_view connection_data; ///< At most 1000 bytes of UTF-8, seen by everyone in the session; may be empty.
    std::string_view layout_classes;  ///< `[A-Za-z0-9_-]+` joined by one space, at most 1000 bytes; may be empty.
    std::string_view identity{};      ///< Who it is for, by the platform's id; only some formats carry it.
    std::string_view name{};          ///< How the others see them; may be empty. Only some formats carry it.
};

/// Random bits that make two tokens for the same claims differ (T1 and HS256: nonce; RS256: a UUID v4 as jti), but not
/// in their length.
struct TokenEntropy {
    std::uint64_t high;
    std::uint64_t low;
};

struct DecodedToken;

/// Makes and checks tokens of one format with one project's key, which is prepared once. Safe to use from several
/// threads at once.
class TokenKey {
public:
    virtual ~TokenKey() = default;

    /// `claims` were checked by TokenSigner but for identity and name. Errors: what this format alone refuses.
    virtual Result<std::string> sign(TokenClaims const& claims, TokenEntropy entropy) const = 0;

    /// In constant time, as far as the signature goes. Errors: token_malformed, signature_mismatch.
    virtual Result<void> verify(std::string_view token) const = 0;
};

/// What a token format declares of itself, in a file of its own.
struct TokenFormatDeclaration {
    /// Configurations name the format by it, and stored hashes cover it: it never changes.
    std::string_view id;
    /// That a token of this format may name. Where there is more than one, people are told which.
    std::span<std::string_view const> algorithms;
    /// Whether identity and name stand in the token, which is then signed anew when the name changes.
    bool carries_person = false;
    /// Whether a text is meant to be a token of this format. Null in one format only, which reads every text that no
    /// other format recognises.
    bool (*recognises)(std::string_view token) = nullptr;
    /// Errors: token_malformed.
    Result<DecodedToken> (*decode)(std::string_view token) = nullptr;
    /// Of an API key and secret; null where the format cannot be signed with a secret.
    std::shared_ptr<TokenKey const> (*by_secret)(std::string const& project_key, std::string_view secret) = nullptr;
    /// Of an application and its RSA key; null where the format cannot be signed with one.
    std::shared_ptr<TokenKey const> (*by_rsa_key
    )(std::string const& project_key, std::shared_ptr<RsaSigner const> key) = nullptr;
};

extern const TokenFormatDeclaration t1_format;
extern const TokenFormatDeclaration jwt_format;

/// Names a format that was declared.
class TokenFormat {
public:
    /// `declared` must outlive everything.
    constexpr explicit TokenFormat(TokenFormatDeclaration const& declared) : declared_{&declared} {}

    TokenFormatDeclaration const& declared() const { return *declared_; }
    std::string_view id() const { return declared_->id; }

    friend constexpr bool operator==(TokenFormat const&, TokenFormat const&) = default;

    static const TokenFormat t1;
    static const TokenFormat jwt;

private:
    TokenFormatDeclaration const* declared_;
};

inline constexpr TokenFormat TokenFormat::t1{t1_format};
inline constexpr TokenFormat TokenFormat::jwt{jwt_format};

/// All of usher's own formats; see token_formats.cpp.
std::span<TokenFormat const> token_formats();

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

/// Reads a token of any of the vendor's SDKs, in whichever of `formats` it is; never throws for what is in it. Errors:
/// token_malformed, token_too_long.
Result<DecodedToken> decode_token(std::string_view token, std::span<TokenFormat const> formats = token_formats());

} // namespace usher
