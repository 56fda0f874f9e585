// SPDX-License-Identifier: Apache-2.0
#include <usher/core/openings.hpp>

#include <algorithm>
#include <utility>

namespace usher {

std::string_view to_text(Opened opened)
{
    switch (opened) {
    case Opened::ready: return "ready";
    case Opened::late: return "late";
    case Opened::unready: return "unready";
    case Opened::excused: return "excused";
    }
    return {};
}

OpenedCounts Openings::look(sys_seconds now, std::span<Opening const> openings)
{
    OpenedCounts counts{};
    std::map<MeetingNo, Known> unready;
    const sys_seconds from = counted_to_.value_or(now);
    for (Opening const& opening : openings) {
        const auto known = unready_.find(opening.meeting);
        const bool is_known = known != unready_.end() && known->second.opens == opening.opens;
        if (opening.opens > now) {
            if (opening.word != Word::ready)
                unready.insert({opening.meeting, {opening.opens, is_known ? known->second.unready_since : now}});
            continue;
        }
        if (opening.opens <= from)
            continue;
        const bool is_ready = opening.word == Word::ready;
        // It had all its time if a look found it unready that long before.
        const bool had_time = is_known && known->second.unready_since <= opening.opens - ready_within;
        const Opened opened = is_ready && opening.ready_at.value_or(opening.opens) <= opening.opens ? Opened::ready
                              : !had_time                                                           ? Opened::excused
                              : is_ready                                                            ? Opened::late
                                                                                                    : Opened::unready;
        ++counts.at(static_cast<std::size_t>(opened));
    }
    unready_ = std::move(unready);
    counted_to_ = std::max(from, now); // a clock that was set back opens no door twice
    return counts;
}

} // namespace usher
