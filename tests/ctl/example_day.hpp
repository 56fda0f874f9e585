// SPDX-License-Identifier: Apache-2.0
// examples/ on its day, 2026-03-02 09:20 UTC, when usherd has been at work since the day before.
#pragma once

#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "commands.hpp"
#include "import.hpp"
#include "service/world.hpp"
#include "support/usherctl.hpp"

namespace usher::ctl {

using namespace std::chrono_literals;
using std::chrono::sys_days;

inline constexpr sys_seconds imported = sys_days{std::chrono::year{2026} / 3 / 1} + 8h + 2min + 10s;
inline constexpr sys_seconds now = sys_days{std::chrono::year{2026} / 3 / 2} + 9h + 20min;

inline constexpr char const* example_secret = "0123456789abcdef0123456789abcdef01234567";

/// A vendor's project whose sessions are made here.
inline Project vendor(std::string name, std::string kind, std::string key, Policy policy)
{
    Project project = test::sandbox(std::move(name), std::move(key), policy, example_secret);
    project.facts.provider = std::move(kind);
    return project;
}

class ExampleDay : public testing::Test {
protected:
    ExampleDay()
    {
        Policy& policy = world.policy;
        policy.early_join = EarlyJoin{5min};
        policy.early_join.set(Role::moderator, 15min);
        policy.visible_at_opens = true;
        world.second_project = false;
        world.default_project = [&](std::vector<Project>& projects) {
            projects.push_back(vendor("default", default_kind, "123456", policy));
            projects.push_back(vendor("partner", "opentok", "654321", policy));
        };
        world.clock.set(imported);
        world.restart();
    }

    void import_examples()
    {
        ImportOptions options;
        options.meetings_path = USHER_SOURCE_DIR "/examples/meetings.csv";
        options.participants_path = USHER_SOURCE_DIR "/examples/participants.csv";
        options.database_path = world.path;
        std::ostringstream problems;
        Printer printer{problems};
        ASSERT_FALSE(import_schedule(options, printer).refused() > 0) << problems.str();
        world.sql("UPDATE meeting SET project = 'partner' WHERE id LIKE 'track-b-%'");
    }

    /// The daemon looks whenever something is due, until `end`, and last three seconds before.
    void run_until(sys_seconds end)
    {
        world.settle();
        for (auto due = world.store->next_due(); due && *due <= end; due = world.store->next_due()) {
            world.clock.advance(std::max(*due, world.clock.now()) - world.clock.now());
            world.settle();
        }
        world.clock.advance(end - world.clock.now());
        world.settle();
        looked(3s, "pid 812");
        world.sql(
            "DELETE FROM project_status; INSERT INTO project_status (name, provider, project_key, key_id, clock_ahead, "
            "changed_at) SELECT DISTINCT s.project, s.provider, s.project_key, t.key_id, 0, 1 "
            "FROM session s JOIN token t ON t.session_no = s.session_no"
        );
    }

    void looked(seconds ago, std::string const& who)
    {
        world.sql("UPDATE daemon SET who = '" + who + "', heartbeat = " + std::to_string(unix_seconds(now - ago)));
    }

    void example_day()
    {
        import_examples();
        run_until(now);
    }

    test::Answer call(std::vector<std::string> words, std::string const& input = {})
    {
        words.insert(words.begin(), {"--db", world.path});
        return test::call_usherctl(std::move(words), {80, false, now}, input);
    }

    /// The first lines of what is printed.
    std::string head(std::vector<std::string> const& words, std::size_t lines, int expected_status = 0)
    {
        const test::Answer answer = call(words);
        EXPECT_EQ(answer.status, expected_status) << answer.out << answer.err;
        std::istringstream all{answer.out};
        std::string result;
        for (std::string line; lines > 0 && std::getline(all, line); --lines)
            result += line + "\n";
        return result;
    }

    /// As though the vendor of partner had refused or not answered for `since`.
    void fail_partner(std::string const& state, std::string const& reason, std::string const& detail, seconds next)
    {
        const std::string at = std::to_string(unix_seconds(now - (1h + 21min)));
        const std::string next_at = std::to_string(unix_seconds(now + next));
        world.sql(
            "INSERT INTO history (at, meeting_no, event, detail) SELECT " + at +
            ", meeting_no, 'session_failed', '' FROM agenda WHERE meeting_id LIKE 'track-b-%';"
            "DELETE FROM token WHERE session_no IN (SELECT session_no FROM agenda WHERE meeting_id LIKE 'track-b-%');"
            "UPDATE agenda SET session_no = NULL, state = '" +
            state + "', reason = '" + reason + "', detail = '" + detail + "', attempts = 5, next_at = " + next_at +
            ", due_at = " + next_at +
            ", last_history_no = (SELECT max(history_no) FROM history h WHERE h.meeting_no = agenda.meeting_no) "
            "WHERE meeting_id LIKE 'track-b-%';"
            "UPDATE project_status SET reason = '" +
            reason + "', detail = '" + detail + "' WHERE name = 'partner'"
        );
    }

    std::string default_kind = "vonage"; ///< From the next restart on.
    test::World world;
};

} // namespace usher::ctl
