// SPDX-License-Identifier: Apache-2.0
// What a running daemon leaves of its projects' secrets in memory, and what it does with a secret file that went bad.
#include <algorithm>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <usher/core/time.hpp>
#include <usher/core/token.hpp>

#include "support/program.hpp"
#include "support/temp_dir.hpp"

namespace usher {
namespace {

using test::eventually;
using test::Program;

constexpr auto secret = "c0ffee00c0ffee11c0ffee22c0ffee33c0ffee44";
constexpr auto unused_secret = "beef0000beef1111beef2222beef3333beef4444";
constexpr auto application = "29f760f8-7ce1-46c9-ade3-f2dedee4ed5f";
constexpr uid_t nobody = 65534;

std::string read_text(std::string const& path)
{
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

class Secrets : public testing::Test {
protected:
    Secrets()
    {
        write("default.secret", std::string{secret} + "\n");
        write("unused.secret", unused_secret);
        write("key.pem", pem);
        write(
            "usher.yaml", "database: usher.db\n"
                          "projects:\n"
                          "  default: {provider: sandbox, api_secret: {file: default.secret}}\n"
                          "  unused: {provider: opentok, api_key: '1', api_secret: {file: unused.secret}}\n"
                          "  video: {provider: vonage, application_id: " +
                              std::string{application} + ", private_key: {file: key.pem}}\n"
        );
        run({USHERCTL, "--db", folder.file("usher.db"), "init"});
    }

    void write(std::string const& name, std::string const& text) const
    {
        std::ofstream{folder.file(name), std::ios::binary} << text;
        ::chmod(folder.file(name).c_str(), 0600);
    }

    void run(std::vector<std::string> const& words) const
    {
        const std::string output = folder.file("output");
        ASSERT_EQ(Program(words, output).end(), 0) << read_text(output);
    }

    /// One that is open, with one person.
    void add_meeting(std::string const& id) const
    {
        const auto in = [](int later) {
            const auto now = std::chrono::floor<seconds>(std::chrono::system_clock::now());
            return to_iso8601(now + seconds{later});
        };
        write("m.csv", "external_id,title,starts_at_utc,ends_at_utc\n" + id + ",T," + in(60) + "," + in(3600) + "\n");
        write("p.csv", "meeting_external_id,external_id,display_name,role\n" + id + ",ann,Ann,publisher\n");
        run(
            {USHERCTL, "--db", folder.file("usher.db"), "import", "--meetings", folder.file("m.csv"), "--participants",
             folder.file("p.csv")}
        );
    }

    /// Empty while there is none.
    std::string token(std::string const& meeting) const
    {
        SQLite::Database database{folder.file("usher.db"), SQLite::OPEN_READONLY, 20000};
        SQLite::Statement query{database, "SELECT token FROM join_credential WHERE meeting_id = ?"};
        query.bind(1, meeting);
        return query.executeStep() ? query.getColumn(0).getString() : std::string{};
    }

    Program start() const { return Program{{USHERD, "--config", folder.file("usher.yaml")}, folder.file("said")}; }
    std::string said() const { return read_text(folder.file("said")); }
    bool says(std::string const& words, int times = 1) const
    {
        const std::string text = said();
        for (std::size_t at = text.find(words); at != std::string::npos; at = text.find(words, at + 1))
            --times;
        return times <= 0;
    }

    test::TempDir folder;
    const std::string pem = read_text(USHER_SOURCE_DIR "/tests/vectors/throwaway_rsa2048.pem");
};

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) // they keep what is freed, and map all addresses

/// Which of `texts` stand in the memory of `process`.
std::vector<std::string> found_in_memory(pid_t process, int memory, std::vector<std::string> const& texts)
{
    std::vector<std::string> found;
    std::ifstream maps{"/proc/" + std::to_string(process) + "/maps"};
    for (std::string line; std::getline(maps, line);) {
        std::istringstream words{line};
        std::uint64_t from = 0;
        std::uint64_t to = 0;
        char dash = 0;
        std::string rights;
        words >> std::hex >> from >> dash >> to >> rights;
        if (rights.empty() || rights[0] != 'r' || line.find("[v") != std::string::npos) // the kernel's own
            continue;
        std::string content(to - from, '\0');
        const ssize_t size = ::pread(memory, content.data(), content.size(), static_cast<off_t>(from));
        content.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
        for (std::string const& text : texts)
            if (content.find(text) != std::string::npos)
                found.push_back(text + " in " + line);
    }
    return found;
}

TEST_F(Secrets, AreNotInTheMemoryOfARunningDaemon)
{
    std::vector<std::string> texts{secret, unused_secret};
    std::istringstream lines{pem};
    for (std::string line; std::getline(lines, line);)
        if (line.find("-----") == std::string::npos && line.size() >= 32) {
            texts.push_back(line.substr(0, 16));
            texts.push_back(line.substr(line.size() - 16));
        }
    add_meeting("m");
    const Program daemon = start();
    ASSERT_TRUE(eventually([&] { return says(" ready who=") && !token("m").empty(); })) << said();
    const int memory = ::open(("/proc/" + std::to_string(daemon.process()) + "/mem").c_str(), O_RDONLY | O_CLOEXEC);
    if (memory < 0)
        GTEST_SKIP() << "needs the right to read the memory of another program";

    EXPECT_FALSE(found_in_memory(daemon.process(), memory, {application}).empty()); // so the search works
    EXPECT_EQ(found_in_memory(daemon.process(), memory, texts), std::vector<std::string>{});

    daemon.signal(SIGHUP);
    ASSERT_TRUE(eventually([&] { return says("configuration loaded"); })) << said();
    add_meeting("n");
    ASSERT_TRUE(eventually([&] { return !token("n").empty(); })) << said();

    EXPECT_EQ(found_in_memory(daemon.process(), memory, texts), std::vector<std::string>{});
    ::close(memory);
}

#endif

TEST_F(Secrets, MayBeReadAndDumpedByNobodyElse)
{
    // The kernel shows it: what belongs to a process that must not be dumped belongs to root.
    std::vector<std::string> words{USHERD, "--db", folder.file("usher.db")};
    if (::geteuid() == 0) {
        const std::string program = folder.file("usherd"); // where nobody may come
        std::filesystem::copy_file(USHERD, program);
        for (auto const& file : std::filesystem::directory_iterator{folder.file("")})
            ASSERT_EQ(::chown(file.path().c_str(), nobody, nobody), 0);
        ASSERT_EQ(::chown(folder.file("").c_str(), nobody, nobody), 0);
        words.front() = program;
        const std::vector<std::string> as_nobody{
            "/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"};
        words.insert(words.begin(), as_nobody.begin(), as_nobody.end());
    }
    const Program daemon{words, folder.file("said")};
    ASSERT_TRUE(eventually([&] { return says(" ready who="); })) << said();

    struct stat info {};
    ASSERT_EQ(::stat(("/proc/" + std::to_string(daemon.process()) + "/mem").c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, 0U);
}

TEST_F(Secrets, KeepTheOldOneWhenTheNewOneIsNone)
{
    const auto signer = TokenSigner::for_api_key(TokenFormat::jwt, "100000", Secret{secret});
    ASSERT_TRUE(signer);
    add_meeting("m");
    const Program daemon = start();
    ASSERT_TRUE(eventually([&] { return says(" ready who=") && !token("m").empty(); })) << said();
    const std::string before = token("m");
    ASSERT_TRUE(signer->verify(before));

    const std::string other = "0badcafe0badcafe0badcafe0badcafe0badcafe";
    for (std::string const& bad :
         {"\xef\xbb\xbf" + other, "\"" + other + "\"", "API_SECRET=" + other, other + std::string(1, '\0'),
          other + "\n" + other, other + "\xc2\xa0", other + "\xe2\x80\x8b", std::string{"0"}, std::string{}}) {
        write("default.secret", bad);
        std::ofstream{folder.file("said")}; // the daemon appends
        daemon.signal(SIGHUP);
        ASSERT_TRUE(eventually([&] { return says("configuration refused, the old one stays reason=\""); })) << said();
        EXPECT_TRUE(says("projects.default.api_secret.file: ")) << said();
        EXPECT_EQ(said().find("0badcafe"), std::string::npos) << said();
    }
    add_meeting("n");

    ASSERT_TRUE(eventually([&] { return !token("n").empty(); })) << said();
    EXPECT_TRUE(signer->verify(token("n")));
    EXPECT_EQ(token("m"), before);
}

} // namespace
} // namespace usher
