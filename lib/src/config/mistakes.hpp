// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <string>
#include <utility>
#include <vector>

#include <usher/config/load.hpp>

namespace usher {

/// In the configuration file, from 1; zero: the file itself.
struct Position {
    int line = 0;
    int column = 0;

    auto operator<=>(Position const&) const = default;
};

/// What is wrong at one place.
struct Mistake {
    Position at;
    std::string message;
};

/// Collects what is wrong with one configuration file.
class Mistakes {
public:
    explicit Mistakes(std::string file) : file_{std::move(file)} {}

    /// Whether there are so many that looking for more is of no use: a file can repeat itself through aliases.
    bool full() const;
    bool none() const { return errors_.empty(); }

    void add(Position at, std::string key, std::string message);
    void warn(Position at, std::string key, std::string message);

    /// In the order of their positions.
    std::vector<ConfigError> errors() const;
    std::vector<std::string> const& warnings() const { return warnings_; }

private:
    std::string file_;
    std::vector<ConfigError> errors_;
    std::vector<std::string> warnings_;
};

} // namespace usher
