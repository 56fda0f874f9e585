// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
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

/// Reads, one after the other, the meetings whose rows `wanted` takes, as the planner sees them. Each is of one
/// instant; all of them together are not. At most one is in memory. Errors: DatabaseError, DatabaseBusy.
void each_snapshot(
    std::string const& database, std::function<bool(SnapshotHint const&)> const& wanted,
    std::function<void(MeetingSnapshot const&)> const& visit
);

} // namespace usher
