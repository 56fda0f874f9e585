// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace usher {

/// Keeps a second daemon off the same database on this machine: an flock on PATH.lock, released by the kernel however
/// this process ends. A file of its own, since closing any descriptor of the database would drop SQLite's locks.
class InstanceLock {
public:
    /// `who` is written into the file, for the message that the next one gives. Errors: DatabaseError, naming the
    /// holder.
    InstanceLock(std::string const& database, std::string const& who);
    InstanceLock(InstanceLock const&) = delete;
    InstanceLock& operator=(InstanceLock const&) = delete;
    ~InstanceLock();

private:
    int descriptor_ = -1;
};

} // namespace usher
