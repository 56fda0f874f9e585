// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <usher/core/session_id.hpp>
#include <usher/crypto/base64.hpp>

namespace usher {
namespace {

TEST(SessionId, names_its_project)
{
    EXPECT_EQ(project_key_of("1_" + base64url_encode("1~123~~0~x~")), "123");
    EXPECT_EQ(project_key_of("2_" + base64url_encode("1~123~")), "123");
}

TEST(SessionId, others_name_none)
{
    for (auto const& id :
         {std::string{}, std::string{"1_"}, std::string{"1_*"}, "3_" + base64url_encode("1~123~"),
          "1_" + base64url_encode("1~123"), "1_" + base64url_encode("1~~"), "1_" + base64url_encode("2~123~")})
        EXPECT_FALSE(project_key_of(id)) << id;
}

} // namespace
} // namespace usher
