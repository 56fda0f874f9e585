// SPDX-License-Identifier: Apache-2.0
// Servers that misbehave as a test tells them to, in its own io_context and on any free port.
#pragma once

#include <exception>
#include <functional>
#include <memory>
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

/// Accepts on 127.0.0.1, or on `endpoint`, and lets `talk` have each connection, which is closed when it returns.
class Listener {
public:
    using Talk = std::function<awaitable<void>(tcp::socket)>;

    Listener(
        boost::asio::io_context& context, Talk talk,
        tcp::endpoint const& endpoint = {boost::asio::ip::address_v4::loopback(), 0}
    )
        : context_{context}, talk_{std::move(talk)}, acceptor_{context, endpoint}
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

/// One connection of a server that decides which records travel together: nothing is sent until flush().
class RecordPeer {
public:
    RecordPeer(tcp::socket socket, SSL_CTX* context)
        : socket_{std::move(socket)},
          tls_{SSL_new(context), SSL_free},
          in_{BIO_new(BIO_s_mem())},
          out_{BIO_new(BIO_s_mem())}
    {
        SSL_set_bio(tls_.get(), in_, out_); // which owns them from now on
        SSL_set_accept_state(tls_.get());
    }

    /// What ends the handshake is left to the next flush().
    awaitable<void> handshake()
    {
        while (SSL_do_handshake(tls_.get()) != 1) {
            co_await flush();
            co_await receive();
        }
    }

    awaitable<void> read_until(std::string end)
    {
        std::string text;
        while (text.find(end) == std::string::npos) {
            char bytes[4096];
            const int size = SSL_read(tls_.get(), bytes, sizeof bytes);
            if (size > 0) {
                text.append(bytes, static_cast<std::size_t>(size));
            } else {
                co_await flush();
                co_await receive();
            }
        }
    }

    /// Up to 16 KiB are one record.
    void put(std::string const& text) { SSL_write(tls_.get(), text.data(), static_cast<int>(text.size())); }

    void close() { SSL_shutdown(tls_.get()); }

    awaitable<void> flush()
    {
        std::string bytes(BIO_ctrl_pending(out_), '\0');
        if (!bytes.empty())
            BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
        co_await boost::asio::async_write(socket_, boost::asio::buffer(bytes), use_awaitable);
    }

private:
    awaitable<void> receive()
    {
        char bytes[4096];
        const std::size_t size = co_await socket_.async_read_some(boost::asio::buffer(bytes), use_awaitable);
        BIO_write(in_, bytes, static_cast<int>(size));
    }

    tcp::socket socket_;
    std::unique_ptr<SSL, decltype(&SSL_free)> tls_;
    BIO* in_;
    BIO* out_;
};

} // namespace usher::test
