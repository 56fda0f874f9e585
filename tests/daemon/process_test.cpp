// SPDX-License-Identifier: Apache-2.0
// The real daemon as a process: started, stopped, killed, started again.
#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <usher/store/database.hpp>

#include "checker.hpp"
#include "support/program.hpp"
#include "support/temp_dir.hpp"

namespace usher {
namespace {

using namespace std::chrono_literals;
using test::eventually;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int meetings = 200;
constexpr int participants_each = 50;
#else
constexpr int meetings = 1000;
constexpr int participants_each = 100;
#endif
constexpr int meetings_each_commit = 1000 / participants_each;

/// A usherd of its own; what it prints goes to a file, which is emptied first.
class Daemon : public test::Program {
public:
    Daemon(std::string const& database, std::string const& output, bool once = false, char const* option = "--db")
        : Program{words(database, once, option), emptied(output)}
    {}

private:
    static std::vector<std::string> words(std::string const& database, bool once, char const* option)
    {
        std::vector<std::string> result{USHERD, option, database};
        if (once)
            result.emplace_back("--once");
        return result;
    }

    static std::string const& emptied(std::string const& path)
    {
        std::ofstream{path};
        return path;
    }
};

class Process : public testing::Test {
protected:
    Process() { create_database(path, FileAccess::group_and_read); }

    SQLite::Database platform() const { return SQLite::Database{path, SQLite::OPEN_READWRITE, 20000}; }

    std::string ask(std::string const& query) const
    {
        SQLite::Database database{path, SQLite::OPEN_READONLY, 20000};
        return database.execAndGet(query).getString();
    }

    std::string printed() const
    {
        std::string text;
        const int file = ::open(output.c_str(), O_RDONLY);
        char buffer[4096];
        for (ssize_t size = 0; (size = ::read(file, buffer, sizeof buffer)) > 0;)
            text.append(buffer, static_cast<std::size_t>(size));
        ::close(file);
        return text;
    }

    void add_meeting(std::string const& id) const
    {
        platform().exec(
            "INSERT INTO meeting (id, starts_at, ends_at) VALUES ('" + id +
            "', strftime('%s', 'now') + 300, strftime('%s', 'now') + 7200);"
            "INSERT INTO participant (meeting_id, participant_id, role) VALUES ('" +
            id + "', 'ann', 'publisher')"
        );
    }

    bool ready(std::string const& id) const
    {
        return ask("SELECT count(*) FROM join_credential WHERE meeting_id = '" + id + "'") == "1";
    }

    test::TempDir folder;
    std::string path = folder.file("usher.db");
    std::string output = folder.file("output");
};

TEST_F(Process, SaysThatItsAnswerCannotBeWritten)
{
    for (auto const& words : std::vector<std::vector<std::string>>{
             {"--help"}, {"--version"}, {"--words"}, {"--check-config", "--db", path}}) {
        std::vector<std::string> all{USHERD};
        all.insert(all.end(), words.begin(), words.end());
        std::ofstream{output};

        test::Program daemon{all, output, [] { ::dup2(::open("/dev/full", O_WRONLY), STDOUT_FILENO); }};

        EXPECT_EQ(daemon.end(), 1) << words.front();
        EXPECT_EQ(printed(), "usherd: standard output cannot be written\n") << words.front();
    }
}

TEST_F(Process, AnEmptyNameIsNoWishForWhatIsUsual)
{
    for (const std::string option : {"--db", "--config"}) {
        std::ofstream{output};
        EXPECT_EQ(test::Program({USHERD, option, ""}, output).end(), 2);
        EXPECT_EQ(printed(), "usherd: " + option + ": is empty\n");
    }
}

TEST_F(Process, OnceProvisionsAndASecondOncePublishesNothing)
{
    const std::string tokens =
        "SELECT group_concat(token) FROM (SELECT token FROM join_credential ORDER BY meeting_id)";
    for (const std::string id : {"a", "b", "c"})
        add_meeting(id);
    EXPECT_EQ(Daemon(path, output, true).end(), 0);
    EXPECT_EQ(ask("SELECT count(*) FROM meeting_status WHERE state = 'ready'"), "3");
    EXPECT_EQ(ask("SELECT count(DISTINCT token) FROM join_credential"), "3");
    const std::string first = ask(tokens);
    EXPECT_EQ(Daemon(path, output, true).end(), 0);
    EXPECT_EQ(ask(tokens), first);
    EXPECT_NE(printed().find("0 meetings settled, 0 sessions created, 0 tokens published"), std::string::npos);
}

TEST_F(Process, ASecondDaemonIsToldOfTheFirst)
{
    Daemon first{path, folder.file("first")};
    ASSERT_TRUE(eventually([&] { return ask("SELECT epoch FROM daemon") == "1"; }));
    EXPECT_EQ(Daemon(path, output).end(), 1);
    EXPECT_NE(
        printed().find("another usherd is at work on it (pid " + std::to_string(first.process()) + " on "),
        std::string::npos
    ) << printed();
    EXPECT_EQ(first.end(SIGTERM), 0);
}

TEST_F(Process, StopsInOrderAndLeavesNoLog)
{
    Daemon daemon{path, output};
    add_meeting("m");
    ASSERT_TRUE(eventually([&] { return ready("m"); })) << printed();
    EXPECT_EQ(daemon.end(SIGTERM), 0) << printed();
    struct stat wal {};
    ASSERT_EQ(::stat((path + "-wal").c_str(), &wal), 0);
    EXPECT_EQ(wal.st_size, 0);
}

TEST_F(Process, OnceFailsWhenAMeetingThatIsWantedIsNotReady)
{
    add_meeting("m");
    platform().exec("UPDATE meeting SET project = 'nowhere'");
    EXPECT_EQ(Daemon(path, output, true).end(), 1);
    EXPECT_NE(
        printed().find("m: not ready: unknown_project: the configuration has no project \"nowhere\"; add it under "
                       "projects, or correct the meeting's project\n"),
        std::string::npos
    ) << printed();
}

TEST_F(Process, OnceServesAMeetingWhoseRowOfUshersCouldNotBeRead)
{
    add_meeting("m");
    add_meeting("beside");
    EXPECT_EQ(Daemon(path, output, true).end(), 0) << printed();
    platform().exec("UPDATE agenda SET detail = zeroblob(2000000), due_at = 0 WHERE meeting_id = 'm'");
    EXPECT_EQ(Daemon(path, output, true).end(), 0) << printed();
    EXPECT_EQ(ask("SELECT group_concat(state) FROM meeting_status"), "ready,ready");
}

TEST_F(Process, PrintsWhatRowsArgumentsAndPathsHoldWithoutObeyingIt)
{
    const std::string hostile = "x\x1b[2J\ny\u009b\u202e\xff";
    const std::string shown = "x\\x1b[2J\\x0ay\\u{9b}\\u{202e}\\xff";
    add_meeting("m");
    SQLite::Database writer = platform();
    SQLite::Statement rename{writer, "UPDATE meeting SET id = ?1, project = 'p' || ?1"};
    rename.bind(1, hostile);
    rename.exec();

    EXPECT_EQ(Daemon(path, output, true).end(), 1);
    EXPECT_NE(printed().find(shown + ": not ready: unknown_project: "), std::string::npos) << printed();
    EXPECT_NE(printed().find("no project \"p" + shown + "\";"), std::string::npos) << printed();
    const auto harmless = [&] {
        for (const std::string raw : {"\x1b", "\ny", "\u009b", "\u202e", "\xff"})
            EXPECT_EQ(printed().find(raw), std::string::npos) << raw << printed();
    };
    harmless();
    EXPECT_EQ(Daemon(folder.file(hostile), output).end(), 1);
    EXPECT_NE(printed().find(shown), std::string::npos) << printed();
    harmless();
    EXPECT_EQ(Daemon(path, output, false, hostile.c_str()).end(), 2);
    EXPECT_NE(printed().find("\\x1b[2J"), std::string::npos) << printed();
    harmless();
}

TEST_F(Process, GoesOnWhenAnIndexIsDroppedOrATableIsAViewForAWhile)
{
    Daemon daemon{path, output};
    add_meeting("a");
    EXPECT_TRUE(test::eventually([&] { return ready("a"); })) << printed();
    platform().exec("DROP INDEX agenda_by_day; DROP INDEX agenda_by_time; DROP TRIGGER usher_meeting_insert");
    EXPECT_TRUE(test::eventually([&] { // polls a process
        return ask("SELECT count(*) FROM sqlite_master "
                   "WHERE name IN ('agenda_by_day', 'agenda_by_time', 'usher_meeting_insert')") == "3";
    })) << printed();
    platform().exec("PRAGMA legacy_alter_table = ON; ALTER TABLE meeting RENAME TO other;"
                    "CREATE VIEW meeting AS SELECT * FROM other");
    EXPECT_TRUE(test::eventually([&] { // polls a process
        return ask("SELECT damage FROM usher_status") == "meeting is a view instead of a table";
    })) << printed();
    platform().exec("PRAGMA legacy_alter_table = ON; DROP VIEW meeting; ALTER TABLE other RENAME TO meeting");
    add_meeting("b");
    EXPECT_TRUE(test::eventually([&] { return ready("b"); })) << printed();
    EXPECT_TRUE(test::eventually([&] { // polls a process
        return ask("SELECT damage FROM usher_status").empty();
    })) << printed();
    EXPECT_EQ(daemon.end(SIGTERM), 0) << printed();
}

/// What was put back a moment ago is put back again a minute later.
TEST_F(Process, SaysOnceThatAnIndexIsGoneWhateverElseItDoesMeanwhile)
{
    const auto count = [&](std::string_view text) {
        const std::string all = printed();
        int found = 0;
        for (std::size_t at = all.find(text); at != std::string::npos; at = all.find(text, at + 1))
            ++found;
        return found;
    };
    Daemon daemon{path, output};
    add_meeting("a");
    ASSERT_TRUE(eventually([&] { return ready("a"); })) << printed();
    platform().exec("DROP INDEX agenda_by_time");
    ASSERT_TRUE(eventually([&] { return count("contract put back") == 1; })) << printed();
    platform().exec("DROP INDEX agenda_by_time");
    ASSERT_TRUE(eventually([&] { return count("schema incomplete") == 1; })) << printed();
    for (int reloads = 1; reloads <= 3; ++reloads) {
        daemon.signal(SIGHUP);
        ASSERT_TRUE(eventually([&] { return count("configuration loaded") == reloads; })) << printed();
    }
    EXPECT_EQ(daemon.end(SIGTERM), 0) << printed();
    EXPECT_EQ(count("schema incomplete"), 1) << printed();
    EXPECT_EQ(count("the database can be used again"), 0) << printed();
}

TEST_F(Process, OncePutsBackWhatItMay)
{
    add_meeting("m");
    platform().exec("DROP INDEX agenda_by_day; DROP VIEW join_credential; DROP TRIGGER usher_meeting_update");
    EXPECT_EQ(Daemon(path, output, true).end(), 0) << printed();
    EXPECT_TRUE(ready("m"));
}

TEST_F(Process, OnceFailsForTheRestOfTheContract)
{
    platform().exec("ALTER TABLE meeting DROP COLUMN title");
    EXPECT_EQ(Daemon(path, output, true).end(), 1);
    EXPECT_NE(
        printed().find("the contract is damaged: meeting lost the column title; do: usherctl init --repair\n"),
        std::string::npos
    ) << printed();
}

TEST_F(Process, OnceWaitsHalfAMinuteForATableThatItNeeds)
{
    add_meeting("m");
    EXPECT_EQ(Daemon(path, output, true).end(), 0) << printed();
    platform().exec("DROP VIEW join_credential; ALTER TABLE meeting DROP COLUMN title");
    EXPECT_EQ(Daemon(path, output, true).end(), 1);
    EXPECT_NE(
        printed().find("the contract is damaged: meeting lost the column title; do: usherctl init --repair\n"),
        std::string::npos
    ) << printed();
}

TEST_F(Process, ASecondSignalStopsAtOnce)
{
    Daemon daemon{path, output};
    ASSERT_TRUE(eventually([&] { return printed().find(" notice ready ") != std::string::npos; })) << printed();
    // A platform that keeps the write lock keeps the daemon from finishing what it has in hand.
    SQLite::Database other = platform();
    other.exec("BEGIN IMMEDIATE");
    other.exec("INSERT INTO participant (meeting_id, participant_id, role) VALUES ('m', 'ann', 'publisher')");
    SQLite::Database second = platform();
    other.exec("COMMIT");
    second.exec("BEGIN IMMEDIATE");
    ASSERT_TRUE(eventually([&] { return printed().find("database busy") != std::string::npos; })) << printed();

    // Both signals at one instant of the daemon's.
    ::kill(daemon.process(), SIGSTOP);
    ::kill(daemon.process(), SIGTERM);
    ::kill(daemon.process(), SIGINT);
    ::kill(daemon.process(), SIGCONT);

    EXPECT_EQ(daemon.end(), 1) << printed();
    EXPECT_NE(printed().find("stopped at once"), std::string::npos) << printed();
}

TEST_F(Process, AHangupTakesANewConfigurationAndABadOneLeavesTheOld)
{
    const std::string config = folder.file("usher.yaml");
    const auto configure = [&](std::string const& provider) {
        std::ofstream{config} << "database: " << path << "\nprojects: {default: {provider: sandbox}, " << provider
                              << "}\n";
    };
    configure("other: {provider: sandbox}");
    add_meeting("m");
    platform().exec("UPDATE meeting SET project = 'late'");
    Daemon daemon{config, output, false, "--config"};
    const auto state = [&] { return ask("SELECT state FROM meeting_status"); };
    ASSERT_TRUE(eventually([&] { return state() == "failed"; })) << printed();

    configure("late: {provider: sandbocks}");
    ::kill(daemon.process(), SIGHUP);
    ASSERT_TRUE(eventually([&] { return printed().find("configuration refused") != std::string::npos; })) << printed();
    EXPECT_EQ(state(), "failed");

    configure("late: {provider: sandbox}");
    ::kill(daemon.process(), SIGHUP);
    EXPECT_TRUE(eventually([&] { return ready("m"); })) << printed();
    EXPECT_EQ(daemon.end(SIGTERM), 0) << printed();
}

TEST_F(Process, NamesADatabaseThatItCannotUse)
{
    platform().exec("PRAGMA user_version = 99; DROP VIEW usher_status");
    EXPECT_EQ(Daemon(path, output).end(), 1);
    EXPECT_EQ(
        printed(), "usherd: " + path +
                       ": has schema version 99, this usher knows up to 1; install the newer usher that "
                       "wrote it, or, if another program did: PRAGMA user_version = 1\n"
    );
    platform().exec("PRAGMA application_id = 7");
    EXPECT_EQ(Daemon(path, output).end(), 1);
    EXPECT_EQ(
        printed(), "usherd: " + path +
                       ": has usher's tables but lacks usher's marks, as after a dump was read back; set them with: "
                       "usherctl --db " +
                       path + " init --repair, which is: PRAGMA application_id = 1970497650; PRAGMA user_version = 1\n"
    );
}

TEST_F(Process, SaysHowToCreateADatabaseThatIsNotThere)
{
    const std::string missing = folder.file("missing.db");
    EXPECT_EQ(Daemon(missing, output).end(), 1);
    EXPECT_EQ(
        printed(),
        "usherd: " + missing + ": No such file or directory; create it with: usherctl --db " + missing + " init\n"
    );
    EXPECT_NE(::access(missing.c_str(), F_OK), 0);
}

TEST_F(Process, ACancellationNeedsNoDaemon)
{
    add_meeting("m");
    ASSERT_EQ(Daemon(path, output, true).end(), 0);
    ASSERT_TRUE(ready("m"));
    platform().exec("UPDATE meeting SET status = 'cancelled'");
    EXPECT_FALSE(ready("m"));
}

TEST_F(Process, SurvivesTenKillsDuringAnImport)
{
    constexpr int kills = 10;
    // Each daemon gets a part of the import to itself, so that the import is not over before the last one runs.
    std::atomic<int> allowed{0};
    std::thread import{[&] {
        SQLite::Database database{path, SQLite::OPEN_READWRITE, 10000};
        for (int meeting = 0; meeting < meetings; meeting += meetings_each_commit) {
            while (meeting >= allowed)
                ::poll(nullptr, 0, 5);
            SQLite::Transaction transaction{database, SQLite::TransactionBehavior::IMMEDIATE};
            for (int i = meeting; i < meeting + meetings_each_commit; ++i) {
                const std::string id = "m" + std::to_string(i);
                database.exec(
                    "INSERT INTO meeting (id, starts_at, ends_at) VALUES ('" + id +
                    "', strftime('%s', 'now') + 300, strftime('%s', 'now') + 7200)"
                );
                SQLite::Statement insert{
                    database, "INSERT INTO participant (meeting_id, participant_id, role) VALUES (?, ?, 'publisher')"};
                for (int participant = 0; participant < participants_each; ++participant) {
                    insert.bind(1, id);
                    insert.bind(2, "p" + std::to_string(participant));
                    insert.exec();
                    insert.reset();
                }
            }
            transaction.commit();
        }
    }};
    for (int kill = 0; kill < kills; ++kill) {
        const std::string before = ask("SELECT seq FROM daemon");
        Daemon daemon{path, output};
        const std::string epoch = std::to_string(kill + 1);
        EXPECT_TRUE(eventually([&] { return ask("SELECT epoch FROM daemon") == epoch; })) << printed();
        allowed = (kill + 1) * meetings / kills;
        // It goes on where the one before was killed, and is killed in the middle of its work.
        EXPECT_TRUE(eventually([&] { return ask("SELECT seq FROM daemon") != before; })) << printed();
        EXPECT_EQ(daemon.end(SIGKILL), -SIGKILL);
        if (kill + 1 < kills) {
            EXPECT_LT(std::stoi(ask("SELECT count(*) FROM participant")), meetings * participants_each);
        }
    }
    import.join();
    EXPECT_EQ(Daemon(path, output, true).end(), 0) << printed();

    EXPECT_EQ(ask("SELECT count(*) FROM participant"), std::to_string(meetings * participants_each));
    EXPECT_EQ(ask("SELECT count(*) FROM join_credential"), std::to_string(meetings * participants_each));
    EXPECT_EQ(
        ask("SELECT count(*) FROM participant p WHERE (SELECT count(*) FROM join_credential c WHERE c.meeting_id = "
            "p.meeting_id AND c.participant_id = p.participant_id) <> 1"),
        "0"
    );
    EXPECT_EQ(ask("SELECT count(*) FROM agenda WHERE due_at <= CAST(strftime('%s', 'now') AS INTEGER)"), "0");
    EXPECT_EQ(ask("SELECT count(*) FROM meeting_status WHERE state <> 'ready'"), "0");
    EXPECT_EQ(ask("PRAGMA integrity_check"), "ok");
    EXPECT_EQ(test::check_database(path), "");
}

/// Runs `statement` in a process of another user; 0 when it worked.
int as_user(uid_t user, gid_t group, std::string const& path, bool write, std::string const& statement)
{
    const pid_t child = ::fork();
    if (child == 0) {
        if (::setgroups(0, nullptr) != 0 || ::setresgid(group, group, group) != 0 || ::setresuid(user, user, user) != 0)
            ::_exit(3);
        try {
            SQLite::Database database{path, write ? SQLite::OPEN_READWRITE : SQLite::OPEN_READONLY, 20000};
            if (write)
                database.exec(statement);
            else
                ::_exit(database.execAndGet(statement).getInt() > 0 ? 0 : 1);
            ::_exit(0);
        } catch (std::exception const& error) {
            std::fprintf(stderr, "%s\n", error.what());
            ::_exit(2);
        }
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(Process, AccountsReadAndWriteInEveryStateOfTheDaemon)
{
    if (::geteuid() != 0)
        GTEST_SKIP() << "needs root, to become other users";
    constexpr uid_t reader = 54321;
    constexpr uid_t writer = 54322;
    constexpr gid_t platforms = 54323;
    const std::string directory = path.substr(0, path.rfind('/'));
    ASSERT_EQ(::chmod(directory.c_str(), 02755), 0);
    for (std::string const& file : {path, path + "-wal", path + "-shm"})
        ASSERT_EQ(::chown(file.c_str(), 0, platforms), 0) << file;
    int round = 0;
    const auto check = [&](std::string const& state) {
        SCOPED_TRACE(state);
        EXPECT_EQ(as_user(reader, reader, path, false, "SELECT count(*) FROM join_credential"), 0);
        EXPECT_EQ(
            as_user(
                writer, platforms, path, true,
                "UPDATE meeting SET title = 'round " + std::to_string(++round) + "' WHERE id = 'm'"
            ),
            0
        );
        EXPECT_EQ(as_user(reader, reader, path, false, "SELECT count(*) FROM join_credential"), 0);
        EXPECT_NE(as_user(reader, reader, path, true, "DELETE FROM meeting"), 0);
    };
    add_meeting("m");
    {
        Daemon daemon{path, output};
        ASSERT_TRUE(eventually([&] { return ready("m"); })) << printed();
        check("running");
        EXPECT_EQ(daemon.end(SIGTERM), 0);
        check("stopped, and a platform was the last to close");
    }
    Daemon daemon{path, output};
    ASSERT_TRUE(eventually([&] { return ask("SELECT epoch FROM daemon") == "2"; }));
    daemon.end(SIGKILL);
    check("killed");
}

} // namespace
} // namespace usher
