// SPDX-License-Identifier: Apache-2.0
#include <usher/store/backup.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <usher/store/database.hpp>

#include "support/temp_dir.hpp"

namespace usher {
namespace {

/// Larger than one step of a copy.
TEST(Backup, IsOfOneInstantWhateverIsWrittenMeanwhile)
{
    const test::TempDir folder;
    const std::string path = folder.file("usher.db");
    const std::string target = folder.file("copy.db");
    create_database(path, FileAccess::group);
    SQLite::Database platform{path, SQLite::OPEN_READWRITE, 1000};
    platform.exec("CREATE TABLE large (value BLOB)");
    platform.exec("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)"
                  " INSERT INTO large SELECT zeroblob(1000000) FROM n");

    std::size_t copied = 0;
    std::vector<std::size_t> totals;
    back_up(path, target, "test", [&](std::size_t pages, std::size_t total) {
        copied += pages;
        totals.push_back(total);
        if (totals.size() > 100)
            throw std::runtime_error{"it begins anew and anew"};
        platform.exec("INSERT INTO large VALUES (zeroblob(1000000))");
    });

    ASSERT_GT(totals.size(), 2U) << "it is copied in parts";
    EXPECT_EQ(totals.front(), totals.back());
    EXPECT_EQ(copied, totals.back()) << "none of them is copied twice";
    SQLite::Database copy{target};
    EXPECT_EQ(copy.execAndGet("SELECT count(*) FROM large").getInt(), 40);
    EXPECT_EQ(copy.execAndGet("PRAGMA integrity_check").getString(), "ok");
}

TEST(Backup, OneIsWrittenToAFileAtATime)
{
    const test::TempDir folder;
    const std::string path = folder.file("usher.db");
    const std::string target = folder.file("copy.db");
    create_database(path, FileAccess::group);
    std::string refusal;
    back_up(path, target, "first", [&](std::size_t, std::size_t) {
        try {
            back_up(path, target, "second", {});
        } catch (DatabaseError const& error) {
            refusal = error.what();
        }
    });
    EXPECT_EQ(refusal, target + ": another program is writing it; wait until it has ended, or name another file");
    EXPECT_EQ(SQLite::Database{target}.execAndGet("PRAGMA integrity_check").getString(), "ok");
    EXPECT_NO_THROW(back_up(path, target, "third", {}));
}

std::set<std::string> names_in(test::TempDir const& folder)
{
    std::set<std::string> names;
    for (auto const& entry : std::filesystem::directory_iterator{folder.file("")})
        names.insert(entry.path().filename());
    return names;
}

std::string text_of(std::string const& path)
{
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

/// A database that has a key, and a former copy of another one with its own.
class BackupOverAnother : public testing::Test {
protected:
    BackupOverAnother()
    {
        create_database(path, FileAccess::group);
        std::ofstream{path + ".key"} << std::string(64, 'a') << '\n';
        std::ofstream{path + ".mark"} << "a mark\n";
        for (const std::string suffix : {"", ".key", ".mark", "-wal"})
            std::ofstream{target + suffix} << "former" + suffix;
    }

    std::string failure(CopyProgress const& progress = {}) const
    {
        try {
            back_up(path, target, "test", progress);
            return "it went well";
        } catch (std::runtime_error const& error) {
            return error.what();
        }
    }

    void expect_the_former_copy() const
    {
        for (const std::string suffix : {"", ".key", ".mark", "-wal"})
            if (!std::filesystem::is_directory(target + suffix)) {
                EXPECT_EQ(text_of(target + suffix), "former" + suffix);
            }
    }

    test::TempDir folder;
    std::string path = folder.file("usher.db");
    std::string target = folder.file("copy.db");
};

TEST_F(BackupOverAnother, NamesWhatItReplaces)
{
    EXPECT_EQ(
        files_replaced_by_backup(path, target), (std::vector<std::string>{target, target + ".key", target + ".mark"})
    );
    std::filesystem::remove(target);
    std::filesystem::remove(path + ".mark");
    EXPECT_EQ(files_replaced_by_backup(path, target), std::vector<std::string>{target + ".key"});
}

TEST_F(BackupOverAnother, TakesThePlaceOfAllItsFiles)
{
    std::set<std::string> before = names_in(folder);

    EXPECT_EQ(failure(), "it went well");

    EXPECT_EQ(text_of(target + ".key"), text_of(path + ".key"));
    EXPECT_EQ(text_of(target + ".mark"), "a mark\n");
    before.erase("copy.db-wal");
    before.insert("usher.db.backed-up");
    EXPECT_EQ(names_in(folder), before);
    EXPECT_EQ(SQLite::Database{target}.execAndGet("PRAGMA integrity_check").getString(), "ok");
}

TEST_F(BackupOverAnother, LeavesItWholeWhereATargetIsNoFile)
{
    for (const std::string suffix : {"", ".key", ".mark", "-wal"}) {
        SCOPED_TRACE(suffix);
        std::filesystem::remove(target + suffix);
        std::filesystem::create_directory(target + suffix);
        const std::set<std::string> before = names_in(folder);

        EXPECT_EQ(failure(), target + suffix + ": is not a regular file; name another one");

        EXPECT_EQ(names_in(folder), before);
        expect_the_former_copy();
        std::filesystem::remove(target + suffix);
        std::ofstream{target + suffix} << "former" + suffix;
    }
}

/// The key has its new name by then.
TEST_F(BackupOverAnother, ComesBackWhenALaterStepFails)
{
    const std::set<std::string> before = names_in(folder);

    const std::string why = failure([&](std::size_t, std::size_t) {
        std::filesystem::remove(target + ".mark");
        std::filesystem::create_directory(target + ".mark");
    });

    EXPECT_EQ(why, target + ".mark: is not a regular file; name another one");
    EXPECT_EQ(names_in(folder), before);
    expect_the_former_copy();
}

TEST_F(BackupOverAnother, LeavesNothingWhereNoneWas)
{
    for (const std::string suffix : {"", ".key", ".mark", "-wal"})
        std::filesystem::remove(target + suffix);
    const std::set<std::string> before = names_in(folder);

    const std::string why =
        failure([&](std::size_t, std::size_t) { std::filesystem::create_directory(target + ".mark"); });

    EXPECT_EQ(why, target + ".mark: is not a regular file; name another one");
    std::filesystem::remove(target + ".mark");
    EXPECT_EQ(names_in(folder), before);
}

/// A unit may have the key as a credential.
TEST_F(BackupOverAnother, IsRefusedBesideAKeyThatStaysAndDoesNotFit)
{
    std::filesystem::remove(path + ".key");
    std::ofstream{target + ".key"} << std::string(64, 'b') << '\n';
    SQLite::Database{path, SQLite::OPEN_READWRITE}.exec(
        "INSERT INTO agenda (meeting_id) VALUES ('m');"
        "INSERT INTO session (meeting_no, session_id, provider, project, project_key, options, created_at, mac)"
        " SELECT meeting_no, 's', 'p', 'p', 'k', '', 0, zeroblob(16) FROM agenda"
    );

    EXPECT_EQ(
        failure(), target + ".key: is the key of another database: no session of " + path +
                       " is sealed with it; move it away, or name another file for the copy. Nothing was done"
    );
    EXPECT_EQ(text_of(target), "former");
}

} // namespace
} // namespace usher
