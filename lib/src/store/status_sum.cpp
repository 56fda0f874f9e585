// SPDX-License-Identifier: Apache-2.0
#include "store/status_sum.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

namespace usher {

namespace {

constexpr std::size_t group_ids_max = 3;
constexpr std::size_t listed_max = 20;
constexpr std::size_t groups_max = 100; // a platform may name any number of projects
constexpr seconds hour{3600};
constexpr seconds quarter{900};
constexpr seconds long_session{8 * 3600}; // the vendor may move longer ones to another server

bool opens_before(MeetingRef const& a, MeetingRef const& b)
{
    constexpr sys_seconds last = sys_seconds::max();
    return std::pair{a.opens.value_or(last), std::string_view{a.id}} <
           std::pair{b.opens.value_or(last), std::string_view{b.id}};
}

/// Keeps the earliest few, in their order.
Listing<MeetingRef> with_earliest(Listing<MeetingRef> listing, MeetingRef ref)
{
    ++listing.total;
    const auto at = std::upper_bound(listing.items.begin(), listing.items.end(), ref, opens_before);
    if (listing.items.size() == group_ids_max && at == listing.items.end())
        return listing;
    listing.items.insert(at, std::move(ref));
    if (listing.items.size() > group_ids_max)
        listing.items.pop_back();
    return listing;
}

} // namespace

void SafeUntil::somebody_cannot_enter(std::string const& meeting, sys_seconds from)
{
    if (result_.until && from > *result_.until)
        return;
    if (!result_.until || from < *result_.until)
        result_ = {from, {}};
    result_.then_not.add(meeting, listed_max);
}

SafeReport SafeUntil::result() &&
{
    std::sort(result_.then_not.items.begin(), result_.then_not.items.end());
    return std::move(result_);
}

StatusSum::StatusSum(Viewpoint const& view, std::vector<ProjectReport> const& projects)
    : now_{view.now}, opened_after_{view.opened_after}
{
    for (ProjectReport const& project : projects)
        projects_.insert(project.name);
}

void StatusSum::add_to_stock(std::string const& project, State state, std::string const& reason, std::int64_t count)
{
    if (!reason.empty() && reasons_.size() < told_reasons_max)
        reasons_.insert(reason);
    const bool is_told = reason.empty() || reasons_.contains(reason);
    status_.agenda_rows += count;
    status_.stock[{projects_.contains(project) ? project : "", state, is_told ? reason : "(other)"}] += count;
}

void StatusSum::add_opening(MeetingStanding const& meeting)
{
    const sys_seconds opens = *meeting.facts.opens;
    const bool has_opened = opens > *opened_after_ && opens <= now_;
    const bool opens_soon = opens > now_ && opens <= now_ + opening_soon && meeting.word != Word::ready;
    if (has_opened || opens_soon)
        status_.openings.push_back({meeting.number, opens, meeting.word, meeting.ready_at});
}

void StatusSum::add_meeting(MeetingStanding const& meeting)
{
    const bool waits = meeting.shown == State::pending || meeting.shown == State::failed;
    if (meeting.number != MeetingNo{})
        add_to_stock(meeting.project, meeting.shown, waits ? meeting.reason : std::string{}, 1);
    status_.due += meeting.is_due ? 1 : 0;
    const std::optional<sys_seconds> opens = meeting.facts.opens;
    const bool is_near = !opens || *opens <= now_ + verdict_span;
    if (!meeting.facts.exists && meeting.word != Word::cancelled && meeting.has_people)
        status_.without_row.add(meeting.id, listed_max);
    if (meeting.word == Word::ended || meeting.word == Word::cancelled || !meeting.facts.exists)
        return;
    if (opened_after_ && opens && meeting.number != MeetingNo{})
        add_opening(meeting);
    WordCounts& window = is_live(meeting.facts, now_) ? status_.live
                         : !opens                     ? status_.later
                         : *opens <= now_ + hour      ? status_.within_hour
                         : is_near                    ? status_.within_day
                                                      : status_.later;
    ++window[static_cast<std::size_t>(meeting.word)];
    if (opens && *opens > now_ && *opens < now_ + verdict_span)
        ++status_.quarters.at(static_cast<std::size_t>((*opens - now_) / quarter)
        )[static_cast<std::size_t>(meeting.word)];
    if (is_near && opens && meeting.facts.closes && *meeting.facts.closes - *opens > long_session)
        status_.long_ones.add(meeting.id, listed_max);
    if (meeting.word == Word::failed && is_near)
        ++status_.failed_near;
    if (meeting.word == Word::at_risk)
        ++status_.at_risk;
    if (meeting.word == Word::failed || meeting.word == Word::at_risk)
        add_to_group(meeting, is_near);
    if (meeting.word != Word::ready && meeting.has_people && opens)
        safe_.somebody_cannot_enter(meeting.id, std::max(*opens, now_));
}

StatusReport StatusSum::result() &&
{
    for (auto& [key, group] : groups_)
        status_.groups.add(std::move(group), groups_max);
    status_.groups.total += groups_left_out_.size();
    std::sort(status_.groups.items.begin(), status_.groups.items.end(), [](auto const& a, auto const& b) {
        return std::pair{a.word, a.near == 0} != std::pair{b.word, b.near == 0}
                   ? std::pair{a.near == 0, a.word} < std::pair{b.near == 0, b.word}
                   : opens_before(a.meetings.items.front(), b.meetings.items.front());
    });
    status_.safe = std::move(safe_).result();
    return std::move(status_);
}

void StatusSum::add_to_group(MeetingStanding const& meeting, bool is_near)
{
    GroupKey key{meeting.word, meeting.reason, meeting.project};
    if (groups_.size() == groups_max && !groups_.contains(key)) {
        if (groups_left_out_.size() < groups_max)
            groups_left_out_.emplace(std::move(key), true);
        return;
    }
    MeetingGroup& group = groups_[std::move(key)];
    if (group.meetings.total == 0) {
        group.word = meeting.word;
        group.reason = meeting.reason;
        group.project = meeting.project;
    }
    MeetingRef ref{meeting.id, meeting.facts.opens};
    if (group.meetings.items.empty() || opens_before(ref, group.meetings.items.front()))
        group.detail = meeting.detail;
    group.meetings = with_earliest(std::move(group.meetings), std::move(ref));
    group.near += is_near ? 1 : 0;
    group.has_session = group.has_session || meeting.has_session;
    group.rows_gone = group.rows_gone || meeting.rows_gone;
    const auto earlier = [](std::optional<sys_seconds> one, std::optional<sys_seconds> other) {
        return one && other ? std::min(one, other) : one ? one : other;
    };
    group.since = earlier(group.since, meeting.facts.wanted_since);
    group.next_at = earlier(group.next_at, meeting.next_at);
}

} // namespace usher
