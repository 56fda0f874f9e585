// SPDX-License-Identifier: Apache-2.0
#include <usher/store/process.hpp>

#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
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
