// SPDX-License-Identifier: Apache-2.0
#include <usher/store/process.hpp>

#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher {

void prepare_process()
{
    constexpr int cannot_start = 1;
    for (int descriptor = 0; descriptor <= 2; ++descriptor)
        if (::fcntl(descriptor, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) != descriptor)
            ::_exit(cannot_start); // there is nobody to tell
    ::signal(SIGXFSZ, SIG_IGN);
}

int create_partial(std::string const& path)
{
    constexpr int tries_max = 100; // somebody else may put something there again and again
    for (int tries = 0; tries < tries_max; ++tries) {
        const int descriptor =
            ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
        if (descriptor >= 0) {
            struct stat ours {};
            struct stat named {};
            const bool is_locked = ::flock(descriptor, LOCK_EX | LOCK_NB) == 0;
            if (!is_locked && errno != EWOULDBLOCK)
                return descriptor; // the file system knows no locks
            // Another process may have taken it for a leftover before it was locked.
            if (is_locked && ::fstat(descriptor, &ours) == 0 && ::lstat(path.c_str(), &named) == 0 &&
                ours.st_ino == named.st_ino && ours.st_dev == named.st_dev)
                return descriptor;
            ::close(descriptor);
            continue;
        }
        if (errno != EEXIST)
            return -1;
        const int leftover = ::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
        const bool is_at_work = leftover >= 0 && ::flock(leftover, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
        const bool is_gone = !is_at_work && (::unlink(path.c_str()) == 0 || errno == ENOENT);
        const int error = is_at_work ? EWOULDBLOCK : errno;
        if (leftover >= 0)
            ::close(leftover);
        if (!is_gone) {
            errno = error;
            return -1;
        }
    }
    errno = EEXIST;
    return -1;
}

std::string describe_errno(int error)
{
    return std::strerror(error) + way_out_of(error);
}

std::string way_out_of(int error)
{
    switch (error) {
    case EMFILE: return "; raise this program's limit on open files: LimitNOFILE= in the unit, or ulimit -n";
    case ENFILE: return "; raise the machine's limit on open files: sysctl fs.file-max";
    case EFBIG: return "; raise this program's limit on the size of files: LimitFSIZE= in the unit, or ulimit -f";
    case ENOSPC: return "; make room on the disk";
    case EDQUOT: return "; make room in the account's quota";
    case ENOMEM: return "; raise this program's limit on memory: MemoryMax= in the unit, or ulimit -v";
    case EAGAIN: return "; raise this program's limit on threads: TasksMax= in the unit, or ulimit -u";
    default: return {};
    }
}

} // namespace usher
