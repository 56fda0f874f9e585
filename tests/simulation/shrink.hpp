// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "simulation/month.hpp"

namespace usher::simulation {

/// A part of `items` for which `fails` still holds, found by leaving out ever smaller pieces. `fails` holds for all of
/// them, and is asked at most once for each part.
template <class T>
std::vector<T> least(std::vector<T> items, std::function<bool(std::vector<T> const&)> const& fails)
{
    if (items.empty() || fails({}))
        return {};
    for (std::size_t piece = (items.size() + 1) / 2; piece > 0; piece = piece == 1 ? 0 : (piece + 1) / 2) {
        bool any = true;
        while (any && items.size() > 1) {
            any = false;
            for (std::size_t first = 0; first < items.size() && items.size() > 1;) {
                std::vector<T> rest{items.begin(), items.begin() + static_cast<std::ptrdiff_t>(first)};
                const std::size_t after = std::min(first + piece, items.size());
                rest.insert(rest.end(), items.begin() + static_cast<std::ptrdiff_t>(after), items.end());
                if (!rest.empty() && fails(rest)) {
                    items = std::move(rest);
                    any = piece == 1; // the others may be needed for this one only
                } else {
                    first = after;
                }
            }
        }
    }
    return items;
}

struct Shrunk {
    MonthOptions options;
    MonthResult result;
    int runs = 0;
};

/// Tells a shorter story that ends with the same violation: fewer faults, meetings and kinds of edits, and
/// less time. `result` is what `options` lead to. `tell` is told of each step.
Shrunk shrink(MonthOptions options, MonthResult result, std::function<void(std::string const&)> const& tell);

/// What makes usher-sim leave out the same, with a space before each option.
std::string leaving_out(MonthOptions const& options);

} // namespace usher::simulation
