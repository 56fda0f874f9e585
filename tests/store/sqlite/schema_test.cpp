// SPDX-License-Identifier: Apache-2.0
// What the schema refuses and takes, and what its triggers mark.
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <sys/stat.h>

#include <SQLiteCpp/SQLiteCpp.h>
#include <SQLiteCpp/Savepoint.h>
#include <gtest/gtest.h>

#include <usher/store/database.hpp>
#include <usher/store/sqlite/store_file.hpp>

#include "store/sqlite/connection.hpp"
#include "support/temp_dir.hpp"

namespace usher {
namespace {

std::string contents(std::filesystem::path const& file)
{
    std::ifstream in{file};
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
}

class Schema : public testing::Test {
protected:
    Schema() { create_database(path, FileAccess::group); }

    SQLite::Database open() const { return SQLite::Database{path, SQLite::OPEN_READWRITE, 5000}; }

    /// What SQLite says to `sql`, or `taken`.
    static std::string answer(SQLite::Database& database, std::string const& sql)
    {
        try {
            database.exec(sql);
            return "taken";
        } catch (SQLite::Exception const& error) {
            return error.what();
        }
    }

    test::TempDir folder;
    std::string path = folder.file("usher.db");
};

/// Of SQLite's two kinds of names that are no paths neither is taken for one, wherever a database is opened.
TEST(DatabaseFile, IsAFileHoweverItIsCalled)
{
    const test::TempDir folder;
    const std::filesystem::path before = std::filesystem::current_path();
    std::filesystem::current_path(std::filesystem::path{folder.file("x")}.parent_path());
    for (const std::string name : {"file:usher.db", "file:usher.db?mode=memory", ":memory:"}) {
        SCOPED_TRACE(name);
        EXPECT_EQ(create_database(name, FileAccess::group), Created::created);
        EXPECT_TRUE(std::filesystem::is_regular_file("./" + name));
        EXPECT_EQ(create_database(name, FileAccess::group), Created::unchanged);
        EXPECT_EQ(StoreFile::open_read_only(name).last_seq(), 0);
    }
    std::filesystem::current_path(before);
}

TEST_F(Schema, RefusesMistakesWithANameThatExplainsItself)
{
    SQLite::Database database = open();
    int compared = 0;
    for (auto const& entry : std::filesystem::directory_iterator{USHER_SOURCE_DIR "/tests/bad/sql"}) {
        if (entry.path().extension() != ".sql")
            continue;
        SCOPED_TRACE(entry.path().filename().string());
        auto expected = entry.path();
        expected.replace_extension(".expected");
        SQLite::Transaction rolled_back{database};
        EXPECT_EQ(answer(database, contents(entry.path())) + "\n", contents(expected));
        ++compared;
    }
    EXPECT_GE(compared, 50);
}

TEST_F(Schema, TakesWhatIsJustWithinTheLimits)
{
    SQLite::Database database = open();
    for (const std::string sql : {
             "INSERT INTO meeting (id, starts_at, ends_at) VALUES (printf('%.255c', 'a'), 1000000000, 1000000001)",
             "INSERT INTO meeting (id, starts_at, ends_at) VALUES ('late', 99999999998, 99999999999)",
             "INSERT INTO meeting (id, starts_at, ends_at) VALUES ('text', '1800000000', '1800000001')",
             "INSERT INTO meeting (id, starts_at, ends_at) VALUES (42, 1800000000.0, 1800000001)",
             "INSERT INTO meeting (id, starts_at, ends_at, project) VALUES ('p', 1800000001, 1800000002, "
             "printf('%.64c', 'p'))",
             "INSERT INTO meeting (id, starts_at, ends_at, archive_mode, archive_name, archive_resolution) VALUES "
             "('a', 1800000001, 1800000002, 'always', printf('%.80c', 'n'), '1920x1080')",
             "INSERT INTO meeting (id, starts_at, ends_at, location) VALUES ('l', 1800000001, 1800000002, '192.0.2.1')",
             "INSERT INTO meeting (id, starts_at, ends_at, e2ee) VALUES ('e', 1800000001, 1800000002, 1)",
             "INSERT INTO participant (meeting_id, participant_id, role, connection_data) VALUES ('m', "
             "printf('%.255c', 'a'), "
             "'publisheronly', printf('%.1000c', 'd'))",
             "INSERT INTO participant (meeting_id, participant_id, role, layout_classes) VALUES ('m', 'c', "
             "'moderator', "
             "printf('%.1000c', 'c'))",
             "INSERT INTO participant (meeting_id, participant_id, role, layout_classes) VALUES ('m', 'n', "
             "'subscriber', NULL)",
             "INSERT INTO participant (meeting_id, participant_id, role, layout_classes) VALUES ('m', 'o', "
             "'subscriber', 'a b-1 "
             "_')",
             "INSERT INTO request (action, project) VALUES ('retry', '*')",
             "INSERT INTO request (action, project) VALUES ('retry', printf('%.64c', 'p'))",
             "INSERT INTO request (action, meeting_id, requested_by) VALUES ('rotate', printf('%.255c', 'a'), "
             "printf('%.255c', 'b'))",
             "INSERT INTO request (action, meeting_id, requested_by) VALUES ('rotate', 7, 7)",
             "INSERT INTO request (action, meeting_id, requested_at) VALUES ('rotate', '1.5', 1000000000)",
             "INSERT INTO request (id, action, meeting_id) VALUES (4611686018427387903, 'rotate', 'v7.0')",
             "UPDATE request SET action = action, meeting_id = meeting_id, requested_by = 'somebody else'",
         })
        EXPECT_EQ(answer(database, sql), "taken") << sql;
}

TEST_F(Schema, OrIgnoreHidesAMistake)
{
    SQLite::Database database = open();
    // Nothing is stored and nothing is said, which is why the documentation warns.
    for (const std::string role : {"NULL", "'host'"}) {
        EXPECT_EQ(
            answer(
                database,
                "INSERT OR IGNORE INTO participant (meeting_id, participant_id, role) VALUES ('m', 'ann', " + role + ")"
            ),
            "taken"
        );
    }
    EXPECT_EQ(database.execAndGet("SELECT count(*) FROM participant").getInt(), 0);
}

class Marks : public Schema, public testing::WithParamInterface<std::tuple<bool, bool>> {};

TEST_P(Marks, EveryWriteMakesItsMeetingsDue)
{
    SQLite::Database database = open();
    database.exec(std::get<0>(GetParam()) ? "PRAGMA recursive_triggers = ON" : "PRAGMA recursive_triggers = OFF");
    database.exec(std::get<1>(GetParam()) ? "PRAGMA foreign_keys = ON" : "PRAGMA foreign_keys = OFF");
    struct Write {
        std::string sql;
        std::string due;
    };
    for (Write const& write : {
             Write{"INSERT INTO meeting (id, starts_at, ends_at) VALUES ('m', 1800000001, 1800000002)", "m"},
             Write{"INSERT INTO meeting (id, starts_at, ends_at) VALUES ('n', 1800000001, 1800000002)", "n"},
             Write{"INSERT INTO participant (meeting_id, participant_id, role) VALUES ('m', 'ann', 'publisher')", "m"},
             Write{
                 "INSERT INTO participant (meeting_id, participant_id, role) VALUES ('early', 'ann', 'publisher')",
                 "early"},
             Write{"UPDATE participant SET role = 'moderator' WHERE meeting_id = 'm'", "m"},
             Write{"REPLACE INTO participant (meeting_id, participant_id, role) VALUES ('m', 'ann', 'publisher')", "m"},
             Write{
                 "INSERT OR IGNORE INTO participant (meeting_id, participant_id, role) VALUES ('m', 'bob', "
                 "'publisher')",
                 "m"},
             Write{"UPDATE participant SET meeting_id = 'n' WHERE meeting_id = 'm' AND participant_id = 'bob'", "m,n"},
             Write{
                 "UPDATE OR REPLACE participant SET meeting_id = 'n', participant_id = 'bob' WHERE meeting_id = 'm'",
                 "m,n"},
             Write{"DELETE FROM participant WHERE meeting_id = 'n'", "n"},
             Write{"UPDATE meeting SET ends_at = 1800000003 WHERE id = 'm'", "m"},
             Write{"REPLACE INTO meeting (id, starts_at, ends_at) VALUES ('m', 1800000001, 1800000002)", "m"},
             Write{"UPDATE meeting SET id = 'o' WHERE id = 'm'", "m,o"},
             Write{"UPDATE OR REPLACE meeting SET id = 'n' WHERE id = 'o'", "n,o"},
             Write{"DELETE FROM meeting WHERE id = 'n'", "n"},
         }) {
        database.exec("UPDATE agenda SET due_at = 5, next_at = 9, attempts = 3"); // all are settled
        database.exec(write.sql);
        EXPECT_EQ(
            database
                .execAndGet("SELECT group_concat(meeting_id) FROM (SELECT meeting_id FROM agenda WHERE due_at = 0 "
                            "ORDER BY meeting_id)")
                .getString(),
            write.due
        ) << write.sql;
        EXPECT_EQ(
            database.execAndGet("SELECT count(*) FROM agenda WHERE due_at <> 0 AND (next_at, attempts) <> (9, 3)")
                .getInt(),
            0
        );
    }
}

INSTANTIATE_TEST_SUITE_P(Settings, Marks, testing::Combine(testing::Bool(), testing::Bool()));

TEST_F(Schema, ACancellationTakesTheSessionsOffTheAgenda)
{
    SQLite::Database database = open();
    database.exec("INSERT INTO meeting (id, starts_at, ends_at) VALUES ('m', 1800000001, 1800000002), ('n', "
                  "1800000001, 1800000002);"
                  "UPDATE agenda SET session_no = 7, staged_no = 8;"
                  "UPDATE meeting SET title = 'x';");
    EXPECT_EQ(database.execAndGet("SELECT count(*) FROM agenda WHERE session_no = 7 AND staged_no = 8").getInt(), 2);
    database.exec("UPDATE meeting SET status = 'cancelled' WHERE id = 'm'");
    EXPECT_EQ(
        database.execAndGet("SELECT count(*) FROM agenda WHERE session_no IS NULL AND staged_no IS NULL").getInt(), 1
    );
    database.exec(
        "REPLACE INTO meeting (id, starts_at, ends_at, status) VALUES ('n', 1800000001, 1800000002, 'cancelled')"
    );
    EXPECT_EQ(
        database.execAndGet("SELECT count(*) FROM agenda WHERE session_no IS NULL AND staged_no IS NULL").getInt(), 2
    );
}

mode_t mode_of(std::string const& file)
{
    struct stat status {};
    return ::stat(file.c_str(), &status) == 0 ? status.st_mode & 0777U : 0;
}

TEST_F(Schema, CreationLeavesThreeFilesWithTheRightsAskedFor)
{
    const std::string other = folder.file("other.db");
    EXPECT_EQ(create_database(other, FileAccess::group_and_read), Created::created);
    for (const std::string suffix : {"", "-wal", "-shm"}) {
        EXPECT_EQ(mode_of(path + suffix), 0660U) << suffix;
        EXPECT_EQ(mode_of(other + suffix), 0664U) << suffix;
    }
    EXPECT_EQ(create_database(path, FileAccess::group_and_read), Created::unchanged);
    EXPECT_EQ(mode_of(path), 0660U);
}

TEST_F(Schema, SetsUpEveryConnectionAlike)
{
    const StoreFile store = StoreFile::open(path);
    SQLite::Database database = open();
    EXPECT_EQ(database.execAndGet("PRAGMA journal_mode").getString(), "wal");
    EXPECT_EQ(database.execAndGet("PRAGMA page_size").getInt(), 8192);
    EXPECT_EQ(database.execAndGet("PRAGMA user_version").getInt(), 1);
    EXPECT_EQ(database.execAndGet("PRAGMA application_id").getInt(), database_application_id);
}

std::string refusal(std::string const& path)
{
    try {
        StoreFile::open(path);
        return "opened";
    } catch (DatabaseError const& error) {
        return error.what();
    }
}

TEST_F(Schema, AnotherProgramsNumberInUserVersionStopsNobody)
{
    open().exec("PRAGMA user_version = 7");
    StoreFile::open_read_only(path);
    EXPECT_EQ(open().execAndGet("PRAGMA user_version").getInt(), 7);
    EXPECT_EQ(refusal(path), "opened");
    EXPECT_EQ(open().execAndGet("PRAGMA user_version").getInt(), 1);
}

TEST_F(Schema, ForeignNewerAndEmptyFilesAreRefusedByName)
{
    open().exec(
        "PRAGMA user_version = 2; DROP VIEW usher_status; CREATE VIEW usher_status AS SELECT 2 AS contract_version"
    );
    EXPECT_EQ(
        refusal(path), path +
                           ": has schema version 2, this usher knows up to 1; install the newer usher that wrote it, "
                           "or, if another program did: PRAGMA user_version = 1"
    );
    const std::string other = folder.file("other.db");
    SQLite::Database{other, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE}.exec(
        "CREATE TABLE meeting (id); PRAGMA application_id = 1"
    );
    EXPECT_EQ(
        refusal(other),
        other + ": is another program's SQLite database (application_id 1); give usher a file of its own"
    );
    const std::string empty = folder.file("empty.db");
    std::ofstream{empty};
    EXPECT_EQ(refusal(empty), empty + ": is empty; create its tables with: usherctl --db " + empty + " init");
    const std::string fifo = folder.file("fifo.db");
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    EXPECT_EQ(refusal(fifo), fifo + ": is not a regular file; name another one");
    for (std::string const& no_file : {fifo, std::string{"/dev/null"}, folder.file("")})
        EXPECT_THROW(create_database(no_file, FileAccess::group_and_read), DatabaseError);
    const std::string text = folder.file("text.db");
    std::ofstream{text} << std::string(4096, 'x');
    EXPECT_EQ(
        refusal(text), text + ": is no sound database: file is not a database; name another file, or put a copy in its "
                              "place with usherctl restore"
    );
}

} // namespace
} // namespace usher
