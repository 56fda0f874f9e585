// SPDX-License-Identifier: Apache-2.0
// The one file with Beast's server side, which takes seconds to compile.
#include "http_server.hpp"

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <list>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <usher/async/task_group.hpp>
#include <usher/store/process.hpp>

namespace usher {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using Stream = beast::basic_stream<asio::generic::stream_protocol>;
using namespace std::chrono_literals;

constexpr std::size_t connections_max = 16;
constexpr std::uint32_t header_bytes_max = 16 * 1024;
constexpr int backlog = 16;
constexpr auto patience = 10s;    // with a request, or with a reader
constexpr auto accept_again = 1s; // after a failure that others cause, such as too few descriptors

std::string why(ListenAddress const& address, int error)
{
    std::string text = "status.listen: " + to_text(address) + ": " + describe_errno(error);
    if (error == EADDRINUSE)
        text += "; another program listens there: name another port, or 'off'";
    else if (error == EADDRNOTAVAIL)
        text += "; this machine has no such address";
    return text;
}

/// Of what a peer sends that is no request, or none that is served here.
boost::system::error_category const& http_errors()
{
    static const error_code any{http::error::bad_method};
    return any.category();
}

/// Removes a socket that nobody serves; anything else at the path stays. Errors: runtime_error when it is in the way.
void remove_dead_socket(std::string const& path)
{
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0)
        return;
    if (!S_ISSOCK(status.st_mode))
        throw std::runtime_error{
            "status.listen: " + path + ": is there, and is no socket; name another path, or remove it"};
    if (!is_served({.socket = path, .ip = {}}))
        ::unlink(path.c_str());
}

/// The socket that a process has bound to a path, whatever others do to the path later.
class BoundPath {
public:
    /// Opens the socket to the group. Errors: system_error; also when something else is there by now.
    explicit BoundPath(std::string path) : path_{std::move(path)}
    {
        const int descriptor = ::open(path_.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
        const std::string opened = "/proc/self/fd/" + std::to_string(descriptor);
        const bool done = descriptor >= 0 && ::fstat(descriptor, &status_) == 0 && S_ISSOCK(status_.st_mode) &&
                          ::chmod(opened.c_str(), S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP) == 0;
        const int error = errno;
        if (descriptor >= 0)
            ::close(descriptor);
        if (!done)
            throw boost::system::system_error{error_code{
                descriptor >= 0 && !S_ISSOCK(status_.st_mode) ? EADDRINUSE : error, boost::system::system_category()}};
    }
    BoundPath(BoundPath const&) = delete;
    BoundPath& operator=(BoundPath const&) = delete;
    ~BoundPath()
    {
        struct stat status {};
        if (::lstat(path_.c_str(), &status) == 0 && status.st_ino == status_.st_ino && status.st_dev == status_.st_dev)
            ::unlink(path_.c_str());
    }

private:
    std::string path_;
    struct stat status_ {};
};

} // namespace

struct HttpServer::Impl {
    using Tcp = asio::ip::tcp;
    using Local = asio::local::stream_protocol;

    Impl(asio::any_io_executor on, ListenAddress address, Answer with)
        : executor{on},
          where{std::move(address)},
          answer{std::move(with)},
          connections{on, [](std::string const&, std::exception_ptr) {}} // its peer sees that it ended
    {}

    void listen_on_port()
    {
        Tcp::acceptor& acceptor = tcp.emplace(executor);
        const Tcp::endpoint endpoint{asio::ip::make_address(where.ip), where.port};
        acceptor.open(endpoint.protocol());
        acceptor.set_option(Tcp::acceptor::reuse_address{true});
        acceptor.bind(endpoint);
        acceptor.listen(backlog);
    }

    void listen_on_socket()
    {
        remove_dead_socket(where.socket);
        Local::acceptor& acceptor = local.emplace(executor);
        acceptor.open();
        acceptor.bind(Local::endpoint{where.socket});
        bound.emplace(where.socket);
        acceptor.listen(backlog);
    }

    asio::any_io_executor executor;
    ListenAddress where;
    Answer answer;
    std::optional<Tcp::acceptor> tcp;
    std::optional<Local::acceptor> local;
    std::optional<BoundPath> bound; // removed at the end
    std::list<Stream*> waiting;     // for a request, the longest first
    TaskGroup connections;

    template <class Acceptor>
    asio::awaitable<void> accept(Acceptor& acceptor)
    {
        asio::steady_timer pause{executor};
        for (;;) {
            asio::generic::stream_protocol::socket socket{executor};
            error_code error;
            co_await acceptor.async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
            if (error == asio::error::operation_aborted) {
                connections.request_stop();
                co_return;
            }
            const bool room = connections.running() < connections_max || end_idle();
            if (!error && room)
                connections.spawn("connection", talk(std::move(socket)));
            if (!error)
                continue; // without room it is closed
            pause.expires_after(accept_again);
            co_await pause.async_wait(asio::use_awaitable);
        }
    }

    /// Ends the connection that has waited longest for a request. False where none waits.
    bool end_idle()
    {
        if (waiting.empty())
            return false;
        waiting.front()->cancel();
        waiting.pop_front();
        return true;
    }

    asio::awaitable<void> talk(asio::generic::stream_protocol::socket socket)
    {
        Stream stream{std::move(socket)};
        struct Waiting { // while it lives
            std::list<Stream*>& all;
            Stream* self;
            ~Waiting() { all.remove(self); }
        };
        beast::flat_buffer buffer{header_bytes_max};
        for (bool more = true; more;) {
            http::request_parser<http::empty_body> parser;
            parser.header_limit(header_bytes_max);
            stream.expires_after(patience);
            error_code error;
            {
                waiting.push_back(&stream);
                const Waiting here{waiting, &stream};
                co_await http::async_read(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, error));
            }
            const bool is_no_request = error != http::error::end_of_stream && error.category() == http_errors();
            if (error && !is_no_request)
                co_return; // its peer went away, or was too slow
            PageRequest asked = read(parser.get());
            more = !error;
            if (error == http::error::header_limit || error == http::error::buffer_overflow)
                asked.fault = 431;
            else if (error && error != http::error::unexpected_body && error != http::error::body_limit)
                asked.fault = 400;
            PageResponse answered = answer(asked);
            http::response<http::string_body> response{
                static_cast<http::status>(answered.status), parser.get().version()};
            for (auto const& [name, value] : answered.headers)
                response.set(name, value);
            response.body() = std::move(answered.body);
            more = more && parser.get().keep_alive();
            response.keep_alive(more);
            if (parser.get().method() == http::verb::head) {
                response.content_length(response.body().size());
                response.body().clear();
            } else if (answered.status != 304) {
                response.prepare_payload();
            }
            http::response_serializer<http::string_body> serializer{response};
            stream.expires_after(patience);
            co_await http::async_write(stream, serializer, asio::redirect_error(asio::use_awaitable, error));
            if (error)
                co_return;
        }
        error_code ignored;
        stream.socket().shutdown(asio::socket_base::shutdown_send, ignored);
    }

    static PageRequest read(http::request<http::empty_body> const& request)
    {
        const auto header = [&](http::field name) {
            const auto value = request[name];
            return std::string{value.data(), value.size()};
        };
        PageRequest asked;
        if (const auto [first, last] = request.equal_range(http::field::host); std::distance(first, last) > 1)
            asked.fault = 400; // somebody on the way may have looked at the other one
        asked.method.assign(request.method_string().data(), request.method_string().size());
        asked.target.assign(request.target().data(), request.target().size());
        asked.host = header(http::field::host);
        asked.origin = header(http::field::origin);
        asked.if_none_match = header(http::field::if_none_match);
        return asked;
    }
};

HttpServer::HttpServer(asio::any_io_executor executor, ListenAddress const& address, Answer answer)
    : impl_{std::make_unique<Impl>(std::move(executor), address, std::move(answer))}
{
    try {
        if (address.is_socket())
            impl_->listen_on_socket();
        else
            impl_->listen_on_port();
    } catch (boost::system::system_error const& error) {
        throw std::runtime_error{why(address, error.code().value())};
    }
}

HttpServer::~HttpServer() = default;

asio::awaitable<void> HttpServer::serve()
{
    if (impl_->local)
        co_await impl_->accept(*impl_->local);
    else
        co_await impl_->accept(*impl_->tcp);
}

} // namespace usher
