// SPDX-License-Identifier: Apache-2.0
#include "vendor/server.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <usher/core/jwt.hpp>

#include "support/temp_dir.hpp"

using namespace std::chrono_literals;
using namespace usher;
using namespace usher::vendor;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

namespace {

const std::string api_key = "47665971";
const std::string secret = "0123456789abcdef0123456789abcdef01234567";
constexpr Instant now{1'700'000'000'000ms};

/// What a client with plain OpenSSL calls gets to see.
struct Seen {
    bool trusted = false; ///< The handshake succeeded.
    long verify_result = X509_V_OK;
    std::string text; ///< All that came after it.
    int error = 0;    ///< errno at the end: ECONNRESET, or 0 for an orderly one.
};

/// Sends `text` over TLS, in a tunnel when there is a proxy, and reads until the end.
class Client {
public:
    explicit Client(VendorServer const& server)
        : port_{server.port()}, context_{SSL_CTX_new(TLS_client_method()), &SSL_CTX_free}
    {
        SSL_CTX_load_verify_file(context_.get(), server.ca_file().c_str());
        SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    }

    Seen send(std::string const& text, std::optional<std::uint16_t> proxy_port = {})
    {
        Seen seen;
        BIO* const bio = BIO_new_connect(("127.0.0.1:" + std::to_string(proxy_port.value_or(port_))).c_str());
        const std::unique_ptr<SSL, decltype(&SSL_free)> ssl{SSL_new(context_.get()), &SSL_free};
        SSL_set_bio(ssl.get(), bio, bio); // which frees it
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), "127.0.0.1");
        if (BIO_do_connect(bio) != 1)
            throw std::runtime_error{"cannot connect"};
        if (proxy_port) {
            const std::string head = ask_proxy(bio);
            if (!head.starts_with("HTTP/1.1 200")) {
                seen.text = head;
                return seen;
            }
        }
        errno = 0;
        seen.trusted = SSL_connect(ssl.get()) == 1;
        seen.verify_result = SSL_get_verify_result(ssl.get());
        if (seen.trusted && SSL_write(ssl.get(), text.data(), static_cast<int>(text.size())) > 0) {
            char bytes[4096];
            for (int size = 0; (size = SSL_read(ssl.get(), bytes, sizeof bytes)) > 0;)
                seen.text.append(bytes, static_cast<std::size_t>(size));
        }
        seen.error = errno;
        ERR_clear_error();
        return seen;
    }

private:
    static std::string ask_proxy(BIO* bio)
    {
        const std::string connect = "CONNECT api.opentok.com:443 HTTP/1.1\r\nHost: api.opentok.com:443\r\n\r\n";
        BIO_write(bio, connect.data(), static_cast<int>(connect.size()));
        std::string head;
        for (char c = 0; !head.ends_with("\r\n\r\n") && BIO_read(bio, &c, 1) == 1;)
            head += c;
        return head;
    }

    std::uint16_t port_;
    std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
};

std::string http(std::string const& method, std::string const& target, std::string const& body = "", bool close = true)
{
    JwtClaims claims;
    claims.add("iss", api_key).add("ist", "project").add("iat", 1'700'000'000).add("exp", 1'700'000'300);
    const std::string text = jwt_signing_input(R"({"alg":"HS256"})", claims.json());
    return method + " " + target + " HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n" +
           "Content-Type: application/x-www-form-urlencoded\r\n" +
           "X-OPENTOK-AUTH: " + join_jwt(text, HmacKey{Digest::sha256, secret}.sign(text)) + "\r\n" +
           "Content-Length: " + std::to_string(body.size()) + "\r\n" + (close ? "Connection: close\r\n" : "") + "\r\n" +
           body;
}

const std::string create = http("POST", "/session/create", "p2p.preference=disabled");

std::string with_next(std::string const& fault)
{
    return http("POST", "/_vendor/faults", R"({"next":[")" + fault + R"("]})");
}

class Server : public testing::Test {
protected:
    Server() { server.model().add_opentok(api_key, secret); }
    ~Server() override { finish(); }

    /// The server runs beside the client, which blocks; the model is ours again after finish().
    void start()
    {
        thread = std::thread{[this] { context.run(); }};
    }

    void finish()
    {
        if (!thread.joinable())
            return;
        boost::asio::post(context, [this] { server.stop(); });
        thread.join();
    }

    /// Runs `work` on the server's thread, which owns the model, and waits for it.
    template <class Work>
    void on_server(Work work)
    {
        std::promise<void> done;
        boost::asio::post(context, [&] {
            work();
            done.set_value();
        });
        done.get_future().get();
    }

    static ServerSettings settings_for(test::TempDir const& directory)
    {
        ServerSettings settings;
        settings.directory = directory.file("");
        settings.now = [] { return now; };
        return settings;
    }

    test::TempDir directory;
    boost::asio::io_context context;
    VendorServer server{context, settings_for(directory)};
    std::thread thread;
};

} // namespace

TEST_F(Server, MakesSessionsOverHttps)
{
    start();

    const Seen seen = Client{server}.send(create);
    finish();

    EXPECT_TRUE(seen.trusted);
    EXPECT_THAT(seen.text, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(seen.text, HasSubstr("\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n"));
    ASSERT_THAT(server.model().sessions(), SizeIs(1));
    EXPECT_THAT(seen.text, HasSubstr(server.model().sessions().at(0).id));
}

TEST_F(Server, KeepsConnectionsAlive)
{
    start();

    const Seen seen = Client{server}.send(http("GET", "/a", "", false) + http("GET", "/b"));
    finish();

    EXPECT_THAT(seen.text, StartsWith("HTTP/1.1 404 Not Found\r\n"));
    EXPECT_THAT(seen.text.substr(1), HasSubstr("HTTP/1.1 404 Not Found\r\n"));
    EXPECT_THAT(server.model().requests(), SizeIs(2));
}

TEST_F(Server, ShowsTheCertificateAskedFor)
{
    start();
    Client client{server};

    std::vector<long> results;
    for (const Certificate kind :
         {Certificate::expired, Certificate::wrong_host, Certificate::unknown_ca, Certificate::good}) {
        on_server([&] { server.model().behaviour.certificate = kind; });
        results.push_back(client.send(create).verify_result);
    }

    EXPECT_THAT(
        results, testing::ElementsAre(
                     X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_IP_ADDRESS_MISMATCH,
                     X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_OK
                 )
    );
}

TEST_F(Server, ResetsTheConnectionBeforeOrAfterTheWork)
{
    start();
    Client client{server};

    client.send(with_next("reset_before"));
    const Seen before = client.send(create);
    client.send(with_next("reset_after"));
    const Seen after = client.send(create);
    finish();

    EXPECT_THAT(before.text, IsEmpty());
    EXPECT_EQ(before.error, ECONNRESET);
    EXPECT_THAT(after.text, IsEmpty());
    EXPECT_EQ(after.error, ECONNRESET);
    EXPECT_THAT(server.model().sessions(), SizeIs(1));
}

TEST_F(Server, SendsHalfOfTheBody)
{
    start();
    Client client{server};

    client.send(with_next("half_body"));
    const Seen half = client.send(create);
    const Seen whole = client.send(create);

    EXPECT_THAT(half.text, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(half.text, Not(EndsWith("]")));
    EXPECT_THAT(whole.text, EndsWith("]"));
}

TEST_F(Server, RefusesConnections)
{
    server.model().behaviour.outage = Outage::refused;
    start();

    const Seen seen = Client{server}.send(create);
    finish();

    EXPECT_FALSE(seen.trusted);
    EXPECT_EQ(seen.error, ECONNRESET);
    EXPECT_THAT(server.model().requests(), IsEmpty());
}

TEST_F(Server, DelaysAnswers)
{
    server.model().behaviour.latency = 30ms;
    start();

    const auto begin = std::chrono::steady_clock::now();
    const Seen seen = Client{server}.send(create);

    EXPECT_GE(std::chrono::steady_clock::now() - begin, 30ms);
    EXPECT_THAT(seen.text, StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(Server, CanBeReachedThroughItsProxy)
{
    start();

    const Seen seen = Client{server}.send(create, server.proxy_port());
    finish();

    EXPECT_TRUE(seen.trusted);
    EXPECT_THAT(seen.text, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(server.model().tunnels(), testing::ElementsAre("api.opentok.com:443"));
}

TEST_F(Server, PassesAResetThroughTheProxy)
{
    server.model().behaviour.next = {fault_of(FaultKind::reset_after)};
    start();

    const Seen seen = Client{server}.send(create, server.proxy_port());

    EXPECT_EQ(seen.error, ECONNRESET);
}

TEST_F(Server, HasAProxyThatRefuses)
{
    server.model().behaviour.proxy_allows = false;
    start();

    const Seen seen = Client{server}.send(create, server.proxy_port());
    finish();

    EXPECT_THAT(seen.text, StartsWith("HTTP/1.1 403 Forbidden\r\n"));
    EXPECT_THAT(server.model().tunnels(), IsEmpty());
}

TEST_F(Server, StopsWhileAnAnswerIsDue)
{
    server.model().behaviour.latency = 1h;
    start();
    std::thread waiting{[this] { Client{server}.send(create); }};
    for (bool asked = false; !asked;)
        on_server([&] { asked = !server.model().requests().empty(); });

    finish();
    waiting.join();

    EXPECT_THAT(server.model().requests(), SizeIs(1));
}

TEST(VendorServer, CanBeDestroyedWithoutEverHavingRun)
{
    const test::TempDir directory;
    boost::asio::io_context context;
    ServerSettings settings;
    settings.directory = directory.file("");

    const VendorServer server{context, settings};

    EXPECT_NE(server.port(), 0);
    EXPECT_NE(server.proxy_port(), server.port());
}

namespace {

/// The real program, until the end of the scope.
class Program {
public:
    explicit Program(std::vector<std::string> arguments)
    {
        int pipe[2] = {};
        if (::pipe2(pipe, O_CLOEXEC) != 0)
            throw std::runtime_error{"pipe failed"};
        arguments.insert(arguments.begin(), USHER_VENDOR);
        std::vector<char*> argv;
        for (std::string& argument : arguments)
            argv.push_back(argument.data());
        argv.push_back(nullptr);
        process_ = ::fork();
        if (process_ == 0) {
            ::dup2(pipe[1], STDOUT_FILENO);
            ::execv(argv[0], argv.data());
            ::_exit(127);
        }
        ::close(pipe[1]);
        output_ = ::fdopen(pipe[0], "r");
    }
    Program(Program const&) = delete;
    Program& operator=(Program const&) = delete;
    ~Program()
    {
        if (process_ > 0) {
            ::kill(process_, SIGKILL);
            ::waitpid(process_, nullptr, 0);
        }
        std::fclose(output_);
    }

    std::string line()
    {
        std::string text;
        for (int c = 0; (c = std::fgetc(output_)) != EOF && c != '\n';)
            text += static_cast<char>(c);
        return text;
    }

    void end() { ::kill(process_, SIGTERM); }

    int status()
    {
        int status = 0;
        ::waitpid(process_, &status, 0);
        process_ = 0; // another process may have this id from now on
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

private:
    pid_t process_ = 0;
    std::FILE* output_ = nullptr;
};

} // namespace

TEST(UsherVendor, SaysWhereItListensAndEndsOnSigterm)
{
    const test::TempDir directory;
    std::ofstream{directory.file("secret")} << secret << '\n';
    Program program{
        {"--dir", directory.file(""), "--opentok", api_key + ":" + directory.file("secret"), "--vonage",
         "29f760f8-7ce1-46c9-ade3-f2dedee4ed5f:" USHER_SOURCE_DIR "/tests/vectors/throwaway_rsa2048.pem", "--faults",
         "xml,reset_connect:0.5"}};

    const std::string line = program.line();
    program.end();

    EXPECT_THAT(
        line, testing::MatchesRegex(
                  R"(\{"url":"https://127.0.0.1:[0-9]+","ca_file":"[^"]+/ca.pem","proxy":"http://127.0.0.1:[0-9]+"\})"
              )
    );
    EXPECT_EQ(program.status(), 0);
}

TEST(UsherVendor, TellsUsageErrorsFromOthers)
{
    const test::TempDir directory;
    const std::string there = directory.file("");

    EXPECT_EQ(Program({"--help"}).status(), 0);
    EXPECT_EQ(Program({}).status(), 2);
    EXPECT_EQ(Program({"--dir", there, "--certificate", "fine"}).status(), 2);
    EXPECT_EQ(Program({"--dir", there, "--faults", "nonsense:0.1"}).status(), 2);
    EXPECT_EQ(Program({"--dir", there, "--faults", "xml:1.1"}).status(), 2);
    EXPECT_EQ(Program({"--dir", there, "--opentok", "47665971"}).status(), 2);
    EXPECT_EQ(Program({"--dir", there, "--opentok", "47665971:/nowhere"}).status(), 1);
}
