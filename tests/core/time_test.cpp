// SPDX-License-Identifier: Apache-2.0
#include <usher/core/time.hpp>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace usher {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr auto longest = std::numeric_limits<std::int64_t>::max();
constexpr auto shortest = std::numeric_limits<std::int64_t>::min();

TEST(Time, WritesIso8601)
{
    EXPECT_EQ(to_iso8601(from_unix(0)), "1970-01-01T00:00:00Z");
    EXPECT_EQ(to_iso8601(from_unix(-1)), "1969-12-31T23:59:59Z");
    EXPECT_EQ(to_iso8601(from_unix(1612602000)), "2021-02-06T09:00:00Z");
    EXPECT_EQ(to_iso8601(from_unix(1709164799)), "2024-02-28T23:59:59Z");
    EXPECT_EQ(to_iso8601(from_unix(1709164800)), "2024-02-29T00:00:00Z");
    EXPECT_EQ(to_iso8601(from_unix(-62167219200)), "0000-01-01T00:00:00Z");
    EXPECT_EQ(to_iso8601(from_unix(253402300799)), "9999-12-31T23:59:59Z");
}

TEST(Time, WritesSecondsWhereTheCalendarHasNoFourDigits)
{
    EXPECT_EQ(to_iso8601(from_unix(253402300800)), "@253402300800");
    EXPECT_EQ(to_iso8601(from_unix(-62167219201)), "@-62167219201");
    EXPECT_EQ(to_iso8601(from_unix(longest)), "@9223372036854775807");
    EXPECT_EQ(to_iso8601(from_unix(shortest)), "@-9223372036854775808");
}

TEST(Time, ReadsIso8601)
{
    for (auto const* const text :
         {"2021-02-06T09:00:00Z", "2021-02-06T09:00Z", "2021-02-06t09:00:00z", "2021-02-06 09:00:00Z",
          "2021-02-06T10:00+01:00", "2021-02-06T10:00+0100", "2021-02-06T10:00+01", "2021-02-06T04:30:00-04:30",
          "2021-02-05T23:00-10:00", "2021-02-06T09:00:00.000Z", "2021-02-06T09:00:00,0Z"}) {
        const auto instant = parse_iso8601(text);
        ASSERT_TRUE(instant) << text << ": " << instant.error().message;
        EXPECT_EQ(unix_seconds(*instant), 1612602000) << text;
    }
    EXPECT_EQ(unix_seconds(*parse_iso8601("2024-02-29T00:00Z")), 1709164800);
    EXPECT_EQ(unix_seconds(*parse_iso8601("9999-12-31T23:59:59Z")), 253402300799);
    EXPECT_EQ(unix_seconds(*parse_iso8601("0000-01-01T00:00:00Z")), -62167219200);
}

TEST(Time, RefusesWhatIsNoTime)
{
    for (auto const* const text :
         {"",
          "now",
          "2021-02-06",
          "2021-02-06T",
          "2021-02-06T09Z",
          "2021-02-06T24:00Z",
          "2021-02-06T09:60Z",
          "2021-02-06T09:00:60Z",
          "2021-02-06T09:00:00.Z",
          "2021-02-06T09:00.5Z",
          "2021-02-30T09:00Z",
          "2023-02-29T09:00Z",
          "2021-00-01T09:00Z",
          "2021-13-01T09:00Z",
          "2021-01-00T09:00Z",
          "2021-2-6T09:00Z",
          "21-02-06T09:00Z",
          "12021-02-06T09:00Z",
          "-2021-02-06T09:00Z",
          "2021-02-06T09:00+24:00",
          "2021-02-06T09:00+01:60",
          "2021-02-06T09:00+01:",
          "2021-02-06T09:00+1",
          "2021-02-06T09:00ZZ",
          "2021-02-06T09:00Z ",
          " 2021-02-06T09:00Z",
          "2021-02-06T09:00 UTC",
          "1612602000",
          "2021/02/06T09:00Z"}) {
        const auto instant = parse_iso8601(text);
        ASSERT_FALSE(instant) << text;
        EXPECT_EQ(instant.error().code, Errc::bad_time) << text;
    }
}

TEST(Time, SaysWhatIsWrong)
{
    for (auto const& [text, reason] : std::vector<std::pair<std::string, std::string>>{
             {"2027-02-29T09:00:00Z", "there is no day 29 in 2027-02"},
             {"2026-04-31T09:00:00Z", "there is no day 31 in 2026-04"},
             {"2026-04-00T09:00:00Z", "there is no day 00 in 2026-04"},
             {"2026-13-01T09:00:00Z", "there is no month 13"},
             {"2026-00-01T09:00:00Z", "there is no month 00"},
             {"2026-03-02T24:00:00Z", "there is no hour 24"},
             {"2026-03-02T09:60Z", "there is no minute 60"},
             {"2026-12-31T23:59:60Z", "there is no second 60"},
             {"2026-03-02T09:00+24:00", "there is no offset +24:00"},
             {"2026-03-02T09:00-01:60", "there is no offset -01:60"},
             {"2026-03-02T09:00+1", "its zone must be Z for UTC, or an offset such as +01:00"},
             {"2026-03-02T09:00 CET", "its zone must be Z for UTC, or an offset such as +01:00"},
             {"2026-03-02T09:00ZZ", "its zone must be Z for UTC, or an offset such as +01:00"},
             {"2026-03-02", "has no time of day; expected a time such as 2021-02-06T09:00:00Z"},
             {"2021-02-06T09:00:00.5Z", "seconds must be whole"},
             {"2021-02-06T09:00:00,000000001+01:00", "seconds must be whole"},
             {"1612602000", "expected a time such as 2021-02-06T09:00:00Z"},
             {"06.02.2021 09:00", "expected a time such as 2021-02-06T09:00:00Z"}}) {
        EXPECT_EQ(parse_iso8601(text).error().message, text + ": " + reason);
    }
    EXPECT_EQ(parse_iso8601("").error().message, "expected a time such as 2021-02-06T09:00:00Z");
}

TEST(Time, SaysThatTheZoneIsMissing)
{
    for (auto const* const text : {"2021-02-06T09:00", "2021-02-06T09:00:00", "2021-02-06T09:00:00.000"}) {
        EXPECT_THAT(parse_iso8601(text).error().message, HasSubstr("has no zone: add Z for UTC")) << text;
    }
}

TEST(Time, QuotesHostileTextBriefly)
{
    const auto message = parse_iso8601("a\nb\x1b" + std::string(1000, 'x')).error().message;
    EXPECT_THAT(message, HasSubstr("a\\x0ab\\x1bxxx"));
    EXPECT_LT(message.size(), 200U);
}

TEST(Duration, Reads)
{
    EXPECT_EQ(parse_duration("90m"), seconds{5400});
    EXPECT_EQ(parse_duration("0s"), seconds{0});
    EXPECT_EQ(parse_duration("007d"), seconds{7 * 24h});
    EXPECT_EQ(parse_duration("400d"), seconds{400 * 24h});
    EXPECT_EQ(parse_duration("24h"), seconds{24h});
    EXPECT_EQ(parse_duration("100000d"), seconds{100000 * 24h});
    EXPECT_EQ(parse_duration("8640000000s"), seconds{8640000000});
}

TEST(Duration, Refuses)
{
    for (auto const* const text :
         {"", "s", "5", "-5m", "+5m", "5 m", " 5m", "5m ", "1h30m", "1.5h", "5M", "5min", "5w", "0x5m", "100001d",
          "8640000001s", "99999999999999999999999s"}) {
        const auto duration = parse_duration(text);
        ASSERT_FALSE(duration) << text;
        EXPECT_EQ(duration.error().code, Errc::bad_duration) << text;
    }
    EXPECT_EQ(parse_duration("soon").error().message, "expected a duration such as 90m, got \"soon\"");
}

TEST(Duration, WritesTheShortestExactForm)
{
    EXPECT_EQ(to_text(seconds{0}), "0s");
    EXPECT_EQ(to_text(seconds{59}), "59s");
    EXPECT_EQ(to_text(seconds{60}), "1m");
    EXPECT_EQ(to_text(seconds{61}), "61s");
    EXPECT_EQ(to_text(seconds{5400}), "90m");
    EXPECT_EQ(to_text(seconds{3600}), "1h");
    EXPECT_EQ(to_text(seconds{86400}), "1d");
    EXPECT_EQ(to_text(seconds{90000}), "25h");
    EXPECT_EQ(to_text(seconds{-5400}), "-90m");
    EXPECT_EQ(to_text(seconds{longest}), "9223372036854775807s");
    EXPECT_EQ(to_text(seconds{shortest}), "-9223372036854775808s");
}

TEST(Duration, IsReadBackAsWritten)
{
    for (const std::int64_t count : {1, 59, 60, 3599, 3600, 86399, 86400, 34'560'000}) {
        EXPECT_EQ(parse_duration(to_text(seconds{count})), seconds{count});
    }
}

TEST(Time, IsRelativeToNow)
{
    const auto now = from_unix(1612602000);
    EXPECT_EQ(to_relative(now, now), "now");
    EXPECT_EQ(to_relative(now + 1s, now), "in 1s");
    EXPECT_EQ(to_relative(now - 1s, now), "1s ago");
    EXPECT_EQ(to_relative(now + 59s, now), "in 59s");
    EXPECT_EQ(to_relative(now + 60s, now), "in 1m");
    EXPECT_EQ(to_relative(now + 61s, now), "in 1m 1s");
    EXPECT_EQ(to_relative(now + 2h + 5min, now), "in 2h 5m");
    EXPECT_EQ(to_relative(now + 2h + 5min + 59s, now), "in 2h 5m");
    EXPECT_EQ(to_relative(now - 72h, now), "3d ago");
    EXPECT_EQ(to_relative(now - 72h - 59min, now), "3d ago");
    EXPECT_EQ(to_relative(now - 75h, now), "3d 3h ago");
    EXPECT_EQ(to_relative(from_unix(longest), from_unix(shortest)), "in 213503982334601d 7h");
}

} // namespace
} // namespace usher
