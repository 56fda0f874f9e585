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

TEST(SessionId, of_a_project_is_known_by_its_beginning)
{
    for (std::string const& key : {std::string{"1"}, std::string{"12"}, std::string{"123"}, std::string{"47665971"}}) {
        const SessionIdStart start{key};
        const auto is_in = [&](std::string const& decoded) { return start.is_in("2_" + base64url_encode(decoded)); };
        EXPECT_TRUE(is_in("1~" + key + "~"));
        EXPECT_TRUE(is_in("1~" + key + "~~0~x~"));
        EXPECT_TRUE(start.is_in("1_" + base64url_encode("1~" + key + "~~0~x~") + "*"));
        EXPECT_FALSE(is_in("1~" + key));
        EXPECT_FALSE(is_in("1~" + key + "0~"));
        EXPECT_FALSE(is_in("1~" + key + "\x7f~")); // differs from `~` in its lowest bit
        EXPECT_FALSE(is_in("1~0" + key + "~"));
        EXPECT_FALSE(is_in("2~" + key + "~"));
        EXPECT_FALSE(start.is_in("3_" + base64url_encode("1~" + key + "~")));
        EXPECT_FALSE(start.is_in("1_"));
        EXPECT_FALSE(start.is_in(""));
    }
}

} // namespace
} // namespace usher
