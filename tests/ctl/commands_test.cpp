// SPDX-License-Identifier: Apache-2.0
// usherctl as its users meet it: command lines in, text and exit status out.
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "support/temp_dir.hpp"

namespace usher::ctl {
namespace {

struct Answer {
    int status;
    std::string out;
    std::string err;

    nlohmann::json json() const { return nlohmann::json::parse(out); }
};

class Commands : public testing::Test {
protected:
    Answer call(std::vector<std::string> words, std::string const& input = {}) const
    {
        words.insert(words.begin(), {"usherctl", "--db", path});
        return call_plain(words, input);
    }

    static Answer call_plain(std::vector<std::string> const& words, std::string const& input = {})
    {
        std::vector<char const*> argv;
        for (std::string const& word : words)
            argv.push_back(word.c_str());
        std::istringstream in{input};
        std::ostringstream out;
        std::ostringstream err;
        const int status = run(static_cast<int>(argv.size()), argv.data(), in, out, err);
        return {status, out.str(), err.str()};
    }

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
    for (std::string const command :
         {"init", "import", "backup", "restore", "status", "credentials", "decode", "explain", "rotate", "retry",
          "replace-session"}) {
        const Answer answer = call_plain({"usherctl", command, "--help"});
        EXPECT_EQ(answer.status, 0) << command;
        EXPECT_NE(answer.out.find("Example"), std::string::npos) << command;
        EXPECT_NE(answer.out.find("--json"), std::string::npos) << command;
    }
}

TEST_F(Commands, UsageAndMissingFilesHaveTheirExitStatus)
{
    EXPECT_EQ(call({"statsu"}).status, 2);
    EXPECT_EQ(call({}).status, 2);
    EXPECT_EQ(call({"explain"}).status, 2);
    EXPECT_EQ(call_plain({"usherctl", "--config", folder.file("none.yaml"), "status"}).status, 2);
    const Answer missing = call({"status"});
    EXPECT_EQ(missing.status, 1);
    EXPECT_NE(missing.err.find("create it with: usherctl --db " + path + " init"), std::string::npos) << missing.err;
}

TEST_F(Commands, StatusCountsAndWarnsOfTheSandbox)
{
    import_example();
    const auto status = call({"status", "--json"}).json();
    EXPECT_EQ(status.at("states").at("pending"), 40);
    EXPECT_NE(
        call({"status"}).out.find("project default is on the sandbox: its tokens open no real meeting"),
        std::string::npos
    );
}

TEST_F(Commands, StatusListsParticipantsWithoutTheirMeeting)
{
    ASSERT_EQ(call({"init"}).status, 0);
    SQLite::Database{path, SQLite::OPEN_READWRITE}.exec(
        "INSERT INTO participant (meeting_id, participant_id, role) VALUES ('42', 'ann', 'publisher');"
        "UPDATE agenda SET state = 'waiting', reason = 'no_meeting', due_at = 9223372036854775807"
    );
    EXPECT_NE(call({"status"}).out.find("42"), std::string::npos);
}

TEST_F(Commands, StatusShowsProjectsAndHowFarANewKeyHasCome)
{
    ASSERT_EQ(call({"init"}).status, 0);
    EXPECT_EQ(call({"status", "--json"}).json().at("projects"), nlohmann::json::array());
    SQLite::Database{path, SQLite::OPEN_READWRITE}.exec(
        "INSERT INTO meeting (id, starts_at, ends_at) VALUES ('m', 4000000000, 4000003600), ('n', 4000000000, "
        "4000003600);"
        "INSERT INTO session (session_no, meeting_no, session_id, provider, project, project_key, options, created_at) "
        "SELECT meeting_no, meeting_no, 'id-' || meeting_id, 'opentok', 'default', '47665971', '', 1 FROM agenda;"
        "UPDATE agenda SET session_no = meeting_no, state = 'failed', due_at = 4000000000, attempts = 2, "
        "reason = 'credentials_refused', detail = 'the secret is wrong', next_at = 4000000000;"
        "INSERT INTO token (session_no, participant_id, token, role, reason, issued_at, expires_at, generation, "
        "key_id, fingerprint) VALUES (1, 'ann', 'x', 1, 0, 1, 4000003600, 0, 'old', 0), "
        "(1, 'ben', 'x', 1, 0, 1, 4000003600, 0, 'new', 0), (2, 'ann', 'x', 1, 0, 1, 4000003600, 0, 'old', 0), "
        "(7, 'ann', 'x', 1, 0, 1, 4000003600, 0, 'old', 0);" // not published: no meeting has this session
        "INSERT INTO project_status VALUES "
        "('default', 'opentok', '47665971', 'new', 'credentials_refused', 'the secret is wrong', 4000000000, 2, 1), "
        "('quiet', 'vonage', '29f760f8', 'k', '', '', NULL, -75, 1), ('same', 'sandbox', '1', 'k', '', '', NULL, 0, 1)"
    );
    const Answer text = call({"status"});
    EXPECT_NE(
        text.out.find("project default: opentok 47665971\n"
                      "  not asked for now, credentials_refused: the secret is wrong\n"
                      "  next probe 2096-10-02T07:06:40Z (in "),
        std::string::npos
    ) << text.out;
    EXPECT_NE(
        text.out.find("  this machine's clock is 2s ahead of the provider's\n"
                      "  2 of 3 tokens still carry the old key\n"
                      "project quiet: vonage 29f760f8\n"
                      "  this machine's clock is 75s behind the provider's\n"
                      "project same: sandbox 1\n"
                      "project default is on the sandbox"),
        std::string::npos
    ) << text.out;

    const auto projects = call({"status", "--json"}).json().at("projects");
    EXPECT_EQ(
        projects.at(0), nlohmann::json::parse(R"({"name": "default", "provider": "opentok", "project_key": "47665971",
            "reason": "credentials_refused", "detail": "the secret is wrong", "next_probe_at": "2096-10-02T07:06:40Z",
            "clock_ahead_seconds": 2, "tokens": 3, "tokens_with_old_key": 2})")
    );
    EXPECT_EQ(projects.at(1).at("clock_ahead_seconds"), -75);
    EXPECT_TRUE(projects.at(1).at("next_probe_at").is_null());

    const Answer explained = call({"explain", "m"});
    EXPECT_EQ(
        explained.out.find("m\nstate: failed, credentials_refused\n"
                           "It could not be made ready; the daemon tries again by itself.\n"
                           "the secret is wrong\n"),
        0
    ) << explained.out;
    EXPECT_NE(explained.out.find("next attempt: 2096-10-02T07:06:40Z (in "), std::string::npos) << explained.out;
    EXPECT_NE(explained.out.find("failures in a row: 2\n"), std::string::npos) << explained.out;

    SQLite::Database{path, SQLite::OPEN_READWRITE}.exec("UPDATE agenda SET next_at = 1000 WHERE meeting_id = 'm'");
    EXPECT_NE(call({"explain", "m"}).out.find("\nnext attempt: due now\n"), std::string::npos);
    EXPECT_NE(call({"status"}).out.find("; next attempt due now\n"), std::string::npos);
}

TEST_F(Commands, ExplainTellsAProviderThatDoesNotAnswerFromADaemonThatDoesNotRun)
{
    ASSERT_EQ(call({"init"}).status, 0);
    SQLite::Database{path, SQLite::OPEN_READWRITE}.exec(
        "INSERT INTO meeting (id, starts_at, ends_at) VALUES ('m', 4000000000, 4000003600), ('n', 4000000000, "
        "4000003600);"
        "UPDATE agenda SET state = 'pending', due_at = 4000000000, reason = 'provider_tls', detail = 'no handshake' "
        "WHERE meeting_id = 'm'"
    );
    EXPECT_EQ(
        call({"explain", "m", "--json"}).json().at("sentence"),
        "Its session could not be made yet; the daemon tries again by itself."
    );
    EXPECT_EQ(
        call({"explain", "n", "--json"}).json().at("sentence"),
        "The daemon is going to look at it; if this stays, the daemon does not run."
    );
}

TEST_F(Commands, ExplainAndCredentialsNameWhatIsNotThere)
{
    import_example();
    EXPECT_EQ(call({"explain", "nowhere"}).status, 1);
    EXPECT_EQ(call({"explain", "nowhere"}).err, "usherctl: nowhere: there is no such meeting\n");
    const Answer none = call({"credentials", "green-room"});
    EXPECT_EQ(none.status, 1);
    EXPECT_EQ(
        none.err, "usherctl: green-room: nobody there has a published token; see why with: usherctl explain MEETING\n"
    );
    EXPECT_EQ(call({"explain", "green-room", "--json"}).json().at("state"), "pending");
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

TEST_F(Commands, ARequestForWhatIsNotThereIsNotFiled)
{
    import_example();
    const Answer meeting = call({"rotate", "green-rom"});
    EXPECT_EQ(meeting.status, 1);
    EXPECT_EQ(
        meeting.err, "usherctl: rotate: no meeting green-rom; nearest: green-room. Nothing was done.\n"
                     "do: usherctl rotate green-room\n"
    );
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

TEST_F(Commands, DecodeReadsStandardInputOnly)
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
    EXPECT_NE(forged.out.find("invalid"), std::string::npos) << forged.out;
}

} // namespace
} // namespace usher::ctl
