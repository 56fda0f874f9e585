// SPDX-License-Identifier: Apache-2.0
#include "schedule_csv.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace usher::ctl {
namespace {

using testing::ElementsAre;

std::string slurp(std::filesystem::path const& path)
{
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

/// Problems as messages, and `line ok` for a good row.
template <class Table>
std::string outcome(std::istream& in, std::string const& name)
{
    ScheduleReader<Table> reader{in, name};
    if (auto header = reader.read_header(); !header)
        return header.error().message + '\n' +
               (header.error().to_do.empty() ? "" : "do: " + header.error().to_do + "\n");
    std::string text;
    for (std::string const& note : reader.notes())
        text += note + '\n';
    for (auto step = reader.next(); step != CsvStep::end; step = reader.next()) {
        const auto problem = step == CsvStep::row
                                 ? reader.check(reader.row(), with_initials<Table>(reader.row().values))
                                 : reader.problem();
        text += problem.value_or(std::to_string(reader.line()) + " ok") + '\n';
    }
    return text;
}

PlatformValue text(std::string value)
{
    return value;
}

PlatformValue number(std::int64_t value)
{
    return value;
}

TEST(ScheduleCsv, ReportsEachBadFileAsExpected)
{
    int files = 0;
    for (auto const& entry : std::filesystem::directory_iterator{USHER_SOURCE_DIR "/tests/bad/csv"}) {
        if (entry.path().extension() != ".csv")
            continue;
        ++files;
        const std::string name = entry.path().filename();
        SCOPED_TRACE(name);
        std::ifstream in{entry.path(), std::ios::binary};
        const std::string text =
            name.starts_with("participants") ? outcome<Participants>(in, name) : outcome<Meetings>(in, name);
        EXPECT_EQ(text, slurp(std::filesystem::path{entry.path()}.replace_extension(".expected")));
    }
    EXPECT_GE(files, 15);
}

TEST(ScheduleCsv, ReadsAllColumnsInAnyOrder)
{
    std::istringstream in{
        "grace,early_join,session_id,e2ee,location,archive_resolution,archive_name,archive_mode,media_mode,project,"
        "status,ends_at_utc,starts_at_utc,title,external_id\n"
        "0,60,2_MX,0,10.1.2.3,1280x720,Talk,always,routed,other,cancelled,2021-02-06T09:02:00Z,"
        "2021-02-06T10:01:00+01:00,\"A, B\",m1\n"};
    ScheduleReader<Meetings> reader{in, "m.csv"};
    ASSERT_TRUE(reader.read_header());
    ASSERT_EQ(reader.next(), CsvStep::row) << reader.problem();
    EXPECT_THAT(
        reader.row().values, ElementsAre(
                                 text("m1"), text("A, B"), number(1612602060), number(1612602120), text("cancelled"),
                                 text("other"), text("routed"), text("always"), text("Talk"), text("1280x720"),
                                 text("10.1.2.3"), number(0), text("2_MX"), number(60), number(0)
                             )
    );
    EXPECT_FALSE(reader.check(reader.row(), reader.row().values));
}

TEST(ScheduleCsv, ReadsE2eeInTheUsualSpellings)
{
    std::string file = "external_id,title,starts_at_utc,ends_at_utc,e2ee\n";
    for (const std::string_view value : {"1", "true", "TRUE", " True ", "0", "false", "FALSE"})
        file.append("m,,2021-02-06T09:00:00Z,2021-02-06T09:00:01Z,").append(value).append("\n");
    std::istringstream in{file};
    ScheduleReader<Meetings> reader{in, "m.csv"};
    ASSERT_TRUE(reader.read_header());
    std::vector<std::int64_t> read;
    while (reader.next() == CsvStep::row)
        read.push_back(std::get<std::int64_t>(reader.row().values[11]));
    EXPECT_THAT(read, ElementsAre(1, 1, 1, 1, 0, 0, 0));
}

/// What becomes of a file with one meeting, whose header and row are written so.
std::string meeting_file(std::string const& header, std::string const& row)
{
    std::istringstream in{header + "\n" + row + "\n"};
    return outcome<Meetings>(in, "m.csv");
}

TEST(ScheduleCsv, FindsTheSeparator)
{
    const std::string ok = "2 ok\n";
    const std::string times = "2021-02-06T09:00:00Z;2021-02-06T10:00:00Z";
    EXPECT_EQ(meeting_file("external_id;title;starts_at_utc;ends_at_utc", "m;a,b;" + times), ok);
    EXPECT_EQ(meeting_file("\xef\xbb\xbf\"external_id\";\"title\";starts_at_utc;ends_at_utc\r", "m;t;" + times), ok);
    EXPECT_EQ(
        meeting_file(
            "external_id\ttitle\tstarts_at_utc\tends_at_utc", "m\tt\t2021-02-06T09:00:00Z\t2021-02-06T10:00:00Z"
        ),
        ok
    );
    EXPECT_EQ(meeting_file("sep=;\r\nexternal_id;title;starts_at_utc;ends_at_utc\r", "m;t;" + times), "3 ok\n");
    EXPECT_EQ(
        meeting_file("SEP=|\nexternal_id|title|starts_at_utc|ends_at_utc", "m|t|2021-02-06T09:00Z|2021-02-06T10:00Z"),
        "3 ok\n"
    );
    EXPECT_EQ(
        meeting_file("external_id|title|starts_at_utc|ends_at_utc", "m|t|x|y"),
        "m.csv:1: one column \"external_id|title|starts_at_utc|ends_at_utc\". Nothing was done.\n"
        "do: --separator '|'\n"
    );
    std::istringstream in{"external_id|title|starts_at_utc|ends_at_utc\nm|t|2021-02-06T09:00Z|2021-02-06T10:00Z\n"};
    ScheduleReader<Meetings> reader{in, "m.csv", '|'};
    EXPECT_TRUE(reader.read_header());
    EXPECT_EQ(reader.next(), CsvStep::row);
}

TEST(ScheduleCsv, TakesHeadersInAnyCaseAndWithBlanks)
{
    EXPECT_EQ(
        meeting_file(
            " External_ID, title ,STARTS_AT_UTC,\"ends_at_utc \", Status", "m,,2021-02-06T09:00Z,2021-02-06T10:00Z,"
        ),
        "2 ok\n"
    );
}

TEST(ScheduleCsv, NamesColumnsThatWereProbablyMeant)
{
    const std::string header = "external_id,title,starts_at_utc,ends_at_utc,";
    const std::string row = "m,,2021-02-06T09:00Z,2021-02-06T10:00Z,";
    for (auto const& [column, meant] : std::vector<std::pair<std::string, std::string>>{
             {"statsu", "status"},
             {"states", "status"},
             {"media mode", "media_mode"},
             {"Media-Mode", "media_mode"},
             {"projekt", "project"},
             {"e2e", "e2ee"}})
        EXPECT_EQ(
            meeting_file(header + column, row), "m.csv:1:45: column \"" + column + "\" is not known; did you mean " +
                                                    meant +
                                                    "? Nothing was done.\ndo: rename the column, or leave it out\n"
        );
    EXPECT_EQ(
        meeting_file("id,title,starts_at,ends_at_utc", "m,,x,y"),
        "m.csv:1:1: column \"id\" is not known; did you mean external_id?\n"
        "m.csv:1:10: column \"starts_at\" is not known; did you mean starts_at_utc? Nothing was done.\n"
        "do: rename the column\n"
    );
    EXPECT_EQ(meeting_file(header + "room", row), "m.csv:1:45: column \"room\" is not known, and ignored\n2 ok\n");
}

TEST(ScheduleCsv, RefusesIdsThatWouldBeOthers)
{
    const auto id = [](std::string const& written) {
        return meeting_file(
            "external_id,title,starts_at_utc,ends_at_utc", written + ",,2021-02-06T09:00Z,2021-02-06T10:00Z"
        );
    };
    for (auto const& [written, shown] : std::vector<std::pair<std::string, std::string>>{
             {" m", " m"}, {"m ", "m "}, {"\"m\t\"", "m\\x09"}, {"m\u00a0", "m\u00a0"}})
        EXPECT_EQ(
            id(written), "m.csv:2:1: external_id: \"" + shown + "\": has blanks at its ends, and would be another id\n"
        );
    EXPECT_EQ(
        id("\"m\n\""), "m.csv:2:1: external_id: m\\x0a: has a character that cannot be seen, and would be another id\n"
    );
    EXPECT_EQ(
        id("m\u200b"),
        "m.csv:2:1: external_id: m\\u{200b}: has a character that cannot be seen, and would be another id\n"
    );
    EXPECT_EQ(
        id("m\u3164"),
        "m.csv:2:1: external_id: m\\u{3164}: has a character that cannot be seen, and would be another id\n"
    );
    EXPECT_EQ(id("a b"), "2 ok\n");
    EXPECT_EQ(id("Zoë"), "2 ok\n");
}

TEST(ScheduleCsv, SaysWhereInCharacters)
{
    EXPECT_EQ(
        meeting_file("external_id,title,starts_at_utc,ends_at_utc", "m,\"Zoë,\nx\",2026-03-02T24:00:00Z,y"),
        "m.csv:3:4: starts_at_utc: 2026-03-02T24:00:00Z: there is no hour 24\n"
    );
    EXPECT_EQ(
        meeting_file("external_id,title,starts_at_utc,ends_at_utc", "m,Zoë,2026-03-02T09:00:00Z,2026-02-29T09:00:00Z"),
        "m.csv:2:28: ends_at_utc: 2026-02-29T09:00:00Z: there is no day 29 in 2026-02\n"
    );
}

TEST(ScheduleCsv, TakesNoRowOutOfAQuotedText)
{
    // A guest may choose a name like this, and something else may be wrong with the row.
    std::istringstream in{"meeting_external_id,external_id,display_name,role\n"
                          "m,p,\"Eve\nm,eve,Eve,moderator\nx\"\n"
                          "m,q,,publisher\n"};
    ScheduleReader<Participants> reader{in, "p.csv"};
    ASSERT_TRUE(reader.read_header());
    ASSERT_EQ(reader.next(), CsvStep::problem);
    EXPECT_EQ(reader.problem(), "p.csv:2:1: has 3 fields where the header has 4");
    ASSERT_EQ(reader.next(), CsvStep::row);
    EXPECT_EQ(reader.row().values[1], text("q"));
    EXPECT_EQ(reader.next(), CsvStep::end);
}

TEST(ScheduleCsv, LeavesToTheTableWhatTheFileDoesNotSay)
{
    std::istringstream in{"external_id,title,starts_at_utc,ends_at_utc,status\n"
                          "m1,,2021-02-06T09:00:00Z,2021-02-06T09:00:01Z,\n"};
    ScheduleReader<Meetings> reader{in, "m.csv"};
    ASSERT_TRUE(reader.read_header());
    EXPECT_TRUE(reader.has(4));
    EXPECT_FALSE(reader.has(5));
    ASSERT_EQ(reader.next(), CsvStep::row) << reader.problem();
    for (std::size_t i = 4; i < Meetings::size; ++i)
        EXPECT_EQ(reader.row().values[i], PlatformValue{}) << i;
    EXPECT_EQ(reader.next(), CsvStep::end);
}

TEST(ScheduleCsv, ReadsPeopleWithoutDisplayNames)
{
    std::istringstream in{"meeting_external_id,external_id,role\nm1,p1,\nm1,p2,moderator\n"};
    ScheduleReader<Participants> reader{in, "p.csv"};
    ASSERT_TRUE(reader.read_header());
    ASSERT_EQ(reader.next(), CsvStep::row);
    EXPECT_EQ(reader.row().values[3], PlatformValue{});
    EXPECT_EQ(with_initials<Participants>(reader.row().values)[3], text("publisher"));
    ASSERT_EQ(reader.next(), CsvStep::row);
    EXPECT_EQ(reader.row().values[3], text("moderator"));
}

TEST(ScheduleCsv, FindsTheEarliestStartOfTheGoodRows)
{
    std::istringstream in{"external_id,title,starts_at_utc,ends_at_utc\n"
                          "m1,,2021-02-06T09:00:00Z,2021-02-06T10:00:00Z\n"
                          "m2,,2021-02-06T08:00:00Z,2021-02-06T10:00:00Z\n"
                          "m3,,2020-02-06T08:00:00Z,2020-02-06T07:00:00Z\n"};
    const auto earliest = earliest_start(in, "m.csv");
    ASSERT_TRUE(earliest && *earliest);
    EXPECT_EQ(**earliest, parse_iso8601("2021-02-06T08:00:00Z").value());

    std::istringstream empty{"external_id,title,starts_at_utc,ends_at_utc\n"};
    EXPECT_EQ(earliest_start(empty, "m.csv").value(), std::nullopt);
    std::istringstream bad{"id\n"};
    EXPECT_FALSE(earliest_start(bad, "m.csv"));
}

TEST(ScheduleCsv, ReadsShiftStart)
{
    const sys_seconds now = from_unix(1000);
    EXPECT_EQ(parse_shift_start("+5m", now).value(), from_unix(1300));
    EXPECT_EQ(parse_shift_start("1970-01-01T00:00:07Z", now).value(), from_unix(7));
    for (const std::string_view bad : {"", "+", "5m", "+-5m", "++5m", "1970-01-01T00:00:07", "tomorrow"})
        EXPECT_FALSE(parse_shift_start(bad, now)) << bad;
}

} // namespace
} // namespace usher::ctl
