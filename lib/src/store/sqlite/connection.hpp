// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <SQLiteCpp/VariadicBind.h>

#include <usher/core/time.hpp>
#include <usher/store/database.hpp>
#include <usher/store/sqlite/store_file.hpp>

namespace usher {

constexpr std::int32_t database_application_id = 0x75736872; ///< "ushr", in the file's header.

// bench/page_size: 8192 and 16384 take 0.97 and 0.94 of the time of 4096, whose rows overflow above 1 kB, as an RS256
// token with connection data does; a single change writes least with the smaller ones.
constexpr int page_size = 8192;

enum class Access : std::uint8_t { read_only, read_write };

/// The one place where a connection is opened and set up: WAL, synchronous=FULL, `patience` with locks, persistent WAL.
/// Shielded. Refuses a foreign database, a newer and an older schema by name. Errors: DatabaseError, DatabaseBusy.
std::unique_ptr<SQLite::Database>
open_connection(std::string const& path, Access access, std::chrono::milliseconds patience = lock_patience);

/// Like open_connection(), for a caller that neither reads a view nor writes to a platform's table: without usher's own
/// it takes half as long.
std::unique_ptr<SQLite::Database>
open_for_tables(std::string const& path, Access access, std::chrono::milliseconds patience);

/// For a load of many rows: like open_connection() for writing, with a database `scratch` for notes about them. Its
/// commits do not wait for the disk; the caller does that once, at the end.
std::unique_ptr<SQLite::Database> open_for_loading(std::string const& path, std::chrono::milliseconds patience);

/// How open_as_it_is() reads: a file that nobody writes to needs no locks, and its -wal is left aside.
enum class Untouched : std::uint8_t { shared, immutable, writable };

/// For backups: opens whatever is there and sets up nothing. Closing it moves no -wal and leaves the files where they
/// are. Errors: SQLite::Exception.
std::unique_ptr<SQLite::Database>
open_as_it_is(std::string const& path, Untouched how, std::chrono::milliseconds patience = lock_patience);

/// A database in memory, to try statements on.
std::unique_ptr<SQLite::Database> open_in_memory();

/// Refuses a folder, a device and all else that is there and no file. Errors: DatabaseError.
void expect_regular(std::string const& path);

/// Refuses what is not a database of usher's, or a newer one, by name. Errors: DatabaseError.
void check_version(SQLite::Database const& database, std::string const& path);

/// Opens a database that is damaged, or lacks its marks, for its repair: views are read, sqlite_master can be written.
/// Waits for the lock for longer. Refuses what is not usher's. Errors: DatabaseError.
std::unique_ptr<SQLite::Database> open_for_repair(std::string const& path);

/// Sets application_id and user_version if they are not ours; whether they were not.
bool put_marks(SQLite::Database& database);

/// Has a connection run nobody's code but ours: the file's triggers and views are off, and ours, which anybody who
/// writes to the file may have changed there, are made for this connection alone: triggers if it can write. Functions
/// with side effects are refused wherever the schema names them; values and nesting are bounded. No ATTACH after it.
/// Errors: SQLite::Exception.
void shield(sqlite3* database);

/// The part of shield() that needs no schema.
void harden(sqlite3* database);

/// It blocks the thread, signals included; whoever gets DatabaseBusy tries again.
constexpr std::chrono::milliseconds busy_timeout{1000};

/// How long `database` waits for locks that others hold.
void set_patience(SQLite::Database& database, std::chrono::milliseconds patience);

/// Rethrows what SQLiteCpp threw as the store's own exceptions; `handle`, where there is one, knows what the system
/// said.
[[noreturn]] void rethrow(SQLite::Exception const& error, std::string const& path, sqlite3* handle = nullptr);

/// Does `work` on the database of this path, and rethrows likewise.
template <class Work>
auto guard(SQLite::Database& database, std::string const& path, Work&& work)
{
    try {
        return work();
    } catch (SQLite::Exception const& error) {
        rethrow(error, path, database.getHandle());
    }
}

/// What is wrong with the pages of a database; `left_out` are tables that cannot be looked at here, since an index or a
/// CHECK of theirs needs a function or a collation that only the platform has.
struct Soundness {
    std::vector<std::string> wrong;
    std::vector<std::string> left_out;
};

enum class Look : std::uint8_t { quick, whole }; ///< Without what indexes hold, or with it.

/// Up to `most` things that are wrong. Reads all of the database.
Soundness soundness_of(SQLite::Database& database, Look look, int most);

/// Which tables have pages that cannot be read; reads all of the database.
std::string damaged_tables(sqlite3* database);
/// The message of DatabaseDamaged.
std::string damage_text(std::string const& path, std::string const& tables, SQLite::Exception const& error);

/// A text of a row as reports show it: its first bytes and `...`, whatever stands there. Longer than any id or detail.
constexpr std::size_t shown_text_bytes_max = 1000;
constexpr std::size_t shown_token_bytes_max = 16 * 1024;
std::string shown_text(SQLite::Column const& column, std::size_t bytes_max = shown_text_bytes_max);

/// For reports, which cut what they show: a value that is too large for anything else hides no row beside it.
void read_any_size(SQLite::Database& database);

/// Moves what nobody else keeps it from moving, without waiting. Returns whether that was all. Throws
/// SQLite::Exception when the disk fails: what was moved may be lost then.
bool move_wal(SQLite::Database& database, CheckpointMode mode);

/// Rewinds a prepared statement however the scope ends: one left mid-step keeps its read lock.
class Rewind {
public:
    explicit Rewind(SQLite::Statement& statement) : statement_{statement} {}
    Rewind(Rewind const&) = delete;
    Rewind& operator=(Rewind const&) = delete;
    ~Rewind()
    {
        statement_.tryReset();
        try {
            statement_.clearBindings();
        } catch (SQLite::Exception const&) { // it only fails on a misused handle; never throw from here
        }
    }

private:
    SQLite::Statement& statement_;
};

} // namespace usher
