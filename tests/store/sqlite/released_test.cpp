// SPDX-License-Identifier: Apache-2.0
// Databases that released versions have left, tests/store/sqlite/released/VERSION.sql, and what this version makes of
// them.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <usher/store/database.hpp>
#include <usher/store/report.hpp>

#include "support/temp_dir.hpp"

namespace usher {
namespace {

/// All rows of what platforms write and read, and of the tokens, as text; a later version may add columns.
std::map<std::string, std::string> rows_of(std::string const& path)
{
    SQLite::Database database{path, SQLite::OPEN_READONLY, 5000};
    std::map<std::string, std::string> rows;
    for (const std::string query : {
             "SELECT id, title, starts_at, ends_at, status, project, early_join FROM meeting ORDER BY id",
             "SELECT id, meeting_id, participant_id, display_name, role, connection_data FROM participant ORDER BY id",
             "SELECT id, meeting_id, participant_id, reason FROM block ORDER BY id",
             "SELECT id, action, meeting_id, project, state, detail FROM request_status ORDER BY id",
             "SELECT meeting_id, state, reason, seq FROM meeting_status ORDER BY meeting_id",
             "SELECT meeting_id, participant_id, role, reason, issued_at, withdrawn_reason FROM credential_history "
             "ORDER BY 1, 2, 5, 6",
             "SELECT session_no, participant_id, token FROM token ORDER BY 1, 2",
             "SELECT session_no, session_id, hex(mac) FROM session ORDER BY 1",
         }) {
        SQLite::Statement statement{database, query};
        std::string& text = rows[query];
        while (statement.executeStep()) {
            for (int column = 0; column < statement.getColumnCount(); ++column)
                text += statement.getColumn(column).getString() + "|";
            text += "\n";
        }
    }
    return rows;
}

class Released : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(Released, DatabaseIsMigratedWithAllItsRows)
{
    const test::TempDir folder;
    const std::string path = folder.file("usher.db");
    std::ifstream in{GetParam()};
    std::stringstream sql;
    sql << in.rdbuf();
    {
        SQLite::Database database{path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
        database.exec("PRAGMA journal_mode = WAL");
        database.exec(sql.str());
    }
    const auto before = rows_of(path);
    for (auto const& [query, rows] : before)
        ASSERT_FALSE(rows.empty()) << query;

    const Created created = create_database(path, FileAccess::group);

    EXPECT_NE(created, Created::created);
    SQLite::Database database{path};
    EXPECT_EQ(database.execAndGet("PRAGMA user_version").getInt(), schema_version_known());
    EXPECT_EQ(rows_of(path), before);
    std::string damages;
    for (Damage const& damage : Report{path, sys_seconds{std::chrono::seconds{1'800'000'000}}}.damages())
        damages += damage.sentence + "\n";
    EXPECT_EQ(damages, "") << "a released migration is never edited: add one with the next number";
}

std::vector<std::filesystem::path> released()
{
    std::vector<std::filesystem::path> files;
    for (auto const& entry : std::filesystem::directory_iterator{USHER_SOURCE_DIR "/tests/store/sqlite/released"})
        if (entry.path().extension() == ".sql")
            files.push_back(entry.path());
    return files;
}

std::string name_of(testing::TestParamInfo<std::filesystem::path> const& released)
{
    std::string name = "v" + released.param.stem().string();
    std::replace(name.begin(), name.end(), '.', '_');
    return name;
}

INSTANTIATE_TEST_SUITE_P(Versions, Released, testing::ValuesIn(released()), name_of);

} // namespace
} // namespace usher
