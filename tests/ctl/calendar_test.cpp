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
constexpr CalendarWindow window{now, now + 90 * 24h};

std::string calendar(std::string const& events, std::string const& head = {})
{
    return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + head + events + "END:VCALENDAR\r\n";
}

std::string event(std::string const& lines, std::string const& uid = "m")
{
    return "BEGIN:VEVENT\r\nUID:" + uid + "\r\n" + lines + "END:VEVENT\r\n";
}

/// `known`: what the database has.
Calendar read(std::string const& text, CalendarLimits limits = {}, KnownMeetings const& known = {})
{
    std::istringstream in{text};
    auto result = read_calendar(
        in, "c.ics", window, [&](Uids const&) { return known; }, limits
    );
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

std::string text_of(std::vector<CalendarProblem> const& problems)
{
    std::string text;
    for (CalendarProblem const& problem : problems)
        text += (text.empty() ? "" : "; ") + std::to_string(problem.line) + ": " + problem.reason;
    return text;
}

std::string problems_of(Calendar const& calendar)
{
    return text_of(calendar.problems);
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
    EXPECT_EQ(text_of(read_back.notes), "");
}

constexpr char const* berlin = "BEGIN:VTIMEZONE\r\nTZID:Ours\r\nBEGIN:STANDARD\r\nDTSTART:19701025T030000\r\n"
                               "TZOFFSETFROM:+0500\r\nTZOFFSETTO:+0500\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n";

/// The clocks of Sydney show the hour from 02:00 to 03:00 of 2026-04-05 twice.
constexpr char const* sydney = "BEGIN:VTIMEZONE\r\nTZID:S\r\nBEGIN:DAYLIGHT\r\nDTSTART:20081005T020000\r\n"
                               "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=1SU\r\nTZOFFSETFROM:+1000\r\n"
                               "TZOFFSETTO:+1100\r\nEND:DAYLIGHT\r\nBEGIN:STANDARD\r\nDTSTART:20080406T030000\r\n"
                               "RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1SU\r\nTZOFFSETFROM:+1100\r\n"
                               "TZOFFSETTO:+1000\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n";

INSTANTIATE_TEST_SUITE_P(
    Twice, Events,
    testing::Values(
        Case{
            "a_start", calendar(event("DTSTART;TZID=Australia/Sydney:20260405T023000\r\nDURATION:PT1H\r\n")),
            "m 2026-04-04T15:30:00Z 2026-04-04T16:30:00Z scheduled"},
        Case{
            "a_start_in_a_zone_of_the_file",
            calendar(sydney + event("DTSTART;TZID=S:20260405T023000\r\nDURATION:PT1H\r\n")),
            "m 2026-04-04T15:30:00Z 2026-04-04T16:30:00Z scheduled"},
        Case{
            "an_end",
            calendar(event("DTSTART;TZID=Australia/Sydney:20260405T013000\r\n"
                           "DTEND;TZID=Australia/Sydney:20260405T023000\r\n")),
            "m 2026-04-04T14:30:00Z 2026-04-04T15:30:00Z scheduled"},
        Case{
            "an_end_behind",
            calendar(sydney + event("DTSTART;TZID=S:20260405T013000\r\nDTEND;TZID=S:20260405T033000\r\n")),
            "m 2026-04-04T14:30:00Z 2026-04-04T17:30:00Z scheduled"},
        Case{
            "a_series",
            calendar(event("DTSTART;TZID=Australia/Sydney:20260404T023000\r\nDURATION:PT1H\r\n"
                           "RRULE:FREQ=DAILY;UNTIL=20260406T023000\r\n")),
            "m#20260403T153000Z 2026-04-03T15:30:00Z 2026-04-03T16:30:00Z scheduled; "
            "m#20260404T153000Z 2026-04-04T15:30:00Z 2026-04-04T16:30:00Z scheduled; "
            "m#20260405T163000Z 2026-04-05T16:30:00Z 2026-04-05T17:30:00Z scheduled"},
        Case{
            "the_last_of_a_series",
            calendar(event("DTSTART;TZID=Australia/Sydney:20260404T023000\r\nDURATION:PT1H\r\n"
                           "RRULE:FREQ=DAILY;UNTIL=20260404T153000Z\r\n")),
            "m#20260403T153000Z 2026-04-03T15:30:00Z 2026-04-03T16:30:00Z scheduled; "
            "m#20260404T153000Z 2026-04-04T15:30:00Z 2026-04-04T16:30:00Z scheduled"},
        Case{
            "exceptions",
            calendar(event(
                "DTSTART;TZID=Australia/Sydney:20260403T023000\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;COUNT=3\r\n"
                "EXDATE;TZID=Australia/Sydney:20260405T023000\r\nEXDATE;TZID=Australia/Sydney:20260403T023000\r\n"
            )),
            "m#20260403T153000Z 2026-04-03T15:30:00Z 2026-04-03T16:30:00Z scheduled"},
        Case{
            "an_occurrence_that_is_moved",
            calendar(
                event("DTSTART;TZID=Australia/Sydney:20260405T023000\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;COUNT=1\r\n"
                ) +
                event("RECURRENCE-ID;TZID=Australia/Sydney:20260405T023000\r\nDTSTART:20260410T090000Z\r\n"
                      "DURATION:PT1H\r\n")
            ),
            "m#20260404T153000Z 2026-04-10T09:00:00Z 2026-04-10T10:00:00Z scheduled"}
    ),
    [](auto const& test) { return std::string{test.param.name}; }
);

INSTANTIATE_TEST_SUITE_P(
    Durations, Events,
    testing::Values(
        Case{
            "a_day_over_the_change_of_the_clocks",
            calendar(event("DTSTART;TZID=Europe/Berlin:20260328T120000\r\nDURATION:P1D\r\n")),
            "m 2026-03-28T11:00:00Z 2026-03-29T10:00:00Z scheduled"},
        Case{
            "hours_over_the_change_of_the_clocks",
            calendar(event("DTSTART;TZID=Europe/Berlin:20260328T120000\r\nDURATION:PT24H\r\n")),
            "m 2026-03-28T11:00:00Z 2026-03-29T11:00:00Z scheduled"},
        Case{
            "a_day_and_hours", calendar(event("DTSTART;TZID=Europe/Berlin:20260328T120000\r\nDURATION:P1DT2H\r\n")),
            "m 2026-03-28T11:00:00Z 2026-03-29T12:00:00Z scheduled"},
        Case{
            "a_week", calendar(event("DTSTART;TZID=Europe/Berlin:20260327T120000\r\nDURATION:P1W\r\n")),
            "m 2026-03-27T11:00:00Z 2026-04-03T10:00:00Z scheduled"},
        Case{
            "whole_days",
            calendar(event("DTSTART;VALUE=DATE:20260328\r\nDURATION:P2D\r\n"), "X-WR-TIMEZONE:Europe/Berlin\r\n"),
            "m 2026-03-27T23:00:00Z 2026-03-29T22:00:00Z scheduled"},
        Case{
            "each_of_a_series",
            calendar(event("DTSTART;TZID=Europe/Berlin:20260327T120000\r\nDURATION:P1D\r\nRRULE:FREQ=DAILY;COUNT=2\r\n")
            ),
            "m#20260327T110000Z 2026-03-27T11:00:00Z 2026-03-28T11:00:00Z scheduled; "
            "m#20260328T110000Z 2026-03-28T11:00:00Z 2026-03-29T10:00:00Z scheduled"}
    ),
    [](auto const& test) { return std::string{test.param.name}; }
);

constexpr char const* at_nine = "DTSTART:20260302T090000\r\nDURATION:PT1H\r\n";

INSTANTIATE_TEST_SUITE_P(
    Calendars, Events,
    testing::Values(
        Case{
            "each_has_its_zone",
            calendar(event(at_nine, "b"), "X-WR-TIMEZONE:Europe/Berlin\r\n") +
                calendar(event(at_nine, "n"), "X-WR-TIMEZONE;VALUE=TEXT:America/New_York\r\n") +
                calendar(event(at_nine, "u")),
            "b 2026-03-02T08:00:00Z 2026-03-02T09:00:00Z scheduled; "
            "n 2026-03-02T14:00:00Z 2026-03-02T15:00:00Z scheduled; "
            "u 2026-03-02T09:00:00Z 2026-03-02T10:00:00Z scheduled"},
        Case{
            "each_has_its_zones",
            calendar(sydney + event("DTSTART;TZID=S:20260302T200000\r\nDURATION:PT1H\r\n", "s")) +
                calendar(
                    "BEGIN:VTIMEZONE\r\nTZID:S\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:-0500\r\n"
                    "TZOFFSETTO:-0500\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n" +
                    event("DTSTART;TZID=S:20260302T200000\r\nDURATION:PT1H\r\n", "t")
                ),
            "s 2026-03-02T09:00:00Z 2026-03-02T10:00:00Z scheduled; "
            "t 2026-03-03T01:00:00Z 2026-03-03T02:00:00Z scheduled"},
        Case{
            "each_has_its_method",
            calendar(event("", "gone"), "METHOD:CANCEL \r\n") + calendar(event(at_nine), "METHOD:REQUEST\r\n") +
                calendar(event("", "gone2"), "METHOD;X-A=\"b:c\":can\r\n cel\r\n") + calendar(event(at_nine, "n")),
            "m 2026-03-02T09:00:00Z 2026-03-02T10:00:00Z scheduled; "
            "n 2026-03-02T09:00:00Z 2026-03-02T10:00:00Z scheduled"},
        Case{
            "a_zone_behind_its_owner",
            calendar(event("DTSTART;TZID=\"/example.org/2026_1/Europe/Berlin\":20260302T090000\r\nDURATION:PT1H\r\n")),
            "m 2026-03-02T08:00:00Z 2026-03-02T09:00:00Z scheduled"},
        Case{
            "blanks_at_the_end_of_begin",
            "BEGIN:VCALENDAR \r\nBEGIN:VEVENT \r\nUID:m\r\n" + std::string{at_nine} +
                "END:VEVENT \r\nEND:VCALENDAR \r\n",
            "m 2026-03-02T09:00:00Z 2026-03-02T10:00:00Z scheduled"},
        Case{
            "an_alarm_with_a_start_of_its_own_and_things_to_do",
            calendar(
                "BEGIN:VTODO\r\nUID:t\r\nDUE:20260302T090000Z\r\nEND:VTODO\r\n" +
                event(
                    std::string{"BEGIN:VALARM\r\nTRIGGER:-PT5M\r\nDTSTART:19990101T000000Z\r\nDURATION:PT5M\r\n"
                                "ATTENDEE:mailto:\"a\r\nEND:VALARM\r\n"} +
                    at_nine
                )
            ),
            "m 2026-03-02T09:00:00Z 2026-03-02T10:00:00Z scheduled"}
    ),
    [](auto const& test) { return std::string{test.param.name}; }
);

INSTANTIATE_TEST_SUITE_P(
    Days, Events,
    testing::Values(
        Case{
            "an_exception_for_a_day",
            calendar(event("DTSTART;TZID=America/New_York:20260302T210000\r\nDURATION:PT1H\r\n"
                           "RRULE:FREQ=DAILY;COUNT=3\r\nEXDATE;VALUE=DATE:20260303\r\n")),
            "m#20260303T020000Z 2026-03-03T02:00:00Z 2026-03-03T03:00:00Z scheduled; "
            "m#20260305T020000Z 2026-03-05T02:00:00Z 2026-03-05T03:00:00Z scheduled"},
        Case{
            "an_occurrence_that_is_named_by_its_day",
            calendar(
                event("DTSTART;TZID=America/New_York:20260302T210000\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;COUNT=2\r\n"
                ) +
                event("RECURRENCE-ID;VALUE=DATE:20260303\r\nDTSTART:20260310T090000Z\r\nDURATION:PT1H\r\n")
            ),
            "m#20260304T020000Z 2026-03-10T09:00:00Z 2026-03-10T10:00:00Z scheduled; "
            "m#20260303T020000Z 2026-03-03T02:00:00Z 2026-03-03T03:00:00Z scheduled"},
        Case{
            "an_occurrence_that_is_excepted_and_moved",
            calendar(
                event("DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;COUNT=2\r\n"
                      "EXDATE:20260303T090000Z\r\n") +
                event("RECURRENCE-ID:20260303T090000Z\r\nDTSTART:20260310T090000Z\r\nDURATION:PT1H\r\n")
            ),
            "m#20260303T090000Z 2026-03-10T09:00:00Z 2026-03-10T10:00:00Z scheduled; "
            "m#20260302T090000Z 2026-03-02T09:00:00Z 2026-03-02T10:00:00Z scheduled"},
        Case{
            "until_a_day",
            calendar(event("DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;UNTIL=20260303\r\n")),
            "m#20260302T090000Z 2026-03-02T09:00:00Z 2026-03-02T10:00:00Z scheduled; "
            "m#20260303T090000Z 2026-03-03T09:00:00Z 2026-03-03T10:00:00Z scheduled"}
    ),
    [](auto const& test) { return std::string{test.param.name}; }
);

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
        {event("DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\nSUMMARY:B\xfcro\r\n"), "8: SUMMARY: is not UTF-8"},
        {event("DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\n", "\xfc"), "8: UID: is not UTF-8"},
        {event("DTSTART;TZID=\"Europe/Berlin:20260302T090000\r\nDURATION:PT1H\r\n"),
         "8: DTSTART: its parameters cannot be read; look for a stray quotation mark"},
        {event("DTSTART:20260302T090000Z\r\nDTEND:20260302T100000Z\r\nDTEND:20260302T110000Z\r\n"),
         "8: DTEND: is there more than once"},
        {event("DTSTART:20260302T090000Z\r\nDTEND:20260302T100000Z\r\nDURATION:PT1H\r\n"),
         "8: DTEND: is there, and DURATION, too"},
        {event("DTSTART:20260302T090000Z\r\nDTEND:20260302T080000Z\r\n"), "8: DTEND: is not after the start, 2026"},
        {event("DTSTART:20260302T090000Z\r\nDURATION:-P1D\r\n"), "8: DTEND: is not after the start, 2026"},
        {event("DTSTART;TZID=W. Europe Standard Time:20260302T090000\r\nDURATION:PT1H\r\n"),
         "8: DTSTART: TZID W. Europe Standard Time is neither"},
        {event("DTSTART;TZID=../zoneinfo/Europe/Berlin:20260302T090000\r\nDURATION:PT1H\r\n"),
         "8: DTSTART: TZID ../zoneinfo/Europe/Berlin is neither"},
        {event("DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\nRDATE;VALUE=DATE:20260303\r\n"),
         "8: RDATE: is a whole day and DTSTART is none"},
        {event("DTSTART;VALUE=DATE:20260302\r\nRRULE:FREQ=HOURLY\r\n"), "8: RRULE: whole days do not recur each hour"},
        {event("DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=WEEKLY;BYMONTHDAY=1\r\n"),
         "8: RRULE: BYMONTHDAY does not go with FREQ=WEEKLY"},
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
    EXPECT_EQ(problems_of(read(often, {.occurrences = 114 * 24})), "") << "those that are over do not count";
    EXPECT_EQ(
        problems_of(read(often, {.occurrences = 90 * 24})), "3: RRULE: has more than 2160 occurrences before --until"
    );
    EXPECT_EQ(problems_of(read(often, {.time = 0s})), "3: RRULE: the rules of this file take too long");
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
        const auto result = read_calendar(
            in, "c.ics", window, [](Uids const&) { return KnownMeetings{}; }, limits
        );
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

TEST(CalendarRead, AFileThatIsCutOffIsNamed)
{
    std::string file = calendar(event(at_nine));
    file.resize(file.size() - std::string{"END:VCALENDAR\r\n"}.size());

    EXPECT_EQ(problems_of(read(file)), "1: VCALENDAR has no end");
    EXPECT_EQ(problems_of(read(file + calendar(event(at_nine, "n")))), "1: VCALENDAR has no end");
    EXPECT_EQ(problems_of(read(calendar("") + event(at_nine))), "4: VEVENT is in no VCALENDAR");
}

TEST(CalendarRead, AZoneOfACalendarThatIsNoneCostsItsEventsWithoutZones)
{
    const Calendar found = read(calendar(
        event(at_nine) + event("DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\n", "u"), "X-WR-TIMEZONE:Nowhere\r\n"
    ));

    EXPECT_EQ(meetings_of(found), "u 2026-03-02T09:00:00Z 2026-03-02T10:00:00Z scheduled");
    EXPECT_EQ(
        problems_of(found), "4: DTSTART: has no zone, and X-WR-TIMEZONE Nowhere is neither in the file nor one of this "
                            "system's zones"
    );
}

TEST(CalendarRead, AZoneWithoutOffsetsIsNoZone)
{
    for (std::string const& part :
         {std::string{}, std::string{"BEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nEND:STANDARD\r\n"}}) {
        const Calendar found = read(calendar(
            "BEGIN:VTIMEZONE\r\nTZID:Z\r\n" + part + "END:VTIMEZONE\r\n" +
            event("DTSTART;TZID=Z:20260302T090000\r\nDURATION:PT1H\r\n")
        ));
        EXPECT_EQ(found.meetings.size(), 0U);
        EXPECT_THAT(problems_of(found), testing::StartsWith("3: VTIMEZONE has no STANDARD or DAYLIGHT with DTSTART"));
    }
}

TEST(CalendarRead, ADayOfASeriesNeedsNoZone)
{
    const Calendar found = read(calendar(
        event("DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;COUNT=3\r\nEXDATE;VALUE=DATE:20260303\r\n"
        ),
        "X-WR-TIMEZONE:Nowhere\r\n"
    ));

    EXPECT_EQ(problems_of(found), "");
    EXPECT_TRUE(found.without_zone.empty());
    EXPECT_EQ(found.meetings.size(), 2U);
}

TEST(CalendarRead, OnlyTheOrganizersWordCounts)
{
    for (const std::string method : {"COUNTER", "REPLY", "REFRESH", "DECLINECOUNTER", "ADD", "reply "}) {
        const Calendar found =
            read(calendar(event(at_nine), "METHOD:" + method + "\r\n") + calendar(event(at_nine, "n")));
        EXPECT_EQ(meetings_of(found), "n 2026-03-02T09:00:00Z 2026-03-02T10:00:00Z scheduled") << method;
        EXPECT_THAT(problems_of(found), testing::StartsWith("1: METHOD: ")) << method;
        EXPECT_EQ(found.problems.size(), 1U);
    }
    EXPECT_EQ(read(calendar(event(at_nine), "METHOD:PUBLISH \r\n")).meetings.size(), 1U);
}

TEST(CalendarRead, OfTwoVersionsTheNewerCounts)
{
    const auto version = [](char const* sequence, char const* stamp, char const* start) {
        return event(
            std::string{"SEQUENCE:"} + sequence + "\r\nDTSTAMP:" + stamp + "\r\nDTSTART:" + start +
            "\r\nDURATION:PT1H\r\n"
        );
    };
    const std::string first = version("1", "20260102T000000Z", "20260302T090000Z");
    const std::string second = version("2", "20260101T000000Z", "20260302T110000Z");
    const std::string third = version("2", "20260101T000001Z", "20260302T130000Z");

    for (std::string const& order : {first + second + third, third + second + first, second + third + first})
        EXPECT_EQ(meetings_of(read(calendar(order))), "m 2026-03-02T13:00:00Z 2026-03-02T14:00:00Z scheduled");
    EXPECT_EQ(text_of(read(calendar(first + second)).notes), "3: UID: m: line 10 has a newer version");
    EXPECT_EQ(
        problems_of(read(calendar(first + first))), "10: UID: there is another event with this UID, that of line 3"
    );
    EXPECT_EQ(
        problems_of(read(calendar(
            event("RECURRENCE-ID:20260303T090000Z\r\nDTSTART:20260303T120000Z\r\nDURATION:PT1H\r\n") +
            event("RECURRENCE-ID:20260303T090000Z\r\nDTSTART:20260303T130000Z\r\nDURATION:PT1H\r\n")
        ))),
        "9: RECURRENCE-ID: there is another event for this occurrence, that of line 3"
    );
}

TEST(CalendarRead, WhatMatchesNoOccurrenceIsNoted)
{
    const std::string series = "DTSTART:20260303T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;COUNT=3\r\n";
    const auto notes = [&](std::string const& more, std::string const& others = {}) {
        return text_of(read(calendar(event(series + more) + others)).notes);
    };
    EXPECT_EQ(
        notes("EXDATE:20260304T093000Z\r\n"),
        "3: EXDATE: 2026-03-04T09:30:00Z: no occurrence begins then; all stay as they are"
    );
    EXPECT_EQ(
        notes("EXDATE;VALUE=DATE:20260310\r\n"),
        "3: EXDATE: 2026-03-10: no occurrence begins then; all stay as they are"
    );
    EXPECT_EQ(notes("EXDATE:20260301T070000Z\r\n"), "") << "it is over";
    EXPECT_EQ(notes("EXDATE:20270301T070000Z\r\n"), "") << "it is far away";
    const auto moved = [](char const* from) {
        return event(std::string{"RECURRENCE-ID"} + from + "\r\nDTSTART:20260306T120000Z\r\nDURATION:PT1H\r\n");
    };
    EXPECT_EQ(
        notes("", moved(":20260304T093000Z")),
        "9: RECURRENCE-ID: 20260304T093000Z: no occurrence of the series begins then; the event is one more"
    );
    EXPECT_EQ(
        notes("", moved(";VALUE=DATE:20260309")),
        "9: RECURRENCE-ID: 20260309: no occurrence of the series begins then; the event is one more"
    );
    const KnownMeetings known{{"m#20260304T090000Z", {}}};
    EXPECT_EQ(text_of(read(calendar(moved(":20260304T090000Z")), {}, known).notes), "");
    EXPECT_EQ(
        text_of(read(calendar(event("RECURRENCE-ID:20260304T093000Z\r\n"), "METHOD:CANCEL\r\n"), {}, known).notes),
        "4: RECURRENCE-ID: 20260304T093000Z: no occurrence of the series begins then; nothing is cancelled"
    );
    EXPECT_EQ(text_of(read(calendar(moved(":20260304T093000Z"))).notes), "") << "nothing is known of its series";
    EXPECT_EQ(
        problems_of(read(calendar(
            event("DTSTART:20260303T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=HOURLY;COUNT=3\r\n") +
            moved(";VALUE=DATE:20260303")
        ))),
        "9: RECURRENCE-ID: is a day with several occurrences; name one with its time"
    );
}

TEST(CalendarRead, EachPersonThatIsUnusableIsNamed)
{
    const Calendar found = read(calendar(
        event("DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;COUNT=2\r\n"
              "ATTENDEE:mailto: ann@x\r\nATTENDEE;RSVP=TRUE:mailto:\r\nATTENDEE;CN=Bad\"q:mailto:bob@x\r\n"
              "ATTENDEE;CN=\"Open:mailto:cy@x\r\nATTENDEE;CN=\"A\"b:mailto:d@x\r\nATTENDEE:\"mailto:e@x\"\r\n"
              "ATTENDEE:mailto:<f@x>\r\nATTENDEE:invalid:nomail\r\nATTENDEE;CN=J\xfcrgen:mailto:g@x\r\n"
              "ORGANIZER;CN=\"Olga:mailto:o@x\r\n"
              "ATTENDEE;CN=\"Doe, J:x;y ^'q^'\":mailto:good@x\r\nATTENDEE;CN=M\xc3\r\n \xbcller:mailto:folded@x\r\n")
    ));

    std::string people;
    for (auto const& row : found.participants)
        people += std::get<std::string>(row.values[1]) + " " + std::get<std::string>(row.values[2]) + "\n";
    EXPECT_EQ(
        people, "folded@x M\xc3\xbcller\ngood@x Doe, J:x;y \"q\"\nfolded@x M\xc3\xbcller\ngood@x Doe, J:x;y \"q\"\n"
    );
    EXPECT_EQ(found.problems.size(), 10U) << problems_of(found);
    EXPECT_THAT(
        problems_of(found),
        testing::StartsWith(
            "3: ATTENDEE: \" ann@x\": is no address; the person is left out; "
            "3: ATTENDEE: \"\": is no address; the person is left out; "
            "3: ATTENDEE: \"CN=Bad\\\"q:mailto:bob@x\": has a stray quotation mark; the person is left out; "
        )
    );
    EXPECT_THAT(problems_of(found), HasSubstr("is not UTF-8; the person is left out"));
    EXPECT_THAT(problems_of(found), HasSubstr("ORGANIZER: "));
}

TEST(CalendarRead, OnlyAnInstantMakesAnOccurrencesId)
{
    EXPECT_EQ(uid_of_occurrence("room#20260302T090000Z"), "room");
    EXPECT_EQ(uid_of_occurrence("room#20260302"), "room");
    EXPECT_EQ(uid_of_occurrence("a#1#20260302"), "a#1");
    for (char const* const id :
         {"room", "room#1", "room#", "room#2026030", "room#202603021", "room#20261302", "room#20260302T090000",
          "room#20260302T250000Z", "room#2026-03-02", "room#20260302 090000Z"})
        EXPECT_FALSE(uid_of_occurrence(id)) << id;
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
    EXPECT_EQ(ask("SELECT count(*) FROM meeting"), "3") << "the file has what begins later, too";
    const std::string shorter =
        event("DTSTART:20260302T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;COUNT=2\r\n" + people);
    EXPECT_EQ(import(calendar(shorter), {"--prune"}).status, 0);
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

constexpr char const* of_ids = "SELECT group_concat(id || ' ' || status, '; ') FROM (SELECT id, status FROM meeting "
                               "ORDER BY id)";
constexpr char const* of_times =
    "SELECT group_concat(id || ' ' || datetime(starts_at, 'unixepoch'), '; ') FROM (SELECT "
    "id, starts_at FROM meeting ORDER BY id)";
constexpr char const* hour = "DURATION:PT1H\r\n";

TEST_F(CalendarImport, ACancelledSeriesIsCancelledWhateverRuleItHasNow)
{
    for (const std::string lines :
         {"DTSTART:20260401T100000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=WEEKLY;COUNT=2\r\n",
          "DTSTART:20260303T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=MINUTELY\r\n",
          "DTSTART;TZID=Nowhere:20260303T090000\r\n",
          "DTSTART:20260303T090000Z\r\nDTEND:20260303T090000Z\r\nRRULE:FREQ=DAILY\r\n", ""}) {
        SCOPED_TRACE(lines);
        test::call_usherctl({"--db", file + ".db", "init"});
        const auto load = [&](std::string const& text, std::vector<std::string> const& more = {}) {
            std::ofstream{file, std::ios::binary} << text;
            std::vector<std::string> words{"--db", file + ".db", "import", "--ics", file};
            words.insert(words.end(), more.begin(), more.end());
            return test::call_usherctl(words, {0, false, now});
        };
        const std::string people = "ATTENDEE:mailto:ann@x\r\n";
        ASSERT_EQ(
            load(
                calendar(
                    event(
                        "DTSTART:20260301T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=MONTHLY;COUNT=8\r\n" + people, "room"
                    ) +
                    event("DTSTART:20260303T090000Z\r\nDURATION:PT1H\r\n" + people, "room#1") +
                    event("DTSTART:20260303T090000Z\r\nDURATION:PT1H\r\n" + people, "room2")
                ),
                {"--until", "+200d"}
            )
                .status,
            0
        );

        const Answer answer = load(
            calendar(event(lines + people + "ATTENDEE:mailto:new@x\r\n", "room"), "METHOD:CANCEL\r\n"),
            {"--until", "+10d"}
        );

        EXPECT_EQ(answer.status, 0) << answer.err;
        SQLite::Database database{file + ".db", SQLite::OPEN_READWRITE};
        EXPECT_EQ(
            database.execAndGet(of_ids).getString(),
            "room#1 scheduled; room#20260301T090000Z scheduled; room#20260401T090000Z cancelled; "
            "room#20260501T090000Z cancelled; room#20260601T090000Z cancelled; room#20260701T090000Z cancelled; "
            "room#20260801T090000Z cancelled; room#20260901T090000Z cancelled; room2 scheduled"
        );
        EXPECT_EQ(database.execAndGet("SELECT count(*) FROM participant").getInt(), 9);
        database.exec("DELETE FROM participant");
        database.exec("DELETE FROM meeting");
    }
}

TEST_F(CalendarImport, ACancellationAddsNothing)
{
    ASSERT_EQ(test::call_usherctl({"--db", folder.file("usher.db"), "init"}).status, 0);
    const std::string series = "DTSTART:20260303T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;COUNT=3\r\n";
    const std::string people = "ATTENDEE:mailto:ann@x\r\n";

    EXPECT_EQ(
        import(calendar(event(series + people), "METHOD:CANCEL\r\n")).out, "Done.\nmeetings   none\npeople     none\n"
    );
    EXPECT_EQ(import(calendar(event(series + people + "STATUS:CANCELLED\r\n"))).status, 0);
    EXPECT_EQ(
        import(calendar(event(series) + event("RECURRENCE-ID:20260304T090000Z\r\nSTATUS:CANCELLED\r\n" + people)))
            .status,
        0
    );

    EXPECT_EQ(ask(of_ids), "m#20260303T090000Z scheduled; m#20260305T090000Z scheduled");
    EXPECT_EQ(ask("SELECT count(*) FROM participant"), "0");
}

TEST_F(CalendarImport, ACancelledSeriesHasNoOccurrenceOfItsOwnTime)
{
    ASSERT_EQ(test::call_usherctl({"--db", folder.file("usher.db"), "init"}).status, 0);
    const std::string series = "DTSTART:20260303T090000Z\r\nRRULE:FREQ=DAILY;COUNT=2\r\n" + std::string{hour};
    const std::string moved =
        event("RECURRENCE-ID:20260304T090000Z\r\nDTSTART:20260304T120000Z\r\n" + std::string{hour}) +
        event("RECURRENCE-ID:20260305T090000Z\r\nDTSTART:20260305T120000Z\r\n" + std::string{hour});
    ASSERT_EQ(import(calendar(event(series))).status, 0);

    EXPECT_EQ(import(calendar(event(series + "STATUS:CANCELLED\r\n") + moved)).status, 0);

    EXPECT_EQ(ask(of_ids), "m#20260303T090000Z cancelled; m#20260304T090000Z cancelled");
}

TEST_F(CalendarImport, ADayOfASeriesIsCancelledByItsNameOrDay)
{
    ASSERT_EQ(test::call_usherctl({"--db", folder.file("usher.db"), "init"}).status, 0);
    ASSERT_EQ(
        import(calendar(event("DTSTART;TZID=America/New_York:20260303T210000\r\nDURATION:PT1H\r\n"
                              "RRULE:FREQ=DAILY;COUNT=3\r\n")))
            .status,
        0
    );
    EXPECT_EQ(import(calendar(event("RECURRENCE-ID:20260304T020000Z\r\n"), "METHOD:CANCEL\r\n")).status, 0);
    EXPECT_EQ(
        import(calendar(
                   event("DTSTART;TZID=America/New_York:20260304T210000\r\nRECURRENCE-ID;VALUE=DATE:20260304\r\n"),
                   "METHOD:CANCEL\r\n"
               ))
            .status,
        0
    );
    EXPECT_EQ(ask(of_ids), "m#20260304T020000Z cancelled; m#20260305T020000Z cancelled; m#20260306T020000Z scheduled");
}

TEST_F(CalendarImport, WhatIsThereFollowsItsEventWhereverItGoes)
{
    ASSERT_EQ(test::call_usherctl({"--db", folder.file("usher.db"), "init"}).status, 0);
    const auto file_with = [](std::string const& later, std::string const& over, std::string const& moved) {
        return calendar(
            event("DTSTART:" + later + "\r\n" + hour, "later") + event("DTSTART:" + over + "\r\n" + hour, "over") +
            event("DTSTART:20260302T090000Z\r\nRRULE:FREQ=DAILY;COUNT=2\r\n" + std::string{hour}, "s") +
            event("RECURRENCE-ID:20260303T090000Z\r\nDTSTART:" + moved + "\r\n" + hour, "s")
        );
    };
    ASSERT_EQ(import(file_with("20260305T090000Z", "20260306T090000Z", "20260303T100000Z")).status, 0);

    const Answer answer = import(file_with("20270305T090000Z", "20260206T090000Z", "20270303T100000Z"), {"--prune"});

    EXPECT_EQ(answer.status, 0) << answer.err;
    EXPECT_EQ(answer.out, "Done.\nmeetings   3 changed, 1 unchanged\npeople     none\n");
    EXPECT_EQ(
        ask(of_times), "later 2027-03-05 09:00:00; over 2026-02-06 09:00:00; s#20260302T090000Z 2026-03-02 09:00:00; "
                       "s#20260303T090000Z 2027-03-03 10:00:00"
    );
}

TEST_F(CalendarImport, PrunesOnlyWhatTheFileDoesNotHave)
{
    ASSERT_EQ(test::call_usherctl({"--db", folder.file("usher.db"), "init"}).status, 0);
    const std::string people = "ATTENDEE:mailto:ann@x\r\n";
    const std::string all =
        event("DTSTART:20260301T090000Z\r\nRRULE:FREQ=MONTHLY;COUNT=12\r\n" + people + hour, "series") +
        event("DTSTART:20260815T090000Z\r\n" + people + hour, "late") +
        event("DTSTART:20260301T090000Z\r\n" + people + hour, "over") +
        event("DTSTART:20260309T090000Z\r\n" + people + hour, "called_off");
    ASSERT_EQ(
        import(calendar(all + event("DTSTART:20260303T090000Z\r\n" + people + hour, "gone")), {"--until", "+400d"})
            .status,
        0
    );
    ASSERT_EQ(ask("SELECT count(*) FROM participant"), "16");
    SQLite::Database{folder.file("usher.db"), SQLite::OPEN_READWRITE}.exec(
        "UPDATE meeting SET starts_at = starts_at - 864000, ends_at = ends_at - 864000 WHERE id = 'over'"
    );
    const std::string again =
        event("DTSTART:20260301T090000Z\r\nRRULE:FREQ=MONTHLY;COUNT=12\r\n" + people + hour, "series") +
        event("DTSTART:20260815T090000Z\r\n" + people + hour, "late") +
        event("DTSTART:20260219T090000Z\r\n" + people + hour, "over") +
        event("STATUS:CANCELLED\r\nDTSTART:20260309T090000Z\r\n", "called_off");

    const Answer answer = import(calendar(again), {"--prune", "--until", "+10d"});

    EXPECT_EQ(answer.status, 0) << answer.err;
    EXPECT_EQ(ask("SELECT count(*) FROM meeting WHERE id LIKE 'series%'"), "12");
    EXPECT_EQ(
        ask("SELECT group_concat(id || ' ' || status) FROM (SELECT * FROM meeting WHERE id NOT LIKE 'series%' ORDER BY "
            "id)"),
        "called_off cancelled,late scheduled,over scheduled"
    );
    EXPECT_EQ(ask("SELECT count(*) FROM participant"), "15");
}

TEST_F(CalendarImport, WhatIsOverIsEnoughToPruneTheRest)
{
    ASSERT_EQ(test::call_usherctl({"--db", folder.file("usher.db"), "init"}).status, 0);
    const std::string over = event("DTSTART:20260301T090000Z\r\n" + std::string{hour}, "over");
    ASSERT_EQ(import(calendar(over + event("DTSTART:20260303T090000Z\r\n" + std::string{hour}))).status, 0);
    SQLite::Database{folder.file("usher.db"), SQLite::OPEN_READWRITE}.exec(
        "UPDATE meeting SET starts_at = starts_at - 864000, ends_at = ends_at - 864000 WHERE id = 'over'"
    );

    const Answer answer =
        import(calendar(event("DTSTART:20260201T090000Z\r\n" + std::string{hour}, "over")), {"--prune"});

    EXPECT_EQ(answer.status, 0) << answer.err;
    EXPECT_EQ(ask(of_ids), "over scheduled");
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
