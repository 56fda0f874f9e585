// SPDX-License-Identifier: Apache-2.0
#include "repeats.hpp"

#include <utility>

#include <usher/core/ascii.hpp>

namespace usher {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t passed_max = 5;
constexpr std::size_t kinds_max = 500;

/// The line with `#` for each number.
std::string pattern_of(std::string_view line)
{
    std::string kind;
    for (const char c : line) {
        const bool digit = is_digit(c);
        if (!digit || kind.empty() || kind.back() != '#')
            kind += digit ? '#' : c;
    }
    return kind;
}

bool over(Repeats::WallInstant since, Repeats::WallInstant now)
{
    return now >= since + 1min || now < since; // also when the clock was set back
}

std::string with_count(std::string line, std::size_t count)
{
    return std::move(line) + " repeated=" + std::to_string(count);
}

} // namespace

std::optional<std::string> Repeats::take(std::string_view line, WallInstant now)
{
    if (kinds_.size() > kinds_max)
        return std::string{line}; // as different as that, they do not repeat
    const auto [found, is_new] = kinds_.try_emplace(pattern_of(line));
    Repeated& kind = found->second;
    if (is_new)
        kind.since = now;
    if (over(kind.since, now)) {
        const std::size_t held = kind.held;
        kind = {.since = now, .passed = held > 0 ? passed_max : 1}; // what goes on repeating stays thinned out
        return held > 0 ? with_count(std::string{line}, held + 1) : std::string{line};
    }
    if (kind.passed < passed_max) {
        ++kind.passed;
        return std::string{line};
    }
    ++kind.held;
    kind.last = line;
    return std::nullopt;
}

std::vector<std::string> Repeats::due(WallInstant now, bool all)
{
    std::vector<std::string> lines;
    for (auto kind = kinds_.begin(); kind != kinds_.end();) {
        const bool ends = all || over(kind->second.since, now);
        if (ends && kind->second.held > 0) {
            lines.push_back(with_count(std::move(kind->second.last), kind->second.held));
            kind->second = {.since = now, .passed = passed_max};
        } else if (ends) {
            kind = kinds_.erase(kind);
            continue;
        }
        ++kind;
    }
    return lines;
}

} // namespace usher
