// SPDX-License-Identifier: Apache-2.0
#include <usher/core/printable.hpp>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <ios>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <usher/core/utf8.hpp>

namespace usher {
namespace {

using namespace std::string_view_literals;

/// Of a character beyond ASCII.
std::string utf8(char32_t code)
{
    const auto tail = [&](int shift) { return static_cast<char>(0x80U | (code >> shift & 0x3fU)); };
    if (code < 0x800)
        return {static_cast<char>(0xc0U | code >> 6U), tail(0)};
    if (code < 0x10000)
        return {static_cast<char>(0xe0U | code >> 12U), tail(6), tail(0)};
    return {static_cast<char>(0xf0U | code >> 18U), tail(12), tail(6), tail(0)};
}

TEST(ShownId, IsInQuotesWhereItWouldNotBeSeen)
{
    for (auto const& [id, shown] : std::vector<std::pair<std::string, std::string>>{
             {"a b", "a b"}, {"", "\"\""}, {" ", "\" \""}, {"a ", "\"a \""}, {" a", "\" a\""}, {"\x1b", "\\x1b"}})
        EXPECT_EQ(shown_id(id), shown);
}

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

TEST(Printable, ShowsAllThatLooksLikeNothing)
{
    // Unicode 15, DerivedCoreProperties.txt: Default_Ignorable_Code_Point; and U+2800, which is a blank.
    constexpr std::array<std::pair<char32_t, char32_t>, 18> ignorable{
        {{0xad, 0xad},
         {0x34f, 0x34f},
         {0x61c, 0x61c},
         {0x115f, 0x1160},
         {0x17b4, 0x17b5},
         {0x180b, 0x180f},
         {0x200b, 0x200f},
         {0x202a, 0x202e},
         {0x2060, 0x206f},
         {0x2800, 0x2800},
         {0x3164, 0x3164},
         {0xfe00, 0xfe0f},
         {0xfeff, 0xfeff},
         {0xffa0, 0xffa0},
         {0xfff0, 0xfff8},
         {0x1bca0, 0x1bca3},
         {0x1d173, 0x1d17a},
         {0xe0000, 0xe0fff}}};
    for (auto const& [first, last] : ignorable)
        for (char32_t code = first; code <= last; ++code)
            EXPECT_NE(printable(utf8(code)), utf8(code)) << std::hex << std::uint32_t{code};
    for (const char32_t code :
         std::initializer_list<char32_t>{0xac,   0xae,   0x34e,   0x350,   0x115e,  0x1161,  0x17b3,  0x17b6, 0x180a,
                                         0x1810, 0x27ff, 0x2801,  0x3163,  0x3165,  0xfdff,  0xfe10,  0xff9f, 0xffa1,
                                         0xffef, 0xfffc, 0x1bc9f, 0x1bca4, 0x1d172, 0x1d17b, 0xdffff, 0xe1000})
        EXPECT_EQ(printable(utf8(code)), utf8(code)) << std::hex << std::uint32_t{code};
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

TEST(Printable, QuotesAValueThatCouldPassForAnother)
{
    constexpr std::size_t longest = 10;
    for (char const* const plain : {"m1", "a-b_c/d:e", "~", "10:30Z"})
        EXPECT_EQ(quoted_value(plain, longest), plain);
    EXPECT_EQ(quoted_value("", longest), R"("")");
    EXPECT_EQ(quoted_value("a b", longest), R"("a b")");
    EXPECT_EQ(quoted_value("a=b", longest), R"("a=b")");
    EXPECT_EQ(quoted_value(R"(a"b)", longest), R"("a\"b")");
    EXPECT_EQ(quoted_value(R"(a\)", longest), R"("a\\")");
    EXPECT_EQ(quoted_value("a\nb", longest), R"("a\x0ab")");
    EXPECT_EQ(quoted_value("\xc3\xab", longest), "\"\xc3\xab\"");
    EXPECT_EQ(quoted_value("0123456789", longest), "0123456789");
    EXPECT_EQ(quoted_value("0123456789a", longest), R"("0123456789...")");
}

TEST(Printable, QuotesWhatAShellWouldActOn)
{
    EXPECT_EQ(shell_word("/var/lib/usher/board-2026_05.db"), "/var/lib/usher/board-2026_05.db");
    EXPECT_EQ(shell_word("Zoë"), "Zoë");
    EXPECT_EQ(shell_word(""), "''");
    EXPECT_EQ(shell_word("$(touch x)"), "'$(touch x)'");
    EXPECT_EQ(shell_word("it's"), R"('it'\''s')");
    for (const std::string text : {"a b", "a;b", "a&b", "~", "*", "`a`", "a|b", "a>b", "#a", "a\\b", "!a", "{a", "[a]"})
        EXPECT_EQ(shell_word(text), "'" + text + "'");
    EXPECT_EQ(shell_word("a\x1b"), R"('a\x1b')");
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
