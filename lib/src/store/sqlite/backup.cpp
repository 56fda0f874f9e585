// SPDX-License-Identifier: Apache-2.0
#include <usher/store/backup.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <usher/core/printable.hpp>
#include <usher/store/process.hpp>
#include <usher/store/sqlite/database_files.hpp>
#include <usher/store/sqlite/instance_lock.hpp>

#include "companions.hpp"
#include "connection.hpp"
#include "contract.hpp"
#include "file.hpp"
#include "waiting_key.hpp"

namespace usher {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t small_file_bytes_max = 1U << 16U;
constexpr int pages_at_once = 2048; // of a copy; 16 MiB
constexpr int empty_log_tries = 20;
constexpr auto empty_log_pause = 50ms;

/// An empty file that nobody else can open.
void make_empty(std::string const& path)
{
    ::unlink(path.c_str()); // what an interrupted run has left
    if (File{path, O_CREAT | O_EXCL | O_WRONLY} < 0)
        fail_by_errno(path, "cannot be created");
}

/// Keeps other backups from a file, and from its key. SQLite opens another one: on a network's file system its locks
/// and this one would be in each other's way.
class OnlyWriter {
public:
    explicit OnlyWriter(std::string const& target) : path_{target + ".partial"}, descriptor_{create_partial(path_)}
    {
        if (descriptor_ < 0 && errno == EWOULDBLOCK)
            throw DatabaseError{
                target + ": another program is writing it; wait until it has ended, or name another file"};
        if (descriptor_ < 0)
            fail_by_errno(path_, "cannot be created");
    }
    OnlyWriter(OnlyWriter const&) = delete;
    OnlyWriter& operator=(OnlyWriter const&) = delete;
    ~OnlyWriter()
    {
        ::unlink(path_.c_str()); // while it is locked
        ::close(descriptor_);
    }

private:
    std::string path_;
    int descriptor_;
};

void make_durable(std::string const& path)
{
    const File file{path, O_RDONLY};
    if (file < 0 || ::fsync(file) != 0)
        fail_by_errno(path, "cannot be made durable");
}

void move(std::string const& from, std::string const& to)
{
    if (::rename(from.c_str(), to.c_str()) != 0)
        fail_by_errno(from, "cannot be renamed to " + to);
}

/// Gives each of the two files the name of the other at one instant. False where the file system has no such thing.
bool exchange_names(std::string const& one, std::string const& other)
{
    if (::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP)
        fail_by_errno(one, "cannot be exchanged with " + other);
    return false;
}

/// A link that leads nowhere is there as well.
bool exists(std::string const& path)
{
    return ::faccessat(AT_FDCWD, path.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/// Gives new files the names of former ones. All former ones come back unless it is kept.
class Replacement {
public:
    Replacement() = default;
    Replacement(Replacement const&) = delete;
    Replacement& operator=(Replacement const&) = delete;
    ~Replacement()
    {
        for (auto done = done_.rbegin(); done != done_.rend(); ++done)
            if (done->is_former_kept)
                ::rename(done->aside.c_str(), done->name.c_str());
            else
                ::unlink(done->name.c_str());
    }

    /// What has this name, if anything, gets the other one until it is kept.
    void take_away(std::string const& name, std::string const& aside)
    {
        if (!exists(name))
            return;
        move(name, aside);
        done_.push_back({name, aside, true});
    }

    /// The file at `from` gets this name, and what has it the name `from`, until it is kept.
    void put(std::string const& from, std::string const& name)
    {
        expect_regular(name); // somebody may have put something else there meanwhile
        const bool replaces = exists(name);
        if (!replaces) {
            move(from, name);
        } else if (!exchange_names(from, name)) { // the name is nobody's for a moment then
            const std::string former = from + ".former";
            move(name, former);
            done_.push_back({name, former, true});
            move(from, name);
            done_.pop_back();
            move(former, from);
        }
        done_.push_back({name, from, replaces});
    }

    void keep()
    {
        for (Step const& step : done_)
            if (step.is_former_kept)
                ::unlink(step.aside.c_str());
        done_.clear();
    }

private:
    struct Step {
        std::string name;
        std::string aside;
        bool is_former_kept; ///< At `aside`.
    };
    std::vector<Step> done_;
};

/// Of a file that has its place beside the database and is small.
void copy_small(std::string const& from, std::string const& to)
{
    std::array<char, small_file_bytes_max> bytes{};
    const File source{from, O_RDONLY};
    const auto size = source < 0 ? -1 : ::read(source, bytes.data(), bytes.size());
    if (size < 0)
        fail_by_errno(from, "cannot be read");
    make_empty(to);
    const File target{to, O_WRONLY};
    if (target < 0 || ::write(target, bytes.data(), static_cast<std::size_t>(size)) != size || ::fsync(target) != 0)
        fail_by_errno(to, "cannot be written");
}

/// For examine_store(), where this account may. The file of another account is replaced.
void note_backup(std::string const& database)
{
    const std::string path = database + ".backed-up";
    ::unlink(path.c_str());
    const File file{path, O_CREAT | O_EXCL | O_WRONLY};
}

/// Where a file of that name is or would be, behind the links of its folder.
std::string place_of(std::string const& path)
{
    const auto slash = path.rfind('/');
    const std::string folder = real_path(folder_of(path));
    return (folder == "/" ? "" : folder) + "/" + path.substr(slash == std::string::npos ? 0 : slash + 1);
}

/// Whether both names mean one file, which need not be there.
bool is_same_file(std::string const& one, std::string const& other)
{
    if (place_of(one) == place_of(other) || real_path(one) == real_path(other))
        return true;
    struct stat first {};
    struct stat second {};
    return ::stat(one.c_str(), &first) == 0 && ::stat(other.c_str(), &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

/// `ok`, or the first thing that is wrong.
std::string checked(SQLite::Database& database)
{
    const Soundness found = soundness_of(database, Look::whole, 1);
    return found.wrong.empty() ? "ok" : found.wrong.front();
}

bool is_of_writing(int code)
{
    return code == SQLITE_IOERR_WRITE || code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_TRUNCATE;
}

/// Refuses a key with which no session of a copy is sealed; `of` is what it was copied from.
void expect_its_key(std::string const& copy, std::string const& of, std::string const& key, std::string const& to_do)
{
    const std::optional<Seal> seal = read_key(key);
    if (seal && !seals_some(*open_as_it_is(copy, Untouched::immutable), *seal))
        throw DatabaseError{
            key + ": is the key of another database: no session of " + of + " is sealed with it; " + to_do +
            ". Nothing was done"};
}

bool has_sessions(std::string const& copy)
{
    const auto database = open_as_it_is(copy, Untouched::immutable);
    return database->execAndGet("SELECT EXISTS (SELECT 1 FROM main.session)").getInt() != 0;
}

/// All pages of `source` at one instant, to an empty file beside the final one, checked.
void copy_pages(SQLite::Database& source, std::string const& from, std::string const& to, CopyProgress const& progress)
{
    const SQLite::Transaction snapshot{source}; // else each part would be of another instant, and begin anew
    source.execAndGet("SELECT count(*) FROM sqlite_master");
    {
        const auto target = open_as_it_is(to, Untouched::writable);
        target->exec("PRAGMA journal_mode = OFF");
        target->exec("PRAGMA synchronous = OFF"); // see make_durable
        const std::unique_ptr<sqlite3_backup, decltype(&sqlite3_backup_finish)> backup{
            sqlite3_backup_init(target->getHandle(), "main", source.getHandle(), "main"), sqlite3_backup_finish};
        int result = backup ? SQLITE_OK : sqlite3_errcode(target->getHandle());
        while (backup && result == SQLITE_OK) {
            const int before = sqlite3_backup_pagecount(backup.get()) - sqlite3_backup_remaining(backup.get());
            result = sqlite3_backup_step(backup.get(), pages_at_once);
            const int total = sqlite3_backup_pagecount(backup.get());
            const int done = total - sqlite3_backup_remaining(backup.get());
            if (progress)
                progress(static_cast<std::size_t>(done - before), static_cast<std::size_t>(total));
        }
        const int code = sqlite3_extended_errcode(target->getHandle());
        const int reason = sqlite3_system_errno(target->getHandle());
        if (result == SQLITE_FULL || is_of_writing(result) || is_of_writing(code))
            throw DatabaseError{
                to + ": cannot be written: " + describe_errno(result != SQLITE_FULL && reason != 0 ? reason : ENOSPC)};
        if (result != SQLITE_DONE)
            throw SQLite::Exception{sqlite3_errstr(result), result};
    }
    make_durable(to);
    const auto copy = open_as_it_is(to, Untouched::immutable);
    if (const std::string answer = checked(*copy); answer != "ok")
        throw DatabaseError{from + ": is damaged: " + answer};
}

/// What the copy lacks is mended there, and not while the database is waited for. One of an older schema is brought up
/// to date by the next start, which looks at it then.
void expect_contract(std::string const& copy, std::string const& from)
{
    const auto database = open_as_it_is(copy, Untouched::immutable);
    if (database->execAndGet("PRAGMA user_version").getInt() < schema_version_known())
        return;
    const ContractState state = Contract::get().compare(*database).state();
    if (state.damages.empty())
        return;
    const std::size_t others = state.damages.size() - 1;
    throw DatabaseError{
        from + ": the contract is damaged there: " + state.damages.front().sentence +
        (others > 0 ? ", and " + std::to_string(others) + " more" : "") + "; mend the copy first: usherctl --db " +
        shell_word(from) + " init --repair"};
}

/// Whoever is asked: the rows tell when they were last written to.
sys_seconds last_instant(std::string const& copy, std::string const& file)
{
    try {
        const auto database = open_as_it_is(copy, Untouched::immutable);
        const std::int64_t at =
            database->execAndGet("SELECT max(since, heartbeat) FROM daemon WHERE id = 1").getInt64();
        if (at > 0)
            return from_unix(at);
    } catch (SQLite::Exception const&) { // of a version that has other columns
    }
    struct stat status {};
    return from_unix(::stat(file.c_str(), &status) == 0 ? status.st_mtim.tv_sec : 0);
}

/// The mode and owner of `like`; without it those that `usherctl init` gives.
void take_rights(std::string const& path, std::string const& like)
{
    struct stat status {};
    if (::stat(like.c_str(), &status) != 0) {
        if (::stat(folder_of(like).c_str(), &status) != 0)
            fail_by_errno(folder_of(like), "cannot be looked at");
        status.st_mode = 0660;
        if (::geteuid() != 0)
            status.st_uid = ::geteuid();
    }
    const File file{path, O_RDONLY};
    struct stat ours {};
    if (file < 0 || ::fstat(file, &ours) != 0)
        fail_by_errno(path, "cannot be opened");
    const bool same = ours.st_uid == status.st_uid && ours.st_gid == status.st_gid;
    if ((!same && ::fchown(file, status.st_uid, status.st_gid) != 0) || ::fchmod(file, status.st_mode & 07777U) != 0)
        fail_by_errno(path, "cannot be given the owner and mode of " + like + "; run this as root or as its owner");
}

/// Who else has the former file, and what its -wal still holds.
struct Closing {
    std::unique_ptr<SQLite::Database> alone; ///< Keeps everybody else out until it is closed.
    bool is_whole = false;                   ///< The file is, without its -wal.
};

/// Moves all of -wal into the database, so that it is whole without it. Errors: DatabaseBusy while somebody reads in a
/// sound one.
Closing close_for_good(std::string const& path)
{
    try {
        auto alone = open_as_it_is(path, Untouched::writable, busy_timeout);
        alone->exec("PRAGMA locking_mode = EXCLUSIVE");
        alone->exec("BEGIN EXCLUSIVE; COMMIT");
        if (move_wal(*alone, CheckpointMode::truncate))
            return {std::move(alone), true};
    } catch (SQLite::Exception const&) { // others have it open, or it is damaged
    }
    try {
        const auto beside = open_as_it_is(path, Untouched::writable, busy_timeout);
        beside->execAndGet("SELECT count(*) FROM sqlite_master"); // which damage keeps it from
        move_wal(*beside, CheckpointMode::passive);
        for (int tries = 1; tries <= empty_log_tries; ++tries) {
            if (move_wal(*beside, CheckpointMode::truncate))
                return {nullptr, true};
            std::this_thread::sleep_for(empty_log_pause);
        }
    } catch (SQLite::Exception const&) { // it is damaged: its -wal is kept with it then
        return {};
    }
    throw DatabaseBusy{
        path + ": somebody reads in it, so that what was committed last cannot be kept with it; end or restart the "
               "programs that have it open, and restore again. Nothing was done"};
}

} // namespace

bool log_does_not_fit(std::string const& database)
{
    const auto is_whole = [&](Untouched how) {
        const auto opened = open_as_it_is(database, how, busy_timeout);
        harden(opened->getHandle());
        try {
            return checked(*opened) == "ok";
        } catch (SQLite::Exception const& error) {
            if (error.getErrorCode() == SQLITE_CORRUPT || error.getErrorCode() == SQLITE_NOTADB)
                return false;
            throw;
        }
    };
    try {
        return !is_whole(Untouched::writable) && is_whole(Untouched::immutable);
    } catch (SQLite::Exception const& error) {
        rethrow(error, database);
    }
}

void expect_other_file(std::string const& database, std::string const& target)
{
    const std::string own = real_path(database);
    for (const std::string written :
         {"", ".partial", ".copy", "-wal", "-shm", "-journal", ".key", ".mark", ".copy.key", ".copy.mark",
          ".copy.former", ".copy.key.former", ".copy.mark.former", ".copy.former-wal", ".copy.former-shm",
          ".copy.former-journal"})
        for (const std::string suffix :
             {"", "-wal", "-shm", "-journal", "-wal.foreign", ".key", ".key.new", ".mark", ".lock", ".restoring",
              ".restoring.key", ".backed-up", ".reload", ".reload.new", ".replaced", ".replaced-wal", ".replaced-shm",
              ".replaced.key"})
            if (is_same_file(target + written, own + suffix))
                throw DatabaseError{
                    target + written + (suffix.empty() ? ": is" : ": belongs to") +
                    " the database itself; name another file"};
}

std::vector<std::string> files_replaced_by_backup(std::string const& database, std::string const& target)
{
    std::vector<std::string> files;
    for (const std::string suffix : {"", ".key", ".mark"})
        if (exists(target + suffix) && (suffix.empty() || exists(real_path(database) + suffix)))
            files.push_back(target + suffix);
    return files;
}

std::vector<std::string>
back_up(std::string const& database, std::string const& target, std::string const& who, CopyProgress const& progress)
{
    expect_other_file(database, target);
    const std::string source_path = real_path(database);
    std::vector<std::string> companions; // that the database has
    for (const std::string suffix : {".key", ".mark"})
        if (exists(source_path + suffix)) {
            expect_regular(source_path + suffix);
            companions.push_back(suffix);
        }
    for (const std::string suffix : {"", ".key", ".mark", "-wal", "-shm", "-journal"})
        expect_regular(target + suffix);
    std::optional<InstanceLock> lock;
    if (const std::string replaced = real_path(target); exists(replaced + ".lock")) // a daemon works on it, or has
        lock.emplace(replaced, who);
    const OnlyWriter alone{target};
    const std::string copy = target + ".copy";
    try {
        try {
            const auto source = open_connection(database, Access::read_only);
            make_empty(copy);
            copy_pages(*source, database, copy, progress);
        } catch (SQLite::Exception const& error) {
            rethrow(error, database);
        }
        expect_its_key(copy, database, source_path + ".key", "usherctl doctor says what to do");
        if (exists(target + ".key") && !exists(source_path + ".key")) // which stays
            expect_its_key(copy, database, target + ".key", "move it away, or name another file for the copy");
        for (std::string const& suffix : companions)
            copy_small(source_path + suffix, copy + suffix);
        Replacement replacement;
        for (const std::string log : {"-wal", "-shm", "-journal"}) // of the former copy
            replacement.take_away(target + log, copy + ".former" + log);
        for (std::string const& suffix : companions)
            replacement.put(copy + suffix, target + suffix);
        replacement.put(copy, target); // after the key without which it is of no use
        make_durable(folder_of(target));
        replacement.keep();
    } catch (...) {
        for (const std::string suffix : {"", ".key", ".mark"})
            ::unlink((copy + suffix).c_str());
        throw;
    }
    note_backup(source_path);
    std::vector<std::string> files{target};
    for (std::string const& suffix : companions)
        files.push_back(target + suffix);
    return files;
}

struct Restore::Impl {
    Impl(std::string const& database, std::string const& backup, std::string const& who, CopyProgress const& progress);
    Impl(Impl const&) = delete;
    Impl& operator=(Impl const&) = delete;
    ~Impl();
    Replaced commit();
    void take_key();

    std::string database_;
    std::string backup_;
    InstanceLock lock_;
    std::string copy_;
    std::optional<std::string> key_; // likewise a copy
    bool lacks_key_ = false;
    sys_seconds taken_at_{};
};

Restore::Restore(
    std::string const& database, std::string const& backup, std::string const& who, CopyProgress const& progress
)
    : impl_{std::make_unique<Impl>(database, backup, who, progress)}
{}

Restore::~Restore() = default;

sys_seconds Restore::taken_at() const
{
    return impl_->taken_at_;
}

bool Restore::lacks_key() const
{
    return impl_->lacks_key_;
}

Restore::Replaced Restore::commit()
{
    return impl_->commit();
}

Restore::Impl::Impl(
    std::string const& database, std::string const& backup, std::string const& who, CopyProgress const& progress
)
    : database_{real_path(database)}, backup_{backup}, lock_{database_, who}, copy_{database_ + ".restoring"}
{
    take_waiting_key(database_); // of a restore that was killed
    if (real_path(backup) == database_)
        throw DatabaseError{backup + ": is the database itself; name a copy"};
    struct stat copied {};
    if (::stat(backup.c_str(), &copied) != 0)
        fail_by_errno(backup, "cannot be read");
    if (S_ISDIR(copied.st_mode))
        throw DatabaseError{backup + ": is a directory, not a file; name a copy"};
    if (!S_ISREG(copied.st_mode))
        throw DatabaseError{backup + ": is not a regular file; name a copy"};
    try {
        struct stat log {};
        const bool has_log = ::stat((backup + "-wal").c_str(), &log) == 0 && log.st_size > 0;
        try {
            const auto source = open_as_it_is(backup, has_log ? Untouched::shared : Untouched::immutable);
            check_version(*source, backup);
            make_empty(copy_);
            copy_pages(*source, backup, copy_, progress);
            expect_contract(copy_, backup);
        } catch (SQLite::Exception const& error) {
            if (const int code = error.getErrorCode() & 0xff; code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
                throw DatabaseError{backup + ": is no sound copy: " + error.what() + "; name another one"};
            rethrow(error, backup);
        }
        take_rights(copy_, database_);
        taken_at_ = last_instant(copy_, backup);
        take_key();
    } catch (...) {
        ::unlink(copy_.c_str());
        ::unlink((copy_ + ".key").c_str());
        throw;
    }
}

/// The key that will be beside the database is the copy's: a daemon takes every session off that it does not fit.
void Restore::Impl::take_key()
{
    const std::string given = backup_ + ".key";
    const std::string own = database_ + ".key";
    const std::string to_accept =
        "accept its sessions as they are: usherctl --db " + shell_word(backup_) + " init --adopt-sessions";
    if (exists(given)) {
        expect_its_key(copy_, backup_, given, "put the right one there, or " + to_accept);
        key_ = copy_ + ".key";
        copy_small(given, *key_);
        take_rights(*key_, database_);
        if (::chmod(key_->c_str(), 0600) != 0)
            fail_by_errno(*key_, "cannot be given its mode");
    } else if (exists(own)) {
        expect_its_key(copy_, backup_, own, "put the key of that copy beside it as " + given + ", or " + to_accept);
    } else {
        lacks_key_ = has_sessions(copy_);
    }
}

Restore::Impl::~Impl()
{
    ::unlink(copy_.c_str());
    if (key_)
        ::unlink(key_->c_str());
}

Restore::Replaced Restore::Impl::commit()
{
    Replaced result;
    const std::string log = database_ + "-wal";
    const std::string aside = database_ + ".replaced";
    const bool replaces = exists(database_);
    Closing former;
    if (replaces) {
        former = close_for_good(database_);
        result.replaced = aside;
        result.still_open = former.alone == nullptr;
    }
    if (key_)
        move(*key_, waiting_key(database_, copy_));
    else
        ::unlink(waiting_key(database_, copy_).c_str()); // that waited for another file of this number
    if (replaces) {
        for (const std::string suffix : {"-wal", "-shm"})
            ::unlink((aside + suffix).c_str());
        move(copy_, aside);
    }
    make_durable(folder_of(database_));
    // They go before the file gets its name: whoever came upon the old -wal and the new file would mix them.
    if (struct stat status{}; !former.is_whole && ::stat(log.c_str(), &status) == 0 && status.st_size > 0 && replaces)
        move(log, aside + "-wal");
    ::unlink(log.c_str());
    ::unlink((database_ + "-shm").c_str());
    if (!replaces) {
        move(copy_, database_);
    } else if (!exchange_names(aside, database_)) { // the name is nobody's for a moment then
        move(aside, copy_);
        move(database_, aside);
        move(copy_, database_);
    }
    take_waiting_key(database_);
    make_durable(folder_of(database_));
    former.alone.reset();
    open_connection(database_, Access::read_write); // leaves -wal and -shm, for platforms that could not make them
    return result;
}

std::int64_t note_restore(std::string const& database, std::string const& who)
{
    const std::string path = real_path(database);
    const InstanceLock lock{path, who};
    const auto connection = open_connection(path, Access::read_write);
    try {
        SQLite::Transaction transaction{*connection, SQLite::TransactionBehavior::IMMEDIATE};
        connection->exec("INSERT OR IGNORE INTO main.daemon (id) VALUES (1);"
                         "UPDATE main.daemon SET restore_cursor = 0, restores = max(CASE WHEN typeof(restores) = "
                         "'integer' THEN restores ELSE 0 END, 0) + 1 WHERE id = 1");
        const std::int64_t restores =
            connection->execAndGet("SELECT restores FROM main.daemon WHERE id = 1").getInt64();
        transaction.commit();
        return restores;
    } catch (SQLite::Exception const& error) {
        rethrow(error, path, connection->getHandle());
    }
}

} // namespace usher
