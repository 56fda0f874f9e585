// SPDX-License-Identifier: Apache-2.0
// What becomes of a checkpoint, and of a person who is to be forgotten, when the disk fails.
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <usher/async/clock.hpp>
#include <usher/store/database.hpp>
#include <usher/store/errors.hpp>
#include <usher/store/forget.hpp>
#include <usher/store/sqlite/store_file.hpp>
#include <usher/store/sqlite/store_writer.hpp>

#include "simulation/memory_vfs.hpp"
#include "support/run.hpp"
#include "support/sqlite/platform.hpp"
#include "support/temp_dir.hpp"

namespace usher::simulation {
namespace {

using namespace std::chrono_literals;
using test::TempDir;

constexpr sys_seconds start{1'800'000'000s};
constexpr ProcessId ours = 1;
constexpr ProcessId platform = 2;

class FailingDisk : public testing::Test {
protected:
    FailingDisk()
    {
        {
            const As as{vfs, platform};
            create_database(file, FileAccess::group);
        }
        const As as{vfs, ours};
        store.emplace(StoreFile::open(file));
        store->take_over("test", start, clock.steady_now());
        store->checkpoint(CheckpointMode::passive);
        store->beat(start + 1s, start); // something to move
    }
    /// How the checkpoint ends whose nth sync fails.
    std::string end_of(std::int64_t nth, DiskFault fault)
    {
        vfs.plan(ours, fault, nth);
        try {
            return store->checkpoint(CheckpointMode::passive) ? "done" : "not done";
        } catch (DatabaseError const& error) {
            return error.what();
        }
    }

    TempDir folder; // for what lies beside it
    std::string file = folder.file("usher.db");
    VirtualClock clock{start};
    MemoryVfs vfs{clock, 1};
    std::optional<StoreFile> store;
};

TEST_F(FailingDisk, ACheckpointWhoseSyncFailsSaysSo)
{
    const std::string end = end_of(1, DiskFault::sync_error);
    EXPECT_EQ(end.find(file + ": disk I/O error"), 0U) << end;
    vfs.forget_plans();
    EXPECT_EQ(vfs.faults_met(), 1);
}

TEST_F(FailingDisk, ACheckpointThatCannotWriteSaysSo)
{
    const std::string end = end_of(1, DiskFault::write_error);
    EXPECT_EQ(end.find(file + ": disk I/O error"), 0U) << end;
}

TEST_F(FailingDisk, OnAFullDiskACheckpointIsTriedAgain)
{
    EXPECT_EQ(end_of(1, DiskFault::full), "not done");
    vfs.forget_plans();
    EXPECT_TRUE(store->checkpoint(CheckpointMode::passive));
}

/// In the background nobody waits for it; whoever comes to rest hears of it.
TEST_F(FailingDisk, WhatFindsNoRoomIsTriedAgain)
{
    const As as{vfs, ours};
    vfs.plan(ours, DiskFault::full, 1);
    EXPECT_THROW(store->beat(start + 2s, start), DatabaseFull);
    vfs.forget_plans();
    EXPECT_NO_THROW(store->beat(start + 2s, start));
}

TEST_F(FailingDisk, ACheckpointInTheBackgroundSaysSoToo)
{
    {
        const As as{vfs, platform};
        SQLite::Database theirs = test::open_platform(file);
        theirs.exec("PRAGMA wal_autocheckpoint = 0");
        theirs.exec("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (zeroblob(12000000))");
        theirs.exec("INSERT INTO meeting (id, starts_at, ends_at) VALUES ('m', 1800000600, 1800004200)");
    }
    boost::asio::io_context context{1};
    SystemClock real; // nothing is waited for
    const As as{vfs, ours};
    StoreWriter writer{*store, real, context.get_executor(), context.get_executor()};
    const DueMeetings due = store->due(start, 1, {});
    const std::vector<MeetingSnapshot> meetings = store->read(due.meetings, 1);
    Plan plan;
    plan.state = State::waiting;
    plan.at = start;
    bool is_told = false;
    for (std::int64_t nth = 1; nth < 10 && !is_told; ++nth) { // some syncs are of the commit
        vfs.plan(ours, DiskFault::sync_error, nth);
        try {
            test::run(context, writer.publish({{&meetings.at(0), &plan, due.seen, nullptr, "key", {}}}));
        } catch (DatabaseError const&) {
            continue;
        }
        try {
            test::run(context, writer.come_to_rest());
        } catch (DatabaseError const&) {
            is_told = true;
        }
        EXPECT_NO_THROW(test::run(context, writer.come_to_rest())) << "it is told once";
    }
    EXPECT_TRUE(is_told);
}

class ForgetOnAFailingDisk : public FailingDisk {
protected:
    ForgetOnAFailingDisk()
    {
        const As as{vfs, platform};
        test::open_platform(file).exec("INSERT INTO removal (meeting_id, participant_id) VALUES ('m', 'ann')");
    }
    /// How it ends when `fault` happens to the first operation that it can happen to.
    std::string end_of_forgetting(DiskFault fault)
    {
        const As as{vfs, operators};
        if (!eraser)
            eraser.emplace(file);
        eraser->look("ann");
        vfs.plan(operators, fault, 1);
        try {
            return std::to_string(eraser->erase("ann", start, [](std::size_t) {})) + " rows";
        } catch (DatabaseError const& error) {
            return error.what();
        }
    }
    int traces()
    {
        const As as{vfs, platform};
        return test::open_platform(file).execAndGet("SELECT count(*) FROM removal WHERE participant_id = 'ann'");
    }

    static constexpr ProcessId operators = 3;
    std::optional<PersonEraser> eraser;
};

TEST_F(ForgetOnAFailingDisk, WhatIsNotOnTheDiskForGoodIsNotForgotten)
{
    EXPECT_EQ(
        end_of_forgetting(DiskFault::sync_error),
        file + ": what was erased could not be written to the disk for good; forget again"
    );
    vfs.forget_plans();
    EXPECT_EQ(end_of_forgetting(DiskFault::none), "0 rows");
}

TEST_F(ForgetOnAFailingDisk, ATurnThatCannotBeWrittenIsUndoneAndLetsOthersWrite)
{
    const std::string end = end_of_forgetting(DiskFault::write_error);
    EXPECT_EQ(end.find(file + ": disk I/O error"), 0U) << end;
    vfs.forget_plans();
    EXPECT_EQ(traces(), 1);
    {
        const As as{vfs, ours};
        EXPECT_NO_THROW(store->beat(start + 2s, start));
    }
    EXPECT_EQ(end_of_forgetting(DiskFault::none), "1 rows");
    EXPECT_EQ(traces(), 0);
}

} // namespace
} // namespace usher::simulation
