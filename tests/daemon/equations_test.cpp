// SPDX-License-Identifier: Apache-2.0
// What docs/monitoring.md says of counters that add up, after random edits beside a vendor with faults.
#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <sys/stat.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "machine.hpp"
#include "scrape.hpp"

namespace usher::test {
namespace {

using nlohmann::json;

class Equations : public Machine {
protected:
    Equations()
    {
        std::ofstream{secret} << "5f1c0de2b75f1c0de2b75f1c0de2b75f1c0de2b7";
        ::chmod(secret.c_str(), 0600);
    }

    /// Where it listens, and whom it is trusted by.
    json start_vendor()
    {
        const std::string said = folder.file("vendor.out");
        std::filesystem::create_directory(folder.file("vendor"));
        vendor.emplace(Program{
            {USHER_VENDOR, "--dir", folder.file("vendor"), "--opentok", "47665971:" + secret, "--faults",
             "unavailable,reset_after,missing_id:0.15", "--seed", "7"},
            said});
        EXPECT_TRUE(eventually([&] { return read_text(said).find('\n') != std::string::npos; }));
        const std::string text = read_text(said);
        return json::parse(text.substr(0, text.find('\n')));
    }

    Program start(json const& at)
    {
        std::ofstream{config} << "database: " << path
                              << "\nprojects:\n  default: {provider: sandbox}\n  vendor: {provider: opentok, api_key: "
                                 "\"47665971\", api_secret: {file: "
                              << secret << "}, base_url: \"" << at["url"].get<std::string>() << "\", ca_file: \""
                              << at["ca_file"].get<std::string>()
                              << "\", rate: 1000, burst: 1000}\nstatus: {listen: " << socket << "}\n";
        std::ofstream{output};
        return Program{{USHERD, "--config", config}, output};
    }

    Scrape scrape() const { return Scrape{get_page(socket, "/metrics").body}; }

    double rows(std::string const& query) const { return std::stod(ask("SELECT count(*) FROM " + query)); }

    void edit(std::mt19937& chance)
    {
        const auto one_of = [&](int most) { return std::to_string(chance() % static_cast<unsigned>(most)); };
        const std::string meeting = "'m" + one_of(40) + "'";
        const std::string person = "'p" + one_of(4) + "'";
        const std::string where = " WHERE meeting_id = " + meeting + " AND participant_id = " + person;
        const std::vector<std::string> edits{
            "INSERT INTO meeting (id, starts_at, ends_at, project) VALUES (" + meeting +
                ", strftime('%s', 'now') + 600, strftime('%s', 'now') + 7200, '" +
                std::vector<std::string>{"default", "vendor", "vendor", "gone"}[chance() % 4] +
                "') ON CONFLICT (id) DO UPDATE SET ends_at = ends_at + 60",
            "INSERT INTO participant (meeting_id, participant_id, role) VALUES (" + meeting + ", " + person +
                ", 'publisher') ON CONFLICT DO NOTHING",
            "INSERT INTO participant (meeting_id, participant_id, role) VALUES (" + meeting + ", " + person +
                ", 'subscriber') ON CONFLICT DO NOTHING",
            "UPDATE participant SET role = 'moderator'" + where,
            "UPDATE participant SET connection_data = CAST(x'ff' AS TEXT)" + where,
            "UPDATE participant SET connection_data = NULL" + where,
            "DELETE FROM participant" + where,
            "INSERT INTO block (meeting_id, participant_id) VALUES (" + meeting + ", " + person +
                ") ON CONFLICT DO NOTHING",
            "DELETE FROM block" + where,
            "UPDATE meeting SET status = 'cancelled' WHERE id = " + meeting,
            "UPDATE meeting SET status = 'scheduled' WHERE id = " + meeting,
            "UPDATE meeting SET project = 'default' WHERE id = " + meeting,
            "UPDATE meeting SET archive_mode = 'always' WHERE id = " + meeting,
            "UPDATE meeting SET starts_at = starts_at + 86400, ends_at = ends_at + 86400 WHERE id = " + meeting,
            "INSERT INTO request (action, meeting_id) VALUES ('rotate', " + meeting + ")",
            "INSERT INTO request (action, meeting_id) VALUES ('replace_session', " + meeting + ")",
        };
        platform().exec(edits[chance() % edits.size()]);
    }

    /// What holds at every moment.
    static void expect_always(Scrape const& now)
    {
        for (char const* const project : {"default", "vendor", "(unknown)"}) {
            const std::map<std::string, std::string> of{{"project", project}};
            EXPECT_EQ(
                now.sum("usher_tokens_signed_total", of), now.sum("usher_tokens_published_total", of) +
                                                              now.sum("usher_tokens_discarded_total", of) +
                                                              now.sum("usher_tokens_in_hand", of)
            ) << project;
            EXPECT_EQ(
                now.sum("usher_vendor_calls_started_total", of),
                now.sum("usher_vendor_calls_total", of) + now.sum("usher_vendor_calls_in_flight", of)
            );
            EXPECT_EQ(
                now.sum("usher_vendor_call_seconds_count", of),
                now.sum("usher_vendor_calls_total", of) -
                    now.sum("usher_vendor_calls_total", {{"project", project}, {"outcome", "unsent"}})
            );
            for (char const* const state : {"pending", "failed"})
                EXPECT_EQ(
                    now.sum("usher_meetings", {{"project", project}, {"state", state}}),
                    now.sum("usher_meetings_unready", {{"project", project}, {"state", state}})
                ) << project
                  << state;
        }
        EXPECT_EQ(now.sum("usher_agenda_rows"), now.sum("usher_meetings"));
        EXPECT_EQ(
            now.sum("usher_log_events_total"), now.sum("usher_log_written_total") +
                                                   now.sum("usher_log_suppressed_total") +
                                                   now.sum("usher_log_dropped_total")
        );
        for (char const* const readiness : {"ready", "at_risk", "failed"})
            for (auto const& [wide, narrow] :
                 {std::pair{"24h", "1h"}, std::pair{"1h", "15m"}, std::pair{"15m", "open"}})
                EXPECT_GE(
                    now.sum("usher_window_meetings", {{"window", wide}, {"readiness", readiness}}),
                    now.sum("usher_window_meetings", {{"window", narrow}, {"readiness", readiness}})
                );
    }

    /// What holds once all has come to rest: each side, by what it is.
    std::map<std::string, std::pair<double, double>> at_rest(Scrape const& now) const
    {
        const std::string made = "session WHERE provider = 'opentok' AND adopted = 0";
        const std::map<std::string, std::string> created{{"call", "create"}, {"outcome", "ok"}};
        return {
            {"agenda", {now.sum("usher_agenda_rows"), rows("meeting_status")}},
            {"history", {now.sum("usher_tokens_published_total"), rows("credential_history")}},
            {"tokens",
             {now.sum("usher_tokens_published_total", {{"reason", "issued"}}),
              rows("token") + now.sum("usher_tokens_withdrawn_total")}},
            {"in hand", {now.sum("usher_tokens_in_hand"), 0}},
            {"attempts", {now.sum("usher_vendor_calls_started_total", {{"call", "create"}}), rows("session_attempt")}},
            {"made",
             {now.sum("usher_vendor_calls_total", created), rows(made) + now.sum("usher_sessions_discarded_total")}},
            {"given",
             {now.sum("usher_sessions_published_total", {{"origin", "made"}}),
              rows(made + " AND published_at IS NOT NULL")}},
            {"local",
             {now.sum("usher_sessions_published_total", {{"origin", "local"}}),
              rows("session WHERE provider = 'sandbox'")}},
            {"ready", {now.sum("usher_meetings", {{"state", "ready"}}), rows("meeting_status WHERE state = 'ready'")}},
            {"problems",
             {now.sum("usher_participant_problems"),
              rows("participant_status WHERE state = 'failed' AND reason = 'connection_data_not_utf8'")}},
        };
    }

    std::string config = folder.file("usher.yaml");
    std::string secret = folder.file("secret");
    std::string socket = folder.file("status.sock");
    std::optional<Program> vendor;
};

TEST_F(Equations, HoldAfterRandomEditsAndFaults)
{
    Program daemon = start(start_vendor());
    ASSERT_TRUE(eventually([&] { return scrape().has("usher_agenda_rows"); })) << printed();
    // Their doors open in a few seconds.
    platform().exec(
        "BEGIN; INSERT INTO meeting (id, starts_at, ends_at, project) SELECT column1, strftime('%s', 'now') + 920, "
        "strftime('%s', 'now') + 7200, column2 FROM (VALUES ('opens', 'default'), ('opens without', 'gone'));"
        "INSERT INTO participant (meeting_id, participant_id, role) VALUES ('opens', 'ann', 'publisher'); COMMIT"
    );
    std::mt19937 chance{20261127}; // NOLINT: the same each time
    for (int i = 0; i < 600; ++i) {
        edit(chance);
        if (i % 50 == 0)
            expect_always(scrape());
    }

    std::map<std::string, std::pair<double, double>> sides;
    const bool rests = eventually([&] {
        const Scrape now = scrape();
        expect_always(now);
        sides = at_rest(now);
        return std::all_of(sides.begin(), sides.end(), [](auto const& side) {
            return side.second.first == side.second.second;
        });
    });
    for (auto const& [what, both] : sides)
        EXPECT_EQ(both.first, both.second) << what;
    EXPECT_TRUE(rests);
    const Scrape now = scrape();
    for (char const* const name : {"usher_tokens_withdrawn_total", "usher_participant_problems", "usher_requests_open"})
        EXPECT_TRUE(now.has(name)) << name;
    EXPECT_GT(now.sum("usher_vendor_calls_total", {{"outcome", "transient"}}), 0) << "there were faults";
    EXPECT_GT(now.sum("usher_tokens_published_total", {{"reason", "role_changed"}}), 0);
    EXPECT_GT(now.sum("usher_tokens_withdrawn_total", {{"why", "removed"}}), 0);
    EXPECT_GT(now.sum("usher_store_write_hold_seconds_count"), 10);
    EXPECT_GE(now.sum("usher_store_write_wait_seconds_count"), now.sum("usher_store_write_hold_seconds_count"));
    EXPECT_GT(now.sum("usher_reaction_seconds_count", {{"urgent", "yes"}}), 0);

    EXPECT_TRUE(eventually([&] { return scrape().sum("usher_meetings_opened_total") == 2; }));
    EXPECT_EQ(scrape().sum("usher_meetings_opened_total", {{"result", "ready"}}), 1);
    EXPECT_EQ(scrape().sum("usher_meetings_opened_total", {{"result", "excused"}}), 1) << "written just before";
    EXPECT_EQ(daemon.end(SIGTERM), 0) << printed();
}

} // namespace
} // namespace usher::test
