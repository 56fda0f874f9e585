// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <optional>

#include <usher/core/meeting.hpp>
#include <usher/core/plan.hpp>
#include <usher/core/time.hpp>

namespace usher {

/// How calls to providers end, in imagination.
enum class ImaginedCalls : std::uint8_t { answered, unanswered };

/// What usher does for a meeting at an instant.
struct ImaginedLook {
    sys_seconds at;
    Plan const& plan;
    bool calls = false; ///< A session is asked for over the network.
};

/// The meeting as it is at `until` if usher is at work from `from` on, nobody edits a row, and calls go as told. plan()
/// is asked at each instant that it names, the first time at `from`, and what it says is taken for done. `visit` is
/// told of each; it may be empty. Pure.
MeetingSnapshot imagine(
    MeetingSnapshot meeting, Projects const& projects, sys_seconds from, sys_seconds until, ImaginedCalls calls,
    std::function<void(ImaginedLook const&)> const& visit
);

/// People of one meeting who cannot join at some instant.
struct LeftOut {
    std::size_t people = 0;
    sys_seconds since; ///< The first such instant; that of the opening, where somebody has no token.
};

/// Who of those that usher could serve cannot join at some instant of `[from, until)` while nobody is at work. Nothing
/// where nobody is left out, or somebody has to help anyway. Pure.
std::optional<LeftOut>
left_out_without_usher(MeetingSnapshot const& meeting, Projects const& projects, sys_seconds from, sys_seconds until);

} // namespace usher
