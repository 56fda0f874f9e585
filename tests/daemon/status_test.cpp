// SPDX-License-Identifier: Apache-2.0
// usherd as systemd, Prometheus and a browser meet it.
#include <cstring>
#include <sstream>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "machine.hpp"

namespace usher::test {
namespace {

using nlohmann::json;

int connect_to(std::string const& path)
{
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0)
        return socket;
    ::close(socket);
    return -1;
}

/// Somebody else's, who accepts nobody, and has room for one who waits.
int listen_on(std::string const& path)
{
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(socket, 0), 0);
    return socket;
}

struct Answer {
    int status = 0; ///< 0: there was none.
    std::string body;
};

class Status : public Machine {
protected:
    Status() { configure("{listen: " + socket + "}"); }

    void configure(std::string const& section, std::string const& more = {}) const
    {
        std::ofstream{config} << "database: " << path
                              << "\nprojects: {default: {provider: sandbox}}\nstatus: " << section << "\n"
                              << more;
    }
    Program daemon(std::function<void()> const& prepare = {}) const
    {
        std::ofstream{output};
        return Program{{USHERD, "--config", config}, output, prepare};
    }

    /// Sends what `request` is, and reads until the other side ends.
    std::string exchange(std::string const& request) const
    {
        const int peer = connect_to(socket);
        if (peer < 0)
            return {};
        (void)!::write(peer, request.data(), request.size());
        std::string text;
        char buffer[65536];
        for (ssize_t size = 0; (size = ::read(peer, buffer, sizeof buffer)) > 0;)
            text.append(buffer, static_cast<std::size_t>(size));
        ::close(peer);
        return text;
    }
    Answer get(std::string const& target) const
    {
        const std::string text =
            exchange("GET " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        const std::size_t body = text.find("\r\n\r\n");
        if (body == std::string::npos)
            return {};
        return {std::stoi(text.substr(std::strlen("HTTP/1.1 "))), text.substr(body + 4)};
    }
    bool gets(std::string const& target, int expected) const
    {
        return eventually([&] { return get(target).status == expected; });
    }

    /// The value of a series, without its labels but those named; the sum where several fit.
    double metric(std::string const& name, std::string const& label = {}) const
    {
        std::istringstream lines{get("/metrics").body};
        double sum = 0;
        for (std::string line; std::getline(lines, line);)
            if (line.starts_with(name + "{") && line.find(label) != std::string::npos)
                sum += std::stod(line.substr(line.rfind(' ')));
        return sum;
    }

    std::string config = folder.file("usher.yaml");
    std::string socket = folder.file("status.sock");
    std::string run = folder.file("run");
};

TEST_F(Status, IsReadyOnceWhatOpensSoonIsAndNotBefore)
{
    add_meeting("m");
    const Program running = daemon();
    ASSERT_TRUE(gets("/readyz", 200)) << printed();
    EXPECT_TRUE(is_ready("m"));
    EXPECT_EQ(get("/healthz").status, 200);

    platform().exec("BEGIN;" + rows_of("n") + "; UPDATE meeting SET project = 'gone' WHERE id = 'n'; COMMIT");
    EXPECT_TRUE(gets("/readyz", 503)) << get("/readyz").body;
    EXPECT_NE(get("/readyz").body.find("unknown_project"), std::string::npos);
    platform().exec("UPDATE meeting SET project = 'default' WHERE id = 'n'");
    EXPECT_TRUE(gets("/readyz", 200)) << get("/readyz").body;
}

TEST_F(Status, CountsWhatTheRowsSay)
{
    Program running = daemon();
    for (int i = 0; i < 5; ++i)
        add_meeting("m" + std::to_string(i));
    for (int i = 0; i < 5; ++i)
        ASSERT_TRUE(gets_ready("m" + std::to_string(i)));
    platform().exec("UPDATE participant SET role = 'moderator' WHERE meeting_id IN ('m1', 'm2')");
    platform().exec("DELETE FROM participant WHERE meeting_id = 'm3'");
    const auto rows = [&](char const* query) { return std::stod(ask(query)); };
    ASSERT_TRUE(eventually([&] { return rows("SELECT count(*) FROM credential_history") == 7; }));
    ASSERT_TRUE(eventually([&] {
        return rows("SELECT count(*) FROM credential_history WHERE withdrawn_at IS NOT NULL") == 3;
    }));
    ASSERT_TRUE(eventually([&] { return metric("usher_tokens_withdrawn_total") == 1; }));

    EXPECT_EQ(metric("usher_tokens_published_total"), 7);
    EXPECT_EQ(
        metric("usher_tokens_signed_total"),
        metric("usher_tokens_published_total") + metric("usher_tokens_discarded_total")
    );
    EXPECT_EQ(metric("usher_sessions_published_total"), 5);
    EXPECT_TRUE(eventually([&] { return metric("usher_meetings", "state=\"ready\"") == 5; }));
    EXPECT_EQ(metric("usher_window_meetings", "window=\"1h\",readiness=\"ready\""), 5);
    EXPECT_EQ(metric("usher_tokens", "current=\"yes\""), 4);
    const json told = json::parse(get("/status.json").body);
    EXPECT_EQ(told["windows"]["1h"]["ready"], 5);
    EXPECT_GT(metric("process_start_time_seconds", ""), -1);
    EXPECT_EQ(running.end(SIGTERM), 0) << printed();
    EXPECT_FALSE(exists(socket));
}

TEST_F(Status, IsForTheGroupToo)
{
    const Program running = daemon();
    ASSERT_TRUE(gets("/healthz", 200)) << printed();
    struct stat file {};
    ASSERT_EQ(::stat(socket.c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 0777U, 0660U);
}

TEST_F(Status, TakesTheSocketOfADaemonThatWasKilled)
{
    {
        Program killed = daemon();
        ASSERT_TRUE(gets("/healthz", 200));
        killed.end(SIGKILL);
    }
    ASSERT_TRUE(exists(socket));
    const Program running = daemon();
    EXPECT_TRUE(gets("/healthz", 200)) << printed();
}

TEST_F(Status, SaysWhyItCannotListen)
{
    std::ofstream{socket} << "a file of somebody else";
    Program refused = daemon();
    EXPECT_EQ(refused.end(), 1);
    EXPECT_TRUE(says("status.listen: " + socket + ": is there, and is no socket")) << printed();
    EXPECT_EQ(read_text(socket), "a file of somebody else");
}

/// Its queue is full, so that whoever connects would wait for as long as it likes.
TEST_F(Status, WaitsForNobodyWhoHasItsSocket)
{
    const int theirs = listen_on(socket);
    const int waits = connect_to(socket);
    ASSERT_GE(waits, 0);
    Program refused = daemon();
    EXPECT_EQ(refused.end(), 1) << printed();
    EXPECT_TRUE(says("another program listens there")) << printed();
    ::close(waits);
    ::close(theirs);
}

TEST_F(Status, IsMissedByDoctorOnceItsSocketIsGone)
{
    Program working = daemon();
    ASSERT_TRUE(gets("/readyz", 200)) << printed();
    const auto doctor = [&] {
        Program program{{USHERCTL, "--config", config, "doctor", "--offline"}, folder.file("answer")};
        program.end();
        return read_text(folder.file("answer"));
    };
    const std::string missed = "usherd: it does not answer at status.listen, " + socket;
    EXPECT_EQ(doctor().find("status.listen"), std::string::npos);

    ::kill(working.process(), SIGSTOP); // the kernel accepts for it
    const std::string stopped = doctor();
    ::kill(working.process(), SIGCONT);
    EXPECT_NE(
        stopped.find("usherd: it accepts connections but sends no answer at status.listen, " + socket),
        std::string::npos
    ) << stopped;
    ASSERT_TRUE(gets("/readyz", 200));

    std::filesystem::remove(socket);

    const std::string answer = doctor();
    EXPECT_NE(answer.find(missed), std::string::npos) << answer;
}

TEST_F(Status, LeavesTheSocketOfAnotherDaemonAtItsEnd)
{
    Program running = daemon();
    ASSERT_TRUE(gets("/healthz", 200)) << printed();
    ASSERT_EQ(::unlink(socket.c_str()), 0);
    const int theirs = listen_on(socket);
    EXPECT_EQ(running.end(SIGTERM), 0) << printed();
    EXPECT_TRUE(exists(socket));
    ::close(theirs);
}

TEST_F(Status, SurvivesWhatStrangersSend)
{
    const Program running = daemon();
    ASSERT_TRUE(gets("/healthz", 200));
    EXPECT_TRUE(exchange("no request\r\n\r\n").starts_with("HTTP/1.1 400"));
    EXPECT_TRUE(exchange("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n")
                    .starts_with("HTTP/1.1 431"));
    EXPECT_TRUE(exchange("GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n").starts_with("HTTP/1.1 400")
    );
    EXPECT_TRUE(exchange("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\nx")
                    .starts_with("HTTP/1.1 405"));
    EXPECT_NE(exchange("no request\r\n\r\n").find("nosniff"), std::string::npos);
    EXPECT_EQ(metric("usher_http_requests_total", "code=\"400\""), 3);
    EXPECT_EQ(metric("usher_http_requests_total", "code=\"431\""), 1);
    std::vector<int> idle;
    for (int i = 0; i < 40; ++i) // more than are served at once
        idle.push_back(connect_to(socket));
    EXPECT_EQ(get("/healthz").status, 200) << "those that say nothing make room";
    EXPECT_EQ(get("/readyz").status == 0, false);
    for (const int peer : idle)
        ::close(peer);
    add_meeting("m");
    EXPECT_TRUE(gets_ready("m"));
}

TEST_F(Status, TellsAReloadFromARefusedOne)
{
    ::mkdir(run.c_str(), 0700);
    const Program running = daemon([&] { ::setenv("RUNTIME_DIRECTORY", run.c_str(), 1); });
    ASSERT_TRUE(said(" ready who="));
    const std::string verdict = run + "/reload";
    std::string answer = usherctl({"reload", "--verdict", verdict});
    EXPECT_EQ(status, 0) << answer;
    EXPECT_EQ(answer, "Done: usherd works with the configuration as it is now.\n");

    configure("{listen: " + socket + "}", "nonsense: 1\n");
    answer = usherctl({"reload", "--pid", std::to_string(running.process()), "--verdict", verdict});
    EXPECT_EQ(status, 1);
    EXPECT_NE(answer.find("refused; the old configuration stays"), std::string::npos) << answer;
    EXPECT_NE(answer.find("nonsense: unknown key"), std::string::npos) << answer;
    EXPECT_EQ(metric("usher_config_last_reload_successful"), 0);
    EXPECT_EQ(metric("usher_config_reloads_total", "result=\"refused\""), 1);

    configure("{listen: off}");
    answer = usherctl({"reload", "--verdict", verdict});
    EXPECT_EQ(status, 1);
    EXPECT_NE(answer.find("status: changes with a restart only: systemctl restart usher"), std::string::npos) << answer;
    answer = usherctl({"reload", "--json", "--verdict", verdict});
    EXPECT_EQ(status, 1);
    EXPECT_EQ(
        nlohmann::json::parse(answer).at("errors").at(0), "status: changes with a restart only: systemctl restart usher"
    );

    std::ofstream{verdict} << "a file of somebody's\n";
    EXPECT_NE(usherctl({"reload", "--verdict", verdict}).find("holds something else"), std::string::npos);
    EXPECT_EQ(test::read_text(verdict), "a file of somebody's\n");
    std::filesystem::remove(verdict);
    const std::string own = std::to_string(::getpid());
    EXPECT_NE(usherctl({"reload", "--pid", own, "--verdict", verdict}).find("and no usherd"), std::string::npos);

    configure("{listen: " + socket + "}");
    usherctl({"reload", "--verdict", verdict});
    EXPECT_EQ(status, 0);
    EXPECT_EQ(metric("usher_config_last_reload_successful"), 1);
}

/// Run by hand, or in a container.
TEST_F(Status, TellsAReloadFromARefusedOneWithoutSystemd)
{
    const std::string verdict = path + ".reload";
    const std::string victim = folder.file("victim");
    std::ofstream{victim} << "not to be written to\n";
    for (std::string const& name : {verdict, verdict + ".new"})
        std::filesystem::create_symlink(victim, name);
    const Program running = daemon([] { ::unsetenv("RUNTIME_DIRECTORY"); });
    ASSERT_TRUE(said(" ready who="));
    const auto here = [] { ::unsetenv("RUNTIME_DIRECTORY"); };

    std::string answer = usherctl({"reload"}, here);

    EXPECT_EQ(status, 0) << answer;
    EXPECT_EQ(answer, "Done: usherd works with the configuration as it is now.\n");
    EXPECT_EQ(test::read_text(victim), "not to be written to\n");
    struct stat left {};
    ASSERT_EQ(::lstat(verdict.c_str(), &left), 0);
    EXPECT_EQ(left.st_mode, S_IFREG | 0600U);
    EXPECT_FALSE(std::filesystem::exists(verdict + ".new"));

    configure("{listen: " + socket + "}", "nonsense: 1\n");
    answer = usherctl({"reload", "--pid", std::to_string(running.process())}, here);
    EXPECT_EQ(status, 1);
    EXPECT_NE(answer.find("nonsense: unknown key"), std::string::npos) << answer;
    configure("{listen: " + socket + "}");
    usherctl({"reload"}, here);
    EXPECT_EQ(status, 0);
}

TEST_F(Status, SaysThatNobodyIsThereToReload)
{
    const std::string answer = usherctl({"reload", "--verdict", folder.file("verdict")});
    EXPECT_EQ(status, 1);
    EXPECT_NE(answer.find("no usherd runs"), std::string::npos) << answer;
    usherctl({"reload", "--pid", "1"});
    EXPECT_EQ(status, 2);
    usherctl({"reload", "--pid", "-5"});
    EXPECT_EQ(status, 2);
}

/// Datagrams that systemd would get.
class Notices {
public:
    explicit Notices(std::string const& name)
    {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, name.c_str(), sizeof address.sun_path - 1);
        EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    }
    Notices(Notices const&) = delete;
    Notices& operator=(Notices const&) = delete;
    ~Notices() { ::close(socket_); }

    std::string const& read()
    {
        char buffer[4096];
        for (ssize_t size = 0; (size = ::recv(socket_, buffer, sizeof buffer, 0)) > 0;)
            text_.append(buffer, static_cast<std::size_t>(size)) += '\n';
        return text_;
    }
    std::size_t count(std::string const& word)
    {
        read();
        std::size_t count = 0;
        for (std::size_t at = 0; (at = text_.find(word, at)) != std::string::npos; at += word.size())
            ++count;
        return count;
    }

private:
    int socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    std::string text_;
};

TEST_F(Status, IsToldToSystemdBeforeTheBacklogIsDone)
{
    const std::string name = folder.file("notify");
    Notices notices{name};
    add_meeting("m");
    const Program running = daemon([&] {
        ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
        ::setenv("WATCHDOG_USEC", "600000", 1);
    });
    ASSERT_TRUE(eventually([&] { return notices.count("READY=1") > 0; })) << printed();
    ASSERT_TRUE(gets_ready("m"));
    EXPECT_TRUE(eventually([&] { return notices.count("STATUS=All well: 1 of 1 of the next hour ready") > 0; }))
        << notices.read();
    EXPECT_TRUE(eventually([&] { return notices.count("WATCHDOG=1") > 2; })) << notices.read();
    running.signal(SIGHUP);
    EXPECT_TRUE(eventually([&] { return notices.count("RELOADING=1") == 1 && notices.count("READY=1") == 2; }));
    EXPECT_EQ(notices.count("MONOTONIC_USEC="), 1U);
    running.signal(SIGTERM);
    EXPECT_TRUE(eventually([&] { return notices.count("STOPPING=1") == 1; }));
}

} // namespace
} // namespace usher::test
