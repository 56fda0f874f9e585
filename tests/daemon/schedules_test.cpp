// SPDX-License-Identifier: Apache-2.0
// Real schedules of real events through the real programs, where they lie beside the project; else the example.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include "checker.hpp"
#include "support/temp_dir.hpp"

namespace usher {
namespace {

class Schedules : public testing::TestWithParam<char const*> {};

TEST_P(Schedules, AreProvisionedWholeAndASecondPassPublishesNothing)
{
    const std::string source = std::string{USHER_SOURCE_DIR} + "/" + GetParam();
    if (!std::filesystem::exists(source + "/meetings.csv"))
        GTEST_SKIP() << "no schedule here";
    const test::TempDir folder;
    const std::string config = folder.file("usher.yaml");
    std::ofstream{config} << "database: usher.db\n"
                             "projects: {default: {provider: sandbox}}\n"
                             "sessions: {lead: 400d}\n"
                             "tokens: {lead: 400d}\n";
    const auto run = [&](std::string const& command) {
        return std::system((command + " >> " + folder.file("output") + " 2>&1").c_str()); // NOLINT(cert-env33-c)
    };
    const std::string ctl = std::string{USHERCTL} + " --config " + config;
    const std::string once = std::string{USHERD} + " --once --config " + config;
    const auto ask = [&](std::string const& query) {
        SQLite::Database database{folder.file("usher.db"), SQLite::OPEN_READONLY};
        return database.execAndGet(query).getString();
    };

    ASSERT_EQ(run(ctl + " init"), 0);
    ASSERT_EQ(
        run(ctl + " import --shift-start +3m --meetings " + source + "/meetings.csv --participants " + source +
            "/participants.csv"),
        0
    );
    ASSERT_EQ(run(once), 0);

    EXPECT_EQ(ask("SELECT count(*) FROM meeting_status WHERE state <> 'ready'"), "0");
    EXPECT_EQ(ask("SELECT count(*) FROM meeting_status"), ask("SELECT count(*) FROM meeting"));
    EXPECT_EQ(ask("SELECT count(*) FROM join_credential"), ask("SELECT count(*) FROM participant"));
    EXPECT_EQ(ask("SELECT count(DISTINCT session_id) FROM session"), ask("SELECT count(*) FROM meeting"));
    EXPECT_EQ(test::check_database(folder.file("usher.db"), std::chrono::days{400}), "");
    const std::string seq = ask("SELECT max(seq) FROM meeting_status");
    ASSERT_EQ(run(once), 0);
    EXPECT_EQ(ask("SELECT max(seq) FROM meeting_status"), seq);
}

INSTANTIATE_TEST_SUITE_P(
    Real, Schedules, testing::Values("examples", "../shared/schedules/fosdem", "../shared/schedules/acl2020")
);

} // namespace
} // namespace usher
