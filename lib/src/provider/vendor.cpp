// SPDX-License-Identifier: Apache-2.0
#include <usher/provider/vendor.hpp>

#include <set>
#include <utility>

namespace usher {

namespace {

constexpr int pages_max = 100; // of the list of a session's connections

} // namespace

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

CallContext VendorProvider::context(std::string authorization) const
{
    return {host_, server_, std::string{signer_.project_key()}, now_(), std::move(authorization)};
}

/// Nothing when a session may be asked for.
boost::asio::awaitable<std::optional<ProviderFailure>> VendorProvider::ask_the_time()
{
    HttpRequest request = time_request();
    const auto reply = co_await transport_->send(std::move(request));
    if (reply)
        co_return clock_failure(*reply, context({}));
    ProviderFailure failure = failure_of(reply.error());
    failure.kind = FailureKind::transient; // whether it arrived or not: nothing was asked for
    co_return failure;
}

boost::asio::awaitable<CreateOutcome> VendorProvider::create_session(SessionOrder order)
{
    if (auto refused = check_options(order.options)) {
        CreateOutcome outcome{tl::unexpected{std::move(*refused)}};
        co_return outcome;
    }
    if (clock_is_off_) {
        if (auto failure = co_await ask_the_time()) {
            CreateOutcome outcome{tl::unexpected{std::move(*failure)}};
            co_return outcome;
        }
        clock_is_off_ = false;
    }
    const TokenEntropy entropy{order.entropy[0], order.entropy[1]};
    const std::string jwt = authorization(entropy);
    HttpRequest request = create_request(host_, order.options, jwt);
    const auto reply = co_await transport_->send(std::move(request));
    if (!reply) {
        CreateOutcome outcome{tl::unexpected{failure_of(reply.error())}};
        co_return outcome;
    }
    const CallContext call = context(jwt);
    CreateOutcome outcome{read_created(*reply, call), clock_ahead(*reply, call.now)};
    clock_is_off_ = !outcome.session_id && outcome.session_id.error().made;
    co_return outcome;
}

boost::asio::awaitable<tl::expected<std::size_t, ProviderFailure>>
VendorProvider::disconnect(std::string_view session_id, std::string connection_id, TokenEntropy entropy)
{
    const std::string jwt = authorization(entropy);
    HttpRequest request = disconnect_request(host_, signer_.project_key(), session_id, connection_id, jwt);
    const auto reply = co_await transport_->send(std::move(request));
    if (!reply)
        co_return tl::unexpected{failure_of(reply.error())};
    if (reply->status == 204 || reply->status == 200)
        co_return 1U;
    if (reply->status == 404) // gone by itself
        co_return 0U;
    co_return tl::unexpected{refusal_of(*reply, context(jwt))};
}

boost::asio::awaitable<DisconnectOutcome>
VendorProvider::disconnect_all(std::string session_id, SessionOrder order, std::function<bool()> may_go_on)
{
    DisconnectOutcome outcome{std::size_t{0}};
    const auto give_up = [&outcome](FailureKind kind, std::string reason, std::string detail) {
        outcome.disconnected = tl::unexpected{ProviderFailure{kind, std::move(reason), std::move(detail)}};
    };
    if (!is_path_id(session_id)) {
        give_up(FailureKind::permanent, "session_id_invalid", "the session's id is not one that may stand in a path");
        co_return outcome;
    }
    TokenEntropy entropy{order.entropy[0], order.entropy[1]}; // each request has a JWT of its own
    std::set<std::string> asked;                              // to be disconnected
    std::size_t offset = 0;
    std::size_t asked_from_start = 0;
    std::size_t unusable = 0;
    std::size_t disconnected = 0;
    std::string last_body;
    for (int pages = 0; pages < pages_max; ++pages) {
        if (!may_go_on()) {
            outcome.disconnected = disconnected;
            co_return outcome;
        }
        ++entropy.low;
        const std::string jwt = authorization(entropy);
        HttpRequest list = list_request(host_, signer_.project_key(), session_id, offset, jwt);
        const auto listed = co_await transport_->send(std::move(list));
        if (!listed) {
            outcome.disconnected = tl::unexpected{failure_of(listed.error())};
            co_return outcome;
        }
        const CallContext call = context(jwt);
        outcome.clock_ahead = clock_ahead(*listed, call.now);
        const auto page = read_connections(*listed, call);
        if (!page) {
            outcome.disconnected = tl::unexpected{page.error()};
            co_return outcome;
        }
        unusable = offset == 0 ? page->unusable : unusable + page->unusable;
        std::size_t stays = page->listed; // entries behind which nobody is any more, if the vendor keeps them
        for (std::string const& connection : page->connected) {
            if (!asked.insert(connection).second)
                continue;
            if (!may_go_on()) {
                outcome.disconnected = disconnected;
                co_return outcome;
            }
            --stays;
            ++entropy.low;
            const auto ended = co_await disconnect(session_id, connection, entropy);
            if (!ended) {
                outcome.disconnected = tl::unexpected{ended.error()};
                co_return outcome;
            }
            disconnected += *ended;
        }
        const bool offset_is_ignored = offset > 0 && stays > 0 && listed->body == last_body;
        offset += stays;
        last_body = listed->body;
        if (page->listed > 0 && !offset_is_ignored)
            continue;
        if (offset > 0 && asked.size() > asked_from_start) { // somebody may have come in where the list begins
            offset = 0;
            last_body.clear();
            asked_from_start = asked.size();
            continue;
        }
        outcome.disconnected = disconnected;
        if (unusable > 0)
            give_up(
                FailureKind::transient, "provider_answer_invalid",
                server_ + " lists " + std::to_string(unusable) +
                    " connections with ids that may not stand in a path; they were left alone"
            );
        co_return outcome;
    }
    give_up(
        FailureKind::transient, "provider_answer_invalid",
        server_ + " lists connections without end; " + std::to_string(disconnected) + " were ended"
    );
    co_return outcome;
}

} // namespace usher
