// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace usher {

/// One file of schema/, embedded at build. `version` is its number, and `user_version` once it is applied.
struct Migration {
    int version;
    std::string_view name; ///< The file's name without number and suffix.
    std::string_view sql;
};

/// All migrations, numbered from 1 without a gap, in order.
std::span<Migration const> migrations();

} // namespace usher
