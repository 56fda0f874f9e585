// SPDX-License-Identifier: Apache-2.0
// Deadlines and cancellation. These waits are real ones.
#include <atomic>
#include <future>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "transport_fixture.hpp"

namespace usher {
namespace {

using namespace test;

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

} // namespace
} // namespace usher
