// SPDX-License-Identifier: Apache-2.0
#include "provider/opentok/kind.hpp"

#include <array>

#include "provider/https_keys.hpp"
#include "provider/vendor_keys.hpp"

namespace usher {

namespace {

/// Whoever makes such secrets makes them alike; another one signs tokens that look like any other, and open nothing.
KeyFinding check_secret(std::string_view secret)
{
    if (KeyFinding found = check_api_secret(secret); !found.error.empty())
        return found;
    if (secret.find(' ') != std::string_view::npos)
        return {"has a blank within the secret, which no secret of the vendor's has; remove what stands beside it", {}};
    if (secret.size() != 40 || secret.find_first_not_of("0123456789abcdef") != std::string_view::npos)
        return {
            {},
            "the secret is not 40 lower-case hexadecimal digits, as the vendor's are; if it is wrong, no token opens "
            "a meeting"};
    return {};
}

constexpr std::array credentials{
    KeyDeclaration{"api_key", TextKey{api_key_expected, check_api_key}, true},
    KeyDeclaration{"api_secret", SecretKey{check_secret}, true},
};
constexpr std::array connection = https_keys("https://api.opentok.com");
constexpr std::array formats{TokenFormat{t1_format}, TokenFormat{jwt_format}};

ProviderKind::Made
make(Settings const& settings, TokenSigner const& signer, seconds clock_skew, ProviderDoors const& doors)
{
    return make_vendor(VendorHost::opentok, settings, signer, clock_skew, doors);
}

} // namespace

constexpr ProviderKind opentok_kind{
    ProviderDeclaration{
        .name = "opentok",
        .credentials = credentials,
        .project_key = "api_key",
        .secret = "api_secret",
        .connection = connection,
        .formats = formats,
        .standard_format = TokenFormat{jwt_format},
        .signer = signer_by_secret,
    },
    make,
};

} // namespace usher
