// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace usher {

/// As people read it: `2,104`.
std::string grouped(std::int64_t number);

/// `1 meeting`, `2,104 meetings`.
std::string counted(std::int64_t count, std::string_view thing);

} // namespace usher
