// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace usher {

/// The database is not one that usher can work with; the message names it, the reason and the way out.
class DatabaseError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// This account may not write the database; the message says whose it is and how to change that.
class DatabaseReadOnly : public DatabaseError {
public:
    using DatabaseError::DatabaseError;
};

/// Another connection holds the lock for longer than the busy timeout: try again later.
class DatabaseBusy : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// A row holds what no program of usher's ever writes: it is of another type, or far too large. All others can be
/// worked with.
class RowError : public DatabaseError {
public:
    using DatabaseError::DatabaseError;
};

/// A table, column or index of usher's is not there: somebody rebuilds it at this moment, or took it. Try again later.
class SchemaBroken : public DatabaseBusy {
public:
    using DatabaseBusy::DatabaseBusy;
};

/// Another daemon has taken the database over.
class Fenced : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Who may use the files that `create_database` makes, beside their owner.
enum class FileAccess : std::uint8_t {
    group,          ///< 0660: members of the directory's group read and write.
    group_and_read, ///< 0664: and everybody reads.
};

inline constexpr std::int32_t database_application_id = 0x75736872; ///< "ushr", in the file's header.

/// The schema's version that this usher makes.
int schema_version_known();

/// For how long a program waits at its start, or a command at all, for a lock that others hold.
inline constexpr std::chrono::seconds lock_patience{30};

/// How much of the WAL is moved into the database; see Store::checkpoint().
enum class CheckpointMode : std::uint8_t { passive, restart, truncate };

/// The file that `path` means, behind symbolic links: SQLite keeps -wal and -shm beside that one. A path that does not
/// exist is returned as it is.
std::string real_path(std::string const& path);

/// Creates `named` with the newest schema, or migrates an older one; says which. Leaves -wal and -shm beside it, so
/// that platforms find them whoever opens first. Errors: DatabaseError for a newer schema or a foreign database.
enum class Created : std::uint8_t { created, migrated, unchanged };
Created create_database(std::string const& named, FileAccess access);

/// Accepts all sessions that are there as usher's own, with a new DATABASE.key if that is missing. Returns how many.
/// `who` is for a daemon that starts meanwhile. Errors: AlreadyAtWork while a daemon runs, and DatabaseError.
std::int64_t adopt_sessions(std::string const& path, std::string const& who);

} // namespace usher
