// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace usher {

/// Tells that somebody may have committed to the database: inotify on its directory. A notice is only a hint, since
/// the WAL is written before the commit is visible; what decides is Store::data_version(). Also tells when the file
/// was replaced by another.
class ChangeWatch {
public:
    /// Errors: DatabaseError when the directory cannot be watched.
    explicit ChangeWatch(std::string path);
    ChangeWatch(ChangeWatch const&) = delete;
    ChangeWatch& operator=(ChangeWatch const&) = delete;
    ~ChangeWatch();

    int descriptor() const { return descriptor_; } ///< Readable when there is a notice.

    /// Reads what is there; whether any of it concerns the database.
    bool drain();

    /// Whether the path now names another file than at construction, or none.
    bool replaced() const;

private:
    std::string path_;
    std::string name_;
    int descriptor_ = -1;
    std::uint64_t inode_ = 0;
    std::uint64_t device_ = 0;
};

} // namespace usher
