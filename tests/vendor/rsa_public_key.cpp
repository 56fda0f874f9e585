// SPDX-License-Identifier: Apache-2.0
#include "vendor/rsa_public_key.hpp"

#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

namespace usher::vendor {

namespace {

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

unsigned char const* bytes_of(std::string_view text)
{
    return reinterpret_cast<unsigned char const*>(text.data());
}

Bio reader_of(std::string_view text)
{
    return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free};
}

// Without a callback of ours OpenSSL asks for the passphrase on the terminal.
int no_passphrase(char*, int, int, void*)
{
    return -1;
}

} // namespace

void RsaPublicKey::Free::operator()(evp_pkey_st* key) const noexcept
{
    EVP_PKEY_free(key);
}

RsaPublicKey::RsaPublicKey(Key key) : key_{std::move(key)} {}

std::optional<RsaPublicKey> RsaPublicKey::from_pem(std::string_view pem)
{
    Key key{PEM_read_bio_PUBKEY(reader_of(pem).get(), nullptr, &no_passphrase, nullptr)};
    if (!key)
        key.reset(PEM_read_bio_PrivateKey(reader_of(pem).get(), nullptr, &no_passphrase, nullptr));
    ERR_clear_error();
    if (!key || EVP_PKEY_is_a(key.get(), "RSA") != 1)
        return std::nullopt;
    return RsaPublicKey{std::move(key)};
}

bool RsaPublicKey::verify(std::string_view message, std::string_view signature) const
{
    const DigestContext context{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
    const bool valid =
        context && EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1 &&
        EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(message), message.size()) == 1;
    ERR_clear_error();
    return valid;
}

} // namespace usher::vendor
