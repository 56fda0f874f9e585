// SPDX-License-Identifier: Apache-2.0
#include "waiting_key.hpp"

#include <cerrno>
#include <cstdio>

#include <sys/stat.h>
#include <unistd.h>

#include "file.hpp"

namespace usher {

std::string waiting_key(std::string const& database, std::string const& file)
{
    struct stat status {};
    return database + ".key." + std::to_string(::stat(file.c_str(), &status) == 0 ? status.st_ino : 0);
}

void take_waiting_key(std::string const& database)
{
    const std::string waiting = waiting_key(database, database);
    if (::access(waiting.c_str(), F_OK) != 0)
        return;
    const std::string key = database + ".key";
    if (::rename(key.c_str(), (database + ".replaced.key").c_str()) != 0 && errno != ENOENT)
        fail_by_errno(key, "cannot be renamed");
    if (::rename(waiting.c_str(), key.c_str()) != 0)
        fail_by_errno(waiting, "cannot be renamed to " + key);
}

} // namespace usher
