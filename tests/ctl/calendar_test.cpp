// SPDX-License-Identifier: Apache-2.0
// iCalendar files as rows of the schedule.
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "calendar.hpp"
#include "support/temp_dir.hpp"
#include "support/usherctl.hpp"

namespace usher::ctl {
namespace {

using std::chrono::sys_days;
using test::Answer;
using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr sys_seconds now = sys_days{std::chrono::year{2026} / 3 / 2} + 8h; // a Monday
constexpr CalendarWindow window{now - 24h, now + 90 * 24h};

std::string calendar(std::string const& events, std::string const& head = {})
{
    return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + head + events + "END:VCALENDAR\r\n";
}

std::string event(std::string const& lines, std::string const& uid = "m")
{
    return "BEGIN:VEVENT\r\nUID:" + uid + "\r\n" + lines + "END:VEVENT\r\n";
}

Calendar read(std::string const& text, CalendarLimits limits = {}, CalendarWindow from_to = window)
{
    std::istringstream in{text};
    auto result = read_calendar(in, "c.ics", from_to, limits);
    EXPECT_TRUE(result) << (result ? "" : result.error().message);
    return result ? std::move(*result) : Calendar{};
}

/// `m 2026-03-02T09:00:00Z-10:00:00Z scheduled; …`
std::string meetings_of(Calendar const& calendar)
{
    std::string text;
    for (auto const& row : calendar.meetings) {
        const auto instant = [&](std::size_t column) {
            auto const* const number = std::get_if<std::int64_t>(&row.values[column]);
            return number != nullptr ? to_iso8601(from_unix(*number)) : std::string{"-"};
        };
        text += (text.empty() ? "" : "; ") + std::get<std::string>(row.values[0]) + " " + instant(Meetings::starts_at) +
                " " + instant(Meetings::ends_at) + " " + std::get<std::string>(row.values[Meetings::status]);
    }
    return text;
}

std::string problems_of(Calendar const& calendar)
{
    std::string text;
    for (CalendarProblem const& problem : calendar.problems)
        text += (text.empty() ? "" : "; ") + std::to_string(problem.line) + ": " + problem.reason;
    return text;
}

struct Case {
    char const* name;
    std::string file;
    char const* expected;

    friend void PrintTo(Case const& test, std::ostream* out) { *out << test.name; }
};

class Events : public testing::TestWithParam<Case> {};

TEST_P(Events, AreMeetings)
{
    const Calendar read_back = read(GetParam().file);

    EXPECT_EQ(meetings_of(read_back), GetParam().expected);
    EXPECT_EQ(problems_of(read_back), "");
}

constexpr char const* berlin = "BEGIN:VTIMEZONE\r\nTZID:Ours\r\nBEGIN:STANDARD\r\nDTSTART:19701025T030000\r\n"
                               "TZOFFSETFROM:+0500\r\nTZOFFSETTO:+0500\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n";

INSTANTIATE_TEST_SUITE_P(
    Kinds, Events,
    testing::Values(
        Case{
            "utc", calendar(event("DTSTART:20260302T090000Z\r\nDTEND:20260302T100000Z\r\n")),
            "m 2026-03-02T09:00:00Z 2026-03-02T10:00:00Z scheduled"},
        Case{
            "duration", calendar(event("DTSTART:20260302T090000Z\r\nDURATION:PT1H30M\r\n")),
            "m 2026-03-02T09:00:00Z 2026-03-02T10:30:00Z scheduled"},
        Case{
            "zone_of_the_system",
            calendar(event("DTSTART;TZID=Europe/Berlin:20260302T090000\r\nDTEND;TZID=Europe/Berlin:20260302T100000\r\n")
            ),
            "m 2026-03-02T08:00:00Z 2026-03-02T09:00:00Z scheduled"},
        Case{
            "zone_of_the_file",
            calendar(berlin + event("DTSTART;TZID=Ours:20260302T140000\r\nDTEND;TZID=Ours:20260302T150000\r\n")),
            "m 2026-03-02T09:00:00Z 2026-03-02T10:00:00Z scheduled"},
        Case{
            "no_zone", calendar(event("DTSTART:20260302T090000\r\nDTEND:20260302T100000\r\n")),
            "m 2026-03-02T09:00:00Z 2026-03-02T10:00:00Z scheduled"},
        Case{
            "the_calendars_zone",
            calendar(event("DTSTART:20260302T090000\r\nDTEND:20260302T100000\r\n"), "X-WR-TIMEZONE:Europe/Berlin\r\n"),
            "m 2026-03-02T08:00:00Z 2026-03-02T09:00:00Z scheduled"},
        Case{
            "a_whole_day", calendar(event("DTSTART;VALUE=DATE:20260302\r\n")),
            "m 2026-03-02T00:00:00Z 2026-03-03T00:00:00Z scheduled"},
        Case{
            "whole_days_over_the_change_of_the_clocks",
            calendar(
                event("DTSTART;VALUE=DATE:20260328\r\nDTEND;VALUE=DATE:20260330\r\n"), "X-WR-TIMEZONE:Europe/Berlin\r\n"
            ),
            "m 2026-03-27T23:00:00Z 2026-03-29T22:00:00Z scheduled"},
        Case{
            "cancelled", calendar(event("DTSTART:20260302T090000Z\r\nDTEND:20260302T100000Z\r\nSTATUS:CANCELLED\r\n")),
            "m 2026-03-02T09:00:00Z 2026-03-02T10:00:00Z cancelled"},
        Case{"cancelled_by_method", calendar(event(""), "METHOD:CANCEL\r\n"), "m - - cancelled"},
        Case{
            "each_week_over_the_change_of_the_clocks",
            calendar(
                event("DTSTART;TZID=Europe/Berlin:20260323T090000\r\nDURATION:PT1H\r\nRRULE:FREQ=WEEKLY;COUNT=2\r\n")
            ),
            "m#20260323T080000Z 2026-03-23T08:00:00Z 2026-03-23T09:00:00Z scheduled; "
            "m#20260330T070000Z 2026-03-30T07:00:00Z 2026-03-30T08:00:00Z scheduled"},
        Case{
            "a_time_that_the_clocks_skip",
            calendar(event("DTSTART;TZID=Europe/Berlin:20260329T023000\r\nDURATION:PT1H\r\n")),
            "m 2026-03-29T01:30:00Z 2026-03-29T02:30:00Z scheduled"},
        Case{
            "each_day_over_a_time_that_the_clocks_skip",
            calendar(event("DTSTART;TZID=Europe/Berlin:20260328T023000\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;COUNT=3\r\n"
            )),
            "m#20260328T013000Z 2026-03-28T01:30:00Z 2026-03-28T02:30:00Z scheduled; "
            "m#20260329T013000Z 2026-03-29T01:30:00Z 2026-03-29T02:30:00Z scheduled; "
            "m#20260330T003000Z 2026-03-30T00:30:00Z 2026-03-30T01:30:00Z scheduled"},
        Case{
            "from_a_time_that_the_clocks_skip_and_without_it",
            calendar(event("DTSTART;TZID=Europe/Berlin:20260329T023000\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;COUNT=2\r\n"
                           "EXDATE;TZID=Europe/Berlin:20260329T023000\r\n")),
            "m#20260330T003000Z 2026-03-30T00:30:00Z 2026-03-30T01:30:00Z scheduled"},
        Case{
            "until_in_utc_is_by_the_clock_of_its_zone",
            calendar(event("DTSTART;TZID=America/New_York:20260302T210000\r\nDURATION:PT1H\r\n"
                           "RRULE:FREQ=DAILY;UNTIL=20260304T020000Z\r\n")),
            "m#20260303T020000Z 2026-03-03T02:00:00Z 2026-03-03T03:00:00Z scheduled; "
            "m#20260304T020000Z 2026-03-04T02:00:00Z 2026-03-04T03:00:00Z scheduled"},
        Case{
            "cancelled_without_an_end", calendar(event("DTSTART:20260302T090000Z\r\n"), "METHOD:CANCEL\r\n"),
            "m - - cancelled"},
        Case{
            "without_exceptions_and_with_more_dates",
            calendar(event("DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;COUNT=3\r\n"
                           "EXDATE:20260303T090000Z\r\nRDATE:20260310T090000Z,20260311T090000Z\r\n")),
            "m#20260302T090000Z 2026-03-02T09:00:00Z 2026-03-02T10:00:00Z scheduled; "
            "m#20260304T090000Z 2026-03-04T09:00:00Z 2026-03-04T10:00:00Z scheduled; "
            "m#20260310T090000Z 2026-03-10T09:00:00Z 2026-03-10T10:00:00Z scheduled; "
            "m#20260311T090000Z 2026-03-11T09:00:00Z 2026-03-11T10:00:00Z scheduled"},
        Case{
            "an_occurrence_that_is_moved",
            calendar(
                event("DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;COUNT=2\r\n") +
                event("RECURRENCE-ID:20260303T090000Z\r\nDTSTART:20260303T120000Z\r\nDURATION:PT2H\r\n")
            ),
            "m#20260303T090000Z 2026-03-03T12:00:00Z 2026-03-03T14:00:00Z scheduled; "
            "m#20260302T090000Z 2026-03-02T09:00:00Z 2026-03-02T10:00:00Z scheduled"},
        Case{
            "recurring_whole_days", calendar(event("DTSTART;VALUE=DATE:20260302\r\nRRULE:FREQ=DAILY;COUNT=2\r\n")),
            "m#20260302 2026-03-02T00:00:00Z 2026-03-03T00:00:00Z scheduled; "
            "m#20260303 2026-03-03T00:00:00Z 2026-03-04T00:00:00Z scheduled"},
        Case{
            "an_alarm_inside",
            calendar(
                event("DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\nBEGIN:VALARM\r\nTRIGGER:-PT5M\r\nACTION:DISPLAY\r\n"
                      "DESCRIPTION:x\r\nEND:VALARM\r\n")
            ),
            "m 2026-03-02T09:00:00Z 2026-03-02T10:00:00Z scheduled"}
    ),
    [](auto const& test) { return std::string{test.param.name}; }
);

TEST(CalendarRead, PassesOverWhatIsOverOrTooLate)
{
    const auto at = [](char const* starts) {
        return meetings_of(read(calendar(event(std::string{"DTSTART:"} + starts + "\r\nDURATION:PT1H\r\n"))));
    };
    EXPECT_EQ(at("20260301T070000Z"), "") << "it ended when the window begins";
    EXPECT_NE(at("20260301T070001Z"), "");
    EXPECT_NE(at("20260531T075959Z"), "");
    EXPECT_EQ(at("20260531T080000Z"), "") << "the window is over";

    const Calendar endless = read(calendar(event("DTSTART:20200101T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY\r\n")));
    EXPECT_EQ(endless.meetings.size(), 91U);
    EXPECT_EQ(problems_of(endless), "");
}

/// One property with so many dates of March, an hour apart, on a folded line.
std::string dates(std::string const& property, int count)
{
    const auto two = [](int number) { return std::to_string(100 + number).substr(1); };
    std::string line = property + ":";
    for (int i = 0; i < count; ++i)
        line += (i == 0 ? "" : ",\r\n ") + ("202603" + two(2 + i / 24)) + "T" + two(i % 24) + "3000Z";
    return line + "\r\n";
}

TEST(CalendarRead, EachDateOfALineCounts)
{
    const Calendar found =
        read(calendar(event("DTSTART:20260302T080000Z\r\nDURATION:PT10M\r\n" + dates("RDATE", 500))));
    EXPECT_EQ(problems_of(found), "");
    EXPECT_EQ(found.meetings.size(), 501U);
}

TEST(CalendarRead, AMarkOfItsByteOrderDoesNotCount)
{
    EXPECT_EQ(
        read("\xef\xbb\xbf" + calendar(event("DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\n"))).meetings.size(), 1U
    );
}

TEST(CalendarRead, ABadEventCostsNoOther)
{
    const std::string good = event("DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\n", "good");
    const std::string after = event("DTSTART:20260302T110000Z\r\nDURATION:PT1H\r\n", "after");
    struct {
        std::string lines;
        char const* problem;
    } const rows[] = {
        {event("DTSTART:soon\r\nDURATION:PT1H\r\n"), "8: DTSTART: "},
        {event("DTSTART:20261399T090000Z\r\nDURATION:PT1H\r\n"), "8: DTSTART: "},
        {event("DTSTART:20260302T090000Z\r\n"), "8: DTEND: is not there, nor DURATION"},
        {event("DTSTART:20260302T090000Z\r\nDTEND:20260302T090000Z\r\n"), "8: DTEND: is not after the start, 2026"},
        {event("DURATION:PT1H\r\n"), "8: DTSTART: is not there"},
        {event("DTSTART;TZID=Nowhere/Town:20260302T090000\r\nDURATION:PT1H\r\n"),
         "8: DTSTART: TZID Nowhere/Town is neither"},
        {event("DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=OFTEN\r\n"), "8: RRULE: "},
        {event("DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=SECONDLY\r\n"),
         "8: RRULE: a meeting that recurs"},
        {"BEGIN:VEVENT\r\nDTSTART:20260302T090000Z\r\nDURATION:PT1H\r\nEND:VEVENT\r\n", "8: UID: is not there"},
        {"BEGIN:VEVENT\r\nUID:a\x1b\r\nDTSTART:20260302T090000Z\r\nDURATION:PT1H\r\nEND:VEVENT\r\n", "8: UID: "},
        {event("DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\n" + dates("RDATE", 501)),
         "8: RDATE: has more than 500 dates in one line"},
        {event("DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY\r\n" + dates("EXDATE", 501)),
         "8: EXDATE: has more than 500 dates in one line"},
        {event("DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\nSUMMARY:" + std::string(64 * 1024 + 1, 'x') + "\r\n"),
         "8: SUMMARY: has more than 65536 bytes"},
        {"BEGIN:VEVENT\r\nUID:m\r\n", "8: VEVENT has no end"},
        {"END:VEVENT\r\n", "8: END of VEVENT, which was not begun"},
    };
    for (auto const& row : rows) {
        SCOPED_TRACE(row.problem);
        const Calendar found = read(calendar(good + row.lines + after));
        EXPECT_EQ(
            meetings_of(found), "good 2026-03-02T09:00:00Z 2026-03-02T10:00:00Z scheduled; "
                                "after 2026-03-02T11:00:00Z 2026-03-02T12:00:00Z scheduled"
        );
        EXPECT_EQ(problems_of(found).find(row.problem), 0U) << problems_of(found);
        EXPECT_EQ(found.problems.size(), 1U);
    }
}

TEST(CalendarRead, IsBounded)
{
    const std::string often = calendar(event("DTSTART:20200101T000000Z\r\nDURATION:PT1M\r\nRRULE:FREQ=HOURLY\r\n"));
    EXPECT_EQ(problems_of(read(often)), "3: RRULE: has more than 20000 occurrences before --until");
    std::string many;
    for (int i = 0; i < 5; ++i)
        many += event(
            "DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\nATTENDEE:mailto:a@b\r\nATTENDEE:mailto:c@d\r\n",
            "m" + std::to_string(i)
        );
    EXPECT_EQ(read(calendar(many), {.meetings = 4}).meetings.size(), 4U);
    EXPECT_EQ(problems_of(read(calendar(many), {.meetings = 5})), "");
    EXPECT_EQ(read(calendar(many), {.participants = 9}).participants.size(), 8U);
    const auto error = [](std::string const& text, CalendarLimits limits = {}) {
        std::istringstream in{text};
        const auto result = read_calendar(in, "c.ics", window, limits);
        return result ? std::string{} : result.error().message;
    };
    EXPECT_EQ(error(calendar(many), {.file_bytes = calendar(many).size()}), "");
    EXPECT_NE(error(calendar(many), {.file_bytes = calendar(many).size() - 1}), "");
    EXPECT_EQ(error("id,title\n"), "c.ics: is no iCalendar file: it has no BEGIN:VCALENDAR. Nothing was done.");
    EXPECT_EQ(error(std::string{"BEGIN:VCALENDAR\n\0", 17}), "c.ics: contains a NUL character. Nothing was done.");
    // Rules that never come true, in an event and in a zone, end.
    EXPECT_EQ(
        read(calendar(event("DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31\r\n")
             ))
            .meetings.size(),
        1U
    );
    const std::string zone = "BEGIN:VTIMEZONE\r\nTZID:Odd\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
                             "RRULE:FREQ=SEC\r\n ONDLY;BYMONTH=2;BYMONTHDAY=31\r\nTZOFFSETFROM:+0000\r\n"
                             "TZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n";
    EXPECT_EQ(
        problems_of(read(calendar(zone + event("DTSTART;TZID=Odd:20260302T090000\r\nDURATION:PT1H\r\n")))),
        "3: VTIMEZONE changes more often than once a year; 13: DTSTART: TZID Odd is neither in the file nor one of "
        "this "
        "system's zones"
    );
}

TEST(CalendarRead, RolesAreOurs)
{
    const Calendar found = read(calendar(event("DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\n"
                                               "ORGANIZER;CN=Olga:mailto:olga@example.org\r\n"
                                               "ATTENDEE;ROLE=CHAIR;CN=\"Ann, of ours\":mailto:ann@example.org\r\n"
                                               "ATTENDEE;ROLE=REQ-PARTICIPANT:MAILTO:bob@example.org\r\n"
                                               "ATTENDEE;ROLE=OPT-PARTICIPANT:mailto:cy@example.org\r\n"
                                               "ATTENDEE;ROLE=NON-PARTICIPANT:mailto:dee@example.org\r\n"
                                               "ATTENDEE;CN=Olga:mailto:olga@example.org\r\n"
                                               "ATTENDEE:urn:uuid:7\r\n")));

    std::string people;
    for (auto const& row : found.participants) {
        auto const* const name = std::get_if<std::string>(&row.values[2]);
        people += std::get<std::string>(row.values[1]) + " " + (name != nullptr ? *name : "-") + " " +
                  std::get<std::string>(row.values[3]) + "\n";
    }
    EXPECT_EQ(
        people, "ann@example.org Ann, of ours moderator\n"
                "bob@example.org - publisher\n"
                "cy@example.org - publisher\n"
                "dee@example.org - subscriber\n"
                "olga@example.org Olga moderator\n"
                "urn:uuid:7 - publisher\n"
    );
    EXPECT_EQ(problems_of(found), "");
}

TEST(CalendarRead, WhatIsNotReadIsNamed)
{
    const std::string series = event("DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;COUNT=3\r\n");
    EXPECT_THAT(
        problems_of(read(calendar(
            series +
            event("RECURRENCE-ID;RANGE=THISANDFUTURE:20260303T090000Z\r\nDTSTART:20260303T120000Z\r\nDURATION:PT1H\r\n")
        ))),
        HasSubstr("RECURRENCE-ID: RANGE is not read")
    );
    EXPECT_THAT(
        problems_of(read(
            calendar(event("DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\nRDATE;VALUE=PERIOD:20260310T090000Z/PT3H\r\n"))
        )),
        HasSubstr("RDATE: VALUE=PERIOD is not read")
    );
}

class CalendarImport : public testing::Test {
protected:
    Answer import(std::string const& text, std::vector<std::string> const& options = {})
    {
        std::ofstream{file, std::ios::binary} << text;
        std::vector<std::string> words{"--db", folder.file("usher.db"), "import", "--ics", file};
        words.insert(words.end(), options.begin(), options.end());
        return test::call_usherctl(words, {0, false, now});
    }
    std::string ask(std::string const& query)
    {
        return SQLite::Database{folder.file("usher.db")}.execAndGet(query).getString();
    }

    test::TempDir folder;
    std::string file = folder.file("c.ics");
};

TEST_F(CalendarImport, LoadsAndChangesAndPrunes)
{
    ASSERT_EQ(test::call_usherctl({"--db", folder.file("usher.db"), "init"}).status, 0);
    const std::string people = "ATTENDEE;CN=Ann:mailto:ann@example.org\r\n";
    const std::string series =
        event("SUMMARY:Standup\r\nDTSTART:20260302T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;COUNT=3\r\n" + people);
    const std::string old = event("DTSTART:20200302T090000Z\r\nDURATION:PT1H\r\n", "old");

    const Answer first = import(calendar(series + old));
    EXPECT_EQ(first.status, 0) << first.err;
    EXPECT_EQ(
        first.out, "Done.\nmeetings   3 added\npeople     3 added\n"
                   "note       1 event is over, or begins after 2026-05-31T08:00:00Z\n"
    );
    EXPECT_EQ(ask("SELECT group_concat(DISTINCT title) FROM meeting"), "Standup");
    EXPECT_EQ(import(calendar(series)).out, "Done.\nmeetings   3 unchanged\npeople     3 unchanged\n");

    const std::string cancelled = event(
        "RECURRENCE-ID:20260303T090000Z\r\nDTSTART:20260303T090000Z\r\nDURATION:PT1H\r\nSTATUS:CANCELLED\r\n" + people
    );
    const Answer dry = import(calendar(series + cancelled), {"--dry-run"});
    EXPECT_EQ(dry.out.find("Would change 1 of 3 meetings.\n"), 0U) << dry.out;
    EXPECT_EQ(import(calendar(series + cancelled)).status, 0);
    EXPECT_EQ(ask("SELECT group_concat(id) FROM meeting WHERE status = 'cancelled'"), "m#20260303T090000Z");

    const Answer bad = import(calendar(event("DTSTART:soon\r\nDURATION:PT1H\r\n", "x") + series), {"--prune"});
    EXPECT_EQ(bad.status, 1);
    EXPECT_NE(bad.err.find(file + ":3: DTSTART: "), std::string::npos) << bad.err;
    EXPECT_EQ(ask("SELECT count(*) FROM meeting"), "3");
    EXPECT_EQ(import(calendar(series), {"--prune", "--until", "+26h"}).status, 0);
    EXPECT_EQ(ask("SELECT count(*) FROM meeting"), "2");
    EXPECT_EQ(ask("SELECT count(*) FROM participant"), "2");
    const Answer all_gone = import(calendar(""), {"--prune"});
    EXPECT_EQ(all_gone.status, 1) << "it would delete everything";
    EXPECT_NE(all_gone.err.find("--force"), std::string::npos) << all_gone.err;
    EXPECT_EQ(ask("SELECT count(*) FROM meeting"), "2");
}

/// As iTIP does: by the series' id alone.
TEST_F(CalendarImport, ASeriesIsCancelledAsAWhole)
{
    ASSERT_EQ(test::call_usherctl({"--db", folder.file("usher.db"), "init"}).status, 0);
    const std::string people = "ATTENDEE;CN=Ann:mailto:ann@example.org\r\n";
    const std::string daily = "DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;COUNT=3\r\n" + people;
    ASSERT_EQ(
        import(
            calendar(event(daily) + event(daily, "m#2") + event("DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\n", "one"))
        )
            .status,
        0
    );
    const std::string whole =
        event("DTSTART:20260302T090000Z\r\n" + people) + event("DTSTART:20260302T090000Z\r\n", "one");

    const Answer answer = import(calendar(whole, "METHOD:CANCEL\r\n"));

    EXPECT_EQ(answer.status, 0) << answer.err;
    EXPECT_EQ(
        ask("SELECT group_concat(id, ' ') FROM (SELECT id FROM meeting WHERE status = 'cancelled' ORDER BY id)"),
        "m#20260302T090000Z m#20260303T090000Z m#20260304T090000Z one"
    );
    EXPECT_EQ(ask("SELECT count(*) FROM meeting"), "7");
    EXPECT_EQ(ask("SELECT count(*) FROM participant"), "6");
}

TEST_F(CalendarImport, ACalendarWithoutAnEventInTimeChangesNothingAndSaysSo)
{
    ASSERT_EQ(test::call_usherctl({"--db", folder.file("usher.db"), "init"}).status, 0);
    const Answer nothing = import(calendar(""));
    EXPECT_EQ(nothing.status, 0) << nothing.err;
    EXPECT_EQ(nothing.err, "");
    const std::string late = event("DTSTART:20990302T090000Z\r\nDURATION:PT1H\r\nATTENDEE:mailto:ann@example.org\r\n");
    for (std::vector<std::string> const& options :
         {std::vector<std::string>{}, std::vector<std::string>{"--dry-run"}}) {
        const Answer answer = import(calendar(late), options);
        EXPECT_EQ(answer.status, 0) << answer.err;
        EXPECT_NE(answer.out.find("1 event is over, or begins after 2026-05-31T08:00:00Z"), std::string::npos)
            << answer.out;
    }
    EXPECT_EQ(import(calendar(late), {"--until", "2099-12-01T00:00:00Z"}).status, 2) << "too far";
    EXPECT_EQ(ask("SELECT count(*) FROM meeting"), "0");
}

TEST_F(CalendarImport, TheHorizonIsBounded)
{
    for (const std::string until : {"+0s", "+1831d", "soon", "2020-01-01T00:00:00Z"})
        EXPECT_EQ(import(calendar(""), {"--until", until}).status, 2) << until;
    EXPECT_EQ(import(calendar(""), {"--meetings", file}).status, 2);
    EXPECT_EQ(import(calendar(""), {"--shift-start", "+5m"}).status, 2);
    EXPECT_EQ(
        test::call_usherctl({"--db", "x", "import", "--meetings", file, "--until", "+1d"}, {0, false, now}).status, 2
    );
}

} // namespace
} // namespace usher::ctl
