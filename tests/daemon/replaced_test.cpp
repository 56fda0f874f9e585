// SPDX-License-Identifier: Apache-2.0
// A database whose file is replaced, by hand and by usherctl, and one whose tables are rebuilt beside the daemon.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <ostream>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

#include "checker.hpp"
#include "machine.hpp"

namespace usher {
namespace {

using test::eventually;
using test::Program;
using test::read_text;

enum class State { running, stopped, killed };
enum class Way { move, copy, copy_with_dates };

class Replaced : public test::Machine, public testing::WithParamInterface<std::tuple<State, Way, char const*>> {
protected:
    /// As an administrator would, who knows nothing of -wal.
    void replace(std::string const& copy, Way way) const
    {
        if (way == Way::move) {
            std::filesystem::rename(copy, path);
            return;
        }
        struct stat file {};
        ASSERT_EQ(::stat(copy.c_str(), &file), 0);
        std::ofstream{path, std::ios::binary} << read_text(copy);
        if (way == Way::copy_with_dates) {
            const timespec times[2] = {file.st_atim, file.st_mtim};
            ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
        }
    }
};

TEST_P(Replaced, TheNewFileIsServedWithNothingOfTheOld)
{
    const auto [state, way, taken] = GetParam();
    const std::string copy = folder.file("copy.db");
    std::optional<Program> daemon{usherd()};
    add_meeting("old");
    ASSERT_TRUE(gets_ready("old")) << printed();
    if (std::string{taken} == "vacuum")
        platform().exec("VACUUM INTO '" + copy + "'");
    else
        platform().backup(copy.c_str(), SQLite::Database::BackupType::Save);
    add_meeting("lost");
    ASSERT_TRUE(gets_ready("lost")) << printed();
    // The pages that the copy has otherwise, too many for one page.
    for (int i = 0; i < 30; ++i)
        add_meeting("lost" + std::to_string(i));
    ASSERT_TRUE(gets_ready("lost29")) << printed();
    // While all that was written since the copy is in -wal alone, the copy changes nothing; and while the daemon moves
    // it, nobody can tell what is in the file.
    ASSERT_TRUE(eventually([&] {
        SQLite::Database database = platform();
        SQLite::Statement moved{database, "PRAGMA wal_checkpoint(PASSIVE)"};
        return moved.executeStep() && moved.getColumn(0).getInt() == 0 &&
               moved.getColumn(1).getInt() == moved.getColumn(2).getInt(); // else the daemon is at it
    }));
    if (state == State::stopped) {
        ASSERT_EQ(daemon->end(SIGTERM), 0) << printed();
    }
    if (state == State::killed)
        daemon->end(SIGKILL);

    replace(copy, way);

    if (state == State::running && way != Way::move) {
        // What is written at the instant in which the daemon takes its note of the file is what it takes note of: then
        // once more, with something else.
        auto written = std::chrono::steady_clock::now();
        ASSERT_TRUE(eventually([&] {
            if (const auto now = std::chrono::steady_clock::now(); now - written > std::chrono::seconds{5}) {
                written = now;
                std::ofstream{path, std::ios::binary} << read_text(copy) + '\n';
            }
            return says("the database file was ") || is_mixed();
        })) << printed();
    }
    if (state == State::running) {
        EXPECT_EQ(daemon->end(), 1) << printed();
        // A page that is read while the file is overwritten may be the first thing that is noticed; then the next start
        // sets the -wal aside.
        const bool came_late = way != Way::move && is_mixed();
        EXPECT_TRUE(came_late || says("the database file was ")) << printed();
        struct stat log {};
        EXPECT_TRUE(came_late || ::stat((path + "-wal").c_str(), &log) != 0 || log.st_size == 0);
    }
    EXPECT_EQ(once().end(), 0) << printed();
    EXPECT_EQ(ask("PRAGMA integrity_check"), "ok");
    // All pages that a backup lacks may be in the -wal of a killed daemon: then the copy changed nothing.
    const bool may_be_whole = state == State::killed && std::string{taken} == "backup";
    if (!may_be_whole || ask("SELECT count(*) FROM meeting") != "32") {
        EXPECT_EQ(ask("SELECT group_concat(id) FROM meeting"), "old");
    }
    EXPECT_TRUE(is_ready("old"));
    EXPECT_EQ(test::check_database(path), "");
}

INSTANTIATE_TEST_SUITE_P(
    InEveryOrder, Replaced,
    testing::Combine(
        testing::Values(State::running, State::stopped, State::killed),
        testing::Values(Way::move, Way::copy, Way::copy_with_dates), testing::Values("vacuum", "backup")
    )
);

TEST_F(Replaced, AKilledDaemonsOwnLogIsPlayed)
{
    std::optional<Program> daemon{usherd()};
    for (int i = 0; i < 5; ++i)
        add_meeting("m" + std::to_string(i));
    ASSERT_TRUE(gets_ready("m4")) << printed();
    daemon->end(SIGKILL);
    struct stat log {};
    ASSERT_EQ(::stat((path + "-wal").c_str(), &log), 0);
    ASSERT_GT(log.st_size, 0);
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), nullptr, 0), 0); // a new date is no new file

    EXPECT_EQ(once().end(), 0) << printed();
    EXPECT_FALSE(says("set aside")) << printed();
    EXPECT_EQ(ask("SELECT count(*) FROM meeting"), "5");
}

TEST_F(Replaced, ADaemonThatWasKilledBeforeItTookNoteLeavesALogThatDoesNotFit)
{
    const std::string copy = folder.file("copy.db");
    std::optional<Program> daemon{usherd()};
    add_meeting("old");
    ASSERT_TRUE(gets_ready("old")) << printed();
    ASSERT_EQ(daemon->end(SIGTERM), 0) << printed();
    platform().exec("VACUUM INTO '" + copy + "'");
    daemon.emplace(usherd());
    for (int i = 0; i < 30; ++i)
        add_meeting("lost" + std::to_string(i));
    ASSERT_TRUE(gets_ready("lost29")) << printed();
    daemon->end(SIGKILL);
    std::ofstream{path + ".lock", std::ios::trunc}.flush();

    replace(copy, Way::copy_with_dates);

    EXPECT_EQ(once().end(), 0) << printed();
    EXPECT_TRUE(says("set aside")) << printed();
    EXPECT_TRUE(exists(path + "-wal.foreign"));
    EXPECT_EQ(ask("SELECT group_concat(id) FROM meeting"), "old");
    EXPECT_EQ(test::check_database(path), "");
}

class Overwritten : public test::Machine, public testing::WithParamInterface<char const*> {};

TEST_P(Overwritten, IsNoticedWhileTheLogIsEmpty)
{
    std::optional<Program> daemon{usherd()};
    add_meeting("m");
    ASSERT_TRUE(gets_ready("m")) << printed();
    const std::string older = folder.file("older.db");
    platform().exec("VACUUM INTO '" + older + "'");
    const auto log_is_empty = [&] {
        struct stat log {};
        return ::stat((path + "-wal").c_str(), &log) == 0 && log.st_size == 0;
    };
    ASSERT_TRUE(eventually(log_is_empty)) << printed();

    // Each time with something else, until the daemon has taken note of what is there.
    const std::string contents = GetParam() == std::string{"older"} ? read_text(older) : GetParam();
    std::size_t times = 0;
    EXPECT_TRUE(eventually([&] {
        std::ofstream{path, std::ios::binary} << contents + std::string(++times, '\n');
        return says("the database file was overwritten") || is_mixed();
    })) << printed();
    EXPECT_EQ(daemon->end(), 1) << printed();
}

INSTANTIATE_TEST_SUITE_P(InPlace, Overwritten, testing::Values("", "not a database", "older"));

/// -wal and -shm under a running daemon, which is stopped for a moment, so that others come first.
struct Loss {
    char const* files;    ///< What is removed, or "cut", or "begun anew" by somebody else.
    char const* writer;   ///< Who writes a meeting then: "nobody", one who "stayed", or one who is "new".
    char const* expected; ///< The meetings that are left.
    char const* sentence;

    friend std::ostream& operator<<(std::ostream& out, Loss const& loss)
    {
        return out << loss.files << ", " << loss.writer;
    }
};

class LogLost : public test::Machine, public testing::WithParamInterface<Loss> {
protected:
    /// With no lock in its hands, and nothing to write: what it wrote later would take the place of what others did.
    void halt(Program const& daemon) const
    {
        std::uintmax_t size = 0;
        int same = 0;
        ASSERT_TRUE(eventually([&] {
            const std::uintmax_t now = std::filesystem::file_size(path + "-wal");
            same = now == std::exchange(size, now) ? same + 1 : 0;
            return same == 10;
        }));
        SQLite::Database lock = platform();
        lock.exec("BEGIN IMMEDIATE");
        ::kill(daemon.process(), SIGSTOP);
    }
};

TEST_P(LogLost, TheDaemonLeavesAndNothingThatCouldBeKeptIsLost)
{
    const Loss loss = GetParam();
    const std::string files = loss.files;
    Program daemon = usherd();
    ASSERT_TRUE(said("ready who=")) << printed(); // else the platform's close moves what it wrote into the database
    add_meeting("old");
    ASSERT_TRUE(gets_ready("old")) << printed();
    std::optional<SQLite::Database> who_stays; // whose -shm any other connection of this process would share
    // Who reads in a -shm that was cut is killed, and who stays saves what is in -wal by leaving.
    if (loss.writer != std::string{"new"} && files.starts_with("-")) {
        who_stays.emplace(platform());
        ASSERT_EQ(who_stays->execAndGet("SELECT count(*) FROM meeting").getInt(), 1);
    }
    halt(daemon);
    for (const std::string suffix : {"-wal", "-shm"})
        if (files.find(suffix) != std::string::npos && files.starts_with("cut"))
            std::filesystem::resize_file(path + suffix, 16384);
        else if (files.find(suffix) != std::string::npos)
            std::filesystem::remove(path + suffix);
    if (files.starts_with("begun anew"))
        std::ofstream{path + "-wal"} << std::string(100, '\0');
    if (loss.writer == std::string{"stayed"})
        who_stays->exec(rows_of("later"));
    if (loss.writer == std::string{"new"})
        add_meeting("later");
    ::kill(daemon.process(), SIGCONT);

    EXPECT_EQ(daemon.end(), 1) << printed();
    EXPECT_TRUE(says(loss.sentence)) << printed();
    EXPECT_TRUE(says("restart all programs that had it open")) << printed();
    if (who_stays) {
        const Program early = usherd();
        EXPECT_TRUE(said("has it open since before its -wal or -shm was removed or cut; end or restart")) << printed();
        who_stays->exec("UPDATE meeting SET title = 'written meanwhile'");
        who_stays.reset();
        EXPECT_TRUE(said("the database can be used again") || said("ready who=")) << printed();
    }
    EXPECT_EQ(once().end(), 0) << printed();
    EXPECT_EQ(ask("PRAGMA integrity_check"), "ok");
    EXPECT_EQ(ask("SELECT group_concat(id) FROM (SELECT id FROM meeting ORDER BY id DESC)"), loss.expected);
    EXPECT_EQ(test::check_database(path), "");
}

INSTANTIATE_TEST_SUITE_P(
    InEveryOrder, LogLost,
    testing::Values(
        Loss{"-shm", "nobody", "old", "was removed while it was in use; all that was committed is kept"},
        Loss{"-shm", "stayed", "old,later", "was removed while it was in use; all that was committed is kept"},
        Loss{"-shm", "new", "old,later", "was removed while it was in use; others wrote beside it"},
        Loss{"-wal", "nobody", "old", "was removed while it was in use; all that was committed is kept"},
        Loss{"-wal", "stayed", "old,later", "was removed while it was in use; all that was committed is kept"},
        Loss{"-wal -shm", "nobody", "old", "was removed while it was in use; all that was committed is kept"},
        Loss{"-wal -shm", "stayed", "old,later", "was removed while it was in use; all that was committed is kept"},
        Loss{"begun anew -wal", "nobody", "old", "was removed while it was in use; others wrote beside it"},
        Loss{"cut -shm", "nobody", "old", "was cut while it was in use; all that was committed is kept"}
    )
);

TEST_F(LogLost, WhatIsLeftOfALogThatWasCutIsKept)
{
    Program daemon = usherd();
    add_meeting("old");
    ASSERT_TRUE(gets_ready("old")) << printed();
    halt(daemon);
    ASSERT_EQ(platform().execAndGet("PRAGMA wal_checkpoint(PASSIVE)").getInt(), 0);
    add_meeting("lost");
    std::filesystem::resize_file(path + "-wal", 0);
    ::kill(daemon.process(), SIGCONT);

    EXPECT_EQ(daemon.end(), 1) << printed();
    EXPECT_TRUE(says("was cut while it was in use; what was committed last may be lost")) << printed();
    EXPECT_EQ(once().end(), 0) << printed();
    EXPECT_EQ(ask("PRAGMA integrity_check"), "ok");
    EXPECT_EQ(ask("SELECT group_concat(id) FROM meeting"), "old");
    EXPECT_EQ(test::check_database(path), "");
}

TEST_F(LogLost, AStopSavesWhatItCan)
{
    Program daemon = usherd();
    add_meeting("old");
    ASSERT_TRUE(gets_ready("old")) << printed();
    halt(daemon);
    std::filesystem::remove(path + "-shm");
    add_meeting("later");
    ::kill(daemon.process(), SIGTERM);
    ::kill(daemon.process(), SIGCONT);

    EXPECT_EQ(daemon.end(), 1) << printed();
    EXPECT_TRUE(says("was removed while it was in use")) << printed();
    EXPECT_EQ(once().end(), 0) << printed();
    EXPECT_EQ(ask("SELECT count(*) FROM meeting"), "2");
    EXPECT_TRUE(is_ready("later"));
}

TEST_F(Replaced, AFileThatIsMovedAwayKeepsAllThatWasWritten)
{
    Program daemon = usherd();
    add_meeting("m");
    ASSERT_TRUE(gets_ready("m")) << printed();
    const std::string kept = folder.file("kept.db");
    std::filesystem::rename(path, kept);
    EXPECT_EQ(daemon.end(), 1) << printed();
    SQLite::Database database{kept, SQLite::OPEN_READONLY};
    EXPECT_EQ(database.execAndGet("SELECT count(*) FROM join_credential").getInt(), 1);
    EXPECT_FALSE(exists(path + "-wal"));
}

TEST_F(Replaced, AnOlderCopyThatSqliteWritesUnderAnIdleDaemonIsNoticedAndMeetingsAreNumberedAnew)
{
    const std::string copy = folder.file("copy.db");
    Program daemon{usherd()};
    add_meeting("m");
    ASSERT_TRUE(gets_ready("m")) << printed();
    platform().backup(copy.c_str(), SQLite::Database::BackupType::Save);
    platform().exec("INSERT INTO request (action, project) VALUES ('rotate', 'default')");
    ASSERT_TRUE(eventually([&] { return ask("SELECT state FROM request_status") == "done"; })) << printed();
    const std::string seq = ask("SELECT seq FROM usher_status");

    platform().backup(copy.c_str(), SQLite::Database::BackupType::Load);

    EXPECT_TRUE(eventually([&] {
        return ask("SELECT restores FROM usher_status") == "1" &&
               ask("SELECT restore_cursor IS NULL FROM daemon") == "1" &&
               ask("SELECT min(seq) > " + seq + " FROM meeting_status") == "1";
    })) << printed();
    EXPECT_EQ(daemon.end(SIGTERM), 0) << printed();
}

TEST_F(Replaced, ABackupIsWholePrivateAndHasKeyAndMark)
{
    const Program daemon = usherd();
    add_meeting("m");
    ASSERT_TRUE(gets_ready("m")) << printed();
    const std::string copy = folder.file("u.db");

    const std::string answer = usherctl({"backup", copy});

    EXPECT_EQ(status, 0) << answer;
    EXPECT_EQ(answer, "Done, checked: " + copy + ", " + copy + ".key, " + copy + ".mark. Keep them secret.\n");
    for (const std::string file : {"", ".key", ".mark"}) {
        struct stat made {};
        ASSERT_EQ(::stat((copy + file).c_str(), &made), 0);
        EXPECT_EQ(made.st_mode & 07777U, 0600U) << file;
    }
    EXPECT_EQ(read_text(copy + ".key"), read_text(path + ".key"));
    EXPECT_EQ(read_text(copy + ".mark"), read_text(path + ".mark"));
    SQLite::Database database{copy, SQLite::OPEN_READWRITE};
    EXPECT_EQ(database.execAndGet("SELECT count(*) FROM join_credential").getInt(), 1);

    const std::string again = usherctl({"backup", copy});
    EXPECT_EQ(status, 1) << again;
    EXPECT_NE(again.find("no terminal to ask. Nothing was done.\ndo: add --yes\n"), std::string::npos) << again;
    usherctl({"backup", copy, "--yes"});
    EXPECT_EQ(status, 0);
    EXPECT_NE(usherctl({"backup", path, "--yes"}).find("is the database itself"), std::string::npos);
    EXPECT_EQ(status, 1);
}

TEST_F(Replaced, ABackupReplacesNothingThatADatabaseNeeds)
{
    const Program daemon = usherd();
    add_meeting("m");
    ASSERT_TRUE(gets_ready("m")) << printed();
    const auto back_up = [&](std::string const& database, std::string const& target) {
        const std::string answer = folder.file("answer");
        std::ofstream{answer};
        status = Program({USHERCTL, "--db", database, "backup", target, "--yes"}, answer).end();
        return read_text(answer);
    };
    const auto refused = [&](std::string const& database, std::string const& target, std::string const& reason) {
        EXPECT_EQ(back_up(database, target), "usherctl: " + reason + "; name another file\n");
        EXPECT_EQ(status, 1);
    };
    for (const std::string suffix : {"-wal", "-shm", "-journal", ".key", ".mark", ".lock", ".replaced", ".restoring"})
        refused(path, path + suffix, path + suffix + ": belongs to the database itself");
    std::filesystem::create_directory_symlink(folder.file(""), folder.file("there"));
    refused(
        path, folder.file("there/usher.db-journal"),
        folder.file("there/usher.db-journal") + ": belongs to the database itself"
    );
    std::filesystem::create_symlink(path + ".key", folder.file("link"));
    std::filesystem::create_hard_link(path + "-wal", folder.file("hard"));
    refused(path, folder.file("link"), folder.file("link") + ": belongs to the database itself");
    refused(path, folder.file("hard"), folder.file("hard") + ": belongs to the database itself");
    const std::string odd = folder.file("odd.key"); // which is what the copy's key would be called
    Program({USHERCTL, "--db", odd, "init"}, folder.file("answer")).end();
    refused(odd, folder.file("odd"), odd + ": is the database itself");

    const std::string fifo = folder.file("fifo");
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    for (std::string const& no_file : {fifo, folder.file("")})
        EXPECT_EQ(back_up(path, no_file), "usherctl: " + no_file + ": is not a regular file; name another one\n");

    const std::string answer = back_up(odd, path);

    EXPECT_NE(answer.find(path + ": another usherd is at work on it"), std::string::npos) << answer;
    EXPECT_EQ(status, 1);
    add_meeting("later");
    EXPECT_TRUE(gets_ready("later")) << printed();
    EXPECT_EQ(test::check_database(path), "");
}

TEST_F(Replaced, ARestoreNeedsAStoppedDaemonAndAnAnswer)
{
    std::optional<Program> daemon{usherd()};
    add_meeting("m");
    ASSERT_TRUE(gets_ready("m")) << printed();
    const std::string copy = folder.file("u.db");
    usherctl({"backup", copy});
    ASSERT_EQ(status, 0);
    add_meeting("lost");
    ASSERT_TRUE(gets_ready("lost")) << printed();

    EXPECT_EQ(usherctl({"status"}).find("All well: "), 0U);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(
        usherctl({"restore", copy, "--yes"}), "usherctl: restore: usherd (pid " + std::to_string(daemon->process()) +
                                                  ") is at work. Nothing was done.\ndo: systemctl stop usher\n"
    );
    EXPECT_EQ(status, 1);
    ASSERT_EQ(daemon->end(SIGTERM), 0);
    const std::string unasked = usherctl({"restore", copy});
    EXPECT_EQ(status, 1);
    EXPECT_EQ(unasked.find("What was written since "), 0U) << unasked;
    EXPECT_NE(unasked.find("no terminal to ask. Nothing was done.\ndo: add --yes\n"), std::string::npos) << unasked;
    EXPECT_TRUE(is_ready("lost"));
    EXPECT_FALSE(exists(path + ".restoring"));
}

class Restored : public Replaced {};

TEST_P(Restored, TheCopyIsInPlaceAndTheOldFileIsWhole)
{
    const State state = std::get<State>(GetParam());
    std::optional<Program> daemon{usherd()};
    add_meeting("m");
    ASSERT_TRUE(gets_ready("m")) << printed();
    const std::string copy = folder.file("u.db");
    const std::string key = read_text(path + ".key");
    usherctl({"backup", copy});
    ASSERT_EQ(status, 0);
    std::ofstream{path + ".key"} << "a later key";
    add_meeting("lost");
    ASSERT_TRUE(gets_ready("lost")) << printed();
    daemon->end(state == State::killed ? SIGKILL : SIGTERM);
    std::optional<SQLite::Database> platform_that_stays;
    if (state == State::running) { // the platform, that is
        platform_that_stays.emplace(platform());
        platform_that_stays->execAndGet("SELECT count(*) FROM meeting");
    }
    struct stat before {};
    ASSERT_EQ(::stat(path.c_str(), &before), 0);
    const std::string mark = read_text(path + ".mark");

    const std::string answer = usherctl({"restore", copy, "--yes"});

    ASSERT_EQ(status, 0) << answer;
    EXPECT_EQ(answer.find("Done, checked; the old file is " + path + ".replaced.\n"), 0U) << answer;
    EXPECT_EQ(answer.find("somebody has the old file open") != std::string::npos, state == State::running) << answer;
    EXPECT_NE(answer.find("do: systemctl start usher\n"), std::string::npos) << answer;
    struct stat after {};
    ASSERT_EQ(::stat(path.c_str(), &after), 0);
    EXPECT_EQ(after.st_mode, before.st_mode);
    EXPECT_EQ(after.st_uid, before.st_uid);
    EXPECT_TRUE(exists(path + "-wal"));
    EXPECT_TRUE(exists(path + "-shm"));
    EXPECT_EQ(read_text(path + ".key"), key);
    EXPECT_EQ(read_text(path + ".mark"), mark);
    EXPECT_EQ(ask("SELECT group_concat(id) FROM meeting"), "m");
    EXPECT_EQ(once().end(), 0) << printed();
    EXPECT_EQ(ask("PRAGMA integrity_check"), "ok");
    EXPECT_EQ(test::check_database(path), "");
    SQLite::Database old{path + ".replaced", SQLite::OPEN_READONLY};
    EXPECT_EQ(old.execAndGet("SELECT count(*) FROM join_credential").getInt(), 2);
}

INSTANTIATE_TEST_SUITE_P(
    InEveryState, Restored,
    testing::Combine(
        testing::Values(State::running, State::stopped, State::killed), testing::Values(Way::move),
        testing::Values("restore")
    )
);

TEST_F(Replaced, WhatIsNoCopyIsNotRestored)
{
    add_meeting("m");
    const std::string text = folder.file("text");
    std::ofstream{text} << std::string(10000, 'x');
    const std::string other = folder.file("other.db");
    SQLite::Database{other, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE}.exec("CREATE TABLE a (b)");
    const std::string damaged = folder.file("damaged.db");
    usherctl({"backup", damaged});
    ASSERT_EQ(status, 0);
    {
        std::fstream file{damaged, std::ios::in | std::ios::out | std::ios::binary};
        file.seekp(8192 * 3);
        file << std::string(8192 * 4, 'x');
    }
    struct Case {
        std::string file;
        std::string reason;
    };
    for (auto const& [file, reason] :
         {Case{text, "is no sound copy: file is not a database; name another one"},
          Case{other, "another program's SQLite database"}, Case{damaged, "is damaged"},
          Case{folder.file("none"), "No such file"},
          Case{folder.file(""), "is a directory, not a file; name a copy"}}) {
        SCOPED_TRACE(file);
        const std::string answer = usherctl({"restore", file, "--yes"});
        EXPECT_EQ(status, 1);
        EXPECT_NE(answer.find(reason), std::string::npos) << answer;
        EXPECT_EQ(ask("SELECT count(*) FROM meeting"), "1");
        EXPECT_FALSE(exists(path + ".restoring"));
        EXPECT_FALSE(exists(path + ".replaced"));
    }
}

/// A table, taken away in one transaction and put back in another.
class Rebuilt : public test::Machine {
protected:
    void take_away() const
    {
        SQLite::Database database = platform();
        database.exec("PRAGMA foreign_keys = OFF");
        definition_ =
            database
                .execAndGet("SELECT group_concat(sql, '; ') FROM (SELECT sql FROM sqlite_master WHERE tbl_name = "
                            "'participant' AND type IN ('table', 'index') AND sql IS NOT NULL ORDER BY type DESC)")
                .getString();
        database.exec("BEGIN IMMEDIATE; CREATE TABLE aside AS SELECT * FROM participant; DROP TABLE participant; COMMIT"
        );
    }
    void put_back() const
    {
        SQLite::Database database = platform();
        database.exec(
            "BEGIN IMMEDIATE; " + definition_ +
            "; INSERT INTO participant SELECT * FROM aside; DROP TABLE aside; COMMIT"
        );
    }

private:
    mutable std::string definition_;
};

TEST_F(Rebuilt, ATableThatIsGoneForAMomentIsWaitedFor)
{
    Program daemon = usherd();
    add_meeting("first");
    ASSERT_TRUE(gets_ready("first")) << printed();
    take_away();
    ASSERT_TRUE(said("schema incomplete, trying again reason=")) << printed();
    EXPECT_TRUE(says("no such table")) << printed();
    put_back();
    EXPECT_TRUE(said("the database can be used again")) << printed();
    add_meeting("second");
    EXPECT_TRUE(gets_ready("second")) << printed();
    const std::string text = printed();
    EXPECT_EQ(text.find("schema incomplete"), text.rfind("schema incomplete")) << text;
    EXPECT_EQ(daemon.end(SIGTERM), 0) << printed();
}

TEST_F(Rebuilt, ATableThatIsGoneAtTheStartIsWaitedFor)
{
    add_meeting("first");
    take_away();
    Program daemon = usherd();
    ASSERT_TRUE(said("schema incomplete, trying again reason=")) << printed();
    put_back();
    EXPECT_TRUE(gets_ready("first")) << printed();
    EXPECT_EQ(daemon.end(SIGTERM), 0) << printed();
}

TEST_F(Rebuilt, AStopIsServedMeanwhile)
{
    Program daemon = usherd();
    ASSERT_TRUE(said("ready who=")) << printed();
    take_away();
    ASSERT_TRUE(said("schema incomplete, trying again reason=")) << printed();
    EXPECT_EQ(daemon.end(SIGTERM), 0) << printed();
}

} // namespace
} // namespace usher
