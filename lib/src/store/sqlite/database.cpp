// SPDX-License-Identifier: Apache-2.0
#include <usher/store/database.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <usher/core/printable.hpp>
#include <usher/store/process.hpp>

#include "connection.hpp"
#include "contract.hpp"
#include "file.hpp"
#include "migrations.hpp"

namespace usher {

namespace {

constexpr int wal_file_max = 32 << 20;
constexpr int sqlite_value_bytes_max = 1'000'000'000;

/// SQLite's own busy handler sleeps ever longer, up to 100 ms, and so loses against a platform that writes without a
/// pause. This one looks every millisecond, for as long in all.
int wait_a_millisecond(void* most, int tries)
{
    sqlite3_sleep(1); // by the VFS of the process, whose time may be a virtual one
    return tries < reinterpret_cast<std::intptr_t>(most) ? 1 : 0;
}

int pragma(SQLite::Database const& database, char const* statement)
{
    SQLite::Statement query{database, statement};
    query.executeStep();
    return query.getColumn(0).getInt();
}

std::string user_name(uid_t user)
{
    passwd const* found = ::getpwuid(user);
    return found != nullptr ? found->pw_name : std::to_string(user);
}

std::string group_name(gid_t group)
{
    ::group const* found = ::getgrgid(group);
    return found != nullptr ? found->gr_name : std::to_string(group);
}

/// Which of the database's files this account may not write, whose it is, and the commands that mend it.
DatabaseReadOnly why_read_only(std::string const& path)
{
    const std::string me = user_name(::geteuid());
    struct stat folder {};
    ::stat(folder_of(path).c_str(), &folder);
    for (std::string const& file : {path, path + "-wal", path + "-shm"}) {
        if (::faccessat(AT_FDCWD, file.c_str(), R_OK | W_OK, AT_EACCESS) == 0)
            continue;
        if (errno == EROFS)
            return {file + ": its file system is mounted read-only", "mount it for writing"};
        struct stat status {};
        if (errno != EACCES || ::stat(file.c_str(), &status) != 0)
            continue;
        std::array<char, 8> mode{};
        std::snprintf(mode.data(), mode.size(), "%04o", status.st_mode & 07777U);
        const std::string fault = file + ": the account " + me + " may not write it: it belongs to " +
                                  user_name(status.st_uid) + ":" + group_name(status.st_gid) + " with mode " +
                                  mode.data();
        if ((status.st_mode & (S_IRGRP | S_IWGRP)) == (S_IRGRP | S_IWGRP))
            return {fault, "as root: adduser " + me + " " + group_name(status.st_gid)};
        // Whoever asks, the database belongs to whom its folder belongs to.
        return {
            fault, "as root: chown " + user_name(folder.st_uid) + ":" + group_name(folder.st_gid) + " " +
                       shell_word(file) + " && chmod 0660 " + shell_word(file)};
    }
    return {
        path + ": may not be written by the account " + me,
        "its folder belongs to " + user_name(folder.st_uid) + ":" + group_name(folder.st_gid) +
            ", and must let the daemon's account create -wal and -shm"};
}

/// What the system has against opening `path`. SQLite does not tell.
int why_not_opened(std::string const& path)
{
    const int any = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (any < 0)
        return errno;
    ::close(any);
    return ::faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) == 0 ? 0 : errno;
}

/// A path as SQLite takes it for a file: `file:x` would be a URI to it, and `:memory:` no file at all.
std::string plain_file(std::string const& path)
{
    return path.starts_with("file:") || path.starts_with(":") ? "./" + path : path;
}

std::unique_ptr<SQLite::Database> open_file(std::string const& path, int flags, std::chrono::milliseconds patience)
{
    // SQLite counts its memory under a lock that all connections share, so the count is turned off. After the first
    // use of SQLite this call fails, which does no harm.
    [[maybe_unused]] static const int configured = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    try {
        auto database = std::make_unique<SQLite::Database>(plain_file(path), flags | SQLite::OPEN_NOMUTEX);
        set_patience(*database, patience);
        // -wal and -shm stay, so that platforms find them, whoever opens first.
        int persist = 1;
        sqlite3_file_control(database->getHandle(), "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
        harden(database->getHandle());
        return database;
    } catch (SQLite::Exception const& error) {
        const int reason = why_not_opened(path);
        if (reason == EACCES)
            throw why_read_only(path);
        throw DatabaseError{path + ": cannot be opened: " + (reason != 0 ? describe_errno(reason) : error.what())};
    }
}

/// A path as SQLite takes it in a URI, for a file that nobody writes to: it is read without locks and without a -wal.
std::string immutable_uri(std::string const& path)
{
    std::string uri = "file:";
    for (const char c : path) {
        std::array<char, 4> escaped{};
        std::snprintf(escaped.data(), escaped.size(), "%%%02X", static_cast<unsigned char>(c));
        if (c == '%' || c == '?' || c == '#')
            uri += escaped.data();
        else
            uri += c;
    }
    return uri + "?immutable=1";
}

void set_up(SQLite::Database& database, bool writable)
{
    if (writable) {
        database.exec("PRAGMA journal_mode = WAL");
        // The WAL's file stays, so that commits write where there are blocks already; a stop empties it.
        database.exec("PRAGMA journal_size_limit = " + std::to_string(wal_file_max));
    }
    database.exec("PRAGMA synchronous = FULL");
    database.exec("PRAGMA wal_autocheckpoint = 0"); // the daemon checkpoints off the writer's path
    database.exec(writable ? "PRAGMA cache_size = -16384" : "PRAGMA cache_size = -4096");
}

struct Marks {
    int application_id;
    int user_version;

    bool are_ours() const { return application_id == database_application_id && user_version > 0; }
};

Marks marks_of(SQLite::Database const& database)
{
    return {pragma(database, "PRAGMA application_id"), pragma(database, "PRAGMA user_version")};
}

std::string marking_sql(int version)
{
    return "PRAGMA application_id = " + std::to_string(database_application_id) +
           "; PRAGMA user_version = " + std::to_string(version);
}

/// Refuses what is not ours. Returns the schema's version; 0 for an empty file.
int known_version(SQLite::Database const& database, std::string const& path)
{
    const Marks marks = marks_of(database);
    const int newest = migrations().back().version;
    if (!marks.are_ours()) {
        if (pragma(database, "SELECT count(*) FROM sqlite_master") == 0 && marks.user_version == 0 &&
            (marks.application_id == 0 || marks.application_id == database_application_id))
            return 0;
        if (Contract::get().is_recognised_in(database))
            throw DatabaseError{
                path + ": has usher's tables but lacks usher's marks, as after a dump was read back",
                "set them with: usherctl --db " + shell_word(path) +
                    " init --repair, which is: " + marking_sql(newest)};
        throw DatabaseError{
            path + ": is another program's SQLite database (application_id " + std::to_string(marks.application_id) +
                ")",
            "give usher a file of its own"};
    }
    if (marks.user_version <= newest)
        return marks.user_version;
    if (Contract::get().compare(database).findings.empty())
        return newest; // a tool of the platform's keeps its own number there
    throw DatabaseError{
        path + ": has schema version " + std::to_string(marks.user_version) + ", this usher knows up to " +
            std::to_string(newest),
        "install the newer usher that wrote it, or, if another program did: PRAGMA user_version = " +
            std::to_string(newest)};
}

/// What a link at `path` leads to, whether that is there or not; nothing where no link is there.
std::optional<std::string> link_target(std::string const& path)
{
    std::string target(PATH_MAX, '\0');
    const auto size = ::readlink(path.c_str(), target.data(), target.size());
    if (size < 0)
        return std::nullopt;
    target.resize(static_cast<std::size_t>(size));
    return target.starts_with('/') ? target : folder_of(path) + "/" + target;
}

/// Errors: DatabaseError.
void expect_file(std::string const& path)
{
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0)
        return expect_regular(path);
    const int reason = errno;
    if (reason == EACCES)
        throw why_read_only(path);
    if (reason != ENOENT)
        throw DatabaseError{path + ": " + std::strerror(reason)};
    const std::optional<std::string> target = link_target(path);
    throw DatabaseError{
        path + ": " + (target ? "is a link to " + *target + ", which is not there" : std::strerror(reason)),
        "create it with: usherctl --db " + shell_word(target.value_or(path)) + " init"};
}

[[noreturn]] void fail_to_create(std::string const& path, int reason)
{
    const std::string fault = path + ": cannot be created: " + std::strerror(reason);
    struct stat folder {};
    const bool is_there = ::stat(folder_of(path).c_str(), &folder) == 0;
    if (reason == ENOENT)
        throw DatabaseError{fault, "make its folder first: mkdir -p " + shell_word(folder_of(path))};
    if (reason == EROFS)
        throw DatabaseReadOnly{fault, "mount its file system for writing"};
    if (reason == EACCES || reason == EPERM)
        throw DatabaseReadOnly{
            fault, is_there ? "run this as root, or as " + user_name(folder.st_uid) + ", to whom its folder belongs"
                            : "run this as root"};
    throw DatabaseError{path + ": cannot be created: " + describe_errno(reason)};
}

void migrate(SQLite::Database& database, int from)
{
    for (Migration const& migration : migrations()) {
        if (migration.version <= from)
            continue;
        SQLite::Transaction transaction{database, SQLite::TransactionBehavior::IMMEDIATE};
        if (pragma(database, "PRAGMA user_version") >= migration.version)
            continue; // another process was first
        database.exec(std::string{migration.sql});
        database.exec(marking_sql(migration.version));
        transaction.commit();
    }
}

void set_rights(std::string const& path, FileAccess access)
{
    const mode_t mode = access == FileAccess::group ? 0660 : 0664;
    for (std::string const& file : {path, path + "-wal", path + "-shm"})
        if (::chmod(file.c_str(), mode) != 0 && errno != ENOENT)
            throw errno == EPERM ? why_read_only(path)
                                 : DatabaseError{file + ": cannot set its rights: " + std::strerror(errno)};
}

} // namespace

std::unique_ptr<SQLite::Database>
open_as_it_is(std::string const& path, Untouched how, std::chrono::milliseconds patience)
{
    const bool immutable = how == Untouched::immutable;
    const int access = how == Untouched::writable ? SQLite::OPEN_READWRITE : SQLite::OPEN_READONLY;
    const int flags = access | (immutable ? SQLite::OPEN_URI : 0) | SQLite::OPEN_NOMUTEX;
    auto database = std::make_unique<SQLite::Database>(immutable ? immutable_uri(path) : plain_file(path), flags);
    int persist = 1;
    sqlite3_file_control(database->getHandle(), "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
    sqlite3_db_config(database->getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    set_patience(*database, patience);
    return database;
}

std::unique_ptr<SQLite::Database> open_in_memory()
{
    return std::make_unique<SQLite::Database>(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
}

void set_patience(SQLite::Database& database, std::chrono::milliseconds patience)
{
    void* const most = reinterpret_cast<void*>(std::intptr_t{patience.count()}); // NOLINT(performance-no-int-to-ptr)
    sqlite3_busy_handler(database.getHandle(), wait_a_millisecond, most);
}

std::string damaged_tables(sqlite3* database)
{
    std::string damaged;
    for (const std::string table :
         {"meeting", "participant", "block", "agenda", "session", "token", "token_past", "history"}) {
        sqlite3_stmt* check = nullptr;
        const std::string sql = "PRAGMA quick_check('" + table + "')";
        const bool is_whole = sqlite3_prepare_v2(database, sql.c_str(), -1, &check, nullptr) == SQLITE_OK &&
                              sqlite3_step(check) == SQLITE_ROW &&
                              std::string_view{reinterpret_cast<char const*>(sqlite3_column_text(check, 0))} == "ok";
        sqlite3_finalize(check);
        if (!is_whole)
            damaged += (damaged.empty() ? "" : ", ") + table;
    }
    return damaged;
}

std::string damage_text(std::string const& path, std::string const& tables, SQLite::Exception const& error)
{
    return path + ": " + (tables.empty() ? "a page" : tables) + " cannot be read: " + error.what() +
           "; stop usherd and put a backup in its place with usherctl restore";
}

bool needs_what_others_have(std::string_view what)
{
    return what.find("no such collation sequence") != std::string_view::npos ||
           what.find("unknown function") != std::string_view::npos ||
           what.find("no such function") != std::string_view::npos;
}

Soundness soundness_of(SQLite::Database& database, Look look, int most)
{
    const std::string pragma = look == Look::quick ? "PRAGMA quick_check" : "PRAGMA integrity_check";
    Soundness result;
    const auto add = [&](std::string const& argument) {
        SQLite::Statement check{database, pragma + "(" + argument + ")"};
        while (check.executeStep())
            if (std::string text = check.getColumn(0).getString(); text != "ok")
                result.wrong.push_back(std::move(text));
    };
    try {
        add(std::to_string(most));
        return result;
    } catch (SQLite::Exception const& error) {
        if (error.getErrorCode() != SQLITE_ERROR || !needs_what_others_have(error.what()))
            throw;
    }
    std::vector<std::string> tables;
    SQLite::Statement names{database, "SELECT name FROM main.sqlite_master WHERE type = 'table'"};
    while (names.executeStep())
        tables.push_back(names.getColumn(0).getString());
    for (std::string const& table : tables) {
        try {
            add(quoted_name(table));
        } catch (SQLite::Exception const& error) {
            if (error.getErrorCode() != SQLITE_ERROR || !needs_what_others_have(error.what()))
                throw;
            result.left_out.push_back(table + ": " + error.what());
        }
    }
    return result;
}

void rethrow(SQLite::Exception const& error, std::string const& path, sqlite3* handle)
{
    const std::string_view what = error.what();
    const auto says = [&](std::string_view part) { return what.find(part) != std::string_view::npos; };
    switch (error.getErrorCode() & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        throw DatabaseBusy{
            path + ": another connection holds the lock: " + error.what() + "; have it end its transaction"};
    case SQLITE_READONLY: throw why_read_only(path);
    case SQLITE_ERROR:
        if (needs_what_others_have(what))
            throw DatabaseError{
                path + ": " + error.what() +
                    ": an index or a CHECK that the platform added needs it, so that nobody else can write to that "
                    "table",
                "use a function and a collation of SQLite's own there"};
        // A view in the place of a table is prohibited to us.
        if (!says("no such ") && !says("has no column named") && !says(" prohibited"))
            break;
        [[fallthrough]];
    case SQLITE_SCHEMA:
        throw SchemaBroken{
            path + ": " + error.what() +
            "; a table of usher's is being rebuilt, or was taken away; if so: usherctl init --repair"};
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_FULL: {
        int reason = handle != nullptr ? sqlite3_system_errno(handle) : 0;
        if (reason == EAGAIN) // of a lock, and not what failed
            reason = 0;
        if (reason == 0 && (error.getErrorCode() & 0xff) == SQLITE_FULL)
            reason = ENOSPC;
        if (reason == EACCES || reason == EPERM || reason == EROFS)
            throw why_read_only(path);
        if (reason == ENOSPC || reason == EDQUOT)
            throw DatabaseFull{path + ": " + error.what() + ": " + describe_errno(reason)};
        throw DatabaseError{path + ": " + error.what() + (reason != 0 ? ": " + describe_errno(reason) : std::string{})};
    }
    case SQLITE_CORRUPT:
        if (handle != nullptr)
            throw DatabaseDamaged{damage_text(path, damaged_tables(handle), error)};
        [[fallthrough]];
    case SQLITE_NOTADB:
        throw DatabaseError{
            path + ": is no sound database: " + error.what(),
            "name another file, or put a copy in its place with usherctl restore"};
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT: throw RowError{path + ": " + error.what()};
    default: break;
    }
    throw DatabaseError{path + ": " + error.what()};
}

void read_any_size(SQLite::Database& database)
{
    sqlite3_limit(database.getHandle(), SQLITE_LIMIT_LENGTH, sqlite_value_bytes_max);
}

std::string shown_text(SQLite::Column const& column, std::size_t bytes_max)
{
    auto const* const bytes = static_cast<char const*>(column.getBlob());
    std::string_view text{bytes, static_cast<std::size_t>(column.getBytes())};
    if (text.size() <= bytes_max)
        return std::string{text};
    const auto begins_character = [&](std::size_t at) {
        return (static_cast<unsigned char>(text[at]) & 0xc0U) != 0x80U;
    };
    constexpr std::size_t character_bytes_max = 4;
    for (std::size_t end = bytes_max; end > bytes_max - character_bytes_max; --end)
        if (begins_character(end))
            return std::string{text.substr(0, end)} + "...";
    return std::string{text.substr(0, bytes_max)} + "...";
}

bool move_wal(SQLite::Database& database, CheckpointMode mode)
{
    const int sqlite_mode = mode == CheckpointMode::passive   ? SQLITE_CHECKPOINT_PASSIVE
                            : mode == CheckpointMode::restart ? SQLITE_CHECKPOINT_RESTART
                                                              : SQLITE_CHECKPOINT_TRUNCATE;
    set_patience(database, std::chrono::milliseconds{0}); // it would wait for readers with the write lock in its hands
    const int result = sqlite3_wal_checkpoint_v2(database.getHandle(), "main", sqlite_mode, nullptr, nullptr);
    set_patience(database, busy_timeout);
    const int what = result & 0xff;
    // On a full disk it is tried again; what fails otherwise may have lost pages that nothing will write a second time.
    if (what != SQLITE_OK && what != SQLITE_BUSY && what != SQLITE_LOCKED && what != SQLITE_FULL)
        throw SQLite::Exception{database.getHandle(), result};
    if (mode == CheckpointMode::passive) {
        // SQLite leaves this to whoever moves the last page, who then waits for the disk with the write lock held.
        sqlite3_file* file = nullptr;
        sqlite3_file_control(database.getHandle(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
        if (file != nullptr && file->pMethods != nullptr)
            if (const int synced = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL); synced != SQLITE_OK)
                throw SQLite::Exception{"disk I/O error: the database cannot be synced", synced};
    }
    return what == SQLITE_OK;
}

void expect_one_name(std::string const& path)
{
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink > 1)
        throw DatabaseError{
            path +
            ": has another name too (a hard link), beside which SQLite would keep another -wal: remove one of the two, "
            "find them with: find -samefile " +
            shell_word(path)};
}

std::string real_path(std::string const& path)
{
    char* resolved = ::realpath(path.c_str(), nullptr);
    if (resolved == nullptr)
        return path;
    std::string result = resolved;
    std::free(resolved);
    return result;
}

std::unique_ptr<SQLite::Database>
open_for_tables(std::string const& path, Access access, std::chrono::milliseconds patience)
{
    expect_file(path);
    auto database =
        open_file(path, access == Access::read_only ? SQLite::OPEN_READONLY : SQLite::OPEN_READWRITE, patience);
    try {
        const int version = known_version(*database, path);
        if (version == 0)
            throw DatabaseError{
                path + ": is empty", "create its tables with: usherctl --db " + shell_word(path) + " init"};
        if (version < migrations().back().version && access == Access::read_only)
            throw DatabaseError{
                path + ": has schema version " + std::to_string(version),
                "migrate it with: usherctl --db " + shell_word(path) + " init"};
        set_up(*database, access == Access::read_write);
        if (access == Access::read_write) {
            migrate(*database, version);
            if (marks_of(*database).user_version > version)
                database->exec(marking_sql(version));
        }
    } catch (SQLite::Exception const& error) {
        rethrow(error, path, database->getHandle());
    }
    return database;
}

std::unique_ptr<SQLite::Database>
open_connection(std::string const& path, Access access, std::chrono::milliseconds patience)
{
    auto database = open_for_tables(path, access, patience);
    try {
        shield(database->getHandle());
    } catch (SQLite::Exception const& error) {
        rethrow(error, path, database->getHandle());
    }
    return database;
}

std::unique_ptr<SQLite::Database> open_for_loading(std::string const& path, std::chrono::milliseconds patience)
{
    auto database = open_for_tables(path, Access::read_write, patience);
    try {
        database->exec("PRAGMA synchronous = NORMAL");
        database->exec("PRAGMA wal_autocheckpoint = 1000"); // no daemon may be there to keep the WAL small
        // A file for the keys of the rows, which may be many. What a single statement needs to undo itself, because of
        // the triggers, is kept in memory instead: by default it becomes a file that costs two writes for each row.
        database->exec("PRAGMA temp_store = FILE");
        sqlite3_limit(database->getHandle(), SQLITE_LIMIT_ATTACHED, 1); // until it is shielded
        database->exec("ATTACH '' AS scratch");
        database->exec("PRAGMA temp_store = MEMORY");
        // Our own triggers mark what is loaded.
        shield(database->getHandle());
    } catch (SQLite::Exception const& error) {
        rethrow(error, path, database->getHandle());
    }
    return database;
}

std::unique_ptr<SQLite::Database> open_for_repair(std::string const& path)
{
    expect_file(path);
    auto database = open_file(path, SQLite::OPEN_READWRITE, lock_patience);
    try {
        if (!Contract::get().is_recognised_in(*database))
            known_version(*database, path); // says what it is
        if (const Marks marks = marks_of(*database); marks.are_ours())
            known_version(*database, path);
        sqlite3_db_config(database->getHandle(), SQLITE_DBCONFIG_ENABLE_VIEW, 1, nullptr);
        sqlite3_db_config(database->getHandle(), SQLITE_DBCONFIG_DEFENSIVE, 0, nullptr);
        set_up(*database, true);
    } catch (SQLite::Exception const& error) {
        rethrow(error, path, database->getHandle());
    }
    return database;
}

bool put_marks(SQLite::Database& database)
{
    if (marks_of(database).are_ours())
        return false;
    database.exec(marking_sql(migrations().back().version));
    return true;
}

int schema_version_known()
{
    return migrations().back().version;
}

void expect_regular(std::string const& path)
{
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) // SQLite would wait in some of them
        throw DatabaseError{path + ": is not a regular file", "name another one"};
}

void check_version(SQLite::Database const& database, std::string const& path)
{
    if (known_version(database, path) == 0)
        throw DatabaseError{path + ": is empty"};
}

Created create_database(std::string const& named, FileAccess access)
{
    const std::string path = real_path(named);
    expect_regular(path);
    // SQLite gives -wal and -shm the rights of the database, so the file is made with its final rights.
    const int file = ::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    const bool is_new = file >= 0;
    if (is_new)
        ::close(file);
    else if (errno != EEXIST)
        fail_to_create(path, errno);
    else if (::access(path.c_str(), F_OK) != 0)
        expect_file(path); // says why not
    if (is_new)
        set_rights(path, access);
    auto database = open_file(path, SQLite::OPEN_READWRITE, lock_patience);
    try {
        const int version = known_version(*database, path);
        if (version == 0)
            database->exec("PRAGMA page_size = " + std::to_string(page_size));
        set_up(*database, true);
        migrate(*database, version);
        const bool current = version == migrations().back().version;
        if (!current) {
            set_rights(path, access);
            move_wal(*database, CheckpointMode::passive);
            move_wal(*database, CheckpointMode::truncate);
        }
        return version == 0 ? Created::created : current ? Created::unchanged : Created::migrated;
    } catch (SQLite::Exception const& error) {
        rethrow(error, path, database->getHandle());
    }
}

} // namespace usher
