// SPDX-License-Identifier: Apache-2.0
#include "vendor/certificates.hpp"

#include <memory>
#include <stdexcept>
#include <string_view>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace usher::vendor {

namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using X509Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Extension = std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

constexpr std::chrono::hours day{24};

struct Period {
    sys_seconds from;
    sys_seconds to;
};

struct Authority {
    Key key;
    X509Certificate certificate;
};

void require(bool done)
{
    if (!done)
        throw std::runtime_error{"OpenSSL could not make a certificate"};
}

Key new_key()
{
    Key key{EVP_EC_gen("P-256"), &EVP_PKEY_free};
    require(key != nullptr);
    return key;
}

X509Certificate new_certificate(EVP_PKEY* key, std::string const& name, Period period)
{
    X509Certificate certificate{X509_new(), &X509_free};
    require(certificate != nullptr);
    X509* const x509 = certificate.get();
    std::uint64_t serial = 0;
    require(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1);
    require(X509_set_version(x509, X509_VERSION_3) == 1);
    require(ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), serial >> 1U) == 1);
    require(ASN1_TIME_set(X509_getm_notBefore(x509), unix_seconds(period.from)) != nullptr);
    require(ASN1_TIME_set(X509_getm_notAfter(x509), unix_seconds(period.to)) != nullptr);
    require(X509_set_pubkey(x509, key) == 1);
    auto const* const text = reinterpret_cast<unsigned char const*>(name.c_str());
    require(X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_UTF8, text, -1, -1, 0) == 1);
    return certificate;
}

void add_extension(X509* certificate, X509* issuer, int kind, char const* value)
{
    X509V3_CTX context{};
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const Extension extension{X509V3_EXT_conf_nid(nullptr, &context, kind, value), &X509_EXTENSION_free};
    require(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
}

void sign(X509* certificate, X509* issuer, EVP_PKEY* issuer_key)
{
    require(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1);
    require(X509_sign(certificate, issuer_key, EVP_sha256()) > 0);
}

Authority make_authority(std::string const& name, Period period)
{
    Key key = new_key();
    X509Certificate certificate = new_certificate(key.get(), name, period);
    X509* const x509 = certificate.get();
    add_extension(x509, x509, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(x509, x509, NID_key_usage, "critical,keyCertSign,cRLSign");
    add_extension(x509, x509, NID_subject_key_identifier, "hash");
    sign(x509, x509, key.get());
    return {std::move(key), std::move(certificate)};
}

std::string pem_text(BIO* bio)
{
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(size)};
}

std::string pem_of(X509* certificate)
{
    const Bio bio{BIO_new(BIO_s_mem()), &BIO_free};
    require(bio && PEM_write_bio_X509(bio.get(), certificate) == 1);
    return pem_text(bio.get());
}

std::string pem_of(EVP_PKEY* key)
{
    const Bio bio{BIO_new(BIO_s_mem()), &BIO_free};
    require(bio && PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
    return pem_text(bio.get());
}

/// `hosts` as in subjectAltName: `DNS:localhost,IP:127.0.0.1`.
Identity make_server(Authority const& authority, char const* hosts, Period period)
{
    const Key key = new_key();
    const X509Certificate certificate = new_certificate(key.get(), "usher-vendor", period);
    X509* const x509 = certificate.get();
    X509* const issuer = authority.certificate.get();
    add_extension(x509, issuer, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(x509, issuer, NID_ext_key_usage, "serverAuth");
    add_extension(x509, issuer, NID_subject_alt_name, hosts);
    add_extension(x509, issuer, NID_authority_key_identifier, "keyid:always");
    sign(x509, issuer, authority.key.get());
    return {pem_of(x509), pem_of(key.get())};
}

} // namespace

Certificates make_certificates(sys_seconds now)
{
    constexpr char const* our_hosts = "DNS:localhost,IP:127.0.0.1";
    const Period valid{now - day, now + 3650 * day};
    const Period over{now - 2 * day, now - day};
    const Period ending{now - day, now + 10 * day};
    const Authority known = make_authority("usher-vendor CA", valid);
    const Authority unknown = make_authority("unknown CA", valid);

    Certificates made;
    made.ca_pem = pem_of(known.certificate.get());
    made.servers[Certificate::good] = make_server(known, our_hosts, valid);
    made.servers[Certificate::expired] = make_server(known, our_hosts, over);
    made.servers[Certificate::ending] = make_server(known, our_hosts, ending);
    made.servers[Certificate::wrong_host] = make_server(known, "DNS:elsewhere.example", valid);
    made.servers[Certificate::unknown_ca] = make_server(unknown, our_hosts, valid);
    return made;
}

} // namespace usher::vendor
