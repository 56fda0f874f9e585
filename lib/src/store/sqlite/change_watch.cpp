// SPDX-License-Identifier: Apache-2.0
#include <usher/store/sqlite/change_watch.hpp>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <usher/store/process.hpp>

#include "file.hpp"

namespace usher {

namespace {

/// The kernel's words for these limits are those for files and disks.
std::string why_not_watched(int error)
{
    const int any = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (any >= 0)
        ::close(any);
    if (any >= 0 && error == EMFILE)
        return "too many watchers for this account; raise sysctl fs.inotify.max_user_instances";
    if (error == ENOSPC)
        return "too many watches for this account; raise sysctl fs.inotify.max_user_watches";
    return describe_errno(error);
}

} // namespace

ChangeWatch::ChangeWatch(std::string const& path)
{
    const auto slash = path.rfind('/');
    const std::string folder = folder_of(path);
    name_ = slash == std::string::npos ? path : path.substr(slash + 1);
    descriptor_ = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (descriptor_ >= 0 &&
        ::inotify_add_watch(
            descriptor_, folder.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_MOVE_SELF
        ) >= 0)
        return;
    problem_ = folder + ": " + why_not_watched(errno);
    if (descriptor_ >= 0)
        ::close(descriptor_);
    descriptor_ = -1;
}

ChangeWatch::~ChangeWatch()
{
    if (descriptor_ >= 0)
        ::close(descriptor_);
}

ChangeWatch::Notices ChangeWatch::drain()
{
    alignas(inotify_event) std::array<char, 4096> buffer{};
    Notices result;
    for (;;) {
        const auto size = ::read(descriptor_, buffer.data(), buffer.size());
        if (size <= 0)
            return result;
        for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
            inotify_event event{};
            std::memcpy(&event, buffer.data() + at, sizeof event);
            const std::string_view name{event.len > 0 ? buffer.data() + at + sizeof event : ""};
            const bool lost = (event.mask & (IN_Q_OVERFLOW | IN_MOVE_SELF | IN_IGNORED)) != 0;
            result.database = result.database || lost || name == name_;
            result.log = result.log || lost || name == name_ + "-wal" || name == name_ + "-shm";
            at += sizeof event + event.len;
        }
    }
}

} // namespace usher
