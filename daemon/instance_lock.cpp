// SPDX-License-Identifier: Apache-2.0
#include "instance_lock.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <usher/store/database.hpp>

namespace usher {

InstanceLock::InstanceLock(std::string const& database, std::string const& who)
{
    const std::string path = database + ".lock";
    descriptor_ = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0640);
    if (descriptor_ < 0)
        throw DatabaseError{path + ": cannot be opened: " + std::strerror(errno)};
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
        std::array<char, 256> holder{};
        const auto size = ::pread(descriptor_, holder.data(), holder.size() - 1, 0);
        ::close(descriptor_);
        throw DatabaseError{
            database + ": another usherd is at work on it (" +
            std::string(holder.data(), size > 0 ? static_cast<std::size_t>(size) : 0) + "); stop that one first"};
    }
    if (::ftruncate(descriptor_, 0) != 0 || ::pwrite(descriptor_, who.data(), who.size(), 0) < 0) {
        const std::string reason = std::strerror(errno);
        ::close(descriptor_);
        throw DatabaseError{path + ": cannot be written: " + reason};
    }
}

InstanceLock::~InstanceLock()
{
    ::close(descriptor_);
}

} // namespace usher
