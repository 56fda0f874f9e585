// SPDX-License-Identifier: Apache-2.0
#include <usher/provider/vendor.hpp>

#include <utility>

namespace usher {

VendorProvider::VendorProvider(
    VendorHost host, std::string server, TokenSigner signer, seconds clock_skew,
    std::shared_ptr<HttpTransport> transport, std::function<sys_seconds()> now
)
    : host_{host},
      server_{std::move(server)},
      signer_{std::move(signer)},
      clock_skew_{clock_skew},
      transport_{std::move(transport)},
      now_{std::move(now)}
{}

std::string VendorProvider::authorization(TokenEntropy entropy) const
{
    return signer_.sign_request(now_(), clock_skew_, entropy);
}

CallContext VendorProvider::context() const
{
    return {host_, server_, std::string{signer_.project_key()}, now_()};
}

boost::asio::awaitable<CreateOutcome> VendorProvider::create_session(SessionOrder order)
{
    if (auto refused = check_options(order.options)) {
        CreateOutcome outcome{tl::unexpected{std::move(*refused)}};
        co_return outcome;
    }
    const TokenEntropy entropy{order.entropy[0], order.entropy[1]};
    HttpRequest request = create_request(host_, order.options, authorization(entropy));
    const auto reply = co_await transport_->send(std::move(request));
    if (!reply) {
        CreateOutcome outcome{tl::unexpected{failure_of(reply.error())}};
        co_return outcome;
    }
    const CallContext call = context();
    CreateOutcome outcome{read_created(*reply, call), clock_ahead(*reply, call.now)};
    co_return outcome;
}

boost::asio::awaitable<DisconnectOutcome> VendorProvider::disconnect_all(std::string session_id, SessionOrder order)
{
    TokenEntropy entropy{order.entropy[0], order.entropy[1]};
    HttpRequest list = list_request(host_, signer_.project_key(), session_id, authorization(entropy));
    const auto listed = co_await transport_->send(std::move(list));
    if (!listed) {
        DisconnectOutcome outcome{tl::unexpected{failure_of(listed.error())}};
        co_return outcome;
    }
    CallContext call = context();
    const auto connections = read_connections(*listed, call);
    DisconnectOutcome outcome{std::size_t{0}, clock_ahead(*listed, call.now)};
    if (!connections) {
        outcome.disconnected = tl::unexpected{connections.error()};
        co_return outcome;
    }
    for (std::string const& connection : *connections) {
        ++entropy.low; // each request has a JWT of its own
        HttpRequest remove =
            disconnect_request(host_, signer_.project_key(), session_id, connection, authorization(entropy));
        const auto removed = co_await transport_->send(std::move(remove));
        call = context();
        if (!removed) {
            outcome.disconnected = tl::unexpected{failure_of(removed.error())};
            co_return outcome;
        }
        if (removed->status == 204 || removed->status == 200)
            ++*outcome.disconnected;
        else if (removed->status != 404) { // gone by itself
            outcome.disconnected = tl::unexpected{refusal_of(*removed, call)};
            co_return outcome;
        }
    }
    co_return outcome;
}

} // namespace usher
