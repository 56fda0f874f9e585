// SPDX-License-Identifier: Apache-2.0
#include "vendor/server.hpp"

#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

#include <usher/async/task_group.hpp>

#include "vendor/certificates.hpp"
#include "vendor/control.hpp"

namespace usher::vendor {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace ssl = boost::asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::uint64_t body_bytes_max = 1024 * 1024;
constexpr std::size_t tunnel_buffer_bytes = 16 * 1024;

tcp::endpoint loopback(std::uint16_t port)
{
    return {asio::ip::address_v4::loopback(), port};
}

Instant system_now()
{
    return std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
}

/// Closes with RST, as a host that crashed does, instead of with FIN.
void reset(tcp::socket& socket)
{
    error_code ignored;
    socket.set_option(tcp::socket::linger{true, 0}, ignored);
    socket.close(ignored);
}

HttpRequest plain(http::request<http::string_body> const& message)
{
    HttpRequest request;
    request.method = std::string{message.method_string()};
    request.target = std::string{message.target()};
    for (auto const& field : message)
        request.headers.emplace_back(std::string{field.name_string()}, std::string{field.value()});
    request.body = message.body();
    return request;
}

/// The reply as it goes over the wire. Not Beast's own: half a body must come with the length of the whole.
std::string wire_text(Outcome const& outcome, bool keep_alive)
{
    constexpr int no_content = 204;
    HttpReply const& reply = outcome.reply;
    const auto reason = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(reply.status)));
    std::string text = "HTTP/1.1 " + std::to_string(reply.status) + " " + std::string{reason} + "\r\n";
    for (auto const& [name, value] : reply.headers)
        text += name + ": " + value + "\r\n";
    if (reply.status != no_content)
        text += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
    text += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
    return text + reply.body.substr(0, outcome.truncate ? reply.body.size() / 2 : reply.body.size());
}

ssl::context context_of(Identity const& identity)
{
    ssl::context context{ssl::context::tls_server};
    context.set_options(ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1);
    context.use_certificate_chain(asio::buffer(identity.certificate_pem));
    context.use_private_key(asio::buffer(identity.key_pem), ssl::context::pem);
    return context;
}

} // namespace

class VendorServer::Impl {
public:
    Impl(asio::io_context& context, ServerSettings settings);

    void stop();
    bool busy() const { return tasks_.running() > 0; }
    void run_one()
    {
        context_.restart();
        context_.run_one();
    }

    Vendor vendor;
    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    std::uint16_t proxy_port() const { return proxy_acceptor_.local_endpoint().port(); }
    std::filesystem::path ca_file() const { return settings_.directory / "ca.pem"; }

private:
    using Handler = asio::awaitable<void> (Impl::*)(std::shared_ptr<tcp::socket>);

    asio::awaitable<void> accept(tcp::acceptor& acceptor, Handler handler);
    asio::awaitable<void> guard(std::shared_ptr<tcp::socket> socket, Handler handler);
    asio::awaitable<void> serve(std::shared_ptr<tcp::socket> socket);
    asio::awaitable<void> tunnel(std::shared_ptr<tcp::socket> client);
    asio::awaitable<void> copy(std::shared_ptr<tcp::socket> from, std::shared_ptr<tcp::socket> to);
    Outcome answer(HttpRequest const& request);

    asio::io_context& context_;
    ServerSettings settings_;
    std::mt19937_64 entropy_{std::random_device{}()};
    std::map<Certificate, ssl::context> tls_;
    tcp::acceptor acceptor_;
    tcp::acceptor proxy_acceptor_;
    std::set<std::shared_ptr<tcp::socket>> open_;
    TaskGroup tasks_;
};

VendorServer::Impl::Impl(asio::io_context& context, ServerSettings settings)
    : vendor{settings.seed},
      context_{context},
      settings_{std::move(settings)},
      acceptor_{context, loopback(settings_.port)},
      proxy_acceptor_{context, loopback(0)},
      tasks_{context.get_executor(), [](std::string const& task, std::exception_ptr error) {
                 try {
                     std::rethrow_exception(error);
                 } catch (std::exception const& exception) {
                     std::cerr << "usher-vendor: " << task << ": " << exception.what() << '\n';
                 }
             }}
{
    if (!settings_.now)
        settings_.now = &system_now;
    const Certificates certificates = make_certificates(std::chrono::floor<seconds>(system_now()));
    for (auto const& [kind, identity] : certificates.servers)
        tls_.emplace(kind, context_of(identity));
    std::ofstream file{ca_file()};
    file << certificates.ca_pem;
    if (!file.flush())
        throw std::runtime_error{ca_file().string() + " cannot be written"};

    tasks_.spawn("server", accept(acceptor_, &Impl::serve));
    tasks_.spawn("proxy", accept(proxy_acceptor_, &Impl::tunnel));
}

void VendorServer::Impl::stop()
{
    error_code ignored;
    acceptor_.close(ignored);
    proxy_acceptor_.close(ignored);
    for (auto const& socket : open_)
        socket->close(ignored);
    tasks_.request_stop();
}

asio::awaitable<void> VendorServer::Impl::accept(tcp::acceptor& acceptor, Handler handler)
{
    while (acceptor.is_open()) {
        error_code error;
        tcp::socket socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
        if (!error && acceptor.is_open()) // one may have been accepted just before stop()
            tasks_.spawn("connection", guard(std::make_shared<tcp::socket>(std::move(socket)), handler));
    }
}

/// Has stop() close the connection while it is being handled.
asio::awaitable<void> VendorServer::Impl::guard(std::shared_ptr<tcp::socket> socket, Handler handler)
{
    open_.insert(socket);
    std::exception_ptr failure;
    try {
        co_await (this->*handler)(socket);
    } catch (...) {
        failure = std::current_exception();
    }
    open_.erase(socket);
    if (failure)
        std::rethrow_exception(failure);
}

Outcome VendorServer::Impl::answer(HttpRequest const& request)
{
    if (!request.target.starts_with(control_prefix))
        return vendor.handle(request, settings_.now(), entropy_());
    Outcome outcome;
    outcome.reply = control(vendor, request, settings_.now());
    return outcome;
}

asio::awaitable<void> VendorServer::Impl::serve(std::shared_ptr<tcp::socket> socket)
{
    if (vendor.refuses_connection()) {
        reset(*socket);
        co_return;
    }
    error_code error;
    ssl::stream<tcp::socket&> stream{*socket, tls_.at(vendor.behaviour.certificate)};
    co_await stream.async_handshake(ssl::stream_base::server, asio::redirect_error(asio::use_awaitable, error));
    if (error)
        co_return;

    beast::flat_buffer buffer;
    bool keep_alive = true;
    while (keep_alive) {
        http::request_parser<http::string_body> parser;
        parser.body_limit(body_bytes_max);
        co_await http::async_read(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, error));
        if (error)
            co_return;
        keep_alive = parser.get().keep_alive();

        const HttpRequest request = plain(parser.get());
        const Outcome outcome = answer(request);
        if (outcome.delay.count() > 0) {
            asio::steady_timer timer{context_, outcome.delay};
            co_await timer.async_wait(asio::use_awaitable);
        }
        if (outcome.reset != Reset::none) {
            reset(*socket);
            co_return;
        }
        const std::string text = wire_text(outcome, keep_alive);
        co_await asio::async_write(stream, asio::buffer(text), asio::redirect_error(asio::use_awaitable, error));
        if (error || outcome.truncate)
            co_return;
    }
    co_await stream.async_shutdown(asio::redirect_error(asio::use_awaitable, error));
}

asio::awaitable<void> VendorServer::Impl::tunnel(std::shared_ptr<tcp::socket> client)
{
    error_code error;
    beast::flat_buffer buffer;
    http::request_parser<http::empty_body> parser;
    co_await http::async_read_header(*client, buffer, parser, asio::redirect_error(asio::use_awaitable, error));
    if (error)
        co_return;

    std::string answer = "HTTP/1.1 200 Connection established\r\n\r\n";
    auto const& head = parser.get();
    if (head.method() != http::verb::connect)
        answer = "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    else if (!vendor.admits_tunnel(std::string{head.target()}))
        answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const bool admitted = answer.starts_with("HTTP/1.1 200");

    const auto server = std::make_shared<tcp::socket>(context_);
    if (admitted)
        co_await server->async_connect(loopback(port()), asio::redirect_error(asio::use_awaitable, error));
    if (!error)
        co_await asio::async_write(*client, asio::buffer(answer), asio::redirect_error(asio::use_awaitable, error));
    if (error || !admitted)
        co_return;
    const auto early = buffer.data(); // clients may send on before they have read the answer
    co_await asio::async_write(*server, early, asio::redirect_error(asio::use_awaitable, error));
    if (error)
        co_return;

    open_.insert(server);
    tasks_.spawn("tunnel", copy(server, client));
    co_await copy(client, server);
    open_.erase(server);
}

/// Until `from` ends; how it ended is passed on to `to`.
asio::awaitable<void> VendorServer::Impl::copy(std::shared_ptr<tcp::socket> from, std::shared_ptr<tcp::socket> to)
{
    error_code error;
    std::vector<char> bytes(tunnel_buffer_bytes);
    for (;;) {
        const std::size_t size =
            co_await from->async_read_some(asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, error));
        if (error)
            break;
        co_await asio::async_write(*to, asio::buffer(bytes, size), asio::redirect_error(asio::use_awaitable, error));
        if (error)
            break;
    }
    error_code ignored;
    if (error == asio::error::eof)
        to->shutdown(tcp::socket::shutdown_send, ignored);
    else
        reset(*to);
}

VendorServer::VendorServer(asio::io_context& context, ServerSettings settings)
    : impl_{std::make_unique<Impl>(context, std::move(settings))}
{}

VendorServer::~VendorServer()
{
    stop();
    while (impl_->busy())
        impl_->run_one();
}

void VendorServer::stop()
{
    impl_->stop();
}

Vendor& VendorServer::model()
{
    return impl_->vendor;
}

std::uint16_t VendorServer::port() const
{
    return impl_->port();
}

std::uint16_t VendorServer::proxy_port() const
{
    return impl_->proxy_port();
}

std::string VendorServer::url() const
{
    return "https://127.0.0.1:" + std::to_string(port());
}

std::string VendorServer::proxy_url() const
{
    return "http://127.0.0.1:" + std::to_string(proxy_port());
}

std::filesystem::path VendorServer::ca_file() const
{
    return impl_->ca_file();
}

} // namespace usher::vendor
