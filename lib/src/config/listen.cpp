// SPDX-License-Identifier: Apache-2.0
#include <usher/config/listen.hpp>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
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

/// An address as the system takes it.
struct Place {
    sockaddr_storage bytes{};
    socklen_t size = 0;
};

Place place_of(ListenAddress const& address)
{
    Place place;
    const auto put = [&](auto const& of_family) {
        std::memcpy(&place.bytes, &of_family, sizeof of_family);
        place.size = sizeof of_family;
    };
    if (address.is_socket()) {
        sockaddr_un local{};
        local.sun_family = AF_UNIX;
        address.socket.copy(local.sun_path, path_bytes_max);
        put(local);
    } else if (address.ip.find(':') != std::string::npos) {
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(address.port);
        ::inet_pton(AF_INET6, address.ip.c_str(), &v6.sin6_addr);
        put(v6);
    } else {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(address.port);
        ::inet_pton(AF_INET, address.ip.c_str(), &v4.sin_addr);
        put(v4);
    }
    return place;
}

/// A connection to an address of this machine; nobody is waited for.
class Connection {
public:
    explicit Connection(ListenAddress const& address)
    {
        const Place place = place_of(address);
        socket_ = ::socket(place.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (socket_ < 0) {
            error_ = errno;
            return;
        }
        error_ = ::connect(socket_, reinterpret_cast<sockaddr const*>(&place.bytes), place.size) == 0 ? 0 : errno;
        if (error_ == EINPROGRESS) { // within one machine it is decided by now
            socklen_t size = sizeof error_;
            ::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error_, &size);
        }
    }
    Connection(Connection const&) = delete;
    Connection& operator=(Connection const&) = delete;
    ~Connection()
    {
        if (socket_ >= 0)
            ::close(socket_);
    }

    int socket() const { return socket_; }
    int error() const { return error_; } ///< 0 where somebody accepts.

private:
    int socket_ = -1;
    int error_ = 0;
};

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
    const int error = Connection{address}.error();
    return error != ECONNREFUSED && error != ENOENT;
}

std::optional<bool> answers_http(ListenAddress const& address, std::chrono::milliseconds patience)
{
    constexpr std::string_view request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    constexpr std::string_view answer = "HTTP/1.";
    const auto until = std::chrono::steady_clock::now() + patience;
    const Connection connection{address};
    if (const int error = connection.error(); error != 0) {
        const bool is_known = error == ECONNREFUSED || error == ENOENT || error == EAGAIN; // too many wait there
        return is_known ? std::optional{false} : std::nullopt;
    }
    const auto is_ready = [&](short what) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
        pollfd waited{connection.socket(), what, 0};
        return left > 0 && ::poll(&waited, 1, static_cast<int>(left)) > 0;
    };
    if (!is_ready(POLLOUT) || ::send(connection.socket(), request.data(), request.size(), MSG_NOSIGNAL) !=
                                  static_cast<ssize_t>(request.size()))
        return false;
    std::string seen;
    std::array<char, answer.size()> part{};
    while (seen.size() < answer.size() && is_ready(POLLIN)) {
        const auto size = ::recv(connection.socket(), part.data(), answer.size() - seen.size(), 0);
        if (size <= 0)
            return false;
        seen.append(part.data(), static_cast<std::size_t>(size));
    }
    return seen == answer;
}

} // namespace usher
