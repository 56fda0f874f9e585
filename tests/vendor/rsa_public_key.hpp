// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string_view>

struct evp_pkey_st;

namespace usher::vendor {

/// The half of an RSA key that the vendor has.
class RsaPublicKey {
public:
    /// Reads a public key, or the public half of a private one. Nothing when `pem` is neither.
    static std::optional<RsaPublicKey> from_pem(std::string_view pem);

    /// RSASSA-PKCS1-v1_5 with SHA-256.
    bool verify(std::string_view message, std::string_view signature) const;

private:
    struct Free {
        void operator()(evp_pkey_st* key) const noexcept;
    };
    using Key = std::unique_ptr<evp_pkey_st, Free>;

    explicit RsaPublicKey(Key key);
    Key key_;
};

} // namespace usher::vendor
