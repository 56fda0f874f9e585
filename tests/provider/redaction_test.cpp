// SPDX-License-Identifier: Apache-2.0
#include <usher/provider/redaction.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <usher/crypto/base64.hpp>
#include <usher/crypto/hmac.hpp>

namespace usher {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string jwt =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiI0NzY2NTk3MSJ9.SflKxwRJSMeKKF2QT4fw-pMeJf36_k6yJV";

std::string with(std::string_view separator, std::size_t length)
{
    std::string out;
    for (std::size_t i = 0; i < jwt.size(); i += length)
        out.append(jwt.substr(i, length)).append(separator);
    return out;
}

std::string percent_encoded(std::string_view text, bool all)
{
    std::string out;
    for (const char c : text)
        out += all || c == '.' || c == '-' || c == '_' ? '%' + to_hex({&c, 1}) : std::string(1, c);
    return out;
}

std::string upper(std::string text)
{
    for (char& c : text)
        c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return text;
}

/// What is left of a text between two words that stay.
std::string left_of(std::string const& echo, std::string_view credential = jwt)
{
    const std::string cut = without_credential("token <" + echo + "> refused", credential);
    EXPECT_THAT(cut, testing::StartsWith("token <"));
    EXPECT_THAT(cut, testing::EndsWith("> refused"));
    return cut.substr(7, cut.size() - 16);
}

TEST(Redaction, LeavesNothingOfACredentialHoweverItIsWritten)
{
    EXPECT_EQ(left_of(jwt), "[credential]");
    EXPECT_EQ(left_of(upper(jwt)), "[credential]");
    EXPECT_EQ(left_of(percent_encoded(jwt, false)), "[credential]");
    EXPECT_EQ(left_of(percent_encoded(jwt, true)), "[credential]");
    EXPECT_EQ(left_of(percent_encoded(percent_encoded(jwt, true), true)), "[credential]");
    EXPECT_EQ(left_of(to_hex(jwt)), "[credential]");
    EXPECT_EQ(left_of(with("\n", 10) + "x").substr(0, 12), "[credential]");
    for (std::size_t length = 1; length < 20; ++length)
        EXPECT_EQ(left_of(jwt.substr(0, 1) + with(" ", length).substr(1)), "[credential] ") << length;
    for (char const* const before : {"", "B", "Be", "Bearer ", "X-OPENTOK-AUTH: "}) {
        EXPECT_EQ(left_of(base64_encode(before + jwt)), "[credential]") << before;
        EXPECT_EQ(left_of(percent_encoded(base64_encode(before + jwt), true)), "[credential]") << before;
    }
}

TEST(Redaction, CutsPartsOfEightLettersAndDigits)
{
    EXPECT_EQ(left_of("SflKxwRJ"), "[credential]");
    EXPECT_EQ(left_of("SflKxwR"), "SflKxwR");
    EXPECT_EQ(left_of("SflKxwRJ and 6yJV"), "[credential] and 6yJV");
}

TEST(Redaction, CutsHalfOfAShortOneToo)
{
    EXPECT_EQ(left_of("hunter2horse", "hunter2horse"), "[credential]");
    EXPECT_EQ(left_of("HUNTER-2", "hunter2horse"), "[credential]");
    EXPECT_EQ(left_of("esroh2retnuh", "hunter2horse"), "[credential]");
    EXPECT_EQ(left_of("hunts", "hunter2horse"), "hunts");
    EXPECT_EQ(left_of("abcd", "abcd"), "[credential]");
    EXPECT_EQ(left_of("abc", "abc"), "[credential]");
    EXPECT_EQ(left_of("abc", "abcd"), "abc");
    EXPECT_EQ(left_of("anything", "!?"), "anything");
}

TEST(Redaction, KnowsAnIdThatHoldsACredential)
{
    const std::string secret = "9e107d9d372bb6826bd81d3542a419d6e1a2b3c4";
    EXPECT_TRUE(holds_credential("1_" + base64_encode(secret), secret));
    EXPECT_TRUE(holds_credential("2_x-" + secret.substr(5, 8), secret));
    EXPECT_FALSE(holds_credential("2_x-" + secret.substr(5, 7), secret));
    EXPECT_TRUE(holds_credential("2_hunter2horse", "hunter2horse"));
    EXPECT_FALSE(holds_credential("2_hunter2", "hunter2horse")) << "a word may stand in an id";
    EXPECT_FALSE(holds_credential("2_x", ""));
}

TEST(Redaction, CutsWhateverElseLooksLikeAKey)
{
    EXPECT_EQ(left_of("0123456789abcdef0123456789abcdef01234567", ""), "[credential]"); // an API secret
    EXPECT_EQ(left_of("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7/+==", ""), "[credential]");
    EXPECT_EQ(left_of("a1234567890123456789", ""), "[credential]");
    EXPECT_EQ(left_of("a123456789012345678", ""), "a123456789012345678");
}

TEST(Redaction, KeepsWhatPeopleWrite)
{
    for (char const* const text :
         {"", "Invalid signature", "issued time cannot be greater than current time", "100 % of 5 %zz",
          "application 29f760f8-7ce1-46c9-ade3-f2dedee4ed5f, API key 47665971", "12345678901234567890",
          "https://developer.vonage.com/api-errors#unauthorized", "\xc3\xbc\xff"})
        EXPECT_EQ(without_credential(text, jwt), text);
}

TEST(Redaction, ReadsFourKibibytes)
{
    EXPECT_EQ(without_credential(std::string(100'000, ' '), jwt), std::string(4096, ' '));
}

} // namespace
} // namespace usher
