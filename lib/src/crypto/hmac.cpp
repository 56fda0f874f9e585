// SPDX-License-Identifier: Apache-2.0
#include <usher/crypto/hmac.hpp>

#include <array>
#include <cstddef>
#include <stdexcept>

#include <openssl/core_names.h>
#include <openssl/evp.h>

namespace usher {

namespace {

unsigned char const* bytes_of(std::string_view text)
{
    return reinterpret_cast<unsigned char const*>(text.data());
}

std::string to_string(std::array<unsigned char, EVP_MAX_MD_SIZE> const& bytes, std::size_t size)
{
    return {reinterpret_cast<char const*>(bytes.data()), size};
}

} // namespace

void HmacKey::Free::operator()(evp_mac_ctx_st* context) const noexcept
{
    EVP_MAC_CTX_free(context);
}

HmacKey::HmacKey(Digest digest, std::string_view key)
{
    const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> mac{EVP_MAC_fetch(nullptr, "HMAC", nullptr), &EVP_MAC_free};
    if (mac)
        prepared_.reset(EVP_MAC_CTX_new(mac.get()));
    std::string name = digest == Digest::sha1 ? "SHA1" : "SHA256";
    const std::array params{
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name.data(), 0), OSSL_PARAM_construct_end()};
    if (key.data() == nullptr)
        key = ""; // a null pointer would mean "no key set", not "an empty key"
    if (!prepared_ || EVP_MAC_init(prepared_.get(), bytes_of(key), key.size(), params.data()) != 1)
        throw std::runtime_error{"OpenSSL offers no HMAC with " + name};
}

std::string HmacKey::sign(std::string_view message) const
{
    // A copy of the prepared state is cheaper than hashing the key again, and leaves nothing shared between threads.
    const std::unique_ptr<EVP_MAC_CTX, Free> context{EVP_MAC_CTX_dup(prepared_.get())};
    std::array<unsigned char, EVP_MAX_MD_SIZE> code{};
    std::size_t size = 0;
    if (!context || EVP_MAC_update(context.get(), bytes_of(message), message.size()) != 1 ||
        EVP_MAC_final(context.get(), code.data(), &size, code.size()) != 1)
        throw std::runtime_error{"OpenSSL could not compute an HMAC"};
    return to_string(code, size);
}

std::string sha256(std::string_view message)
{
    std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
    unsigned size = 0;
    if (EVP_Digest(message.data(), message.size(), hash.data(), &size, EVP_sha256(), nullptr) != 1)
        throw std::runtime_error{"OpenSSL could not compute a SHA-256"};
    return to_string(hash, size);
}

std::string to_hex(std::string_view bytes)
{
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const char byte : bytes) {
        const auto value = static_cast<unsigned char>(byte);
        text += digits[value >> 4U];
        text += digits[value & 15U];
    }
    return text;
}

} // namespace usher
