// SPDX-License-Identifier: Apache-2.0
#include <usher/core/numbers.hpp>

#include <cstddef>

namespace usher {

std::string grouped(std::int64_t number)
{
    std::string digits = std::to_string(number);
    const std::size_t sign = number < 0 ? 1 : 0;
    for (std::size_t at = digits.size(); at > sign + 3;)
        digits.insert(at -= 3, ",");
    return digits;
}

std::string counted(std::int64_t count, std::string_view thing)
{
    return grouped(count) + " " + std::string{thing} + (count == 1 ? "" : "s");
}

} // namespace usher
