// SPDX-License-Identifier: Apache-2.0
// What usherctl says of the hours to come, and of what was, on the example's day.
#include <fstream>
#include <map>
#include <string>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "ctl/configured_day.hpp"

namespace usher::ctl {
namespace {

using test::Answer;

class Outlooks : public ConfiguredDay {};

TEST_F(Outlooks, TheQuotaHolds)
{
    example_day();
    EXPECT_EQ(
        said({"plan", "--for", "3h"}), "All fits: at most 35 tokens, 0 of 4,500 calls in 15m.\n"
                                       "09:45 UTC  18 tokens  #####\n"
                                       "10:30 UTC  11 tokens  ###\n"
                                       "11:45 UTC  35 tokens  ##########\n"
    );
    EXPECT_EQ(
        said({"plan", "--at", "+150m", "--for", "30m"}), "All fits: at most 25 tokens, 0 of 1,500 calls in 5m.\n"
                                                         "11:50 UTC  25 tokens  ##########\n"
                                                         "11:55 UTC  10 tokens  ####\n"
    );
    EXPECT_EQ(said({"plan", "--for", "1m"}), "All fits: nothing is to be done.\n");
}

TEST_F(Outlooks, ThePlanIsWhatUsherdDoes)
{
    example_day();
    const nlohmann::json planned = ask({"plan", "--for", "8h", "--json"}).json();
    std::map<std::string, int> expected;
    for (auto const& minute : planned.at("minutes").at("items"))
        expected[minute.at("at").get<std::string>()] = minute.at("tokens").get<int>();
    ASSERT_GT(expected.size(), 5U);

    run_until(now + 8h - 1s);

    std::map<std::string, int> done;
    SQLite::Statement issued{
        *world.platform, "SELECT issued_at + 10, count(*) FROM credential_history WHERE issued_at >= ? GROUP BY 1"};
    issued.bind(1, unix_seconds(now));
    while (issued.executeStep())
        done[to_iso8601(from_unix(issued.getColumn(0).getInt64() / 60 * 60))] += issued.getColumn(1).getInt();
    EXPECT_EQ(done, expected);
}

TEST_F(Outlooks, TheQuotaDoesNotHold)
{
    // 700 meetings that open in a quarter of an hour: the two projects together may ask for 600 sessions a minute less.
    for (int i = 0; i < 700; ++i)
        world.sql(
            "INSERT INTO meeting (id, starts_at, ends_at, project) VALUES ('lesson-" + std::to_string(i) + "', " +
            std::to_string(unix_seconds(now + 16min)) + ", " + std::to_string(unix_seconds(now + 1h)) + ", 'partner')"
        );
    const std::string plan = said({"plan", "--for", "1h"});
    EXPECT_EQ(plan.find("Does not fit: "), 0U) << plan;
    EXPECT_NE(plan.find(" sessions of partner come late, the first for 09:21 UTC; "), std::string::npos) << plan;
    EXPECT_NE(
        plan.find("do: a longer sessions.lead, or a higher rate of partner if its vendor allows it;"), std::string::npos
    ) << plan;
    const nlohmann::json json = ask({"plan", "--for", "1h", "--json"}).json();
    EXPECT_EQ(json.at("projects").at(1).at("project"), "partner");
    EXPECT_EQ(json.at("projects").at(1).at("late"), 100) << "two minutes of 300 calls are in time";
    EXPECT_EQ(json.at("projects").at(0).at("late"), 0);
}

TEST_F(Outlooks, WithoutUsherd)
{
    example_day();
    EXPECT_EQ(
        said({"forecast", "--outage", "3h"}, 1),
        "At risk: without usherd until 12:20 UTC 29 people in 5 meetings cannot join.\n"
        "do: tokens.lead: 4h; systemctl reload usher; ask again\n"
        "11:00 UTC  18 people: track-a-3, track-b-3, track-c-3\n"
        "11:45 UTC  11 people: committee, lunch-table-1\n"
        "vendors    may stop: all sessions are made\n"
    );
    EXPECT_EQ(
        said({"forecast", "--outage", "100m"}), "All well: everybody can join without usherd until 11:00 UTC.\n"
                                                "vendors    may stop: all sessions are made\n"
    );
    EXPECT_EQ(said({"forecast", "--outage", "6001s"}, 1).find("At risk: "), 0U);
}

TEST_F(Outlooks, WithoutAVendor)
{
    example_day();
    fail_partner("pending", "provider_unreachable", "api.opentok.com:443 refuses connections", 22s);
    EXPECT_EQ(
        said({"forecast", "--outage", "1h"}, 1),
        "At risk: without usherd until 10:20 UTC 7 people in 2 meetings cannot join.\n"
        "do: usherctl explain track-b-1\n"
        "09:30 UTC  6 people: track-b-1\n"
        "10:15 UTC  1 person: track-b-2\n"
        "vendors    partner must not stop: 2 meetings have no session yet: track-b-1,\n"
        "  track-b-2\n"
    );
    const nlohmann::json json = ask({"forecast", "--outage", "1h", "--json"}).json();
    EXPECT_EQ(json.at("without_vendor").at(1).at("losses").at("total"), 2);
    EXPECT_EQ(json.at("verdict"), "at_risk");
}

TEST_F(Outlooks, WhoIsInThen)
{
    example_day();
    EXPECT_EQ(
        said({"list", "--at", "16:20"}), "4 meetings are live at 16:20 UTC (in 7h): 2 ready, 2 on schedule.\n"
                                         "MEETING     OPENS UTC  CLOSES  PEOPLE  NOW\n"
                                         "green-room  08:15      17:45       20  ready\n"
                                         "help-desk   08:15      17:45        4  ready\n"
                                         "panel       15:15      16:30       19  on schedule, tokens 14:10:38\n"
                                         "keynote     16:15      17:30       19  on schedule, tokens 15:09:54\n"
    );
    EXPECT_EQ(said({"list", "--at", "16:30"}).find("3 meetings are live"), 0U) << "panel closes then";
    EXPECT_EQ(said({"list"}).find("39 meetings are not over: 13 ready, 26 on schedule.\n"), 0U);
    EXPECT_EQ(said({"list", "--at", "2026-03-02 23:00"}), "No meeting is live at 23:00 UTC (in 13h 40m).\n");
    EXPECT_EQ(ask({"list", "--json"}).json().at("meetings").at("total"), 39);
}

TEST_F(Outlooks, AllThatFail)
{
    example_day();
    EXPECT_EQ(said({"list", "--failing"}), "No meeting has failed or is at risk.\n");
    fail_partner("pending", "provider_unreachable", "api.opentok.com:443 refuses connections", 22s);
    EXPECT_EQ(
        said({"list", "--failing"}), "6 meetings are at risk.\n"
                                     "provider_unreachable, partner: track-b-1 09:30 UTC, track-b-2 10:15, track-b-3\n"
                                     "11:00, track-b-4 13:00, track-b-5 13:45, track-b-6 14:30\n"
    );
    EXPECT_EQ(said({"list", "--failing", "--at", "now"}).find("No meeting of those that are live at"), 0U);
}

TEST_F(Outlooks, WhatHappened)
{
    example_day();
    world.sql("UPDATE participant SET role = 'publisher' WHERE meeting_id = 'opening' AND participant_id = 'guest-7'");
    world.settle();
    EXPECT_EQ(
        said({"history", "opening"}), "opening: 5 events since 2026-03-01 08:02:10 UTC, newest first.\n"
                                      "09:20      guest-7: token replaced, subscriber -> publisher\n"
                                      "07:30:09   tokens signed: issued 65\n"
                                      "07:30:09   ready\n"
                                      "2026-03-01 08:02:10 waiting: not_yet\n"
                                      "2026-03-01 08:02:10 session published: first\n"
    );
    EXPECT_EQ(
        said({"history", "opening", "--participant", "guest-7"}),
        "guest-7 got 2 tokens; at the vendor both work until 09:45 UTC (in 25m).\n"
        "09:20      publisher, role changed; shown\n"
        "08:55      subscriber, first; shown until 09:20\n"
    );
    EXPECT_EQ(
        said({"history", "--participant", "guest-7"}).find("guest-7 got 4 tokens; at the vendor all work, the last "),
        0U
    );
    EXPECT_EQ(said({"history"}).find("109 events since "), 0U);
    const nlohmann::json json = ask({"history", "opening", "--participant", "guest-7", "--json"}).json();
    EXPECT_EQ(json.at("tokens").at("total"), 2);
    EXPECT_EQ(json.dump().find("eyJ"), std::string::npos) << "never a token";
}

/// Tokens are dated back by clock_skew, and nothing was shown then.
TEST_F(Outlooks, ATokenWasShownFromWhenItWasPublished)
{
    world.policy.clock_skew = 5min;
    world.policy.visible_at_opens = false;
    world.restart();
    example_day();
    world.sql("UPDATE participant SET role = 'publisher' WHERE meeting_id = 'opening' AND participant_id = 'guest-7'");
    world.settle();
    std::ofstream{config, std::ios::app} << "clock_skew: 5m\n";
    EXPECT_EQ(
        said({"history", "opening", "--participant", "guest-7"}),
        "guest-7 got 2 tokens; at the vendor both work until 09:45 UTC (in 25m).\n"
        "09:20      publisher, role changed; shown\n"
        "07:30:09   subscriber, first; shown until 09:20\n"
    );
    const nlohmann::json tokens =
        ask({"history", "opening", "--participant", "guest-7", "--json"}).json().at("tokens").at("items");
    EXPECT_EQ(tokens.at(0).at("published_at"), "2026-03-02T09:20:00Z");
    EXPECT_EQ(tokens.at(0).at("issued_at"), "2026-03-02T09:15:00Z");
    // A skew that is configured since does not move what replaced another.
    const nlohmann::json later =
        call({"history", "opening", "--participant", "guest-7", "--json"}).json().at("tokens").at("items");
    EXPECT_EQ(later.at(0).at("published_at"), "2026-03-02T09:20:00Z");
}

TEST_F(Outlooks, APersonWhoIsRemovedHoldsAToken)
{
    example_day();
    world.sql("DELETE FROM participant WHERE meeting_id = 'opening' AND participant_id = 'guest-7'");
    world.settle();
    EXPECT_EQ(
        said({"history", "opening", "--participant", "guest-7"}),
        "guest-7 got 1 token; at the vendor it works until 09:45 UTC (in 25m).\n"
        "08:55      subscriber, first; shown until 09:20, then removed\n"
    );
    EXPECT_EQ(
        said({"history", "opening", "--participant", "guest-9999"}, 1)
            .find("usherctl: history: no participant of opening"),
        0U
    );
    EXPECT_EQ(
        said({"history", "openning"}, 1), "usherctl: history: no meeting openning; nearest: opening.\n"
                                          "do: usherctl history opening\n"
    );
}

TEST_F(Outlooks, RefuseWhatTheyCannotAnswer)
{
    for (std::vector<std::string> const& words : std::vector<std::vector<std::string>>{
             {"plan", "--for", "59s"},
             {"plan", "--for", "32d"},
             {"plan", "--at", "09:19:59"},
             {"plan", "--at", "soon"},
             {"forecast", "--outage", "59s"},
             {"forecast", "--outage", "32d"},
             {"forecast", "--outage", "long"},
             {"list", "--at", "09:19"},
             {"list", "--at", "25:00"}})
        EXPECT_EQ(ask(words).status, 2) << words.back();
    EXPECT_EQ(ask({"plan", "--for", "1m", "--at", "09:20"}).status, 0);
    EXPECT_EQ(ask({"forecast", "--outage", "1m"}).status, 0);
}

} // namespace
} // namespace usher::ctl
