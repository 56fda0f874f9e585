// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <usher/core/meeting.hpp>
#include <usher/core/time.hpp>
#include <usher/store/errors.hpp>

namespace usher {

/// What is known of a meeting before it is read: enough to pass over most of them.
struct SnapshotHint {
    sys_seconds due; ///< The beginning of time: the platform wrote.
    std::optional<sys_seconds> opens;
    std::optional<sys_seconds> closes;
    std::uint64_t policy_hash = 0; ///< As last planned.
};

/// Goes through all meetings, a part at a time, for who has to give way to others in between. One thread at a time.
/// Errors: DatabaseError, DatabaseBusy.
class SnapshotWalk {
public:
    explicit SnapshotWalk(std::string const& database);
    SnapshotWalk(SnapshotWalk const&) = delete;
    SnapshotWalk& operator=(SnapshotWalk const&) = delete;
    ~SnapshotWalk();

    /// Visits the next ones as each_snapshot() does, for about `at_most`. Whether there are more.
    bool go_on(
        std::function<bool(SnapshotHint const&)> const& wanted,
        std::function<void(MeetingSnapshot const&)> const& visit, std::chrono::steady_clock::duration at_most
    );

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Reads, one after the other, the meetings whose rows `wanted` takes, as the planner sees them. Each is of one
/// instant; all of them together are not. At most one is in memory. Errors: DatabaseError, DatabaseBusy.
void each_snapshot(
    std::string const& database, std::function<bool(SnapshotHint const&)> const& wanted,
    std::function<void(MeetingSnapshot const&)> const& visit
);

} // namespace usher
