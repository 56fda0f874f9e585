// SPDX-License-Identifier: Apache-2.0
// How the daemon shares the database with those who write beside it.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <usher/store/database.hpp>
#include <usher/store/sqlite/store_writer.hpp>

#include "support/run.hpp"
#include "support/temp_dir.hpp"

namespace usher {
namespace {

using namespace std::chrono_literals;
using test::run;
using test::TempDir;
using testing::ElementsAre;
using testing::IsEmpty;
using Duration = StoreWriter::Duration;

constexpr sys_seconds start{seconds{1'800'000'000}};

/// Waiting takes the time that is waited for, and each look at the clock takes a tick.
class TickingClock final : public Clock {
public:
    sys_seconds now() const override { return start; }
    std::chrono::steady_clock::time_point steady_now() const override { return steady_ += tick; }
    boost::asio::awaitable<void> wait(Duration duration) override
    {
        if (duration > Duration::zero())
            waits.push_back(duration);
        if (during_wait)
            during_wait();
        steady_ += duration;
        co_await boost::asio::post(boost::asio::use_awaitable); // others on the executor have their turn
    }
    std::unique_ptr<Timer> timer(boost::asio::any_io_executor executor) override
    {
        return SystemClock{}.timer(std::move(executor));
    }
    void advance(Duration by) { steady_ += by; }

    Duration tick{};
    std::vector<Duration> waits;
    std::function<void()> during_wait;

private:
    mutable std::chrono::steady_clock::time_point steady_{1h};
};

/// A daemon's writer, and a platform beside it, on one database file.
class Writer : public testing::Test {
protected:
    static std::string created(std::string path)
    {
        create_database(path, FileAccess::group);
        return path;
    }

    void sql(std::string const& statement) { platform.exec(statement); }
    std::int64_t number(std::string const& query) { return platform.execAndGet(query).getInt64(); }

    /// A meeting with so many people who are to get tokens of a session that is made with them.
    void add_meeting(std::string const& id, int people)
    {
        sql("BEGIN");
        sql("INSERT INTO meeting (id, starts_at, ends_at) VALUES ('" + id + "', 1800000600, 1800004200)");
        for (int i = 0; i < people; ++i)
            sql("INSERT INTO participant (meeting_id, participant_id, role) VALUES ('" + id + "', 'p" +
                std::to_string(1000 + i) + "', 'publisher')");
        sql("COMMIT");
    }

    /// Reads and plans all that is due, and says that so many tokens are signed.
    void prepare(std::size_t limit = 100)
    {
        publications.clear();
        const Seen seen = store.seen();
        meetings = store.read(store.due(start, limit, {}).meetings, 1'000'000);
        plans.assign(meetings.size(), Plan{});
        sessions.assign(meetings.size(), SessionRow{});
        tokens.assign(meetings.size(), {});
        for (std::size_t i = 0; i < meetings.size(); ++i) {
            plans[i].session = SessionStep::create;
            plans[i].create_reason = "first";
            plans[i].state = State::ready;
            plans[i].at = start;
            sessions[i] = {{}, "session-" + meetings[i].id, "sandbox", "default", "1", ""};
            for (std::size_t person = 0; person < meetings[i].participants.size(); ++person)
                tokens[i].push_back({person, "token", TokenReason::issued, start, start + 1h, 1});
            publications.push_back({&meetings[i], &plans[i], seen, &sessions[i], "key", tokens[i]});
        }
    }

    TempDir folder;
    std::string path = created(folder.file("usher.db"));
    TickingClock clock;
    boost::asio::io_context context{1};
    StoreFile store = StoreFile::open(path);
    Tenure tenure = store.take_over("test", start, clock.steady_now());
    StoreWriter writer{store, clock, context.get_executor(), context.get_executor()};
    SQLite::Database platform{path, SQLite::OPEN_READWRITE, 1000};
    std::vector<MeetingSnapshot> meetings;
    std::vector<Plan> plans;
    std::vector<SessionRow> sessions;
    std::vector<std::vector<SignedToken>> tokens;
    std::vector<Publication> publications;
};

TEST_F(Writer, PublishesManyMeetingsAndAMeetingOfManyInSlices)
{
    add_meeting("large", 1500);
    for (int i = 0; i < 5; ++i)
        add_meeting("small-" + std::to_string(i), 10);
    prepare();
    std::set<std::int64_t> stored;
    clock.during_wait = [&] { stored.insert(number("SELECT count(*) FROM token")); };

    const Published published = run(context, writer.publish(publications));

    EXPECT_EQ(published.counts.tokens, 1550U);
    EXPECT_EQ(published.counts.sessions, 6U);
    EXPECT_EQ(published.counts.settled, 6U);
    EXPECT_THAT(published.refused, IsEmpty());
    EXPECT_EQ(number("SELECT count(*) FROM token"), 1550);
    EXPECT_EQ(number("SELECT count(*) FROM agenda WHERE state = 'ready'"), 6);
    EXPECT_GE(stored.size(), 3U) << "others see each slice by itself";
}

struct EditCase {
    char const* name;
    int people;
    char const* edit; ///< After they were read.
    std::int64_t longest_min;
    std::int64_t longest_max;
};

class Edited : public Writer, public testing::WithParamInterface<EditCase> {};

/// Looking at each token again takes half as long as writing it.
TEST_P(Edited, IsWrittenInShorterSlicesWhereEachTokenIsLookedAtAgain)
{
    add_meeting("large", GetParam().people);
    prepare();
    sql(GetParam().edit);
    clock.tick = 6500us; // all slices hold the lock alike
    std::int64_t longest = 0;
    std::int64_t before = 0;
    const auto look = [&] {
        const std::int64_t stored = number("SELECT count(*) FROM token");
        longest = std::max(longest, stored - std::exchange(before, stored));
    };
    clock.during_wait = look;
    run(context, writer.publish(publications));
    look();
    EXPECT_GE(longest, GetParam().longest_min);
    EXPECT_LE(longest, GetParam().longest_max);
}

constexpr char of_its_own[] = "UPDATE participant SET role = 'moderator' WHERE participant_id = 'p1001'";
constexpr char of_another[] =
    "INSERT INTO participant (meeting_id, participant_id, role) VALUES ('b', 'p', 'publisher')";

INSTANTIATE_TEST_SUITE_P(
    Writer, Edited,
    testing::Values(
        EditCase{"NobodyEdited", 2000, "SELECT 1", 400, 600}, EditCase{"ItWasEdited", 2000, of_its_own, 200, 390},
        EditCase{"AnotherWasEditedAndItsRowTellsNothing", 2000, of_another, 200, 390},
        EditCase{"SoFewAreComparedAllAtOnce", 256, of_another, 256, 256}
    ),
    [](testing::TestParamInfo<EditCase> const& each) { return std::string{each.param.name}; }
);

class Replaced : public Writer, public testing::WithParamInterface<Duration> {};

/// What is replaced or withdrawn is kept as past: that is another row.
TEST_P(Replaced, TokensAreWrittenInShorterSlices)
{
    // All slices hold the lock alike; for as long as they should, or so shortly that they may be much larger.
    clock.tick = GetParam();
    for (int i = 0; i < 2; ++i) {
        add_meeting("before" + std::to_string(i), 2000);
        prepare();
        run(context, writer.publish(publications));
        sql("DELETE FROM participant; DELETE FROM meeting; DELETE FROM agenda; DELETE FROM token");
    }
    add_meeting("large", 2000);
    prepare();
    run(context, writer.publish(publications));
    sql("UPDATE agenda SET due_at = 1");
    prepare();
    ASSERT_TRUE(meetings[0].published);
    ASSERT_TRUE(meetings[0].participants.at(0).token);
    plans[0].session = SessionStep::keep;
    sessions[0] = *meetings[0].published;
    std::int64_t longest = 0;
    std::int64_t before = 0;
    const auto look = [&] {
        const std::int64_t kept = number("SELECT count(*) FROM token_past");
        longest = std::max(longest, kept - std::exchange(before, kept));
    };
    clock.during_wait = look;

    EXPECT_EQ(run(context, writer.publish(publications)).counts.tokens, 2000U);

    look();
    EXPECT_EQ(before, 2000);
    EXPECT_GE(longest, 200);
    EXPECT_LE(longest, 440) << "two thirds of what is stored for the first time, before anything was learned of them";
}

INSTANTIATE_TEST_SUITE_P(Writer, Replaced, testing::Values(6500us, 1us));

TEST_F(Writer, ACrowdIsWithdrawnInShorterSlices)
{
    add_meeting("large", 2000);
    prepare();
    clock.tick = 6500us;
    run(context, writer.publish(publications));
    sql("DELETE FROM participant; UPDATE agenda SET due_at = 1");
    std::int64_t longest = 0;
    for (int slices = 0; number("SELECT count(*) FROM token") > 0; ++slices) {
        ASSERT_LT(slices, 30);
        const std::int64_t before = number("SELECT count(*) FROM token");
        prepare();
        plans[0].session = SessionStep::keep;
        tokens[0].clear();
        publications[0].tokens = {};
        sessions[0] = *meetings[0].published;
        for (std::size_t person = 0; person < meetings[0].participants.size(); ++person)
            plans[0].withdraw.push_back({person, WithdrawReason::removed});
        run(context, writer.publish(publications));
        longest = std::max(longest, before - number("SELECT count(*) FROM token"));
        sql("UPDATE agenda SET due_at = 1");
    }
    EXPECT_GE(longest, 128);
    EXPECT_LE(longest, 300);
}

/// Once, and not with each slice.
TEST_F(Writer, RowsThatCannotBeReadGoBeforeTheTokensAreStored)
{
    add_meeting("large", 2000);
    prepare();
    meetings[0].has_unreadable_rows = true;

    EXPECT_EQ(run(context, writer.publish(publications)).counts.tokens, 2000U);

    EXPECT_EQ(number("SELECT count(*) FROM token"), 2000);
}

/// Of all connections that are opened while it lives: how many steps of SQLite's the longest statement took that
/// deletes past tokens.
class StepCounter {
protected:
    StepCounter()
    {
        most = 0;
        sqlite3_auto_extension(reinterpret_cast<void (*)()>(watch));
    }
    StepCounter(StepCounter const&) = delete;
    StepCounter& operator=(StepCounter const&) = delete;
    ~StepCounter() { sqlite3_cancel_auto_extension(reinterpret_cast<void (*)()>(watch)); }

    static inline int most = 0;

private:
    static int watch(sqlite3* connection, char**, sqlite3_api_routines const*)
    {
        return sqlite3_trace_v2(connection, SQLITE_TRACE_PROFILE, count, nullptr);
    }
    static int count(unsigned, void*, void* statement, void*)
    {
        auto* const ended = static_cast<sqlite3_stmt*>(statement);
        const int steps = sqlite3_stmt_status(ended, SQLITE_STMTSTATUS_VM_STEP, 1);
        if (std::string{sqlite3_sql(ended)}.starts_with("DELETE FROM token_past"))
            most = std::max(most, steps);
        return 0;
    }
};

class Purge : StepCounter, public Writer {
protected:
    static int most_steps() { return most; }
};

/// Else a crowd's would take longer with each that there are.
TEST_F(Purge, OfAPartTakesNoLookAtTheRest)
{
    add_meeting("over", 1);
    prepare();
    run(context, writer.publish(publications));
    sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO token_past SELECT "
        "session_no, 'p' || i, i, 1, 2, 1, 2, 2, 24 FROM n, session");
    sql("UPDATE agenda SET due_at = 1");
    prepare();
    plans[0].session = SessionStep::drop;
    plans[0].state = State::ended;
    plans[0].purge = true;
    publications[0].tokens = {};
    publications[0].session = nullptr;

    run(context, writer.publish(publications));

    EXPECT_EQ(number("SELECT count(*) FROM token_past"), 5000 - 64);
    EXPECT_GT(most_steps(), 64);
    EXPECT_LT(most_steps(), 64 * 50);
}

TEST_F(Writer, TokensThatAreNotWrittenTellNothingOfHowLongTheLockIsHeld)
{
    for (int i = 0; i < 5; ++i) {
        add_meeting("gone" + std::to_string(i), 1000);
        prepare();
        sql("UPDATE meeting SET status = 'cancelled'");
        ASSERT_EQ(run(context, writer.publish(publications)).counts.tokens, 0U);
        sql("DELETE FROM participant; DELETE FROM meeting; DELETE FROM agenda");
    }
    EXPECT_EQ(writer.fill(5000), 4608U) << "as at the start: nine slices of 512";
}

TEST_F(Writer, ARowThatCannotBeWrittenIsNamedAndTheOthersArePublished)
{
    for (const std::string id : {"a", "b", "c"})
        add_meeting(id, 1);
    prepare();
    ASSERT_EQ(meetings[1].id, "b");
    sql("PRAGMA ignore_check_constraints = 1; UPDATE agenda SET last_session_no = zeroblob(2000000) WHERE meeting_id = "
        "'b'");

    const Published published = run(context, writer.publish(publications));

    ASSERT_EQ(published.refused.size(), 1U);
    EXPECT_EQ(published.refused[0].publication, 1U);
    EXPECT_FALSE(published.refused[0].why.empty());
    EXPECT_EQ(published.counts.settled, 2U);
    EXPECT_EQ(number("SELECT count(*) FROM agenda WHERE state = 'ready'"), 2);
}

TEST_F(Writer, EndsAfterTheSliceInHand)
{
    add_meeting("large", 3000);
    prepare();
    writer.request_stop();

    const Published published = run(context, writer.publish(publications));

    EXPECT_GT(published.counts.tokens, 0U);
    EXPECT_LT(published.counts.tokens, 3000U);
    EXPECT_EQ(published.counts.settled, 0U);
    EXPECT_EQ(number("SELECT due_at FROM agenda"), 0) << "it is due still";
}

TEST_F(Writer, WaitsForNobodyWhereNobodyWrites)
{
    add_meeting("a", 1);
    clock.advance(10s);
    prepare();
    run(context, writer.publish(publications)); // beside what the platform wrote just now
    clock.advance(2s);
    clock.waits.clear();
    const MeetingNo meeting = meetings[0].number;
    CallNews news;
    news.begun = {&meeting, 1};
    run(context, writer.record_calls(news));
    EXPECT_THAT(clock.waits, IsEmpty());
}

/// Two transactions; beside the second one, somebody else has written.
TEST_F(Writer, LeavesTheLockAloneForTwiceAsLongAsItWasHeldBesideAWriter)
{
    add_meeting("a", 1);
    const MeetingNo meeting = store.due(start, 1, {}).meetings.at(0);
    CallNews news;
    news.begun = {&meeting, 1};
    clock.tick = 10ms;
    run(context, writer.record_calls(news));
    EXPECT_EQ(writer.health().at(0).value, 10'000) << "of " << writer.health().at(0).name;
    clock.tick = 0ms;
    sql("UPDATE meeting SET title = 'y'");
    clock.waits.clear();
    std::vector<std::int64_t> attempts;
    clock.during_wait = [&] { attempts.push_back(number("SELECT count(*) FROM session_attempt")); };

    run(context, writer.record_calls(news));

    EXPECT_THAT(clock.waits, ElementsAre(20ms));
    EXPECT_THAT(attempts, ElementsAre(1)) << "not before the wait";
    EXPECT_EQ(number("SELECT count(*) FROM session_attempt"), 2);
}

/// Whatever part of the daemon writes next.
TEST_F(Writer, NoPartOfTheDaemonTakesTheLockBeforeOthersHadTheirTurn)
{
    add_meeting("a", 1);
    add_meeting("b", 1);
    prepare();
    run(context, writer.publish(publications));
    sql("UPDATE daemon SET restore_cursor = 0");
    const MeetingNo meeting = meetings.at(0).number;
    Policy doors;
    doors.visible_at_opens = !doors.visible_at_opens;
    Outdated outdated;
    outdated.table = Outdated::OldTable::history;
    outdated.rows.push_back({1});
    CallNews begun;
    begun.begun = {&meeting, 1};
    using Work = std::function<boost::asio::awaitable<void>()>;
    const auto without_result = [](auto work) -> Work {
        return [work]() -> boost::asio::awaitable<void> { co_await work(); };
    };
    const std::vector<std::pair<char const*, Work>> works{
        {"inspect", without_result([&] {
             sql("DROP VIEW IF EXISTS usher_status");
             return writer.inspect();
         })},
        {"record_doors", [&] { return writer.record_doors(doors); }},
        {"beat", [&] { return writer.beat(start + 1s); }},
        {"renumber", without_result([&] { return writer.renumber(1); })},
        {"add_missing", [&] { return writer.add_missing({"a"}); }},
        {"remove", [&] { return writer.remove(outdated); }},
        {"forget_unreadable", [&] { return writer.forget_unreadable({meeting}); }},
        {"record_calls", without_result([&] { return writer.record_calls(begun); })},
    };
    for (auto const& [name, work] : works) {
        clock.during_wait = {};
        clock.tick = 10ms;
        run(context, writer.beat(start)); // holds the lock for one tick
        clock.tick = 0ms;
        sql("UPDATE meeting SET title = title || 'y'");
        clock.waits.clear();
        bool is_early = false;
        const std::int64_t version = number("PRAGMA data_version");
        clock.during_wait = [&] { is_early = is_early || number("PRAGMA data_version") != version; };

        run(context, work());

        EXPECT_THAT(clock.waits, ElementsAre(20ms)) << name;
        EXPECT_FALSE(is_early) << name << " wrote before its turn";
        EXPECT_NE(number("PRAGMA data_version"), version) << name << " wrote nothing";
    }
}

TEST_F(Writer, WhoFindsTheLockTakenInTheMeantimeWaitsAgain)
{
    run(context, writer.beat(start));
    sql("UPDATE daemon SET damage = 'x'");
    clock.waits.clear();
    clock.during_wait = [&] {
        clock.during_wait = {};
        clock.tick = 10ms;
        store.beat(start + 1s, start); // another part of the daemon
        clock.tick = 0ms;
    };
    run(context, writer.beat(start + 2s));
    EXPECT_THAT(clock.waits, ElementsAre(20ms));
}

TEST_F(Writer, WhereNothingIsToBeWrittenNobodyIsWaitedFor)
{
    add_meeting("a", 1);
    clock.tick = 10ms;
    run(context, writer.record_doors(Policy{}));
    clock.tick = 0ms;
    sql("UPDATE meeting SET title = 'y'");
    clock.waits.clear();
    const std::int64_t version = number("PRAGMA data_version");

    run(context, writer.record_doors(Policy{}));
    EXPECT_FALSE(run(context, writer.renumber(1)));
    run(context, writer.add_missing({}));
    run(context, writer.remove({}));
    run(context, writer.forget_unreadable({}));
    run(context, writer.record_calls({}));

    EXPECT_THAT(clock.waits, IsEmpty());
    EXPECT_EQ(number("PRAGMA data_version"), version);
}

/// A meeting's own rows take the lock too: many that get no token are not written at once.
TEST_F(Writer, MeetingsWithoutTokensAreWrittenInSlicesAsWell)
{
    for (int i = 0; i < 600; ++i)
        add_meeting("m" + std::to_string(i), 0);
    prepare(600);
    std::set<std::int64_t> settled;
    clock.during_wait = [&] { settled.insert(number("SELECT count(*) FROM agenda WHERE state = 'ready'")); };

    run(context, writer.publish(publications));

    EXPECT_EQ(number("SELECT count(*) FROM agenda WHERE state = 'ready'"), 600);
    EXPECT_GE(settled.size(), 2U);
}

/// Somebody's transaction, begun and never ended, keeps the WAL from starting anew.
TEST_F(Writer, AReaderThatStaysSlowsNothingDownAndIsToldOf)
{
    sql("CREATE TABLE theirs (x)");
    SQLite::Database reader{path, SQLite::OPEN_READONLY};
    reader.exec("BEGIN");
    EXPECT_EQ(reader.execAndGet("SELECT count(*) FROM token").getInt64(), 0);
    const auto log_bytes = [&] { return static_cast<std::int64_t>(std::filesystem::file_size(path + "-wal")); };
    int rounds = 0;
    int waits_for_it = 0;
    const auto publish_one_more = [&] {
        clock.advance(1s);
        sql("INSERT INTO theirs VALUES (zeroblob(1000000))");
        add_meeting("m" + std::to_string(++rounds), 1);
        prepare();
        clock.waits.clear();
        EXPECT_EQ(run(context, writer.publish(publications)).counts.settled, 1U);
        waits_for_it += static_cast<int>(std::count(clock.waits.begin(), clock.waits.end(), 1ms));
    };
    while (log_bytes() < 64 << 20) {
        EXPECT_EQ(writer.concern(), "") << log_bytes();
        publish_one_more();
    }
    EXPECT_GE(waits_for_it, 50) << "it is given the time to end";
    EXPECT_LE(waits_for_it, 5 * 50) << "but not at each of " << rounds << " transactions";
    clock.advance(100s);
    EXPECT_THAT(
        writer.concern(), testing::MatchesRegex("-wal has 6[0-9] MiB, since somebody has been reading in it for "
                                                "[0-9]+ s; have whoever holds a transaction open end it")
    );

    reader.exec("COMMIT");
    for (int i = 0; i < 100 && !writer.concern().empty(); ++i)
        publish_one_more();
    EXPECT_EQ(writer.concern(), "");
    publish_one_more();
    EXPECT_LT(store.wal_pages(), 1000) << "its space is used again";
}

/// Somebody reads, so that they all fail, and somebody writes, who waits for the lock meanwhile.
TEST_F(Writer, EachTryToBeginTheLogAnewLeavesOthersTheirTurn)
{
    sql("CREATE TABLE theirs (x)");
    SQLite::Database reader{path, SQLite::OPEN_READONLY};
    reader.exec("BEGIN");
    EXPECT_EQ(reader.execAndGet("SELECT count(*) FROM token").getInt64(), 0);
    sql("INSERT INTO theirs VALUES (zeroblob(40000000))");
    add_meeting("a", 1);
    prepare();
    clock.tick = 10ms;
    clock.during_wait = [&] { sql("INSERT INTO theirs VALUES (1)"); };

    EXPECT_EQ(run(context, writer.publish(publications)).counts.settled, 1U);

    EXPECT_GE(std::count(clock.waits.begin(), clock.waits.end(), 1ms), 50) << "tries";
    const auto without_a_turn =
        std::adjacent_find(clock.waits.begin(), clock.waits.end(), [](Duration one, Duration next) {
            return one == 1ms && next == 1ms;
        });
    EXPECT_EQ(without_a_turn, clock.waits.end());
}

TEST_F(Writer, WhatBecameOfCallsGoesBeforeTheNextSlice)
{
    add_meeting("large", 3000);
    prepare();
    const MeetingNo meeting = meetings[0].number;
    CallNews news;
    news.begun = {&meeting, 1};
    clock.tick = 1ms;
    std::int64_t tokens_before_the_call = -1;
    bool is_asked = false;
    clock.during_wait = [&] {
        sql("UPDATE meeting SET title = 'y'"); // somebody writes all the time
        if (!is_asked && number("SELECT count(*) FROM token") > 0) {
            is_asked = true;
            boost::asio::co_spawn(context, writer.record_calls(news), [&](std::exception_ptr error, CallRecord) {
                EXPECT_FALSE(error);
                tokens_before_the_call = number("SELECT count(*) FROM token");
            });
        }
    };

    const Published published = run(context, writer.publish(publications));

    EXPECT_EQ(published.counts.tokens, 3000U);
    EXPECT_GT(tokens_before_the_call, 0);
    EXPECT_LT(tokens_before_the_call, 3000);
}

} // namespace
} // namespace usher
