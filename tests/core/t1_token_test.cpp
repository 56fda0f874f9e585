// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <usher/core/t1_token.hpp>
#include <usher/crypto/base64.hpp>

namespace usher {
namespace {

TEST(T1Token, encodes_as_node_does)
{
    T1Fields fields;
    fields.add("a", "AZaz09-_.!~*'()").add("b c", " +&=%\xc3\xa9\n").add("d", "");
    EXPECT_EQ(fields.text(), "a=AZaz09-_.!~*'()&b%20c=%20%2B%26%3D%25%C3%A9%0A&d=");
}

TEST(T1Token, encodes_every_byte_in_every_place_of_a_block)
{
    const auto encoded = [](std::string_view text) {
        std::string out;
        for (const char c : text) {
            const auto byte = static_cast<unsigned char>(c);
            if (c != '\0' && (std::isalnum(byte) != 0 || std::strchr("-_.!~*'()", c) != nullptr)) {
                out += c;
            } else {
                std::array<char, 4> escape{};
                std::snprintf(escape.data(), escape.size(), "%%%02X", unsigned{byte});
                out += escape.data();
            }
        }
        return out;
    };
    for (unsigned byte = 0; byte < 256; ++byte)
        for (const std::size_t size : {1U, 15U, 16U, 17U, 31U, 33U, 40U})
            for (const std::size_t at : {std::size_t{0}, size / 2, size - 1}) {
                std::string text(size, 'a');
                text[at] = static_cast<char>(byte);
                T1Fields fields;
                fields.add_value("n", text);
                ASSERT_EQ(fields.text(), "n=" + encoded(text)) << byte << ' ' << size << ' ' << at;
            }
}

TEST(T1Token, takes_more_than_the_buffer_holds_within)
{
    const std::string text(5000, '/');
    T1Fields fields;
    fields.add_plain("a", "1").add_value("b", text).add_plain("c", 2).add("d", text);
    std::string expected = "a=1&b=";
    for (std::size_t i = 0; i < text.size(); ++i)
        expected += "%2F";
    expected += "&c=2&d=" + expected.substr(6);

    EXPECT_EQ(fields.text(), expected);
}

TEST(T1Token, writes_numbers_of_every_length)
{
    std::vector<std::int64_t> numbers{INT64_MIN, -1, 0, INT64_MAX};
    std::int64_t power = 1;
    for (int digits = 1; digits < 19; ++digits, power *= 10)
        numbers.insert(numbers.end(), {power - 1, power, power + 1, -power});
    numbers.insert(numbers.end(), {1'234'567'890, 1'029'384'756'657'483, 9'999'999'999, 9'007'199'254'740'991});
    for (const std::int64_t number : numbers) {
        T1Fields fields;
        fields.add_plain("n", number);
        EXPECT_EQ(fields.text(), "n=" + std::to_string(number));
    }
}

TEST(T1Token, encodes_as_a_whole_whatever_the_length_of_its_head)
{
    for (std::string partner = "1"; partner.size() <= 6; partner += '2')
        for (const std::size_t size : {0U, 1U, 2U, 3U, 100U}) {
            T1Fields fields;
            if (size > 0)
                fields.add_plain("", std::string(size - 1, 'x'));
            const HmacKey key{Digest::sha1, "s"};
            const std::string data{fields.text()};
            const std::string inner = "partner_id=" + partner + "&sig=" + to_hex(key.sign(data)) + ":" + data;
            EXPECT_EQ(encode_t1(partner, key, fields), "T1==" + base64_encode(inner));
        }
}

TEST(T1Token, reads_fields)
{
    const T1FieldList whole = parse_t1_fields("a=1&&b&c=x=y&d=+%20%c3%A9&a=2");
    const std::vector<std::pair<std::string, std::string>> expected{
        {"a", "1"}, {"b", ""}, {"c", "x=y"}, {"d", "  \xc3\xa9"}, {"a", "2"}};
    EXPECT_EQ(whole.fields, expected);
    EXPECT_FALSE(whole.damaged);
    for (char const* const bad : {"a=%", "a=%4", "a=%g0", "a=%0g"}) {
        const T1FieldList cut = parse_t1_fields(bad);
        EXPECT_EQ(cut.fields.at(0).second, bad + 2);
        EXPECT_TRUE(cut.damaged);
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
