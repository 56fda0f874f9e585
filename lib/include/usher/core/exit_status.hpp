// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace usher {

/// Of both programs.
enum ExitStatus : int {
    exit_done = 0,
    exit_could_not = 1,
    exit_usage = 2,
};

struct ExitMeaning {
    ExitStatus status;
    std::string_view meaning;
};

inline constexpr ExitMeaning exit_meanings[] = {
    {exit_done, "done, all is well"},
    {exit_could_not, "could not, or not all is well"},
    {exit_usage, "usage, configuration, or a database that this account may not write"},
};

} // namespace usher
