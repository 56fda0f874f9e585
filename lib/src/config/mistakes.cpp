// SPDX-License-Identifier: Apache-2.0
#include "config/mistakes.hpp"

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <utility>

namespace usher {

namespace {

constexpr std::size_t errors_max = 100;

} // namespace

bool Mistakes::full() const
{
    return errors_.size() >= errors_max;
}

void Mistakes::add(Position at, std::string key, std::string message)
{
    if (!full())
        errors_.push_back({file_, at.line, at.column, std::move(key), std::move(message)});
}

void Mistakes::warn(Position at, std::string key, std::string message)
{
    warnings_.push_back(ConfigError{file_, at.line, at.column, std::move(key), std::move(message)}.text());
}

std::vector<ConfigError> Mistakes::errors() const
{
    std::vector<ConfigError> sorted = errors_;
    std::stable_sort(sorted.begin(), sorted.end(), [](ConfigError const& a, ConfigError const& b) {
        return std::tie(a.line, a.column) < std::tie(b.line, b.column);
    });
    if (full())
        sorted.push_back({file_, 0, 0, "", "there are more mistakes; these are the first ones found"});
    return sorted;
}

std::string ConfigError::text() const
{
    std::string out = file;
    if (line > 0)
        out += ":" + std::to_string(line) + ":" + std::to_string(column);
    return out + ": " + (key.empty() ? "" : key + ": ") + message;
}

} // namespace usher
