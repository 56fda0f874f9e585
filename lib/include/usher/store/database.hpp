// SPDX-License-Identifier: Apache-2.0
// The database as an operator has it: made, migrated, named.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include <usher/store/errors.hpp>

namespace usher {

/// Who may use the files that `create_database` makes, beside their owner.
enum class FileAccess : std::uint8_t {
    group,          ///< 0660: members of the directory's group read and write.
    group_and_read, ///< 0664: and everybody reads.
};

/// The schema's version that this usher makes.
int schema_version_known();

/// For how long a program waits at its start, or a command at all, for those who keep the database busy.
inline constexpr std::chrono::seconds lock_patience{30};

/// The file that `path` means, behind symbolic links. A path that does not exist is returned as it is.
std::string real_path(std::string const& path);

/// Refuses a file with hard links, if it is there: SQLite keeps a -wal beside each name, and they would overwrite each
/// other. Errors: DatabaseError.
void expect_one_name(std::string const& path);

/// Creates `named` with the newest schema, or migrates an older one; says which. Platforms find it whole whoever opens
/// it first. Errors: DatabaseError for a newer schema or a foreign database.
enum class Created : std::uint8_t { created, migrated, unchanged };
Created create_database(std::string const& named, FileAccess access);

/// Accepts all sessions that are there as usher's own, with a new key if that is missing. Returns how many. `who` is
/// for a daemon that starts meanwhile. Errors: AlreadyAtWork while a daemon runs, and DatabaseError.
std::int64_t adopt_sessions(std::string const& path, std::string const& who);

} // namespace usher
