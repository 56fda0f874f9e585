// SPDX-License-Identifier: Apache-2.0
// A restore that is killed at each of its steps, and what a copy must be.
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sqlite3.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "checker.hpp"
#include "machine.hpp"

namespace usher {
namespace {

using test::Program;
using test::read_text;

/// Whether a call changes the names of files, what they hold, or whose they are.
bool changes_files(std::uint64_t call)
{
    switch (call) {
    case SYS_renameat2:
    case SYS_unlinkat:
    case SYS_fsync:
    case SYS_fdatasync:
    case SYS_ftruncate:
    case SYS_fchmod:
    case SYS_fchown:
#ifdef SYS_rename
    case SYS_rename:
    case SYS_unlink:
    case SYS_chmod:
#endif
        return true;
    default: return false;
    }
}

/// Runs a program and kills it when it is about to change files for the `step`-th time, from 0. Whether it came so far.
bool is_killed_at(int step, std::vector<std::string> const& words, std::string const& output)
{
    Program program{words, output, [] {
                        ::setenv("ASAN_OPTIONS", "detect_leaks=0", 1); // LeakSanitizer ends what is traced
                        ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
                    }};
    const pid_t process = program.process();
    int status = 0;
    ::waitpid(process, &status, 0); // at its first instruction
    ::ptrace(PTRACE_SETOPTIONS, process, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
    for (int signal = 0;;) {
        ::ptrace(PTRACE_SYSCALL, process, nullptr, signal);
        ::waitpid(process, &status, 0);
        if (!WIFSTOPPED(status)) {
            EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << read_text(output);
            program.forget();
            return false;
        }
        signal = WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status);
        __ptrace_syscall_info call{};
        if (signal == 0 && ::ptrace(PTRACE_GET_SYSCALL_INFO, process, sizeof call, &call) > 0 &&
            call.op == PTRACE_SYSCALL_INFO_ENTRY && changes_files(call.entry.nr) && step-- == 0) {
            program.end(SIGKILL);
            return true;
        }
    }
}

class Restore : public test::Machine {
protected:
    std::string session() const { return ask("SELECT session_id FROM join_credential WHERE meeting_id = 'm'"); }

    /// All files of the database, but those that tell one file from its copy.
    void copy_files(std::string const& from, std::string const& to) const
    {
        std::filesystem::remove_all(to);
        std::filesystem::create_directory(to);
        for (auto const& file : std::filesystem::directory_iterator{from})
            if (!file.path().native().ends_with("-shm") && !file.path().native().ends_with(".lock"))
                std::filesystem::copy(file, to);
    }
};

TEST_F(Restore, LeavesTheOldDatabaseOrTheNewOneWheneverItIsKilled)
{
    const std::string here = folder.file("here");
    const std::string saved = folder.file("saved");
    std::filesystem::create_directory(here);
    path = here + "/usher.db";
    create_database(path, FileAccess::group_and_read);
    const std::string copy = folder.file("u.db");
    add_meeting("m");
    ASSERT_EQ(once().end(), 0) << printed();
    usherctl({"backup", copy});
    ASSERT_EQ(status, 0);
    // From here on it has another key, and sessions of it; all is in -wal.
    std::filesystem::remove(path + ".key");
    usherctl({"init", "--adopt-sessions"});
    ASSERT_EQ(status, 0);
    add_meeting("lost");
    ASSERT_EQ(once().end(), 0) << printed();
    {
        SQLite::Database log = platform();
        sqlite3_db_config(log.getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
        log.exec("UPDATE meeting SET title = 'in the log' WHERE id = 'lost'");
        ASSERT_GT(std::filesystem::file_size(path + "-wal"), 0U);
    }
    const std::string of_session = session();
    ASSERT_NE(read_text(path + ".key"), read_text(copy + ".key"));
    copy_files(here, saved);

    int old_ones = 0;
    int new_ones = 0;
    for (int step = 0;; ++step) {
        SCOPED_TRACE(step);
        copy_files(saved, here);
        const std::string answer = folder.file("answer");
        std::ofstream{answer};
        const bool killed = is_killed_at(step, {USHERCTL, "--db", path, "restore", copy, "--yes"}, answer);

        ASSERT_TRUE(exists(path)) << "nobody finds it";
        const std::string meetings = ask("SELECT group_concat(id || title) FROM (SELECT * FROM meeting ORDER BY id)");
        const bool is_old = meetings == "lostin the log,m";
        ASSERT_TRUE(is_old || meetings == "m") << meetings;
        ++(is_old ? old_ones : new_ones);
        EXPECT_EQ(ask("PRAGMA integrity_check"), "ok");
        EXPECT_EQ(once().end(), 0) << printed();
        EXPECT_EQ(session(), of_session) << "the key does not fit";
        EXPECT_EQ(test::check_database(path), "");
        if (!killed)
            break;
        usherctl({"restore", copy, "--yes"});
        ASSERT_EQ(status, 0);
        EXPECT_EQ(ask("SELECT group_concat(id) FROM meeting"), "m");
        EXPECT_EQ(read_text(path + ".key"), read_text(copy + ".key"));
        if (HasFailure())
            break;
    }
    EXPECT_GT(old_ones, 5);
    EXPECT_GT(new_ones, 2);
}

TEST_F(Restore, ABackupThatIsKilledLeavesTheFormerCopyOrTheNewOne)
{
    const std::string copy = folder.file("u.db");
    add_meeting("m");
    ASSERT_EQ(once().end(), 0) << printed();
    const std::string of_session = session();
    usherctl({"backup", copy});
    ASSERT_EQ(status, 0);
    add_meeting("later");
    for (int step = 0;; ++step) {
        SCOPED_TRACE(step);
        const std::string answer = folder.file("answer");
        std::ofstream{answer};
        const bool killed = is_killed_at(step, {USHERCTL, "--db", path, "backup", copy, "--yes"}, answer);

        const std::string moved = folder.file("moved.db");
        std::ofstream{answer};
        ASSERT_EQ(Program({USHERCTL, "--db", moved, "restore", copy, "--yes"}, answer).end(), 0) << read_text(answer);
        SQLite::Database restored{moved};
        EXPECT_EQ(restored.execAndGet("SELECT session_id FROM join_credential").getString(), of_session);
        if (!killed)
            break;
    }
    EXPECT_EQ(SQLite::Database{copy}.execAndGet("SELECT count(*) FROM meeting").getInt(), 2);
}

TEST_F(Restore, LeavesNoCopyBehindWhenItsQuestionIsInterrupted)
{
    const std::string copy = folder.file("u.db");
    usherctl({"backup", copy});
    ASSERT_EQ(status, 0);
    const int keyboard = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ASSERT_EQ(::grantpt(keyboard), 0);
    ASSERT_EQ(::unlockpt(keyboard), 0);
    const std::string terminal = ::ptsname(keyboard);
    Program asks{{USHERCTL, "--db", path, "restore", copy}, folder.file("answer"), [&] {
                     ::setsid();
                     const int end = ::open(terminal.c_str(), O_RDWR); // its controlling terminal
                     for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
                         ::dup2(end, standard);
                 }};
    std::string shown;
    const auto shows = [&](char const* text) {
        return test::eventually([&] {
            pollfd readable{keyboard, POLLIN, 0};
            char byte = 0;
            while (shown.find(text) == std::string::npos && ::poll(&readable, 1, 0) > 0 &&
                   ::read(keyboard, &byte, 1) == 1)
                shown += byte;
            return shown.find(text) != std::string::npos;
        });
    };
    ASSERT_TRUE(shows("[y/N]")) << shown;
    EXPECT_TRUE(exists(path + ".restoring"));
    ASSERT_EQ(::write(keyboard, "\x03", 1), 1); // Ctrl-C

    EXPECT_TRUE(shows("Nothing was done.")) << shown;
    EXPECT_EQ(asks.end(), 1) << shown;
    EXPECT_FALSE(exists(path + ".restoring"));
    ::close(keyboard);
}

TEST_F(Restore, RefusesTheKeyOfAnotherDatabase)
{
    const std::string copy = folder.file("u.db");
    add_meeting("m");
    ASSERT_EQ(once().end(), 0) << printed();
    usherctl({"backup", copy});
    ASSERT_EQ(status, 0);
    const std::string right = read_text(copy + ".key");
    const std::string key = read_text(path + ".key");
    add_meeting("kept");

    std::ofstream{copy + ".key"} << std::string(64, 'a') << '\n';
    const std::string answer = usherctl({"restore", copy, "--yes"});

    EXPECT_EQ(status, 1);
    EXPECT_NE(answer.find(copy + ".key: is the key of another database"), std::string::npos) << answer;
    EXPECT_NE(answer.find("put the right one there"), std::string::npos) << answer;
    EXPECT_EQ(ask("SELECT count(*) FROM meeting"), "2");
    EXPECT_EQ(read_text(path + ".key"), key);
    EXPECT_FALSE(exists(path + ".restoring"));
    std::ofstream{copy + ".key"} << right;
    usherctl({"restore", copy, "--yes"});
    EXPECT_EQ(status, 0);
}

/// After a move to another machine, or beside a database that was made anew.
TEST_F(Restore, RefusesACopyThatTheKeyInPlaceDoesNotFit)
{
    const std::string copy = folder.file("u.db");
    add_meeting("m");
    ASSERT_EQ(once().end(), 0) << printed();
    const std::string of_session = session();
    usherctl({"backup", copy});
    ASSERT_EQ(status, 0);
    std::filesystem::remove(copy + ".key");
    const std::string other = folder.file("other.db");
    create_database(other, FileAccess::group_and_read);
    path = other;
    add_meeting("kept");
    ASSERT_EQ(once().end(), 0) << printed();
    const std::string key = read_text(path + ".key");

    const std::string answer = usherctl({"restore", copy, "--yes"});

    EXPECT_EQ(status, 1);
    EXPECT_NE(
        answer.find(path + ".key: is the key of another database: no session of " + copy + " is sealed with it"),
        std::string::npos
    ) << answer;
    EXPECT_NE(answer.find("put the key of that copy beside it as " + copy + ".key, or accept"), std::string::npos)
        << answer;
    EXPECT_EQ(ask("SELECT group_concat(id) FROM meeting"), "kept");
    EXPECT_EQ(read_text(path + ".key"), key);

    const std::string adopted = folder.file("adopted");
    std::ofstream{adopted};
    ASSERT_EQ(Program({USHERCTL, "--db", copy, "init", "--adopt-sessions"}, adopted).end(), 0) << read_text(adopted);
    usherctl({"restore", copy, "--yes"});
    ASSERT_EQ(status, 0);
    for (const int start : {1, 2}) {
        EXPECT_EQ(once().end(), 0) << printed();
        EXPECT_EQ(session(), of_session) << start;
    }
}

TEST_F(Restore, SaysThatNoKeyIsThere)
{
    const std::string copy = folder.file("u.db");
    usherctl({"backup", copy});
    usherctl({"restore", copy, "--yes"});
    EXPECT_EQ(status, 0);
    const std::string unkeyed = usherctl({"restore", copy, "--yes"});
    EXPECT_EQ(unkeyed.find("note"), std::string::npos) << "there is no session: " << unkeyed;
    EXPECT_NE(unkeyed.find(".replaced.\nWhat was written since "), std::string::npos) << unkeyed;
    add_meeting("m");
    ASSERT_EQ(once().end(), 0) << printed();
    usherctl({"backup", copy, "--yes"});
    std::filesystem::remove(copy + ".key");
    std::filesystem::remove(path + ".key");

    const std::string unasked = usherctl({"restore", copy});
    EXPECT_NE(unasked.find("is lost. Then there is no key: usherd starts only where"), std::string::npos) << unasked;
    const std::string answer = usherctl({"restore", copy, "--yes"});

    EXPECT_EQ(status, 0);
    EXPECT_NE(
        answer.find(
            "note       there is no key: usherd starts only where systemd gives it the one of these sessions, as "
            "usher.db.key\n  do: put the key of the copy there as " +
            path + ".key, or: usherctl --db " + path + " init --adopt-sessions\n"
        ),
        std::string::npos
    ) << answer;
    usherctl({"init", "--adopt-sessions"});
    EXPECT_EQ(once().end(), 0) << printed();
}

TEST_F(Restore, RefusesACopyWhoseContractIsDamaged)
{
    const std::string copy = folder.file("u.db");
    add_meeting("m");
    usherctl({"backup", copy});
    ASSERT_EQ(status, 0);
    SQLite::Database{copy, SQLite::OPEN_READWRITE}.exec("DROP VIEW join_credential; DROP TABLE door");
    add_meeting("kept");

    const std::string answer = usherctl({"restore", copy, "--yes"});

    EXPECT_EQ(status, 1);
    EXPECT_NE(answer.find(copy + ": the contract is damaged there: the table door is gone, and "), std::string::npos)
        << answer;
    EXPECT_NE(answer.find("; mend the copy first: usherctl --db " + copy + " init --repair\n"), std::string::npos)
        << answer;
    EXPECT_EQ(ask("SELECT count(*) FROM meeting"), "2");
    EXPECT_FALSE(exists(path + ".restoring"));
    EXPECT_FALSE(exists(path + ".replaced"));

    const std::string repaired = folder.file("repaired");
    std::ofstream{repaired};
    ASSERT_EQ(Program({USHERCTL, "--db", copy, "init", "--repair"}, repaired).end(), 0) << read_text(repaired);
    EXPECT_EQ(usherctl({"restore", copy, "--yes"}).find("Done, checked"), 0U);
    EXPECT_EQ(ask("SELECT count(*) FROM meeting"), "1");
}

TEST_F(Restore, WaitsForWhoReadsWhatWasCommittedLast)
{
    const std::string copy = folder.file("u.db");
    add_meeting("m");
    usherctl({"backup", copy});
    SQLite::Database reader = platform();
    reader.exec("BEGIN");
    reader.execAndGet("SELECT count(*) FROM meeting");
    add_meeting("kept");

    const std::string answer = usherctl({"restore", copy, "--yes"});

    EXPECT_EQ(status, 1);
    EXPECT_NE(answer.find("somebody reads in it"), std::string::npos) << answer;
    EXPECT_EQ(ask("SELECT count(*) FROM meeting"), "2");
    reader.exec("COMMIT");
    usherctl({"restore", copy, "--yes"});
    EXPECT_EQ(status, 0);
    EXPECT_EQ(ask("SELECT count(*) FROM meeting"), "1");
}

TEST_F(Restore, ASnapshotOfTheMachineIsNoticedByWord)
{
    add_meeting("m");
    ASSERT_EQ(once().end(), 0) << printed();
    const std::string seq = ask("SELECT max(seq) FROM meeting_status");
    {
        const Program daemon = usherd();
        ASSERT_TRUE(said("ready who=")) << printed();
        EXPECT_NE(usherctl({"restore", "--noticed"}).find(") is at work. Nothing was done.\n"), std::string::npos);
        EXPECT_EQ(status, 1);
    }
    EXPECT_EQ(ask("SELECT restores FROM usher_status"), "0");

    EXPECT_EQ(
        usherctl({"restore", "--noticed"}),
        "Noted: restores is 1, so that who follows changes starts anew.\ndo: systemctl start usher\n"
    );

    EXPECT_EQ(status, 0);
    EXPECT_EQ(ask("SELECT restores FROM usher_status"), "1");
    EXPECT_EQ(once().end(), 0) << printed();
    EXPECT_EQ(ask("SELECT restores FROM usher_status"), "1") << "once is enough";
    EXPECT_EQ(ask("SELECT restore_cursor IS NULL FROM daemon"), "1");
    EXPECT_EQ(ask("SELECT min(seq) > " + seq + " FROM meeting_status"), "1");
    usherctl({"restore"});
    EXPECT_EQ(status, 2);
    usherctl({"restore", folder.file("u.db"), "--noticed"});
    EXPECT_EQ(status, 2);
}

} // namespace
} // namespace usher
