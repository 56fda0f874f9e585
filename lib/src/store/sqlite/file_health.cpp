// SPDX-License-Identifier: Apache-2.0
#include "file_health.hpp"

#include <cstdint>

#include <sys/stat.h>
#include <sys/statvfs.h>

namespace usher {

std::string held_log_text(std::int64_t bytes, std::optional<seconds> age)
{
    constexpr std::int64_t mebibyte = 1 << 20;
    return "-wal has " + std::to_string(bytes / mebibyte) + " MiB, since somebody has been reading in it" +
           (age ? " for " + std::to_string(age->count()) + " s" : std::string{}) +
           "; have whoever holds a transaction open end it";
}

std::vector<HealthRow> file_health(SQLite::Database& database, std::string const& path)
{
    const auto number = [&](char const* sql) { return database.execAndGet(sql).getInt64(); };
    const std::int64_t page_bytes = number("PRAGMA page_size");
    struct stat log {};
    const bool has_log = ::stat((path + "-wal").c_str(), &log) == 0;
    struct statvfs disk {};
    const bool has_disk = ::statvfs(path.c_str(), &disk) == 0;
    const auto free_disk = static_cast<std::int64_t>(disk.f_bavail) * static_cast<std::int64_t>(disk.f_frsize);
    std::vector<HealthRow> rows{
        {"file_bytes", number("PRAGMA page_count") * page_bytes, "bytes", "size of the database"},
        {"free_bytes", number("PRAGMA freelist_count") * page_bytes, "bytes",
         "room within it that new rows take before it grows"},
        {"wal_file_bytes", has_log ? std::int64_t{log.st_size} : 0, "bytes",
         "size of -wal, whose space is used again; a stop of usherd empties it",
         has_log && log.st_size >= held_log_bytes ? held_log_text(log.st_size) : std::string{}}};
    if (has_disk)
        rows.push_back({"disk_free_bytes", free_disk, "bytes", "room on its disk"});
    return rows;
}

} // namespace usher
