// SPDX-License-Identifier: Apache-2.0
// A platform edits at random while the daemon is killed at random moments and started again.
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <sched.h>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include "checker.hpp"
#include "machine.hpp"

namespace usher::test {
namespace {

struct Scope {
    std::uint64_t first = 1;
    std::uint64_t seeds = 3;
};

/// USHER_KILLS="FIRST SEEDS" takes others.
Scope scope()
{
    Scope result;
    if (char const* const text = std::getenv("USHER_KILLS"))
        std::istringstream{text} >> result.first >> result.seeds;
    return result;
}

constexpr int kills = 15;
constexpr int edits_max = 27; // before each kill; 14 on average
constexpr int meetings = 40;
constexpr int people = 4;

class Kills : public Machine, public testing::WithParamInterface<std::uint64_t> {
protected:
    /// A round from the start of a daemon to its kill.
    void round()
    {
        const std::string epoch = ask("SELECT epoch FROM daemon");
        Program daemon = usherd();
        if (!one_in(6)) { // else it is killed while it starts, or a little later
            ASSERT_TRUE(eventually([&] { return ask("SELECT epoch FROM daemon") != epoch; })) << printed();
            ++starts_;
            compare("after the start");
        }
        for (int edits = 1 + below(edits_max); edits > 0; --edits) {
            edit_in_a_transaction();
            if (one_in(8))
                see();
        }
        see();
        switch (below(4)) {
        case 0: break;
        case 1: // when it has done all
            ASSERT_TRUE(eventually([&] { return !is_any_due(); })) << printed();
            see();
            break;
        case 2: renew_the_largest(); [[fallthrough]];
        default: wait_for_commits(1 + below(5)); // in the middle of its work
        }
        ASSERT_EQ(daemon.end(SIGKILL), -SIGKILL) << printed();
        compare("after the kill");
        EXPECT_EQ(check_database(path), "") << "after the kill";
    }

    /// Or until nothing is due; without a pause, so that the kill comes close to the commit.
    void wait_for_commits(int count) const
    {
        SQLite::Database reader{path, SQLite::OPEN_READONLY, 20000};
        const auto version = [&] { return reader.execAndGet("PRAGMA data_version").getInt(); };
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
        for (int seen = version(), turns = 1; count > 0 && (turns % 256 != 0 || is_any_due());
             ++turns) { // polls a process
            ASSERT_LT(std::chrono::steady_clock::now(), deadline) << printed();
            if (const int now = version(); now != seen) {
                seen = now;
                --count;
            }
            ::sched_yield();
        }
    }

    bool is_any_due() const
    {
        return ask("SELECT EXISTS (SELECT 1 FROM meeting_status WHERE state = 'pending') OR "
                   "EXISTS (SELECT 1 FROM request_status WHERE state IN ('filed', 'running'))") == "1";
    }

    /// Takes note of what is published and is to stay: of meetings that are settled, and for which nobody asked for
    /// anything that has not been done.
    void see()
    {
        compare("before the kill");
        for (auto& [who, credential] :
             published(" JOIN meeting_status s ON s.meeting_id = c.meeting_id WHERE s.state = 'ready' AND NOT EXISTS "
                       "(SELECT 1 FROM request_status r WHERE r.state IN ('filed', 'running') AND "
                       "(r.project IS NOT NULL OR r.meeting_id = c.meeting_id))"))
            seen_[who.first][who.second] = std::move(credential);
    }

    /// Whether all is published still that was seen, the same session and the same token.
    void compare(std::string const& when)
    {
        const auto now = published("");
        for (auto const& [meeting, credentials] : seen_)
            for (auto const& [person, credential] : credentials) {
                const auto found = now.find({meeting, person});
                ++compared_;
                if (found != now.end() && found->second == credential)
                    continue;
                ADD_FAILURE() << when << ", for " << person << " in " << meeting << ": was " << credential << ", is "
                              << (found == now.end() ? "gone" : found->second);
                return;
            }
    }

    void edit_in_a_transaction()
    {
        SQLite::Transaction transaction{*platform_, SQLite::TransactionBehavior::IMMEDIATE};
        touched_.clear();
        for (int statements = one_in(4) ? 1 + below(4) : 1; statements > 0; --statements)
            edit();
        if (one_in(15)) {
            note("ROLLBACK");
            return;
        }
        transaction.commit();
        for (std::string const& meeting : touched_)
            seen_.erase(meeting);
    }

    void renew_the_largest()
    {
        SQLite::Transaction transaction{*platform_, SQLite::TransactionBehavior::IMMEDIATE};
        sql("m0", "INSERT OR REPLACE INTO meeting (id, starts_at, ends_at, status) VALUES ('m0', "
                  "strftime('%s', 'now') + 300, strftime('%s', 'now') + 7200, 'cancelled');"
                  "UPDATE meeting SET status = 'scheduled' WHERE id = 'm0'");
        transaction.commit();
        seen_.erase("m0");
    }

    void edit()
    {
        const std::string meeting = some_meeting();
        const std::string person = "p" + std::to_string(below(people));
        const std::string where = " WHERE id = '" + meeting + "'";
        const std::string whom = " WHERE meeting_id = '" + meeting + "' AND participant_id = '" + person + "'";
        const std::string role = some({"'subscriber'", "'publisher'", "'publisheronly'", "'moderator'"});
        // Live, in its door, with tokens, with a session alone, far ahead, over: none gets into another while this
        // runs.
        const std::string begins =
            "strftime('%s', 'now') + " + some({"-3600", "300", "1800", "18000", "259200", "-172800"});
        switch (below(18)) {
        case 0:
        case 1:
        case 2:
            sql(meeting, "INSERT OR " + some({"REPLACE", "IGNORE"}) +
                             " INTO meeting (id, starts_at, ends_at) VALUES ('" + meeting + "', " + begins + ", " +
                             begins + " + 7200)");
            break;
        case 3:
        case 4:
            sql(meeting, "UPDATE meeting SET starts_at = " + begins + ", ends_at = " + begins + " + 7200" + where);
            break;
        case 5: sql(meeting, "UPDATE meeting SET status = 'cancelled'" + where); break;
        case 6: sql(meeting, "UPDATE meeting SET status = 'scheduled'" + where); break;
        case 7: sql(meeting, "DELETE FROM meeting" + where); break;
        case 8:
            sql(meeting, "CREATE TEMP TABLE kept AS SELECT * FROM meeting" + where + "; DELETE FROM meeting" + where +
                             "; INSERT INTO meeting SELECT * FROM kept; DROP TABLE kept");
            break;
        case 9:
        case 10:
            sql(meeting, "INSERT OR REPLACE INTO participant (meeting_id, participant_id, role) VALUES ('" + meeting +
                             "', '" + person + "', " + role + ")");
            break;
        case 11: sql(meeting, "DELETE FROM participant" + whom); break;
        case 12: sql(meeting, "UPDATE participant SET role = " + role + whom); break;
        case 13: {
            const std::string other = some_meeting();
            touched_.push_back(other);
            sql(meeting, "UPDATE OR REPLACE participant SET meeting_id = '" + other + "'" + whom);
            break;
        }
        case 14:
            sql(meeting, "INSERT OR IGNORE INTO block (meeting_id, participant_id) VALUES ('" + meeting + "', '" +
                             person + "')");
            break;
        case 15: sql(meeting, "DELETE FROM block WHERE meeting_id = '" + meeting + "'"); break;
        default: {
            const std::string action = some({"rotate", "replace_session"});
            if (one_in(12)) {
                for (int i = 0; i < meetings; ++i)
                    touched_.push_back("m" + std::to_string(i));
                sql(meeting, "INSERT INTO request (action, project) VALUES ('" + action + "', '*')");
            } else {
                sql(meeting, "INSERT INTO request (action, meeting_id) VALUES ('" + action + "', '" + meeting + "')");
            }
        }
        }
    }

    /// One of the meetings has more people than are stored at a time.
    void populate()
    {
        SQLite::Transaction transaction{*platform_, SQLite::TransactionBehavior::IMMEDIATE};
        for (int i = 0; i < meetings; i += 2) {
            const std::string id = "m" + std::to_string(i);
            sql(id, rows_of(id));
        }
        sql("m0",
            "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 300) "
            "INSERT INTO participant (meeting_id, participant_id, role) SELECT 'm0', 'q' || i, 'publisher' FROM n");
        transaction.commit();
    }

    void note(std::string const& line) { trace_ += line + "\n"; }

    std::mt19937_64 dice_{GetParam()};
    std::string trace_;
    int starts_ = 0;
    int compared_ = 0;

private:
    using Key = std::pair<std::string, std::string>;

    int below(int bound) { return static_cast<int>(dice_() % static_cast<std::uint64_t>(bound)); }
    bool one_in(int count) { return below(count) == 0; }
    std::string some(std::initializer_list<char const*> values)
    {
        return *(values.begin() + below(static_cast<int>(values.size())));
    }
    std::string some_meeting() { return "m" + std::to_string(below(meetings)); }

    void sql(std::string const& meeting, std::string const& statements)
    {
        note(statements);
        touched_.push_back(meeting);
        platform_->exec(statements);
    }

    std::map<Key, std::string> published(std::string const& which) const
    {
        SQLite::Database reader{path, SQLite::OPEN_READONLY, 20000};
        SQLite::Statement rows{
            reader,
            "SELECT c.meeting_id, c.participant_id, c.session_id || ' ' || c.token FROM join_credential c" + which};
        std::map<Key, std::string> result;
        while (rows.executeStep()) {
            Key who{rows.getColumn(0).getString(), rows.getColumn(1).getString()};
            EXPECT_TRUE(result.emplace(std::move(who), rows.getColumn(2).getString()).second) << "two for one person";
        }
        return result;
    }

    std::unique_ptr<SQLite::Database> platform_ =
        std::make_unique<SQLite::Database>(path, SQLite::OPEN_READWRITE, 20000);
    std::vector<std::string> touched_;                               ///< By the transaction.
    std::map<std::string, std::map<std::string, std::string>> seen_; ///< By meeting and person.
};

TEST_P(Kills, LoseNothingThatWasSeenAndAllIsServedInTheEnd)
{
    SCOPED_TRACE("USHER_KILLS=\"" + std::to_string(GetParam()) + " 1\"");
    populate();
    for (int kill = 0; kill < kills && !HasFailure(); ++kill) {
        note("start " + std::to_string(kill));
        round();
    }
    {
        Program last = usherd();
        EXPECT_TRUE(eventually([&] { return says(" notice ready ") && !is_any_due(); })) << printed();
        EXPECT_EQ(last.end(SIGTERM), 0) << printed();
    }
    compare("in the end");
    EXPECT_EQ(once().end(), 0) << printed();
    EXPECT_TRUE(says("0 sessions created, 0 tokens published, 0 withdrawn")) << printed();
    compare("after another pass");

    EXPECT_EQ(check_database(path), "");
    EXPECT_EQ(ask("PRAGMA integrity_check"), "ok");
    EXPECT_GE(std::stoi(ask("SELECT epoch FROM daemon")), starts_ + 2);
    EXPECT_GT(compared_, 0);
    // Whoever is in a meeting that is near or on has a credential, and nobody else.
    const std::string served =
        "SELECT p.meeting_id, p.participant_id, p.role FROM participant p JOIN meeting m ON m.id = p.meeting_id "
        "LEFT JOIN block b ON b.meeting_id = p.meeting_id AND b.participant_id = p.participant_id WHERE b.id IS NULL "
        "AND m.status = 'scheduled' AND m.starts_at < strftime('%s', 'now') + 3600 AND m.ends_at > strftime('%s', "
        "'now')";
    const std::string published = "SELECT meeting_id, participant_id, role FROM join_credential";
    EXPECT_NE(ask("SELECT count(*) FROM join_credential"), "0");
    EXPECT_EQ(ask("SELECT count(*) FROM (" + served + " EXCEPT " + published + ")"), "0");
    EXPECT_EQ(ask("SELECT count(*) FROM (" + published + " EXCEPT " + served + ")"), "0");
    EXPECT_EQ(ask("SELECT count(*) FROM request_status WHERE state NOT IN ('done', 'refused')"), "0");
    EXPECT_EQ(ask("SELECT count(*) FROM session_attempt WHERE outcome = 'started'"), "0");
    if (HasFailure())
        std::cout << trace_;
}

INSTANTIATE_TEST_SUITE_P(Seeds, Kills, testing::Range<std::uint64_t>(scope().first, scope().first + scope().seeds));

} // namespace
} // namespace usher::test
