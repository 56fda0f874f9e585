// SPDX-License-Identifier: Apache-2.0
#include "provider/https_keys.hpp"

#include <cstddef>

#include <usher/core/url.hpp>

namespace usher {

KeyFinding check_certificates(std::string_view content)
{
    if (content.find("BEGIN CERTIFICATE") == std::string_view::npos)
        return {"holds no certificate in PEM", {}};
    return {};
}

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

std::string server_of(Settings const& settings)
{
    return parse_url(settings.text("base_url"))->authority();
}

} // namespace usher
