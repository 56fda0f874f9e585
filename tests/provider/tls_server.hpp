// SPDX-License-Identifier: Apache-2.0
// Servers that misbehave as a test tells them to, in its own io_context and on any free port.
#pragma once

#include <exception>
#include <functional>
#include <string>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/system/system_error.hpp>

#include "support/certificates.hpp"

namespace usher::test {

using boost::asio::awaitable;
using boost::asio::use_awaitable;
using boost::asio::ip::tcp;

/// Accepts on 127.0.0.1 and lets `talk` have each connection, which is closed when it returns.
class Listener {
public:
    using Talk = std::function<awaitable<void>(tcp::socket)>;

    Listener(boost::asio::io_context& context, Talk talk)
        : context_{context}, talk_{std::move(talk)}, acceptor_{context, {boost::asio::ip::address_v4::loopback(), 0}}
    {
        boost::asio::co_spawn(context_, accept(), rethrow);
    }

    std::string port() const { return std::to_string(acceptor_.local_endpoint().port()); }

    int accepted = 0;
    int ended = 0;

private:
    awaitable<void> accept()
    {
        while (true) {
            tcp::socket socket = co_await acceptor_.async_accept(use_awaitable);
            socket.set_option(tcp::no_delay{true});
            ++accepted;
            boost::asio::co_spawn(context_, talk_(std::move(socket)), [this](std::exception_ptr error) {
                ++ended;
                rethrow(error);
            });
        }
    }

    /// That the client hangs up is no failure of the test.
    static void rethrow(std::exception_ptr error)
    {
        try {
            if (error)
                std::rethrow_exception(error);
        } catch (boost::system::system_error const&) {
        }
    }

    boost::asio::io_context& context_;
    Talk talk_;
    tcp::acceptor acceptor_;
};

/// One connection as the server sees it.
struct Peer {
    Peer(tcp::socket socket, boost::asio::ssl::context& tls) : stream{std::move(socket), tls} {}

    using Request = boost::beast::http::request<boost::beast::http::string_body>;

    awaitable<Request> read()
    {
        Request request;
        co_await boost::beast::http::async_read(stream, buffer, request, use_awaitable);
        co_return request;
    }

    awaitable<void> write(std::string text)
    {
        co_await boost::asio::async_write(stream, boost::asio::buffer(text), use_awaitable);
    }

    /// Says that nothing more will come, unlike a connection that just ends.
    awaitable<void> close() { co_await stream.async_shutdown(use_awaitable); }

    void reset()
    {
        auto& socket = stream.next_layer();
        socket.set_option(boost::asio::socket_base::linger{true, 0});
        socket.close();
    }

    boost::beast::ssl_stream<tcp::socket> stream;
    boost::beast::flat_buffer buffer;
    int number = 0; ///< Counts from 1.
};

class TlsServer {
public:
    using Talk = std::function<awaitable<void>(Peer&)>;

    TlsServer(boost::asio::io_context& context, Certificate const& identity, Talk talk)
        : talk_{std::move(talk)}, listener{context, [this](tcp::socket socket) { return serve(std::move(socket)); }}
    {
        SSL_CTX_use_certificate(tls.native_handle(), identity.certificate.get());
        SSL_CTX_use_PrivateKey(tls.native_handle(), identity.key.get());
    }

    awaitable<void> serve(tcp::socket socket)
    {
        Peer peer{std::move(socket), tls};
        co_await peer.stream.async_handshake(boost::asio::ssl::stream_base::server, use_awaitable);
        peer.number = ++handshakes;
        co_await talk_(peer);
    }

    boost::asio::ssl::context tls{boost::asio::ssl::context::tls_server};
    int handshakes = 0;

private:
    Talk talk_;

public:
    Listener listener;
};

} // namespace usher::test
