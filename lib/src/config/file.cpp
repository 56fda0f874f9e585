// SPDX-License-Identifier: Apache-2.0
#include "config/file.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <usher/crypto/secret.hpp>

namespace usher {

namespace {

class FileDescriptor {
public:
    explicit FileDescriptor(std::string const& path)
        : fd_{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)} // a FIFO must not block
    {}
    FileDescriptor(FileDescriptor const&) = delete;
    FileDescriptor& operator=(FileDescriptor const&) = delete;
    ~FileDescriptor()
    {
        if (fd_ >= 0)
            ::close(fd_);
    }
    int get() const { return fd_; }

private:
    int fd_;
};

} // namespace

tl::expected<FileContent, std::string> read_file(std::string const& path, std::size_t bytes_max)
{
    const FileDescriptor fd{path};
    if (fd.get() < 0)
        return tl::unexpected{std::string{"cannot be opened: "} + std::strerror(errno)};
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0)
        return tl::unexpected{std::string{"cannot be read: "} + std::strerror(errno)};
    if (S_ISDIR(info.st_mode))
        return tl::unexpected{std::string{"is a directory, not a file"}};
    if (!S_ISREG(info.st_mode))
        return tl::unexpected{std::string{"is not a regular file"}};
    FileContent file{std::string(bytes_max + 1, '\0'), info.st_mode};
    std::size_t filled = 0;
    while (filled < file.content.size()) {
        const auto count = ::read(fd.get(), file.content.data() + filled, file.content.size() - filled);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            const auto error = errno;
            wipe(file.content);
            return tl::unexpected{std::string{"cannot be read: "} + std::strerror(error)};
        }
        if (count == 0)
            break;
        filled += static_cast<std::size_t>(count);
    }
    if (filled > bytes_max) {
        wipe(file.content);
        return tl::unexpected{"is larger than " + std::to_string(bytes_max >> 10U) + " KiB"};
    }
    file.content.resize(filled);
    return file;
}

} // namespace usher
