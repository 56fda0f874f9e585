// SPDX-License-Identifier: Apache-2.0
#include <usher/config/listen.hpp>

#include <array>
#include <cerrno>
#include <charconv>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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

/// Error number of connecting to `address`; 0 where somebody accepts. Nobody is waited for.
template <typename Address>
int connect_to(Address const& address)
{
    const int family = reinterpret_cast<sockaddr const&>(address).sa_family;
    const int socket = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (socket < 0)
        return errno;
    int error = ::connect(socket, reinterpret_cast<sockaddr const*>(&address), sizeof address) == 0 ? 0 : errno;
    if (error == EINPROGRESS) { // within one machine it is decided by now
        socklen_t size = sizeof error;
        ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size);
    }
    ::close(socket);
    return error;
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

bool is_served(ListenAddress const& address)
{
    int error = 0;
    if (address.is_socket()) {
        sockaddr_un local{};
        local.sun_family = AF_UNIX;
        address.socket.copy(local.sun_path, path_bytes_max);
        error = connect_to(local);
    } else if (address.ip.find(':') != std::string::npos) {
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(address.port);
        ::inet_pton(AF_INET6, address.ip.c_str(), &v6.sin6_addr);
        error = connect_to(v6);
    } else {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(address.port);
        ::inet_pton(AF_INET, address.ip.c_str(), &v4.sin_addr);
        error = connect_to(v4);
    }
    return error != ECONNREFUSED && error != ENOENT;
}

} // namespace usher
