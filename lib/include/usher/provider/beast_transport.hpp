// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <tl/expected.hpp>

#include <usher/provider/http_transport.hpp>

namespace usher {

/// HTTPS/1.1 over TLS 1.2 or newer, to one server whose certificate and name are verified.
///
/// Each send() has a connection to itself: the caller bounds how many run at once. All of them run on the one thread
/// of `executor`. The host's addresses are tried in the order of RFC 8305. A connection on which anything came unasked
/// is never used again. A header of an answer may have 16 KiB, a body 256 KiB. Nothing is sent twice: whether to try
/// again is the caller's to decide. A send() that is cancelled throws operation_aborted at once and drops its
/// connection.
class BeastTransport final : public HttpTransport {
public:
    /// The error is a sentence on the URLs or on the CA file.
    static tl::expected<std::unique_ptr<BeastTransport>, std::string>
    create(boost::asio::any_io_executor executor, TransportSettings settings);

    /// The transport may be destroyed while this runs.
    boost::asio::awaitable<tl::expected<HttpReply, HttpFailure>> send(HttpRequest request) override;

private:
    struct Server;
    class Attempt;

    explicit BeastTransport(std::shared_ptr<Server> server);

    std::shared_ptr<Server> server_; // shared with what is being sent
};

} // namespace usher
