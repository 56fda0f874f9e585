// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include <gtest/gtest.h>

#include <usher/core/numbers.hpp>

namespace usher {
namespace {

TEST(Numbers, GroupsThousands)
{
    EXPECT_EQ(grouped(0), "0");
    EXPECT_EQ(grouped(999), "999");
    EXPECT_EQ(grouped(1000), "1,000");
    EXPECT_EQ(grouped(-999), "-999");
    EXPECT_EQ(grouped(-1000), "-1,000");
    EXPECT_EQ(grouped(1234567), "1,234,567");
    EXPECT_EQ(grouped(std::numeric_limits<std::int64_t>::min()), "-9,223,372,036,854,775,808");
}

TEST(Numbers, CountsOneAndMany)
{
    EXPECT_EQ(counted(0, "meeting"), "0 meetings");
    EXPECT_EQ(counted(1, "meeting"), "1 meeting");
    EXPECT_EQ(counted(2104, "token"), "2,104 tokens");
}

} // namespace
} // namespace usher
