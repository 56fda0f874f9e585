// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>

namespace usher {

/// How many tokens to publish in one transaction: as many as the write lock may be held for. Learns from how long it
/// was held.
class SliceSize {
public:
    using Duration = std::chrono::steady_clock::duration;

    explicit SliceSize(Duration goal) : goal_{goal} {}

    /// Of `rest` tokens, how many come next, at least one. All slices are of about the same size: a short one at the
    /// end would take almost as much of the lock as a long one.
    std::size_t next(std::size_t rest) const;

    /// Of `about` tokens, as many as fill their slices.
    std::size_t fill(std::size_t about) const;

    void took(std::size_t tokens, Duration held);

private:
    std::size_t slices(std::size_t tokens) const;

    Duration goal_;
    std::size_t size_ = 512;
    std::array<Duration, 5> per_token_{}; ///< Of the last slices.
    std::size_t count_ = 0;
};

} // namespace usher
