// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace usher::ctl {

struct Context;

/// Where usherd leaves what became of its last reload: in the folder that systemd makes for it, or beside the database.
std::vector<std::string> verdict_places(Context& context);

/// What was left in one of these places.
struct LeftVerdict {
    std::vector<std::string> lines; ///< `taken`, or `refused` and why. Empty: nothing was left, or it cannot be read.
    std::int64_t left_at = 0;       ///< In Unix seconds; 0: nothing was left.
    std::string stamp;              ///< Another one each time that something is left.
    bool is_hidden = false;         ///< This account may not know.
};
LeftVerdict read_verdict(std::string const& path);

} // namespace usher::ctl
