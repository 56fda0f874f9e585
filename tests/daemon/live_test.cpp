// SPDX-License-Identifier: Apache-2.0
// The real daemon against the stand-in for the vendor, and what operators are told.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <usher/core/time.hpp>
#include <usher/core/token.hpp>
#include <usher/crypto/secret.hpp>

#include "support/program.hpp"
#include "support/temp_dir.hpp"

namespace usher {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using test::eventually;
using test::Program;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int meetings = 100;
constexpr int participants_each = 20;
#else
constexpr int meetings = 1000;
constexpr int participants_each = 100;
#endif

constexpr auto api_key = "47665971";
constexpr auto application = "29f760f8-7ce1-46c9-ade3-f2dedee4ed5f";
constexpr auto good_secret = "5f1c0de2b75f1c0de2b75f1c0de2b75f1c0de2b7";
constexpr auto other_secret = "93ad61e8c493ad61e8c493ad61e8c493ad61e8c4";

std::string read_text(std::string const& path)
{
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

class Live : public testing::Test {
protected:
    Live()
    {
        write("good.secret", good_secret);
        write("other.secret", other_secret);
        write("key.pem", read_text(USHER_SOURCE_DIR "/tests/vectors/throwaway_rsa2048.pem"));
    }

    void write(std::string const& name, std::string const& text) const
    {
        std::ofstream{folder.file(name)} << text;
        ::chmod(folder.file(name).c_str(), 0600);
    }

    struct Vendor {
        Program program;
        json says; ///< url, ca_file, proxy
        std::string url() const { return says.at("url"); }
    };

    Vendor start_vendor(std::vector<std::string> const& options = {}) const
    {
        const std::string name = "vendor" + std::to_string(++vendors_);
        std::filesystem::create_directory(folder.file(name));
        std::vector<std::string> words{
            USHER_VENDOR,
            "--dir",
            folder.file(name),
            "--opentok",
            std::string{api_key} + ":" + folder.file("good.secret"),
            "--vonage",
            std::string{application} + ":" + folder.file("key.pem")};
        words.insert(words.end(), options.begin(), options.end());
        const std::string output = folder.file(name + ".out");
        Program program{words, output};
        if (!eventually([&] { return read_text(output).find('\n') != std::string::npos; }))
            throw std::runtime_error{"the stand-in does not start"};
        const std::string text = read_text(output);
        return {std::move(program), json::parse(text.substr(0, text.find('\n')))};
    }

    /// The whole configuration; `projects` as in YAML's flow style.
    void configure(std::string const& projects, std::string const& more = {}) const
    {
        write("usher.yaml", "database: usher.db\nprojects: {" + projects + "}\n" + more);
    }

    static std::string opentok(
        Vendor const& vendor, std::string const& secret = "good.secret", std::string const& key = api_key,
        std::string const& url = {}, std::string const& more = {}
    )
    {
        return "{provider: opentok, api_key: \"" + key + "\", api_secret: {file: " + secret + "}, base_url: \"" +
               (url.empty() ? vendor.url() : url) + "\", ca_file: \"" + vendor.says.at("ca_file").get<std::string>() +
               "\", rate: 10000, burst: 10000, concurrency: 16" + more + "}";
    }

    Program start(std::vector<std::string> const& options = {}) const
    {
        std::vector<std::string> words{USHERD, "--config", folder.file("usher.yaml")};
        words.insert(words.end(), options.begin(), options.end());
        return Program{words, folder.file("daemon.out")};
    }

    std::string daemon_said() const { return read_text(folder.file("daemon.out")); }

    /// What usherctl prints; each in a file of its own, which stays.
    std::string ctl(std::vector<std::string> const& words) const
    {
        const std::string output = folder.file("ctl" + std::to_string(++calls_) + ".out");
        std::vector<std::string> all{USHERCTL, "--config", folder.file("usher.yaml")};
        all.insert(all.end(), words.begin(), words.end());
        status_ = Program(all, output).end();
        return read_text(output);
    }

    SQLite::Database platform() const { return SQLite::Database{path, SQLite::OPEN_READWRITE, 20000}; }

    std::string ask(std::string const& query) const
    {
        SQLite::Database database{path, SQLite::OPEN_READONLY, 20000};
        return database.execAndGet(query).getString();
    }

    void add_meeting(std::string const& id, std::string const& project = "default") const
    {
        platform().exec(
            "BEGIN; INSERT INTO meeting (id, starts_at, ends_at, project) VALUES ('" + id +
            "', strftime('%s', 'now') + 300, strftime('%s', 'now') + 7200, '" + project +
            "');"
            "INSERT INTO participant (meeting_id, participant_id, role) VALUES ('" +
            id + "', 'ann', 'publisher'), ('" + id + "', 'ben', 'subscriber'); COMMIT"
        );
    }

    /// One meeting, `usherd --once`, and the sentence in everything that an operator looks at.
    void expect_told(std::string const& reason, std::string const& sentence, bool circuit_open = true) const
    {
        ctl({"init"});
        add_meeting("m");
        EXPECT_EQ(start({"--once"}).end(), 1) << daemon_said();
        const std::string both = reason + ": " + sentence;
        EXPECT_NE(daemon_said().find("m: not ready: " + both), std::string::npos) << daemon_said();
        // However slow the machine is, the next attempt is still to come.
        platform().exec("UPDATE agenda SET due_at = due_at + 3600, next_at = next_at + 3600 WHERE due_at > 0");
        const std::string status = ctl({"status"});
        EXPECT_EQ(status_, 1);
        EXPECT_NE(status.find("  " + both), std::string::npos) << status;
        EXPECT_NE(status.find("; next attempt "), std::string::npos) << status;
        const std::string explained = ctl({"explain", "m"});
        EXPECT_EQ(status_, 1);
        EXPECT_NE(explained.find("\nreason     " + both), std::string::npos) << explained;
        EXPECT_NE(explained.find("; next "), std::string::npos) << explained;
        const json project = json::parse(ctl({"status", "--json"})).at("projects").at(0);
        EXPECT_EQ(project.at("reason"), circuit_open ? json(reason) : json(nullptr));
        EXPECT_EQ(project.at("next_probe_at").is_null(), !circuit_open);
    }

    static std::string authority(std::string const& url) { return url.substr(url.find("//") + 2); }

    test::TempDir folder;
    std::string path = folder.file("usher.db");
    mutable int status_ = 0; ///< Of the last usherctl.

private:
    mutable int vendors_ = 0;
    mutable int calls_ = 0;
};

TEST_F(Live, AWrongSecretIsTold)
{
    const Vendor vendor = start_vendor();
    configure("default: " + opentok(vendor, "other.secret"));
    expect_told(
        "credentials_refused", authority(vendor.url()) +
                                   " answers 403 and says \"Invalid signature\": the secret is not that of API key "
                                   "47665971; put the current one into the file that api_secret names and reload usherd"
    );
}

TEST_F(Live, AnUnknownApiKeyIsTold)
{
    const Vendor vendor = start_vendor();
    configure("default: " + opentok(vendor, "good.secret", "47665972"));
    expect_told(
        "credentials_refused", authority(vendor.url()) + " answers 403 and says \"Issuer not found\": it knows no "
                                                         "API key 47665972; check api_key"
    );
}

TEST_F(Live, AClockThatIsAheadIsTold)
{
    const Vendor vendor = start_vendor({"--clock-offset", "-600"});
    configure("default: " + opentok(vendor));
    // Seconds may pass between the two clocks' readings.
    expect_told("clock_skewed", "this machine's clock is ");
    const std::string status = ctl({"status"});
    EXPECT_NE(
        status.find(
            " ahead of that of " + authority(vendor.url()) +
            ", so it refuses what is signed here and says \"issued time cannot be greater than current time\"; set it "
            "by NTP, such as with systemd-timesyncd or chrony"
        ),
        std::string::npos
    ) << status;
    EXPECT_NE(status.find(" ahead of that of the vendor of default\n"), std::string::npos) << status;
    EXPECT_NEAR(json::parse(ctl({"status", "--json"})).at("projects").at(0).at("clock_ahead_s"), 600, 60);
}

TEST_F(Live, AClockThatIsBehindIsToldAndCostsNoSession)
{
    const Vendor vendor = start_vendor({"--clock-offset", "120"});
    configure("default: " + opentok(vendor));
    expect_told("clock_skewed", "this machine's clock is ");
    EXPECT_NE(ctl({"status"}).find(" behind that of " + authority(vendor.url())), std::string::npos);
    EXPECT_EQ(ask("SELECT count(*) FROM session_attempt WHERE outcome = 'abandoned'"), "0");
}

TEST_F(Live, AnUnknownHostIsTold)
{
    const Vendor vendor = start_vendor();
    configure("default: " + opentok(vendor, "good.secret", api_key, "https://name.invalid"));
    expect_told("provider_host_unknown", "name.invalid:443 has no address: ");
}

TEST_F(Live, AnExpiredCertificateIsTold)
{
    const Vendor vendor = start_vendor({"--certificate", "expired"});
    configure("default: " + opentok(vendor));
    expect_told(
        "provider_tls",
        "the certificate of " + authority(vendor.url()) + " is not to be trusted: certificate has expired", false
    );
}

TEST_F(Live, ACertificateThatIsToEndIsTold)
{
    for (const bool is_ending : {true, false}) {
        const Vendor vendor = start_vendor({"--certificate", is_ending ? "ending" : "good"});
        configure("default: " + opentok(vendor));
        ctl({"init"});
        const std::string found = ctl({"doctor"});
        EXPECT_EQ(found.find("vendors: default: the certificate of its server ends ") != std::string::npos, is_ending)
            << found;
        EXPECT_EQ(found.find("problem    vendors"), std::string::npos) << found;
        const std::string checked = ctl({"check-config", "--deep"});
        EXPECT_NE(checked.find("its vendor answers; the clocks agree; its certificate ends "), std::string::npos)
            << checked;
    }
}

TEST_F(Live, AProxyThatRefusesIsTold)
{
    const Vendor vendor = start_vendor({"--proxy", "refuse"});
    const std::string proxy = vendor.says.at("proxy");
    configure("default: " + opentok(vendor, "good.secret", api_key, {}, ", proxy: \"" + proxy + "\""));
    expect_told(
        "provider_proxy",
        "the proxy " + authority(proxy) + " refused to connect to " + authority(vendor.url()) + " with status 403"
    );
}

TEST_F(Live, ARetryTellsWhatItCameTo)
{
    const Vendor vendor = start_vendor();
    configure("default: " + opentok(vendor, "other.secret"));
    ctl({"init"});
    add_meeting("m");
    Program daemon = start();
    const auto failed = [&] { return ask("SELECT state FROM meeting_status") == "failed"; };
    ASSERT_TRUE(eventually(failed)) << daemon_said();
    const std::string still = ctl({"retry", "--all", "--wait"});
    EXPECT_NE(still.find("1 meeting tried again: 1 failed."), std::string::npos) << still;
    EXPECT_EQ(status_, 1);

    write("other.secret", good_secret); // as it should have been
    ::kill(daemon.process(), SIGHUP);
    const auto ready = [&] { return ask("SELECT state FROM meeting_status") == "ready"; };
    EXPECT_TRUE(eventually(ready)) << daemon_said();
}

TEST_F(Live, AWaitEndsOnceEveryMeetingHasBeenServed)
{
    configure("default: {provider: sandbox}");
    ctl({"init"});
    add_meeting("m");
    Program daemon = start();
    const auto ready = [&] { return ask("SELECT count(*) FROM join_credential") == "2"; };
    ASSERT_TRUE(eventually(ready)) << daemon_said();
    const auto tokens = [&] { return ask("SELECT group_concat(token) FROM token"); };
    for (int i = 0; i < 2; ++i) {
        const std::string old = tokens();
        const std::string said = ctl({"rotate", "m", "--wait"});
        EXPECT_EQ(status_, 0) << said;
        EXPECT_EQ(said.find("Done in "), 0U) << said;
        EXPECT_NE(said.find("s: 2 tokens of 1 meeting are new; old ones work until they expire.\n"), std::string::npos);
        EXPECT_NE(tokens(), old);
        platform().exec("DELETE FROM request; DELETE FROM sqlite_sequence WHERE name = 'request'");
    }
    EXPECT_NE(
        ctl({"replace-session", "m", "--yes", "--wait"}).find("1 meeting has a new session, "), std::string::npos
    );
    EXPECT_EQ(status_, 0);
    EXPECT_NE(ctl({"retry", "--all", "--wait"}).find("0 meetings tried again"), std::string::npos);
    EXPECT_EQ(status_, 0);

    // An interrupted wait leaves the request as it is.
    daemon.signal(SIGSTOP);
    const std::string output = folder.file("interrupted.out");
    Program waiting{{USHERCTL, "--config", folder.file("usher.yaml"), "rotate", "m", "--wait"}, output};
    ASSERT_TRUE(eventually([&] { return ask("SELECT count(*) FROM request WHERE action = 'rotate'") == "1"; }));
    waiting.signal(SIGINT);
    EXPECT_EQ(waiting.end(), 1);
    daemon.signal(SIGCONT);
    EXPECT_NE(read_text(output).find("stays filed and goes on.\ndo: usherctl requests abort "), std::string::npos);
    EXPECT_TRUE(eventually([&] { return ask("SELECT state FROM request_status WHERE action = 'rotate'") == "done"; }))
        << daemon_said();
    EXPECT_EQ(daemon.end(SIGTERM), 0);
}

/// Where one of `secrets` is found: in what was printed, or in the database but for the one column that is for tokens.
std::string
find_leaks(std::string const& folder, std::string const& database_path, std::set<std::string> const& secrets)
{
    std::string found;
    const auto search = [&](std::string const& text, std::string const& where) {
        for (std::string const& secret : secrets)
            if (text.find(secret) != std::string::npos)
                found += where + " has " + secret + "\n";
    };
    for (auto const& entry : std::filesystem::directory_iterator{folder})
        if (entry.path().extension() == ".out")
            search(read_text(entry.path()), entry.path().filename());
    SQLite::Database database{database_path, SQLite::OPEN_READONLY, 20000};
    SQLite::Statement columns{
        database, "SELECT t.name, c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'"};
    int searched = 0;
    while (columns.executeStep()) {
        const std::string table = columns.getColumn(0);
        const std::string column = columns.getColumn(1);
        if (table == "token" && column == "token")
            continue;
        ++searched;
        SQLite::Statement values{database, "SELECT CAST(\"" + column + "\" AS TEXT) FROM \"" + table + "\""};
        while (values.executeStep())
            search(values.getColumn(0).getString(), table + "." + column);
    }
    EXPECT_GT(searched, 50);
    return found;
}

TEST_F(Live, EveryLineOfAJsonLogIsJson)
{
    const Vendor vendor = start_vendor();
    configure("default: " + opentok(vendor, "other.secret"), "log: {format: json}\n");
    ctl({"init"});
    add_meeting("a \" and a \n and a \\ and \xff");
    Program daemon = start();
    EXPECT_TRUE(eventually([&] { return daemon_said().find("provider is not asked") != std::string::npos; }));
    EXPECT_EQ(daemon.end(SIGTERM), 0);
    std::istringstream lines{daemon_said()};
    int failures = 0;
    for (std::string line; std::getline(lines, line);) {
        const json document = json::parse(line, nullptr, false);
        ASSERT_TRUE(document.is_object()) << line;
        failures += document.at("event") == "session.call_failed" ? 1 : 0;
    }
    EXPECT_GT(failures, 0);
}

class LiveInFormat : public Live, public testing::WithParamInterface<char const*> {};

TEST_P(LiveInFormat, NoSecretAndNoTokenShowsUpAnywhereElse)
{
    const std::string log = std::string{"log: {level: debug, format: "} + GetParam() + "}\n";
    const auto projects = [](Vendor const& vendor, std::string const& secret) {
        return "default: " + opentok(vendor, secret) +
               ", t1: " + opentok(vendor, secret, api_key, {}, ", token_format: t1") +
               ", video: {provider: vonage, application_id: " + application +
               ", private_key: {file: key.pem}, base_url: \"" + vendor.url() + "\", ca_file: \"" +
               vendor.says.at("ca_file").get<std::string>() + "\"}";
    };
    std::set<std::string> secrets{good_secret, other_secret, "eyJ", "T1==", "PRIVATE KEY"};
    std::istringstream pem{read_text(folder.file("key.pem"))};
    for (std::string line; std::getline(pem, line);)
        if (line.size() > 20 && line.find("-----") == std::string::npos)
            secrets.insert(line);
    ASSERT_GT(secrets.size(), 20U);
    const auto remember_tokens = [&] {
        SQLite::Database database{path, SQLite::OPEN_READONLY, 20000};
        SQLite::Statement tokens{database, "SELECT token FROM token"};
        while (tokens.executeStep())
            secrets.insert(tokens.getColumn(0).getString());
    };

    const Vendor faulty = start_vendor(
        {"--faults", "delay,too_many,server_error,bad_gateway,unavailable,gateway_timeout,reset_connect,reset_before,"
                     "reset_after,half_body,wrong_type,xml,empty_array,missing_id,skewed_date,echo:0.5"}
    );
    const Vendor good = start_vendor();
    configure(projects(faulty, "good.secret"), log);
    ctl({"init"});
    for (int i = 0; i < 10; ++i)
        for (const std::string project : {"default", "t1", "video"})
            add_meeting(project + std::to_string(i), project);
    start({"--once"}).end();
    EXPECT_NE(daemon_said().find("session call failed"), std::string::npos) << "the faults are to be met";
    remember_tokens();
    ctl({"status", "--json"});
    ctl({"explain", "default0", "--json"});

    Program daemon = start();
    const auto ready = [&] { return ask("SELECT count(*) FROM meeting_status WHERE state = 'ready'"); };
    const auto refusals = [&] {
        const std::string said = daemon_said();
        std::size_t count = 0;
        for (std::size_t at = 0; (at = said.find("configuration refused", at)) != std::string::npos; ++at)
            ++count;
        return count;
    };
    ASSERT_TRUE(eventually([&] { return daemon_said().find("ready who=") != std::string::npos; })) << daemon_said();

    // The secret in the configuration itself, and half of a key.
    configure(std::string{"default: {provider: opentok, api_key: \"1\", api_secret: "} + good_secret + "}", log);
    daemon.signal(SIGHUP);
    ASSERT_TRUE(eventually([&] { return refusals() >= 1; })) << daemon_said();
    const std::size_t before = refusals();
    const std::string whole_key = read_text(folder.file("key.pem"));
    write("key.pem", whole_key.substr(0, whole_key.size() / 2));
    configure(projects(good, "good.secret"), log);
    daemon.signal(SIGHUP);
    ASSERT_TRUE(eventually([&] { return refusals() > before; })) << daemon_said();
    write("key.pem", whole_key);

    configure(projects(good, "other.secret"), log);
    daemon.signal(SIGHUP);
    add_meeting("late");
    ASSERT_TRUE(eventually([&] {
        return ask("SELECT count(*) FROM project_status WHERE reason = 'credentials_refused'") != "0";
    })) << daemon_said();
    remember_tokens();
    ctl({"status"});
    ctl({"status", "--json"});
    ctl({"explain", "late"});
    ctl({"explain", "late", "--json"});

    configure(projects(good, "good.secret"), log);
    daemon.signal(SIGHUP);
    EXPECT_TRUE(eventually([&] { return ready() == "31"; })) << daemon_said();
    ctl({"rotate", "default0", "--json"});
    ctl({"retry", "--all", "--json"});
    ctl({"status"});
    ctl({"status", "--json"});
    EXPECT_LE(status_, 1); // well, or not
    ctl({"explain", "t10"});
    ctl({"explain", "video0", "--json"});
    ctl({"frobnicate", "--json"});
    EXPECT_TRUE(eventually([&] { return ask("SELECT count(*) FROM request_result WHERE state = 'done'") == "2"; }));
    EXPECT_EQ(daemon.end(SIGTERM), 0);
    remember_tokens();
    EXPECT_GT(secrets.size(), 60U + 20U);
    EXPECT_EQ(find_leaks(folder.file(""), path, secrets), "");

    // The search finds what is there.
    std::ofstream{folder.file("planted.out")} << "x" << good_secret;
    platform().exec(std::string{"UPDATE meeting SET title = 'eyJx' WHERE id = 'late'"});
    EXPECT_EQ(
        find_leaks(folder.file(""), path, secrets),
        std::string{"planted.out has "} + good_secret + "\nmeeting.title has eyJ\n"
    );
}

INSTANTIATE_TEST_SUITE_P(Logs, LiveInFormat, testing::Values("text", "json"), [](auto const& test) {
    return std::string{test.param};
});

/// When meeting `i` starts, in seconds from now, over three days: the order of their numbers is not that of their
/// starts.
int start_of(int i)
{
    return 3 * 3600 + (i * 787 % meetings) * 3 * 86400 / meetings;
}

TEST_F(Live, ANewKeyReachesEveryTokenWhilePlatformsReadAndWrite)
{
    write("current.secret", good_secret);
    const Vendor vendor = start_vendor();
    configure(
        "default: " + opentok(vendor, "current.secret", api_key, {}, ", max_token_life: 10d"),
        "sessions: {lead: 5d}\ntokens: {lead: 5d}\n"
    );
    ctl({"init"});
    const sys_seconds now = std::chrono::floor<seconds>(std::chrono::system_clock::now());
    {
        std::ofstream meeting_rows{folder.file("meetings.csv")};
        std::ofstream participant_rows{folder.file("participants.csv")};
        meeting_rows << "external_id,title,starts_at_utc,ends_at_utc\n";
        participant_rows << "meeting_external_id,external_id,display_name,role\n";
        for (int i = 0; i < meetings; ++i) {
            const sys_seconds starts = now + seconds{start_of(i)};
            meeting_rows << 'm' << i << ",t," << to_iso8601(starts) << ',' << to_iso8601(starts + 1h) << '\n';
            for (int p = 0; p < participants_each; ++p)
                participant_rows << 'm' << i << ",p" << p << ",n,publisher\n";
        }
    }
    ctl({"import", "--meetings", folder.file("meetings.csv"), "--participants", folder.file("participants.csv")});
    ASSERT_EQ(status_, 0);
    const std::string all = std::to_string(meetings * participants_each);
    ASSERT_EQ(start({"--once"}).end(), 0) << daemon_said();
    ASSERT_EQ(ask("SELECT count(*) FROM join_credential"), all);
    const std::string old_key = ask("SELECT key_id FROM project_status");

    Program daemon = start();
    ASSERT_TRUE(eventually([&] { return daemon_said().find("ready who=") != std::string::npos; })) << daemon_said();

    std::atomic<bool> over{false};
    std::atomic<int> edits{0};
    std::atomic<int> polls{0};
    std::atomic<int> missing{0};
    const auto edited = [](int i) { return i % 50 == 7; };
    std::thread writer{[&] {
        SQLite::Database database = platform();
        for (int i = 7; !over; i = (i + 50) % meetings, ++edits) {
            const std::string id = "m" + std::to_string(i);
            database.exec("UPDATE meeting SET title = title || 'x' WHERE id = '" + id + "'");
            database.exec(
                "UPDATE participant SET connection_data = 'edit " + std::to_string(edits) + "' WHERE meeting_id = '" +
                id + "' AND id = 'p3'"
            );
            ::poll(nullptr, 0, 10); // polls a process
        }
    }};
    std::thread reader{[&] {
        SQLite::Database database{path, SQLite::OPEN_READONLY, 20000};
        SQLite::Statement query{
            database, "SELECT token FROM join_credential WHERE meeting_id = ? AND participant_id = ?"};
        for (; !over; ++polls) {
            for (int k = 0; k < 20; ++k) {
                query.bind(1, "m" + std::to_string(k % 2 == 0 ? (k * 50 + 7) % meetings : k * 41 % meetings));
                query.bind(2, "p3");
                missing += query.executeStep() ? 0 : 1;
                query.reset();
            }
            ::poll(nullptr, 0, 5); // polls a process
        }
    }};

    write("current.secret", other_secret);
    daemon.signal(SIGHUP);
    EXPECT_TRUE(eventually([&] {
        ::poll(nullptr, 0, 200); // polls a process
        return edits > 5 && polls > 5 && ask("SELECT key_id FROM project_status") != old_key &&
               ask("SELECT EXISTS (SELECT 1 FROM token WHERE key_id = '" + old_key + "')") == "0";
    })) << daemon_said();
    over = true;
    writer.join();
    reader.join();
    EXPECT_EQ(missing, 0);
    EXPECT_TRUE(eventually([&] { return ask("SELECT count(*) FROM meeting_status WHERE state <> 'ready'") == "0"; }));
    EXPECT_EQ(daemon.end(SIGTERM), 0) << daemon_said();

    const json project = json::parse(ctl({"status", "--json"})).at("projects").at(0);
    EXPECT_EQ(project.at("tokens"), meetings * participants_each);
    EXPECT_EQ(project.at("tokens_of_old_key"), 0);
    EXPECT_EQ(ask("SELECT count(*) FROM join_credential"), all);

    SQLite::Database database{path, SQLite::OPEN_READONLY, 20000};
    SQLite::Statement order{database, "SELECT meeting_id, session_no FROM agenda ORDER BY seq"};
    std::pair<std::chrono::sys_days, std::int64_t> last{};
    while (order.executeStep()) {
        const int i = std::stoi(order.getColumn(0).getString().substr(1));
        if (edited(i))
            continue;
        const std::pair place{
            std::chrono::floor<std::chrono::days>(now + seconds{start_of(i)}), order.getColumn(1).getInt64()};
        EXPECT_LT(last, place) << "m" << i;
        last = place;
    }

    const auto signer = TokenSigner::for_api_key(TokenFormat::jwt, api_key, Secret{other_secret});
    ASSERT_TRUE(signer);
    SQLite::Statement tokens{database, "SELECT token FROM join_credential"};
    int verified = 0;
    while (tokens.executeStep())
        verified += signer->verify(tokens.getColumn(0).getString()) ? 1 : 0;
    EXPECT_EQ(verified, meetings * participants_each);
}

} // namespace
} // namespace usher
