// SPDX-License-Identifier: Apache-2.0
#include <usher/provider/beast_transport.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/certificates.hpp"
#include "support/temp_dir.hpp"
#include "tls_server.hpp"

namespace usher {
namespace {

using namespace test;
using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Answer = tl::expected<HttpReply, HttpFailure>;

std::string with_body(std::string const& body, std::string const& more_headers = "")
{
    return "HTTP/1.1 200 OK\r\n" + more_headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

TlsServer::Talk always(std::string text)
{
    return [text](Peer& peer) -> awaitable<void> {
        while (true) {
            co_await peer.read();
            co_await peer.write(text);
        }
    };
}

TlsServer::Talk once(std::string text)
{
    return [text](Peer& peer) -> awaitable<void> {
        co_await peer.read();
        co_await peer.write(text);
    };
}

HttpRequest post()
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

// What is sent, and what comes back.

TEST_F(Transport, SendsARequestAndReturnsTheAnswer)
{
    Peer::Request seen;
    serve([&](Peer& peer) -> awaitable<void> {
        seen = co_await peer.read();
        const auto text = "HTTP/1.1 403 No\r\nX-Echo: " + std::string{seen["X-Key"]} + "\r\nX-Echo: again\r\n" +
                          "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        co_await peer.write(text);
    });
    settings.base_url += "/prefix/";

    const auto answer = reply();

    EXPECT_EQ(answer.status, 403);
    EXPECT_EQ(answer.body, "abcde");
    EXPECT_EQ(answer.header("x-echo"), "the-secret-header");
    EXPECT_EQ(answer.headers.at(1), (std::pair<std::string, std::string>{"X-Echo", "again"}));
    EXPECT_EQ(seen.method_string(), "POST");
    EXPECT_EQ(seen.target(), "/prefix/session/create");
    EXPECT_EQ(seen.version(), 11U);
    EXPECT_EQ(seen["Host"], endpoint);
    EXPECT_EQ(seen["Content-Length"], "15");
    EXPECT_TRUE(seen.keep_alive());
    EXPECT_EQ(seen.body(), "the-secret-body");
}

TEST_F(Transport, AsksForANameAndNotForAnAddress)
{
    auto& server = serve([](Peer& peer) -> awaitable<void> {
        co_await peer.read();
        const char* asked = SSL_get_servername(peer.stream.native_handle(), TLSEXT_NAMETYPE_host_name);
        const auto text = with_body(asked != nullptr ? asked : "");
        co_await peer.write(text);
    });
    EXPECT_EQ(reply().body, "");

    transport.reset();
    use(server.listener.port(), "localhost");
    EXPECT_EQ(reply().body, "localhost");
}

TEST_F(Transport, PassesOverInterimAnswers)
{
    serve(once("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + with_body("last")));

    EXPECT_EQ(reply().body, "last");
}

TEST_F(Transport, RefusesInterimAnswersWithoutEnd)
{
    std::string text;
    for (int i = 0; i < 9; ++i)
        text += "HTTP/1.1 100 Continue\r\n\r\n";
    serve(once(text + with_body("last")));

    expect_failure(HttpStage::answer, true, "too many interim answers");
}

TEST_F(Transport, TakesAnAnswerThatEndsWithTheConnectionOnlyWhenTheServerSaysSo)
{
    bool says_so = true;
    auto& server = serve([&](Peer& peer) -> awaitable<void> {
        co_await peer.read();
        co_await peer.write("HTTP/1.1 200 OK\r\n\r\nall of it");
        if (says_so)
            co_await peer.close();
    });
    EXPECT_EQ(reply().body, "all of it");

    says_so = false;
    expect_failure(HttpStage::exchange, true, "closed the connection before its answer was complete");
    EXPECT_EQ(server.handshakes, 2);
}

TEST_F(Transport, TakesAnswersUpToTheLimits)
{
    const std::string largest(256UL * 1024UL, 'x');
    const auto rest = with_body(largest, "X-Long: \r\n").size() - largest.size();
    serve(once(with_body(largest, "X-Long: " + std::string(16UL * 1024UL - rest, 'y') + "\r\n")));

    EXPECT_EQ(reply().body.size(), largest.size());
}

TEST_F(Transport, RefusesALargerBody)
{
    serve(once(with_body(std::string(256UL * 1024UL + 1, 'x'))));

    expect_failure(HttpStage::answer, true, "has a body of more than 256 KiB");
}

TEST_F(Transport, RefusesALargerBodyInChunks)
{
    std::string text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 65; ++i)
        text += "1000\r\n" + std::string(4096, 'x') + "\r\n";
    serve(once(text + "0\r\n\r\n"));

    expect_failure(HttpStage::answer, true, "has a body of more than 256 KiB");
}

TEST_F(Transport, RefusesALargerHeader)
{
    serve(once(with_body("", "X-Long: " + std::string(16UL * 1024UL, 'y') + "\r\n")));

    expect_failure(HttpStage::answer, true, "has a header of more than 16 KiB");
}

TEST_F(Transport, RefusesWhatIsNotHttp)
{
    serve(once("SSH-2.0-OpenSSH_9.2\r\n\r\n"));

    expect_failure(HttpStage::answer, true, "is not HTTP");
}

TEST_F(Transport, TakesNoHalfAnswer)
{
    const std::string halves[] = {
        "", "HTTP/1.1 200 O", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"};
    for (const bool says_so : {false, true})
        for (auto const& half : halves) {
            SCOPED_TRACE(half);
            transport.reset();
            serve([&half, says_so](Peer& peer) -> awaitable<void> {
                co_await peer.read();
                co_await peer.write(half);
                if (says_so)
                    co_await peer.close();
            });

            expect_failure(HttpStage::exchange, true, "closed the connection before its answer was complete");
        }
}

TEST_F(Transport, SaysThatARequestWasSentWhenTheConnectionIsReset)
{
    serve([](Peer& peer) -> awaitable<void> {
        co_await peer.read();
        peer.reset();
    });

    expect_failure(HttpStage::exchange, true, "broke: Connection reset by peer");
}

// Which connection is used.

TEST_F(Transport, KeepsAConnectionForTheNextRequest)
{
    auto& server = serve(always(with_body("again")));

    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(reply().body, "again");

    EXPECT_EQ(server.listener.accepted, 1);
}

TEST_F(Transport, KeepsNoConnectionThatTheServerWillClose)
{
    const std::string last[] = {
        with_body("", "Connection: close\r\n"), "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        with_body("") + "HTTP/1.1 200 OK\r\n"};
    for (auto const& text : last) {
        SCOPED_TRACE(text);
        transport.reset();
        auto& server = serve(always(text));

        reply();
        reply();

        EXPECT_EQ(server.listener.accepted, 2);
    }
}

TEST_F(Transport, KeepsNoConnectionBeyondItsTime)
{
    auto& server = serve(always(with_body("")));
    settings.idle_timeout = 0ms;

    reply();
    reply();

    EXPECT_EQ(server.listener.accepted, 2);
}

TEST_F(Transport, NoticesThatAnIdleConnectionWasClosed)
{
    for (const bool says_so : {false, true}) {
        transport.reset();
        auto& server = serve([says_so](Peer& peer) -> awaitable<void> {
            co_await peer.read();
            co_await peer.write(with_body("only one"));
            if (says_so)
                SSL_shutdown(peer.stream.native_handle());
        });
        reply();
        run_until([&] { return server.listener.ended == 1; });

        EXPECT_EQ(reply().body, "only one");
        EXPECT_EQ(server.listener.accepted, 2);
    }
}

TEST_F(Transport, NeverUsesAConnectionAgainOnWhichMoreThanTheAnswerCame)
{
    using Records = std::vector<std::string>;
    const std::string extra = with_body("extra");
    const std::function<Records(std::string)> table[] = {
        [&](auto answer) {
            return Records{answer, extra};
        },
        [&](auto answer) { return Records{answer + extra}; },
        [&](auto answer) {
            return Records{answer + extra.substr(0, 20), extra.substr(20)};
        },
        [&](auto answer) {
            return Records{answer.substr(0, 20), answer.substr(20), extra, extra};
        },
        [&](auto answer) {
            return Records{answer, "\r\n"};
        },
        [&](auto answer) {
            return Records{answer, "x"};
        },
        [&](auto answer) {
            return Records{"HTTP/1.1 100 Continue\r\n\r\n", answer, extra};
        },
        [&](auto answer) {
            return Records{answer, "HTTP/1.1 100 Continue\r\n\r\n"};
        },
        [&](auto answer) {
            return Records{answer, std::string(100UL * 1024UL, 'x')};
        },
    };
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION})
        for (auto const& records_of : table) {
            SCOPED_TRACE(&records_of - table);
            transport.reset();
            auto answer_with_more = [&](RecordPeer& peer, int number) -> awaitable<void> {
                while (true) {
                    co_await peer.read_until("the-secret-body");
                    for (auto const& record : records_of(with_body("connection " + std::to_string(number))))
                        peer.put(record);
                    co_await peer.flush();
                }
            };
            auto const& server = serve_records(answer_with_more, version);

            for (int i = 1; i <= 3; ++i)
                EXPECT_EQ(reply().body, "connection " + std::to_string(i));
            EXPECT_EQ(server.accepted, 3);
        }
}

TEST_F(Transport, NeverUsesAConnectionAgainOnWhichSomethingCameLater)
{
    boost::asio::steady_timer answered{context, std::chrono::steady_clock::time_point::max()};
    bool more = false;
    auto answer_then_more = [&](RecordPeer& peer, int number) -> awaitable<void> {
        co_await peer.read_until("the-secret-body");
        peer.put(with_body("connection " + std::to_string(number)));
        co_await peer.flush();
        boost::system::error_code ignored;
        co_await answered.async_wait(boost::asio::redirect_error(use_awaitable, ignored));
        peer.put(with_body("extra"));
        co_await peer.flush();
        more = true;
        co_await peer.read_until("the-secret-body");
    };
    serve_records(answer_then_more);
    EXPECT_EQ(reply().body, "connection 1");

    answered.cancel();
    run_until([&] { return more; });

    EXPECT_EQ(reply().body, "connection 2");
}

TEST_F(Transport, TakesNoAnswerThatCameBeforeItsRequest)
{
    auto answer_at_once = [](RecordPeer& peer, int) -> awaitable<void> {
        peer.put(with_body("early"));
        co_await peer.flush();
        co_await peer.read_until("the-secret-body");
    };
    serve_records(answer_at_once, TLS1_2_VERSION); // there the server speaks last in the handshake

    expect_failure(HttpStage::answer, false, "before it was asked");
}

TEST_F(Transport, SendsNothingOnAConnectionThatWasClosedAfterTheHandshake)
{
    auto hang_up = [](RecordPeer& peer, int) -> awaitable<void> {
        peer.close();
        co_await peer.flush();
    };
    serve_records(hang_up, TLS1_2_VERSION);

    expect_failure(HttpStage::answer, false, "before it was asked");
}

TEST_F(Transport, SendsAtTheSameTimeOnConnectionsOfTheirOwn)
{
    int waiting = 0;
    boost::asio::steady_timer all_are_here{context, std::chrono::steady_clock::time_point::max()};
    auto& server = serve([&](Peer& peer) -> awaitable<void> {
        while (true) {
            co_await peer.read();
            if (++waiting == 3)
                all_are_here.cancel();
            boost::system::error_code ignored;
            if (waiting < 3)
                co_await all_are_here.async_wait(boost::asio::redirect_error(use_awaitable, ignored));
            const auto text = with_body(std::to_string(peer.number));
            co_await peer.write(text);
        }
    });
    settings.idle_max = 2;
    Call calls[3];
    for (auto& call : calls)
        start(call);

    std::vector<std::string> in_order;
    run_until([&] {
        for (auto& call : calls)
            if (call.ended && *call.answer &&
                std::find(in_order.begin(), in_order.end(), (*call.answer)->body) == in_order.end())
                in_order.push_back((*call.answer)->body);
        return in_order.size() == 3;
    });

    EXPECT_EQ(std::set<std::string>(in_order.begin(), in_order.end()), (std::set<std::string>{"1", "2", "3"}));
    run_until([&] { return server.listener.ended == 1; }); // the oldest of three is one too many
    EXPECT_EQ(reply().body, in_order.back()) << "the newest is not the first to be used again";
    EXPECT_EQ(server.listener.accepted, 3);
}

// What is not connected to.

TEST_F(Transport, SaysThatNobodyListens)
{
    tcp::acceptor bound{context, tcp::v4()};
    bound.bind({boost::asio::ip::address_v4::loopback(), 0});
    use(std::to_string(bound.local_endpoint().port()));

    expect_failure(HttpStage::connect, false, "cannot be connected to: Connection refused");
}

TEST_F(Transport, SaysThatANameHasNoAddress)
{
    use("443", "name.invalid");

    expect_failure(HttpStage::resolve, false, "has no address");
}

TEST_F(Transport, TriesEveryAddressOfAHost)
{
    const std::vector<std::string> table[] = {
        {"127.0.0.2", "127.0.0.1"},
        {"::1", "127.0.0.1"}, // as Debian has it in /etc/hosts
        {"127.0.0.1", "::1"},
        {"2001:db8::1", "127.0.0.1"},
        {"127.0.0.2", "::1", "127.0.0.3", "127.0.0.4", "127.0.0.1"},
    };
    for (auto const& addresses : table) {
        SCOPED_TRACE(testing::PrintToString(addresses));
        transport.reset();
        auto& server = serve(always(with_body("here")));
        use(server.listener.port(), "localhost");
        find(addresses);

        EXPECT_EQ(reply().body, "here");
    }
}

TEST_F(Transport, TriesEveryAddressOfTheProxy)
{
    auto& server = serve(always(with_body("from behind")));
    auto const& proxy = listen_as_proxy("HTTP/1.1 200 OK\r\n\r\n", server);
    settings.proxy = "http://localhost:" + proxy.port();
    find({"127.0.0.2", "::1", "127.0.0.1"});

    EXPECT_EQ(reply().body, "from behind");
}

TEST_F(Transport, TriesTheNextAddressWhenOneIsSilent)
{
    auto& server = serve(always(with_body("here")));
    const auto port = static_cast<std::uint16_t>(std::stoi(server.listener.port()));
    const BlackHole hole{context, {boost::asio::ip::make_address("127.0.0.2"), port}};
    use(server.listener.port(), "localhost");
    find({"127.0.0.2", "127.0.0.1"});
    settings.connect_timeout = 10s;
    const auto begun = std::chrono::steady_clock::now();

    EXPECT_EQ(reply().body, "here");
    EXPECT_GE(std::chrono::steady_clock::now() - begun, 250ms);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
}

TEST_F(Transport, TriesTheNextAddressWhenSomethingElseListensThere)
{
    const auto elsewhere = make_certificate({"elsewhere", "DNS:elsewhere.example"}, &authority);
    auto& stranger = *tls_servers.emplace_back(std::make_unique<TlsServer>(context, elsewhere, always("")));
    const Listener::Talk table[] = {
        [](tcp::socket) -> awaitable<void> { co_return; },
        [](tcp::socket socket) -> awaitable<void> {
            const std::string text = "HTTP/1.1 400 Bad Request\r\n\r\n";
            co_await boost::asio::async_write(socket, boost::asio::buffer(text), use_awaitable);
        },
        [&](tcp::socket socket) { return stranger.serve(std::move(socket)); },
    };
    for (auto const& talk : table) {
        transport.reset();
        auto& server = serve(always(with_body("here")));
        listen_beside(server, "127.0.0.2", talk);
        use(server.listener.port(), "localhost");
        find({"127.0.0.2", "127.0.0.1"});

        EXPECT_EQ(reply().body, "here");
    }
}

TEST_F(Transport, NamesTheAddressesThatFailedInTheOrderOfTheirTurns)
{
    tcp::acceptor bound{context, tcp::v4()};
    bound.bind({boost::asio::ip::address_v4::loopback(), 0});
    use(std::to_string(bound.local_endpoint().port()), "localhost");
    find({"::1", "127.0.0.1", "127.0.0.2"});

    expect_failure(
        HttpStage::connect, false,
        "cannot be connected to: ::1: Connection refused, 127.0.0.1: Connection refused, 127.0.0.2: Connection refused"
    );
}

TEST_F(Transport, TellsOfTheAddressThatLedFurthest)
{
    const auto elsewhere = make_certificate({"elsewhere", "DNS:elsewhere.example"}, &authority);
    for (auto const& addresses : {std::vector<std::string>{"127.0.0.1", "127.0.0.2"}, {"127.0.0.2", "127.0.0.1"}}) {
        transport.reset();
        auto& server = serve(elsewhere, always(with_body("")));
        use(server.listener.port(), "localhost");
        find(addresses);

        expect_failure(HttpStage::tls, false, "is not to be trusted: hostname mismatch");
    }
}

TEST_F(Transport, SaysThatANameHasNoAddressAtAll)
{
    use("443", "localhost");
    find({});

    expect_failure(HttpStage::resolve, false, "has no address: the look-up found none");
}

TEST(Addresses, TakeTurnsByFamilyAndTheFirstOneStaysTheFirst)
{
    const auto addresses = [](std::vector<std::string> const& texts) {
        Addresses result;
        for (auto const& text : texts)
            result.push_back(boost::asio::ip::make_address(text));
        return result;
    };

    EXPECT_EQ(in_turns({}), Addresses{});
    EXPECT_EQ(in_turns(addresses({"::1", "::2", "::3", "1.1.1.1"})), addresses({"::1", "1.1.1.1", "::2", "::3"}));
    EXPECT_EQ(in_turns(addresses({"1.1.1.1", "1.1.1.2", "::1"})), addresses({"1.1.1.1", "::1", "1.1.1.2"}));
    EXPECT_EQ(in_turns(Addresses(17, boost::asio::ip::make_address("::1"))).size(), 16U);
}

TEST_F(Transport, RefusesACertificateThatIsNotToBeTrusted)
{
    const auto stranger = make_certificate({"Somebody else", ""});
    CertificateOptions expired;
    expired.until_seconds = -60;
    CertificateOptions early;
    early.from_seconds = 60;
    CertificateOptions elsewhere;
    elsewhere.alternatives = "DNS:elsewhere.example,IP:127.0.0.2";
    struct Untrusted {
        Certificate identity;
        std::string host;
        std::string message;
    };
    const Untrusted table[] = {
        {make_certificate(expired, &authority), "127.0.0.1", "certificate has expired"},
        {make_certificate(early, &authority), "127.0.0.1", "certificate is not yet valid"},
        {make_certificate(elsewhere, &authority), "127.0.0.1", "IP address mismatch"},
        {make_certificate(elsewhere, &authority), "localhost", "hostname mismatch"},
        {make_certificate({}, &stranger), "127.0.0.1", "unable to get local issuer certificate"},
        {make_certificate({}), "127.0.0.1", "self-signed certificate"},
    };
    for (auto const& untrusted : table) {
        SCOPED_TRACE(untrusted.message);
        transport.reset();
        auto& server = serve(untrusted.identity, always(with_body("")));
        use(server.listener.port(), untrusted.host);

        expect_failure(HttpStage::tls, false, "is not to be trusted: " + untrusted.message);
    }
}

TEST_F(Transport, TrustsOnlyTheSystemWithoutACaFile)
{
    serve(always(with_body("")));
    settings.ca_file = "";

    expect_failure(HttpStage::tls, false, "is not to be trusted");
}

TEST_F(Transport, SpeaksTls12AndNewer)
{
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        transport.reset();
        auto& server = serve(always(with_body("current")));
        SSL_CTX_set_min_proto_version(server.tls.native_handle(), version);
        SSL_CTX_set_max_proto_version(server.tls.native_handle(), version);
        EXPECT_EQ(reply().body, "current");
    }

    transport.reset();
    auto& server = serve(always(with_body("old")));
    SSL_CTX_set_min_proto_version(server.tls.native_handle(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(server.tls.native_handle(), TLS1_1_VERSION);
    SSL_CTX_set_security_level(server.tls.native_handle(), 0);
    expect_failure(HttpStage::tls, false, "the TLS handshake with " + endpoint + " failed: ");
}

TEST_F(Transport, SaysThatTheServerSpeaksNoTls)
{
    auto& server = listen([](tcp::socket socket) -> awaitable<void> {
        const std::string text = "HTTP/1.1 400 Bad Request\r\n\r\n";
        co_await boost::asio::async_write(socket, boost::asio::buffer(text), use_awaitable);
        char bytes[1024];
        while (true)
            co_await socket.async_read_some(boost::asio::buffer(bytes), use_awaitable);
    });
    use(server.port());

    expect_failure(HttpStage::tls, false, "failed: wrong version number");
}

TEST_F(Transport, SaysThatTheServerClosedInTheHandshake)
{
    auto& server = listen([](tcp::socket socket) -> awaitable<void> {
        char bytes[1024];
        co_await socket.async_read_some(boost::asio::buffer(bytes), use_awaitable);
    });
    use(server.port());

    const auto failed = failure();

    EXPECT_EQ(failed.stage, HttpStage::tls);
    EXPECT_FALSE(failed.sent);
}

// The proxy.

TEST_F(Transport, GoesThroughAProxy)
{
    auto& server = serve(always(with_body("from behind")));
    const auto& proxy = listen_as_proxy("HTTP/1.1 200 Connection established\r\nContent-Length: 5\r\n\r\n", server);

    EXPECT_EQ(reply().body, "from behind");
    EXPECT_EQ(reply().body, "from behind");

    EXPECT_THAT(connects, testing::ElementsAre("CONNECT " + endpoint + " " + endpoint));
    EXPECT_EQ(proxy.accepted, 1);
    EXPECT_EQ(server.listener.accepted, 0);
}

TEST_F(Transport, SaysWhatTheProxyDid)
{
    const std::pair<std::string, std::string> table[] = {
        {"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nno way", "with status 403"},
        {"HTTP/1.1 204 No Content\r\n\r\n", "with status 204"},
        {"SSH-2.0-OpenSSH\r\n\r\n", "answered with something else than HTTP"},
        {"HTTP/1.1 403 Forbidden\r\nX: " + std::string(17UL * 1024UL, 'x') + "\r\n\r\n", "something else than HTTP"},
        {"HTTP/1.1 200 OK\r\n\r\nmore", "sent more than its answer"},
        {"HTTP/1.1 40", "closed the connection"},
        {"", "closed the connection"},
    };
    auto& server = serve([](Peer&) -> awaitable<void> { co_return; });
    for (auto const& [answer, message] : table) {
        SCOPED_TRACE(answer);
        transport.reset();
        listen_as_proxy(answer, server);

        expect_failure(HttpStage::proxy, false, message);
        EXPECT_THAT(failure().message, HasSubstr(settings.proxy.substr(7)));
    }
}

TEST_F(Transport, SaysThatTheProxyCannotBeReached)
{
    use("443", "api.example.com");
    settings.proxy = "http://name.invalid:3128";
    expect_failure(HttpStage::resolve, false, "the proxy name.invalid:3128 on the way to");

    transport.reset();
    tcp::acceptor bound{context, tcp::v4()};
    bound.bind({boost::asio::ip::address_v4::loopback(), 0});
    settings.proxy = "http://127.0.0.1:" + std::to_string(bound.local_endpoint().port());
    expect_failure(HttpStage::connect, false, "Connection refused");
}

// Deadlines. These waits are real ones.

TEST_F(Transport, WaitsForNoLookUpBeyondTheDeadline)
{
    use("1", "localhost");
    settings.connect_timeout = 0ms;

    expect_timeout(HttpStage::resolve, false);
}

/// A look-up that nothing can interrupt, until the test ends it.
class HeldUp {
public:
    explicit HeldUp(boost::asio::io_context& context) : context_{context} {}

    LookUp look_up()
    {
        return [this, end = end_](std::string const&) -> LookedUp {
            ++begun;
            boost::asio::post(context_, [] {}); // so that the test looks again
            end.wait();
            return tl::unexpected{std::string{"it is over"}};
        };
    }
    ~HeldUp() { ending_.set_value(); }

    std::atomic<int> begun = 0;

private:
    boost::asio::io_context& context_;
    std::promise<void> ending_;
    std::shared_future<void> end_{ending_.get_future()};
};

TEST_F(Transport, IsNotHeldUpByTheLookUpOfAnotherHost)
{
    HeldUp held_up{context};
    TransportSettings stuck = settings;
    stuck.base_url = "https://stuck.example";
    stuck.look_up = held_up.look_up();
    const auto other = BeastTransport::create(context.get_executor(), stuck);
    ASSERT_TRUE(other);
    Call call;
    boost::asio::co_spawn(
        context, (*other)->send(post()),
        boost::asio::bind_cancellation_slot(
            call.stop.slot(), [&call](std::exception_ptr, Answer const&) { call.ended = true; }
        )
    );
    run_until([&] { return held_up.begun == 1; });
    auto& server = serve(always(with_body("here")));
    use(server.listener.port(), "localhost");

    EXPECT_EQ(reply().body, "here");
    EXPECT_FALSE(call.ended);

    call.stop.emit(boost::asio::cancellation_type::terminal);
    run_until([&] { return call.ended; });
}

TEST_F(Transport, HoldsUpOneThreadOnly)
{
    HeldUp held_up{context};
    use("443", "stuck.example");
    settings.look_up = held_up.look_up();
    settings.connect_timeout = 20ms;

    for (int i = 0; i < 3; ++i)
        expect_timeout(HttpStage::resolve, false);
    EXPECT_EQ(held_up.begun, 1);
}

TEST_F(Transport, MayEndWhileANameIsLookedUp)
{
    HeldUp held_up{context};
    Call call;
    use("443", "stuck.example");
    settings.look_up = held_up.look_up();
    start(call);
    run_until([&] { return held_up.begun == 1; });

    transport.reset();
    EXPECT_FALSE(call.ended);
}

TEST_F(Transport, GivesUpOnAConnectionThatIsNeitherAcceptedNorRefused)
{
    BlackHole hole{context};
    use(hole.port());
    settings.connect_timeout = 30ms;

    expect_timeout(HttpStage::connect, false);
}

TEST_F(Transport, GivesUpOnAHandshakeThatDoesNotEnd)
{
    use(listen_in_silence().port());
    settings.connect_timeout = 30ms;

    expect_timeout(HttpStage::tls, false);
    run_until([&] { return listeners.back()->ended == 1; });
}

TEST_F(Transport, GivesUpOnAProxyThatDoesNotAnswer)
{
    use("443", "api.example.com");
    settings.proxy = "http://127.0.0.1:" + listen_in_silence().port();
    settings.total_timeout = 30ms;

    expect_timeout(HttpStage::proxy, false);
}

TEST_F(Transport, GivesUpOnAnAnswerThatDoesNotEnd)
{
    int requests = 0;
    auto& server = serve([&](Peer& peer) -> awaitable<void> {
        while (true) {
            co_await peer.read();
            auto text = with_body("complete");
            if (++requests > 1)
                text.pop_back();
            co_await peer.write(text);
        }
    });
    settings.connect_timeout = 10s;
    settings.total_timeout = 200ms;
    reply(); // so that the second has no handshake to make

    expect_timeout(HttpStage::exchange, true);
    EXPECT_EQ(server.handshakes, 1);
    run_until([&] { return server.listener.ended == 1; });
}

TEST_F(Transport, CountsNoAnswerTimeAgainstTheConnection)
{
    boost::asio::steady_timer later{context};
    serve([&](Peer& peer) -> awaitable<void> {
        co_await peer.read();
        later.expires_after(300ms);
        co_await later.async_wait(use_awaitable);
        co_await peer.write(with_body("late"));
    });
    settings.connect_timeout = 250ms;

    EXPECT_EQ(reply().body, "late");
}

// Cancellation.

TEST_F(Transport, CanBeCancelledWhileANameIsLookedUp)
{
    use("1", "localhost");
    Call call;
    start(call);
    context.run_one(); // it has started; its result waits for the next step

    call.stop.emit(boost::asio::cancellation_type::terminal);
    run_until([&] { return call.ended; });

    EXPECT_TRUE(call.was_cancelled());
}

TEST_F(Transport, CanBeCancelledWhileItConnects)
{
    BlackHole hole{context};
    use(hole.port());
    Call call;
    start(call);
    context.run_for(20ms); // nothing tells when the kernel has begun

    call.stop.emit(boost::asio::cancellation_type::terminal);
    run_until([&] { return call.ended; });

    EXPECT_TRUE(call.was_cancelled());
}

TEST_F(Transport, CanBeCancelledInTheHandshake)
{
    Call call;
    auto& server = listen_in_silence([&] { call.stop.emit(boost::asio::cancellation_type::terminal); });
    use(server.port());
    start(call);

    run_until([&] { return call.ended && server.ended == 1; });

    EXPECT_TRUE(call.was_cancelled());
}

TEST_F(Transport, CanBeCancelledAtTheProxy)
{
    Call call;
    auto& proxy = listen_in_silence([&] { call.stop.emit(boost::asio::cancellation_type::terminal); });
    use("443", "api.example.com");
    settings.proxy = "http://127.0.0.1:" + proxy.port();
    start(call);

    run_until([&] { return call.ended && proxy.ended == 1; });

    EXPECT_TRUE(call.was_cancelled());
}

TEST_F(Transport, CanBeCancelledInTheExchangeAndDropsTheConnection)
{
    Call call;
    auto& server = serve([&](Peer& peer) -> awaitable<void> {
        while (true) {
            co_await peer.read();
            const auto text = with_body("complete");
            if (peer.number == 1) {
                co_await peer.write(text.substr(0, text.size() - 1));
                call.stop.emit(boost::asio::cancellation_type::terminal);
            } else {
                co_await peer.write(text);
            }
        }
    });
    start(call);
    run_until([&] { return call.ended && server.listener.ended == 1; });

    EXPECT_TRUE(call.was_cancelled());
    EXPECT_EQ(reply().body, "complete");
    EXPECT_EQ(server.handshakes, 2);
}

// Its life.

TEST_F(Transport, ClosesIdleConnectionsAtItsEnd)
{
    auto& server = serve(always(with_body("")));
    reply();

    transport.reset();
    run_until([&] { return server.listener.ended == 1; });

    EXPECT_EQ(server.listener.ended, 1);
}

TEST_F(Transport, MayEndWhileItSends)
{
    serve([&](Peer& peer) -> awaitable<void> {
        co_await peer.read();
        transport.reset();
        co_await peer.write(with_body("still"));
    });

    EXPECT_EQ(reply().body, "still");
}

TEST_F(Transport, MayBeLeftInTheMiddleOfASend)
{
    Call call;
    bool reached = false;
    serve([&](Peer& peer) -> awaitable<void> {
        co_await peer.read();
        reached = true;
        co_await peer.read();
    });
    start(call);

    run_until([&] { return reached; });

    EXPECT_FALSE(call.ended);
}

TEST_F(Transport, IsNotMadeFromWhatItCannotUse)
{
    const auto empty = folder.file("empty.pem");
    std::ofstream{empty} << "no certificate\n";
    const std::string good = "https://api.example.com";
    struct Refused {
        std::string base_url;
        std::string proxy;
        std::string ca_file;
        std::string error;
    };
    const Refused table[] = {
        {"", "", "", "base URL: expected a URL that starts with https:// or http://"},
        {"http://localhost", "", "", "base URL: expected a URL that starts with https://"},
        {"https://me:key@a", "", "", "base URL: expected a URL without a user name or password"},
        {good, "proxy:3128", "", "proxy: expected a URL that starts with https:// or http://"},
        {good, "https://proxy:3128", "", "proxy: expected a URL of the form http://host:port"},
        {good, "http://proxy:3128/x", "", "proxy: expected a URL of the form http://host:port"},
        {good, "http://me:key@proxy:3128", "", "proxy: expected a URL without a user name or password"},
        {good, "", folder.file("missing.pem"), "CA file " + folder.file("missing.pem") + " cannot be read"},
        {good, "", empty, "CA file " + empty + " has no certificate in PEM"},
    };
    for (auto const& refused : table) {
        SCOPED_TRACE(refused.error);
        settings.base_url = refused.base_url;
        settings.proxy = refused.proxy;
        settings.ca_file = refused.ca_file;

        const auto created = BeastTransport::create(context.get_executor(), settings);

        ASSERT_FALSE(created);
        EXPECT_EQ(created.error(), refused.error);
    }
}

} // namespace
} // namespace usher
