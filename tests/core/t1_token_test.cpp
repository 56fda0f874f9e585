// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <usher/core/t1_token.hpp>

namespace usher {
namespace {

TEST(T1Token, encodes_as_node_does)
{
    T1Fields fields;
    fields.add("a", "AZaz09-_.!~*'()").add("b c", " +&=%\xc3\xa9\n").add("d", "");
    EXPECT_EQ(fields.text(), "a=AZaz09-_.!~*'()&b%20c=%20%2B%26%3D%25%C3%A9%0A&d=");
}

TEST(T1Token, reads_fields)
{
    bool damaged = false;
    const auto fields = parse_t1_fields("a=1&&b&c=x=y&d=+%20%c3%A9&a=2", damaged);
    const std::vector<std::pair<std::string, std::string>> expected{
        {"a", "1"}, {"b", ""}, {"c", "x=y"}, {"d", "  \xc3\xa9"}, {"a", "2"}};
    EXPECT_EQ(fields, expected);
    EXPECT_FALSE(damaged);
    for (char const* const bad : {"a=%", "a=%4", "a=%g0", "a=%0g"}) {
        damaged = false;
        EXPECT_EQ(parse_t1_fields(bad, damaged).at(0).second, bad + 2);
        EXPECT_TRUE(damaged);
    }
}

TEST(T1Token, reads_either_alphabet)
{
    T1Fields fields;
    fields.add("d", "~~~???").add("e", "~>~");
    std::string token = encode_t1("1", HmacKey{Digest::sha1, "s"}, fields);
    const std::string data = split_t1(token).value().data;
    for (char& c : token)
        if (&c - token.data() >= 4)
            c = c == '+' ? '-' : c == '/' ? '_' : c;
    while (token.ends_with('='))
        token.pop_back();
    EXPECT_EQ(split_t1(token).value().data, data);
}

} // namespace
} // namespace usher
