// SPDX-License-Identifier: Apache-2.0
#include <usher/store/change_watch.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <usher/store/database.hpp>

namespace usher {

ChangeWatch::ChangeWatch(std::string path) : path_{std::move(path)}
{
    const auto slash = path_.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : slash == 0 ? "/" : path_.substr(0, slash);
    name_ = slash == std::string::npos ? path_ : path_.substr(slash + 1);
    struct stat status {};
    if (::stat(path_.c_str(), &status) == 0) {
        inode_ = status.st_ino;
        device_ = status.st_dev;
    }
    descriptor_ = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (descriptor_ < 0 ||
        ::inotify_add_watch(descriptor_, directory.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE) < 0) {
        const std::string reason = std::strerror(errno);
        if (descriptor_ >= 0)
            ::close(descriptor_);
        throw DatabaseError{directory + ": cannot be watched for changes: " + reason};
    }
}

ChangeWatch::~ChangeWatch()
{
    ::close(descriptor_);
}

bool ChangeWatch::drain()
{
    alignas(inotify_event) std::array<char, 4096> buffer{};
    bool concerns = false;
    for (;;) {
        const auto size = ::read(descriptor_, buffer.data(), buffer.size());
        if (size <= 0)
            return concerns;
        for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
            inotify_event event{};
            std::memcpy(&event, buffer.data() + at, sizeof event);
            const std::string_view name{event.len > 0 ? buffer.data() + at + sizeof event : ""};
            // The database and its -wal; -shm is written by readers too.
            concerns = concerns || name == name_ || name == name_ + "-wal" || (event.mask & IN_Q_OVERFLOW) != 0;
            at += sizeof event + event.len;
        }
    }
}

bool ChangeWatch::replaced() const
{
    struct stat status {};
    return ::stat(path_.c_str(), &status) != 0 || status.st_ino != inode_ || status.st_dev != device_;
}

} // namespace usher
