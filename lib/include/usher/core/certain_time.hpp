// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>

#include <usher/core/time.hpp>

namespace usher {

/// The latest instant that has certainly come. The wall clock may have been set wrong; it is believed once it has run
/// beside the steady clock for an hour. Until then time goes on from what was believed before, by the steady clock.
/// What cannot be undone, such as a purge, waits for this instant.
class CertainTime {
public:
    using Steady = std::chrono::steady_clock::time_point;

    /// `reached`: the highest clock that an earlier run saw; epoch when there was none.
    CertainTime(sys_seconds reached, sys_seconds now, Steady steady)
        : base_{reached == sys_seconds{} ? now : std::min(reached, now)},
          base_at_{steady},
          last_{now},
          last_at_{steady},
          agrees_since_{steady}
    {}

    /// To be asked now and then; a step between two questions is noticed.
    sys_seconds at(sys_seconds now, Steady steady)
    {
        const auto passed = std::chrono::round<seconds>(steady - last_at_);
        if (std::chrono::abs((now - last_) - passed) > seconds{2}) {
            base_ = std::min(certain(last_, last_at_), now);
            base_at_ = steady;
            agrees_since_ = steady;
        }
        last_ = now;
        last_at_ = steady;
        if (steady - agrees_since_ >= std::chrono::hours{1}) {
            base_ = now;
            base_at_ = steady;
        }
        return certain(now, steady);
    }

private:
    sys_seconds certain(sys_seconds now, Steady steady) const
    {
        return std::min(now, base_ + std::chrono::floor<seconds>(steady - base_at_));
    }

    sys_seconds base_;
    Steady base_at_;
    sys_seconds last_;
    Steady last_at_;
    Steady agrees_since_;
};

} // namespace usher
