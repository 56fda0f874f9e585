// SPDX-License-Identifier: Apache-2.0
// usherctl as its users meet it: command lines in, text and exit status out.
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <usher/config/config.hpp>
#include <usher/crypto/base64.hpp>
#include <usher/crypto/hmac.hpp>
#include <usher/provider/kinds.hpp>
#include <usher/provider/sandbox.hpp>

#include "commands.hpp"
#include "support/temp_dir.hpp"
#include "support/usherctl.hpp"

namespace usher::ctl {
namespace {

using test::Answer;

class Commands : public testing::Test {
protected:
    Answer call(std::vector<std::string> words, std::string const& input = {}) const
    {
        words.insert(words.begin(), {"--db", path});
        return test::call_usherctl(std::move(words), {}, input);
    }

    void sql(std::string const& statements) const { SQLite::Database{path, SQLite::OPEN_READWRITE}.exec(statements); }

    void import_example()
    {
        ASSERT_EQ(call({"init"}).status, 0);
        const std::string examples = USHER_SOURCE_DIR "/examples/";
        const Answer answer = call(
            {"import", "--meetings", examples + "meetings.csv", "--participants", examples + "participants.csv",
             "--shift-start", "+5m", "--json"}
        );
        ASSERT_EQ(answer.status, 0) << answer.err;
        EXPECT_EQ(answer.json().at("meetings").at("added"), 40);
        EXPECT_EQ(answer.json().at("participants").at("added"), 300);
    }

    test::TempDir folder;
    std::string path = folder.file("usher.db");
};

TEST_F(Commands, InitSaysWhatItDid)
{
    const Answer created = call({"init"});
    EXPECT_EQ(created.out.find("Created: " + path + " (0660 "), 0U) << created.out;
    EXPECT_NE(created.out.find("), schema 1.\ndo: systemctl start usher\n"), std::string::npos) << created.out;
    EXPECT_EQ(call({"init"}).out, "Unchanged: " + path + ", schema 1.\n");
    EXPECT_EQ(call({"init", "--repair"}).out, "Unchanged: " + path + ", schema 1.\n");
    EXPECT_EQ(call({"init", "--json"}).json().at("result"), "unchanged");
    EXPECT_EQ(call({"init", "--repair", "--public-read"}).status, 2);
}

class DamagedCommands : public Commands {
protected:
    DamagedCommands()
    {
        call({"init"});
        platform.emplace(path, SQLite::OPEN_READWRITE);
        platform->exec("INSERT INTO meeting (id, starts_at, ends_at) VALUES ('m', 1800000000, 1800003600), "
                       "('n', 1800000000, 1800003600)");
        platform->exec("PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, 'CONSTRAINT "
                       "e2ee_must_be_0_or_1 CHECK (typeof(e2ee) = ''integer'' AND e2ee IN (0, 1))', '') "
                       "WHERE name = 'meeting'; PRAGMA writable_schema = RESET");
    }

    std::optional<SQLite::Database> platform;
};

TEST_F(DamagedCommands, InitNamesTheDamage)
{
    const Answer damaged = call({"init"});
    EXPECT_EQ(damaged.status, 1);
    EXPECT_EQ(
        damaged.out, "Failing: the contract is damaged: meeting lost e2ee_must_be_0_or_1.\n"
                     "do: usherctl init --repair\n"
    );
    const auto json = call({"init", "--json"}).json();
    EXPECT_EQ(json.at("result"), "damaged");
    EXPECT_EQ(json.at("damage").at(0).at("object"), "meeting");
    platform->exec("DROP VIEW join_credential");
    EXPECT_EQ(
        call({"init"}).out, "Failing: the contract is damaged: meeting lost e2ee_must_be_0_or_1.\n"
                            "damage     the view join_credential is gone\n"
                            "do: usherctl init --repair\n"
    );
}

TEST_F(DamagedCommands, ARepairSaysWhatIsBack)
{
    const Answer repaired = call({"init", "--repair"});
    EXPECT_EQ(repaired.status, 0) << repaired.err;
    EXPECT_EQ(repaired.out.find("Done in "), 0U) << repaired.out;
    EXPECT_NE(repaired.out.find("s: e2ee_must_be_0_or_1 is back; all 2 rows satisfy it.\n"), std::string::npos)
        << repaired.out;
    EXPECT_EQ(call({"init"}).status, 0);
    EXPECT_ANY_THROW(platform->exec("UPDATE meeting SET e2ee = 7"));
}

TEST_F(DamagedCommands, ARepairListsTheRowsThatStopIt)
{
    platform->exec("UPDATE meeting SET e2ee = 7 WHERE id = 'n'");
    const Answer refused = call({"init", "--repair"});
    EXPECT_EQ(refused.status, 1);
    EXPECT_EQ(refused.out, "");
    EXPECT_EQ(
        refused.err, "meeting n: e2ee is 7, but e2ee_must_be_0_or_1\n"
                     "usherctl: init: 1 row breaks the contract. Nothing was done.\n"
                     "do: correct it, then: usherctl init --repair\n"
    );
    platform->exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 24) "
                   "INSERT INTO meeting (id, starts_at, ends_at, e2ee) SELECT i, 1800000000, 1800003600, 2 FROM n");
    EXPECT_NE(
        call({"init", "--repair"}).err.find("\n5 more\nusherctl: init: 25 rows break the contract."), std::string::npos
    );
}

TEST_F(Commands, EveryOneHasHelpWithAnExample)
{
    for (const std::string command :
         {"init", "import", "status", "credentials", "decode", "explain", "rotate", "retry", "replace-session"}) {
        const Answer answer = test::call_usherctl({command, "--help"});
        EXPECT_EQ(answer.status, 0) << command;
        EXPECT_NE(answer.out.find("Example"), std::string::npos) << command;
        EXPECT_NE(answer.out.find("--json"), std::string::npos) << command;
    }
}

TEST_F(Commands, TheExampleOfOneBelowIsItsOwn)
{
    for (auto const& [command, below] :
         {std::pair{"config", "diff"}, std::pair{"config", "schema"}, std::pair{"requests", "abort"}}) {
        const Answer answer = test::call_usherctl({command, below, "--help"});
        EXPECT_NE(answer.out.find(std::string{"Example:\n  usherctl "} + command + " " + below), std::string::npos)
            << answer.out;
    }
}

TEST_F(Commands, UsageAndMissingFilesHaveTheirExitStatus)
{
    EXPECT_EQ(call({"statsu"}).status, 2);
    EXPECT_EQ(call({}).status, 2);
    EXPECT_EQ(call({"explain"}).status, 2);
    EXPECT_EQ(test::call_usherctl({"--config", folder.file("none.yaml"), "status"}).status, 2);
    const Answer missing = call({"status"});
    EXPECT_EQ(missing.status, 1);
    EXPECT_NE(missing.err.find("create it with: usherctl --db " + path + " init"), std::string::npos) << missing.err;
}

TEST_F(Commands, StatusSaysThatNobodyIsAtWork)
{
    import_example();
    const Answer answer = call({"status"});
    EXPECT_EQ(answer.status, 1);
    EXPECT_EQ(answer.out.find("At risk: usherd has never looked at this database.\ndo: systemctl start usher\n\n"), 0U)
        << answer.out;
    const auto status = call({"status", "--json"}).json();
    EXPECT_EQ(status.at("version"), 1);
    EXPECT_EQ(status.at("verdict"), "at_risk");
    EXPECT_EQ(status.at("sentence"), "usherd has never looked at this database.");
    EXPECT_EQ(status.at("do"), nlohmann::json::array({"systemctl start usher"}));
    EXPECT_EQ(status.at("usherd"), nlohmann::json::array());
    ASSERT_GE(status.at("health").size(), 1U);
    for (auto const& row : status.at("health")) {
        EXPECT_NE(row.at("sentence"), "") << row;
        EXPECT_NE(row.at("unit"), "") << row;
    }
    EXPECT_EQ(status.at("health")[0].at("name"), "file_bytes");
    EXPECT_EQ(status.at("health")[0].at("value"), std::filesystem::file_size(path));
    std::map<std::string, int> words;
    for (auto const& window : status.at("windows"))
        for (const std::string word : {"ready", "on_schedule", "at_risk", "failed"})
            words[word] += window.at(word).get<int>();
    EXPECT_EQ(words, (std::map<std::string, int>{{"ready", 0}, {"on_schedule", 0}, {"at_risk", 40}, {"failed", 0}}));
}

TEST_F(Commands, StatusListsParticipantsWithoutTheirMeeting)
{
    ASSERT_EQ(call({"init"}).status, 0);
    sql("INSERT INTO participant (meeting_id, participant_id, role) VALUES ('42', 'ann', 'publisher');"
        "UPDATE agenda SET state = 'waiting', reason = 'no_meeting', due_at = 9223372036854775807");
    EXPECT_NE(
        call({"status"}).out.find("\nnote       42: people are there, the meeting's own row is not\n"),
        std::string::npos
    );
}

TEST_F(Commands, StatusShowsWhatTheDatabaseSaysOfProjects)
{
    ASSERT_EQ(call({"init"}).status, 0);
    EXPECT_EQ(call({"status", "--json"}).json().at("projects"), nlohmann::json::array());
    EXPECT_EQ(call({"status"}).out.find("sandbox"), std::string::npos) << "nothing says so";
    sql("INSERT INTO project_status VALUES "
        "('default', 'opentok', '47665971', 'new', 'credentials_refused', 'the secret is wrong', 4000000000, 6, 1), "
        "('quiet', 'vonage', '29f760f8', 'k', '', '', NULL, -75, 1), ('same', 'sandbox', '1', 'k', '', '', NULL, 0, "
        "1), "
        "('unasked', 'opentok', '47665972', 'k', '', '', NULL, NULL, 1)");
    const Answer text = call({"status"});
    for (const std::string line :
         {"vendors    quiet answers", "default    credentials_refused: the secret is wrong",
          "note       this machine's clock is 6s ahead of that of the vendor of default",
          "note       this machine's clock is 1m 15s behind that of the vendor of quiet",
          "note       same is on the sandbox: its tokens open no real meeting"})
        EXPECT_NE(text.out.find("\n" + line + "\n"), std::string::npos) << line << "\n" << text.out;
    const auto projects = call({"status", "--json"}).json().at("projects");
    EXPECT_EQ(projects.at(0), nlohmann::json::parse(R"({"project": "default", "provider": "opentok",
            "project_key": "47665971", "reason": "credentials_refused", "detail": "the secret is wrong",
            "next_probe_at": "2096-10-02T07:06:40Z", "clock_ahead_s": 6, "key": "new", "tokens": 0,
            "tokens_of_old_key": 0, "live_tokens_of_old_key": 0})"));
    EXPECT_EQ(projects.at(1).at("clock_ahead_s"), -75);
    EXPECT_TRUE(projects.at(1).at("reason").is_null());
    EXPECT_TRUE(projects.at(1).at("next_probe_at").is_null());
}

/// A machine without a battery wakes up in 1970.
TEST_F(Commands, StatusSaysHowFarAClockIsOffHoweverFarThatIs)
{
    ASSERT_EQ(call({"init"}).status, 0);
    sql("INSERT INTO project_status VALUES ('default', 'opentok', '1', 'k', '', '', NULL, -1764300000, 1)");
    EXPECT_NE(
        call({"status"}).out.find("this machine's clock is 20420d 3h behind that of the vendor of default\n"),
        std::string::npos
    ) << call({"status"}).out;
    EXPECT_EQ(call({"status", "--json"}).json().at("projects").at(0).at("clock_ahead_s"), -1764300000);
}

TEST_F(Commands, AnIdThatIsNotSeenIsQuoted)
{
    ASSERT_EQ(call({"init"}).status, 0);
    sql("PRAGMA ignore_check_constraints = ON;"
        "INSERT INTO meeting (id, starts_at, ends_at) VALUES ('', strftime('%s', 'now') + 300, "
        "strftime('%s', 'now') + 900);"
        "UPDATE agenda SET state = 'failed', reason = 'row_invalid', detail = 'id: empty', due_at = 4000000000, "
        "opens = strftime('%s', 'now') + 200, closes = strftime('%s', 'now') + 900");
    const std::string out = call({"status"}).out;
    EXPECT_NE(out.find("do: the platform corrects the row of \"\"; usher follows\n"), std::string::npos) << out;
    EXPECT_NE(out.find("\n  \"\" (opens in "), std::string::npos) << out;
}

TEST_F(Commands, ExplainTellsAProviderThatDoesNotAnswerFromADaemonThatDoesNotRun)
{
    ASSERT_EQ(call({"init"}).status, 0);
    sql("INSERT INTO meeting (id, starts_at, ends_at) SELECT id, strftime('%s', 'now') + 60, strftime('%s', 'now') + "
        "600 "
        "FROM (SELECT 'm' AS id UNION SELECT 'n');"
        "UPDATE agenda SET state = 'pending', due_at = 4000000000, reason = 'provider_tls', detail = 'no handshake', "
        "next_at = 1000 WHERE meeting_id = 'm'");
    const Answer answer = call({"explain", "m"});
    EXPECT_EQ(
        answer.out.find("m is at risk: usherd does not run.\n"
                        "do: systemctl start usher\n"
                        "reason     provider_tls: no handshake; next now\n"),
        0U
    ) << answer.out;
    EXPECT_EQ(answer.status, 1);
    const auto unseen = call({"explain", "n", "--json"}).json();
    EXPECT_EQ(unseen.at("sentence"), "n is at risk: usherd does not run.");
    EXPECT_EQ(unseen.at("word"), "at_risk");
    EXPECT_TRUE(unseen.at("reason").is_null());
    EXPECT_TRUE(unseen.at("session").is_null());
    EXPECT_EQ(unseen.at("people").at("total"), 0);
}

TEST_F(Commands, WhatIsToBeTypedIsSafeToType)
{
    import_example();
    sql("INSERT INTO meeting (id, starts_at, ends_at) VALUES ('$(touch x)', 4000000000, 4000003600), "
        "('-rf all', 4000000000, 4000003600)");
    EXPECT_EQ(
        call({"explain", "$(touch y)"}).err, "usherctl: explain: no meeting $(touch y); nearest: $(touch x).\n"
                                             "do: usherctl explain '$(touch x)'\n"
    );
    EXPECT_EQ(
        call({"rotate", "--", "-rf al"}).err,
        "usherctl: rotate: no meeting -rf al; nearest: -rf all. Nothing was done.\n"
        "do: usherctl rotate -- '-rf all'\n"
    );
}

TEST_F(Commands, ExplainAndCredentialsNameWhatIsNotThere)
{
    import_example();
    const Answer misspelt = call({"explain", "openning"});
    EXPECT_EQ(misspelt.status, 1);
    EXPECT_EQ(
        misspelt.err, "usherctl: explain: no meeting openning; nearest: opening.\ndo: usherctl explain opening\n"
    );
    EXPECT_EQ(
        call({"explain", "nothing-like-any-of-them"}).err, "usherctl: explain: no meeting nothing-like-any-of-them.\n"
    );
    EXPECT_EQ(
        call({"credentials", "openning", "speaker-1"}).err,
        "usherctl: credentials: no meeting openning; nearest: opening.\ndo: usherctl credentials opening\n"
    );
    EXPECT_EQ(
        call({"credentials", "opening", "speaker-l"}).err,
        "usherctl: credentials: no participant of opening speaker-l; nearest: speaker-1.\n"
        "do: usherctl credentials opening speaker-1\n"
    );
    EXPECT_EQ(
        call({"explain", "openning", "--json"}).json(),
        nlohmann::json::parse(R"({"version": 1, "error": {"code": "not_found",
            "message": "no meeting openning; nearest: opening", "do": "usherctl explain opening"}})")
    );
    const Answer none = call({"credentials", "green-room"});
    EXPECT_EQ(none.status, 1);
    EXPECT_EQ(
        none.err, "usherctl: credentials: green-room: nobody has a credential that is shown: it is at risk.\n"
                  "do: usherctl explain green-room\n"
    );
    EXPECT_EQ(
        call({"credentials", "green-room", "speaker-1"}).err,
        "usherctl: credentials: green-room: speaker-1 has no credential.\ndo: usherctl explain green-room\n"
    );
    EXPECT_EQ(call({"explain", "green-room", "--json"}).json().at("word"), "at_risk");
}

TEST_F(Commands, RequestsAreFiled)
{
    import_example();
    EXPECT_EQ(call({"rotate", "green-room"}).status, 0);
    EXPECT_EQ(call({"replace-session", "--project", "default", "--yes"}).status, 0);
    EXPECT_EQ(call({"retry", "--all"}).status, 0);
    EXPECT_EQ(call({"rotate"}).status, 2);
    EXPECT_EQ(call({"rotate", "green-room", "--all"}).status, 2);
    SQLite::Database database{path};
    EXPECT_EQ(
        database
            .execAndGet(
                "SELECT group_concat(action || ':' || coalesce(meeting_id, '') || ':' || coalesce(project, '')) "
                "FROM request"
            )
            .getString(),
        "rotate:green-room:,replace_session::default,retry::*"
    );
}

TEST_F(Commands, StatusCountsTheSessionsThatAreStillToBeEmptied)
{
    import_example();
    const auto note = [&] { return call({"status"}).out.find("\nnote       people may still be in "); };
    EXPECT_EQ(note(), std::string::npos);
    EXPECT_EQ(call({"status", "--json"}).json().at("sessions_to_empty"), 0);
    sql("INSERT INTO session (meeting_no, session_id, provider, project, project_key, options, created_at, disconnect) "
        "SELECT meeting_no, meeting_id, 'opentok', 'partner', '1', '', 1, 1 FROM agenda LIMIT 2");
    EXPECT_NE(
        call({"status"})
            .out.find("people may still be in 2 sessions of meetings that are cancelled or closed: usherd has "
                      "not thrown them out yet"),
        std::string::npos
    ) << call({"status"}).out;
    EXPECT_EQ(call({"status", "--json"}).json().at("sessions_to_empty"), 2);
}

TEST_F(Commands, ARequestForWhatIsNotThereIsNotFiled)
{
    import_example();
    const Answer meeting = call({"rotate", "green-rom"});
    EXPECT_EQ(meeting.status, 1);
    EXPECT_EQ(
        meeting.err, "usherctl: rotate: no meeting green-rom; nearest: green-room. Nothing was done.\n"
                     "do: usherctl rotate green-room\n"
    );
    EXPECT_EQ(call({"rotate", ""}).err.find("usherctl: rotate: no meeting \"\""), 0U);
    EXPECT_LT(call({"rotate", std::string(100'000, 'a'), "--json"}).out.size(), 1000U);
    const Answer project = call({"retry", "--project", "defult"});
    EXPECT_EQ(project.status, 1);
    EXPECT_EQ(
        project.err, "usherctl: retry: no meeting is in project defult; nearest: default. Nothing was done.\n"
                     "do: usherctl retry --project default\n"
    );
    const Answer json = call({"replace-session", "zzzzzzzz", "--json"});
    EXPECT_EQ(json.status, 1);
    EXPECT_EQ(json.json().at("version"), 1);
    EXPECT_EQ(json.json().at("error").at("code"), "no_such_meeting");
    EXPECT_EQ(SQLite::Database{path}.execAndGet("SELECT count(*) FROM request").getInt(), 0);
}

TEST_F(Commands, ReplacingSessionsSaysWhatBreaksAndAsks)
{
    import_example();
    SQLite::Database database{path, SQLite::OPEN_READWRITE};
    // Two meetings have sessions, and one of them is live.
    database.exec("UPDATE agenda SET session_no = 1, opens = 1, closes = 99999999999 WHERE meeting_id = 'opening';"
                  "UPDATE agenda SET session_no = 2, opens = 99999999998, closes = 99999999999 "
                  "WHERE meeting_id = 'green-room'");
    const std::string told = "2 meetings get new sessions, 1 live: up to 65 people must join again.\n";
    const Answer refused = call({"replace-session", "--all"});
    EXPECT_EQ(refused.status, 1);
    EXPECT_EQ(refused.err, told + "usherctl: replace-session: no terminal to ask. Nothing was done.\ndo: add --yes\n");
    EXPECT_EQ(call({"replace-session", "--project", "default"}).status, 1);
    EXPECT_EQ(call({"replace-session", "opening"}).status, 1) << "it is live";
    EXPECT_EQ(database.execAndGet("SELECT count(*) FROM request").getInt(), 0);
    EXPECT_EQ(call({"replace-session", "green-room"}).status, 0);

    const Answer dry = call({"replace-session", "--all", "--dry-run"});
    EXPECT_EQ(dry.status, 0);
    EXPECT_EQ(dry.out, told);
    EXPECT_EQ(database.execAndGet("SELECT count(*) FROM request").getInt(), 1);
    const Answer agreed = call({"replace-session", "--all", "--yes"});
    EXPECT_EQ(agreed.status, 0);
    EXPECT_EQ(agreed.out, "Filed: request 2; 2 meetings will get new sessions.\n");
}

TEST_F(Commands, AWaitForARequestThatIsDeletedNamesTheCommandAgain)
{
    import_example();
    const auto wait = [&](std::vector<std::string> words) {
        const std::jthread deleter{[&] {
            SQLite::Database database{path, SQLite::OPEN_READWRITE, 20000};
            while (database.execAndGet("SELECT count(*) FROM request").getInt() == 0)
                std::this_thread::yield(); // a reader keeps nobody from filing it
            database.exec("DELETE FROM request");
        }};
        words.emplace_back("--wait");
        return call(words).err;
    };
    const std::string deleted = "usherctl: rotate: request 1 was deleted; what it had not done yet stays as it is.\n";

    EXPECT_EQ(wait({"rotate", "--all"}), deleted + "do: usherctl rotate --all\n");
    EXPECT_EQ(
        wait({"rotate", "--project", "default"}).substr(deleted.size()), "do: usherctl rotate --project default\n"
    );
    EXPECT_EQ(wait({"rotate", "opening"}).substr(deleted.size()), "do: usherctl rotate opening\n");
}

TEST_F(Commands, RequestsAreListedAndAborted)
{
    import_example();
    EXPECT_EQ(call({"requests"}).out, "No request is open.\n");
    ASSERT_EQ(call({"rotate", "green-room"}).status, 0);
    SQLite::Database database{path, SQLite::OPEN_READWRITE};
    database.exec(
        "INSERT INTO request (action, project, requested_by) VALUES ('replace_session', 'default', 'platform');"
        "UPDATE request_result SET state = 'running', work_no = 1, meetings = 6, served = 4, sessions = 4 "
        "WHERE request_id = 2"
    );
    const Answer list = call({"requests"});
    EXPECT_EQ(list.status, 0);
    EXPECT_EQ(list.out.find("2 requests are open.\n1  rotate green-room, by "), 0U) << list.out;
    EXPECT_NE(list.out.find("\n2  replace_session default, by platform "), std::string::npos) << list.out;
    EXPECT_NE(list.out.find(" UTC: 4 of 6 meetings\n"), std::string::npos) << list.out;
    EXPECT_EQ(call({"requests", "--json"}).json().at("requests").at("total"), 2);

    const Answer aborted = call({"requests", "abort", "2"});
    EXPECT_EQ(aborted.status, 0);
    EXPECT_EQ(aborted.out, "Aborted: request 2; 4 meetings have new sessions, 2 keep theirs.\n");
    const Answer again = call({"requests", "abort", "2"});
    EXPECT_EQ(again.status, 1);
    EXPECT_EQ(again.err.find("usherctl: requests abort: request 2 is aborted already. Nothing was done.\n"), 0U)
        << again.err;
    EXPECT_EQ(call({"requests", "abort", "9223372036854775807"}).status, 1);
    EXPECT_EQ(call({"requests", "abort"}).status, 2);
    for (const std::string number : {"99999999999999999999", "x", "1x", ""}) {
        const Answer no_number = call({"requests", "abort", number});
        EXPECT_EQ(no_number.status, 2);
        EXPECT_EQ(
            no_number.err, "usherctl: requests: abort: expected a request's number, got \"" + number +
                               "\"; see usherctl requests abort --help\n"
        );
    }
    EXPECT_EQ(call({"requests", "abort", "--help"}).status, 0);
    EXPECT_EQ(call({"requests", "abort", "1", "--json"}).json().at("state"), "aborted");
}

TEST_F(Commands, AWaitWithoutADaemonSaysSo)
{
    import_example();
    const Answer answer = call({"rotate", "green-room", "--wait"});
    EXPECT_EQ(answer.status, 1);
    EXPECT_EQ(
        answer.err, "usherctl: rotate: usherd is not at work: it has never looked. Request 1 is filed and waits.\n"
                    "do: systemctl start usher\n"
    );
}

TEST_F(Commands, TheHelpOfARequestSaysWhomItHits)
{
    const std::string help = call({"rotate", "--help"}).out;
    EXPECT_EQ(
        help.find("Usage: usherctl rotate (MEETING | --project NAME | --all) [--wait] [--dry-run]\n"
                  "Signs tokens anew, live meetings first; nobody is thrown out.\n"
                  "Example: usherctl rotate --project default --wait\n"),
        0U
    ) << help;
}

class Decode : public Commands {
protected:
    static constexpr std::int64_t at = 1'800'000'000; // 2027-01-15 08:00 UTC

    /// A token of the sandbox project, as it prints at `at`.
    Answer decode(std::string const& header, std::string const& payload, bool sign = true) const
    {
        std::string token = base64url_encode(header) + "." + base64url_encode(payload);
        token += "." + (sign ? base64url_encode(HmacKey{Digest::sha256, sandbox_api_secret}.sign(token)) : "AAAA");
        return test::call_usherctl({"--db", path, "decode"}, {0, false, from_unix(at)}, token + "\n");
    }

    static std::string payload(std::int64_t issued, std::int64_t expires)
    {
        return R"({"iss":"100000","role":"publisher","session_id":"s","iat":)" + std::to_string(issued) + R"(,"exp":)" +
               std::to_string(expires) + "}";
    }

    static std::string first_line(Answer const& answer) { return answer.out.substr(0, answer.out.find('\n')); }

    static constexpr char const* hs256 = R"({"alg":"HS256","typ":"JWT"})";
};

TEST_F(Decode, SaysWhetherATokenWorks)
{
    struct {
        char const* header;
        std::int64_t issued;
        std::int64_t expires;
        bool sign;
        int status;
        char const* sentence;
    } const rows[] = {
        {hs256, at - 60, at + 1500, true, 0, "Good: signed by key KEY of default; works until 08:25 UTC (in 25m)."},
        {hs256, at, at + 1, true, 0, "Good: signed by key KEY of default; works until 08:00:01 UTC (in 1s)."},
        {hs256, at - 60, at, true, 1, "Expired: it worked until 08:00 UTC (now); signature good."},
        {hs256, at - 3600, at - 900, true, 1, "Expired: it worked until 07:45 UTC (15m ago); signature good."},
        {hs256, at + 1, at + 60, true, 1,
         "Bad: it is issued in the future, 08:00:01 UTC (in 1s): the vendor refuses it until then."},
        {hs256, at, at + 30 * 86400, true, 0,
         "Good: signed by key KEY of default; works until 2027-02-14 08:00 UTC (in 30d)."},
        {hs256, at, at + 30 * 86400 + 1, true, 1, "Bad: it lives for 30d: the vendor refuses more than 30d."},
        {hs256, at * 1000, at * 1000 + 1, true, 1, "Bad: the time of its issue is not in seconds."},
        {hs256, at - 60, at * 1000, true, 1, "Bad: its end is not in seconds."},
        {hs256, at - 60, at + 1500, false, 1, "Bad: it is not signed by key KEY of default."},
        {R"({"alg":"none"})", at - 60, at + 1500, false, 1,
         "Bad: alg is none: nobody signed it, and the vendor refuses it."},
        {R"({"alg":"NoNe"})", at - 60, at + 1500, true, 1,
         "Bad: alg is none: nobody signed it, and the vendor refuses it."},
        {R"({"alg":"HS512"})", at - 60, at + 1500, true, 1,
         "Bad: alg is HS512: the vendor takes HS256 and RS256 only."},
    };
    const std::string key{default_config(path, declarations_of()).projects.front().signer()->key_id().substr(0, 6)};
    for (auto const& row : rows) {
        const Answer answer = decode(row.header, payload(row.issued, row.expires), row.sign);
        std::string sentence = row.sentence;
        if (const auto place = sentence.find("KEY"); place != std::string::npos)
            sentence.replace(place, 3, key);
        EXPECT_EQ(first_line(answer), sentence) << answer.err;
        EXPECT_EQ(answer.status, row.status) << sentence;
    }
}

TEST_F(Decode, ATokenWithoutAnEndLivesForADay)
{
    const auto without_end = [](std::int64_t issued) {
        return R"({"iss":"100000","iat":)" + std::to_string(issued) + "}";
    };
    EXPECT_EQ(decode(hs256, without_end(at - 86400 + 1)).status, 0);
    const Answer answer = decode(hs256, without_end(at - 86400));
    EXPECT_EQ(first_line(answer), "Expired: it worked until 08:00 UTC (now); signature good.");
    EXPECT_NE(
        answer.out.find("\nnote       It names no end: the vendor ends it 24h after its issue.\n"), std::string::npos
    );
}

TEST_F(Decode, AnotherKeysSignatureIsNotChecked)
{
    const Answer answer = decode(hs256, R"({"iss":"47665971","iat":1799999940,"exp":1800001500})");
    EXPECT_EQ(
        first_line(answer),
        "Unchecked: no configured project has the key 47665971; it says that it works until 08:25 UTC (in 25m)."
    );
    EXPECT_EQ(answer.status, 1) << "nobody knows whether it works";
}

TEST_F(Decode, ReadsStandardInputOnly)
{
    const Answer argument = call({"decode", "T1==abc"});
    EXPECT_EQ(argument.status, 2);
    EXPECT_NE(argument.err.find("process list"), std::string::npos) << argument.err;
    EXPECT_EQ(argument.err.find("T1==abc"), std::string::npos) << "the token is not to be repeated";
    EXPECT_EQ(call({"decode"}, "T1==!!!!\n").status, 1);

    // {"alg":"HS256"} . {"iss":"100000","role":"moderator"} with a signature that is nobody's
    const Answer forged = call(
        {"decode", "--json"}, "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiIxMDAwMDAiLCJyb2xlIjoibW9kZXJhdG9yIn0."
                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
    );
    EXPECT_EQ(forged.json().at("role"), "moderator");
    EXPECT_EQ(forged.json().at("verdict"), "bad");
    EXPECT_EQ(forged.json().at("signature"), "invalid");
}

TEST_F(Commands, ReadingNeedsNoSecret)
{
    ASSERT_EQ(call({"init"}).status, 0);
    std::ofstream{folder.file("usher.yaml")}
        << "database: usher.db\n"
           "projects: {default: {provider: opentok, api_key: \"1\", api_secret: {file: not-for-us.secret}},\n"
           "           other: {provider: vonage, application_id: 29f760f8-7ce1-46c9-ade3-f2dedee4ed5f,\n"
           "                   private_key: {credential: video-key}}}\n";
    const std::string config = folder.file("usher.yaml");
    const Answer status = test::call_usherctl({"--config", config, "status"});
    EXPECT_EQ(status.out.find("At risk: usherd has never looked at this database.\n"), 0U) << status.err;
    EXPECT_EQ(test::call_usherctl({"--config", config, "explain", "m"}).status, 1);
    const Answer decode = test::call_usherctl({"--config", config, "decode"}, {}, "T1==abc\n");
    EXPECT_EQ(decode.err.find(config), std::string::npos) << "a token that cannot be read needs no key";

    sql("INSERT INTO meeting (id, starts_at, ends_at) VALUES ('m', strftime('%s', 'now') + 60, strftime('%s', 'now') + "
        "600);"
        "UPDATE agenda SET state = 'failed', due_at = 4000000000, reason = 'credentials_refused', detail = 'said 403'");
    const Answer failed = test::call_usherctl({"--config", config, "explain", "m"});
    EXPECT_EQ(
        failed.out.find(
            "m has failed: the vendor refuses default's secret.\n"
            "do: correct " +
            folder.file("not-for-us.secret") +
            "; systemctl reload usher\n"
            "reason     credentials_refused: said 403\n"
        ),
        0U
    ) << failed.out
      << failed.err;
}

} // namespace
} // namespace usher::ctl
