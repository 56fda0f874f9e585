// SPDX-License-Identifier: Apache-2.0
// The only file with Beast and TLS on the client's side.
#include <usher/provider/beast_transport.hpp>

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <deque>
#include <exception>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/system/system_error.hpp>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <usher/core/url.hpp>
#include <usher/provider/name_lookup.hpp>

namespace usher {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace ssl = boost::asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::steady_clock;

using Answer = tl::expected<HttpReply, HttpFailure>;
using Problem = std::optional<std::string>; ///< What went wrong, as a sentence.

constexpr std::uint32_t header_bytes_max = 16 * 1024;
constexpr std::uint64_t body_bytes_max = 256 * 1024;
constexpr std::size_t unread_bytes_max = 64 * 1024; // a header, or what stands around a chunk
constexpr int interim_answers_max = 8;              // statuses below 200, after which the answer is still to come
constexpr auto hung_for = std::chrono::minutes{10}; // an address that hung comes last for so long
constexpr auto next_address_after = std::chrono::milliseconds{250}; // "Connection Attempt Delay" of RFC 8305

struct Connection {
    Connection(tcp::socket socket, ssl::context& context) : stream{std::move(socket), context} {}

    tcp::socket& socket() { return stream.next_layer(); }

    /// Whether there is nothing to read, neither in the socket nor among bytes that are not deciphered yet: no answer
    /// to a request that was not sent, no alert, no end.
    bool is_silent()
    {
        char byte = 0;
        error_code error;
        return stream.read_some(asio::buffer(&byte, 1), error) == 0 && error == asio::error::would_block;
    }

    beast::ssl_stream<tcp::socket> stream;
    steady_clock::time_point parked;
};

/// An attempt to reach one of the host's addresses.
struct Racer {
    Racer(asio::ip::address a, asio::any_io_executor const& executor) : address{std::move(a)}, socket{executor} {}

    asio::ip::address address;
    tcp::socket socket;
    std::optional<error_code> result;
};

bool is_http_error(error_code const& error)
{
    return error.category() == http::make_error_code(http::error::end_of_stream).category();
}

/// The peer closed the connection where more was to come.
bool is_end(error_code const& error)
{
    return error == asio::error::eof || error == ssl::error::stream_truncated || error == http::error::end_of_stream ||
           error == http::error::partial_message;
}

std::string to_text(std::chrono::milliseconds duration)
{
    return std::to_string(duration.count()) + " ms";
}

/// Verifies the name, and asks for it when the server has several.
bool expect_host(SSL* tls, std::string host)
{
    error_code not_an_address;
    asio::ip::make_address(host, not_an_address);
    if (!not_an_address)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host.c_str()) == 1;
    SSL_set_hostflags(tls, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    // What SSL_set_tlsext_host_name() does with an old-style cast.
    return SSL_set1_host(tls, host.c_str()) == 1 &&
           SSL_ctrl(tls, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host.data()) == 1;
}

/// Until when the server's certificate is valid.
sys_seconds end_of_certificate(SSL* tls)
{
    const std::unique_ptr<X509, decltype(&X509_free)> certificate{SSL_get1_peer_certificate(tls), X509_free};
    std::tm end{};
    if (certificate == nullptr || ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &end) != 1)
        return {};
    return from_unix(::timegm(&end));
}

Problem trust(ssl::context& context, std::string const& ca_file)
{
    error_code error;
    if (ca_file.empty()) {
        context.set_default_verify_paths(error);
        if (error)
            return "the system's certificates cannot be read: " + error.message();
        return std::nullopt;
    }
    if (!std::ifstream{ca_file})
        return "CA file " + ca_file + " cannot be read";
    context.load_verify_file(ca_file, error);
    if (error)
        return "CA file " + ca_file + " has no certificate in PEM";
    return std::nullopt;
}

} // namespace

/// The server, the way to it, and the connections that wait for the next request.
struct BeastTransport::Server {
    Server(asio::any_io_executor e, TransportSettings s) : executor{std::move(e)}, settings{std::move(s)} {}

    /// The connection that was parked last: the one least likely to be closed in the next moment.
    std::unique_ptr<Connection> take_idle()
    {
        const auto too_old = steady_clock::now() - settings.idle_timeout;
        std::erase_if(idle, [&](auto const& connection) {
            return connection->parked <= too_old || !connection->is_silent();
        });
        if (idle.empty())
            return nullptr;
        auto newest = std::move(idle.back());
        idle.pop_back();
        return newest;
    }

    void park(std::unique_ptr<Connection> connection)
    {
        connection->parked = steady_clock::now();
        idle.push_back(std::move(connection));
        if (idle.size() > settings.idle_max)
            idle.erase(idle.begin());
    }

    /// The other addresses come first for a while.
    void put_last(asio::ip::address const& address)
    {
        const auto now = steady_clock::now();
        std::erase_if(hung, [&](auto const& one) { return now - one.second > hung_for; });
        hung.insert_or_assign(address, now);
    }
    bool comes_last(asio::ip::address const& address) const
    {
        const auto found = hung.find(address);
        return found != hung.end() && steady_clock::now() - found->second <= hung_for;
    }

    asio::any_io_executor executor;
    TransportSettings settings;
    Url url;
    std::optional<Url> proxy;
    std::optional<NameLookup> next_hop;                         ///< Of the proxy, where there is one.
    std::map<asio::ip::address, steady_clock::time_point> hung; ///< Addresses that accepted and said no more: when.
    ssl::context context{ssl::context::tls_client};
    std::vector<std::unique_ptr<Connection>> idle; // oldest first
};

/// One request on its way, in a coroutine of its own, which can be left behind. It has no deadline, as send() watches
/// over it.
class BeastTransport::Attempt : public std::enable_shared_from_this<Attempt> {
public:
    Attempt(std::shared_ptr<Server> server, HttpRequest request)
        : news{server->executor},
          server_{std::move(server)},
          request_{std::move(request)},
          race_news_{server_->executor},
          connection_{server_->take_idle()},
          connected_{connection_ != nullptr}
    {}

    static void start(std::shared_ptr<Attempt> attempt)
    {
        auto on_end = [attempt](std::exception_ptr thrown, Answer given) {
            attempt->exception = thrown;
            attempt->answer = std::move(given);
            attempt->news.cancel();
        };
        asio::co_spawn(attempt->server_->executor, run(attempt), std::move(on_end));
    }

    /// Cancels what the attempt waits for; what comes nevertheless is dropped.
    void abandon()
    {
        abandoned_ = true;
        server_->next_hop->wake();
        race_news_.cancel();
        error_code ignored;
        for (auto const& racer : racers_)
            racer->socket.close(ignored);
        if (connection_)
            connection_->socket().close(ignored);
    }

    void park_connection()
    {
        if (reusable_)
            server_->park(std::move(connection_));
    }

    /// Counted from the beginning of send().
    std::chrono::milliseconds limit() const
    {
        auto const& settings = server_->settings;
        return connected_ ? settings.total_timeout : std::min(settings.connect_timeout, settings.total_timeout);
    }

    HttpFailure timeout()
    {
        if (stage_ == HttpStage::proxy || stage_ == HttpStage::tls)
            server_->put_last(taken_);
        return failure(too_slow(limit()), true);
    }

    asio::steady_timer news; ///< Cancelled when the attempt has ended.
    std::optional<Answer> answer;
    std::exception_ptr exception;

private:
    static asio::awaitable<Answer> run(std::shared_ptr<Attempt> self)
    {
        if (self->connection_ && !self->connection_->is_silent()) {
            self->connection_.reset();
            self->connected_ = false;
        }
        if (!self->connection_) {
            auto problem = co_await self->open();
            if (problem)
                co_return tl::unexpected{self->failure(std::move(*problem))};
            self->connected_ = true;
        }
        co_return co_await self->exchange();
    }

    /// Tries the host's addresses until one leads to the server.
    asio::awaitable<Problem> open()
    {
        stage_ = HttpStage::resolve;
        std::function<bool()> wanted = [this] { return !abandoned_; };
        const auto found = co_await server_->next_hop->addresses(std::move(wanted));
        if (!found)
            co_return hop() + " has no address: " + found.error();
        Addresses addresses = in_turns(*found);
        several_ = addresses.size() > 1;
        std::stable_partition(addresses.begin(), addresses.end(), [this](asio::ip::address const& address) {
            return !server_->comes_last(address);
        });
        untried_.assign(addresses.begin(), addresses.end());

        HttpStage furthest = HttpStage::resolve; // what went wrong there tells most
        Problem told;
        while (!untried_.empty() && !abandoned_) {
            auto problem = co_await connect();
            if (!problem) {
                const Share share{*this};
                if (server_->proxy)
                    problem = co_await tunnel();
                if (!problem)
                    problem = co_await handshake();
                if (!problem)
                    co_return std::nullopt;
                if (share.is_over())
                    problem = says_nothing(share.length());
            }
            if (stage_ >= furthest) {
                furthest = stage_;
                told = std::move(problem);
            }
        }
        stage_ = furthest;
        co_return told ? std::move(told) : Problem{"abandoned"};
    }

    Problem says_nothing(std::chrono::milliseconds waited)
    {
        server_->put_last(taken_);
        return too_slow(waited);
    }

    /// By RFC 8305: the next address has its turn when the one before it failed, or has not succeeded for a while; the
    /// first that accepts is taken.
    asio::awaitable<Problem> connect()
    {
        stage_ = HttpStage::connect;
        connection_.reset();
        std::string refusals;
        auto next = steady_clock::now();
        while (!abandoned_) {
            for (auto racer = racers_.begin(); racer != racers_.end() && !connection_;) {
                auto const& result = (*racer)->result;
                if (!result) {
                    ++racer;
                    continue;
                }
                if (*result) {
                    refusals += refusals.empty() ? "" : ", ";
                    refusals += several_ ? (*racer)->address.to_string() + ": " + result->message() : result->message();
                    next = steady_clock::now();
                } else {
                    connection_ = std::make_unique<Connection>(std::move((*racer)->socket), server_->context);
                    taken_ = (*racer)->address;
                }
                racer = racers_.erase(racer);
            }
            if (connection_)
                break;
            if (racers_.empty() && untried_.empty())
                co_return hop() + " cannot be connected to: " + refusals;
            if (!untried_.empty() && (racers_.empty() || steady_clock::now() >= next)) {
                start_racer();
                next = steady_clock::now() + next_address_after;
            }
            race_news_.expires_at(untried_.empty() ? steady_clock::time_point::max() : next);
            error_code woken;
            co_await race_news_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        }

        error_code error;
        for (auto const& racer : racers_) {
            racer->socket.close(error);
            untried_.push_back(racer->address); // should the winner turn out to be no use
        }
        racers_.clear();
        if (abandoned_)
            co_return "abandoned";
        connection_->socket().non_blocking(true, error); // for is_silent()
        if (!error)
            connection_->socket().set_option(tcp::no_delay{true}, error);
        if (error)
            co_return hop() + " cannot be connected to: " + error.message();
        co_return std::nullopt;
    }

    void start_racer()
    {
        const auto racer = std::make_shared<Racer>(untried_.front(), server_->executor);
        untried_.pop_front();
        racers_.push_back(racer);
        const tcp::endpoint endpoint{racer->address, next_hop().port};
        racer->socket.async_connect(endpoint, [self = shared_from_this(), racer](error_code error) {
            racer->result = error;
            self->race_news_.cancel();
        });
    }

    asio::awaitable<Problem> tunnel()
    {
        stage_ = HttpStage::proxy;
        auto& transport = connection_->socket();
        const std::string request = "CONNECT " + there() + " HTTP/1.1\r\nHost: " + there() + "\r\n\r\n";
        error_code error;
        co_await asio::async_write(transport, asio::buffer(request), asio::redirect_error(asio::use_awaitable, error));

        beast::flat_buffer buffer{unread_bytes_max};
        http::response_parser<http::empty_body> parser;
        parser.header_limit(header_bytes_max);
        parser.skip(true); // there is no body, whatever the header says
        if (!error)
            co_await http::async_read_header(
                transport, buffer, parser, asio::redirect_error(asio::use_awaitable, error)
            );
        const std::string proxy = "the proxy " + next_hop().endpoint();
        if (is_end(error))
            co_return proxy + " closed the connection instead of connecting to " + there();
        if (is_http_error(error))
            co_return proxy + " answered with something else than HTTP when asked for " + there() + ": " +
                error.message();
        if (error)
            co_return proxy + " broke the connection when asked for " + there() + ": " + error.message();
        if (parser.get().result_int() != 200)
            co_return proxy + " refused to connect to " + there() + " with status " +
                std::to_string(parser.get().result_int());
        if (buffer.size() > 0)
            co_return proxy + " sent more than its answer when asked for " + there();
        co_return std::nullopt;
    }

    asio::awaitable<Problem> handshake()
    {
        stage_ = HttpStage::tls;
        auto& stream = connection_->stream;
        if (!expect_host(stream.native_handle(), server_->url.host))
            co_return "the name of " + there() + " cannot be verified";
        error_code error;
        co_await stream.async_handshake(ssl::stream_base::client, asio::redirect_error(asio::use_awaitable, error));
        if (!error) {
            if (server_->settings.certified_until)
                server_->settings.certified_until(end_of_certificate(stream.native_handle()));
            co_return std::nullopt;
        }
        const long verified = SSL_get_verify_result(stream.native_handle());
        if (verified != X509_V_OK)
            co_return "the certificate of " + there() +
                " is not to be trusted: " + X509_verify_cert_error_string(verified);
        if (is_end(error))
            co_return there() + " closed the connection in the TLS handshake";
        co_return "the TLS handshake with " + there() + " failed: " + error.message();
    }

    asio::awaitable<Answer> exchange()
    {
        auto& stream = connection_->stream;
        if (!connection_->is_silent()) {
            stage_ = HttpStage::answer;
            co_return tl::unexpected{failure(there() + " closed the connection, or answered, before it was asked")};
        }
        stage_ = HttpStage::exchange;
        http::request<http::string_body> request;
        request.method_string(request_.method);
        request.target(server_->url.prefix + request_.target);
        request.version(11);
        for (auto const& [name, value] : request_.headers)
            request.insert(name, value);
        request.set(http::field::host, server_->url.authority());
        request.body() = std::move(request_.body);
        request.prepare_payload();

        error_code error;
        sent_ = true;
        co_await http::async_write(stream, request, asio::redirect_error(asio::use_awaitable, error));
        if (error)
            co_return broken(error);

        beast::flat_buffer buffer{unread_bytes_max};
        for (int i = 0; i <= interim_answers_max; ++i) {
            http::response_parser<http::string_body> parser;
            parser.header_limit(header_bytes_max);
            parser.body_limit(body_bytes_max);
            parser.skip(request_.method == "HEAD");
            co_await http::async_read(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, error));
            if (error)
                co_return broken(error);
            if (parser.get().result_int() < 200)
                continue;
            reusable_ = parser.keep_alive() && buffer.size() == 0 && connection_->is_silent();
            HttpReply reply;
            reply.status = static_cast<int>(parser.get().result_int());
            for (auto const& field : parser.get())
                reply.headers.emplace_back(field.name_string(), field.value());
            reply.body = std::move(parser.get().body());
            co_return reply;
        }
        stage_ = HttpStage::answer;
        co_return tl::unexpected{failure(there() + " sent too many interim answers")};
    }

    Answer broken(error_code const& error)
    {
        if (is_end(error))
            return tl::unexpected{failure(there() + " closed the connection before its answer was complete")};
        if (!is_http_error(error))
            return tl::unexpected{failure("the connection to " + there() + " broke: " + error.message())};
        stage_ = HttpStage::answer;
        if (error == http::error::header_limit)
            return tl::unexpected{failure("the answer of " + there() + " has a header of more than 16 KiB")};
        if (error == http::error::body_limit)
            return tl::unexpected{failure("the answer of " + there() + " has a body of more than 256 KiB")};
        if (error == http::error::buffer_overflow)
            return tl::unexpected{failure("the answer of " + there() + " has more than 64 KiB around a chunk")};
        return tl::unexpected{failure("the answer of " + there() + " is not HTTP: " + error.message())};
    }

    std::string too_slow(std::chrono::milliseconds limit) const
    {
        std::string what;
        switch (stage_) {
        case HttpStage::resolve: what = "the look-up of " + next_hop().host + " for "; break;
        case HttpStage::connect: what = "the connection to " + next_hop().endpoint() + " for "; break;
        case HttpStage::proxy: what = "the proxy " + next_hop().endpoint() + " on the way to "; break;
        case HttpStage::tls: what = "the TLS handshake with "; break;
        case HttpStage::exchange:
        case HttpStage::answer: what = "the answer of "; break;
        }
        const bool is_of_one = several_ && (stage_ == HttpStage::proxy || stage_ == HttpStage::tls);
        return what + there() + (is_of_one ? " at " + taken_.to_string() : "") + " took longer than " + to_text(limit);
    }

    /// While it lives, a connection that says nothing is closed once its part of the time is over, so that the other
    /// addresses have theirs. The last one has all that is left.
    class Share {
    public:
        explicit Share(Attempt& attempt) : attempt_{attempt}, timer_{attempt.server_->executor}
        {
            if (attempt.untried_.empty())
                return;
            const auto left = attempt.begun_ + attempt.limit() - steady_clock::now();
            length_ = std::chrono::duration_cast<std::chrono::milliseconds>(left) /
                      static_cast<int>(attempt.untried_.size() + 1);
            timer_.expires_after(length_);
            timer_.async_wait([state = state_, self = attempt.shared_from_this()](error_code error) {
                if (error || state->is_ended)
                    return;
                state->is_over = true;
                error_code ignored;
                self->connection_->socket().close(ignored);
            });
        }
        Share(Share const&) = delete;
        Share& operator=(Share const&) = delete;
        ~Share() { state_->is_ended = true; } // and the timer's wait with it

        /// Whether that is why it failed.
        bool is_over() const { return state_->is_over; }
        std::chrono::milliseconds length() const { return length_; }

    private:
        struct State {
            bool is_over = false;
            bool is_ended = false;
        };
        Attempt& attempt_;
        std::shared_ptr<State> state_ = std::make_shared<State>();
        std::chrono::milliseconds length_{};
        asio::steady_timer timer_;
    };

    HttpFailure failure(std::string message, bool timed_out = false) const
    {
        return HttpFailure{stage_, timed_out, sent_, std::move(message)};
    }

    std::string there() const { return server_->url.endpoint(); }
    Url const& next_hop() const { return server_->proxy ? *server_->proxy : server_->url; }
    std::string hop() const
    {
        return server_->proxy ? "the proxy " + next_hop().endpoint() + " on the way to " + there() : there();
    }

    std::shared_ptr<Server> server_;
    HttpRequest request_;
    std::deque<asio::ip::address> untried_;
    bool several_ = false;    ///< Whether the host has more than one address.
    asio::ip::address taken_; ///< The one that `connection_` leads to.
    std::vector<std::shared_ptr<Racer>> racers_;
    asio::steady_timer race_news_; ///< Cancelled when one of them has arrived, or has failed.
    std::unique_ptr<Connection> connection_;
    bool connected_;
    HttpStage stage_ = HttpStage::resolve;
    bool sent_ = false;
    steady_clock::time_point begun_ = steady_clock::now();
    bool abandoned_ = false;
    bool reusable_ = false;
};

tl::expected<std::unique_ptr<BeastTransport>, std::string>
BeastTransport::create(asio::any_io_executor executor, TransportSettings settings)
{
    const auto server = std::make_shared<Server>(std::move(executor), std::move(settings));

    auto url = parse_url(server->settings.base_url);
    if (!url)
        return tl::unexpected{"base URL: " + url.error()};
    if (url->scheme != "https")
        return tl::unexpected{std::string{"base URL: expected a URL that starts with https://"}};
    server->url = std::move(*url);

    if (!server->settings.proxy.empty()) {
        auto proxy = parse_url(server->settings.proxy);
        if (!proxy)
            return tl::unexpected{"proxy: " + proxy.error()};
        if (proxy->scheme != "http" || !proxy->prefix.empty())
            return tl::unexpected{std::string{"proxy: expected a URL of the form http://host:port"}};
        server->proxy = std::move(*proxy);
    }
    const std::string next_hop = server->proxy ? server->proxy->host : server->url.host;
    server->next_hop.emplace(server->executor, next_hop, server->settings.look_up);

    if (SSL_CTX_set_min_proto_version(server->context.native_handle(), TLS1_2_VERSION) != 1)
        return tl::unexpected{std::string{"TLS 1.2 is not available"}};
    server->context.set_verify_mode(ssl::verify_peer);
    if (auto problem = trust(server->context, server->settings.ca_file))
        return tl::unexpected{std::move(*problem)};
    return std::unique_ptr<BeastTransport>{new BeastTransport{server}};
}

BeastTransport::BeastTransport(std::shared_ptr<Server> server) : server_{std::move(server)} {}

asio::awaitable<Answer> BeastTransport::send(HttpRequest request)
{
    const auto begun = steady_clock::now();
    const auto attempt = std::make_shared<Attempt>(server_, std::move(request));
    // However this ends: by an answer, by a deadline, or by an exception that is the caller's cancellation.
    struct Abandon {
        Attempt& attempt;
        ~Abandon() { attempt.abandon(); }
    };
    const Abandon at_the_end{*attempt};

    Attempt::start(attempt);
    while (!attempt->answer) {
        const auto deadline = begun + attempt->limit();
        if (steady_clock::now() >= deadline)
            co_return tl::unexpected{attempt->timeout()};
        attempt->news.expires_at(deadline);
        error_code ignored; // a cancelled wait is the attempt's end, or the caller's cancellation
        co_await attempt->news.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        const auto cancellation = co_await asio::this_coro::cancellation_state;
        if (!attempt->answer && cancellation.cancelled() != asio::cancellation_type::none)
            throw boost::system::system_error{asio::error::operation_aborted};
    }
    if (attempt->exception)
        std::rethrow_exception(attempt->exception);
    attempt->park_connection();
    co_return std::move(*attempt->answer);
}

} // namespace usher
