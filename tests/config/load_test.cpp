// SPDX-License-Identifier: Apache-2.0
#include <usher/config/load.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>

#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <usher/provider/kinds.hpp>
#include <usher/provider/sandbox.hpp>

namespace usher {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<ProjectConfig>);

const fs::path source_folder{USHER_SOURCE_DIR};

std::string content_of(fs::path const& path)
{
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

/// A text per line, without the folder that the file is in.
std::string listed(std::vector<ConfigError> const& errors, fs::path const& folder)
{
    std::string out;
    const auto prefix = folder.string() + "/";
    for (auto const& error : errors) {
        auto text = error.text();
        for (auto at = text.find(prefix); at != std::string::npos; at = text.find(prefix)) {
            text.erase(at, prefix.size());
        }
        out += text + "\n";
    }
    return out;
}

class LoadConfig : public testing::Test {
protected:
    LoadConfig()
    {
        std::string name = (fs::temp_directory_path() / "usher-config-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) {
            throw std::runtime_error{"mkdtemp"};
        }
        folder_ = name;
        ::unsetenv("CREDENTIALS_DIRECTORY");
    }

    ~LoadConfig() override
    {
        ::unsetenv("CREDENTIALS_DIRECTORY");
        fs::remove_all(folder_);
    }

    fs::path write(std::string const& name, std::string const& content, mode_t mode = 0600) const
    {
        const auto path = folder_ / name;
        std::ofstream{path, std::ios::binary} << content;
        ::chmod(path.c_str(), mode);
        return path;
    }

    auto load(std::string const& yaml) const
    {
        return load_config(write("usher.yaml", yaml).string(), declarations_of());
    }

    std::string errors(std::string const& yaml) const
    {
        const auto config = load(yaml);
        return config ? "no error\n" : listed(config.error(), folder_);
    }

    fs::path folder_;
};

constexpr auto sandbox = "projects: {default: {provider: sandbox}}\n";

TEST_F(LoadConfig, FillsInDefaults)
{
    const auto config = load(sandbox);
    ASSERT_TRUE(config);
    EXPECT_EQ(config->database, "/var/lib/usher/usher.db");
    EXPECT_EQ(config->base, Policy{});
    EXPECT_EQ(config->log.level, LogLevel::info);
    EXPECT_EQ(config->log.format, LogFormat::automatic);
    EXPECT_THAT(config->warnings, IsEmpty());
    ASSERT_EQ(config->projects.size(), 1U);
    auto const& project = config->projects.front();
    EXPECT_EQ(project.name, "default");
    EXPECT_EQ(project.kind->name, "sandbox");
    EXPECT_EQ(project.project_key(), sandbox_api_key);
    EXPECT_EQ(project.settings.secret("api_secret").reveal(), sandbox_api_secret);
    EXPECT_EQ(project.token_format, TokenFormat::jwt);
    EXPECT_EQ(project.max_token_life, 24h);
    EXPECT_EQ(project.rotation_margin, 8h);
    EXPECT_EQ(config->policy_for(project), Policy{});
}

TEST_F(LoadConfig, MakesTheSameDefaultsWithoutAFile)
{
    const auto made = default_config("/srv/usher.db", declarations_of());
    const auto loaded = load(std::string{sandbox} + "database: /srv/usher.db\n");
    ASSERT_TRUE(loaded);
    EXPECT_EQ(made.database, loaded->database);
    EXPECT_EQ(made.base, loaded->base);
    ASSERT_EQ(made.projects.size(), 1U);
    EXPECT_EQ(made.projects[0].name, loaded->projects[0].name);
    EXPECT_EQ(made.projects[0].kind->name, loaded->projects[0].kind->name);
    EXPECT_EQ(made.projects[0].project_key(), loaded->projects[0].project_key());
    EXPECT_EQ(
        made.projects[0].settings.secret("api_secret").reveal(),
        loaded->projects[0].settings.secret("api_secret").reveal()
    );
    EXPECT_EQ(made.policy_for(made.projects[0]), loaded->policy_for(loaded->projects[0]));
}

TEST_F(LoadConfig, HasSandboxConstantsOfTheVendorsShape)
{
    EXPECT_EQ(sandbox_api_key.find_first_not_of("0123456789"), std::string_view::npos);
    EXPECT_EQ(sandbox_api_secret.size(), 40U);
    EXPECT_EQ(sandbox_api_secret.find_first_not_of("0123456789abcdef"), std::string_view::npos);
}

TEST_F(LoadConfig, ReadsEveryKey)
{
    write("acme.secret", "s3cret\n");
    const auto config = load(R"(database: usher.db
projects:
  zeta: {provider: sandbox, api_key: 010, api_secret: {file: acme.secret}, token_format: t1, max_token_life: 12h}
  alpha: {provider: sandbox, max_token_life: 6h}
sessions: {lead: 400d}
tokens: {lead: 2h, early_join: 0s, grace: 7d}
clock_skew: 5m
retention: 3650d
log: {level: debug, format: json}
)");
    ASSERT_TRUE(config) << listed(config.error(), folder_);
    EXPECT_EQ(config->database, (folder_ / "usher.db").string());
    ASSERT_EQ(config->projects.size(), 2U);
    auto const& zeta = config->projects[0];
    EXPECT_EQ(zeta.name, "zeta");
    EXPECT_EQ(zeta.project_key(), "010");
    EXPECT_EQ(zeta.settings.secret("api_secret").reveal(), "s3cret");
    EXPECT_EQ(zeta.token_format, TokenFormat::t1);
    EXPECT_EQ(config->policy_for(zeta).max_token_life, 12h);
    EXPECT_EQ(config->policy_for(zeta).rotation_margin, 4h);
    EXPECT_EQ(config->policy_for(config->projects[1]).rotation_margin, 2h);
    EXPECT_EQ(config->base.session_lead, 400 * 24h);
    EXPECT_EQ(config->base.token_lead, 2h);
    EXPECT_EQ(config->base.early_join, EarlyJoin{0s});
    EXPECT_EQ(config->base.grace, 7 * 24h);
    EXPECT_EQ(config->base.clock_skew, 5min);
    EXPECT_EQ(config->base.retention, 3650 * 24h);
    EXPECT_EQ(config->log.level, LogLevel::debug);
    EXPECT_EQ(config->log.format, LogFormat::json);
}

TEST_F(LoadConfig, ReadsADoorForEachRole)
{
    const auto config = load(
        std::string{sandbox} +
        "tokens: {visible: at_opens, early_join: {moderator: 30m, subscriber: 0s, default: 5m}}\n"
    );
    ASSERT_TRUE(config) << listed(config.error(), folder_);
    EXPECT_EQ(config->base.early_join.of(Role::moderator), 30min);
    EXPECT_EQ(config->base.early_join.of(Role::subscriber), 0s);
    EXPECT_EQ(config->base.early_join.of(Role::publisher), 5min);
    EXPECT_EQ(config->base.early_join.longest(), 30min);
    EXPECT_TRUE(config->base.visible_at_opens);
    const auto others = load(std::string{sandbox} + "tokens: {early_join: {moderator: 30m}}\n");
    ASSERT_TRUE(others) << listed(others.error(), folder_);
    EXPECT_EQ(others->base.early_join.of(Role::publisher), 15min);
    EXPECT_FALSE(others->base.visible_at_opens);
}

TEST_F(LoadConfig, AcceptsEmptySections)
{
    EXPECT_TRUE(load(std::string{sandbox} + "tokens:\nsessions:\nlog:\n"));
}

TEST_F(LoadConfig, ChecksTheLimitsOfALife)
{
    const auto with = [&](std::string const& life, std::string const& rest = "") {
        return errors("projects: {a: {provider: sandbox, max_token_life: " + life + "}}\n" + rest);
    };
    EXPECT_EQ(with("110s"), "no error\n");
    EXPECT_THAT(with("109s"), HasSubstr("expected at least 110s"));
    EXPECT_EQ(with("10s", "clock_skew: 0s\n"), "no error\n");
    EXPECT_THAT(with("9s", "clock_skew: 0s\n"), HasSubstr("expected at least 10s"));
    EXPECT_EQ(with("2591999s"), "no error\n");
    EXPECT_THAT(with("30d"), HasSubstr("less than 30d, got 30d"));
    EXPECT_EQ(with("24h", "tokens: {rotation_margin: 10h}\n"), "no error\n"); // and 2h of spread: half
    EXPECT_THAT(with("24h", "tokens: {rotation_margin: 36001s}\n"), HasSubstr("expected at most 10h"));
}

TEST_F(LoadConfig, WarnsOfALeadThatOutlastsTokens)
{
    const auto config = load("tokens: {lead: 7d}\nprojects: {a: {provider: sandbox}}\n");
    ASSERT_TRUE(config);
    EXPECT_THAT(
        config->warnings,
        ElementsAre(
            (folder_ / "usher.yaml").string() +
            ":1:16: tokens.lead: 7d is longer than a token lives, which is 1d by projects.a.max_token_life: tokens are "
            "replaced again and again before their meeting opens"
        )
    );
    EXPECT_THAT(load("tokens: {lead: 24h}\nprojects: {a: {provider: sandbox}}\n")->warnings, IsEmpty());
}

TEST_F(LoadConfig, RefusesFilesThatAreNoConfiguration)
{
    const auto path = folder_.string();
    const auto only = [&](std::string const& file) {
        return listed(load_config(file, declarations_of()).error(), folder_);
    };
    EXPECT_EQ(only(path + "/none.yaml"), "none.yaml: cannot be opened: No such file or directory\n");
    fs::create_directory(folder_ / "sub");
    EXPECT_EQ(only(path + "/sub"), "sub: is a directory, not a file\n");
    ASSERT_EQ(::mkfifo((path + "/fifo").c_str(), 0600), 0);
    EXPECT_EQ(only(path + "/fifo"), "fifo: is not a regular file\n");
    EXPECT_EQ(errors(std::string(1U << 20U, '#') + "\n"), "usher.yaml: is larger than 1024 KiB\n");
}

TEST_F(LoadConfig, RefusesSecretsThatOthersMayUse)
{
    const auto yaml = "projects: {a: {provider: sandbox, api_secret: {file: a.secret}}}\n";
    for (const mode_t mode : {0640U, 0604U, 0620U, 0602U, 0610U, 0601U}) {
        write("a.secret", "s3cret", mode);
        const auto text = errors(yaml);
        EXPECT_THAT(text, HasSubstr("may be used by other accounts (mode 06"));
        EXPECT_THAT(text, HasSubstr("; chmod 600 a.secret"));
        EXPECT_THAT(text, Not(HasSubstr("s3cret")));
    }
    write("a.secret", "s3cret", 0400);
    EXPECT_EQ(errors(yaml), "no error\n");
}

/// It was meant to stand in that file.
TEST_F(LoadConfig, SaysNothingOfASecretInThePlaceOfAName)
{
    for (const std::string secret :
         {"5a4d3c2b1a0f5a4d3c2b1a0f5a4d3c2b1a0f5a4d", "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9v+g=="})
        for (const std::string kind : {"file", "credential"}) {
            const std::string text =
                errors("projects: {a: {provider: sandbox, api_secret: {" + kind + ": \"" + secret + "\"}}}\n");
            EXPECT_THAT(text, HasSubstr("looks like a secret"));
            EXPECT_THAT(text, Not(HasSubstr(secret)));
        }
    const std::string named(40, 'a');
    write(named, "s3cret");
    EXPECT_EQ(errors("projects: {a: {provider: sandbox, api_secret: {file: " + named + "}}}\n"), "no error\n");
    EXPECT_THAT(errors("projects: {a: {provider: sandbox, api_secret: {file: a.secret}}}\n"), HasSubstr("a.secret"));
}

TEST_F(LoadConfig, TrimsOneNewlineOfASecretAndNothingElse)
{
    const auto with = [&](std::string const& content) {
        write("a.secret", content);
        return errors("projects: {a: {provider: sandbox, api_secret: {file: a.secret}}}\n");
    };
    EXPECT_EQ(with("s3cret"), "no error\n");
    EXPECT_EQ(with("s3 cret\n"), "no error\n");
    EXPECT_THAT(with(""), HasSubstr("a.secret is empty"));
    EXPECT_THAT(with("\n"), HasSubstr("a.secret is empty"));
    for (auto const* const bad : {"s3cret\n\n", "s3cret \n", " s3cret", "s3cret\r\n", "\ts3cret", "\ns3cret"}) {
        const auto text = with(bad);
        EXPECT_THAT(text, HasSubstr("a.secret has white space around the secret"));
        EXPECT_THAT(text, Not(HasSubstr("s3cret")));
    }
    EXPECT_THAT(with(std::string(70'000, 'a')), HasSubstr("a.secret is larger than 64 KiB"));
}

TEST_F(LoadConfig, SaysWhatStandsInAFileBesideTheSecret)
{
    using namespace std::string_literals;
    const auto with = [&](std::string const& content) {
        write("a.secret", content);
        return errors("projects: {a: {provider: sandbox, api_secret: {file: a.secret}}}\n");
    };
    const auto utf16 = [](std::string const& text, bool big) {
        std::string wide;
        for (const char c : text) {
            wide += big ? "\0"s + c : c + "\0"s;
        }
        return wide;
    };
    struct Case {
        std::string content;
        char const* expected;
    };
    for (auto const& [content, expected] : std::vector<Case>{
             {"\xef\xbb\xbfs3cret\n", "begins with a byte order mark"},
             {"\xff\xfe" + utf16("s3cret\r\n", false), "is UTF-16 text"},
             {"\xfe\xff" + utf16("s3cret", true), "is UTF-16 text"},
             {utf16("s3cret", false), "is UTF-16 text"},
             {utf16("s3cret", true), "is UTF-16 text"},
             {"\"s3cret\"\n", "has quotes around the secret"},
             {"'s3cret'", "has quotes around the secret"},
             {"`s3cret`", "has quotes around the secret"},
             {"\"s3cret", "has quotes around the secret"},
             {"s3cret'", "has quotes around the secret"},
             {"\xe2\x80\x9cs3cret\xe2\x80\x9d", "holds the character U+201C, a typographic quote"},
             {"API_SECRET=s3cret\n", "has a name before the secret"},
             {"api-secret=s3cret", "has a name before the secret"},
             {"OPENTOK_SECRET=\"s3cret-\"x", "has a name before the secret"},
             {"SECRET = s3cret", "has a name before the secret"},
             {"export S='s3cret", "has a name before the secret"},
             {"api_secret: s3cret", "has a name before the secret"},
             {"s3cret\0"s, "holds a NUL byte"},
             {"\0s3cret"s, "holds a NUL byte"},
             {"s3\0cret"s, "holds a NUL byte"},
             {"\0"s, "holds a NUL byte"},
             {"s3\ncret\n", "holds more than one line"},
             {"s3\rcret", "holds more than one line"},
             {"# made in May\ns3cret\n", "holds more than one line"},
             {"s3\xc2\xa0"
              "cret",
              "holds the character U+00A0, a no-break space"},
             {"s3cret\xc2\xa0\n", "holds the character U+00A0, a no-break space"},
             {"s3\xe2\x80\x8b"
              "cret",
              "holds the character U+200B, a zero-width space"},
             {"s3cret\xef\xbb\xbf", "holds the character U+FEFF, a byte order mark"},
             {"s3cr\xc3\xa9t", "holds the character U+00E9, which no secret has"},
             {"s3cret\xf0\x9f\x98\x80", "holds the character U+1F600, which no secret has"},
             {"s3cret\xff", "holds bytes that are no text"},
             {"\x1f\x8b\x08s3cret\x90", "holds a control character, U+001F"},
             {"s3\x1b[31mcret", "holds a control character, U+001B"},
             {"s3\x7f"
              "cret",
              "holds a control character, U+007F"},
             {"s3\tcret", "holds a control character, U+0009"},
             {"${S3CRET}", "holds a placeholder"},
             {"<s3cret>", "holds a placeholder"},
             {"s", "holds 1 byte, too few"},
             {"s\n", "holds 1 byte, too few"},
             {"s3c", "holds 3 bytes, too few"},
             {std::string(1025, 's'), "holds 1025 bytes, too many"},
         }) {
        const auto text = with(content);
        EXPECT_THAT(text, HasSubstr("usher.yaml:1:54: projects.a.api_secret.file: a.secret " + std::string{expected}));
        EXPECT_THAT(text, Not(HasSubstr("s3"))) << expected;
        EXPECT_THAT(text, Not(HasSubstr("cret\n"))) << expected;
    }
    for (auto const* const good : {"s3cr", "abcd==", "a.b-c_d/e+f", "s3 cret", "key:value", "=abcd", "it's"}) {
        EXPECT_EQ(with(good), "no error\n") << good;
    }
    EXPECT_EQ(with(std::string(1024, 's')), "no error\n");
}

TEST_F(LoadConfig, WarnsOfASecretThatIsNotOfTheVendorsShape)
{
    const auto warnings = [&](std::string const& provider, std::string const& content) {
        write("a.secret", content);
        const auto config =
            load("projects: {a: {provider: " + provider + ", api_key: '1', api_secret: {file: a.secret}}}\n");
        EXPECT_TRUE(config) << listed(config.error(), folder_);
        return config ? config->warnings : std::vector<std::string>{};
    };
    const std::string good = "0123456789abcdef0123456789abcdef01234567";
    EXPECT_THAT(warnings("opentok", good + "\n"), IsEmpty());
    EXPECT_THAT(warnings("sandbox", "s3cret"), IsEmpty());
    for (auto const& other :
         {good.substr(1), good + "8", "A" + good.substr(1), "g" + good.substr(1), std::string{"s3cret"}}) {
        const auto found = warnings("opentok", other);
        ASSERT_EQ(found.size(), 1U) << other;
        EXPECT_THAT(found[0], HasSubstr(":1:61: projects.a.api_secret: the secret is not 40 lower-case hexadecimal"));
        EXPECT_THAT(found[0], Not(HasSubstr(other)));
    }
}

TEST_F(LoadConfig, RefusesWhatStandsBesideAVendorsSecret)
{
    const std::string good = "0123456789abcdef0123456789abcdef01234567";
    for (auto const& other : {good + " # production", good + " " + good, "secret " + good}) {
        write("a.secret", other + "\n");
        EXPECT_THAT(
            errors("projects: {a: {provider: opentok, api_key: '1', api_secret: {file: a.secret}}}\n"),
            HasSubstr("has a blank within the secret, which no secret of the vendor's has; remove what stands beside it"
            )
        );
    }
}

TEST_F(LoadConfig, ReadsCredentialsOfSystemd)
{
    const auto yaml = "projects: {a: {provider: sandbox, api_secret: {credential: acme}}}\n";
    EXPECT_THAT(errors(yaml), HasSubstr("$CREDENTIALS_DIRECTORY is not set"));
    fs::create_directory(folder_ / "credentials");
    ::setenv("CREDENTIALS_DIRECTORY", (folder_ / "credentials").c_str(), 1);
    EXPECT_EQ(
        errors(yaml),
        "usher.yaml:1:60: projects.a.api_secret.credential: credentials/acme cannot be opened: No such file or "
        "directory\n"
    );
    write("credentials/acme", "s3cret\n", 0440); // systemd's own rights, guarded by the folder
    const auto config = load(yaml);
    ASSERT_TRUE(config) << listed(config.error(), folder_);
    EXPECT_EQ(config->projects[0].settings.secret("api_secret").reveal(), "s3cret");
    EXPECT_THAT(
        errors("projects: {a: {provider: sandbox, api_secret: {credential: ../acme}}}\n"),
        HasSubstr("expected the name of a credential, without a folder")
    );
}

TEST_F(LoadConfig, NeverRepeatsWhatMayBeASecret)
{
    for (auto const* const project :
         {"api_secret: s3cret", "api_secret: [s3cret]", "api_secret: {s3cret: }", "api_secret: {value: s3cret}",
          "api_key: s3cret", "api_secrt: s3cret", "private_key: s3cret", "api_secret: {file: [s3cret]}"}) {
        const auto text = errors("projects: {a: {provider: sandbox, " + std::string{project} + "}}\n");
        EXPECT_NE(text, "no error\n") << project;
        EXPECT_THAT(text, Not(HasSubstr("s3cret"))) << project;
    }
}

TEST_F(LoadConfig, BoundsTheWorkOnHostileFiles)
{
    std::string laughs = "a0: &a0 [x]\n";
    for (int i = 1; i < 60; ++i) {
        const auto one = "*a" + std::to_string(i - 1);
        laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + one + "," + one + "," + one + "]\n";
    }
    EXPECT_FALSE(load(laughs));
    EXPECT_FALSE(load("&a {projects: *a}\n"));
    EXPECT_FALSE(load(std::string(100'000, '[')));
    EXPECT_FALSE(load(std::string(100'000, '{')));
    EXPECT_FALSE(load(std::string("projects: \0", 11)));

    std::string wide = "x: &x {";
    for (int i = 0; i < 20'000; ++i) {
        wide += "k" + std::to_string(i) + ": 1, ";
    }
    wide += "}\nprojects:\n";
    for (int i = 0; i < 900; ++i) {
        wide += "  p" + std::to_string(i) + ": *x\n";
    }
    const auto config = load(wide);
    ASSERT_FALSE(config);
    ASSERT_EQ(config.error().size(), 101U);
    EXPECT_EQ(config.error().back().message, "there are more mistakes; these are the first ones found");
}

TEST_F(LoadConfig, SurvivesEveryTruncationOfTheExample)
{
    const auto example = content_of(source_folder / "config/usher.example.yaml");
    for (std::size_t size = 0; size < example.size(); size += 7) {
        if (const auto config = load(example.substr(0, size)); !config) {
            EXPECT_THAT(config.error(), Not(IsEmpty()));
        }
    }
}

TEST(Example, LoadsAsTheDefaultsAndShowsEveryKey)
{
    const auto path = source_folder / "config/usher.example.yaml";
    const auto config = load_config(path.string(), declarations_of());
    ASSERT_TRUE(config) << listed(config.error(), path.parent_path());
    const auto defaults = default_config("/var/lib/usher/usher.db", declarations_of());
    EXPECT_THAT(config->warnings, IsEmpty());
    EXPECT_EQ(config->database, defaults.database);
    EXPECT_EQ(config->policy_for(config->projects.at(0)), defaults.policy_for(defaults.projects.at(0)));
    EXPECT_EQ(config->projects.at(0).project_key(), sandbox_api_key);

    const auto text = content_of(path);
    EXPECT_THAT(text, HasSubstr(std::string{sandbox_api_secret}));
    for (auto const& key : configuration_keys(declarations_of())) {
        const auto name = key.substr(key.find('.') + 1);
        EXPECT_THAT(text, testing::ContainsRegex("[ {]" + name + ":|\n" + name + ":")) << key;
    }
}

TEST_F(LoadConfig, ReadsALiveProjectWithItsDefaults)
{
    write("ot.secret", "0123456789abcdef0123456789abcdef01234567\n");
    write("key.pem", content_of(source_folder / "tests/vectors/throwaway_rsa2048.pem"));

    const auto config = load("projects:\n"
                             "  ot: {provider: opentok, api_key: '47665971', api_secret: {file: ot.secret}}\n"
                             "  vo: {provider: vonage, application_id: 29f760f8-7ce1-46c9-ade3-f2dedee4ed5f,\n"
                             "       private_key: {file: key.pem}, base_url: 'https://127.0.0.1:8443/api',\n"
                             "       proxy: 'http://localhost:3128', connect_timeout: 1s, timeout: 5m,\n"
                             "       concurrency: 256, rate: 10000, burst: 1}\n");

    ASSERT_TRUE(config) << config.error().front().text();
    EXPECT_THAT(config->warnings, IsEmpty());
    auto const& ot = config->projects.at(0);
    EXPECT_EQ(ot.settings.text("base_url"), "https://api.opentok.com");
    EXPECT_EQ(ot.settings.duration("connect_timeout"), 5s);
    EXPECT_EQ(ot.settings.duration("timeout"), 20s);
    EXPECT_EQ(ot.settings.number("concurrency"), 8);
    EXPECT_EQ(ot.settings.number("rate"), 5);
    EXPECT_EQ(ot.settings.number("burst"), 10);
    EXPECT_EQ(ot.signer()->project_key(), "47665971");
    auto const& vo = config->projects.at(1);
    EXPECT_EQ(vo.settings.text("proxy"), "http://localhost:3128");
    EXPECT_EQ(vo.settings.duration("timeout"), 300s);
    EXPECT_EQ(vo.settings.number("rate"), 10000);
    EXPECT_EQ(vo.signer()->project_key(), "29f760f8-7ce1-46c9-ade3-f2dedee4ed5f");
    EXPECT_NE(ot.connection_hash(), vo.connection_hash());
}

/// It is part of what databases hold; both values were computed with another program.
TEST_F(LoadConfig, HashesOfConnectionsStay)
{
    write("ot.secret", "s3cret");
    const std::string live = "{provider: opentok, api_key: '1', api_secret: {file: ot.secret}, ";
    const auto config = load(
        "projects: {a: {provider: sandbox}, b: " + live + "burst: 7, timeout: 7s}, c: " + live +
        "base_url: 'https://a.example', proxy: 'http://b.example'}}\n"
    );

    ASSERT_TRUE(config) << listed(config.error(), folder_);
    EXPECT_EQ(config->projects[0].connection_hash(), 0x8547e07b5084555U); // of "\n\n"
    EXPECT_EQ(config->projects[1].connection_hash(), 0x73edacd9e6b98241U);
    EXPECT_EQ(config->projects[2].connection_hash(), stable_hash("https://a.example\n\nhttp://b.example"));
}

TEST_F(LoadConfig, ReadsWhatReplacesRevocation)
{
    write("ot.secret", "s3cret");
    const std::string project = "projects: {a: {provider: opentok, api_key: '1', api_secret: {file: ot.secret}";

    const auto by_default = load(project + "}}");
    const auto strict = load(project + ", on_removal: replace_session, on_cancel: disconnect, hard_end: disconnect}}");
    const auto lenient = load(project + ", on_removal: keep, on_cancel: keep, hard_end: off}}");

    ASSERT_TRUE(by_default && strict && lenient);
    const auto policy = strict->policy_for(strict->projects.at(0));
    EXPECT_TRUE(policy.replace_on_removal && policy.disconnect_on_cancel && policy.disconnect_at_close);
    EXPECT_EQ(lenient->policy_for(lenient->projects.at(0)), by_default->policy_for(by_default->projects.at(0)));
    EXPECT_FALSE(by_default->policy_for(by_default->projects.at(0)).replace_on_removal);
    EXPECT_THAT(
        errors(project + ", on_removal: disconnect}}"),
        HasSubstr("on_removal: expected one of keep, replace_session, got \"disconnect\"")
    );
}

TEST_F(LoadConfig, SaysWhatIsWrongWithAKey)
{
    const auto vonage = [&](std::string const& content) {
        write("key.pem", content);
        const auto config = load("projects: {a: {provider: vonage, application_id: "
                                 "29f760f8-7ce1-46c9-ade3-f2dedee4ed5f, private_key: {file: key.pem}}}");
        return config ? "loaded, with warnings: " + std::to_string(config->warnings.size())
                      : listed(config.error(), folder_);
    };
    const auto vector = [](char const* name) { return content_of(source_folder / "tests/vectors" / name); };
    auto one_line = vector("throwaway_rsa2048.pem");
    for (auto at = one_line.find('\n'); at != std::string::npos; at = one_line.find('\n', at)) {
        one_line.replace(at, 1, "\\n");
    }

    EXPECT_EQ(vonage(vector("throwaway_rsa2048.pem")), "loaded, with warnings: 0");
    EXPECT_EQ(vonage(one_line), "loaded, with warnings: 1");
    EXPECT_THAT(vonage(vector("throwaway_rsa1024.pem")), HasSubstr("private_key: the key is shorter than 2048 bits\n"));
    EXPECT_THAT(
        vonage(vector("throwaway_ec.pem")), HasSubstr("private_key: the key is not an RSA key; Vonage takes RSA")
    );
    EXPECT_THAT(vonage("0123456789abcdef"), HasSubstr("private_key: is no key in PEM, which begins with"));
    EXPECT_THAT(
        vonage("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"),
        HasSubstr("private_key: the key is not a private key in PEM without a passphrase\n")
    );
    const auto whole = vector("throwaway_rsa2048.pem");
    auto windows = whole;
    for (auto at = windows.find('\n'); at != std::string::npos; at = windows.find('\n', at + 2)) {
        windows.replace(at, 1, "\r\n");
    }
    auto indented = "  " + whole;
    auto wide = std::string{};
    for (const char c : whole) {
        wide += {c, '\0'};
    }
    auto spaced = whole;
    spaced.insert(100, "\xc2\xa0");
    auto changed = whole; // one digit of its modulus, which leaves a key that can be read
    changed[100] = changed[100] == 'A' ? 'B' : 'A';

    EXPECT_EQ(vonage(windows), "loaded, with warnings: 0");
    EXPECT_EQ(vonage(windows + "\r\n\r\n"), "loaded, with warnings: 0");
    EXPECT_EQ(vonage(whole + "\n\n"), "loaded, with warnings: 0");
    EXPECT_EQ(vonage(whole.substr(0, whole.size() - 1)), "loaded, with warnings: 0");
    EXPECT_EQ(vonage("\n" + whole), "loaded, with warnings: 0");
    EXPECT_EQ(vonage("Bag Attributes\n    friendlyName: M\xc3\xbcller\n" + whole), "loaded, with warnings: 0");
    const auto refused = [&](std::string const& content, std::string const& why) {
        EXPECT_THAT(vonage(content), HasSubstr("private_key.file: key.pem " + why));
    };
    refused("\xef\xbb\xbf" + whole, "begins with a byte order mark");
    refused(wide, "is UTF-16 text");
    refused("\xff\xfe" + wide, "is UTF-16 text");
    refused("\"" + whole + "\"", "has quotes around the secret");
    refused(whole + "'\n", "has quotes around the secret");
    refused("KEY=" + whole, "has a name before the secret");
    refused("KEY=\"" + one_line + "\"", "has a name before the secret");
    refused(indented, "has blanks before -----BEGIN");
    refused(spaced, "holds the character U+00A0, a no-break space");
    refused(whole + '\0', "holds a NUL byte");
    refused(whole.substr(0, whole.size() / 2), "has no line with -----END: it was cut short");
    refused(std::string{"\x30\x82\x04\xbd\x02\x01\x00", 7}, "is a key in DER");

    EXPECT_THAT(vonage(changed), HasSubstr("private_key: the key is damaged: it cannot verify what it signs\n"));
    const auto block = [](std::string const& label) {
        return "-----BEGIN " + label + "-----\nAAAA\n-----END " + label + "-----\n";
    };
    refused(block("PUBLIC KEY"), "is a public key; the private one is needed");
    refused(block("RSA PUBLIC KEY"), "is a public key; the private one is needed");
    refused(block("CERTIFICATE"), "is a certificate; the private key is needed");
    refused(block("ENCRYPTED PRIVATE KEY"), "is a private key under a passphrase; take that off: openssl pkey");
    refused(
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n"
        "-----END RSA PRIVATE KEY-----\n",
        "is a private key under a passphrase"
    );
    refused(block("OPENSSH PRIVATE KEY"), "is a private key in OpenSSH's own format; write it in PEM: ssh-keygen");

    write("ot.secret", vector("throwaway_rsa2048.pem"));
    EXPECT_THAT(
        errors("projects: {a: {provider: opentok, api_key: '1', api_secret: {file: ot.secret}}}"),
        HasSubstr("api_secret: is a private key, not an API secret; a project with a private key has provider: vonage")
    );
}

TEST(BadConfigurations, AreRefusedWithExactlyTheExpectedText)
{
    ::unsetenv("CREDENTIALS_DIRECTORY");
    const auto folder = source_folder / "tests/bad/config";
    std::size_t count = 0;
    for (auto const& file : fs::directory_iterator{folder}) {
        if (file.path().extension() != ".yaml") {
            continue;
        }
        ++count;
        auto expected_path = file.path();
        expected_path.replace_extension(".expected");
        ASSERT_TRUE(fs::exists(expected_path)) << expected_path;
        const auto config = load_config(file.path().string(), declarations_of());
        ASSERT_FALSE(config) << file.path();
        EXPECT_EQ(listed(config.error(), folder), content_of(expected_path)) << file.path();
        EXPECT_TRUE(std::is_sorted(config.error().begin(), config.error().end(), [](auto const& a, auto const& b) {
            return std::tie(a.line, a.column) < std::tie(b.line, b.column);
        })) << file.path();
    }
    EXPECT_GE(count, 25U);
}

} // namespace
} // namespace usher
