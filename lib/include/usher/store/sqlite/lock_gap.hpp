// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

namespace usher {

/// How long the write lock is left alone after it was held. SQLite's busy handler is unfair: while a platform writes,
/// its retry needs a gap to get through.
class LockGap {
public:
    using Duration = std::chrono::steady_clock::duration;
    using Instant = std::chrono::steady_clock::time_point;

    explicit LockGap(std::int64_t data_version) : data_version_{data_version} {}

    /// To be told what `PRAGMA data_version` is: it moves when others have written.
    void look(std::int64_t data_version, Instant now)
    {
        if (data_version != data_version_)
            others_wrote_ = now;
        data_version_ = data_version;
    }
    void held(Instant from, Instant to)
    {
        released_ = to;
        held_ = to - from;
    }

    /// Whether others have written within the last second.
    bool beside_a_writer(Instant now) const { return now - others_wrote_ < std::chrono::seconds{1}; }
    /// Until twice the time that the lock was held has gone by; zero when nobody else writes.
    Duration left(Instant now) const
    {
        const Duration left = released_ + 2 * held_ - now;
        return beside_a_writer(now) && left > Duration::zero() ? left : Duration::zero();
    }

private:
    std::int64_t data_version_;
    Instant others_wrote_ = Instant{} - std::chrono::hours{1}; ///< Long ago.
    Instant released_{};
    Duration held_{};
};

} // namespace usher
