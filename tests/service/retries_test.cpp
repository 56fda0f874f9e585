// SPDX-License-Identifier: Apache-2.0
// How long usher leaves a vendor alone that refuses, by what the vendor sees.
#include <vector>

#include <usher/core/backoff.hpp>

#include "live_world.hpp"

namespace usher {
namespace {

using namespace test;
using vendor::FaultKind;

class Retries : public LiveWorld, public testing::Test {
protected:
    std::vector<seconds> pauses() const
    {
        std::vector<seconds> result;
        auto const& requests = vendor.requests();
        for (std::size_t i = 1; i < requests.size(); ++i)
            result.push_back(std::chrono::floor<seconds>(requests[i].time - requests[i - 1].time));
        return result;
    }
};

TEST_F(Retries, OfOneMeetingComeNoEarlierThanTheirBackOff)
{
    vendor.behaviour.chance = 1;
    vendor.behaviour.by_chance = {vendor::fault_of(FaultKind::server_error)};
    meetings(1, 20 * 3600); // opens long after all of this

    pass_time(20min);

    // The circuit opens at the fifth failure, and is then what asks; until then it is the meeting's own.
    const std::vector<seconds> paused = pauses();
    ASSERT_GE(paused.size(), 30U);
    for (int failures = 1; failures <= 4; ++failures)
        EXPECT_GE(paused.at(static_cast<std::size_t>(failures - 1)), backoff(failures, 2s, 900s, "m0")) << failures;
    for (int openings = 1; openings < 20; ++openings)
        EXPECT_GE(paused.at(static_cast<std::size_t>(openings + 3)), backoff(openings, 1s, 30s, "default")) << openings;
}

TEST_F(Retries, OfARefusalAreSeldom)
{
    vendor.behaviour.chance = 1;
    vendor.behaviour.by_chance = {vendor::fault_of(FaultKind::server_error)};
    meetings(4, 20 * 3600);

    pass_time(20min);

    // One probe each half a minute at most, at 15 s on average.
    EXPECT_LT(vendor.requests().size(), 1200U / 10U);
    EXPECT_GT(vendor.requests().size(), 1200U / 30U);
}

TEST_F(Retries, ComeWhenTheVendorSays)
{
    vendor::Fault pause = vendor::fault_of(FaultKind::too_many);
    pause.retry_after = 600s;
    vendor.behaviour.chance = 1;
    vendor.behaviour.by_chance = {pause};
    meetings(12, 20 * 3600);
    quiesce();
    const std::size_t at_once = vendor.requests().size(); // were under way together

    pass_time(90min);

    auto const& requests = vendor.requests();
    for (std::size_t i = at_once; i < requests.size(); ++i)
        EXPECT_GE(requests[i].time - requests[i - 1].time, 600s) << i;
    EXPECT_GE(requests.size() - at_once, 7U);
}

} // namespace
} // namespace usher
