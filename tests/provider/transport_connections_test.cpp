// SPDX-License-Identifier: Apache-2.0
// Which connection is used.
#include <functional>
#include <set>
#include <vector>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>

#include "transport_fixture.hpp"

namespace usher {
namespace {

using namespace test;

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

} // namespace
} // namespace usher
