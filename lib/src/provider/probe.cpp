// SPDX-License-Identifier: Apache-2.0
#include <usher/provider/probe.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <usher/provider/beast_transport.hpp>
#include <usher/provider/kind.hpp>

namespace usher {

namespace {

sys_seconds current_time()
{
    return std::chrono::floor<seconds>(std::chrono::system_clock::now());
}

Probed failed(std::string detail)
{
    Probed probed;
    probed.failure.emplace();
    probed.failure->kind = FailureKind::permanent;
    probed.failure->detail = std::move(detail);
    return probed;
}

} // namespace

std::optional<Probed>
probe(ProviderDeclaration const& kind, Settings const& settings, TokenSigner const& signer, seconds clock_skew)
{
    if (!kind.disconnects)
        return std::nullopt;
    boost::asio::io_context context{1};
    std::optional<sys_seconds> certified_until;
    const ProviderDoors doors{current_time, [&](TransportSettings transport) {
                                  transport.certified_until = [&](sys_seconds end) { certified_until = end; };
                                  return BeastTransport::create(context.get_executor(), std::move(transport));
                              }};
    const auto provider = kind_of(kind).make(settings, signer, clock_skew, doors);
    if (!provider)
        return failed(provider.error());
    std::random_device random;
    const auto draw = [&random] { return (std::uint64_t{random()} << 32U) | random(); };
    SessionOrder order;
    order.at = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    order.entropy = {draw(), draw(), draw()};
    const std::string nobodys = "usher-asks-" + std::to_string(draw());
    DisconnectOutcome outcome;
    std::exception_ptr error;
    // One request, which changes nothing: whoever is listed is left alone.
    int asked = 0;
    const std::unique_ptr<Emptier> emptier = (*provider)->emptier(nobodys);
    boost::asio::co_spawn(
        context, emptier->go_on(order, [&asked] { return ++asked == 1; }),
        [&](std::exception_ptr thrown, DisconnectOutcome ended) {
            error = std::move(thrown);
            outcome = std::move(ended);
        }
    );
    context.run();
    if (error)
        std::rethrow_exception(error);
    Probed probed;
    probed.clock_ahead = outcome.clock_ahead;
    probed.certified_until = certified_until;
    if (!outcome.disconnected)
        probed.failure = outcome.disconnected.error();
    else if (asked > 1)
        probed.failure = ProviderFailure{
            FailureKind::permanent, "provider_answer_invalid",
            "the vendor lists people in a session that was never made; is base_url that of the vendor?"};
    return probed;
}

} // namespace usher
