// SPDX-License-Identifier: Apache-2.0
#include <usher/crypto/secret.hpp>

#include <utility>

#include <openssl/crypto.h>

namespace usher {

// A moved-from std::string keeps a short text's bytes in itself, hence a wipe of the source after each move.

Secret::Secret(std::string text) : text_{std::move(text)}
{
    wipe(text);
}

Secret::Secret(Secret&& other) noexcept : text_{std::move(other.text_)}
{
    wipe(other.text_);
}

Secret& Secret::operator=(Secret&& other) noexcept
{
    if (this != &other) {
        wipe(text_);
        text_ = std::move(other.text_);
        wipe(other.text_);
    }
    return *this;
}

Secret::~Secret()
{
    wipe(text_);
}

void wipe(std::string& text) noexcept
{
    // Also for a text that was moved from: its buffer may still hold what it held.
    text.resize(text.capacity()); // NOLINT(clang-analyzer-cplusplus.Move): never reallocates; what lies beyond the text
                                  // may be left from a longer one
    OPENSSL_cleanse(text.data(), text.size());
    text.clear();
}

bool constant_time_equal(std::string_view left, std::string_view right)
{
    return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

} // namespace usher
