// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace usher {

/// Tells that somebody may have committed to the database: inotify on its directory. A notice is only a hint, since
/// the WAL is written before the commit is visible; StoreFile::data_version() decides.
class ChangeWatch {
public:
    /// `path` is a real path. Where nothing can be watched, problem() says why, and there are no notices.
    explicit ChangeWatch(std::string const& path);
    ChangeWatch(ChangeWatch const&) = delete;
    ChangeWatch& operator=(ChangeWatch const&) = delete;
    ~ChangeWatch();

    std::string const& problem() const { return problem_; }
    int descriptor() const { return descriptor_; } ///< Readable when there is a notice.

    /// What the notices that are there concern.
    struct Notices {
        bool database = false; ///< The file itself: a checkpoint, or another one in its place.
        bool log = false;      ///< -wal, or -shm, which is written to in memory: that gives no notice.
    };
    Notices drain();

private:
    std::string name_;
    std::string problem_;
    int descriptor_ = -1;
};

} // namespace usher
