// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include <usher/crypto/secret.hpp>

struct evp_pkey_st;

namespace usher {

enum class RsaKeyError { missing, not_rsa, too_short, unreadable };

/// Whether `content` holds something in PEM.
bool is_pem(std::string_view content);

/// What is wrong with the key, for people, to follow its name: `is shorter than 2048 bits`.
std::string_view to_text(RsaKeyError error);

/// Signs with RSASSA-PKCS1-v1_5 and SHA-256. Safe to use from several threads at once.
class RsaSigner {
public:
    /// PKCS#1 or PKCS#8, any line ends, also a literal `\n` for each, as environment variables have it. A key under a
    /// passphrase is `unreadable`: nothing is ever asked for.
    static tl::expected<RsaSigner, RsaKeyError> from_pem(Secret const& pem);

    std::string sign(std::string_view message) const;
    bool verify(std::string_view message, std::string_view signature) const;

    /// DER of the SubjectPublicKeyInfo.
    std::string public_key() const;

private:
    struct FreeKey {
        void operator()(evp_pkey_st* key) const noexcept;
    };
    using PrivateKey = std::unique_ptr<evp_pkey_st, FreeKey>;

    explicit RsaSigner(PrivateKey key);
    PrivateKey key_;
};

} // namespace usher
