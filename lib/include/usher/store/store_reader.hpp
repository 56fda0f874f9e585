// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <usher/core/meeting.hpp>
#include <usher/store/records.hpp>

namespace usher {

/// Reads on a thread of its own, one call at a time. Errors: those of Store.
class StoreReader {
public:
    virtual ~StoreReader() = default;

    /// The meetings as they are, in this order; ends early once they have more than `participants_max` participants.
    virtual std::vector<MeetingSnapshot>
    read(std::span<MeetingNo const> meetings, std::size_t participants_max) const = 0;

    /// Up to `limit` rows of `agenda` after `after`, by number.
    virtual std::vector<AgendaEntry> scan(MeetingNo after, std::size_t limit) const = 0;

    /// Of up to `limit` meetings and participants after `cursor`.
    virtual MissingRows find_missing(std::string const& cursor, std::size_t limit) const = 0;

    /// Looks at some rows from `place` on: enough that about `limit` are found, or that many have been seen.
    virtual Outdated find_outdated(Outdated::Cursor place, sys_seconds before, std::size_t limit) const = 0;

protected:
    StoreReader() = default;
    StoreReader(StoreReader&&) = default;
    StoreReader& operator=(StoreReader&&) = default;
};

} // namespace usher
