// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <usher/crypto/hmac.hpp>

#include "store/sqlite/companions.hpp"

namespace usher {
namespace {

/// A release that sealed differently would take every session in a database for somebody else's. The value was
/// computed with Python's hmac.
TEST(Seal, OfASessionStays)
{
    const SessionRow session{SessionNo{9}, "1_MX40NzY2NTk3MX5-", "opentok",
                             "acme",       "47665971",           to_text(SessionOptions{})};

    const Seal seal{"key of 32 bytes, all of them here"};

    EXPECT_EQ(to_hex(seal.of("db-1", "meeting 17", session, 1'800'000'000)), "15a6785e51d5df265134291fb8f320b6");
}

} // namespace
} // namespace usher
