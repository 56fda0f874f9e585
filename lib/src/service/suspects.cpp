// SPDX-License-Identifier: Apache-2.0
#include <usher/service/suspects.hpp>

#include <algorithm>
#include <tuple>

#include <usher/store/store.hpp>

namespace usher {

void Suspects::add(std::vector<Suspect> const& meetings, sys_seconds now)
{
    if (meetings.empty())
        return;
    const auto key = [now](Suspect const& one) {
        const bool over = one.starts_at < now - near_before && one.starts_at != sys_seconds{}; // taken once already
        const bool near = !over && one.starts_at <= now + near_after;
        const sys_seconds place = near ? one.starts_at : std::chrono::floor<std::chrono::days>(one.starts_at);
        return std::tuple{over, !near, place, one.session, one.meeting};
    };
    const auto comes_later = [&](Suspect const& left, Suspect const& right) { return key(left) > key(right); };
    const auto known = std::ssize(suspects_); // in order already, but for those that came near meanwhile
    suspects_.insert(suspects_.end(), meetings.begin(), meetings.end());
    std::sort(suspects_.begin() + known, suspects_.end(), comes_later);
    std::inplace_merge(suspects_.begin(), suspects_.begin() + known, suspects_.end(), comes_later);
    const auto same = [](Suspect const& left, Suspect const& right) { return left.meeting == right.meeting; };
    suspects_.erase(std::unique(suspects_.begin(), suspects_.end(), same), suspects_.end());
}

void Suspects::put_back(std::vector<MeetingNo> const& meetings)
{
    for (std::size_t i = meetings.size(); i-- > 0;)
        suspects_.push_back({sys_seconds{}, SessionNo{}, meetings[i]});
}

std::optional<MeetingNo> Suspects::take()
{
    if (suspects_.empty())
        return std::nullopt;
    const MeetingNo meeting = suspects_.back().meeting;
    suspects_.pop_back();
    return meeting;
}

} // namespace usher
