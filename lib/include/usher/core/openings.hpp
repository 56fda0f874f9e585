// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>

#include <usher/core/meeting.hpp>
#include <usher/core/readiness.hpp>
#include <usher/core/time.hpp>

namespace usher {

/// How a meeting stood when it opened.
enum class Opened : std::uint8_t {
    ready,
    late,    ///< Ready by now, and not when it opened.
    unready, ///< It is not.
    excused, ///< One of these two, written or edited so shortly before that usher has its time still.
};

inline constexpr std::size_t opened_count = 4;
inline constexpr seconds opening_soon{3600};

std::string_view to_text(Opened opened);

/// How many meetings opened, by Opened.
using OpenedCounts = std::array<std::size_t, opened_count>;

/// A meeting that has opened, or will soon, as a look at all rows finds it.
struct Opening {
    MeetingNo meeting{};
    sys_seconds opens;
    Word word = Word::on_schedule;
    std::optional<sys_seconds> ready_at; ///< Since when it is ready.
};

/// Counts meetings as they open, each once, from looks at all rows every now and then. Pure.
class Openings {
public:
    /// From here on a meeting that opens is counted: the last look. Nothing before the first.
    std::optional<sys_seconds> counted_to() const { return counted_to_; }

    /// `openings`: those that opened since counted_to(), and those that open within `opening_soon` and are not ready.
    OpenedCounts look(sys_seconds now, std::span<Opening const> openings);

private:
    struct Known {
        sys_seconds opens;
        sys_seconds unready_since; ///< The first look in a row that found it so.
    };
    std::optional<sys_seconds> counted_to_;
    std::map<MeetingNo, Known> unready_; ///< That open soon.
};

} // namespace usher
