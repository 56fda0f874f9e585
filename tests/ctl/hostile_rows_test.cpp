// SPDX-License-Identifier: Apache-2.0
// Any value in any column of any table: each command that reads still answers, shortly and in plain text, and says of
// the meeting beside what it said before.
#include <algorithm>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "service/world.hpp"
#include "support/plain_text.hpp"
#include "support/sqlite/attacker.hpp"
#include "support/usherctl.hpp"

namespace usher::ctl {
namespace {

using namespace std::chrono_literals;

using test::Answer;
using test::HostileValue;

// In the first column of the first table, the second of the second, and so on: each table has it once.
constexpr HostileValue fifty_megabytes{"fifty_megabytes", "printf('%050000000d', 7)"};

class HostileRows : public testing::TestWithParam<std::string> {
protected:
    static constexpr sys_seconds now = test::World::start;
    static constexpr std::size_t answer_bytes_max = 1'000'000;

    HostileRows()
    {
        world.meeting(30 * 60, 90 * 60, "victim");
        world.participant("ann", "publisher", "victim");
        world.participant("bob", "publisher", "victim");
        world.settle();
        // Its rows come after the victim's, by every key.
        world.meeting(-10 * 60, 90 * 60, "witness");
        world.participant("cid", "publisher", "witness");
        world.settle();
        // Every table has rows.
        world.sql("UPDATE participant SET role = 'moderator' WHERE participant_id = 'ann';"
                  "UPDATE participant SET connection_data = CAST(x'ff41' AS TEXT) WHERE participant_id = 'bob'");
        world.work();
        world.sql("INSERT INTO block (meeting_id, participant_id) VALUES ('victim', 'eve');"
                  "INSERT INTO removal (meeting_id, participant_id) VALUES ('victim', 'fay');"
                  "INSERT INTO request (action, meeting_id) VALUES ('rotate', 'victim');"
                  "INSERT INTO request_meeting (meeting_no, work_no) SELECT meeting_no, 99 FROM agenda LIMIT 1;"
                  "INSERT INTO session_attempt (meeting_no, started_at, outcome) "
                  "SELECT meeting_no, 1800000000, 'abandoned' FROM agenda LIMIT 1;"
                  "INSERT OR REPLACE INTO project_status VALUES "
                  "('default', 'sandbox', '123456', 'k', '', '', NULL, 0, 1800000000);"
                  "UPDATE daemon SET who = 'pid 812'");
        world.close();
        std::ofstream{meetings} << "id,starts_at,ends_at\nvictim,2027-01-15T09:00:00Z,2027-01-15T10:00:00Z\n";
        std::ofstream{participants} << "meeting_id,participant_id,role\nvictim,ann,publisher\n";
        snapshot.emplace(world.path);
    }

    Answer call(std::vector<std::string> words) const
    {
        words.insert(words.begin(), {"--db", world.path});
        return test::call_usherctl(std::move(words), {80, false, now});
    }

    Answer checked(std::vector<std::string> const& words) const
    {
        std::string line;
        for (std::string const& word : words)
            line += word + " ";
        SCOPED_TRACE(line);
        Answer answer{-1, {}, {}};
        EXPECT_NO_THROW(answer = call(words));
        EXPECT_TRUE(answer.status >= 0 && answer.status <= 2) << answer.status;
        for (std::string const* const text : {&answer.out, &answer.err}) {
            EXPECT_LT(text->size(), answer_bytes_max) << text->substr(0, 200);
            EXPECT_EQ(test::first_fault(*text), "") << text->substr(0, 200);
        }
        EXPECT_TRUE(words.back() != "--json" || nlohmann::json::accept(answer.out)) << answer.out.substr(0, 1000);
        return answer;
    }

    /// What is said of the neighbour, by command.
    std::map<std::string, std::string> neighbour() const
    {
        std::map<std::string, std::string> said;
        said["explain"] = checked({"explain", "witness"}).out;
        said["credentials"] = checked({"credentials", "witness"}).out;
        // The victim may be live too: from its rows as they are now, it can be entered.
        const auto status = nlohmann::json::parse(checked({"status", "--json"}).out, nullptr, false);
        if (status.is_object() && status.contains("windows"))
            said["status"] = status.at("windows").at(0).at("ready") >= 1 ? "live and ready" : status.dump();
        return said;
    }

    void ask_everything() const
    {
        for (char const* const command : {"status", "requests", "init", "plan", "forecast", "list", "history"})
            checked({command});
        for (char const* const command : {"plan", "forecast", "list", "history"})
            checked({command, "--json"});
        checked({"list", "--failing"});
        checked({"list", "--at", "+1h"});
        checked({"doctor", "--offline", "--json"});
        checked({"history", "victim"});
        checked({"history", "victim", "--participant", "ann"});
        checked({"history", "--participant", "ann", "--json"});
        for (char const* const command : {"requests", "init"})
            checked({command, "--json"});
        for (char const* const command : {"explain", "credentials"}) {
            checked({command, "victim"});
            checked({command, "victim", "--json"});
            checked({command, "victin"});
        }
        checked({"credentials", "victim", "bob"});
        checked({"credentials", "victim", "--show", "--json"});
        checked({"credentials", "victim", "--show"});
        checked({"rotate", "--all", "--dry-run"});
        checked({"retry", "victin", "--dry-run"});
        checked({"import", "--meetings", meetings, "--participants", participants, "--dry-run"});
    }

    test::World world;
    std::string meetings = world.folder.file("meetings.csv");
    std::string participants = world.folder.file("participants.csv");
    std::optional<test::Snapshot> snapshot;
};

TEST_P(HostileRows, AreToldOfShortlyAndBesideTheOthers)
{
    const std::string table = GetParam();
    const auto before = neighbour();
    ASSERT_EQ(before.at("explain").find("witness is ready, live: "), 0U) << before.at("explain");
    ASSERT_EQ(before.at("status"), "live and ready");

    const std::vector<std::string> tables = test::Attacker{world.path}.tables();
    const std::vector<std::string> columns = test::Attacker{world.path}.columns(table);
    const auto turn = static_cast<std::size_t>(std::find(tables.begin(), tables.end(), table) - tables.begin());
    ASSERT_LT(turn, tables.size());
    int written = 0;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        std::vector<HostileValue> tried{std::begin(test::hostile_values), std::end(test::hostile_values)};
        if (i == turn % columns.size())
            tried.push_back(fifty_megabytes);
        for (HostileValue const& value : tried) {
            SCOPED_TRACE(table + "." + columns[i] + " = " + value.name);
            snapshot->restore();
            if (!test::Attacker{world.path}.write(table, columns[i], 0, value.sql))
                continue;
            ++written;
            ask_everything();
            EXPECT_EQ(neighbour(), before);
        }
    }
    EXPECT_GE(written, std::ssize(columns)); // there is a row
}

INSTANTIATE_TEST_SUITE_P(
    Tables, HostileRows,
    testing::Values(
        "agenda", "block", "daemon", "door", "history", "meeting", "participant", "participant_problem",
        "project_status", "removal", "request", "request_meeting", "request_result", "session", "session_attempt",
        "token", "token_past", "token_reason"
    ),
    [](auto const& table) { return table.param; }
);

} // namespace
} // namespace usher::ctl
