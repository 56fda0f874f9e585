// SPDX-License-Identifier: Apache-2.0
#include "simulation/network.hpp"

#include <array>
#include <string_view>
#include <utility>

namespace usher::simulation {

namespace {

using namespace std::chrono_literals;

constexpr auto patience = 20s; // of the caller, as usherd's default

HttpFailure broken(HttpStage stage, bool timed_out, bool sent, std::string message)
{
    return {stage, timed_out, sent, std::move(message)};
}

constexpr std::array answers{
    OddAnswer{"request-timeout", 408, ""},
    OddAnswer{"payment-required", 402, R"({"message":"The account has no credit"})"},
    OddAnswer{"bad-request", 400, R"({"message":"Bad Request"})"},
    OddAnswer{"not-found", 404, "<html><h1>Not Found</h1></html>"},
    OddAnswer{"moved", 302, ""},
    OddAnswer{"accepted", 202, R"({"title":"Accepted"})"},
    OddAnswer{"nothing", 200, ""},
    OddAnswer{"text", 200, "OK"},
    OddAnswer{"object", 200, "{}"},
    OddAnswer{"another-project", 200, R"([{"session_id":"1_MX45OTk5OTl-fjE4MDAwMDAwMDAwMDB-YWJjZGVmZ2hpamtsfn5-"}])"},
    OddAnswer{"odd-id", 200, R"([{"session_id":"../room"}])"},
    OddAnswer{"too-late", 403, R"({"message":"The token has expired"})"},
    OddAnswer{"from-the-future", 403, R"({"message":"issued time cannot be greater than current time"})"},
    OddAnswer{"bad-signature", 403, R"([{"message":"Invalid signature"}])"},
    OddAnswer{"unknown-issuer", 403, R"({"title":"Unauthorized","detail":"Issuer not found"})"},
    OddAnswer{"other-credentials", 401, "<error><message>No suitable authentication found</message></error>"},
    OddAnswer{"suspended", 403, R"(<error message="The account is suspended"/>)"},
};

} // namespace

std::span<OddAnswer const> odd_answers()
{
    return answers;
}

class Network::Wire final : public HttpTransport {
public:
    explicit Wire(Network& network) : network_{network} {}

    boost::asio::awaitable<tl::expected<HttpReply, HttpFailure>> send(HttpRequest request) override
    {
        if (network_.on_disconnect && request.method == "GET")
            if (const std::string session = session_of(request.target); !session.empty())
                network_.on_disconnect(session);
        if (network_.on_call)
            network_.on_call();
        tl::expected<HttpReply, HttpFailure> answer = co_await exchange(std::move(request));
        if (!answer || answer->status >= 300)
            ++network_.calls_failed_;
        co_return answer;
    }

private:
    /// Of `/v2/project/KEY/session/ID/connection`.
    static std::string session_of(std::string_view target)
    {
        constexpr std::string_view before = "/session/";
        constexpr std::string_view after = "/connection";
        const std::size_t from = target.find(before);
        const std::size_t to = target.find(after);
        if (from == std::string_view::npos || to == std::string_view::npos)
            return {};
        return std::string{target.substr(from + before.size(), to - from - before.size())};
    }

    boost::asio::awaitable<tl::expected<HttpReply, HttpFailure>> exchange(HttpRequest request)
    {
        Network& net = network_;
        const Duration there{net.dice_.below(net.latency_max.count())};
        const Duration back{net.dice_.below(net.latency_max.count())};
        co_await net.clock_.wait(there);
        if (net.way_is_broken) {
            const HttpStage stage =
                net.dice_.some({HttpStage::resolve, HttpStage::proxy, HttpStage::tls, HttpStage::answer});
            net.note_fault("a call fails on its way");
            co_return tl::unexpected{
                broken(stage, false, stage == HttpStage::answer, "the way to the vendor is broken")};
        }
        if (net.vendor.refuses_connection()) {
            net.note_fault("the vendor refuses the connection");
            co_return tl::unexpected{broken(HttpStage::connect, false, false, "the connection was refused")};
        }
        if (!net.odd.empty()) {
            const OddAnswer answer = net.odd.front();
            net.odd.pop_front();
            const bool is_opentok = request.headers.front().first == "X-OPENTOK-AUTH";
            if (!is_opentok && answer.status == 200) // the ids of the other platform name no project
                co_return co_await exchange(std::move(request));
            net.note_fault(std::string{"an odd answer comes back: "} + answer.name);
            HttpReply reply;
            reply.status = answer.status;
            reply.body = answer.body;
            co_await net.clock_.wait(back);
            co_return reply;
        }
        if (net.is_beyond_quota())
            net.vendor.behaviour.next.push_front(vendor::fault_of(vendor::FaultKind::too_many));
        const auto now = std::chrono::floor<std::chrono::milliseconds>(net.clock_.true_time());
        const vendor::Outcome outcome = net.vendor.handle(request, now, net.dice_.next());
        const vendor::FaultKind fault = net.vendor.requests().back().fault;
        if (fault != vendor::FaultKind::none)
            net.note_fault("the vendor answers with " + std::string{to_text(fault)});
        if (net.dice_.percent(net.twice_in_a_hundred)) {
            net.note_fault("the vendor gets the request twice");
            net.vendor.handle(request, now, net.dice_.next());
        }
        net.story_.add_to_hash(request.target);
        const bool is_late = net.dice_.percent(net.late_in_a_hundred);
        if (is_late || outcome.delay + there > patience) {
            net.note_fault("the answer of the vendor comes too late");
            co_await net.clock_.wait(patience - there);
            co_return tl::unexpected{broken(HttpStage::exchange, true, true, "no answer within 20s")};
        }
        co_await net.clock_.wait(outcome.delay + back);
        if (outcome.reset != vendor::Reset::none || outcome.truncate)
            co_return tl::unexpected{broken(HttpStage::exchange, false, true, "the connection broke")};
        co_return outcome.reply;
    }

    Network& network_;
};

Network::Network(VirtualClock& clock, Story& story, std::uint64_t seed)
    : vendor{seed}, clock_{clock}, story_{story}, dice_{seed}
{}

std::shared_ptr<HttpTransport> Network::transport()
{
    return std::make_shared<Wire>(*this);
}

bool Network::is_beyond_quota()
{
    const std::int64_t second = unix_seconds(clock_.true_now());
    if (std::exchange(second_, second) != second)
        in_second_ = 0;
    return ++in_second_ > quota;
}

void Network::note_fault(std::string const& text)
{
    ++faults_met_;
    story_.tell(text);
}

std::string Network::project_of(std::string const& session_id)
{
    for (; sessions_seen_ < vendor.sessions().size(); ++sessions_seen_) {
        vendor::SessionRecord const& record = vendor.sessions()[sessions_seen_];
        made_.emplace(record.id, record.project_key);
    }
    const auto found = made_.find(session_id);
    return found == made_.end() ? std::string{} : found->second;
}

} // namespace usher::simulation
