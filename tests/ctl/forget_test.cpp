// SPDX-License-Identifier: Apache-2.0
// A person who is taken out of usher's rows, while usherd and platforms go on.
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <usher/store/forget.hpp>

#include "commands.hpp"
#include "service/world.hpp"
#include "support/usherctl.hpp"

namespace usher::ctl {
namespace {

using test::Answer;

constexpr std::int64_t minute = 60;

class Forget : public testing::Test {
protected:
    Answer forget(std::vector<std::string> words)
    {
        words.insert(words.begin(), {"--db", world.path, "forget"});
        return test::call_usherctl(std::move(words), {0, false, world.clock.now()});
    }

    /// In how many values of usher's own tables the text stands.
    int traces(std::string const& text)
    {
        SQLite::Database database{world.path, SQLite::OPEN_READONLY};
        int found = 0;
        for (const std::string table :
             {"agenda", "session", "token", "token_past", "session_attempt", "removal", "participant_problem",
              "request_result", "request_meeting", "daemon", "history", "project_status"}) {
            SQLite::Statement rows{database, "SELECT * FROM " + table};
            while (rows.executeStep())
                for (int i = 0; i < rows.getColumnCount(); ++i)
                    found += rows.getColumn(i).getString().find(text) != std::string::npos ? 1 : 0;
        }
        return found;
    }

    std::string number(std::string const& query) { return world.text(query); }

    /// Live from half an hour on, with two people who had a token each before the one they have.
    void ready_meeting(std::string const& id = "m")
    {
        world.meeting(30 * minute, 90 * minute, id);
        for (const std::string person : {"ann.of.ours", "bob.of.ours"})
            world.participant(person, "publisher", id);
        world.settle();
        world.sql("UPDATE participant SET role = 'moderator' WHERE meeting_id = '" + id + "'");
        world.settle();
    }

    test::World world;
};

TEST_F(Forget, NoRowOfUshersNamesThePersonAndTheHistoryIsStillCounted)
{
    ready_meeting("m");
    ready_meeting("n");
    world.participant("ann.of.ours", "publisher", "waits"); // the problem of a meeting without a row
    world.sql("UPDATE participant SET connection_data = CAST(x'ff' AS TEXT) WHERE participant_id = 'bob.of.ours' AND "
              "meeting_id = 'n'");
    world.settle();
    ASSERT_GT(traces("bob.of.ours"), 0);
    const std::string tokens = number("SELECT count(*) FROM credential_history");
    world.sql("DELETE FROM participant");

    for (const std::string person : {"ann.of.ours", "bob.of.ours"}) {
        const Answer answer = forget({person, "--yes"});
        EXPECT_EQ(answer.status, 0) << answer.err << answer.out;
        EXPECT_EQ(answer.out.find("Done: " + person + " is out of "), 0U) << answer.out;
        EXPECT_EQ(traces(person), 0);
    }

    EXPECT_EQ(number("SELECT count(*) FROM credential_history"), tokens);
    EXPECT_EQ(number("SELECT count(*) FROM credential_history WHERE participant_id = '(forgotten)'"), tokens);
    world.settle();
    EXPECT_EQ(number("SELECT count(*) FROM credential_history WHERE withdrawn_at IS NULL"), "0");
    EXPECT_EQ(traces("of.ours"), 0);
    for (const std::string way : {"--yes", "--dry-run"}) {
        const Answer nobody = forget({"(forgotten)", way});
        EXPECT_EQ(nobody.status, 2);
        EXPECT_NE(nobody.err.find("stands for all who are forgotten already"), std::string::npos) << nobody.err;
    }
    EXPECT_EQ(
        forget({"ann.of.ours"}).out,
        "Nothing to do: no row of usher's own, and none of the platform's, names ann.of.ours.\n"
    );
}

TEST_F(Forget, WhoIsStillAParticipantKeepsTheirToken)
{
    ready_meeting();
    world.sql("INSERT INTO block (meeting_id, participant_id) VALUES ('other', 'ann.of.ours')");
    world.settle();
    const auto before = world.credentials();

    const Answer answer = forget({"ann.of.ours", "--yes"});

    EXPECT_EQ(answer.status, 1);
    EXPECT_EQ(
        answer.out, "In part: ann.of.ours is out of 1 row of usher's own; the platform's name it still.\n"
                    "stays      1 row of participant and 1 of block, which the platform writes: m, other\n"
                    "  do: the platform deletes them; then: usherctl forget ann.of.ours\n"
                    "stays      1 token of these meetings\n"
                    "note       backups, files of export and logs are not touched\n"
    );
    EXPECT_EQ(world.credentials(), before);
    EXPECT_EQ(traces("ann.of.ours"), 1) << "the token";
    world.settle();
    EXPECT_EQ(world.credentials(), before);
    EXPECT_EQ(number("SELECT count(*) FROM credential_history WHERE participant_id = '(forgotten)'"), "1");

    world.sql("DELETE FROM participant WHERE participant_id = 'ann.of.ours'; DELETE FROM block");
    EXPECT_EQ(forget({"ann.of.ours", "--yes"}).status, 0);
    EXPECT_EQ(traces("ann.of.ours"), 0);
    EXPECT_EQ(world.credentials().count("bob.of.ours"), 1U);
    world.settle();
}

TEST_F(Forget, AsksAndTellsBefore)
{
    ready_meeting();
    world.sql("DELETE FROM participant WHERE participant_id = 'ann.of.ours'");
    const int before = traces("ann.of.ours");

    const Answer unasked = forget({"ann.of.ours"});
    EXPECT_EQ(unasked.status, 1);
    EXPECT_EQ(
        unasked.err, "ann.of.ours is taken out of 3 rows of usher's own, which cannot be undone.\n"
                     "usherctl: forget: no terminal to ask. Nothing was done.\ndo: add --yes\n"
    );
    const Answer dry = forget({"ann.of.ours", "--dry-run", "--json"});
    EXPECT_EQ(dry.status, 0);
    EXPECT_EQ(dry.json().at("erased"), nlohmann::json::parse(R"({"past_tokens": 1, "left_tokens": 1, "problems": 0,
        "removals": 1})"));
    EXPECT_EQ(dry.json().at("stays").at("participants"), 0);
    EXPECT_EQ(traces("ann.of.ours"), before);
    EXPECT_EQ(forget({}).status, 2);
    EXPECT_EQ(forget({""}).status, 2);
}

TEST_F(Forget, WhoWasRemovedEarlyStillLeadsToANewSession)
{
    world.policy.replace_on_removal = true;
    world.restart();
    for (const bool forgotten : {false, true}) {
        SCOPED_TRACE(forgotten);
        const std::string id = forgotten ? "n" : "m";
        ready_meeting(id);
        const std::string session = world.credentials(id).at("bob.of.ours").session_id;
        world.sql("DELETE FROM participant WHERE participant_id = 'ann.of.ours'");
        if (forgotten) {
            EXPECT_EQ(forget({"ann.of.ours", "--yes"}).status, 0);
            EXPECT_EQ(traces("ann.of.ours"), 0);
        }
        world.settle();
        EXPECT_NE(world.credentials(id).at("bob.of.ours").session_id, session);
    }
}

TEST_F(Forget, APersonIsForgottenWhileUsherdIsInTheMiddleOfAPass)
{
    ready_meeting();
    for (int i = 0; i < 50; ++i)
        world.participant("guest" + std::to_string(i));
    world.settle();
    world.sql("DELETE FROM participant WHERE participant_id = 'ann.of.ours';"
              "UPDATE meeting SET ends_at = ends_at + 60");
    world.random.before_next = [&] {
        PersonEraser eraser{world.path};
        eraser.erase("ann.of.ours", world.clock.now(), [](std::size_t) {});
    };

    world.settle();

    EXPECT_EQ(traces("ann.of.ours"), 0);
    EXPECT_EQ(world.credentials().size(), 51U);
}

TEST_F(Forget, NamesThatAreFarFromPlainAreTakenAsTheyAre)
{
    world.meeting(30 * minute, 90 * minute);
    SQLite::Database platform{world.path, SQLite::OPEN_READWRITE};
    for (const std::string person : {"%", "_", "' OR 1", "\x1b[2J", "007"}) {
        SQLite::Statement insert{
            platform, "INSERT INTO participant (meeting_id, participant_id, role) VALUES ('m', ?, 'publisher')"};
        insert.bind(1, person);
        insert.exec();
    }
    world.participant("kept");
    world.settle();
    world.sql("DELETE FROM participant WHERE participant_id <> 'kept'");

    for (const std::string person : {"%", "_", "' OR 1", "\x1b[2J", "007"})
        EXPECT_EQ(forget({"--yes", "--", person}).out.find("Done: "), 0U) << person;

    EXPECT_EQ(number("SELECT count(*) FROM credential_history WHERE participant_id = '(forgotten)'"), "5");
    EXPECT_EQ(number("SELECT group_concat(participant_id) FROM token"), "kept");
    world.settle();
    EXPECT_EQ(world.credentials().size(), 1U);
}

} // namespace
} // namespace usher::ctl
