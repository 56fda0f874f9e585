// SPDX-License-Identifier: Apache-2.0
#include "new_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <usher/store/database.hpp>
#include <usher/store/process.hpp>

namespace usher::ctl {
namespace {

constexpr std::size_t buffer_bytes = 256 * 1024;

std::string folder_of(std::string const& path)
{
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

} // namespace

NewFile::NewFile(std::string const& path) : named_{path}, path_{real_path(path)}
{
    struct stat status {};
    if (::stat(path_.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
        descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    } else {
        partial_ = path_ + ".partial";
        descriptor_ = create_partial(partial_);
    }
    if (descriptor_ < 0 && errno == EWOULDBLOCK)
        throw FileNotWritten{named_ + ": another program is writing it; wait until it has ended, or name another file"};
    if (descriptor_ < 0)
        throw FileNotWritten{named_ + ": cannot be created: " + describe_errno(errno)};
}

NewFile::~NewFile()
{
    if (descriptor_ < 0)
        return;
    if (!partial_.empty())
        ::unlink(partial_.c_str()); // while it is locked
    ::close(descriptor_);
}

void NewFile::fail() const
{
    throw FileNotWritten{named_ + ": cannot be written: " + describe_errno(errno)};
}

void NewFile::write(std::string_view bytes)
{
    buffer_ += bytes;
    if (buffer_.size() >= buffer_bytes)
        flush();
}

void NewFile::flush()
{
    for (std::string_view rest = buffer_; !rest.empty();) {
        const auto written = ::write(descriptor_, rest.data(), rest.size());
        if (written < 0 && errno != EINTR)
            fail();
        rest.remove_prefix(static_cast<std::size_t>(std::max<decltype(written)>(written, 0)));
    }
    buffer_.clear();
}

void NewFile::commit()
{
    flush();
    if (partial_.empty()) {
        ::close(std::exchange(descriptor_, -1));
        return;
    }
    if (::fsync(descriptor_) != 0 || ::rename(partial_.c_str(), path_.c_str()) != 0)
        fail();
    ::close(std::exchange(descriptor_, -1)); // the lock is held until it has its name
    const int folder = ::open(folder_of(path_).c_str(), O_RDONLY | O_CLOEXEC);
    if (folder >= 0) {
        ::fsync(folder);
        ::close(folder);
    }
}

} // namespace usher::ctl
