// SPDX-License-Identifier: Apache-2.0
#include <usher/provider/vendor.hpp>

#include <cstdint>
#include <deque>
#include <set>
#include <utility>

namespace usher {

namespace {

constexpr int pages_max = 100;                  // of the list of a session's connections
constexpr std::size_t connections_max = 20'000; // more than the vendor lets into a session

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
    return {
        host_, server_, std::string{signer_.project_key()}, now_(), std::move(authorization), signer_.shared_secret()};
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

/// Goes through the list of a session's connections, page by page, and ends one after the other.
class VendorProvider::SessionEmptier final : public Emptier {
public:
    SessionEmptier(VendorProvider& vendor, std::string session_id) : vendor_{vendor}, session_id_{std::move(session_id)}
    {}

    boost::asio::awaitable<DisconnectOutcome> go_on(SessionOrder order, std::function<bool()> turn) override;

private:
    /// What is to be done next.
    enum class Next : std::uint8_t { list, end, nothing };

    void begin_anew();
    /// Nothing when it went well.
    boost::asio::awaitable<std::optional<ProviderFailure>> list_page(std::string jwt);
    boost::asio::awaitable<std::optional<ProviderFailure>> end_next(std::string jwt);
    void read_on();
    bool is_endless() const { return ended_.size() >= connections_max || (next_ == Next::list && pages_ >= pages_max); }

    VendorProvider& vendor_;
    std::string session_id_;
    Next next_ = Next::list;
    std::set<std::string> ended_;    // or gone by themselves
    std::deque<std::string> to_end_; // of the page at hand
    std::size_t listed_ = 0;         // entries of that page,
    std::size_t stays_ = 0;          // and those behind which nobody is any more, if the vendor keeps them
    std::string body_;               // of that page,
    std::string last_body_;          // and of the one before
    std::size_t offset_ = 0;
    std::size_t ended_from_start_ = 0;
    std::size_t unusable_ = 0;
    std::size_t disconnected_ = 0;
    int pages_ = 0;
    std::optional<seconds> clock_ahead_;
};

boost::asio::awaitable<DisconnectOutcome>
VendorProvider::SessionEmptier::go_on(SessionOrder order, std::function<bool()> turn)
{
    DisconnectOutcome outcome{disconnected_};
    const auto give_up = [&outcome](FailureKind kind, std::string reason, std::string detail) {
        outcome.disconnected = tl::unexpected{ProviderFailure{kind, std::move(reason), std::move(detail)}};
    };
    if (!is_path_id(session_id_)) {
        give_up(FailureKind::permanent, "session_id_invalid", "the session's id is not one that may stand in a path");
        co_return outcome;
    }
    TokenEntropy entropy{order.entropy[0], order.entropy[1]}; // each request has a JWT of its own
    while (next_ != Next::nothing && !is_endless() && turn()) {
        ++entropy.low;
        const std::string jwt = vendor_.authorization(entropy);
        std::optional<ProviderFailure> failure;
        if (next_ == Next::list)
            failure = co_await list_page(jwt);
        else
            failure = co_await end_next(jwt);
        outcome.clock_ahead = clock_ahead_;
        if (failure) {
            begin_anew();
            outcome.disconnected = tl::unexpected{std::move(*failure)};
            co_return outcome;
        }
        read_on();
    }
    outcome.disconnected = disconnected_;
    if (is_endless() && next_ != Next::nothing) {
        outcome.is_endless = true;
        give_up(
            FailureKind::permanent, "provider_answer_invalid",
            vendor_.server_ + " lists connections without end; " + std::to_string(disconnected_) + " were ended"
        );
    } else if (next_ == Next::nothing && unusable_ > 0) {
        begin_anew();
        give_up(
            FailureKind::transient, "provider_answer_invalid",
            vendor_.server_ + " lists " + std::to_string(unusable_) +
                " connections with ids that may not stand in a path; they were left alone"
        );
    }
    co_return outcome;
}

/// After a failure: whoever came in or went meanwhile is seen then.
void VendorProvider::SessionEmptier::begin_anew()
{
    next_ = Next::list;
    ended_.clear();
    to_end_.clear();
    last_body_.clear();
    offset_ = ended_from_start_ = 0;
    pages_ = 0;
}

boost::asio::awaitable<std::optional<ProviderFailure>> VendorProvider::SessionEmptier::list_page(std::string jwt)
{
    ++pages_;
    HttpRequest list = list_request(vendor_.host_, vendor_.signer_.project_key(), session_id_, offset_, jwt);
    const auto listed = co_await vendor_.transport_->send(std::move(list));
    if (!listed)
        co_return failure_of(listed.error());
    const CallContext call = vendor_.context(std::move(jwt));
    clock_ahead_ = clock_ahead(*listed, call.now);
    auto page = read_connections(*listed, call);
    if (!page)
        co_return page.error();
    unusable_ = offset_ == 0 ? page->unusable : unusable_ + page->unusable;
    listed_ = stays_ = page->listed;
    body_ = listed->body;
    for (std::string& connection : page->connected)
        if (!ended_.contains(connection))
            to_end_.push_back(std::move(connection));
    co_return std::nullopt;
}

boost::asio::awaitable<std::optional<ProviderFailure>> VendorProvider::SessionEmptier::end_next(std::string jwt)
{
    std::string const& connection = to_end_.front();
    HttpRequest end = disconnect_request(vendor_.host_, vendor_.signer_.project_key(), session_id_, connection, jwt);
    const auto reply = co_await vendor_.transport_->send(std::move(end));
    if (!reply)
        co_return failure_of(reply.error());
    const bool is_gone = reply->status == 404; // by itself
    if (reply->status != 204 && reply->status != 200 && !is_gone)
        co_return refusal_of(*reply, vendor_.context(std::move(jwt)));
    disconnected_ += is_gone ? 0 : 1;
    --stays_;
    ended_.insert(std::move(to_end_.front()));
    to_end_.pop_front();
    co_return std::nullopt;
}

/// Decides what is next.
void VendorProvider::SessionEmptier::read_on()
{
    while (!to_end_.empty() && ended_.contains(to_end_.front())) // twice on one page
        to_end_.pop_front();
    next_ = Next::end;
    if (!to_end_.empty())
        return;
    const bool offset_is_ignored = offset_ > 0 && stays_ > 0 && body_ == last_body_;
    offset_ += stays_;
    last_body_ = body_;
    next_ = Next::list;
    if (listed_ > 0 && !offset_is_ignored)
        return;
    if (offset_ > 0 && ended_.size() > ended_from_start_) { // somebody may have come in where the list begins
        offset_ = 0;
        last_body_.clear();
        ended_from_start_ = ended_.size();
        return;
    }
    next_ = Next::nothing;
}

std::unique_ptr<Emptier> VendorProvider::emptier(std::string session_id)
{
    return std::make_unique<SessionEmptier>(*this, std::move(session_id));
}

} // namespace usher
