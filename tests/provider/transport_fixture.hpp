// SPDX-License-Identifier: Apache-2.0
// A transport, and servers of the test for it to talk to.
#pragma once

#include <chrono>
#include <exception>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <usher/provider/beast_transport.hpp>

#include "support/certificates.hpp"
#include "support/temp_dir.hpp"
#include "tls_server.hpp"

namespace usher::test {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Answer = tl::expected<HttpReply, HttpFailure>;

inline std::string with_body(std::string const& body, std::string const& more_headers = "")
{
    return "HTTP/1.1 200 OK\r\n" + more_headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

inline TlsServer::Talk always(std::string text)
{
    return [text](Peer& peer) -> awaitable<void> {
        while (true) {
            co_await peer.read();
            co_await peer.write(text);
        }
    };
}

inline TlsServer::Talk once(std::string text)
{
    return [text](Peer& peer) -> awaitable<void> {
        co_await peer.read();
        co_await peer.write(text);
    };
}

inline HttpRequest post()
{
    return {"POST", "/session/create", {{"X-Key", "the-secret-header"}}, "the-secret-body"};
}

/// A call of send() that a test can wait for, or cancel.
struct Call {
    std::optional<Answer> answer;
    std::exception_ptr exception;
    bool ended = false;
    boost::asio::cancellation_signal stop;

    bool was_cancelled() const
    {
        try {
            if (exception)
                std::rethrow_exception(exception);
        } catch (boost::system::system_error const& error) {
            return error.code() == boost::asio::error::operation_aborted;
        }
        return false;
    }
};

class Transport : public testing::Test {
protected:
    void use(std::string const& port, std::string const& host = "127.0.0.1")
    {
        endpoint = host + ":" + port;
        settings.base_url = "https://" + endpoint;
    }

    TlsServer& serve(TlsServer::Talk talk) { return serve(make_certificate({}, &authority), std::move(talk)); }

    TlsServer& serve(Certificate const& identity, TlsServer::Talk talk)
    {
        auto& server = *tls_servers.emplace_back(std::make_unique<TlsServer>(context, identity, std::move(talk)));
        use(server.listener.port());
        return server;
    }

    Listener& listen(Listener::Talk talk)
    {
        return *listeners.emplace_back(std::make_unique<Listener>(context, std::move(talk)));
    }

    /// The same port of another of this machine's addresses.
    Listener& listen_beside(TlsServer& server, std::string const& address, Listener::Talk talk)
    {
        const auto port = static_cast<std::uint16_t>(std::stoi(server.listener.port()));
        const tcp::endpoint there{boost::asio::ip::make_address(address), port};
        return *listeners.emplace_back(std::make_unique<Listener>(context, std::move(talk), there));
    }

    /// A server that sends records in one go; `talk` gets the connection after the handshake.
    Listener& serve_records(std::function<awaitable<void>(RecordPeer&, int number)> talk, int version = TLS1_3_VERSION)
    {
        const auto identity = make_certificate({}, &authority);
        records.emplace(boost::asio::ssl::context::tls_server);
        SSL_CTX_use_certificate(records->native_handle(), identity.certificate.get());
        SSL_CTX_use_PrivateKey(records->native_handle(), identity.key.get());
        SSL_CTX_set_max_proto_version(records->native_handle(), version);
        auto& listener = listen([this, talk, number = 0](tcp::socket socket) mutable {
            return talk_in_records(std::move(socket), talk, ++number);
        });
        use(listener.port());
        return listener;
    }

    awaitable<void>
    talk_in_records(tcp::socket socket, std::function<awaitable<void>(RecordPeer&, int number)> talk, int number)
    {
        RecordPeer peer{std::move(socket), records->native_handle()};
        co_await peer.handshake();
        co_await talk(peer, number);
    }

    /// What `localhost` stands for.
    void find(std::vector<std::string> const& addresses)
    {
        Addresses found;
        for (auto const& address : addresses)
            found.push_back(boost::asio::ip::make_address(address));
        settings.look_up = [found](std::string const& host) -> LookedUp {
            EXPECT_EQ(host, "localhost");
            return found;
        };
    }

    /// Accepts and says nothing until the other side hangs up, or `on_data` ends the test.
    Listener& listen_in_silence(std::function<void()> on_data = [] {})
    {
        return listen([on_data](tcp::socket socket) -> awaitable<void> {
            char bytes[1024];
            while (true) {
                co_await socket.async_read_some(boost::asio::buffer(bytes), use_awaitable);
                on_data();
            }
        });
    }

    /// Answers one CONNECT with `answer`; when that accepts it, `server` has the connection.
    Listener& listen_as_proxy(std::string answer, TlsServer& server)
    {
        auto& proxy = listen([this, answer, &server](tcp::socket socket) -> awaitable<void> {
            boost::beast::flat_buffer buffer;
            boost::beast::http::request<boost::beast::http::empty_body> request;
            co_await boost::beast::http::async_read(socket, buffer, request, use_awaitable);
            connects.emplace_back(
                std::string{request.method_string()} + ' ' + std::string{request.target()} + ' ' +
                std::string{request[boost::beast::http::field::host]}
            );
            co_await boost::asio::async_write(socket, boost::asio::buffer(answer), use_awaitable);
            if (answer.find(" 200 ") != std::string::npos)
                co_await server.serve(std::move(socket));
        });
        settings.proxy = "http://127.0.0.1:" + proxy.port();
        return proxy;
    }

    void start(Call& call, HttpRequest request = post())
    {
        if (!transport) {
            auto created = BeastTransport::create(context.get_executor(), settings);
            ASSERT_TRUE(created) << created.error();
            transport = std::move(*created);
        }
        auto on_end = [&call](std::exception_ptr exception, Answer answer) {
            call.exception = exception;
            call.answer = std::move(answer);
            call.ended = true;
        };
        boost::asio::co_spawn(
            context, transport->send(std::move(request)), boost::asio::bind_cancellation_slot(call.stop.slot(), on_end)
        );
    }

    void run_until(std::function<bool()> const& condition)
    {
        const auto end = std::chrono::steady_clock::now() + 30s;
        context.restart();
        while (!condition()) {
            ASSERT_LT(std::chrono::steady_clock::now(), end) << "it does not end";
            ASSERT_NE(context.run_one_until(end), 0U) << "nothing is left to happen";
        }
    }

    Answer send(HttpRequest request = post())
    {
        Call call;
        start(call, std::move(request));
        run_until([&] { return call.ended; });
        if (call.exception)
            std::rethrow_exception(call.exception);
        return call.ended ? *call.answer : tl::unexpected{HttpFailure{}};
    }

    HttpReply reply(HttpRequest request = post())
    {
        auto answer = send(std::move(request));
        EXPECT_TRUE(answer) << answer.error().message;
        return answer.value_or(HttpReply{});
    }

    /// Sends, and expects a failure whose sentence names the server and none of what was sent.
    HttpFailure failure()
    {
        auto answer = send();
        EXPECT_FALSE(answer);
        if (answer)
            return {};
        EXPECT_THAT(answer.error().message, AllOf(HasSubstr(endpoint), Not(HasSubstr("the-secret"))));
        return answer.error();
    }

    void expect_failure(HttpStage stage, bool sent, std::string const& message)
    {
        const auto failed = failure();
        EXPECT_EQ(failed.stage, stage);
        EXPECT_EQ(failed.sent, sent);
        EXPECT_FALSE(failed.timed_out);
        EXPECT_THAT(failed.message, HasSubstr(message));
    }

    void expect_timeout(HttpStage stage, bool sent)
    {
        const auto failed = failure();
        EXPECT_EQ(failed.stage, stage);
        EXPECT_EQ(failed.sent, sent);
        EXPECT_TRUE(failed.timed_out);
    }

    void trust(Certificate const& trusted)
    {
        settings.ca_file = folder.file("ca.pem");
        std::ofstream{settings.ca_file} << trusted.pem();
    }

    void SetUp() override { trust(authority); }

    boost::asio::io_context context{1};
    TempDir folder;
    Certificate authority = make_certificate({"The authority", ""});
    TransportSettings settings;
    std::string endpoint;
    std::vector<std::unique_ptr<TlsServer>> tls_servers;
    std::vector<std::unique_ptr<Listener>> listeners;
    std::optional<boost::asio::ssl::context> records; ///< Of serve_records().
    std::vector<std::string> connects;                ///< What the proxy was asked for.
    std::unique_ptr<BeastTransport> transport;
};

/// An address where a connection is neither accepted nor refused: the queue of who waits there is full.
class BlackHole {
public:
    explicit BlackHole(
        boost::asio::io_context& context, tcp::endpoint const& endpoint = {boost::asio::ip::address_v4::loopback(), 0}
    )
        : acceptor_{context, tcp::v4()}
    {
        acceptor_.bind(endpoint);
        acceptor_.listen(0);
        for (int i = 0; i < 3; ++i)
            fillers_.emplace_back(context).async_connect(acceptor_.local_endpoint(), [](auto) {});
    }

    std::string port() const { return std::to_string(acceptor_.local_endpoint().port()); }

private:
    tcp::acceptor acceptor_;
    std::vector<tcp::socket> fillers_;
};

} // namespace usher::test
