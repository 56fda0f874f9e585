// SPDX-License-Identifier: Apache-2.0
// Recurrence rules of calendars. The expected times are those of RFC 5545, or of python-dateutil.
#include <string>

#include <gtest/gtest.h>

#include <usher/core/time.hpp>

#include "recurrence.hpp"

namespace usher::ctl {
namespace {

/// `20260302T0900 20260303T0900 …`, at most ten.
std::string expanded(std::string const& rule_text, std::string const& start)
{
    const auto rule = parse_recurrence(rule_text);
    if (!rule)
        return rule.error();
    const auto instant = parse_iso8601(
        start.substr(0, 4) + "-" + start.substr(4, 2) + "-" + start.substr(6, 5) + ":" + start.substr(11, 2) + ":00Z"
    );
    const local_seconds begins{instant.value().time_since_epoch()};
    std::string times;
    int count = 0;
    each_recurrence(*rule, begins, false, begins + std::chrono::days{4000}, [&](local_seconds time) {
        std::string iso = to_iso8601(sys_seconds{time.time_since_epoch()}).substr(0, 16);
        std::erase_if(iso, [](char c) { return c == '-' || c == ':'; });
        times += (times.empty() ? "" : " ") + iso;
        return ++count < 10;
    });
    return times;
}

struct Rule {
    char const* name;
    char const* rule;
    char const* start;
    char const* expected;

    friend void PrintTo(Rule const& test, std::ostream* out) { *out << test.name; }
};

class Recurrence : public testing::TestWithParam<Rule> {};

TEST_P(Recurrence, IsAsRfc5545HasIt)
{
    EXPECT_EQ(expanded(GetParam().rule, GetParam().start), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Rules, Recurrence,
    testing::Values(
        Rule{"daily", "FREQ=DAILY;INTERVAL=10;COUNT=3", "20260302T0900", "20260302T0900 20260312T0900 20260322T0900"},
        Rule{
            "each_second_week_begun_on_monday", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "19970805T0900",
            "19970805T0900 19970810T0900 19970819T0900 19970824T0900"},
        Rule{
            "each_second_week_begun_on_sunday", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "19970805T0900",
            "19970805T0900 19970817T0900 19970819T0900 19970831T0900"},
        Rule{
            "each_fourth_week_begun_on_saturday", "FREQ=WEEKLY;INTERVAL=4;BYDAY=MO,WE;WKST=SA;COUNT=4", "20261209T0830",
            "20261209T0830 20270104T0830 20270106T0830 20270201T0830"},
        Rule{
            "each_second_week_begun_on_friday", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TH,FR;WKST=FR;COUNT=4", "20261203T0830",
            "20261203T0830 20261211T0830 20261217T0830 20261225T0830"},
        Rule{
            "the_last_day_of_months_by_days", "FREQ=DAILY;BYMONTHDAY=-1;COUNT=3", "20261130T0830",
            "20261130T0830 20261231T0830 20270131T0830"},
        Rule{
            "the_first_of_two_days_of_a_week", "FREQ=WEEKLY;BYDAY=TU,TH;BYSETPOS=1;COUNT=3", "20261201T0830",
            "20261201T0830 20261208T0830 20261215T0830"},
        Rule{
            "the_first_of_two_times_of_a_day", "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1;BYHOUR=9,14;COUNT=3", "20261207T0900",
            "20261207T0900 20270104T0900 20270201T0900"},
        Rule{
            "hours_of_some_days", "FREQ=HOURLY;BYHOUR=9,11;BYDAY=MO,TU;COUNT=5", "20261207T0900",
            "20261207T0900 20261207T1100 20261208T0900 20261208T1100 20261214T0900"},
        Rule{
            "the_last_week_over_new_year", "FREQ=YEARLY;BYWEEKNO=53;BYDAY=FR;COUNT=2", "20270101T0830",
            "20270101T0830 20321231T0830"},
        Rule{
            "week_52_over_new_year", "FREQ=YEARLY;BYWEEKNO=52;BYDAY=SU,MO;COUNT=6", "20261221T0830",
            "20261221T0830 20261227T0830 20271227T0830 20280102T0830 20281225T0830 20281231T0830"},
        Rule{
            "the_last_week_of_years_that_begin_weeks_on_saturday", "FREQ=YEARLY;WKST=SA;BYWEEKNO=-1;BYDAY=FR;COUNT=3",
            "20260102T0830", "20260102T0830 20270101T0830 20271231T0830"},
        Rule{
            "the_last_working_day", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=3", "20260529T0900",
            "20260529T0900 20260630T0900 20260731T0900"},
        Rule{
            "days_that_months_lack", "FREQ=MONTHLY;BYMONTHDAY=31;COUNT=3", "20260131T0900",
            "20260131T0900 20260331T0900 20260531T0900"},
        Rule{
            "the_day_of_the_start_that_months_lack", "FREQ=MONTHLY;COUNT=3", "20260131T0900",
            "20260131T0900 20260331T0900 20260531T0900"},
        Rule{
            "the_day_that_years_lack", "FREQ=YEARLY;COUNT=3", "20240229T0900",
            "20240229T0900 20280229T0900 20320229T0900"},
        Rule{
            "friday_the_13th", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=3", "20260213T0900",
            "20260213T0900 20260313T0900 20261113T0900"},
        Rule{
            "the_last_sunday_of_a_month", "FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU;COUNT=2", "20261025T0900",
            "20261025T0900 20271031T0900"},
        Rule{
            "the_20th_monday_of_the_year", "FREQ=YEARLY;BYDAY=20MO;COUNT=2", "20260518T0900",
            "20260518T0900 20270517T0900"},
        Rule{
            "days_of_the_year", "FREQ=YEARLY;BYYEARDAY=1,-1;COUNT=4", "20260101T0900",
            "20260101T0900 20261231T0900 20270101T0900 20271231T0900"},
        Rule{
            "a_start_that_the_rule_does_not_have_counts", "FREQ=WEEKLY;BYDAY=TU;COUNT=3", "20260302T0900",
            "20260302T0900 20260303T0900 20260310T0900"},
        Rule{"never", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31", "20260302T0900", "20260302T0900"},
        Rule{
            "small_letters_and_a_mark_and_a_blank_at_its_end", "freq=daily;count=1; ", "20260302T0900", "20260302T0900"}
    ),
    [](auto const& test) { return std::string{test.param.name}; }
);

TEST(RecurrenceRead, WhatIsDoubtfulIsRefusedByName)
{
    struct {
        char const* rule;
        char const* error;
    } const rows[] = {
        {"", "is no rule: it has no FREQ"},
        {"COUNT=3", "is no rule: it has no FREQ"},
        {"FREQ=OFTEN", "FREQ=OFTEN is no value"},
        {"FREQ=MINUTELY", "a meeting that recurs each second or minute is not read"},
        {"FREQ=DAILY;FREQ=WEEKLY", "FREQ is there twice"},
        {"FREQ=DAILY;COUNT=0", "COUNT=0 is no value"},
        {"FREQ=DAILY;COUNT=5x", "COUNT=5X is no value"},
        {"FREQ=DAILY;INTERVAL=0", "INTERVAL=0 is no value"},
        {"FREQ=DAILY;INTERVAL=65537", "INTERVAL=65537 is no value"},
        {"FREQ=DAILY;UNTIL=20260231", "UNTIL=20260231 is no value"},
        {"FREQ=DAILY;UNTIL=soon", "UNTIL=SOON is no value"},
        {"FREQ=DAILY;BYDAY=XX", "BYDAY=XX is no value"},
        {"FREQ=DAILY;BYHOUR=24", "BYHOUR=24 is no value"},
        {"FREQ=DAILY;BYMONTH=-1", "BYMONTH=-1 is no value"},
        {"FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY=0 is no value"},
        {"RSCALE=HEBREW;FREQ=YEARLY", "RSCALE is not read"},
        {"FREQ=WEEKLY;BYDAY=1MO", "BYDAY with a number needs FREQ=MONTHLY or YEARLY"},
        {"FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY does not go with FREQ=WEEKLY"},
        {"FREQ=MONTHLY;BYYEARDAY=1", "BYYEARDAY needs FREQ=YEARLY"},
        {"FREQ=MONTHLY;BYWEEKNO=1;BYDAY=MO", "BYWEEKNO needs FREQ=YEARLY"},
        {"FREQ=YEARLY;BYWEEKNO=20", "BYWEEKNO needs BYDAY, without a number"},
        {"FREQ=YEARLY;INTERVAL=2;BYWEEKNO=20;BYDAY=MO", "BYWEEKNO with INTERVAL or BYSETPOS is not read"},
        {"FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS needs another BY..."},
    };
    for (auto const& row : rows) {
        const auto rule = parse_recurrence(row.rule);
        EXPECT_FALSE(rule) << row.rule;
        EXPECT_EQ(rule ? "" : rule.error(), row.error);
    }
}

} // namespace
} // namespace usher::ctl
