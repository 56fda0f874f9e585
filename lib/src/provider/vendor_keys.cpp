// SPDX-License-Identifier: Apache-2.0
#include "provider/vendor_keys.hpp"

#include <algorithm>
#include <cstddef>

#include <usher/core/ascii.hpp>
#include <usher/crypto/rsa.hpp>

namespace usher {

namespace {

constexpr std::size_t api_key_digits_max = 20;

} // namespace

KeyFinding check_api_key(std::string_view text)
{
    if (is_uuid(text))
        return {
            "expected the project's API key, which is a number, got a UUID; an application id goes with provider: "
            "vonage and application_id",
            {}};
    const bool is_number = std::all_of(text.begin(), text.end(), is_digit);
    if (text.size() > api_key_digits_max || !is_number)
        return {"expected the project's API key, which is a number of at most 20 digits", {}};
    return {};
}

KeyFinding check_api_secret(std::string_view secret)
{
    if (is_pem(secret))
        return {
            "is a private key, not an API secret; a project with a private key has provider: vonage and "
            "application_id",
            {}};
    return {};
}

Result<TokenSigner> signer_by_secret(std::string_view, Settings const& settings, TokenFormat format)
{
    return TokenSigner::for_api_key(format, settings.text("api_key"), settings.secret("api_secret"));
}

} // namespace usher
