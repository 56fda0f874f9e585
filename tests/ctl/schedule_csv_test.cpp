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
template <class Row>
std::string outcome(std::istream& in, std::string const& name)
{
    ScheduleReader<Row> reader{in, name};
    if (auto header = reader.read_header(); !header)
        return header.error() + '\n';
    std::string text;
    using Step = typename ScheduleReader<Row>::Step;
    for (auto step = reader.next(); step != Step::end; step = reader.next())
        text += step == Step::row ? std::to_string(reader.line()) + " ok\n" : reader.problem() + '\n';
    return text;
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
            name.starts_with("participants") ? outcome<ParticipantRow>(in, name) : outcome<MeetingRow>(in, name);
        EXPECT_EQ(text, slurp(std::filesystem::path{entry.path()}.replace_extension(".expected")));
    }
    EXPECT_GE(files, 15);
}

TEST(ScheduleCsv, ReadsAllColumnsInAnyOrder)
{
    std::istringstream in{
        "e2ee,location,archive_resolution,archive_name,archive_mode,media_mode,project,status,ends_at_utc,"
        "starts_at_utc,title,external_id\n"
        "0,10.1.2.3,1280x720,Talk,always,routed,other,cancelled,1970-01-01T00:02:00Z,1970-01-01T01:01:00+01:00,"
        "\"A, B\",m1\n"};
    MeetingReader reader{in, "m.csv"};
    ASSERT_TRUE(reader.read_header());
    ASSERT_EQ(reader.next(), MeetingReader::Step::row) << reader.problem();
    MeetingRow const& row = reader.row();
    EXPECT_EQ(row.external_id, "m1");
    EXPECT_EQ(row.title, "A, B");
    EXPECT_EQ(row.starts_at, from_unix(60));
    EXPECT_EQ(row.ends_at, from_unix(120));
    EXPECT_EQ(row.status, "cancelled");
    EXPECT_EQ(row.project, "other");
    EXPECT_EQ(row.media_mode, "routed");
    EXPECT_EQ(row.archive_mode, "always");
    EXPECT_EQ(row.archive_name, "Talk");
    EXPECT_EQ(row.archive_resolution, "1280x720");
    EXPECT_EQ(row.location, "10.1.2.3");
    EXPECT_EQ(row.e2ee, false);
}

TEST(ScheduleCsv, ReadsE2eeInTheUsualSpellings)
{
    std::string text = "external_id,title,starts_at_utc,ends_at_utc,e2ee\n";
    for (const std::string_view value : {"1", "true", "TRUE", "True", "0", "false", "FALSE"})
        text.append("m,,1970-01-01T00:00:00Z,1970-01-01T00:00:01Z,").append(value).append("\n");
    std::istringstream in{text};
    MeetingReader reader{in, "m.csv"};
    ASSERT_TRUE(reader.read_header());
    std::vector<bool> read;
    while (reader.next() == MeetingReader::Step::row)
        read.push_back(reader.row().e2ee.value());
    EXPECT_THAT(read, ElementsAre(true, true, true, true, false, false, false));
}

TEST(ScheduleCsv, TakesNoRowOutOfAQuotedText)
{
    // A guest may choose a name like this, and something else may be wrong with the row.
    std::istringstream in{"meeting_external_id,external_id,display_name,role\n"
                          "m,p,\"Eve\nm,eve,Eve,moderator\nx\"\n"
                          "m,q,,publisher\n"};
    ParticipantReader reader{in, "p.csv"};
    ASSERT_TRUE(reader.read_header());
    ASSERT_EQ(reader.next(), ParticipantReader::Step::problem);
    EXPECT_EQ(reader.problem(), "p.csv:2: has 3 fields where the header has 4");
    ASSERT_EQ(reader.next(), ParticipantReader::Step::row);
    EXPECT_EQ(reader.row().external_id, "q");
    EXPECT_EQ(reader.next(), ParticipantReader::Step::end);
}

TEST(ScheduleCsv, LeavesToTheTableWhatTheFileDoesNotSay)
{
    std::istringstream in{"external_id,title,starts_at_utc,ends_at_utc,room,status\n"
                          "m1,,1970-01-01T00:00:00Z,1970-01-01T00:00:01Z,aula,\n"};
    MeetingReader reader{in, "m.csv"};
    ASSERT_TRUE(reader.read_header());
    EXPECT_THAT(reader.unknown_columns(), ElementsAre("room"));
    EXPECT_TRUE(reader.has(4));
    EXPECT_FALSE(reader.has(5));
    ASSERT_EQ(reader.next(), MeetingReader::Step::row) << reader.problem();
    EXPECT_EQ(reader.row().status, std::nullopt);
    EXPECT_EQ(reader.row().e2ee, std::nullopt);
    EXPECT_EQ(reader.next(), MeetingReader::Step::end);
}

TEST(ScheduleCsv, TakesAnEmptyRoleForPublisher)
{
    std::istringstream in{"meeting_external_id,external_id,display_name,role\nm1,p1,,\nm1,p2,Zoë,moderator\n"};
    ParticipantReader reader{in, "p.csv"};
    ASSERT_TRUE(reader.read_header());
    ASSERT_EQ(reader.next(), ParticipantReader::Step::row);
    EXPECT_EQ(reader.row().role, Role::publisher);
    EXPECT_EQ(reader.row().display_name, std::nullopt);
    ASSERT_EQ(reader.next(), ParticipantReader::Step::row);
    EXPECT_EQ(reader.row().role, Role::moderator);
    EXPECT_EQ(reader.row().display_name, "Zoë");
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
