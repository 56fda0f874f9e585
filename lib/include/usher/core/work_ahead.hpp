// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include <usher/core/outlook.hpp>

namespace usher {

inline constexpr seconds minute{60};

/// The beginning of the step that `instant` is in.
sys_seconds floor_to(sys_seconds instant, seconds step);

/// What usher does in a stretch of time.
struct Work {
    std::int64_t tokens = 0;                                  ///< Signed.
    std::map<std::string, std::int64_t, std::less<>> calls{}; ///< For sessions, by project.

    std::int64_t all_calls() const;
    Work& operator+=(Work const& other);
};

/// The calls of one project, by minutes: when they are wanted, and when their meetings open.
using CallsAhead = std::map<sys_seconds, std::map<sys_seconds, std::int64_t>>;

/// What usher will do from `from` to `until`, by minutes, if it is at work from `now` on and nobody edits a row: what
/// `usherctl plan`, `doctor`, the metrics and the page tell. Pure.
class WorkAhead {
public:
    /// `projects` must live as long.
    WorkAhead(Projects const& projects, sys_seconds now, sys_seconds from, sys_seconds until);

    /// Whether a meeting may have work before `until`, by what its agenda row says: else it need not be read.
    bool concerns(sys_seconds due, std::uint64_t policy_hash) const;
    void add(MeetingSnapshot const& meeting);

    std::map<sys_seconds, Work> const& minutes() const { return minutes_; }
    std::map<std::string, CallsAhead, std::less<>> const& calls() const { return calls_; }

    /// The busiest minute after the current one against what the rate allows in a minute. What is wanted already waits
    /// for its turn, and says nothing of the rate.
    double peak_ratio(std::string_view project, double calls_per_second) const;

private:
    Projects const& projects_;
    sys_seconds now_;
    sys_seconds from_;
    sys_seconds until_;
    std::map<sys_seconds, Work> minutes_;
    std::map<std::string, CallsAhead, std::less<>> calls_;
};

} // namespace usher
