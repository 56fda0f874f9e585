// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

#include <unistd.h>

namespace usher::simulation {

/// A folder for the few files that are not SQLite's.
class Folder {
public:
    Folder()
    {
        std::string pattern = ::access("/dev/shm", W_OK) == 0 ? "/dev/shm/usher-sim-XXXXXX" : "/tmp/usher-sim-XXXXXX";
        if (::mkdtemp(pattern.data()) == nullptr)
            throw std::runtime_error{"cannot make a folder in " + pattern};
        path_ = pattern;
    }
    Folder(Folder const&) = delete;
    Folder& operator=(Folder const&) = delete;
    ~Folder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    std::string file(std::string const& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

} // namespace usher::simulation
