// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace usher {

/// Draws the bits that make sessions and tokens unique, for any thread; a door to the world, so that tests bring their
/// own.
class RandomSource {
public:
    virtual ~RandomSource() = default;
    virtual std::uint64_t next() = 0;
};

/// The operating system's generator.
class SystemRandom final : public RandomSource {
public:
    std::uint64_t next() override;
};

} // namespace usher
