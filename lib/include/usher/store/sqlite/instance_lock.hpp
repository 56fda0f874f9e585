// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include <usher/store/errors.hpp>

namespace usher {

/// Keeps a second daemon off the same database on this machine: a lock on DATABASE.lock, released by the kernel however
/// this process ends. A file of its own, since closing any descriptor of the database would drop SQLite's locks. It
/// belongs to the database's owner, who alone may open it, and nobody's flock on it matters.
class InstanceLock {
public:
    /// `database` is a real path; `who` is for the message that the next one gives. Errors: AlreadyAtWork, and
    /// DatabaseError.
    InstanceLock(std::string const& database, std::string const& who);
    InstanceLock(InstanceLock const&) = delete;
    InstanceLock& operator=(InstanceLock const&) = delete;
    ~InstanceLock();

    /// Leaves a line for the next holder, instead of the one before.
    void leave_note(std::string_view line);
    /// What was left, by this one or the one before; empty when nothing was.
    std::string const& note() const { return note_; }

private:
    void write_lines(std::string_view note);

    std::string path_;
    std::string who_;
    std::string note_;
    int descriptor_ = -1;
};

} // namespace usher
