// SPDX-License-Identifier: Apache-2.0
#include <usher/core/work_ahead.hpp>

#include <algorithm>

namespace usher {

sys_seconds floor_to(sys_seconds instant, seconds step)
{
    return instant - (instant.time_since_epoch() % step + step) % step;
}

std::int64_t Work::all_calls() const
{
    std::int64_t sum = 0;
    for (auto const& [project, count] : calls)
        sum += count;
    return sum;
}

Work& Work::operator+=(Work const& other)
{
    tokens += other.tokens;
    for (auto const& [project, count] : other.calls)
        calls[project] += count;
    return *this;
}

WorkAhead::WorkAhead(Projects const& projects, sys_seconds now, sys_seconds from, sys_seconds until)
    : projects_{projects}, now_{now}, from_{from}, until_{until}
{}

bool WorkAhead::concerns(sys_seconds due, std::uint64_t policy_hash) const
{
    if (due < until_)
        return true;
    const auto has_it = [&](auto const& project) { return project.second.policy_hash == policy_hash; };
    // Planned by another configuration.
    return policy_hash != 0 && std::none_of(projects_.by_name.begin(), projects_.by_name.end(), has_it);
}

void WorkAhead::add(MeetingSnapshot const& meeting)
{
    imagine(meeting, projects_, now_, until_, ImaginedCalls::answered, [&](ImaginedLook const& look) {
        if (look.at < from_ || (look.plan.sign.empty() && !look.calls))
            return;
        const sys_seconds when = floor_to(look.at, minute);
        Work& work = minutes_[when];
        work.tokens += static_cast<std::int64_t>(look.plan.sign.size());
        if (!look.calls)
            return;
        std::string const& project = meeting.meeting->project;
        ++work.calls[project];
        ++calls_[project][when][floor_to(look.plan.opens.value_or(look.at), minute)];
    });
}

double WorkAhead::peak_ratio(std::string_view project, double calls_per_second) const
{
    const sys_seconds next = floor_to(now_, minute) + minute;
    std::int64_t most = 0;
    for (auto each = minutes_.lower_bound(next); each != minutes_.end(); ++each)
        if (const auto calls = each->second.calls.find(project); calls != each->second.calls.end())
            most = std::max(most, calls->second);
    return static_cast<double>(most) / (calls_per_second * static_cast<double>(minute.count()));
}

} // namespace usher
