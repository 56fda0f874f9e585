// SPDX-License-Identifier: Apache-2.0
// What the machine does to the daemon: signals, limits, accounts, locks, links.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "machine.hpp"

namespace usher {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using test::Program;
using test::read_text;

constexpr uid_t stranger = 54321;
constexpr int cannot_prepare = 77;

class Machine : public test::Machine {
protected:
    /// A connection that keeps everybody else out, also from opening.
    SQLite::Database holder() const
    {
        SQLite::Database database = platform();
        database.exec("PRAGMA locking_mode = EXCLUSIVE");
        database.exec("BEGIN EXCLUSIVE");
        return database;
    }

    void give_to(uid_t user) const
    {
        const std::string directory = path.substr(0, path.rfind('/'));
        for (std::string const& file : {directory, path, path + "-wal", path + "-shm"})
            ASSERT_EQ(::chown(file.c_str(), user, user), 0) << file;
    }

    static void become(uid_t user)
    {
        if (::setgroups(0, nullptr) != 0 || ::setresgid(user, user, user) != 0 || ::setresuid(user, user, user) != 0)
            ::_exit(cannot_prepare);
    }

    static void limit(decltype(RLIMIT_FSIZE) what, rlim_t most)
    {
        const rlimit value{most, most};
        if (::setrlimit(what, &value) != 0)
            ::_exit(cannot_prepare);
    }
};

TEST_F(Machine, ACommitAfterAQuietMomentIsSeenAtOnce)
{
    using Clock = std::chrono::steady_clock;
    const Program daemon = usherd();
    add_meeting("first");
    ASSERT_TRUE(gets_ready("first")) << printed();
    Clock::duration best = 1h;
    for (int round = 0; round < 5; ++round) {
        ::poll(nullptr, 0, 300); // polls a process that looks ever more slowly by now
        const std::string id = "m" + std::to_string(round);
        add_meeting(id);
        const Clock::time_point start = Clock::now();
        while (!is_ready(id) && Clock::now() < start + 10s)
            ::poll(nullptr, 0, 1); // polls a process
        best = std::min(best, Clock::now() - start);
    }
    EXPECT_LT(best, 100ms) << printed();
}

TEST_F(Machine, ADatabaseBehindALinkIsOneDatabase)
{
    ::mkdir(folder.file("etc").c_str(), 0755);
    const std::string link = folder.file("etc/link.db");
    ASSERT_EQ(::symlink(path.c_str(), link.c_str()), 0);
    Program daemon{{USHERD, "--db", link}, output};
    add_meeting("first");
    ASSERT_TRUE(gets_ready("first")) << printed();
    const auto start = std::chrono::steady_clock::now();
    add_meeting("second");
    ASSERT_TRUE(gets_ready("second")) << printed();
    EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);

    const std::string other = folder.file("other");
    EXPECT_EQ(Program({USHERD, "--db", path}, other).end(), 1);
    EXPECT_NE(read_text(other).find("another usherd is at work on it"), std::string::npos) << read_text(other);
    EXPECT_FALSE(exists(link + ".lock"));
    EXPECT_EQ(daemon.end(SIGTERM), 0);
}

TEST_F(Machine, ADatabaseOfTwoNamesIsRefused)
{
    const std::string other = folder.file("other.db");
    ASSERT_EQ(::link(path.c_str(), other.c_str()), 0);
    EXPECT_EQ(once().end(), 1);
    EXPECT_TRUE(says("has another name too (a hard link)")) << printed();
    ASSERT_EQ(::unlink(other.c_str()), 0);
    EXPECT_EQ(once().end(), 0) << printed();
}

TEST_F(Machine, AHangupDuringTheStartIsServedAfterIt)
{
    std::optional<SQLite::Database> other{holder()};
    Program daemon = usherd();
    ASSERT_TRUE(said("database busy")) << printed();
    daemon.signal(SIGHUP);
    other.reset();
    EXPECT_TRUE(said("configuration loaded")) << printed();
    EXPECT_TRUE(said("ready who=")) << printed();
    EXPECT_EQ(daemon.end(SIGTERM), 0) << printed();
}

TEST_F(Machine, AStopDuringTheStartLeavesCleanly)
{
    for (const int signal : {SIGTERM, SIGINT}) {
        const SQLite::Database other = holder();
        Program daemon = usherd();
        ASSERT_TRUE(said("database busy")) << printed();
        const auto start = std::chrono::steady_clock::now();
        EXPECT_EQ(daemon.end(signal), 0) << printed();
        EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
        EXPECT_TRUE(says("stopped by a signal before its work began")) << printed();
    }
}

TEST_F(Machine, OnceIsNotEndedByAHangup)
{
    std::optional<SQLite::Database> other{holder()};
    Program daemon = once();
    ASSERT_TRUE(said("database busy")) << printed();
    daemon.signal(SIGHUP);
    other.reset();
    EXPECT_EQ(daemon.end(), 0) << printed();
}

TEST_F(Machine, ABusyDatabaseIsWaitedForAtTheStartAndToldOnce)
{
    std::optional<SQLite::Database> other{holder()};
    Program daemon = usherd();
    ASSERT_TRUE(said("database busy")) << printed();
    ::poll(nullptr, 0, 3000); // polls a process that tries again meanwhile
    other.reset();
    EXPECT_TRUE(said("the database can be used again")) << printed();
    const std::string text = printed();
    EXPECT_EQ(text.find("database busy"), text.rfind("database busy")) << text;
    EXPECT_EQ(daemon.end(SIGTERM), 0);
}

TEST_F(Machine, AReloadTakesLevelAndFormatOfTheLogOrNothingOfIt)
{
    const std::string config = folder.file("usher.yaml");
    const auto configure = [&](std::string const& log, std::string const& more = {}) {
        std::ofstream{config} << "database: " << path << "\nprojects: {default: {provider: sandbox}}\nlog: {" << log
                              << "}\n"
                              << more;
    };
    configure("level: error");
    std::ofstream{output}; // emptied
    Program daemon{{USHERD, "--config", config}, output};
    add_meeting("first");
    ASSERT_TRUE(gets_ready("first")) << printed();
    EXPECT_EQ(printed(), "");

    configure("level: debug, format: json", "mistake: 1\n");
    daemon.signal(SIGHUP);
    ASSERT_TRUE(said("configuration refused, the old one stays reason=")) << printed();
    add_meeting("second");
    ASSERT_TRUE(gets_ready("second")) << printed();
    EXPECT_FALSE(says("\"event\"")) << printed();
    EXPECT_FALSE(says("meeting is planned")) << printed();

    configure("level: debug, format: json");
    daemon.signal(SIGHUP);
    ASSERT_TRUE(said(R"("log_level":"debug","log_format":"json"})")) << printed();
    add_meeting("third");
    EXPECT_TRUE(said(R"("meeting_id":"third","why":"written","state":"ready","session":"create","tokens":1)"))
        << printed();
    EXPECT_TRUE(said(R"("event":"step.done")")) << printed();

    configure("level: notice, format: text");
    daemon.signal(SIGHUP);
    ASSERT_TRUE(said(" notice configuration loaded projects=1 log_level=notice log_format=text")) << printed();
    EXPECT_EQ(daemon.end(SIGTERM), 0);
}

TEST_F(Machine, WhatEndsTheDaemonIsAnEventOfAJsonLog)
{
    const std::string config = folder.file("usher.yaml");
    std::ofstream{config} << "database: " << path
                          << "\nprojects: {default: {provider: sandbox}}\nlog: {format: json}\n";
    const Program first = usherd();
    ASSERT_TRUE(said("ready who=")) << printed();
    std::ofstream{output}; // emptied
    EXPECT_EQ((Program{{USHERD, "--config", config}, folder.file("second")}.end()), 1);
    const std::string text = read_text(folder.file("second"));
    EXPECT_EQ(text.find('{'), 0U) << text;
    EXPECT_NE(text.find(R"("event":"daemon.failed")"), std::string::npos) << text;
    EXPECT_NE(text.find("another usherd is at work on it"), std::string::npos) << text;
}

TEST_F(Machine, ACommandWaitsForABusyDatabase)
{
    add_meeting("m");
    std::optional<SQLite::Database> other{holder()};
    std::thread command{[&] { usherctl({"retry", "m"}); }};
    ::poll(nullptr, 0, 2500); // polls a process that waits meanwhile
    other.reset();
    command.join();
    EXPECT_EQ(status, 0) << read_text(folder.file("answer"));
}

TEST_F(Machine, ALimitIsNamedWithTheWayOut)
{
    add_meeting("m");
    EXPECT_EQ(once([] { limit(RLIMIT_FSIZE, 4096); }).end(), 1);
    EXPECT_TRUE(says("File too large; raise this program's limit on the size of files: LimitFSIZE=")) << printed();

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "a sanitizer needs descriptors itself";
#endif
    for (const rlim_t most : {8U, 10U, 12U, 14U}) { // with fewer the program is not even loaded
        SCOPED_TRACE(most);
        if (once([most] { limit(RLIMIT_NOFILE, most); }).end() == 0)
            continue;
        EXPECT_TRUE(says("raise this program's limit on open files: LimitNOFILE=")) << printed();
    }
}

TEST_F(Machine, ALimitOnThreadsIsNamedWithTheWayOut)
{
    if (::geteuid() != 0)
        GTEST_SKIP() << "needs root, to become another user";
    give_to(stranger);
    const int ended = once([] {
                          become(stranger);
                          limit(RLIMIT_NPROC, 0);
                      }).end();
    EXPECT_EQ(ended, 1) << printed();
    EXPECT_TRUE(says("raise this program's limit on threads: TasksMax=")) << printed();
}

/// What a command must do with the database, at least.
struct OfAnother {
    std::vector<std::string> words;
    bool writes;
};

TEST_F(Machine, ADatabaseOfAnotherAccountEndsUsherctlAsItEndsUsherd)
{
    if (::geteuid() != 0)
        GTEST_SKIP() << "needs root, to become another user";
    const auto as_stranger = [] { become(stranger); };
    ASSERT_EQ(::chmod(folder.file("").c_str(), 0755), 0);
    const std::string target = "/tmp/usher-test-of-a-stranger.db";
    const std::vector<OfAnother> commands{
        {{"status"}, false},
        {{"list"}, false},
        {{"explain", "m"}, false},
        {{"credentials", "m"}, false},
        {{"history"}, false},
        {{"plan"}, false},
        {{"requests"}, false},
        {{"export", "--meetings", "-"}, false},
        {{"backup", target}, false},
        {{"init"}, false}, // there is nothing to do
        {{"init", "--repair"}, false},
        {{"init", "--adopt-sessions"}, true},
        {{"forget", "ann", "--yes"}, false},
        {{"rotate", "--all"}, true},
        {{"retry", "--all"}, true}};
    for (const mode_t mode : {0660U, 0664U})
        for (OfAnother const& command : commands) {
            for (std::string const& file : {path, path + "-wal", path + "-shm"})
                ASSERT_EQ(::chmod(file.c_str(), mode), 0);
            SCOPED_TRACE(testing::PrintToString(command.words) + (mode == 0660U ? " hidden" : " to be read"));
            std::filesystem::remove(target);
            const std::string answer = usherctl(command.words, as_stranger);
            if (command.writes || mode == 0660U) {
                EXPECT_EQ(status, 2) << answer;
                EXPECT_NE(answer.find("may not write it"), std::string::npos) << answer;
            } else {
                EXPECT_NE(status, 2) << answer;
            }
        }
    std::filesystem::remove(target);
    ASSERT_EQ(once(as_stranger).end(), 2) << printed();

    ASSERT_EQ(::chmod(path.c_str(), 0660), 0);
    const std::string found = usherctl({"doctor"}, as_stranger);
    EXPECT_EQ(status, 1);
    EXPECT_NE(found.find("\n  do: as root: adduser "), std::string::npos) << found;
    EXPECT_EQ(found.find("usherctl init"), std::string::npos) << found;
    path = folder.file("none.db");
    const std::string made = usherctl({"init"}, as_stranger);
    EXPECT_EQ(status, 2) << made;
    EXPECT_NE(made.find("cannot be created: Permission denied; run this as root, or as root, "), std::string::npos)
        << made;
}

TEST_F(Machine, ADatabaseThatIsNotThereIsNamedWithWhatMakesIt)
{
    const std::string target = folder.file("target.db");
    const std::string link = folder.file("link.db");
    std::filesystem::create_symlink("target.db", link);
    path = link;
    for (const std::string command : {"status", "init", "doctor"}) {
        SCOPED_TRACE(command);
        const std::string answer = usherctl({command});
        EXPECT_EQ(status, 1);
        EXPECT_NE(answer.find(link + ": is a link to " + target + ", which is not there"), std::string::npos) << answer;
        EXPECT_NE(answer.find("create it with: usherctl --db " + target + " init"), std::string::npos) << answer;
        EXPECT_EQ(answer.find("cannot be looked at"), std::string::npos) << answer;
    }
    path = target;
    usherctl({"init"});
    EXPECT_EQ(status, 0);
    path = link;
    EXPECT_NE(usherctl({"status"}).find("usherd has never looked at this database"), std::string::npos);
    path = folder.file("no/u.db");
    EXPECT_NE(
        usherctl({"init"}).find("No such file or directory; make its folder first: mkdir -p " + folder.file("no")),
        std::string::npos
    );
}

TEST_F(Machine, WithoutNoticesItLooksByItself)
{
    if (::geteuid() != 0)
        GTEST_SKIP() << "needs root, to become another user";
    give_to(stranger);
    Program daemon = usherd({}, [] {
        become(stranger);
        while (::inotify_init1(0) >= 0) { // it inherits all that there are
        }
    });
    ASSERT_TRUE(said("ready who=")) << printed();
    EXPECT_TRUE(says("changes are looked for by the clock every_ms=100 reason=")) << printed();
    EXPECT_TRUE(says("fs.inotify.max_user_instances") || says("LimitNOFILE=")) << printed();
    add_meeting("first");
    EXPECT_TRUE(gets_ready("first")) << printed();
    const auto start = std::chrono::steady_clock::now();
    add_meeting("second");
    EXPECT_TRUE(gets_ready("second")) << printed();
    EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
    EXPECT_EQ(daemon.end(SIGTERM), 0);
}

TEST_F(Machine, NothingIsPrintedIntoADataFile)
{
    add_meeting("m");
    Program daemon = once([] {
        for (const int descriptor : {0, 1, 2})
            ::close(descriptor);
    });
    EXPECT_EQ(daemon.end(), 0);
    EXPECT_EQ(read_text(path + ".lock").substr(0, 4), "pid ");
    EXPECT_EQ(read_text(path + ".lock").find(" notice "), std::string::npos);
    EXPECT_EQ(ask("PRAGMA integrity_check"), "ok");
    EXPECT_TRUE(is_ready("m"));
}

TEST_F(Machine, TheLockFileIsOfTheDatabasesOwner)
{
    if (::geteuid() != 0)
        GTEST_SKIP() << "needs root, to become another user";
    give_to(stranger);
    const auto as_stranger = [] { become(stranger); };
    EXPECT_EQ(once().end(), 0) << printed();
    struct stat lock {};
    ASSERT_EQ(::stat((path + ".lock").c_str(), &lock), 0);
    EXPECT_EQ(lock.st_uid, stranger);
    EXPECT_EQ(lock.st_mode & 07777U, 0600U);
    EXPECT_EQ(once(as_stranger).end(), 0) << printed();

    ::unlink((path + ".lock").c_str());
    ::close(::open((path + ".lock").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)); // root's
    EXPECT_EQ(once(as_stranger).end(), 0) << printed();
}

TEST_F(Machine, ALockOfSomebodyWhoReadsDoesNotStopTheStart)
{
    const int file = ::open((path + ".lock").c_str(), O_CREAT | O_RDONLY | O_CLOEXEC, 0644);
    ASSERT_EQ(::flock(file, LOCK_SH), 0);
    EXPECT_EQ(once().end(), 0) << printed();
    struct stat lock {};
    ASSERT_EQ(::fstat(file, &lock), 0);
    EXPECT_EQ(lock.st_mode & 07777U, 0600U);
    ::close(file);
}

TEST_F(Machine, ALinkInPlaceOfTheLockFileIsRefused)
{
    const std::string target = folder.file("precious");
    std::ofstream{target} << "precious";
    ASSERT_EQ(::symlink(target.c_str(), (path + ".lock").c_str()), 0);
    EXPECT_EQ(once().end(), 1);
    EXPECT_TRUE(says(".lock: is a symbolic link; remove it")) << printed();
    EXPECT_EQ(read_text(target), "precious");
}

TEST_F(Machine, WhatIsNoFileInPlaceOfAFileOfUshersOwnIsRefused)
{
    ASSERT_EQ(once().end(), 0) << printed();
    for (const std::string suffix : {".key", ".mark"}) {
        const std::string file = path + suffix;
        const std::string kept = folder.file("kept");
        std::filesystem::rename(file, kept);
        for (std::function<void()> const& put :
             {std::function<void()>{[&] { std::filesystem::create_directory(file); }},
              std::function<void()>{[&] { std::filesystem::create_symlink(kept, file); }},
              std::function<void()>{[&] { ::mkfifo(file.c_str(), 0600); }}}) {
            put();
            EXPECT_EQ(once().end(), 1);
            EXPECT_TRUE(says(file + ": is not a regular file; remove it, and put the one of the backup")) << printed();
            std::filesystem::remove(file);
        }
        std::filesystem::rename(kept, file);
    }
    EXPECT_EQ(once().end(), 0) << printed();
}

TEST_F(Machine, ADatabaseThatItMayNotWriteIsNamedWithTheWayOut)
{
    if (::geteuid() != 0)
        GTEST_SKIP() << "needs root, to become another user";
    give_to(stranger);
    ASSERT_EQ(::chown(path.c_str(), 0, 0), 0);
    ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
    EXPECT_EQ(usherd({}, [] { become(stranger); }).end(), 2) << printed();
    EXPECT_TRUE(says("it belongs to root:root with mode 0644; as root: chown 54321:54321 " + path)) << printed();

    ASSERT_EQ(::chmod(path.c_str(), 0660), 0);
    std::ofstream{output}; // emptied
    EXPECT_EQ(usherd({}, [] { become(stranger); }).end(), 2) << printed();
    EXPECT_TRUE(says("it belongs to root:root with mode 0660; as root: adduser 54321 root")) << printed();
}

TEST_F(Machine, AnAccountThatMayNotMakeTheLockFileIsToldSo)
{
    if (::geteuid() != 0)
        GTEST_SKIP() << "needs root, to become another user";
    ASSERT_EQ(::chmod(folder.file(".").c_str(), 0755), 0);
    ASSERT_EQ(::chmod(path.c_str(), 0666), 0);
    EXPECT_EQ(usherd({}, [] { become(stranger); }).end(), 2) << printed();
    EXPECT_TRUE(says(".lock: this account may not write it; run this as the account that")) << printed();
}

TEST_F(Machine, StoppingBesideAReaderKeepsNobodyFromWriting)
{
    for (const bool is_once : {false, true}) {
        SCOPED_TRACE(is_once);
        const std::string id = is_once ? "b" : "a";
        add_meeting(id);
        Program daemon = is_once ? once() : usherd();
        ASSERT_TRUE(gets_ready(id)) << printed();
        SQLite::Database reader = platform();
        reader.exec("BEGIN");
        reader.execAndGet("SELECT count(*) FROM meeting");
        add_meeting(id + "2"); // the reader does not see it
        if (!is_once) {
            ASSERT_TRUE(gets_ready(id + "2")) << printed();
        }
        std::atomic<bool> over{false};
        std::string refused;
        std::thread writer{[&] {
            SQLite::Database database{path, SQLite::OPEN_READWRITE, 300};
            while (!over && refused.empty())
                try {
                    database.exec("UPDATE meeting SET title = title || 'x' WHERE id = 'a'");
                    ::poll(nullptr, 0, 5); // polls a process
                } catch (SQLite::Exception const& error) {
                    refused = error.what();
                }
        }};
        const int ended = daemon.end(is_once ? 0 : SIGTERM);
        over = true;
        writer.join();
        // A single run may be over before it sees what was added beside it.
        EXPECT_TRUE(ended == 0 || (is_once && says("b2: not ready: the platform wrote it while usherd ended")))
            << ended << printed();
        EXPECT_EQ(refused, "");
    }
}

TEST_F(Machine, WhatRepeatsIsToldOnceAMinute)
{
    const std::string name = folder.file("notify");
    const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, name.c_str(), sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    Program daemon = usherd({}, [&] { ::setenv("NOTIFY_SOCKET", name.c_str(), 1); });
    add_meeting("m");
    ASSERT_TRUE(gets_ready("m")) << printed();
    int told = 0;
    const auto count = [&] {
        char text[1024];
        for (ssize_t size = 0; (size = ::recv(socket, text, sizeof text, 0)) > 0;)
            told += std::string_view{text, static_cast<std::size_t>(size)}.find("STATUS=") != std::string_view::npos;
    };
    constexpr int edits = 30;
    for (int edit = 0; edit < edits; ++edit) {
        const std::string before = ask("SELECT max(seq) FROM meeting_status");
        platform().exec("UPDATE participant SET connection_data = 'edit " + std::to_string(edit) + "'");
        ASSERT_TRUE(eventually([&] { return ask("SELECT max(seq) FROM meeting_status") != before; })) << printed();
        count();
    }
    EXPECT_EQ(daemon.end(SIGTERM), 0);
    count();
    ::close(socket);
    const std::string text = printed();
    constexpr std::string_view line = "published tokens=";
    int lines = 0;
    int tokens = 0;
    for (auto at = text.find(line); at != std::string::npos; at = text.find(line, at + 1)) {
        ++lines;
        tokens += std::atoi(text.c_str() + at + line.size());
    }
    EXPECT_LE(lines, 3) << text; // the first one, those after it, and what comes at the stop
    EXPECT_LT(told, 10);
    EXPECT_EQ(tokens, edits + 1) << text;
}

} // namespace
} // namespace usher
