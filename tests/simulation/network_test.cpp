// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <usher/core/token.hpp>
#include <usher/provider/vendor.hpp>

#include "simulation/network.hpp"

namespace usher::simulation {
namespace {

using namespace std::chrono_literals;

constexpr sys_seconds start{1'800'000'000s};

class SimulatedNetwork : public testing::Test {
protected:
    SimulatedNetwork() { network.vendor.add_opentok("123456", "secret"); }

    CreateOutcome create()
    {
        std::optional<CreateOutcome> outcome;
        SessionOrder order{{}, clock.now(), {1, 2, 3}};
        boost::asio::co_spawn(
            context, provider.create_session(std::move(order)),
            [&](std::exception_ptr const& error, CreateOutcome made) {
                EXPECT_EQ(error, nullptr);
                outcome = std::move(made);
            }
        );
        for (;;) {
            context.restart();
            context.poll();
            if (outcome)
                return *outcome;
            if (!clock.fire())
                clock.jump(clock.next().value());
        }
    }

    VirtualClock clock{start};
    Story story{clock, false};
    Network network{clock, story, 1};
    boost::asio::io_context context{1};
    VendorProvider provider{VendorHost::opentok,
                            "vendor.example",
                            *TokenSigner::for_api_key(TokenFormat::jwt, "123456", Secret{"secret"}),
                            seconds{10},
                            network.transport(),
                            [this] { return clock.now(); }};
};

TEST_F(SimulatedNetwork, ACallTakesTimeAndMakesASessionOfItsProject)
{
    const CreateOutcome made = create();

    ASSERT_TRUE(made.session_id);
    EXPECT_GT(clock.steady_now(), Instant{});
    EXPECT_LE(clock.steady_now() - Instant{}, 2 * network.latency_max);
    EXPECT_EQ(network.project_of(*made.session_id), "123456");
    EXPECT_EQ(network.project_of("another"), "");
}

TEST_F(SimulatedNetwork, ALateAnswerIsATimeoutAndTheSessionIsMade)
{
    network.late_in_a_hundred = 100;

    const CreateOutcome made = create();

    ASSERT_FALSE(made.session_id);
    EXPECT_EQ(made.session_id.error().reason, "provider_timeout");
    EXPECT_EQ(clock.steady_now() - Instant{}, 20s);
    EXPECT_EQ(network.vendor.sessions().size(), 1U);
    EXPECT_EQ(network.faults_met(), 1);
}

TEST_F(SimulatedNetwork, ARequestThatArrivesTwiceMakesTwoSessions)
{
    network.twice_in_a_hundred = 100;
    EXPECT_TRUE(create().session_id);
    EXPECT_EQ(network.vendor.sessions().size(), 2U);
}

TEST_F(SimulatedNetwork, WhatIsBeyondTheQuotaIsRefused)
{
    network.quota = 1;
    network.latency_max = 1ns;
    EXPECT_TRUE(create().session_id);
    const CreateOutcome second = create();
    ASSERT_FALSE(second.session_id);
    EXPECT_EQ(second.session_id.error().kind, FailureKind::quota);
    clock.charge(1s);
    EXPECT_TRUE(create().session_id);
}

} // namespace
} // namespace usher::simulation
