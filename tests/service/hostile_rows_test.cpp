// SPDX-License-Identifier: Apache-2.0
// Any value in any column of any table: nothing crashes or stalls, and nobody beside the row goes unserved.
#include <string>

#include <gtest/gtest.h>

#include "service/world.hpp"
#include "support/sqlite/attacker.hpp"

namespace usher {
namespace {

class HostileRows : public test::World, public testing::TestWithParam<std::string> {
protected:
    /// A meeting with people, a block, a request, something of the past, and something that is wrong: every table has
    /// rows, those of `victim` among them.
    void prepare()
    {
        meeting(30 * 60, 90 * 60, "victim");
        participant("ann", "publisher", "victim");
        participant("bob", "publisher", "victim");
        settle();
        sql("UPDATE participant SET role = 'moderator' WHERE participant_id = 'ann'");
        sql("UPDATE participant SET connection_data = CAST(x'ff41' AS TEXT) WHERE participant_id = 'bob'");
        sql("INSERT INTO block (meeting_id, participant_id) VALUES ('victim', 'eve')");
        sql("INSERT INTO request (action, meeting_id) VALUES ('rotate', 'victim')");
        sql("INSERT INTO session_attempt (meeting_no, started_at) SELECT meeting_no, 1800000000 FROM agenda");
        sql("INSERT OR REPLACE INTO project_status VALUES "
            "('default', 'sandbox', '123456', 'k', '', '', NULL, 0, 1800000000)");
        settle();
        sql("INSERT INTO removal (meeting_id, participant_id) VALUES ('victim', 'fay')");
        sql("INSERT INTO request_meeting (meeting_no, work_no) SELECT meeting_no, 99 FROM agenda");
        meeting(30 * 60, 90 * 60, "west");
        participant("cid", "publisher", "west");
    }
};

TEST_P(HostileRows, HarmNobodyElse)
{
    const std::string table = GetParam();
    policy.replace_on_removal = table == "removal";
    prepare();
    platform->exec("VACUUM INTO '" + path + ".before'");
    test::Attacker attacker{path};
    int written = 0;
    for (std::string const& column : attacker.columns(table)) {
        if (column == "id" && (table == "participant" || table == "block" || table == "request"))
            continue; // behind triggers, since the largest number would end AUTOINCREMENT
        for (test::HostileValue const& value : test::hostile_values) {
            SCOPED_TRACE(table + "." + column + " = " + value.name);
            stop();
            platform->exec("PRAGMA wal_checkpoint(TRUNCATE)");
            platform->backup((path + ".before").c_str(), SQLite::Database::BackupType::Load);
            if (!attacker.write(table, column, 0, value.sql))
                continue; // the database itself refuses it
            ++written;

            restart();
            work();
            EXPECT_EQ(credentials("west").size(), 1U);

            meeting(30 * 60, 90 * 60, "late");
            participant("dan", "publisher", "late");
            work();
            EXPECT_EQ(credentials("late").size(), 1U);
            for (Violation const& violation : violations())
                if (violation.meeting_id != "victim")
                    ADD_FAILURE() << violation.promise << " " << violation.meeting_id << ": " << violation.what;
        }
    }
    EXPECT_GT(written, 0); // there is a row
}

INSTANTIATE_TEST_SUITE_P(
    Tables, HostileRows,
    testing::Values(
        "meeting", "participant", "block", "request", "agenda", "session", "token", "token_past", "session_attempt",
        "project_status", "participant_problem", "request_result", "request_meeting", "daemon", "door", "token_reason",
        "history", "removal"
    ),
    [](auto const& table) { return table.param; }
);

} // namespace
} // namespace usher
