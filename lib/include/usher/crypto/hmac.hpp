// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace usher {

enum class Digest { sha1, sha256 };

/// The raw bytes: 20 with SHA-1, 32 with SHA-256.
class HmacCode {
public:
    operator std::string_view() const { return {bytes_.data(), size_}; } // NOLINT(google-explicit-constructor)

private:
    friend class HmacKey;
    std::array<char, 32> bytes_;
    std::size_t size_;
};

/// A key for HMAC, prepared once. Safe to use from several threads at once.
class HmacKey {
public:
    HmacKey(Digest digest, std::string_view key);

    HmacCode sign(std::string_view message) const;

private:
    struct PreparedKey;
    struct Free {
        void operator()(PreparedKey* state) const noexcept;
    };
    std::unique_ptr<PreparedKey, Free> state_;
};

/// The raw 32 bytes.
std::string sha256(std::string_view message);

/// Lower case.
std::string to_hex(std::string_view bytes);

/// The same to `out`, which has room for it; returns its end.
char* write_hex(char* out, std::string_view bytes);

} // namespace usher
