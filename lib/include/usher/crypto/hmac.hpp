// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

struct evp_mac_ctx_st;

namespace usher {

enum class Digest { sha1, sha256 };

/// A key for HMAC, prepared once. Safe to use from several threads at once.
class HmacKey {
public:
    HmacKey(Digest digest, std::string_view key);

    /// The raw code: 20 bytes with SHA-1, 32 with SHA-256.
    std::string sign(std::string_view message) const;

private:
    struct Free {
        void operator()(evp_mac_ctx_st* context) const noexcept;
    };
    std::unique_ptr<evp_mac_ctx_st, Free> prepared_;
};

/// The raw 32 bytes.
std::string sha256(std::string_view message);

/// Lower case.
std::string to_hex(std::string_view bytes);

} // namespace usher
