// SPDX-License-Identifier: Apache-2.0
#include <usher/core/printable.hpp>

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <usher/core/utf8.hpp>

namespace usher {
namespace {

using namespace std::string_view_literals;

TEST(Printable, ShowsWhatActsOnATerminalOrHidesText)
{
    EXPECT_EQ(printable("a\x1b[31mb\nc\r\t\x7f\0"sv), "a\\x1b[31mb\\x0ac\\x0d\\x09\\x7f\\x00");
    EXPECT_EQ(printable("\u0080\u009b\u009f"), "\\u{80}\\u{9b}\\u{9f}");
    EXPECT_EQ(
        printable("\u200b\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff\u00ad\u061c"),
        "\\u{200b}\\u{200f}\\u{2028}\\u{2029}\\u{202a}\\u{202e}\\u{2066}\\u{2069}\\u{feff}\\u{ad}\\u{061c}"
    );
    EXPECT_EQ(printable("\U000e0041"), "\\u{e0041}");
}

TEST(Printable, LeavesTextAsItIs)
{
    constexpr auto text = "Zoë's \"table\" \\ 会議 🎥 \u00a0\u200a\u2027\u202f\u205f\u2070";
    EXPECT_EQ(printable(text), text);
    EXPECT_EQ(printable(""), "");
    const std::string once = printable("\x1b\u202e\xff");
    EXPECT_EQ(printable(once), once);
}

TEST(Printable, ShowsBytesThatAreNotUtf8)
{
    EXPECT_EQ(
        printable("\xff"
                  "a\xc3"),
        "\\xffa\\xc3"
    );
    EXPECT_EQ(
        printable("\xed\xa0\x80"
                  "b"),
        "\\xed\\xa0\\x80"
        "b"
    ) << "a lone surrogate";
    EXPECT_EQ(printable("\xc0\x9b"), "\\xc0\\x9b") << "a long form";
    EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80") << "beyond U+10FFFF";
    EXPECT_EQ(printable("\xe2\x80"), "\\xe2\\x80");
}

TEST(Printable, EndsAtTheLimitAndWithinNoCharacter)
{
    EXPECT_EQ(printable(std::string(255, 'x')), std::string(255, 'x'));
    EXPECT_EQ(printable(std::string(256, 'x')), std::string(255, 'x') + "...");
    EXPECT_EQ(printable("aëb", 2), "a...");
    EXPECT_EQ(printable("aëb", 3), "aë...");
    EXPECT_EQ(printable("aëb", 4), "aëb");
    EXPECT_LE(printable(std::string(50'000'000, '\x1b')).size(), 4 * 255 + 3);
}

TEST(Printable, QuotesSoThatTheTextCannotEndTheQuotes)
{
    EXPECT_EQ(in_quotes("a \"b\""), R"("a \"b\"")");
    EXPECT_EQ(in_quotes("line\nbreak"), R"("line\x0abreak")");
    EXPECT_EQ(in_quotes(std::string(65, 'x')), '"' + std::string(64, 'x') + "...\"");
}

TEST(Printable, KeepsWhatAJsonDocumentSays)
{
    const nlohmann::json document{{"id", "a\x1b\u009b\u202e\ufeff\x7f\nZoë\U000e0041"}};
    const std::string text = printable_json(document.dump(2) + '\n');
    EXPECT_EQ(nlohmann::json::parse(text), document);
    EXPECT_EQ(text, "{\n  \"id\": \"a\\u001b\\u009b\\u202e\\ufeff\\u007f\\nZoë\\udb40\\udc41\"\n}\n");
    EXPECT_EQ(nlohmann::json::parse(printable_json("\"a\xff\"")), "a\ufffd");
}

TEST(Utf8, CountsCharacters)
{
    EXPECT_EQ(count_characters("aë会🎥"), 4U);
    EXPECT_EQ(count_characters(""), 0U);
}

} // namespace
} // namespace usher
