// SPDX-License-Identifier: Apache-2.0
// What is sent, what comes back, and how long the transport lives.
#include <fstream>

#include "transport_fixture.hpp"

namespace usher {
namespace {

using namespace test;

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

TEST_F(Transport, TellsWhenTheCertificateEnds)
{
    CertificateOptions options;
    options.until_seconds = 7200;
    serve(make_certificate(options, &authority), always(with_body("")));
    std::vector<sys_seconds> ends;
    settings.certified_until = [&](sys_seconds end) { ends.push_back(end); };
    const sys_seconds made = std::chrono::floor<seconds>(std::chrono::system_clock::now());

    reply();
    reply(); // on the same connection

    ASSERT_EQ(ends.size(), 1U);
    EXPECT_LE(std::chrono::abs(ends[0] - made - 2h), 1min);
}

TEST_F(Transport, AsksForANameAndNotForAnAddress)
{
    auto& server = serve([](Peer& peer) -> awaitable<void> {
        co_await peer.read();
        char const* asked = SSL_get_servername(peer.stream.native_handle(), TLSEXT_NAMETYPE_host_name);
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

TEST_F(Transport, RefusesWhatHasNoEndAroundItsChunks)
{
    const std::string begin = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    const std::string part(100'000, 'x');
    for (std::string const& text :
         {begin + "5;a=" + part + "\r\nhello\r\n0\r\n\r\n", begin + "5\r\nhello\r\n0\r\nA: " + part + "\r\n\r\n"}) {
        transport.reset();
        serve(once(text));
        expect_failure(HttpStage::answer, true, "has more than 64 KiB around a chunk");
    }
    transport.reset();
    serve(always(begin + "5;a=" + part.substr(0, 8000) + "\r\nhello\r\n0\r\nA: b\r\n\r\n"));
    EXPECT_EQ(reply().body, "hello");
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
