// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <usher/core/jwt.hpp>

namespace usher {
namespace {

TEST(Jwt, writes_as_json_stringify_does)
{
    JwtClaims claims;
    EXPECT_EQ(claims.json(), "{}");
    claims.add("a", "\"\\/\b\f\n\r\t\x01\x1f\x7f\xe2\x80\xa8").add("n", -5).add_json("j", "[]");
    EXPECT_EQ(claims.json(), "{\"a\":\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xe2\x80\xa8\",\"n\":-5,\"j\":[]}");
}

TEST(Jwt, splits_what_it_joins)
{
    const std::string token = join_jwt(jwt_signing_input("{}", "{\"a\":1}"), "xyz");
    EXPECT_EQ(token, "e30.eyJhIjoxfQ.eHl6");
    const auto parts = split_jwt(token).value();
    EXPECT_EQ(parts.header_json, "{}");
    EXPECT_EQ(parts.payload_json, "{\"a\":1}");
    EXPECT_EQ(parts.signing_input, "e30.eyJhIjoxfQ");
    EXPECT_EQ(parts.signature, "eHl6");
    EXPECT_FALSE(split_jwt("e30.e30"));
}

} // namespace
} // namespace usher
