// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

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

TEST(Jwt, escapes_every_byte_in_every_place_of_a_block)
{
    for (unsigned byte = 0; byte < 128; ++byte)
        for (const std::size_t size : {1U, 15U, 16U, 17U, 31U, 33U, 40U})
            for (const std::size_t at : {std::size_t{0}, size / 2, size - 1}) {
                std::string text(size, 'a');
                text[at] = static_cast<char>(byte);
                JwtClaims claims;
                claims.add("n", text);
                ASSERT_EQ(claims.json(), (nlohmann::json{{"n", text}}.dump())) << byte << ' ' << size << ' ' << at;
            }
}

TEST(Jwt, takes_more_than_the_buffer_holds_within)
{
    const std::string text(5000, '\x01');
    JwtClaims claims;
    claims.add("a", text).add_plain("b", "x").add("c", text);

    EXPECT_EQ(claims.json(), (nlohmann::json{{"a", text}, {"b", "x"}, {"c", text}}.dump()));
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
