// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <exception>
#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <usher/async/clock.hpp>
#include <usher/store/database.hpp>
#include <usher/store/make_store.hpp>

#include "support/manual_clock.hpp"
#include "support/run.hpp"
#include "support/sqlite/platform.hpp"
#include "support/sqlite/unwatched_store.hpp"
#include "support/temp_dir.hpp"

namespace usher {
namespace {

using namespace std::chrono_literals;

constexpr sys_seconds start{seconds{1'800'000'000}};

class TheStore : public testing::Test {
protected:
    TheStore() { create_database(path, FileAccess::group); }

    void add_meeting(std::string const& id) const
    {
        test::open_platform(path).exec(
            "INSERT INTO meeting (id, starts_at, ends_at) VALUES ('" + id + "', 1800000600, 1800004200)"
        );
    }

    std::unique_ptr<Store> taken_over(Clock& clock)
    {
        auto store = make_store(path, "test", clock, context.get_executor(), context.get_executor());
        EXPECT_EQ(store->open(), "");
        store->take_over();
        return store;
    }

    test::TempDir folder;
    std::string path = folder.file("usher.db");
    boost::asio::io_context context{1};
};

TEST_F(TheStore, TellsOfCommitsOfOthersAndWaitsForNoneAfterTheStop)
{
    SystemClock clock;
    const std::unique_ptr<Store> store = taken_over(clock);
    store->caught_up();
    ASSERT_FALSE(store->notice_changes().has_value());
    int changes = 0;
    std::exception_ptr failure;
    boost::asio::co_spawn(
        context,
        store->follow_changes(
            24h,
            [&] {
                ++changes;
                store->request_stop();
            }
        ),
        [&](std::exception_ptr error) { failure = std::move(error); }
    );
    context.poll(); // it waits

    add_meeting("a");

    context.run_for(60s);
    EXPECT_TRUE(context.stopped()) << "nothing is waited for any more";
    EXPECT_FALSE(failure);
    EXPECT_EQ(changes, 1);
}

TEST_F(TheStore, KeepsASecondDaemonOff)
{
    SystemClock clock;
    const std::unique_ptr<Store> store = taken_over(clock);
    EXPECT_THROW(taken_over(clock), AlreadyAtWork);
}

TEST_F(TheStore, EmptiesTheLogOnceNothingHasBeenWrittenForAWhile)
{
    test::ManualClock clock{start};
    const std::unique_ptr<Store> store = test::unwatched_store(path, "test", clock, context.get_executor());
    store->open();
    store->take_over();
    const auto log_bytes = [&] { return std::filesystem::file_size(path + "-wal"); };
    add_meeting("a");
    test::run(context, store->beat(start));
    EXPECT_GT(log_bytes(), 0U);
    ASSERT_TRUE(store->keep_house_in().has_value());

    clock.advance(std::chrono::ceil<seconds>(*store->keep_house_in()));
    test::run(context, store->keep_house());

    EXPECT_EQ(log_bytes(), 0U);
    EXPECT_FALSE(store->keep_house_in().has_value());
}

TEST_F(TheStore, TellsItsHealthInRowsThatExplainThemselves)
{
    test::ManualClock clock{start};
    const std::unique_ptr<Store> store = test::unwatched_store(path, "test", clock, context.get_executor());
    store->open();
    store->take_over();
    std::set<std::string> names;
    for (HealthRow const& row : store->health()) {
        EXPECT_TRUE(names.insert(row.name).second) << row.name;
        EXPECT_FALSE(row.unit.empty()) << row.name;
        EXPECT_FALSE(row.sentence.empty()) << row.name;
    }
    EXPECT_TRUE(names.contains("wal_pages"));
    EXPECT_TRUE(names.contains("lock_held_max_us"));
}

} // namespace
} // namespace usher
