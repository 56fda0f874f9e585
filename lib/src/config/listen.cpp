// SPDX-License-Identifier: Apache-2.0
#include <usher/config/listen.hpp>

#include <array>
#include <charconv>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <usher/core/printable.hpp>

namespace usher {

namespace {

constexpr std::size_t path_bytes_max = sizeof(sockaddr_un::sun_path) - 1;

bool is_ip_v4(std::string const& ip)
{
    in_addr address{};
    return ::inet_pton(AF_INET, ip.c_str(), &address) == 1;
}

/// As a browser names it in `Host`: the shortest form. Empty when it is none.
std::string shortest_ip_v6(std::string const& ip)
{
    in6_addr address{};
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (::inet_pton(AF_INET6, ip.c_str(), &address) != 1 ||
        ::inet_ntop(AF_INET6, &address, text.data(), text.size()) == nullptr)
        return {};
    return text.data();
}

} // namespace

bool ListenAddress::is_local() const
{
    if (is_socket())
        return true;
    in_addr v4{};
    if (::inet_pton(AF_INET, ip.c_str(), &v4) == 1)
        return (ntohl(v4.s_addr) >> 24U) == 127;
    in6_addr v6{};
    return ::inet_pton(AF_INET6, ip.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

tl::expected<ListenAddress, std::string> parse_listen(std::string_view text)
{
    const auto refused = [&] {
        return tl::unexpected{
            "expected an address and port such as 127.0.0.1:9787, or the path of a socket such as "
            "/run/usher/status.sock, got " +
            in_quotes(text)};
    };
    ListenAddress address;
    if (text.starts_with('/')) {
        if (text.size() > path_bytes_max)
            return tl::unexpected{
                "the path of a socket has at most " + std::to_string(path_bytes_max) + " bytes, this one has " +
                std::to_string(text.size())};
        address.socket = text;
        return address;
    }
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos)
        return refused();
    std::string_view host = text.substr(0, colon);
    const std::string_view port = text.substr(colon + 1);
    const bool in_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
    address.ip = in_brackets ? host.substr(1, host.size() - 2) : host;
    if (in_brackets)
        address.ip = shortest_ip_v6(address.ip);
    if (in_brackets ? address.ip.empty() : !is_ip_v4(address.ip))
        return refused();
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
    if (error != std::errc{} || end != port.data() + port.size() || address.port == 0)
        return refused();
    return address;
}

std::string to_text(ListenAddress const& address)
{
    if (address.is_socket())
        return address.socket;
    const bool is_v6 = address.ip.find(':') != std::string::npos;
    return (is_v6 ? "[" + address.ip + "]" : address.ip) + ":" + std::to_string(address.port);
}

} // namespace usher
