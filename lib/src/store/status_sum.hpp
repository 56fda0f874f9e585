// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <usher/store/report.hpp>

namespace usher {

/// Reasons are a few words of usher's own. What somebody else wrote there does not make lists longer than this.
inline constexpr std::size_t told_reasons_max = 50;

/// Finds when somebody first cannot enter, and into which meetings.
class SafeUntil {
public:
    void somebody_cannot_enter(std::string const& meeting, sys_seconds from);

    SafeReport result() &&;

private:
    SafeReport result_;
};

/// Sums up meetings as they come by.
class StatusSum {
public:
    /// `projects` are those that are configured.
    StatusSum(Viewpoint const& view, std::vector<ProjectReport> const& projects);

    void add_meeting(MeetingStanding const& meeting);
    /// So many rows of meetings that are over.
    void add_ended(std::string const& project, std::int64_t count) { add_to_stock(project, State::ended, {}, count); }
    /// A token of the meeting ends before the meeting does.
    void add_token_end(std::string const& meeting, sys_seconds at) { safe_.somebody_cannot_enter(meeting, at); }

    StatusReport result() &&;

private:
    using GroupKey = std::tuple<Word, std::string, std::string>;

    void add_to_group(MeetingStanding const& meeting, bool is_near);
    void add_to_stock(std::string const& project, State state, std::string const& reason, std::int64_t count);
    void add_opening(MeetingStanding const& meeting);

    sys_seconds now_;
    std::optional<sys_seconds> opened_after_;
    std::set<std::string> projects_;
    std::set<std::string> reasons_; ///< That are told of.
    StatusReport status_;
    SafeUntil safe_;
    std::map<GroupKey, MeetingGroup> groups_;
    std::map<GroupKey, bool> groups_left_out_;
};

} // namespace usher
