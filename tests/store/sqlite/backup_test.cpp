// SPDX-License-Identifier: Apache-2.0
#include <usher/store/backup.hpp>

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

} // namespace
} // namespace usher
