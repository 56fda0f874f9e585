// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "simulation/memory_vfs.hpp"

namespace usher::simulation {
namespace {

using namespace std::chrono_literals;

constexpr sys_seconds start{1'800'000'000s};
constexpr char file[] = "/m.db";

class InMemory : public testing::Test {
protected:
    using Connection = std::unique_ptr<SQLite::Database>;

    Connection open(ProcessId process = 1)
    {
        const As as{vfs, process};
        auto database = std::make_unique<SQLite::Database>(file, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
        database->exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
        return database;
    }
    static std::string text(Connection const& database, std::string const& query)
    {
        SQLite::Statement statement{*database, query};
        return statement.executeStep() ? statement.getColumn(0).getString() : "nothing";
    }
    static int code_of(Connection const& database, std::string const& sql)
    {
        return sqlite3_exec(database->getHandle(), sql.c_str(), nullptr, nullptr, nullptr);
    }
    Connection with_table()
    {
        Connection database = open();
        database->exec("CREATE TABLE t (x)");
        return database;
    }

    VirtualClock clock{start};
    MemoryVfs vfs{clock, 1};
};

TEST_F(InMemory, ThreeConnectionsSeeWhatIsCommittedAndWhatTheirSnapshotsHold)
{
    const Connection one = with_table();
    const Connection two = open();
    const Connection three = open();
    two->exec("BEGIN");
    EXPECT_EQ(text(two, "SELECT count(*) FROM t"), "0");

    one->exec("INSERT INTO t VALUES (1)");

    EXPECT_EQ(text(two, "SELECT count(*) FROM t"), "0");
    EXPECT_EQ(text(three, "SELECT count(*) FROM t"), "1");
    two->exec("COMMIT");
    EXPECT_EQ(text(two, "SELECT count(*) FROM t"), "1");
}

TEST_F(InMemory, OneWritesAtATime)
{
    const Connection one = with_table();
    const Connection two = open();
    one->exec("BEGIN IMMEDIATE; INSERT INTO t VALUES (1)");

    EXPECT_EQ(code_of(two, "INSERT INTO t VALUES (2)"), SQLITE_BUSY);
    one->exec("COMMIT");
    EXPECT_EQ(code_of(two, "INSERT INTO t VALUES (2)"), SQLITE_OK);
}

TEST_F(InMemory, WhoWaitsForALockLetsTimePass)
{
    const Connection one = with_table();
    const Connection two = open();
    one->exec("BEGIN IMMEDIATE");
    two->setBusyTimeout(1000);
    const Instant before = clock.steady_now();

    EXPECT_EQ(code_of(two, "INSERT INTO t VALUES (2)"), SQLITE_BUSY);

    EXPECT_GE(clock.steady_now() - before, 900ms);
}

TEST_F(InMemory, AReaderKeepsTheLogFromStartingAnew)
{
    const Connection one = with_table();
    const Connection two = open();
    two->exec("BEGIN");
    text(two, "SELECT count(*) FROM t");
    one->exec("INSERT INTO t VALUES (1)");
    const auto truncate = [&] {
        return sqlite3_wal_checkpoint_v2(one->getHandle(), "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
    };

    EXPECT_EQ(truncate(), SQLITE_BUSY);
    two->exec("COMMIT");
    EXPECT_EQ(truncate(), SQLITE_OK);
    EXPECT_EQ(vfs.contents(std::string{file} + "-wal"), "");
}

TEST_F(InMemory, TheDatabaseAsksForTheVirtualTime)
{
    const Connection one = open();
    EXPECT_EQ(text(one, "SELECT strftime('%s', 'now')"), "1800000000");
    clock.charge(1h);
    clock.set_offset(-10s);
    EXPECT_EQ(text(one, "SELECT strftime('%s', 'now')"), "1800003590");
}

TEST_F(InMemory, WritingAndSyncingTakeTime)
{
    const Connection one = with_table();
    const Instant before = clock.steady_now();
    one->exec("INSERT INTO t VALUES (1)");
    EXPECT_GE(clock.steady_now() - before, vfs.costs.page);
    EXPECT_LE(clock.steady_now() - before, 100ms);
}

TEST_F(InMemory, WhatWasCommittedSurvivesAPowerLoss)
{
    for (int i = 0; i < 50; ++i) {
        Connection one = i == 0 ? with_table() : open(2 * i);
        one->exec("INSERT INTO t VALUES (" + std::to_string(i) + ")");
        one->exec("BEGIN IMMEDIATE; INSERT INTO t SELECT randomblob(30000) FROM sqlite_master");
        sqlite3_db_cacheflush(one->getHandle());

        vfs.power_loss();
        one.reset();

        const Connection two = open(2 * i + 101);
        EXPECT_EQ(text(two, "SELECT count(*) FROM t"), std::to_string(i + 1));
        EXPECT_EQ(text(two, "PRAGMA integrity_check"), "ok");
        if (i % 3 == 0)
            two->exec("PRAGMA wal_checkpoint(TRUNCATE)");
    }
}

TEST_F(InMemory, WhatWasNotSyncedMayBeLost)
{
    int lost = 0;
    for (int i = 0; i < 20; ++i) {
        Connection one = i == 0 ? with_table() : open(2 * i + 2);
        one->exec("DELETE FROM t");
        one->exec("PRAGMA synchronous = OFF");
        one->exec("INSERT INTO t VALUES (1)");
        vfs.power_loss();
        one.reset();
        const Connection two = open(2 * i + 101);
        lost += text(two, "SELECT count(*) FROM t") == "0" ? 1 : 0;
    }
    EXPECT_GT(lost, 0);
}

TEST_F(InMemory, AProcessThatDiesLeavesItsLocksAndNothingElse)
{
    const Connection one = with_table();
    Connection two = open(2);
    two->exec("BEGIN IMMEDIATE; INSERT INTO t VALUES (2)");

    vfs.kill(2);

    EXPECT_EQ(code_of(two, "COMMIT"), SQLITE_IOERR);
    EXPECT_EQ(code_of(one, "INSERT INTO t VALUES (1)"), SQLITE_OK);
    two.reset();
    EXPECT_EQ(text(one, "SELECT group_concat(x) FROM t"), "1");
    EXPECT_EQ(text(one, "PRAGMA integrity_check"), "ok");
}

TEST_F(InMemory, AProcessMayDieAtAnyOperation)
{
    const Connection one = with_table();
    int died = 0;
    for (int nth = 1; nth <= 40; ++nth) {
        const ProcessId process = 10 + nth;
        Connection two = open(process);
        const int before = std::stoi(text(one, "SELECT count(*) FROM t"));
        vfs.plan(process, DiskFault::death, nth);
        const bool done = code_of(two, "INSERT INTO t VALUES (2)") == SQLITE_OK;
        died += vfs.is_dead(process) ? 1 : 0;
        vfs.kill(process);
        two.reset();
        const int after = std::stoi(text(one, "SELECT count(*) FROM t"));
        EXPECT_GE(after, done ? before + 1 : before) << nth;
        EXPECT_EQ(text(one, "PRAGMA integrity_check"), "ok") << nth;
    }
    EXPECT_GT(died, 5);
}

TEST_F(InMemory, FaultsAreMetWhereTheyWerePlanned)
{
    const Connection one = with_table();
    struct Case {
        DiskFault fault;
        int code;
    };
    for (auto const& [fault, code] :
         {Case{DiskFault::write_error, SQLITE_IOERR}, Case{DiskFault::short_write, SQLITE_IOERR},
          Case{DiskFault::full, SQLITE_FULL}, Case{DiskFault::sync_error, SQLITE_IOERR},
          Case{DiskFault::busy, SQLITE_BUSY}}) {
        const std::int64_t before = vfs.faults_met();
        vfs.plan(1, fault, 1);
        EXPECT_EQ(code_of(one, "INSERT INTO t VALUES (1)"), code);
        EXPECT_EQ(vfs.faults_met(), before + 1);
        EXPECT_EQ(code_of(one, "INSERT INTO t VALUES (1)"), SQLITE_OK);
    }
    EXPECT_EQ(text(one, "PRAGMA integrity_check"), "ok");
    EXPECT_EQ(text(one, "SELECT count(*) FROM t"), "5");
}

TEST_F(InMemory, AFileThatIsRemovedLivesAsLongAsItIsOpen)
{
    const Connection one = with_table();
    vfs.remove(file);
    EXPECT_EQ(vfs.contents(file), std::nullopt);
    one->exec("INSERT INTO t VALUES (1)");
    EXPECT_EQ(text(one, "SELECT count(*) FROM t"), "1");
}

std::vector<std::string> files_of_a_run(std::uint64_t seed)
{
    VirtualClock clock{start};
    MemoryVfs vfs{clock, seed};
    const As as{vfs, 1};
    SQLite::Database one{file, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
    one.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (randomblob(40)), (random())");
    one.exec("INSERT INTO t VALUES (strftime('%s', 'now'))");
    std::vector<std::string> files;
    for (const std::string end : {"", "-wal"})
        files.push_back(*vfs.contents(file + end));
    return files;
}

TEST(MemoryVfs, OneSeedMakesTheSameBytes)
{
    const auto first = files_of_a_run(7);
    EXPECT_EQ(first, files_of_a_run(7));
    EXPECT_NE(first, files_of_a_run(8));
    EXPECT_GT(first[1].size(), 4096U);
}

} // namespace
} // namespace usher::simulation
