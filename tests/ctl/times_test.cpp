// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <ctime>
#include <sstream>

#include <gtest/gtest.h>

#include "output.hpp"
#include "page.hpp"
#include "times.hpp"

namespace usher::ctl {
namespace {

using namespace std::chrono_literals;

constexpr sys_seconds now = std::chrono::sys_days{std::chrono::year{2026} / 3 / 2} + 9h + 20min;

TEST(Times, SecondsUnlessZeroTheDateUnlessToday)
{
    const Times times{now, false};
    EXPECT_EQ(times.relative(now + 1h + 40min), "11:00 UTC (in 1h 40m)");
    EXPECT_EQ(times.relative(now + 10s), "09:20:10 UTC (in 10s)");
    EXPECT_EQ(times.relative(now), "09:20 UTC (now)");
    EXPECT_EQ(times.relative(now - 26h), "2026-03-01 07:20 UTC (1d 2h ago)");
    EXPECT_EQ(times.at(now + 14h + 39min + 59s), "23:59:59 UTC");
    EXPECT_EQ(times.at(now + 14h + 40min), "2026-03-03 00:00 UTC");
    EXPECT_EQ(times.with_date(now), "2026-03-02 09:20 UTC");
    EXPECT_EQ(times.bare(now), "09:20");
    EXPECT_EQ(times.since(now - 81min), "1h 21m");
    EXPECT_EQ(times.since(now + 1s), "0s") << "the clock was set back";
    EXPECT_EQ(times.at(sys_seconds{400'000'000'000s}), "@400000000000") << "no date has four digits for it";
}

TEST(Times, UnderstandsWhatPeopleType)
{
    const Times times{now, false};
    EXPECT_EQ(times.parse("now"), now);
    EXPECT_EQ(times.parse("+3h"), now + 3h);
    EXPECT_EQ(times.parse("16:20"), now + 7h);
    EXPECT_EQ(times.parse("08:20:01"), now - 1h + 1s);
    EXPECT_EQ(times.parse("2026-03-03 09:20"), now + 24h);
    EXPECT_EQ(times.parse("2026-03-03T09:20"), now + 24h);
    EXPECT_EQ(times.parse("2026-03-02T11:20+01:00"), now + 1h);
    for (char const* const text : {"", "soon", "24:00", "16", "+", "+3", "-3h", "2026-03-02", "2026-02-30 10:00"})
        EXPECT_FALSE(times.parse(text)) << text;
}

TEST(Times, LocalTimesHaveTheirOffset)
{
    char const* const before = std::getenv("TZ");
    const std::string kept = before != nullptr ? before : "";
    ::setenv("TZ", "XXX-05:30", 1);
    ::tzset();
    const Times times{now, true};
    EXPECT_EQ(times.relative(now + 1h), "15:50 +05:30 (in 1h)");
    EXPECT_EQ(times.at(now + 10h), "2026-03-03 00:50 +05:30");
    ::setenv("TZ", "XXX+3", 1);
    ::tzset();
    EXPECT_EQ(times.at(now), "06:20 -03:00");
    EXPECT_EQ(Times(now, true).parse("06:20"), now);
    EXPECT_EQ(Times(now, true).parse("2026-03-02 06:20"), now);
    before != nullptr ? ::setenv("TZ", kept.c_str(), 1) : ::unsetenv("TZ");
    ::tzset();
}

std::string printed(std::size_t width, std::string const& label, std::string const& text)
{
    std::ostringstream out;
    Printer printer{out};
    Page page{printer, width, false};
    page.line(label, text);
    return out.str();
}

TEST(Page, WrapsBetweenWordsAndKeepsIdsWhole)
{
    const std::string text = "one two three four five six seven eight nine ten eleven twelve";
    EXPECT_EQ(printed(0, "note", text), "note       " + text + "\n");
    EXPECT_EQ(
        printed(60, "note", text), "note       one two three four five six seven eight nine ten\n"
                                   "  eleven twelve\n"
    );
    const std::string id(100, 'x');
    EXPECT_EQ(printed(60, "note", "a " + whole(id) + " b"), "note       a\n  " + id + "\n  b\n");
    EXPECT_EQ(
        printed(60, "x", whole(std::string(30, 'a') + " " + std::string(30, 'b'))),
        "x          " + std::string(30, 'a') + " " + std::string(30, 'b') + "\n"
    );
}

TEST(Page, ControlsAreShown)
{
    EXPECT_EQ(printed(80, "note", whole("a\x1b[2Jb\nc")), "note       a\\x1b[2Jb\\x0ac\n");
}

TEST(Page, TheVerdictHasAColourOnATerminal)
{
    std::ostringstream out;
    Printer printer{out};
    Page{printer, 80, true}.verdict(Verdict::failing, "Failing: x.");
    EXPECT_EQ(out.str(), "\x1b[31mFailing: x.\n\x1b[0m");
}

} // namespace
} // namespace usher::ctl
