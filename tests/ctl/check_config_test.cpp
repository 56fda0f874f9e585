// SPDX-License-Identifier: Apache-2.0
// What usherctl check-config says of a configuration on the example's day.
#include <fstream>
#include <iterator>
#include <string>

#include <sys/stat.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "ctl/configured_day.hpp"

namespace usher::ctl {
namespace {

using test::Answer;

class CheckConfig : public ConfiguredDay {
protected:
    std::string other = world.folder.file("new.yaml");
};

TEST_F(CheckConfig, IsShallow)
{
    const Answer answer = ask({"check-config"});
    EXPECT_EQ(answer.out, "All well: usher.yaml: 2 projects.\n");
    EXPECT_EQ(answer.err, "");
    EXPECT_EQ(answer.status, 0);
    std::ofstream{other} << "projects:\n  default: {provider: sandbox}\ntokens: {lead: soon}\n";
    EXPECT_EQ(ask({"check-config"}, other).status, 2);
    EXPECT_NE(ask({"check-config"}, other).err.find("new.yaml:3:16: tokens.lead: "), std::string::npos);
    EXPECT_EQ(call({"check-config"}).status, 2) << "--db names no configuration";
}

TEST_F(CheckConfig, NobodyNotices)
{
    example_day();
    EXPECT_EQ(ask({"check-config", "--against", world.path}).out, "All well: no session changes.\n");
}

TEST_F(CheckConfig, AnotherProjectKeyMeansNewSessions)
{
    example_day();
    write_config(other, "777777");
    const Answer answer = ask({"check-config", "--against", world.path}, other);
    EXPECT_EQ(
        answer.out, "At risk: 5 live meetings get new sessions; 91 people there must join again.\n"
                    "do: reload after 20:15 UTC (in 10h 55m): none is live then\n"
                    "new.yaml:3:42: projects.default.api_key: 123456 -> 777777\n"
                    "live       5: green-room, help-desk, opening, 2 more\n"
                    "later      28: new sessions; 33 calls take 5s\n"
    );
    EXPECT_EQ(answer.status, 1);
    const nlohmann::json json = ask({"check-config", "--against", world.path, "--json"}, other).json();
    EXPECT_EQ(json.at("live").at("total"), 5);
    EXPECT_EQ(json.at("people_to_join_again"), 91);
}

TEST_F(CheckConfig, AProjectThatIsGoneFailsItsMeetings)
{
    example_day();
    std::ofstream{other} << "database: " << world.path
                         << "\nprojects:\n  default: {provider: opentok, api_key: \"123456\", "
                         << "api_secret: {file: " << secret << "}}\n"
                         << "tokens: {early_join: {moderator: 15m, default: 5m}, visible: at_opens}\n";
    const Answer answer = ask({"check-config", "--against", world.path}, other);
    EXPECT_EQ(
        answer.out, "At risk: 6 meetings fail: project partner is not in the configuration.\n"
                    "do: add partner under projects:\n"
                    "new.yaml: projects.partner is gone\n"
                    "failing    6: track-b-1, track-b-2, track-b-3, 3 more\n"
    );
}

TEST_F(CheckConfig, AShorterGraceEndsLiveMeetings)
{
    world.policy.grace = 45min;
    world.restart();
    example_day();
    write_config(other, "123456");
    const Answer answer = ask({"check-config", "--against", world.path}, other);
    EXPECT_EQ(
        answer.out.find("At risk: 1 live meeting ends at once; 7 people there lose their tokens.\n"
                        "do: reload after 09:35 UTC (in 15m): none is live then\n"
                        "ending     1: crew-briefing\n"),
        0U
    ) << answer.out;
    EXPECT_NE(answer.out.find("tokens     7 are taken back\n"), std::string::npos) << answer.out;
    EXPECT_EQ(answer.status, 1);
    const nlohmann::json json = ask({"check-config", "--against", world.path, "--json"}, other).json();
    EXPECT_EQ(json.at("ending").at("items"), nlohmann::json::array({"crew-briefing"}));
    EXPECT_EQ(json.at("tokens_taken_back"), 7);
    EXPECT_EQ(json.at("meetings_emptied"), 0);

    write_config(other, "123456", ", hard_end: disconnect");
    EXPECT_EQ(
        ask({"check-config", "--against", world.path}, other)
            .out.find("At risk: 1 live meeting ends at once, and whoever is in it is thrown out.\n"),
        0U
    );
}

TEST_F(CheckConfig, ALongerGraceEndsNone)
{
    world.policy.grace = 5min;
    world.restart();
    example_day();
    EXPECT_EQ(ask({"check-config", "--against", world.path}).status, 0);
}

/// The exhibits start at 09:30.
TEST_F(CheckConfig, LaterDoorsShutOutWhoIsIn)
{
    example_day();
    const auto with_doors = [&](std::string const& doors) {
        write_config(other, "123456");
        std::ifstream file{other};
        std::string text{std::istreambuf_iterator<char>{file}, {}};
        text.resize(text.find("tokens: "));
        std::ofstream{other} << text << "tokens: " << doors << "\n";
        return ask({"check-config", "--against", world.path}, other);
    };
    const Answer hidden = with_doors("{early_join: {moderator: 9m, default: 5m}, visible: at_opens}");
    EXPECT_EQ(
        hidden.out.find("At risk: 1 person in 1 live meeting could not come back in.\n"
                        "do: reload after 09:21 UTC (in 1m): none is live then\n"
                        "shut       1: exhibit-maps\n"),
        0U
    ) << hidden.out;
    EXPECT_EQ(hidden.status, 1);
    EXPECT_EQ(with_doors("{early_join: {moderator: 10m, default: 5m}, visible: at_opens}").status, 0) << "open still";
    EXPECT_EQ(with_doors("{early_join: {moderator: 9m, default: 5m}}").status, 0) << "credentials are shown early";
}

TEST_F(CheckConfig, AnAdoptedSessionOfTheFormerKeyFailsItsMeeting)
{
    import_examples();
    world.settle();
    run_until(now - 1min);
    world.sql(
        "UPDATE meeting SET session_id = (SELECT session_id FROM join_credential WHERE meeting_id = 'green-room') "
        "WHERE id = 'help-desk'"
    );
    run_until(now);
    write_config(other, "777777");
    const Answer answer = ask({"check-config", "--against", world.path}, other);
    EXPECT_NE(answer.out.find("failing    1: help-desk\n"), std::string::npos) << answer.out;
    EXPECT_EQ(answer.out.find("is not in the configuration"), std::string::npos) << answer.out;
    EXPECT_NE(answer.out.find(" are taken back\n"), std::string::npos) << answer.out;
    EXPECT_EQ(answer.status, 1);
}

TEST_F(CheckConfig, AnotherSecretSignsAnew)
{
    example_day();
    secret = world.folder.file("second");
    std::ofstream{secret} << std::string(40, 'a');
    ::chmod(secret.c_str(), 0600);
    write_config(other, "123456");
    const Answer answer = ask({"check-config", "--against", world.path}, other);
    EXPECT_EQ(answer.out.find("All well: no session changes.\n"), 0U) << answer.out;
    EXPECT_NE(answer.out.find("new.yaml: projects.default.api_secret: key "), std::string::npos) << answer.out;
    EXPECT_NE(answer.out.find("tokens     144 are signed anew; old ones work until they expire\n"), std::string::npos)
        << answer.out;
    EXPECT_EQ(answer.status, 0);
}

TEST_F(CheckConfig, DeepOpensTheDatabaseAndAsksTheVendors)
{
    example_day();
    std::ofstream{other} << "database: " << world.path << "\nprojects:\n  default: {provider: sandbox}\n";
    const Answer well = ask({"check-config", "--deep"}, other);
    EXPECT_EQ(
        well.out, "All well: new.yaml: 1 project.\n"
                  "database   " +
                      world.path + " is there, its contract is whole\ndefault    asks no vendor\n"
    );
    std::ofstream{other} << "database: " << world.path
                         << "x\nprojects:\n  default: {provider: opentok, api_key: \"1\", "
                         << "api_secret: {file: " << secret << "}, base_url: \"https://127.0.0.1:1\"}\n";
    const Answer failing = ask({"check-config", "--deep"}, other);
    EXPECT_EQ(failing.status, 1);
    EXPECT_EQ(failing.out.find("Failing: " + world.path + "x"), 0U) << failing.out;
    EXPECT_NE(failing.out.find("default    "), std::string::npos) << failing.out;
    EXPECT_NE(failing.out.find("127.0.0.1:1"), std::string::npos) << failing.out;
}

} // namespace
} // namespace usher::ctl
