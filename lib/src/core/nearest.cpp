// SPDX-License-Identifier: Apache-2.0
#include <usher/core/nearest.hpp>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

namespace usher {

namespace {

constexpr std::size_t name_max = 60;

std::size_t edit_distance(std::string_view a, std::string_view b)
{
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const auto replaced = diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U);
            diagonal = row[j];
            row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row.back();
}

/// With the number of edits.
std::optional<std::pair<std::string_view, std::size_t>>
find_nearest(std::string_view text, std::span<std::string_view const> known)
{
    if (text.size() > name_max || known.empty()) {
        return std::nullopt;
    }
    const auto best = *std::min_element(known.begin(), known.end(), [&](auto a, auto b) {
        return edit_distance(text, a) < edit_distance(text, b);
    });
    return std::pair{best, edit_distance(text, best)};
}

} // namespace

std::optional<std::string_view> nearest(std::string_view text, std::span<std::string_view const> known)
{
    const auto best = find_nearest(text, known);
    if (!best) {
        return std::nullopt;
    }
    const auto close = std::max<std::size_t>(2, std::max(text.size(), best->first.size()) / 3);
    return best->second <= close ? std::optional{best->first} : std::nullopt;
}

std::optional<std::string_view>
nearest(std::string_view text, std::span<std::string_view const> known, std::size_t edits)
{
    const auto best = find_nearest(text, known);
    return best && best->second <= edits ? std::optional{best->first} : std::nullopt;
}

} // namespace usher
