// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include <usher/core/meeting.hpp>
#include <usher/core/time.hpp>

namespace usher {

/// A meeting that may have something to do, though its row is not due.
struct Suspect {
    sys_seconds starts_at;
    SessionNo session{};
    MeetingNo meeting{};
};

/// Those that wait for a look, each of them once. They are lost with the daemon, and found again. Pure.
class Suspects {
public:
    /// They are taken in the order of Store::due(); what is over comes last.
    void add(std::vector<Suspect> const& meetings, sys_seconds now);
    /// Those that were taken, or may have been: they are the next ones, in this order.
    void put_back(std::vector<MeetingNo> const& meetings);

    std::optional<MeetingNo> take();

    std::size_t size() const { return suspects_.size(); }

private:
    std::vector<Suspect> suspects_; ///< The next one is at the end.
};

} // namespace usher
