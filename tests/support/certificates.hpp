// SPDX-License-Identifier: Apache-2.0
// Certificates of a test's own, made when it runs: none can expire in the repository.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace usher::test {

struct Certificate {
    std::shared_ptr<X509> certificate;
    std::shared_ptr<EVP_PKEY> key;

    std::string pem() const
    {
        const std::unique_ptr<BIO, decltype(&BIO_free)> text{BIO_new(BIO_s_mem()), BIO_free};
        PEM_write_bio_X509(text.get(), certificate.get());
        char* data = nullptr;
        const long size = BIO_ctrl(text.get(), BIO_CTRL_INFO, 0, &data);
        return std::string(data, static_cast<std::size_t>(size));
    }
};

struct CertificateOptions {
    std::string name = "localhost";
    std::string alternatives = "DNS:localhost,IP:127.0.0.1"; ///< Empty: the certificate of an authority.
    long from_seconds = -3600;                               ///< Counted from now, as is the next.
    long until_seconds = 3600;
};

/// Signed by `issuer`, or by itself.
inline Certificate make_certificate(CertificateOptions const& options, Certificate const* issuer = nullptr)
{
    const auto check = [](bool done) {
        if (!done)
            throw std::runtime_error{"OpenSSL cannot make a certificate"};
    };
    static long serial = 0;

    const Certificate made{
        {X509_new(), X509_free}, {EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), EVP_PKEY_free}};
    check(made.certificate && made.key);
    Certificate const& signer = issuer != nullptr ? *issuer : made;
    X509* certificate = made.certificate.get();
    check(X509_set_version(certificate, X509_VERSION_3) == 1);
    check(ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial) == 1);
    check(X509_gmtime_adj(X509_getm_notBefore(certificate), options.from_seconds) != nullptr);
    check(X509_gmtime_adj(X509_getm_notAfter(certificate), options.until_seconds) != nullptr);
    check(X509_set_pubkey(certificate, made.key.get()) == 1);
    const std::basic_string<unsigned char> name{options.name.begin(), options.name.end()};
    X509_NAME* subject = X509_get_subject_name(certificate);
    check(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, name.c_str(), -1, -1, 0) == 1);
    check(X509_set_issuer_name(certificate, X509_get_subject_name(signer.certificate.get())) == 1);

    const bool is_authority = options.alternatives.empty();
    const std::string value = is_authority ? "critical,CA:TRUE" : options.alternatives;
    const int kind = is_authority ? NID_basic_constraints : NID_subject_alt_name;
    const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension{
        X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str()), X509_EXTENSION_free};
    check(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
    check(X509_sign(certificate, signer.key.get(), EVP_sha256()) != 0);
    return made;
}

} // namespace usher::test
