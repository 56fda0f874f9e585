// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "commands.hpp"

namespace usher::test {

struct Answer {
    int status;
    std::string out;
    std::string err;

    nlohmann::json json() const { return nlohmann::json::parse(out); }
};

/// Runs usherctl in this process; `words` are what follows its name.
inline Answer call_usherctl(std::vector<std::string> words, ctl::Screen screen = {}, std::string const& input = {})
{
    words.insert(words.begin(), "usherctl");
    std::vector<char const*> argv;
    for (std::string const& word : words)
        argv.push_back(word.c_str());
    std::istringstream in{input};
    std::ostringstream out;
    std::ostringstream err;
    const int status = ctl::run(static_cast<int>(argv.size()), argv.data(), in, out, err, screen);
    return {status, out.str(), err.str()};
}

} // namespace usher::test
