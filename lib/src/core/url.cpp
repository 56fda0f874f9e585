// SPDX-License-Identifier: Apache-2.0
#include <usher/core/url.hpp>

#include <algorithm>
#include <charconv>
#include <optional>

#include <arpa/inet.h>

#include <usher/core/ascii.hpp>

namespace usher {

namespace {

constexpr std::size_t host_bytes_max = 253; // RFC 1035, without the dot at the end
constexpr std::size_t label_bytes_max = 63;

constexpr std::string_view digits = "0123456789";
constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz";

bool consists_of(std::string_view text, std::string_view allowed)
{
    return text.find_first_not_of(allowed) == std::string_view::npos;
}

bool is_address(int family, std::string const& text)
{
    in6_addr address{};
    return text.find('\0') == std::string::npos && inet_pton(family, text.c_str(), &address) == 1;
}

bool is_name(std::string_view host)
{
    static const std::string allowed = std::string{letters} + std::string{digits} + "-_";
    if (host.size() > host_bytes_max)
        return false;
    while (true) {
        const auto label = host.substr(0, host.find('.'));
        if (label.empty() || label.size() > label_bytes_max || !consists_of(label, allowed))
            return false;
        if (label.size() == host.size())
            return !consists_of(label, digits); // a number at the end makes it an IPv4 address, or a mistaken one
        host.remove_prefix(label.size() + 1);
    }
}

std::uint16_t usual_port(std::string_view scheme)
{
    return scheme == "https" ? 443 : 80;
}

std::optional<std::uint16_t> parse_port(std::string_view text)
{
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc{} || end != text.data() + text.size() || port == 0)
        return std::nullopt;
    return port;
}

std::string bracketed(std::string const& host)
{
    return host.find(':') == std::string::npos ? host : '[' + host + ']';
}

} // namespace

std::string Url::endpoint() const
{
    return bracketed(host) + ':' + std::to_string(port);
}

std::string Url::authority() const
{
    return port == usual_port(scheme) ? bracketed(host) : endpoint();
}

tl::expected<Url, std::string> parse_url(std::string_view text)
{
    const auto refuse = [](std::string_view sentence) { return tl::unexpected{std::string{sentence}}; };

    Url url;
    const auto scheme_end = text.find("://");
    if (scheme_end != std::string_view::npos)
        url.scheme = in_lower_case(text.substr(0, scheme_end));
    if (url.scheme != "https" && url.scheme != "http")
        return refuse("expected a URL that starts with https:// or http://");
    text.remove_prefix(scheme_end + 3);

    // A key is not to be seen in a configuration, nor a request in a base.
    if (text.find('@') != std::string_view::npos)
        return refuse("expected a URL without a user name or password");
    if (text.find_first_of("?#") != std::string_view::npos)
        return refuse("expected a URL without a query or fragment");

    const auto host_and_port = text.substr(0, text.find('/'));
    const auto path = text.substr(host_and_port.size());
    std::string_view port;
    bool has_port = false;
    if (host_and_port.starts_with('[')) {
        const auto close = host_and_port.find(']');
        url.host = in_lower_case(host_and_port.substr(1, close == std::string_view::npos ? close : close - 1));
        if (close == std::string_view::npos || !is_address(AF_INET6, url.host))
            return refuse("expected an IPv6 address between [ and ] as host");
        port = host_and_port.substr(close + 1);
        has_port = !port.empty();
        if (has_port && port.front() != ':')
            return refuse("expected a colon and the port after the host");
    } else {
        url.host = in_lower_case(host_and_port.substr(0, host_and_port.find(':')));
        if (!is_name(url.host) && !is_address(AF_INET, url.host))
            return refuse("expected a host's name or address after the scheme");
        port = host_and_port.substr(url.host.size());
        has_port = !port.empty();
    }

    url.port = usual_port(url.scheme);
    if (has_port) {
        const auto number = parse_port(port.substr(1));
        if (!number)
            return refuse("expected a port of 1 to 65535");
        url.port = *number;
    }

    if (std::any_of(path.begin(), path.end(), [](char c) { return c <= ' ' || c > '~'; }))
        return refuse("expected a path of printable ASCII without spaces");
    const auto last = path.find_last_not_of('/');
    url.prefix = path.substr(0, last == std::string_view::npos ? 0 : last + 1);
    return url;
}

} // namespace usher
