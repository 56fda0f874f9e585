// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include <usher/store/database.hpp>
#include <usher/store/process.hpp>

namespace usher {

/// `.` for a name alone.
inline std::string folder_of(std::string const& path)
{
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

/// Says what errno means.
[[noreturn]] inline void fail_by_errno(std::string const& file, std::string const& what)
{
    throw DatabaseError{file + ": " + what + ": " + describe_errno(errno)};
}

/// A descriptor, or less than 0. What it makes is its owner's alone; it follows no link.
class File {
public:
    File(std::string const& path, int flags) : descriptor_{::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600)}
    {}
    File(File const&) = delete;
    File& operator=(File const&) = delete;
    ~File()
    {
        if (descriptor_ >= 0)
            ::close(descriptor_);
    }
    operator int() const { return descriptor_; } // NOLINT(google-explicit-constructor)

private:
    int descriptor_;
};

} // namespace usher
