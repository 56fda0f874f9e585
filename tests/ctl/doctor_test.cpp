// SPDX-License-Identifier: Apache-2.0
// What usherctl doctor finds on the example's day.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <sys/stat.h>
#include <unistd.h>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sqlite3.h>

#include "ctl/configured_day.hpp"

namespace usher::ctl {
namespace {

using test::Answer;

class Doctors : public ConfiguredDay {
protected:
    Doctors() { ::chmod(world.folder.file("").c_str(), 02750); }

    /// Findings as `problem rights`, apart from those of the disk that the test runs on.
    std::vector<std::string> found(std::vector<std::string> words = {"doctor", "--offline"})
    {
        words.emplace_back("--json");
        std::vector<std::string> result;
        const nlohmann::json answer = ask(words).json();
        for (auto const& finding : answer.at("findings").at("items"))
            if (finding.at("check") != "disk")
                result.push_back(
                    finding.at("severity").get<std::string>() + " " + finding.at("check").get<std::string>() + ": " +
                    finding.at("text").get<std::string>()
                );
        return result;
    }

    bool finds(std::string const& start)
    {
        const std::vector<std::string> all = found();
        const bool is_there =
            std::any_of(all.begin(), all.end(), [&](std::string const& each) { return each.starts_with(start); });
        EXPECT_TRUE(is_there || all.size() < 100);
        for (std::string const& each : all)
            last += each + "\n";
        return is_there;
    }

    std::string last; ///< All that was found.
};

const std::string long_meeting = "note meetings: green-room, 1 more are over 8h: the vendor may cut the session";

TEST_F(Doctors, AllIsWell)
{
    example_day();
    std::ofstream{world.path + ".reload"} << "taken\n"; // its clock is another one
    EXPECT_EQ(found(), std::vector<std::string>{long_meeting});
    const Answer answer = ask({"doctor", "--offline"});
    EXPECT_EQ(
        answer.out.substr(0, answer.out.find("\nnote") + 1),
        "All well: rights, disk, backup, wal, integrity, numbers, key, schema, usherd,\n"
        "keys, vendors, clock, meetings, quota, promises checked, " +
            std::string{answer.out.find("note       disk") == std::string::npos ? "1 note" : "2 notes"} + ".\n"
    );
    EXPECT_EQ(answer.status, 0);
}

TEST_F(Doctors, SeeRightsAsPlatformsDo)
{
    example_day();
    const std::string folder = world.folder.file("");
    ::chmod(folder.c_str(), 02770);
    EXPECT_TRUE(finds("problem rights: others than its owner may write to ")) << last;
    ::chmod(folder.c_str(), 0700);
    EXPECT_TRUE(finds("problem rights: ")) << last;
    ::chmod(folder.c_str(), 02750);
    EXPECT_FALSE(finds("problem rights: ")) << last;
    ::chmod((world.path + "-wal").c_str(), 0640);
    EXPECT_TRUE(finds("problem rights: ")) << last;
    EXPECT_NE(last.find(" cannot write usher.db-wal (0640 "), std::string::npos) << last;
    ::chmod((world.path + "-wal").c_str(), 0600);
    EXPECT_TRUE(finds("problem rights: ")) << last;
    EXPECT_NE(last.find(" cannot read usher.db-wal (0600 "), std::string::npos) << last;
}

TEST_F(Doctors, SeeTheKeyOfTheSeals)
{
    example_day();
    ::chmod((world.path + ".key").c_str(), 0640);
    EXPECT_TRUE(finds("problem key: usher.db.key can be read by others")) << last;
    std::filesystem::remove(world.path + ".key");
    EXPECT_TRUE(finds("note key: usher.db.key is missing")) << last;
}

TEST_F(Doctors, SeeAKeyThatIsNone)
{
    example_day();
    const std::string key = world.path + ".key";
    std::ofstream{key} << std::string(64, 'z');
    EXPECT_TRUE(finds("problem key: usher.db.key is no key of usher's")) << last;
    std::ofstream{key} << std::string(64, 'a');
    world.sql("UPDATE session SET mac = zeroblob(16)");
    EXPECT_TRUE(finds("problem key: usher.db.key is the key of another database: no session is sealed with it"))
        << last;
    EXPECT_EQ(ask({"backup", world.folder.file("copy.db")}).status, 1) << "a copy would be of no use";
    EXPECT_FALSE(std::filesystem::exists(world.folder.file("copy.db")));
    std::filesystem::remove(key);
    std::filesystem::create_directory(key);
    EXPECT_TRUE(finds("problem key: usher.db.key is not a file")) << last;
}

TEST_F(Doctors, LookPastWhatOnlyThePlatformHas)
{
    example_day();
    SQLite::Database tool{world.path, SQLite::OPEN_READWRITE};
    const auto same = [](sqlite3_context* context, int, sqlite3_value** values) {
        sqlite3_result_value(context, values[0]);
    };
    tool.createFunction("slug", 1, true, nullptr, same, nullptr, nullptr, nullptr);
    tool.exec("CREATE INDEX by_slug ON meeting (slug(title))");
    EXPECT_THAT(
        found({"doctor", "--offline", "--full"}),
        testing::Contains("note integrity: not looked at: meeting: unknown function: slug()")
    );
    EXPECT_EQ(ask({"backup", world.folder.file("copy.db")}).status, 0);
}

TEST_F(Doctors, AFileWithAnotherNameIsRefused)
{
    example_day();
    const std::string other = world.folder.file("other.db");
    ASSERT_EQ(::link(world.path.c_str(), other.c_str()), 0);
    EXPECT_NE(ask({"doctor"}).err.find("has another name too (a hard link)"), std::string::npos);
    EXPECT_NE(
        test::call_usherctl({"--db", other, "rotate", "--all"}).err.find("has another name too"), std::string::npos
    );
    std::filesystem::remove(other);
    EXPECT_EQ(ask({"doctor", "--offline"}).status, 0);
}

TEST_F(Doctors, ComparesClocks)
{
    example_day();
    world.sql("UPDATE project_status SET clock_ahead = 5");
    EXPECT_FALSE(finds("problem clock")) << last;
    world.sql("UPDATE project_status SET clock_ahead = -6 WHERE name = 'partner'");
    EXPECT_TRUE(finds("problem clock: 6s behind that of the vendor of partner")) << last;
}

TEST_F(Doctors, SeeWhetherUsherdIsAtWork)
{
    example_day();
    looked(149s, "pid 812");
    EXPECT_FALSE(finds("problem usherd")) << last;
    looked(150s, "pid 812");
    EXPECT_TRUE(finds("problem usherd: stopped 2m 30s ago")) << last;
}

/// Sets when a file was last written, counted from now.
void written(std::string const& file, std::chrono::seconds ago)
{
    std::filesystem::last_write_time(file, std::filesystem::file_time_type::clock::now() - ago);
}

TEST_F(Doctors, SeeAConfigurationThatUsherdHasNotRead)
{
    example_day();
    const std::string run = world.folder.file("run");
    std::filesystem::create_directory(run);
    const std::string told = run + "/reload";
    looked(10s, "pid 812");
    const auto began = [&](std::chrono::seconds ago) {
        world.sql("UPDATE daemon SET since = " + std::to_string(std::time(nullptr) - ago.count()));
    };
    const std::string changed = "note usherd: " + config + " was changed since usherd read it";
    began(1h);
    EXPECT_TRUE(finds(changed)) << last;
    const std::string beside = world.path + ".reload"; // where it does not run under systemd
    std::ofstream{beside} << "taken\n";
    written(beside, -1min);
    EXPECT_FALSE(finds("note usherd")) << last;
    std::ofstream{beside} << "refused\nusher.yaml:2:1: unknown key x\n";
    EXPECT_TRUE(finds("problem usherd: the last reload was refused, the old configuration stays: usher.yaml:2:1: "))
        << last;
    std::filesystem::remove(beside);
    ASSERT_EQ(::mkfifo(beside.c_str(), 0600), 0);
    EXPECT_TRUE(finds(changed)) << "nobody waits in it: " << last;
    std::filesystem::remove(beside);
    ::setenv("RUNTIME_DIRECTORY", run.c_str(), 1);
    EXPECT_TRUE(finds(changed)) << last;
    written(config, 2h);
    EXPECT_TRUE(finds(changed)) << "whoever copies a file may say when it was written: " << last;
    began(-1h);
    EXPECT_FALSE(finds("note usherd")) << last;
    began(1h);
    std::ofstream{told} << "taken\n";
    written(told, -1min);
    EXPECT_FALSE(finds("note usherd")) << last;
    written(told, 30min);
    EXPECT_TRUE(finds(changed)) << last;
    std::ofstream{told} << "refused\nusher.yaml:12:5: unknown key rat\n";
    EXPECT_TRUE(finds("problem usherd: the last reload was refused, the old configuration stays: usher.yaml:12:5: "
                      "unknown key rat")
    ) << last;
    written(told, 2h);
    EXPECT_FALSE(finds("problem usherd")) << "of the usherd before this one: " << last;
    ::unsetenv("RUNTIME_DIRECTORY");
}

TEST_F(Doctors, SeeThatBackupsHaveEnded)
{
    example_day();
    const std::string mark = world.path + ".backed-up";
    EXPECT_FALSE(finds("note backup")) << "another tool may make them: " << last;
    ASSERT_EQ(ask({"backup", world.folder.file("copy.db")}).status, 0);
    EXPECT_FALSE(finds("note backup")) << last;
    written(mark, 24h - 10min);
    EXPECT_FALSE(finds("note backup")) << last;
    written(mark, 24h);
    EXPECT_TRUE(finds("note backup: usherctl backup was last run 1 day ago")) << last;
    written(mark, 72h);
    EXPECT_TRUE(finds("note backup: usherctl backup was last run 3 days ago")) << last;
    ASSERT_EQ(ask({"backup", world.folder.file("copy.db"), "--yes"}).status, 0);
    EXPECT_FALSE(finds("note backup")) << last;

    std::ofstream{world.path + ".restoring"} << "all tokens";
    EXPECT_FALSE(finds("note backup")) << "it may be under way: " << last;
    written(world.path + ".restoring", 24h);
    EXPECT_TRUE(finds("note backup: usher.db.restoring, with all its tokens, was left by a restore that was killed"))
        << last;
}

TEST_F(Doctors, SeeAPageThatOtherMachinesMayRead)
{
    example_day();
    for (const std::string listen : {"127.0.0.1:9787", "/run/usher/status.sock", "0.0.0.0:9787"}) {
        write_config(config, "123456");
        std::ofstream{config, std::ios::app} << "status: {listen: \"" << listen << "\", allow_remote: true}\n";
        EXPECT_EQ(
            finds("note usherd: its metrics and page, at 0.0.0.0:9787, are open to other machines without a password"),
            listen == "0.0.0.0:9787"
        ) << last;
    }
}

TEST_F(Doctors, CompareKeysWithTheConfiguration)
{
    example_day();
    world.sql("UPDATE project_status SET key_id = '4f2a91bbbbbbbbbb' WHERE name = 'default'");
    EXPECT_TRUE(finds("note keys: default: usherd signs with key 4f2a91, the configuration has ")) << last;
    world.sql("UPDATE project_status SET project_key = '999' WHERE name = 'default'");
    EXPECT_TRUE(finds("note keys: default: usherd works with 999 of opentok, the configuration has 123456")) << last;
    world.sql("DELETE FROM project_status WHERE name = 'default'");
    EXPECT_TRUE(finds("note keys: usherd does not know project default yet")) << last;
}

TEST_F(Doctors, AskTheCheckerOfPromises)
{
    example_day();
    world.sql("DELETE FROM token WHERE participant_id = 'guest-7' AND session_no = "
              "(SELECT session_no FROM agenda WHERE meeting_id = 'opening')");
    EXPECT_TRUE(finds("problem P1: opening: guest-7 has no published token and no reason")) << last;
    const Answer answer = ask({"doctor", "--offline"});
    EXPECT_EQ(answer.status, 1);
    EXPECT_EQ(answer.out.find("Failing: "), 0U) << answer.out;
    EXPECT_NE(answer.out.find("\n  do: usherctl explain opening\n"), std::string::npos) << answer.out;
}

TEST_F(Doctors, SeeSecretsThatCannotBeRead)
{
    example_day();
    ::chmod(secret.c_str(), 0644);
    EXPECT_TRUE(finds("problem secrets: ")) << last;
    EXPECT_EQ(last.find(example_secret), std::string::npos);
}

TEST_F(Doctors, SeeDamage)
{
    example_day();
    world.sql("DROP VIEW join_credential");
    EXPECT_TRUE(finds("problem schema: the view join_credential is gone")) << last;
}

TEST_F(Doctors, SeeALongLog)
{
    example_day();
    world.close();
    const std::string log = world.path + "-wal";
    std::ofstream{log};
    ::chmod(log.c_str(), 0660);
    std::filesystem::resize_file(log, (64 << 20) - 1);
    EXPECT_FALSE(finds("note wal")) << last;
    std::filesystem::resize_file(log, 64 << 20);
    EXPECT_TRUE(finds("note wal: 64 MiB")) << last;
}

TEST_F(Doctors, AskVendors)
{
    example_day();
    std::ofstream{config} << "database: " << world.path
                          << "\nprojects:\n  default: {provider: opentok, api_key: \"123456\", "
                          << "api_secret: {file: " << secret << "}, base_url: \"https://127.0.0.1:1\"}\n";
    const Answer answer = ask({"doctor", "--json"});
    const std::string text = answer.out;
    EXPECT_EQ(answer.status, 1);
    EXPECT_NE(text.find("default: "), std::string::npos) << text;
    EXPECT_NE(text.find("127.0.0.1:1"), std::string::npos) << text;
}

TEST_F(Doctors, ABundleNamesNobody)
{
    example_day();
    world.sql(
        "UPDATE meeting SET title = 'canary-title' WHERE id = 'opening';"
        "INSERT INTO meeting (id, title, starts_at, ends_at, project) VALUES ('canary-meeting', 'canary-title', " +
        std::to_string(unix_seconds(now)) + ", " + std::to_string(unix_seconds(now + 1h)) +
        ", 'canary-project');"
        "INSERT INTO participant (meeting_id, participant_id, display_name, role, connection_data) VALUES "
        "('canary-meeting', 'canary-person', 'canary-name', 'publisher', 'canary-data');"
        "UPDATE project_status SET detail = 'canary-detail', reason = 'provider_error' WHERE name = 'partner'"
    );
    world.work();
    const std::string bundle = world.folder.file("support.tar");
    EXPECT_EQ(ask({"doctor", "--offline", "--bundle", bundle}).status, 1);

    struct stat file {};
    ASSERT_EQ(::stat(bundle.c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 07777, 0600U);
    std::ifstream in{bundle, std::ios::binary};
    const std::string text{std::istreambuf_iterator<char>{in}, {}};
    for (char const* const name : {"system.json", "doctor.json", "configuration.json", "status.json", "plan.json"})
        EXPECT_NE(text.find(name), std::string::npos) << name;
    EXPECT_NE(text.find("\"unknown_project\""), std::string::npos) << text;
    for (char const* const canary :
         {"canary", "opening", "guest-7", "123456", "654321", example_secret, "eyJ", "1_M", "usher.yaml"})
        EXPECT_EQ(text.find(canary), std::string::npos) << canary;

    EXPECT_EQ(ask({"doctor", "--offline", "--bundle", bundle}).err.find("usherctl: doctor: cannot write "), 0U)
        << "a file that is there is left alone";
}

TEST_F(Doctors, ABundleIsATarArchive)
{
    example_day();
    const std::string bundle = world.folder.file("support.tar");
    ask({"doctor", "--offline", "--bundle", bundle});
    EXPECT_EQ(std::filesystem::file_size(bundle) % 512, 0U);
    const std::string command = "cd '" + world.folder.file("") + "' && tar tf support.tar | sort | tr '\n' ' ' > names";
    ASSERT_EQ(std::system(command.c_str()), 0);
    std::string names;
    std::getline(std::ifstream{world.folder.file("names")}, names);
    EXPECT_EQ(names, "configuration.json doctor.json plan.json status.json system.json ");
}

} // namespace
} // namespace usher::ctl
