// SPDX-License-Identifier: Apache-2.0
// Any value in any column of any table: nothing crashes or stalls, and nobody beside the row goes unserved.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "service/world.hpp"

namespace usher {
namespace {

struct Value {
    char const* name;
    char const* sql;
};

// What is far too large has two million bytes: more than a connection of usher's reads, and quick to write.
constexpr Value values[] = {
    {"null", "NULL"},
    {"minus_one", "-1"},
    {"zero", "0"},
    {"largest", "9223372036854775807"},
    {"smallest", "-9223372036854775807 - 1"},
    {"fraction", "1.5"},
    {"infinite", "9e999"},
    {"text", "'text'"},
    {"empty", "''"},
    {"blob", "x'00ff1b5b324a'"},
    {"no_utf8", "CAST(x'ff41c3' AS TEXT)"},
    {"control", "'a' || char(27) || '[2J' || char(10) || char(155) || char(8238)"},
    {"far_too_large", "printf('%02000000d', 7)"},
};

class HostileRows : public test::World, public testing::TestWithParam<std::string> {
protected:
    std::vector<std::string> columns(std::string const& table)
    {
        std::vector<std::string> names;
        SQLite::Statement query{*platform, "SELECT name FROM pragma_table_info(?)"};
        query.bind(1, table);
        while (query.executeStep())
            names.push_back(query.getColumn(0).getString());
        return names;
    }

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
        sql("INSERT INTO request_meeting (meeting_no, work_no) SELECT meeting_no, 99 FROM agenda");
        sql("INSERT INTO session_attempt (meeting_no, started_at) SELECT meeting_no, 1800000000 FROM agenda");
        sql("INSERT OR REPLACE INTO project_status VALUES "
            "('default', 'sandbox', '123456', 'k', '', '', NULL, 0, 1800000000)");
        settle();
        meeting(30 * 60, 90 * 60, "neighbour");
        participant("cid", "publisher", "neighbour");
    }
};

TEST_P(HostileRows, HarmNobodyElse)
{
    const std::string table = GetParam();
    prepare();
    platform->exec("VACUUM INTO '" + path + ".before'");
    for (std::string const& column : columns(table)) {
        for (Value const& value : values) {
            SCOPED_TRACE(table + "." + column + " = " + value.name);
            provisioner.reset();
            maker.reset();
            store.reset();
            platform->exec("PRAGMA wal_checkpoint(TRUNCATE)");
            platform->backup((path + ".before").c_str(), SQLite::Database::BackupType::Load);
            platform->exec("PRAGMA ignore_check_constraints = ON");
            try {
                sql("UPDATE " + table + " SET " + column + " = " + value.sql +
                    " WHERE rowid = (SELECT min(rowid) FROM " + table + ")");
            } catch (SQLite::Exception const&) {
                try { // a table without rowid
                    sql("UPDATE " + table + " SET " + column + " = " + value.sql);
                } catch (SQLite::Exception const&) {
                    continue; // the database itself refuses it
                }
            }
            platform->exec("PRAGMA ignore_check_constraints = OFF");

            restart();
            work();
            EXPECT_EQ(credentials("neighbour").size(), 1U);

            meeting(30 * 60, 90 * 60, "late");
            participant("dan", "publisher", "late");
            work();
            EXPECT_EQ(credentials("late").size(), table == "door" ? credentials("late").size() : 1U);
            for (Violation const& violation : violations())
                if (violation.meeting_id != "victim" && table != "token" && table != "session")
                    ADD_FAILURE() << violation.promise << " " << violation.meeting_id << ": " << violation.what;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(
    Tables, HostileRows,
    testing::Values(
        "meeting", "participant", "block", "request", "agenda", "session", "token", "token_past", "session_attempt",
        "project_status", "participant_problem", "request_result", "request_meeting", "daemon", "door", "token_reason",
        "history"
    ),
    [](auto const& table) { return table.param; }
);

} // namespace
} // namespace usher
