// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <tl/expected.hpp>

#include <usher/core/time.hpp>
#include <usher/provider/name_lookup.hpp>

namespace usher {

/// `Host`, `Content-Length` and `Connection` are the transport's to add.
struct HttpRequest {
    std::string method;
    std::string target; ///< Path and query, such as `/session/create`.
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
};

struct HttpReply {
    int status = 0;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;

    /// The value of the first header of that name, in any case; empty when there is none.
    std::string_view header(std::string_view name) const;
};

enum class HttpStage : std::uint8_t {
    resolve,  ///< The host's name has no address.
    connect,  ///< Nobody answers there.
    proxy,    ///< The proxy refused to connect.
    tls,      ///< The certificate is not to be trusted, or there is no common protocol.
    exchange, ///< The connection broke after the request had been sent, at least in part.
    answer,   ///< What came back is not HTTP, or larger than allowed.
};

/// Why there is no answer. What was sent may have been acted upon.
struct HttpFailure {
    HttpStage stage = HttpStage::connect;
    bool timed_out = false;
    bool sent = false; ///< Whether any of the request may have reached the server.
    std::string message;
};

/// How a server is reached.
struct TransportSettings {
    std::string base_url; ///< `https://host[:port][/prefix]`; a request's target goes after the prefix.
    std::string ca_file;  ///< PEM with the only certificates to trust; empty: those that the system trusts.
    std::chrono::milliseconds connect_timeout{5000}; ///< From the look-up of the name to the end of the TLS handshake.
    std::chrono::milliseconds total_timeout{20000};  ///< The whole of send().
    std::string proxy;                               ///< `http://host:port`, asked to CONNECT; empty: none.
    std::size_t idle_max = 8;                        ///< Connections kept for the next request.
    std::chrono::milliseconds idle_timeout{30000};   ///< How long they are kept.
    LookUp look_up = look_up_by_system;              ///< Finds the addresses of the host, on a thread of its own.
    std::function<void(sys_seconds)> certified_until{}; ///< Told when a server's certificate ends; none: nobody is.
};

/// Sends requests to one server: the door to the network.
class HttpTransport {
public:
    virtual ~HttpTransport() = default;
    virtual boost::asio::awaitable<tl::expected<HttpReply, HttpFailure>> send(HttpRequest request) = 0;
};

} // namespace usher
