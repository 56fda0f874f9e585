// SPDX-License-Identifier: Apache-2.0
// The keys of every kind whose provider is reached over HTTPS, and the vendor that they lead to.
#pragma once

#include <array>
#include <string_view>

#include <usher/provider/kind.hpp>
#include <usher/provider/vendor.hpp>
#include <usher/settings/key.hpp>
#include <usher/settings/settings.hpp>

namespace usher {

KeyFinding check_certificates(std::string_view content);

constexpr std::array<KeyDeclaration, 5> https_keys(std::string_view base_url)
{
    return {
        KeyDeclaration{"base_url", UrlKey{"https", base_url}},
        KeyDeclaration{
            "ca_file", PathKey{"the path of a file with certificates", check_certificates}}, // else the system's
        KeyDeclaration{"proxy", UrlKey{"http"}},
        KeyDeclaration{"connect_timeout", DurationKey{seconds{1}, seconds{60}, seconds{5}}},
        KeyDeclaration{"timeout", DurationKey{seconds{1}, seconds{300}, seconds{20}}}, // of a whole call
    };
}

/// One of the vendor's two hosts, by these keys and by `concurrency`.
ProviderKind::Made make_vendor(
    VendorHost host, Settings const& settings, TokenSigner const& signer, seconds clock_skew, ProviderDoors const& doors
);

} // namespace usher
