// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace usher {

/// Thins out lines that repeat: of lines that differ in their numbers only, the first few of a minute pass, then one a
/// minute, which tells how many it stands for. Pure.
class Repeats {
public:
    using WallInstant = std::chrono::system_clock::time_point;

    /// What to print for `line`, if anything now.
    std::optional<std::string> take(std::string_view line, WallInstant now);

    /// The lines that were held back for a minute; all of them at the end.
    std::vector<std::string> due(WallInstant now, bool all = false);

private:
    struct Repeated {
        WallInstant since{};    ///< The minute at hand.
        std::size_t passed = 0; ///< In it.
        std::size_t held = 0;
        std::string last{}; ///< Of those held back.
    };
    std::map<std::string, Repeated, std::less<>> kinds_;
};

} // namespace usher
