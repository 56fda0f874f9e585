// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <tuple>

#include <usher/store/report.hpp>

namespace usher {

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
    explicit StatusSum(sys_seconds now) : now_{now} {}

    void add_meeting(MeetingStanding const& meeting);
    /// A token of the meeting ends before the meeting does.
    void add_token_end(std::string const& meeting, sys_seconds at) { safe_.somebody_cannot_enter(meeting, at); }

    StatusReport result() &&;

private:
    using GroupKey = std::tuple<Word, std::string, std::string>;

    void add_to_group(MeetingStanding const& meeting, bool is_near);

    sys_seconds now_;
    StatusReport status_;
    SafeUntil safe_;
    std::map<GroupKey, MeetingGroup> groups_;
    std::map<GroupKey, bool> groups_left_out_;
};

} // namespace usher
