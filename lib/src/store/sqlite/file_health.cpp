// SPDX-License-Identifier: Apache-2.0
#include "file_health.hpp"

#include <cstdint>

#include <sys/stat.h>

namespace usher {

std::vector<HealthRow> file_health(SQLite::Database& database, std::string const& path)
{
    const auto number = [&](char const* sql) { return database.execAndGet(sql).getInt64(); };
    const std::int64_t page_bytes = number("PRAGMA page_size");
    struct stat log {};
    const bool has_log = ::stat((path + "-wal").c_str(), &log) == 0;
    return {
        {"file_bytes", number("PRAGMA page_count") * page_bytes, "bytes", "size of the database"},
        {"free_bytes", number("PRAGMA freelist_count") * page_bytes, "bytes",
         "room within it that new rows take before it grows"},
        {"wal_file_bytes", has_log ? std::int64_t{log.st_size} : 0, "bytes",
         "size of -wal, whose space is used again; a stop of usherd empties it"}};
}

} // namespace usher
