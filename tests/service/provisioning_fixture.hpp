// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "world.hpp"

namespace usher::test {

constexpr std::int64_t minute = 60;
constexpr std::int64_t hour = 3600;
constexpr std::int64_t day = 24 * hour;

class Provisioning : public testing::Test, protected World {
protected:
    /// A meeting in half an hour, of an hour, with two people, provisioned.
    void ready_meeting()
    {
        meeting(30 * minute, 90 * minute);
        participant("ann");
        participant("bob", "subscriber");
        settle();
        ASSERT_EQ(credentials().size(), 2U);
    }
};

} // namespace usher::test
