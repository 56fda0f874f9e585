// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
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
    /// To be told when the lock is taken, and when it is released.
    void lock(bool is_held, Instant now)
    {
        if (is_held) {
            taken_ = now;
            return;
        }
        held_ = now - taken_;
        longest_held_ = std::max(longest_held_, held_);
        until_ = std::max(until_, now + 2 * held_);
    }
    Duration last_held() const { return held_; }
    Duration longest_held() const { return longest_held_; }

    /// Whether others have written within the last second.
    bool beside_a_writer(Instant now) const { return now - others_wrote_ < std::chrono::seconds{1}; }
    /// Until twice the time that the lock was held has gone by; zero when nobody else writes.
    Duration left(Instant now) const
    {
        return beside_a_writer(now) ? std::max(until_ - now, Duration::zero()) : Duration::zero();
    }

private:
    std::int64_t data_version_;
    Instant others_wrote_ = Instant{} - std::chrono::hours{1}; ///< Long ago.
    Instant taken_{};
    Duration held_{};
    Duration longest_held_{};
    Instant until_{};
};

} // namespace usher
