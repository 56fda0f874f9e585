// SPDX-License-Identifier: Apache-2.0
// The real daemon beside readers of its log, and a systemd, that do not read.
#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>

#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "machine.hpp"

namespace usher {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using test::Program;

constexpr int pipe_bytes = 4096;
constexpr uid_t stranger = 54321;

/// A pipe that is full from the start.
class FullPipe {
public:
    FullPipe()
    {
        EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC), 0);
        EXPECT_EQ(::fcntl(ends_[1], F_SETPIPE_SZ, pipe_bytes), pipe_bytes);
        const std::string filling(pipe_bytes, '#');
        EXPECT_EQ(::write(ends_[1], filling.data(), filling.size()), pipe_bytes);
        EXPECT_EQ(::fcntl(ends_[0], F_SETFL, O_NONBLOCK), 0);
    }
    FullPipe(FullPipe const&) = delete;
    FullPipe& operator=(FullPipe const&) = delete;
    ~FullPipe()
    {
        for (const int end : ends_)
            ::close(end);
    }

    /// For `prepare`: the program writes into the pipe.
    std::function<void()> as(int descriptor) const
    {
        return [end = ends_[1], descriptor] { ::dup2(end, descriptor); };
    }

    /// Reads on until `text` was read.
    bool read_until(std::string const& text)
    {
        return eventually([&] { return read().find(text) != std::string::npos; });
    }

    /// What was read so far and what can be read now.
    std::string const& read()
    {
        char buffer[65536];
        for (ssize_t size = 0; (size = ::read(ends_[0], buffer, sizeof buffer)) > 0;)
            text_.append(buffer, static_cast<std::size_t>(size));
        return text_;
    }

    /// So that what is kept for it gets through in few steps.
    void widen() const { ::fcntl(ends_[1], F_SETPIPE_SZ, 1 << 20); }

    void close_reading_end()
    {
        ::close(ends_[0]);
        ends_[0] = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    }

private:
    std::array<int, 2> ends_{};
    std::string text_;
};

int count_of(std::string const& text, std::string const& what)
{
    int count = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
        ++count;
    return count;
}

class StalledReader : public test::Machine {
protected:
    /// Works on what comes, and stops when it is told to.
    void expect_works_and_stops(Program& daemon) const
    {
        for (const std::string id : {"first", "second"}) {
            add_meeting(id);
            EXPECT_TRUE(gets_ready(id)) << id;
        }
        const auto start = std::chrono::steady_clock::now();
        EXPECT_EQ(daemon.end(SIGTERM), 0);
        EXPECT_LT(std::chrono::steady_clock::now() - start, 8s); // at ten seconds it would stop at once, with 1
    }

    /// Whether a usherd that was at work has ended its work.
    bool work_has_ended() const
    {
        return eventually([&] {
            const int file = ::open((path + ".lock").c_str(), O_RDWR | O_CLOEXEC);
            struct flock whole {};
            whole.l_type = F_WRLCK;
            const bool ours = file >= 0 && ::fcntl(file, F_OFD_SETLK, &whole) == 0;
            ::close(file);
            return ours;
        });
    }
};

TEST_F(StalledReader, OfAPipeHoldsNothingUp)
{
    FullPipe log;
    Program daemon = usherd({}, log.as(STDERR_FILENO));
    expect_works_and_stops(daemon);
}

TEST_F(StalledReader, OfAPipeOfAnotherUserHoldsNothingUp)
{
    if (::geteuid() != 0)
        GTEST_SKIP() << "needs root, to become another user";
    for (std::string const& file : {path.substr(0, path.rfind('/')), path, path + "-wal", path + "-shm"})
        ASSERT_EQ(::chown(file.c_str(), stranger, stranger), 0) << file;
    FullPipe log;
    Program daemon = usherd({}, [&] {
        log.as(STDERR_FILENO)();
        if (::setgroups(0, nullptr) != 0 || ::setresgid(stranger, stranger, stranger) != 0 ||
            ::setresuid(stranger, stranger, stranger) != 0)
            ::_exit(77);
    });
    expect_works_and_stops(daemon);
}

TEST_F(StalledReader, OfATerminalHoldsNothingUp)
{
    const int keyboard = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ASSERT_EQ(::grantpt(keyboard), 0);
    ASSERT_EQ(::unlockpt(keyboard), 0);
    const int terminal = ::open(::ptsname(keyboard), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ASSERT_EQ(::tcflow(terminal, TCOOFF), 0); // as Ctrl-S does
    Program daemon = usherd({}, [&] { ::dup2(terminal, STDERR_FILENO); });
    expect_works_and_stops(daemon);
    ::tcflow(terminal, TCOON);
    ::close(terminal);
    ::close(keyboard);
}

TEST_F(StalledReader, OfASocketHoldsNothingUp)
{
    std::array<int, 2> journal{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, journal.data()), 0);
    const std::string filling(pipe_bytes, '#');
    while (::send(journal[1], filling.data(), filling.size(), MSG_DONTWAIT) > 0) {
    }
    Program daemon = usherd({}, [&] { ::dup2(journal[1], STDERR_FILENO); });
    expect_works_and_stops(daemon);
    for (const int end : journal)
        ::close(end);
}

TEST_F(StalledReader, ThatIsGoneHoldsNothingUp)
{
    FullPipe log;
    log.close_reading_end();
    Program daemon = usherd({}, log.as(STDERR_FILENO));
    expect_works_and_stops(daemon);
}

TEST_F(StalledReader, OnAFullDiskHoldsNothingUp)
{
    Program daemon = usherd({}, [] { ::dup2(::open("/dev/full", O_WRONLY), STDERR_FILENO); });
    expect_works_and_stops(daemon);
}

TEST_F(StalledReader, GetsAllLinesOnceItReads)
{
    FullPipe log;
    Program daemon = usherd({}, log.as(STDERR_FILENO));
    for (const std::string id : {"first", "second"}) {
        add_meeting(id);
        ASSERT_TRUE(gets_ready(id));
    }

    EXPECT_TRUE(log.read_until("notice ready who=")); // by itself, though nothing more happens
    daemon.signal(SIGTERM);
    EXPECT_TRUE(log.read_until("notice stopping reason=signal"));

    EXPECT_EQ(daemon.end(), 0);
    EXPECT_EQ(count_of(log.read(), "lines of the log were dropped"), 0) << log.read();
    EXPECT_EQ(count_of(log.read(), "published tokens="), 2) << log.read();
}

TEST_F(StalledReader, IsToldHowManyLinesItMissed)
{
    constexpr int mistakes = 100; // more are not told of in one reload, but that there are more
    constexpr int reloads = 30;   // of some 40 kB each
    const std::string config = folder.file("usher.yaml");
    std::ofstream{config} << "database: " << path << "\nprojects: {default: {provider: sandbox}}\n";
    FullPipe log;
    Program daemon{{USHERD, "--config", config}, output, log.as(STDERR_FILENO)};
    add_meeting("m");
    ASSERT_TRUE(gets_ready("m"));
    {
        std::ofstream file{config, std::ios::app};
        for (int mistake = 0; mistake <= mistakes; ++mistake)
            file << std::string(1000, 'k') << mistake << ": 1\n";
    }

    for (int reload = 0; reload < reloads; ++reload) {
        daemon.signal(SIGHUP);
        add_meeting("m" + std::to_string(reload));
        ASSERT_TRUE(gets_ready("m" + std::to_string(reload)));
    }
    log.widen();
    ASSERT_TRUE(log.read_until("lines of the log were dropped"));
    daemon.signal(SIGTERM);
    ASSERT_TRUE(log.read_until("stopping reason=signal"));
    EXPECT_EQ(daemon.end(), 0);

    std::string const& text = log.read();
    const auto notice = text.find(" warning lines of the log were dropped count=");
    ASSERT_NE(notice, std::string::npos);
    const int dropped = std::atoi(text.c_str() + text.find('=', notice) + 1);
    const int refused = count_of(text, "configuration refused"); // some follow the notice, if the last reload was late
    EXPECT_GT(dropped, 0);
    EXPECT_GT(refused, mistakes);
    EXPECT_EQ((refused + dropped) % (mistakes + 1), 0) << refused << " and " << dropped;
    EXPECT_EQ(count_of(text, "lines of the log were dropped"), 1);
}

TEST_F(StalledReader, DoesNotKeepASecondSignalFromStopping)
{
    FullPipe log;
    Program daemon = usherd({}, log.as(STDERR_FILENO));
    add_meeting("first");
    ASSERT_TRUE(gets_ready("first"));
    SQLite::Database other = platform();
    other.exec("BEGIN IMMEDIATE"); // nothing can be finished

    daemon.signal(SIGSTOP); // both signals at one instant of the daemon's
    daemon.signal(SIGTERM);
    daemon.signal(SIGINT);
    daemon.signal(SIGCONT);

    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(daemon.end(), 1);
    EXPECT_LT(std::chrono::steady_clock::now() - start, 8s);
}

TEST_F(StalledReader, DoesNotKeepASignalFromEndingTheStart)
{
    SQLite::Database other = platform();
    other.exec("PRAGMA locking_mode = EXCLUSIVE");
    other.exec("BEGIN EXCLUSIVE");
    FullPipe log;
    Program daemon = usherd({}, log.as(STDERR_FILENO));
    // Its own lock is taken right before it waits for the database.
    ASSERT_TRUE(eventually([&] { return exists(path + ".lock"); }));

    EXPECT_EQ(daemon.end(SIGTERM), 0);
}

TEST_F(StalledReader, DoesNotKeepAFailureFromEnding)
{
    const Program first = usherd();
    ASSERT_TRUE(said("ready who="));
    FullPipe log;
    const std::string other = folder.file("other");
    Program second{{USHERD, "--db", path}, other, log.as(STDERR_FILENO)};

    EXPECT_EQ(second.end(), 1);
}

TEST_F(StalledReader, OfOnceIsWaitedFor)
{
    constexpr int unready = 200;
    add_meeting("m");
    platform().exec(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " + std::to_string(unready) +
        ") INSERT INTO meeting (id, starts_at, ends_at, project)"
        " SELECT 'm' || i, strftime('%s', 'now') + 300, strftime('%s', 'now') + 7200, 'unknown' FROM n;"
        "INSERT INTO participant (meeting_id, participant_id, role) SELECT id, 'ann', 'publisher' FROM meeting"
        " WHERE project = 'unknown'"
    );
    FullPipe answer;
    Program run = once([&] {
        answer.as(STDOUT_FILENO)();
        answer.as(STDERR_FILENO)();
    });
    ASSERT_TRUE(gets_ready("m"));
    ASSERT_TRUE(work_has_ended());

    EXPECT_TRUE(answer.read_until("m" + std::to_string(unready) + ": not ready"));
    EXPECT_EQ(run.end(), 1);
    EXPECT_EQ(count_of(answer.read(), ": not ready"), unready) << answer.read();
    EXPECT_EQ(count_of(answer.read(), "1 tokens published"), 1) << answer.read();
}

TEST_F(StalledReader, OfOnceCanBeLeftByASignal)
{
    add_meeting("m");
    FullPipe answer;
    Program run = once(answer.as(STDOUT_FILENO));
    ASSERT_TRUE(gets_ready("m"));
    ASSERT_TRUE(work_has_ended());

    EXPECT_EQ(run.end(SIGTERM), -SIGTERM);
}

TEST_F(StalledReader, OfOnceIsNotWaitedForAfterASignal)
{
    add_meeting("m");
    FullPipe answer;
    FullPipe log;
    Program run = once([&] {
        answer.as(STDOUT_FILENO)();
        log.as(STDERR_FILENO)();
    });
    ASSERT_TRUE(gets_ready("m"));
    run.signal(SIGTERM); // in the work, or after it

    const int ended = run.end();

    EXPECT_TRUE(ended == 1 || ended == -SIGTERM) << ended;
}

TEST_F(StalledReader, OfOnceThatIsGoneIsAFailure)
{
    FullPipe answer;
    answer.close_reading_end();

    EXPECT_EQ(once(answer.as(STDOUT_FILENO)).end(), 1);

    EXPECT_TRUE(says("usherd: standard output cannot be written")) << printed();
}

/// A systemd that takes messages only when the test says so.
class Systemd {
public:
    explicit Systemd(std::string const& name)
    {
        address_.sun_family = AF_UNIX;
        std::strncpy(address_.sun_path, name.c_str(), sizeof address_.sun_path - 1);
        EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address_), sizeof address_), 0);
    }
    Systemd(Systemd const&) = delete;
    Systemd& operator=(Systemd const&) = delete;
    ~Systemd() { ::close(socket_); }

    void fill() const
    {
        const int other = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        while (::sendto(other, "#", 1, 0, reinterpret_cast<sockaddr const*>(&address_), sizeof address_) > 0) {
        }
        ::close(other);
    }

    std::string const& read()
    {
        char buffer[4096];
        for (ssize_t size = 0; (size = ::recv(socket_, buffer, sizeof buffer, 0)) > 0;)
            text_.append(buffer, static_cast<std::size_t>(size)) += '\n';
        return text_;
    }
    bool read_until(std::string const& text)
    {
        return eventually([&] { return read().find(text) != std::string::npos; });
    }

private:
    int socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address_{};
    std::string text_;
};

TEST_F(StalledReader, ThatIsSystemdHoldsNothingUp)
{
    const std::string name = folder.file("notify");
    const Systemd systemd{name};
    systemd.fill();
    Program daemon = usherd({}, [&] { ::setenv("NOTIFY_SOCKET", name.c_str(), 1); });
    expect_works_and_stops(daemon);
}

TEST_F(StalledReader, ThatIsSystemdIsToldOnceItReads)
{
    const std::string name = folder.file("notify");
    Systemd systemd{name};
    systemd.fill();
    const Program daemon = usherd({}, [&] { ::setenv("NOTIFY_SOCKET", name.c_str(), 1); });
    add_meeting("m");
    ASSERT_TRUE(gets_ready("m"));
    ASSERT_TRUE(said("notice ready who="));

    EXPECT_TRUE(systemd.read_until("READY=1"));
    EXPECT_TRUE(systemd.read_until("STATUS="));
}

TEST_F(StalledReader, ThatIsSystemdMayHaveAnAbstractName)
{
    const std::string name = "usher-test-" + std::to_string(::getpid());
    const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path + 1, name.c_str(), sizeof address.sun_path - 2);
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), length), 0);
    Program daemon = usherd({}, [&] { ::setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1); });

    std::string told;
    EXPECT_TRUE(eventually([&] {
        char buffer[4096];
        for (ssize_t size = 0; (size = ::recv(socket, buffer, sizeof buffer, 0)) > 0;)
            told.append(buffer, static_cast<std::size_t>(size));
        return told.find("READY=1") != std::string::npos;
    })) << told;

    EXPECT_EQ(daemon.end(SIGTERM), 0);
    ::close(socket);
}

} // namespace
} // namespace usher
