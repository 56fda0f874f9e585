// SPDX-License-Identifier: Apache-2.0
// usherctl init --adopt-sessions: what an operator has when DATABASE.key is lost.
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <usher/store/sqlite/instance_lock.hpp>

#include "commands.hpp"
#include "service/world.hpp"
#include "support/usherctl.hpp"

namespace usher::ctl {
namespace {

using test::Answer;

class AdoptSessions : public testing::Test {
protected:
    AdoptSessions()
    {
        world.meeting(30 * 60, 90 * 60);
        world.participant("ann");
        world.participant("bob");
        world.settle();
        before = world.credentials();
        stop();
        std::filesystem::remove(key);
    }

    void stop()
    {
        world.provisioner.reset();
        world.maker.reset();
        world.store.reset();
    }

    Answer adopt(std::vector<std::string> words = {}) const
    {
        words.insert(words.begin(), {"--db", world.path, "init", "--adopt-sessions"});
        return test::call_usherctl(std::move(words));
    }

    /// What a daemon that starts has against it; empty when it starts, and serves what it served before.
    std::string refusal()
    {
        try {
            world.restart();
        } catch (DatabaseError const& error) {
            stop();
            return error.what();
        }
        world.settle();
        EXPECT_EQ(world.credentials(), before);
        stop();
        return {};
    }

    test::World world;
    std::string key = world.path + ".key";
    std::map<std::string, test::Read> before;
};

TEST_F(AdoptSessions, HasThemServeAgain)
{
    ASSERT_EQ(before.size(), 2U);
    EXPECT_NE(refusal().find(": usherctl --db " + world.path + " init --adopt-sessions"), std::string::npos);

    const Answer answer = adopt();
    EXPECT_EQ(answer.status, 0) << answer.err;
    EXPECT_EQ(answer.out, "Done: 1 session is taken for usher's own.\ndo: systemctl start usher\n");
    EXPECT_EQ(answer.err, "");
    EXPECT_EQ(std::filesystem::status(key).permissions(), std::filesystem::perms{0600});
    EXPECT_EQ(refusal(), "");
}

TEST_F(AdoptSessions, CanBeDoneTwice)
{
    ASSERT_EQ(adopt().status, 0);
    const auto json = nlohmann::json::parse(adopt({"--json"}).out);
    EXPECT_EQ(json.at("result"), "adopted");
    EXPECT_EQ(json.at("sessions"), 1);
    EXPECT_EQ(refusal(), "");
}

TEST_F(AdoptSessions, NamesACommandThatIsAtWork)
{
    const InstanceLock restore{real_path(world.path), "usherctl restore, pid 812 on here, started x"};
    const Answer answer = adopt();
    EXPECT_EQ(answer.status, 1);
    EXPECT_EQ(
        answer.err, "usherctl: init: another command (usherctl restore, pid 812) is at work. Nothing was done.\n"
                    "do: wait until it has ended\n"
    );
}

TEST_F(AdoptSessions, IsRefusedWhileADaemonRuns)
{
    const InstanceLock daemon{real_path(world.path), "pid 812 on here, started x"};

    const Answer answer = adopt();
    EXPECT_EQ(answer.status, 1);
    EXPECT_EQ(answer.out, "");
    EXPECT_EQ(answer.err, "usherctl: init: usherd (pid 812) is at work. Nothing was done.\ndo: systemctl stop usher\n");
    EXPECT_EQ(nlohmann::json::parse(adopt({"--json"}).out).at("error").at("code"), "at_work");
    EXPECT_FALSE(std::filesystem::exists(key));
}

TEST_F(AdoptSessions, LeavesNoKeyWhenItCouldNotAdoptThem)
{
    world.sql("BEGIN IMMEDIATE");
    EXPECT_EQ(adopt().status, 1);
    world.sql("ROLLBACK");
    EXPECT_FALSE(std::filesystem::exists(key));
    EXPECT_NE(refusal(), "");

    EXPECT_EQ(adopt().status, 0);
    EXPECT_EQ(refusal(), "");
}

TEST_F(AdoptSessions, FindsTheDatabaseBehindALink)
{
    const std::string link = world.folder.file("link.db");
    std::filesystem::create_symlink(world.path, link);
    const std::string path = std::exchange(world.path, link);
    EXPECT_EQ(adopt().status, 0);
    world.path = path;
    EXPECT_EQ(refusal(), "");
}

} // namespace
} // namespace usher::ctl
