// SPDX-License-Identifier: Apache-2.0
#include <usher/crypto/secret.hpp>

#include <stdexcept>
#include <utility>

#include <openssl/crypto.h>
#include <openssl/rand.h>

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

VeiledSecret::VeiledSecret(std::string_view text) : veil_(text.size(), '\0'), veiled_(text.size(), '\0')
{
    if (RAND_bytes(reinterpret_cast<unsigned char*>(veil_.data()), static_cast<int>(veil_.size())) != 1)
        throw std::runtime_error{"OpenSSL has no random bytes"};
    for (std::size_t i = 0; i < text.size(); ++i)
        veiled_[i] = static_cast<char>(text[i] ^ veil_[i]);
}

Secret VeiledSecret::unveil() const
{
    std::string text(veil_.size(), '\0');
    for (std::size_t i = 0; i < text.size(); ++i)
        text[i] = static_cast<char>(veiled_[i] ^ veil_[i]);
    return Secret{std::move(text)};
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
