// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>

#include <usher/core/time.hpp>

namespace usher {

/// The wall clock is believed once it has run beside the steady clock for this long.
inline constexpr seconds clock_believed_after{3600};

/// What is kept of the clock from one run to the next.
struct ClockRecord {
    sys_seconds certain{}; ///< An instant that had certainly come; 1970: none is known.
    sys_seconds seen{};    ///< The clock, when it was first seen to be set as it is,
    seconds steady{};      ///< and the steady one at that instant.

    friend bool operator==(ClockRecord const&, ClockRecord const&) = default;
};

/// What a start makes of it. The very first start believes its clock. If the clock was set since an earlier start, a
/// new start does not believe it either. If the machine was booted meanwhile, the start believes only what the clock
/// showed before, and only if that was an hour ago or longer.
inline ClockRecord at_start(ClockRecord const& kept, sys_seconds now, std::chrono::steady_clock::time_point steady_now)
{
    const auto steady = std::chrono::floor<seconds>(steady_now.time_since_epoch());
    if (kept.certain == sys_seconds{})
        return {now, now - clock_believed_after, steady - clock_believed_after};
    const seconds passed = now - kept.seen;
    if (steady < kept.steady) // another boot
        return {
            std::min(passed >= clock_believed_after ? std::max(kept.certain, kept.seen) : kept.certain, now), now,
            steady};
    if (std::chrono::abs(passed - (steady - kept.steady)) > seconds{2})
        return {std::min(kept.certain, now), now, steady};
    return {passed >= clock_believed_after ? now : std::min(kept.certain, now), kept.seen, kept.steady};
}

/// The latest instant that has certainly come. The wall clock may have been set wrong; it is believed once it has run
/// beside the steady clock for an hour. Until then time goes on from what was believed before, by the steady clock.
/// What cannot be undone, such as a purge, waits for this instant.
class CertainTime {
public:
    using Instant = std::chrono::steady_clock::time_point;

    /// `start` is what at_start() returned for this run. An instant that has certainly come does not prove that the
    /// clock is right: a clock that was set back shows such instants only.
    CertainTime(ClockRecord const& start, sys_seconds now, Instant steady)
        : base_{std::min(start.certain, now)},
          base_at_{steady},
          last_{now},
          last_at_{steady},
          agrees_since_{start.steady}
    {}

    /// To be asked now and then; a step between two questions is noticed.
    sys_seconds at(sys_seconds now, Instant steady)
    {
        const auto passed = std::chrono::round<seconds>(steady - last_at_);
        if (std::chrono::abs((now - last_) - passed) > seconds{2}) {
            base_ = std::min(certain(last_, last_at_), now);
            base_at_ = steady;
            agrees_since_ = steady;
        }
        last_ = now;
        last_at_ = steady;
        if (steady - agrees_since_ >= clock_believed_after) {
            base_ = now;
            base_at_ = steady;
        }
        return certain(now, steady);
    }

    /// Whether the clock is believed at the instant that was asked about last.
    bool believes() const { return last_at_ - agrees_since_ >= clock_believed_after; }

private:
    sys_seconds certain(sys_seconds now, Instant steady) const
    {
        return std::min(now, base_ + std::chrono::floor<seconds>(steady - base_at_));
    }

    sys_seconds base_;
    Instant base_at_;
    sys_seconds last_;
    Instant last_at_;
    Instant agrees_since_;
};

} // namespace usher
