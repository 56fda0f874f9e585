// SPDX-License-Identifier: Apache-2.0
#include <usher/core/row_check.hpp>

#include <string>

#include <gtest/gtest.h>

namespace usher {
namespace {

using namespace std::string_view_literals;

RawMeeting good_meeting()
{
    RawMeeting row;
    row.id = "m"sv;
    row.starts_at = std::int64_t{1'000'000'000};
    row.ends_at = std::int64_t{1'000'000'001};
    return row;
}

RawParticipant good_participant()
{
    RawParticipant row;
    row.meeting_id = "m"sv;
    row.participant_id = "p"sv;
    row.role = "publisher"sv;
    return row;
}

std::string with(RowValue RawMeeting::*column, RowValue value)
{
    RawMeeting row = good_meeting();
    row.*column = value;
    const auto fault = check_row(row);
    return fault ? fault->text() : "";
}

std::string with(RowValue RawParticipant::*column, RowValue value)
{
    RawParticipant row = good_participant();
    row.*column = value;
    const auto fault = check_row(row);
    return fault ? fault->text() : "";
}

template <class Column>
std::string with_text(Column column, std::string const& text)
{
    return with(column, std::string_view{text});
}

RowValue number(std::int64_t value)
{
    return value;
}

TEST(RowCheck, TakesWhatTheTablesTake)
{
    EXPECT_FALSE(check_row(good_meeting()));
    EXPECT_FALSE(check_row(good_participant()));
    EXPECT_EQ(with(&RawMeeting::id, number(7)), "");
    EXPECT_EQ(with_text(&RawMeeting::id, std::string(255, 'x')), "");
    EXPECT_EQ(with(&RawMeeting::ends_at, number(99'999'999'999)), "");
    EXPECT_EQ(with(&RawMeeting::status, "cancelled"sv), "");
    EXPECT_EQ(with(&RawMeeting::early_join, number(0)), "");
    EXPECT_EQ(with(&RawMeeting::grace, number(2'592'000)), "");
    EXPECT_EQ(with(&RawMeeting::session_id, "2_MX4~"sv), "");
    EXPECT_EQ(with_text(&RawParticipant::connection_data, std::string(1000, 'x')), "");
    EXPECT_EQ(with(&RawParticipant::layout_classes, "one two-3 _"sv), "");
}

TEST(RowCheck, NamesColumnValueAndReasonOfAMeeting)
{
    EXPECT_EQ(with(&RawMeeting::id, ""sv), "id: \"\": is empty");
    EXPECT_EQ(
        with_text(&RawMeeting::id, std::string(256, 'x')),
        "id: " + std::string(64, 'x') + "...: has 256 bytes; at most 255 are allowed"
    );
    EXPECT_EQ(with(&RawMeeting::id, "a\0b"sv), "id: a\\x00b: contains a NUL character");
    EXPECT_EQ(with(&RawMeeting::id, Blob{"abc"}), "id: a BLOB of 3 bytes: expected text; bind it as text");
    EXPECT_EQ(with(&RawMeeting::title, RowValue{}), "title: NULL: expected text");
    EXPECT_EQ(
        with(&RawMeeting::starts_at, number(999'999'999)),
        "starts_at: 999999999: is before 2001-09-09T01:46:40Z, 1000000000 in Unix seconds"
    );
    EXPECT_EQ(with(&RawMeeting::ends_at, number(100'000'000'000)), "ends_at: 100000000000: is beyond the year 5138");
    EXPECT_EQ(
        with(&RawMeeting::ends_at, number(1'000'000'000'000)),
        "ends_at: 1000000000000: is beyond the year 5138; milliseconds are no Unix seconds"
    );
    EXPECT_EQ(
        with(&RawMeeting::starts_at, "2026-11-26 09:00:00"sv),
        "starts_at: 2026-11-26 09:00:00: expected an integer, Unix seconds in UTC"
    );
    EXPECT_EQ(with(&RawMeeting::starts_at, 1e9), "starts_at: 1000000000.0: expected an integer, Unix seconds in UTC");
    EXPECT_EQ(
        with(&RawMeeting::ends_at, number(1'000'000'000)),
        "ends_at: 1000000000: is not after the start, 2001-09-09T01:46:40Z"
    );
    EXPECT_EQ(with(&RawMeeting::status, "foo\x1b"sv), "status: foo\\x1b: expected scheduled or cancelled");
    EXPECT_EQ(with(&RawMeeting::status, RowValue{}), "status: NULL: expected scheduled or cancelled");
    EXPECT_EQ(with(&RawMeeting::project, "*"sv), "project: *: stands for all projects in requests; name one");
    EXPECT_EQ(
        with_text(&RawMeeting::project, std::string(65, 'p')),
        "project: " + std::string(64, 'p') + "...: has 65 bytes; at most 64 are allowed"
    );
    EXPECT_EQ(with(&RawMeeting::e2ee, number(2)), "e2ee: 2: expected 0 or 1");
    EXPECT_EQ(
        with(&RawMeeting::early_join, number(-1)), "early_join: -1: expected seconds from 0 to 2592000, an integer"
    );
    EXPECT_EQ(
        with(&RawMeeting::grace, number(2'592'001)), "grace: 2592001: expected seconds from 0 to 2592000, an integer"
    );
    EXPECT_EQ(with(&RawMeeting::session_id, "a b"sv), "session_id: a b: holds what is not ASCII, or a space");
}

TEST(RowCheck, KnowsAddressesAsTheResolverDoes)
{
    for (const auto good : {"0.0.0.0"sv, "203.0.113.7"sv, "255.255.255.255"sv})
        EXPECT_EQ(with(&RawMeeting::location, good), "") << good;
    for (const auto bad :
         {"999.1.1.1"sv, "256.1.1.1"sv, "1.1.1.256"sv, "01.1.1.1"sv, "1.1.1.00"sv, "1.1.1"sv, "1.1.1.1.1"sv, "1.1.1."sv,
          "1..1.1"sv, "1.1.1.1."sv, "::1"sv, "1.1.1.a"sv, "+1.1.1.1"sv, "1.1.1.1000"sv})
        EXPECT_EQ(
            with(&RawMeeting::location, bad),
            "location: " + std::string{bad} + ": expected an IPv4 address such as 203.0.113.7"
        );
    EXPECT_EQ(
        with(&RawMeeting::location, " 1.1.1.1"sv),
        "location: \" 1.1.1.1\": expected an IPv4 address such as 203.0.113.7"
    );
}

TEST(RowCheck, TellsNumbersThatWereBoundAsFloatsFromTexts)
{
    for (const auto bad : {"7.0"sv, "-7.0"sv, "1.0e+16"sv, "1.5e+300"sv, "1.0e-05"sv})
        EXPECT_EQ(
            with(&RawMeeting::id, bad),
            "id: " + std::string{bad} + ": reads like a number that was bound as a float; bind ids as text"
        );
    for (const auto good : {"7"sv, "1.5"sv, "v7.0"sv, "007.0"sv, "7.00"sv, "1e16"sv, "e"sv, ".0"sv, "7.0.0"sv})
        EXPECT_EQ(with(&RawMeeting::id, good), "") << good;
    EXPECT_NE(with(&RawParticipant::participant_id, "7.0"sv), "");
}

TEST(RowCheck, ChecksTheOptionsOfASession)
{
    SessionOptions options;
    EXPECT_FALSE(check_session_options(options));
    options.location = "999.1.1.1";
    EXPECT_EQ(
        check_session_options(options)->text(), "location: 999.1.1.1: expected an IPv4 address such as 203.0.113.7"
    );
    options = {};
    options.archive_name = "n";
    EXPECT_EQ(check_session_options(options)->text(), "archive_name: n: needs archive_mode always");
}

TEST(RowCheck, NamesColumnValueAndReasonOfAParticipant)
{
    EXPECT_EQ(
        with(&RawParticipant::role, "Publisher"sv),
        "role: Publisher: expected subscriber, publisher, publisheronly or moderator"
    );
    EXPECT_EQ(
        with(&RawParticipant::role, RowValue{}),
        "role: NULL: expected subscriber, publisher, publisheronly or moderator"
    );
    EXPECT_EQ(with(&RawParticipant::connection_data, "a\xff"sv), "connection_data: a\\xff: is not UTF-8");
    EXPECT_EQ(
        with_text(&RawParticipant::connection_data, std::string(1001, 'x')),
        "connection_data: " + std::string(64, 'x') + "...: has 1001 bytes; at most 1000 are allowed"
    );
    EXPECT_EQ(
        with(&RawParticipant::layout_classes, "one  two"sv),
        "layout_classes: one  two: expected names of letters, digits, _ and -, with one space between two of them"
    );
    EXPECT_EQ(
        with(&RawParticipant::display_name, Blob{""}), "display_name: a BLOB of 0 bytes: expected text; bind it as text"
    );
}

} // namespace
} // namespace usher
