// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace usher::simulation {

/// All chance of a run comes from one seed. splitmix64: small, and the same everywhere. Whoever draws has dice of their
/// own, so that one more draw in one place changes nothing in another.
class Dice {
public:
    explicit Dice(std::uint64_t seed) : state_{seed} {}

    std::uint64_t next()
    {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15U;
        z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
        return z ^ (z >> 31U);
    }
    /// At least 0 and less than `bound`.
    std::int64_t below(std::int64_t bound)
    {
        return static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(bound));
    }
    std::int64_t between(std::int64_t low, std::int64_t high) { return low + below(high - low + 1); }
    bool one_in(std::int64_t count) { return below(count) == 0; }
    bool percent(std::int64_t of_a_hundred) { return below(100) < of_a_hundred; }
    template <class T>
    T some(std::initializer_list<T> values)
    {
        return *(values.begin() + below(static_cast<std::int64_t>(values.size())));
    }
    std::string hex(int digits)
    {
        std::string text;
        while (static_cast<int>(text.size()) < digits)
            text += "0123456789abcdef"[below(16)];
        return text;
    }
    Dice fork() { return Dice{next()}; }

private:
    std::uint64_t state_;
};

} // namespace usher::simulation
