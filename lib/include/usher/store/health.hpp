// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace usher {

/// Something about a store that only its own kind has. Whoever shows it needs to know no more than this.
struct HealthRow {
    std::string name; ///< In snake_case; it stays, other words may change.
    std::int64_t value = 0;
    std::string unit;      ///< bytes, us, pages
    std::string sentence;  ///< What it is, for operators.
    std::string concern{}; ///< What is not as it should be about it, and what to do; empty mostly.

    friend bool operator==(HealthRow const&, HealthRow const&) = default;
};

} // namespace usher
