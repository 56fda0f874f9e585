// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace usher {

/// Draws the bits that make sessions and tokens unique; a door to the world, so that tests bring their own.
class RandomSource {
public:
    virtual ~RandomSource() = default;
    virtual std::uint64_t next() = 0;
};

/// The operating system's generator.
class SystemRandom final : public RandomSource {
public:
    std::uint64_t next() override;

private:
    std::array<std::uint64_t, 32> pool_{};
    std::size_t used_ = 32;
};

} // namespace usher
