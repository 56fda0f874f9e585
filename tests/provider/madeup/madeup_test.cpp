// SPDX-License-Identifier: Apache-2.0
// That a vendor of its own kind is served like any other: from its keys in the configuration to its tokens at the door.
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <usher/config/load.hpp>
#include <usher/provider/kind.hpp>

#include "live_world.hpp"
#include "projects.hpp"
#include "provider/madeup/madeup.hpp"

namespace usher {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// The registration.
std::vector<ProviderKind const*> all_kinds()
{
    std::vector<ProviderKind const*> kinds{provider_kinds().begin(), provider_kinds().end()};
    kinds.push_back(&madeup::kind);
    kinds.push_back(&madeup::kind_with_calls);
    return kinds;
}

const std::vector<ProviderKind const*> kinds = all_kinds();

/// Answers each request alike, and remembers it.
class Requests final : public HttpTransport {
public:
    boost::asio::awaitable<tl::expected<HttpReply, HttpFailure>> send(HttpRequest request) override
    {
        sent.push_back(request.method + " " + request.target + " " + request.headers.at(0).second);
        HttpReply reply{200, {}, "2"};
        co_return reply;
    }

    std::vector<std::string> sent;
};

class Configured {
public:
    Configured() { write("mu.key", "mu_0123456789abcdef\n"); }

    auto load(std::string const& projects) const
    {
        return load_config(write("usher.yaml", "projects:\n" + projects), declarations_of(kinds));
    }

    /// A mistake a line, without the file's folder.
    std::string mistakes(std::string const& projects) const
    {
        const auto config = load(projects);
        std::string text;
        if (!config)
            for (ConfigError const& error : config.error())
                text += std::to_string(error.line) + ":" + std::to_string(error.column) + ": " + error.key + ": " +
                        error.message + "\n";
        return text;
    }

    std::string write(std::string const& name, std::string const& content) const
    {
        const std::string path = folder_.file(name);
        std::ofstream{path, std::ios::binary} << content;
        ::chmod(path.c_str(), 0600);
        return path;
    }

private:
    test::TempDir folder_;
};

TEST(MadeupConfiguration, LoadsWithItsKeysAndDefaults)
{
    const Configured files;

    const auto config = files.load("  a: {provider: madeup, workspace: acme, signing_key: {file: mu.key}}\n"
                                   "  b: {provider: madeup, workspace: acme, signing_key: {file: mu.key},\n"
                                   "      region: south, patience: 1m, on_cancel: disconnect, rate: 7}\n");

    ASSERT_TRUE(config) << config.error().front().text();
    EXPECT_THAT(config->warnings, IsEmpty());
    ProjectConfig const& a = config->projects.at(0);
    EXPECT_EQ(a.project_key(), "acme");
    EXPECT_EQ(a.token_format, TokenFormat{madeup::format});
    EXPECT_EQ(a.settings.text("room_prefix"), "room");
    EXPECT_EQ(a.settings.duration("patience"), seconds{10});
    EXPECT_EQ(a.max_token_life, seconds{12 * 3600 - 1});
    EXPECT_THAT(a.key_source(), HasSubstr("mu.key"));
    ProjectConfig const& b = config->projects.at(1);
    EXPECT_EQ(b.settings.number("rate"), 7);
    EXPECT_TRUE(b.disconnect_on_cancel);
    EXPECT_EQ(a.connection_hash(), stable_hash("north\nroom"));
    EXPECT_EQ(b.connection_hash(), stable_hash("south\nroom"));
}

TEST(MadeupConfiguration, SaysWhatIsWrongAndWhere)
{
    const Configured files;
    files.write("bad.key", "0123456789\n");

    EXPECT_EQ(
        files.mistakes("  a: {provider: madeup}\n"), "2:6: projects.a.workspace: is needed by provider madeup\n"
                                                     "2:6: projects.a.signing_key: is needed by provider madeup\n"
    );
    EXPECT_EQ(
        files.mistakes("  a:\n"
                       "    provider: madeup\n"
                       "    workspace: Acme 1\n"
                       "    signing_key: {file: bad.key}\n"
                       "    region: west\n"
                       "    patience: 2m\n"
                       "    room_prefix: []\n"
                       "    token_format: jwt\n"
                       "    max_token_life: 12h\n"
                       "    api_key: '1'\n"
                       "    base_url: https://a.example\n"
                       "    on_removal: keep\n"
                       "    regoin: north\n"),
        "4:16: projects.a.workspace: expected a workspace, which is lower-case letters and '-'\n"
        "5:18: projects.a.signing_key: is no signing key, which begins with mu_\n"
        "6:13: projects.a.region: expected one of north, south, got \"west\"\n"
        "7:15: projects.a.patience: expected 1s to 1m, got 2m\n"
        "8:18: projects.a.room_prefix: expected the beginning of rooms' names, got a list\n"
        "9:19: projects.a.token_format: expected mu1, the only format of provider madeup, got \"jwt\"\n"
        "10:21: projects.a.max_token_life: expected at least 110s (ten times clock_skew and one second) and less "
        "than 12h, got 12h\n"
        "11:14: projects.a.api_key: belongs to provider opentok; madeup has workspace and signing_key\n"
        "12:15: projects.a.base_url: belongs to providers opentok and vonage; madeup has no such key\n"
        "13:17: projects.a.on_removal: belongs to providers opentok, vonage and madeup-classic; madeup has no such "
        "key\n"
        "14:5: projects.a.regoin: unknown key; did you mean region?\n"
    );
    EXPECT_EQ(
        files.mistakes("  a: {provider: sandbox, region: north}\n"),
        "2:34: projects.a.region: belongs to providers madeup and madeup-classic; the sandbox does not use the "
        "network\n"
    );
    EXPECT_EQ(
        files.mistakes("  a: {provider: maedup}\n"),
        "2:17: projects.a.provider: expected one of sandbox, opentok, vonage, madeup, madeup-classic, got "
        "\"maedup\"; did you mean madeup?\n"
    );
}

TEST(MadeupConfiguration, TellsAWarning)
{
    const Configured files;
    files.write("mu.key", "mu_short\n");

    const auto config = files.load("  a: {provider: madeup, workspace: acme, signing_key: {file: mu.key}}\n");

    ASSERT_TRUE(config);
    EXPECT_THAT(config->warnings, ElementsAre(HasSubstr(":2:55: projects.a.signing_key: the signing key is short")));
}

TEST(MadeupFormat, IsToldFromTheOthers)
{
    const auto formats = formats_of(declarations_of(kinds));
    const auto signer = TokenSigner::for_api_key(TokenFormat::t1, "1", Secret{"secret"});
    const sys_seconds now = from_unix(1'700'000'000);
    const TokenClaims claims{"s", Role::publisher, now, now + seconds{60}, "", ""};

    EXPECT_EQ(formats, (std::vector{TokenFormat::t1, TokenFormat::jwt, TokenFormat{madeup::format}}));
    EXPECT_EQ(decode_token(*signer->sign(claims, {1, 2}, now), formats)->format, TokenFormat::t1);
    EXPECT_EQ(decode_token("MU1.e30.x", formats)->format, TokenFormat{madeup::format});
    EXPECT_EQ(decode_token("MU1.e30.x").error().code, Errc::token_malformed);
}

/// A world whose one project is of a kind of this vendor; by the parameter, of the one whose sessions are made by
/// calls.
class Madeup : public test::LiveWorld, public testing::TestWithParam<bool> {
protected:
    Madeup() { configure(); }

    void configure(std::string const& keys = {})
    {
        const std::string name{declared().name};
        default_project = [this, name, keys](std::vector<Project>& projects) {
            auto config = files_.load(
                "  default: {provider: " + name + ", workspace: acme, signing_key: {file: mu.key}" + keys + "}\n"
            );
            ASSERT_TRUE(config) << config.error().front().text();
            const ProviderDoors doors{
                [this] { return clock.now(); }, [this](TransportSettings const&) { return requests_; }};
            for (Project& project : projects_of(*config, doors, kinds))
                projects.push_back(std::move(project));
            policy = projects.front().facts.policy;
        };
        restart();
    }

    static ProviderDeclaration const& declared()
    {
        return GetParam() ? madeup::kind_with_calls.declared : madeup::kind.declared;
    }

    void join(std::string const& id, std::string const& name)
    {
        sql("INSERT INTO participant (meeting_id, participant_id, role, display_name) VALUES ('m', '" + id +
            "', 'publisher', '" + name + "')");
    }

    DecodedToken token_of(std::string const& participant)
    {
        const std::string token = credentials().at(participant).token;
        const auto decoded = decode_token(token, std::array{TokenFormat{madeup::format}});
        EXPECT_TRUE(decoded) << token;
        return decoded.value_or(DecodedToken{});
    }

    static std::string field(DecodedToken const& token, std::string_view name)
    {
        for (auto const& [key, value] : token.fields)
            if (key == name)
                return value;
        return "nothing";
    }

    Configured files_;
    std::shared_ptr<Requests> requests_ = std::make_shared<Requests>();
};

INSTANTIATE_TEST_SUITE_P(Kinds, Madeup, testing::Bool(), [](auto const& instance) {
    return std::string{instance.param ? "SessionsByCalls" : "SessionsOnTheSpot"};
});

TEST_P(Madeup, AMeetingGetsItsSessionAndTokens)
{
    meeting(1800, 5400);
    join("ann", "Ann Ahn");
    join("bob", "");

    quiesce();

    EXPECT_EQ(status(), "ready|");
    EXPECT_EQ(text("SELECT provider, project_key FROM session"), std::string{declared().name} + "|acme");
    const std::string room = credentials().at("ann").session_id;
    EXPECT_THAT(room, testing::StartsWith("room-"));
    const DecodedToken ann = token_of("ann");
    EXPECT_EQ(ann.session_id, room);
    EXPECT_EQ(ann.project_key, "acme");
    EXPECT_EQ(field(ann, "who"), "ann");
    EXPECT_EQ(field(ann, "name"), "Ann Ahn");
    EXPECT_EQ(field(token_of("bob"), "name"), "");
    if (declared().orders_sessions)
        EXPECT_THAT(requests_->sent, ElementsAre("PUT /rooms/" + room + " mu_0123456789abcdef"));
    else
        EXPECT_THAT(requests_->sent, IsEmpty());
}

TEST_P(Madeup, ATokenIsSignedAnewForAnotherNameAlone)
{
    meeting(1800, 5400);
    join("ann", "Ann Ahn");
    join("bob", "Bob");
    quiesce();
    const std::string before = credentials().at("bob").token;

    sql("UPDATE participant SET display_name = 'Anna' WHERE participant_id = 'ann'");
    quiesce();

    EXPECT_EQ(field(token_of("ann"), "name"), "Anna");
    EXPECT_EQ(reason("ann"), std::to_string(static_cast<int>(TokenReason::details_changed)));
    EXPECT_EQ(credentials().at("bob").token, before);
}

TEST_P(Madeup, ACancellationThrowsOutWhoeverIsIn)
{
    configure(", on_cancel: disconnect");
    meeting(60, 3600);
    join("ann", "Ann");
    quiesce();
    const std::string room = credentials().at("ann").session_id;
    requests_->sent.clear();

    sql("UPDATE meeting SET status = 'cancelled'");
    pass_time(seconds{60});

    EXPECT_THAT(requests_->sent, ElementsAre("DELETE /rooms/" + room + "/people mu_0123456789abcdef"));
    EXPECT_EQ(text("SELECT detail FROM history WHERE event = 'disconnected'"), "2 connections");
    EXPECT_EQ(number("SELECT count(*) FROM session WHERE disconnect = 1"), 0);
    EXPECT_THAT(credentials(), IsEmpty());
}

} // namespace
} // namespace usher
