// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>

#include <usher/core/meeting.hpp>

namespace usher {

/// Meetings that are not looked at for a while, so that all others are served. Either their rows stay due though there
/// is nothing to do, because of a foreign trigger or a damaged index; or their rows cannot be written. Pure: instants
/// come in as arguments, from the steady clock.
class SetAside {
public:
    using Instant = std::chrono::steady_clock::time_point;

    /// A look at a due meeting found nothing to do. Fifty of these in a row within a minute set it aside; whether this
    /// one did, for the first time.
    bool found_nothing(MeetingNo meeting, Instant now)
    {
        Entry& entry = entries_[meeting];
        if (now - entry.since > window)
            entry = {.since = now};
        if (++entry.looks < looks_max)
            return false;
        return put(entry, now);
    }
    /// It could not be written. Whether it was set aside for the first time.
    bool failed(MeetingNo meeting, Instant now) { return put(entries_[meeting], now); }
    /// A look found something to do, and did it. A meeting that failed in this very look stays set aside.
    void served(MeetingNo meeting, Instant now)
    {
        if (const auto entry = entries_.find(meeting); entry != entries_.end() && entry->second.until <= now)
            entries_.erase(entry);
    }

    /// Adds those that are not to be looked at now.
    std::set<MeetingNo> with(std::set<MeetingNo> others, Instant now) const
    {
        for (auto const& [meeting, entry] : entries_)
            if (entry.until > now)
                others.insert(meeting);
        return others;
    }
    /// When the next of them is to be looked at; nothing when there is none.
    std::optional<Instant> next(Instant now) const
    {
        std::optional<Instant> next;
        for (auto const& [meeting, entry] : entries_)
            if (entry.until > now)
                next = std::min(next.value_or(entry.until), entry.until);
        return next;
    }
    bool empty() const { return entries_.empty(); }

private:
    static constexpr int looks_max = 50;
    static constexpr std::chrono::seconds window{60};
    static constexpr std::chrono::seconds first_pause{1};
    static constexpr std::chrono::seconds pause_max{60};

    struct Entry {
        Instant since{};
        int looks = 0;
        Instant until{};
        std::chrono::seconds pause{};
    };

    static bool put(Entry& entry, Instant now)
    {
        const bool first = entry.pause == std::chrono::seconds{};
        entry.pause = first ? first_pause : std::min(2 * entry.pause, pause_max);
        entry.since = now + entry.pause;
        entry.until = now + entry.pause;
        return first;
    }

    std::map<MeetingNo, Entry> entries_;
};

} // namespace usher
