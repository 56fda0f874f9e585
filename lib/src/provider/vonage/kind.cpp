// SPDX-License-Identifier: Apache-2.0
#include "provider/vonage/kind.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

#include <usher/core/ascii.hpp>
#include <usher/crypto/rsa.hpp>

#include "provider/https_keys.hpp"

namespace usher {

namespace {

/// Does not repeat the value: a secret is easily pasted there.
KeyFinding check_application_id(std::string_view text)
{
    if (is_uuid(text))
        return {};
    if (std::all_of(text.begin(), text.end(), is_digit))
        return {
            "expected the application's id, which is a UUID, got a number; an API key goes with provider: opentok and "
            "api_key",
            {}};
    return {"expected the application's id, which is a UUID such as 29f760f8-7ce1-46c9-ade3-f2dedee4ed5f", {}};
}

/// A digit of a key that was changed leaves it readable, and its signatures worthless.
bool can_sign(RsaSigner const& signer)
{
    constexpr std::string_view trial = "usher";
    try {
        return signer.verify(trial, signer.sign(trial));
    } catch (std::runtime_error const&) { // OpenSSL noticed it
        return false;
    }
}

KeyFinding check_private_key(std::string_view pem)
{
    if (!is_pem(pem))
        return {
            "is no key in PEM, which begins with -----BEGIN PRIVATE KEY-----; an API secret goes with provider: "
            "opentok and api_secret",
            {}};
    const auto signer = RsaSigner::from_pem(Secret{std::string{pem}});
    if (!signer)
        return {
            "the key " + std::string{to_text(signer.error())} +
                (signer.error() == RsaKeyError::not_rsa
                     ? "; Vonage takes RSA keys only, made for the application in its dashboard"
                     : ""),
            {}};
    if (!can_sign(*signer))
        return {"the key is damaged: it cannot verify what it signs", {}};
    if (pem.find("\\n") != std::string_view::npos)
        return {
            {},
            "the key has \\n where its lines end, as environment variables have it; it is read as if they were line "
            "ends, but other programs will refuse it"};
    return {};
}

constexpr std::array credentials{
    KeyDeclaration{"application_id", TextKey{"the application's id, which is a UUID", check_application_id}, true},
    KeyDeclaration{"private_key", SecretKey{check_private_key}, true},
};
constexpr std::array connection = https_keys("https://video.api.vonage.com");
constexpr std::array formats{TokenFormat{jwt_format}};

Result<TokenSigner> signer_by_key(std::string_view project, Settings const& settings, TokenFormat)
{
    auto key = RsaSigner::from_pem(settings.secret("private_key"));
    if (!key)
        return fail(
            Errc::rsa_key_missing,
            "The private key of " + std::string{project} + " " + std::string{to_text(key.error())} + "."
        );
    return TokenSigner::for_application(settings.text("application_id"), std::move(*key));
}

ProviderKind::Made
make(Settings const& settings, TokenSigner const& signer, seconds clock_skew, ProviderDoors const& doors)
{
    return make_vendor(VendorHost::vonage, settings, signer, clock_skew, doors);
}

} // namespace

constexpr ProviderKind vonage_kind{
    ProviderDeclaration{
        .name = "vonage",
        .credentials = credentials,
        .project_key = "application_id",
        .secret = "private_key",
        .connection = connection,
        .formats = formats,
        .standard_format = TokenFormat{jwt_format},
        .signer = signer_by_key,
    },
    make,
};

} // namespace usher
