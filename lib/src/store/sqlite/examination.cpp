// SPDX-License-Identifier: Apache-2.0
#include <usher/store/examination.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <usher/core/printable.hpp>
#include <usher/store/database.hpp>

#include "companions.hpp"
#include "connection.hpp"
#include "file_health.hpp"

namespace usher {

namespace {

constexpr char const* unopened_check = "database";
constexpr std::size_t sentence_bytes_max = 1000;
constexpr std::int64_t mebibyte = 1 << 20;
constexpr std::int64_t day = 86400;
constexpr std::uint64_t room_needed = 1'000'000'000;  // bytes
constexpr std::uint64_t room_urgent = 256 * mebibyte; // a busy -wal grows so far
constexpr std::uint64_t inodes_needed = 1000;
constexpr std::int64_t read_unasked = 1024 * mebibyte; // a larger database is read by wish only
constexpr std::int64_t numbers_end = std::int64_t{1} << 62;
constexpr std::int64_t numbers_low = std::int64_t{1} << 40; // so many are left

std::string mode_text(mode_t mode)
{
    std::array<char, 8> text{};
    std::snprintf(text.data(), text.size(), "%04o", static_cast<unsigned>(mode & 07777U));
    return text.data();
}

std::string user_of(uid_t id)
{
    if (passwd const* const found = ::getpwuid(id))
        return printable(found->pw_name);
    return std::to_string(id);
}

std::string group_of(gid_t id)
{
    if (group const* const found = ::getgrgid(id))
        return printable(found->gr_name);
    return std::to_string(id);
}

std::string name_of(std::string const& path)
{
    return printable(path.substr(path.rfind('/') + 1));
}

std::string folder_of(std::string const& path)
{
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

std::optional<struct stat> look_at(std::string const& path)
{
    struct stat found {};
    return ::stat(path.c_str(), &found) == 0 ? std::optional{found} : std::nullopt;
}

class Examiner {
public:
    explicit Examiner(std::string path) : path_{std::move(path)}, folder_{folder_of(path_)} {}

    Examination examine(bool full)
    {
        look("rights", [&] { rights(); });
        look("disk", [&] { disk(); });
        look("backup", [&] { backup(); });
        std::unique_ptr<SQLite::Database> database;
        try {
            database = open_connection(path_, Access::read_only);
        } catch (DatabaseDamaged const& error) {
            return unopened(error, "systemctl stop usher; usherctl restore BACKUP");
        } catch (DatabaseError const& error) {
            return unopened(error, "mend what is named");
        }
        look("wal", [&] { log(*database); });
        look("integrity", [&] { integrity(*database, full); });
        look("numbers", [&] { numbers(*database); });
        look("key", [&] { key(*database); });
        return std::move(result_);
    }

private:
    /// What cannot be looked at is a finding of its own.
    void look(char const* check, std::function<void()> const& work)
    {
        check_ = check;
        result_.checked.emplace_back(check);
        try {
            work();
        } catch (SQLite::Exception const& error) {
            problem(printable(error.what()), way_out_of(error.getErrorCode() & 0xff));
        }
    }

    static std::string way_out_of(int code)
    {
        switch (code) {
        case SQLITE_ERROR:
        case SQLITE_SCHEMA: return "usherctl init --repair"; // a table or a column is gone
        case SQLITE_BUSY:
        case SQLITE_LOCKED: return "end the transaction that is open";
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB: return "systemctl stop usher; usherctl restore BACKUP";
        default: return "mend what is named";
        }
    }

    Examination unopened(DatabaseError const& error, std::string const& otherwise)
    {
        check_ = unopened_check;
        problem(
            printable(error.fault(), sentence_bytes_max),
            error.way_out().empty() ? otherwise : printable(error.way_out(), sentence_bytes_max)
        );
        return std::move(result_);
    }

    void problem(std::string text, std::string way_out)
    {
        result_.findings.push_back({check_, true, std::move(text), std::move(way_out)});
    }
    void note(std::string text, std::string way_out)
    {
        result_.findings.push_back({check_, false, std::move(text), std::move(way_out)});
    }

    void rights()
    {
        const auto folder = look_at(folder_);
        const auto file = look_at(path_);
        if (!file && errno == ENOENT)
            return; // which is told by who tries to open it
        if (!folder || !file)
            return problem(
                printable(path_) + " cannot be looked at by this account", "run it as root or as the daemon's user"
            );
        const std::string group = group_of(file->st_gid);
        const bool for_group = (file->st_mode & 0060U) == 0060U;
        const bool for_all = (file->st_mode & 0004U) != 0;
        const std::string folder_text = printable(folder_) + " (" + mode_text(folder->st_mode) + " " +
                                        user_of(folder->st_uid) + ":" + group_of(folder->st_gid) + ")";
        const std::string wanted_mode = for_all ? "2755" : "2750";
        const std::string chmod = "chmod " + wanted_mode + " " + shell_word(folder_);
        if ((folder->st_mode & 0022U) != 0)
            problem(
                "others than its owner may write to " + folder_text +
                    ": the last of them to close deletes -wal and -shm",
                chmod
            );
        else if (for_group && (folder->st_gid != file->st_gid || (folder->st_mode & 0050U) != 0050U) && (folder->st_mode & 0005U) != 0005U)
            problem(
                group + " may use " + name_of(path_) + " but not enter " + folder_text,
                "chgrp " + group + " " + shell_word(folder_) + "; " + chmod
            );
        else if (for_all && (folder->st_mode & 0005U) != 0005U)
            problem("everybody may read " + name_of(path_) + " but not enter " + folder_text, chmod);
        if (!for_group)
            note(
                "only " + user_of(file->st_uid) + " may write " + name_of(path_) + " (" + mode_text(file->st_mode) +
                    ")",
                "chmod 0660 " + shell_word(path_)
            );
        for (char const* const suffix : {"-wal", "-shm"})
            companion(path_ + suffix, *file);
    }

    /// Whoever may use the database must be able to use what lies beside it likewise.
    void companion(std::string const& name, struct stat const& file)
    {
        const auto found = look_at(name);
        if (!found)
            return;
        const mode_t lacking = file.st_mode & ~found->st_mode & 0066U;
        const bool other_group = found->st_gid != file.st_gid && (file.st_mode & 0060U) != 0;
        if (lacking == 0 && !other_group)
            return;
        const std::string who = (lacking & 0060U) != 0 || other_group ? group_of(file.st_gid) : "everybody";
        char const* const verb = (lacking & 0044U) != 0 || other_group ? " cannot read " : " cannot write ";
        problem(
            who + verb + name_of(name) + " (" + mode_text(found->st_mode) + " " + group_of(found->st_gid) + ")",
            "chgrp " + group_of(file.st_gid) + " " + shell_word(name) + "; chmod " + mode_text(file.st_mode & 0666U) +
                " " + shell_word(name)
        );
    }

    void disk()
    {
        struct statfs kind {};
        if (::statfs(folder_.c_str(), &kind) == 0) {
            constexpr std::array<std::uint32_t, 6> over_the_network{
                {0x6969, 0x517b, 0xfe534d42, 0xff534d42, 0x01021997, 0x00c36400}}; // nfs, smb, 9p, ceph
            if (std::find(over_the_network.begin(), over_the_network.end(), static_cast<std::uint32_t>(kind.f_type)) !=
                over_the_network.end())
                problem(
                    printable(folder_) + " is on another machine, where locks and shared memory do not work",
                    "move the database to a disk of this machine"
                );
        }
        struct statvfs room {};
        if (::statvfs(folder_.c_str(), &room) != 0)
            return;
        const auto file = look_at(path_);
        const std::uint64_t free = std::uint64_t{room.f_bavail} * room.f_frsize;
        const std::uint64_t wanted =
            std::max(room_needed, file ? 2 * static_cast<std::uint64_t>(file->st_size) : std::uint64_t{0});
        if (free < wanted) {
            std::string text = std::to_string(free / mebibyte) + " MiB are free in " + printable(folder_) + "; " +
                               std::to_string(wanted / mebibyte) + " MiB should be";
            free < room_urgent ? problem(std::move(text), "free space there")
                               : note(std::move(text), "free space there");
        }
        if (room.f_files > 0 && room.f_favail < inodes_needed)
            problem(
                std::to_string(room.f_favail) + " more files may be made in " + printable(folder_),
                "remove files that nobody needs"
            );
    }

    void log(SQLite::Database& database)
    {
        if (const std::string mode = database.execAndGet("PRAGMA journal_mode").getString(); mode != "wal")
            problem(
                "the journal mode is " + printable(mode) + ": readers wait for writers",
                "have platforms leave journal_mode alone; systemctl restart usher"
            );
        const auto size = look_at(path_ + "-wal");
        if (!size || size->st_size < held_log_bytes)
            return;
        std::string text = std::to_string(size->st_size / mebibyte) + " MiB";
        for (std::string const& reader : readers())
            text += "; " + reader + " reads in it";
        note(text, "end the transaction that is open");
    }

    /// Processes that hold a lock on -shm, as the system lists them: `pid 2201 (python3)`.
    std::vector<std::string> readers() const
    {
        constexpr std::size_t shown = 5;
        const auto shared = look_at(path_ + "-shm");
        std::vector<std::string> result;
        if (!shared)
            return result;
        std::ifstream locks{"/proc/locks"};
        std::set<long> pids;
        for (std::string line; std::getline(locks, line) && result.size() < shown;) {
            std::istringstream words{line};
            std::string number, kind, advisory, access, file;
            long pid = 0;
            if (!(words >> number >> kind >> advisory >> access >> pid >> file) || pid <= 0 || pid == ::getpid())
                continue;
            if (file.substr(file.rfind(':') + 1) != std::to_string(shared->st_ino) || !pids.insert(pid).second)
                continue;
            std::string name;
            std::getline(std::ifstream{"/proc/" + std::to_string(pid) + "/comm"}, name);
            if (name != "usherd")
                result.push_back("pid " + std::to_string(pid) + " (" + printable(name) + ")");
        }
        return result;
    }

    /// Of backups by other tools nothing is known: who never made one with usherctl is not told.
    void backup()
    {
        const std::time_t now = std::time(nullptr);
        const auto days_since = [&](std::time_t instant) { return (now - instant) / day; };
        if (const auto last = look_at(path_ + ".backed-up"); last && days_since(last->st_mtime) >= 1) {
            const std::int64_t days = days_since(last->st_mtime);
            note(
                "usherctl backup was last run " + std::to_string(days) + (days == 1 ? " day ago" : " days ago"),
                "look at its timer; or, where another tool does it now: rm " + shell_word(path_ + ".backed-up")
            );
        }
        if (const auto copy = look_at(path_ + ".restoring"); copy && days_since(copy->st_mtime) >= 1)
            note(
                name_of(path_) + ".restoring, with all its tokens, was left by a restore that was killed",
                "rm -f " + shell_word(path_ + ".restoring") + " " + shell_word(path_ + ".restoring.key")
            );
    }

    void integrity(SQLite::Database& database, bool full)
    {
        const auto file = look_at(path_);
        if (!full && file && file->st_size > read_unasked)
            return note(
                "not read through: it has " + std::to_string(file->st_size / mebibyte) + " MiB",
                "usherctl doctor --full"
            );
        const Soundness found = soundness_of(database, full ? Look::whole : Look::quick, 3);
        for (std::string const& wrong : found.wrong)
            problem(printable(wrong), "systemctl stop usher; usherctl restore BACKUP");
        for (std::string const& table : found.left_out)
            note(
                "not looked at: " + printable(table),
                "have the index or CHECK that needs it use a function and a collation of SQLite's own"
            );
    }

    void numbers(SQLite::Database& database)
    {
        SQLite::Statement sequences{database, "SELECT substr(name, 1, 64), seq FROM sqlite_sequence WHERE seq > ?"};
        sequences.bind(1, numbers_end - numbers_low);
        while (sequences.executeStep())
            problem(
                "the numbers of " + printable(sequences.getColumn(0).getString()) + " are nearly used up",
                "have the platform write its rows to a new database"
            );
    }

    void key(SQLite::Database& database)
    {
        const std::string name = path_ + ".key";
        const auto found = look_at(name);
        if (found && !S_ISREG(found->st_mode))
            return problem(name_of(name) + " is not a file", "put the key of the backup in its place");
        if (found && (found->st_mode & 0077U) != 0)
            return problem(
                name_of(name) + " can be read by others than its owner (" + mode_text(found->st_mode) + ")",
                "chmod 0600 " + shell_word(name)
            );
        if (found && ::access(name.c_str(), R_OK) == 0) {
            std::optional<Seal> seal;
            try {
                seal = read_key(name);
            } catch (DatabaseError const& error) {
                return problem(name_of(name) + " is no key of usher's", "put the key of the backup in its place");
            }
            if (seal && !seals_some(database, *seal))
                problem(
                    name_of(name) + " is the key of another database: no session is sealed with it",
                    "put the key of the backup in its place, or that which a restore left as .replaced.key"
                );
        }
        const bool may_look = ::access(folder_.c_str(), X_OK) == 0;
        if (found || !may_look || database.execAndGet("SELECT EXISTS (SELECT 1 FROM session)").getInt() == 0)
            return;
        note(
            name_of(name) + " is missing; usherd starts without it only where systemd gives it the key",
            "bring it back from the backup, or: usherctl init --adopt-sessions"
        );
    }

    std::string path_;
    std::string folder_;
    std::string check_;
    Examination result_;
};

} // namespace

Examination examine_store(std::string const& path, bool full)
{
    return Examiner{real_path(path)}.examine(full);
}

} // namespace usher
