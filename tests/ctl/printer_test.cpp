// SPDX-License-Identifier: Apache-2.0
#include "printer.hpp"

#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "output.hpp"

namespace usher::ctl {
namespace {

const std::string hostile = "a\nb\x1b[2J\u009b\u202e\xff";
constexpr auto shown = "a\\x0ab\\x1b[2J\\u{9b}\\u{202e}\\xff";

TEST(Printer, PrintsLiteralsAsTheyAreAndAllElseOnItsLine)
{
    std::ostringstream stream;
    Printer out{stream};
    char const* const pointer = hostile.c_str(); // such as an exception's text
    out << "one\n" << hostile << '\n' << std::string_view{hostile} << '\n' << pointer << '\x1b' << '\n' << 42 << '\n';
    EXPECT_EQ(stream.str(), std::string{"one\n"} + shown + "\n" + shown + "\n" + shown + "\\x1b\n42\n");
}

TEST(Printer, BoundsWhatItPrintsAndKeepsTheLongestToken)
{
    std::ostringstream stream;
    Printer out{stream};
    out << std::string(50'000'000, 'x');
    EXPECT_EQ(stream.str(), std::string(16384, 'x') + "...");
}

TEST(Printer, KeepsTheLinesOfATextOfItsOwn)
{
    std::ostringstream stream;
    Printer{stream}.lines("one\n\ntwo\x1b\nthree");
    EXPECT_EQ(stream.str(), "one\n\ntwo\\x1b\nthree\n");
}

TEST(Printer, PrintsJsonThatSaysTheSameAndIsHarmless)
{
    std::ostringstream stream;
    Printer out{stream};
    print(out, Json{{"id", hostile}});
    EXPECT_EQ(Json::parse(stream.str()).at("id"), "a\nb\x1b[2J\u009b\u202e\ufffd");
    for (const std::string raw : {"\x1b", "\u009b", "\u202e"})
        EXPECT_EQ(stream.str().find(raw), std::string::npos);
}

} // namespace
} // namespace usher::ctl
