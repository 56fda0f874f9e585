// SPDX-License-Identifier: Apache-2.0
#include "printer.hpp"

#include <cstdlib>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "output.hpp"
#include "page.hpp"

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

TEST(Terminal, IsAbleUnlessItsKindSaysOtherwise)
{
    char const* const before = std::getenv("TERM");
    const std::string kept = before != nullptr ? before : "";
    for (auto const& [kind, able] :
         {std::pair{"xterm-256color", true}, {"linux", true}, {"dumb", false}, {"", false}}) {
        ::setenv("TERM", kind, 1);
        EXPECT_EQ(terminal_is_able(), able) << kind;
    }
    ::unsetenv("TERM");
    EXPECT_FALSE(terminal_is_able());
    if (before != nullptr)
        ::setenv("TERM", kept.c_str(), 1);
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
