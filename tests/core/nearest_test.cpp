// SPDX-License-Identifier: Apache-2.0
#include <usher/core/nearest.hpp>

#include <array>
#include <string>

#include <gtest/gtest.h>

namespace usher {
namespace {

TEST(Nearest, FindsWhatWasProbablyMeant)
{
    constexpr std::array<std::string_view, 3> known{"status", "rotate", "replace-session"};
    EXPECT_EQ(nearest("statsu", known), "status");
    EXPECT_EQ(nearest("status", known), "status");
    EXPECT_EQ(nearest("replace_sesion", known), "replace-session");
    EXPECT_EQ(nearest("decode", known), std::nullopt);
    EXPECT_EQ(nearest(std::string(1'000'000, 's'), known), std::nullopt);
    EXPECT_EQ(nearest("status", {}), std::nullopt);
}

} // namespace
} // namespace usher
