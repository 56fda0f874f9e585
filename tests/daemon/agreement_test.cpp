// SPDX-License-Identifier: Apache-2.0
// Metrics, /readyz, /status.json, usherctl status, usherctl doctor and usherd --once of one database, in every state.
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

class Agreement : public Machine {
protected:
    Agreement()
    {
        std::ofstream{secret} << "0123456789abcdef0123456789abcdef01234567";
        ::chmod(secret.c_str(), 0600);
        ::chmod(folder.file("").c_str(), 02755);
        // Nobody listens at port 1: the vendor's project has a vendor that is down.
        std::ofstream{config} << "database: " << path
                              << "\nprojects:\n  default: {provider: sandbox}\n  vendor: {provider: opentok, api_key: "
                                 "\"123456\", api_secret: {file: "
                              << secret << "}, base_url: \"https://127.0.0.1:1\"}\nstatus: {listen: " << socket
                              << "}\n";
    }

    Program start()
    {
        std::ofstream{output};
        return Program{{USHERD, "--config", config}, output};
    }

    PageAnswer get(std::string const& target) const { return get_page(socket, target); }

    std::string call(std::vector<std::string> words) const
    {
        const std::string answer = folder.file("answer");
        std::ofstream{answer};
        words.insert(words.begin(), {USHERCTL, "--config", config});
        status = Program(words, answer).end();
        return read_text(answer);
    }

    /// What everybody says at one time.
    struct Voices {
        int ready_code = 0;
        json ready;
        json page;
        Scrape metrics{""};
        json told; ///< By usherctl status,
        int told_status = 0;
        json found; ///< and by usherctl doctor.
        int found_status = 0;
    };

    Voices ask_all()
    {
        Voices voices;
        // All three of one picture: none is taken in between.
        for (int i = 0; i < 50; ++i) {
            voices.page = json::parse(get("/status.json").body);
            voices.metrics = Scrape{get("/metrics").body};
            const PageAnswer ready = get("/readyz");
            voices.ready_code = ready.status;
            voices.ready = json::parse(ready.body);
            if (json::parse(get("/status.json").body)["sampled_at"] == voices.page["sampled_at"])
                break;
        }
        voices.told = json::parse(call({"status", "--json"}));
        voices.told_status = status;
        voices.found = json::parse(call({"doctor", "--offline", "--json"}));
        voices.found_status = status;
        return voices;
    }

    /// The words of meetings within a window, by usherctl status.
    static json words_of(json const& told, std::size_t windows)
    {
        json sum = json::object();
        for (char const* const word : {"failed", "at_risk", "on_schedule", "ready"}) {
            std::int64_t count = 0;
            for (std::size_t i = 0; i < windows; ++i)
                count += told["windows"][i][word].get<std::int64_t>();
            sum[word] = count;
        }
        return sum;
    }

    static bool finds(json const& found, std::string const& check, std::string const& severity = "problem")
    {
        for (json const& finding : found["findings"]["items"])
            if (finding["check"] == check && finding["severity"] == severity)
                return true;
        return false;
    }

    /// Of what is well, all say so; and all count the same.
    void expect_agreement(Voices const& voices, std::string const& verdict, bool ready)
    {
        SCOPED_TRACE(voices.page.dump(1) + voices.told.dump(1) + voices.found.dump(1));
        const bool well = verdict == "all_well";
        EXPECT_EQ(voices.page["verdict"], verdict);
        EXPECT_EQ(voices.ready["verdict"], verdict);
        EXPECT_EQ(voices.told["verdict"], verdict);
        EXPECT_EQ(voices.told_status, well ? 0 : 1);
        EXPECT_EQ(
            finds(voices.found, "meetings") || finds(voices.found, "schema") || finds(voices.found, "usherd"), !well
        );
        EXPECT_EQ(voices.ready_code, ready ? 200 : 503);
        EXPECT_EQ(voices.ready["ready"], ready);
        EXPECT_EQ(voices.page["ready"], ready);
        EXPECT_EQ(voices.metrics.sum("usher_ready"), ready ? 1 : 0);

        for (auto const& [window, windows] : {std::pair{"open", 1U}, std::pair{"1h", 2U}, std::pair{"24h", 3U}}) {
            const json words = words_of(voices.told, windows);
            EXPECT_EQ(voices.page["windows"][window], words) << window;
            for (auto const& [word, count] : words.items())
                EXPECT_EQ(
                    voices.metrics.sum("usher_window_meetings", {{"window", window}, {"readiness", word}}),
                    count.get<double>()
                ) << window
                  << word;
        }
        for (char const* const word : {"failed", "at_risk", "on_schedule", "ready"})
            EXPECT_EQ(voices.ready["window"][word], voices.page["windows"]["15m"][word]) << word;
        EXPECT_EQ(voices.ready["findings"], voices.page["findings"]);
        for (Series const& series : voices.metrics.series()) {
            if (series.name != "usher_finding")
                continue;
            bool listed = false;
            for (json const& finding : voices.ready["findings"])
                listed = listed || (finding["id"] == series.labels.at("finding") &&
                                    finding["severity"] == series.labels.at("severity"));
            EXPECT_EQ(series.value, listed ? 1 : 0) << series.labels.at("finding");
        }
        EXPECT_EQ(voices.page["groups"]["total"], voices.told["groups"]["total"]);
        EXPECT_EQ(voices.page["people_not_served"], voices.told["not_served"]["total"]);
        EXPECT_EQ(voices.metrics.sum("usher_participant_problems"), voices.told["not_served"]["total"].get<double>());
        EXPECT_EQ(voices.metrics.sum("usher_contract_damaged"), voices.told["damage"].empty() ? 0 : 1);
        EXPECT_EQ(voices.metrics.sum("usher_agenda_rows"), voices.metrics.sum("usher_meetings"));
        EXPECT_EQ(voices.metrics.sum("usher_agenda_rows"), std::stod(ask("SELECT count(*) FROM meeting_status")));
        for (json const& project : voices.told["projects"]) {
            const std::string name = project["project"];
            EXPECT_EQ(voices.metrics.sum("usher_tokens", {{"project", name}}), project["tokens"].get<double>());
            EXPECT_EQ(
                voices.metrics.sum("usher_tokens", {{"project", name}, {"current", "no"}}),
                project["tokens_of_old_key"].get<double>()
            );
            EXPECT_EQ(
                voices.metrics.sum("usher_vendor_circuit_open", {{"project", name}}),
                project["reason"].is_null() ? 0 : 1
            );
            for (json const& shown : voices.page["projects"])
                if (shown["project"] == name) {
                    EXPECT_EQ(shown["tokens"], project["tokens"]);
                    EXPECT_EQ(shown["reason"].get<std::string>().empty(), project["reason"].is_null());
                }
        }
    }

    /// Until the picture shows `verdict`, and nothing is due.
    void settles_at(std::string const& verdict)
    {
        EXPECT_TRUE(eventually([&] {
            const PageAnswer page = get("/status.json");
            if (page.status != 200)
                return false;
            const json shown = json::parse(page.body);
            return shown["verdict"] == verdict && shown["due"] == 0;
        })) << printed();
    }

    void say(std::string const& sql) const { platform().exec(sql); }

    /// Once usherd has ended: whether it would say that all is well.
    bool once_is_well(Program& daemon)
    {
        EXPECT_EQ(daemon.end(SIGTERM), 0) << printed();
        std::ofstream{output};
        return Program{{USHERD, "--config", config, "--once"}, output}.end() == 0;
    }

    std::string config = folder.file("usher.yaml");
    std::string secret = folder.file("secret");
    std::string socket = folder.file("status.sock");
};

TEST_F(Agreement, OnNothing)
{
    Program daemon = start();
    settles_at("all_well");
    expect_agreement(ask_all(), "all_well", true);
    EXPECT_TRUE(once_is_well(daemon)) << printed();
}

TEST_F(Agreement, OnWhatIsReady)
{
    add_meeting("m");
    add_meeting("n");
    Program daemon = start();
    ASSERT_TRUE(gets_ready("n"));
    settles_at("all_well");
    const Voices voices = ask_all();
    expect_agreement(voices, "all_well", true);
    EXPECT_EQ(voices.page["windows"]["1h"]["ready"], 2);
    EXPECT_TRUE(once_is_well(daemon)) << printed();
}

TEST_F(Agreement, OnAnUnknownProject)
{
    add_meeting("m");
    say("BEGIN;" + rows_of("n") + "; UPDATE meeting SET project = 'gone' WHERE id = 'n'; COMMIT");
    Program daemon = start();
    settles_at("failing");
    const Voices voices = ask_all();
    expect_agreement(voices, "failing", false);
    EXPECT_EQ(
        voices.metrics.sum(
            "usher_meetings_unready", {{"project", "(unknown)"}, {"state", "failed"}, {"reason", "unknown_project"}}
        ),
        1
    );
    EXPECT_FALSE(once_is_well(daemon));
    EXPECT_TRUE(says("n: not ready: unknown_project")) << printed();
}

TEST_F(Agreement, OnAFailureThatIsNotNear)
{
    say("BEGIN;" + rows_of("n") +
        "; UPDATE meeting SET project = 'gone', starts_at = starts_at + 172800, ends_at = ends_at + 172800; COMMIT");
    Program daemon = start();
    settles_at("all_well");
    const Voices voices = ask_all();
    expect_agreement(voices, "all_well", true);
    EXPECT_EQ(voices.metrics.sum("usher_meetings_unready", {{"state", "failed"}}), 1);
    EXPECT_TRUE(once_is_well(daemon)) << printed();
}

TEST_F(Agreement, OnAVendorThatIsDown)
{
    add_meeting("m");
    say("BEGIN;" + rows_of("n") + "; UPDATE meeting SET project = 'vendor' WHERE id = 'n'; COMMIT");
    Program daemon = start();
    ASSERT_TRUE(eventually([&] { return ask("SELECT count(*) FROM project_status WHERE reason <> ''") == "1"; }))
        << printed();
    ASSERT_TRUE(eventually([&] {
        return ask("SELECT reason FROM meeting_status WHERE meeting_id = 'n'") == "provider_unreachable";
    }));
    // A minute later.
    say("UPDATE history SET at = at - 61 WHERE meeting_no = (SELECT meeting_no FROM agenda WHERE meeting_id = 'n')");
    settles_at("at_risk");
    const Voices voices = ask_all();
    expect_agreement(voices, "at_risk", false);
    EXPECT_EQ(voices.metrics.sum("usher_finding", {{"finding", "circuit_open"}, {"severity", "critical"}}), 1);
    EXPECT_FALSE(once_is_well(daemon));
    EXPECT_TRUE(says("n: not ready: provider_unreachable")) << printed();
}

TEST_F(Agreement, OnSomebodyWhoIsNotServed)
{
    add_meeting("m");
    say("INSERT INTO participant (meeting_id, participant_id, role, connection_data) "
        "VALUES ('m', 'ben', 'publisher', CAST(x'ff' AS TEXT))");
    Program daemon = start();
    settles_at("at_risk");
    const Voices voices = ask_all();
    expect_agreement(voices, "at_risk", true); // the meeting itself is ready
    EXPECT_EQ(voices.metrics.sum("usher_participant_problems", {{"reason", "connection_data_not_utf8"}}), 1);
    EXPECT_FALSE(once_is_well(daemon));
    EXPECT_TRUE(says("m: ben is not served: connection_data_not_utf8")) << printed();
}

TEST_F(Agreement, OnAKeyThatIsHalfRotated)
{
    add_meeting("m");
    add_meeting("n");
    Program daemon = start();
    ASSERT_TRUE(gets_ready("n"));
    settles_at("all_well");
    say("UPDATE token SET key_id = '0b7c33' WHERE session_no = (SELECT session_no FROM agenda WHERE meeting_id = 'n')");
    ASSERT_TRUE(eventually([&] {
        return Scrape{get("/metrics").body}.sum("usher_tokens", {{"key_id", "0b7c33"}}) == 1;
    }));
    const Voices voices = ask_all();
    expect_agreement(voices, "all_well", true);
    EXPECT_EQ(voices.metrics.sum("usher_tokens", {{"current", "yes"}}), 1);
    EXPECT_TRUE(finds(voices.found, "keys", "note"));
    EXPECT_TRUE(once_is_well(daemon)) << printed();
}

TEST_F(Agreement, OnADamagedTable)
{
    add_meeting("m");
    Program daemon = start();
    ASSERT_TRUE(gets_ready("m"));
    say("CREATE TRIGGER of_somebody AFTER UPDATE ON token BEGIN SELECT 1; END");
    settles_at("failing");
    const Voices voices = ask_all();
    expect_agreement(voices, "failing", false);
    EXPECT_TRUE(finds(voices.found, "schema"));
    EXPECT_FALSE(once_is_well(daemon));
    EXPECT_TRUE(says("the contract is damaged: ")) << printed();
}

TEST_F(Agreement, OnAReaderThatHoldsEverythingUp)
{
    add_meeting("m");
    Program daemon = start();
    ASSERT_TRUE(gets_ready("m"));
    {
        Platform reader = open_reader(path);
        reader.exec("BEGIN");
        EXPECT_EQ(reader.execAndGet("SELECT count(*) FROM meeting").getInt(), 1);
        say("CREATE TABLE of_the_platform (it); "
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70) "
            "INSERT INTO of_the_platform SELECT zeroblob(1000000) FROM n");
        ASSERT_TRUE(eventually([&] {
            return Scrape{get("/metrics").body}.sum("usher_finding", {{"finding", "store_concern"}}) == 1;
        }));
        const Voices voices = ask_all();
        expect_agreement(voices, "all_well", true);
        EXPECT_TRUE(finds(voices.found, "wal", "problem") || finds(voices.found, "wal", "note"));
        EXPECT_GE(voices.metrics.sum("usher_store_wal_file_bytes"), 64 << 20);
        reader.exec("COMMIT");
    }
    EXPECT_TRUE(once_is_well(daemon)) << printed();
}

TEST_F(Agreement, OnNobodyAtWork)
{
    add_meeting("m");
    Program daemon = start();
    ASSERT_TRUE(gets_ready("m"));
    settles_at("all_well");
    EXPECT_EQ(daemon.end(SIGTERM), 0);
    EXPECT_EQ(json::parse(call({"status", "--json"}))["verdict"], "at_risk");
    EXPECT_EQ(status, 1);
    EXPECT_TRUE(finds(json::parse(call({"doctor", "--offline", "--json"})), "usherd"));
}

/// Those who may only read see the same.
TEST_F(Agreement, OfAnAccountThatMayOnlyRead)
{
    if (::geteuid() != 0)
        GTEST_SKIP() << "needs root, to become another user";
    add_meeting("m");
    Program daemon = start();
    ASSERT_TRUE(gets_ready("m"));
    settles_at("all_well");
    const json own = json::parse(call({"status", "--json"}));
    for (const std::string suffix : {"", "-wal", "-shm"})
        ::chmod((path + suffix).c_str(), 0644);
    const std::string answer = folder.file("answer");
    ::chmod(config.c_str(), 0644);
    std::ofstream{answer};
    const auto as_reader = [] {
        if (::setgid(65534) != 0 || ::setuid(65534) != 0)
            ::_exit(99);
    };
    const int ended = Program{{USHERCTL, "--config", config, "status", "--json"}, answer, as_reader}.end();
    EXPECT_EQ(ended, 0) << read_text(answer);
    const json read = json::parse(read_text(answer));
    for (char const* const key : {"verdict", "windows", "groups", "not_served", "damage"})
        EXPECT_EQ(read[key], own[key]) << key;
}

} // namespace
} // namespace usher::test
