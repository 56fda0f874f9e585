// SPDX-License-Identifier: Apache-2.0
#include "provider/sandbox/kind.hpp"

#include <array>

#include <usher/provider/sandbox.hpp>

#include "provider/vendor_keys.hpp"

namespace usher {

namespace {

constexpr std::array credentials{
    KeyDeclaration{"api_key", TextKey{api_key_expected, check_api_key, sandbox_api_key}},
    KeyDeclaration{"api_secret", SecretKey{check_api_secret, sandbox_api_secret}},
};
constexpr std::array formats{TokenFormat{t1_format}, TokenFormat{jwt_format}};

ProviderKind::Made make(Settings const& settings, TokenSigner const&, seconds, ProviderDoors const&)
{
    return std::make_shared<SandboxProvider>(settings.text("api_key"));
}

} // namespace

constexpr ProviderKind sandbox_kind{
    ProviderDeclaration{
        .name = "sandbox",
        .credentials = credentials,
        .project_key = "api_key",
        .secret = "api_secret",
        .lacks_connection = "the sandbox does not use the network",
        .orders_sessions = false,
        .disconnects = false,
        .pretends = true,
        .formats = formats,
        .standard_format = TokenFormat{jwt_format},
        .signer = signer_by_secret,
    },
    make,
};

} // namespace usher
