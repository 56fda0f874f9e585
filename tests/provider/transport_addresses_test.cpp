// SPDX-License-Identifier: Apache-2.0
// What is connected to and what is not, with a proxy and without.
#include <vector>

#include <boost/asio/redirect_error.hpp>

#include "transport_fixture.hpp"

namespace usher {
namespace {

using namespace test;

/// Accepts, and never says anything.
awaitable<void> read_only(tcp::socket socket)
{
    char byte = 0;
    boost::system::error_code error;
    while (!error)
        co_await socket.async_read_some(
            boost::asio::buffer(&byte, 1), boost::asio::redirect_error(use_awaitable, error)
        );
}

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

TEST_F(Transport, TriesTheNextAddressWhenOneAcceptsAndSaysNoMore)
{
    auto& server = serve(always(with_body("here")));
    Listener const& mute = listen_beside(server, "127.0.0.2", read_only);
    use(server.listener.port(), "localhost");
    find({"127.0.0.2", "127.0.0.1"});
    settings.connect_timeout = 1s;
    settings.idle_max = 0; // so that the second request needs another connection

    EXPECT_EQ(reply().body, "here");
    EXPECT_EQ(mute.accepted, 1);
    EXPECT_EQ(reply().body, "here");
    EXPECT_EQ(mute.accepted, 1) << "it comes last now";
}

TEST_F(Transport, NamesTheAddressThatSaysNoMore)
{
    const Listener first{context, read_only};
    const auto port = static_cast<std::uint16_t>(std::stoi(first.port()));
    const Listener second{context, read_only, {boost::asio::ip::make_address("127.0.0.2"), port}};
    use(first.port(), "localhost");
    find({"127.0.0.1", "127.0.0.2"});
    settings.connect_timeout = 200ms;

    const HttpFailure failed = failure();
    EXPECT_EQ(failed.stage, HttpStage::tls);
    EXPECT_TRUE(failed.timed_out);
    EXPECT_EQ(failed.message, "the TLS handshake with " + endpoint + " at 127.0.0.2 took longer than 200 ms");
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
    auto const& proxy = listen_as_proxy("HTTP/1.1 200 Connection established\r\nContent-Length: 5\r\n\r\n", server);

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

} // namespace
} // namespace usher
