// SPDX-License-Identifier: Apache-2.0
#include "provider/https_keys.hpp"

#include <cstddef>
#include <memory>
#include <utility>

#include <usher/core/url.hpp>

namespace usher {

namespace {

TransportSettings transport_settings(Settings const& settings)
{
    TransportSettings transport;
    transport.base_url = settings.text("base_url");
    transport.ca_file = settings.text("ca_file");
    transport.connect_timeout = settings.duration("connect_timeout");
    transport.total_timeout = settings.duration("timeout");
    transport.proxy = settings.text("proxy");
    transport.idle_max = static_cast<std::size_t>(settings.number("concurrency"));
    return transport;
}

} // namespace

KeyFinding check_certificates(std::string_view content)
{
    if (content.find("BEGIN CERTIFICATE") == std::string_view::npos)
        return {"holds no certificate in PEM", {}};
    return {};
}

ProviderKind::Made make_vendor(
    VendorHost host, Settings const& settings, TokenSigner const& signer, seconds clock_skew, ProviderDoors const& doors
)
{
    auto transport = doors.transport(transport_settings(settings));
    if (!transport)
        return tl::unexpected{std::move(transport.error())};
    return std::make_shared<VendorProvider>(
        host, parse_url(settings.text("base_url"))->authority(), signer, clock_skew, std::move(*transport), doors.now
    );
}

} // namespace usher
