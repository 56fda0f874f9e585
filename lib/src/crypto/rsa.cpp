// SPDX-License-Identifier: Apache-2.0
#include <usher/crypto/rsa.hpp>

#include <cstddef>
#include <limits>
#include <new>
#include <stdexcept>
#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

namespace usher {

namespace {

constexpr int bits_min = 2048;

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

unsigned char const* bytes_of(std::string_view text)
{
    return reinterpret_cast<unsigned char const*>(text.data());
}

/// The text with line ends in place of a backslash and an `n`; a backslash and an `r` are dropped.
Secret with_line_ends(std::string_view pem)
{
    std::string text;
    text.reserve(pem.size()); // so that no grown-out buffer stays behind in memory
    for (std::size_t i = 0; i < pem.size(); ++i) {
        const char next = pem[i] == '\\' && i + 1 < pem.size() ? pem[i + 1] : '\0';
        if (next != 'n' && next != 'r') {
            text += pem[i];
            continue;
        }
        if (next == 'n')
            text += '\n';
        ++i;
    }
    return Secret{std::move(text)};
}

// Without a callback of ours OpenSSL asks for the passphrase on the terminal.
int no_passphrase(char*, int, int, void*)
{
    return -1;
}

} // namespace

bool is_pem(std::string_view content)
{
    return content.find("-----BEGIN") != std::string_view::npos;
}

std::string_view to_text(RsaKeyError error)
{
    switch (error) {
    case RsaKeyError::missing: return "is empty";
    case RsaKeyError::not_rsa: return "is not an RSA key";
    case RsaKeyError::too_short: return "is shorter than 2048 bits";
    case RsaKeyError::unreadable: return "is not a private key in PEM without a passphrase";
    }
    return "is unusable";
}

void RsaSigner::FreeKey::operator()(evp_pkey_st* key) const noexcept
{
    EVP_PKEY_free(key);
}

RsaSigner::RsaSigner(PrivateKey key) : key_{std::move(key)} {}

tl::expected<RsaSigner, RsaKeyError> RsaSigner::from_pem(Secret const& pem)
{
    const Secret text = with_line_ends(pem.reveal());
    if (text.reveal().find_first_not_of(" \t\r\n") == std::string_view::npos)
        return tl::unexpected{RsaKeyError::missing};
    if (text.reveal().size() > static_cast<std::size_t>(std::numeric_limits<int>::max()))
        return tl::unexpected{RsaKeyError::unreadable};

    const Bio bio{BIO_new_mem_buf(text.reveal().data(), static_cast<int>(text.reveal().size())), &BIO_free};
    if (!bio)
        throw std::bad_alloc{};
    PrivateKey key{PEM_read_bio_PrivateKey(bio.get(), nullptr, &no_passphrase, nullptr)};
    ERR_clear_error(); // or the next caller of OpenSSL on this thread takes our error for its own
    if (!key)
        return tl::unexpected{RsaKeyError::unreadable};
    if (EVP_PKEY_is_a(key.get(), "RSA") != 1)
        return tl::unexpected{RsaKeyError::not_rsa};
    if (EVP_PKEY_get_bits(key.get()) < bits_min)
        return tl::unexpected{RsaKeyError::too_short};
    return RsaSigner{std::move(key)};
}

std::string RsaSigner::sign(std::string_view message) const
{
    const DigestContext context{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
    std::string signature(static_cast<std::size_t>(EVP_PKEY_get_size(key_.get())), '\0');
    std::size_t size = signature.size();
    if (!context || EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) != 1 ||
        EVP_DigestSign(
            context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes_of(message), message.size()
        ) != 1) {
        ERR_clear_error();
        throw std::runtime_error{"OpenSSL could not sign with the RSA key"};
    }
    signature.resize(size);
    return signature;
}

bool RsaSigner::verify(std::string_view message, std::string_view signature) const
{
    const DigestContext context{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
    const bool valid =
        context && EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1 &&
        EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(message), message.size()) == 1;
    ERR_clear_error();
    return valid;
}

std::string RsaSigner::public_key() const
{
    unsigned char* der = nullptr;
    const int size = i2d_PUBKEY(key_.get(), &der);
    if (size < 0)
        throw std::runtime_error{"OpenSSL could not write the public key"};
    std::string bytes(reinterpret_cast<char const*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    return bytes;
}

} // namespace usher
