// SPDX-License-Identifier: Apache-2.0
#include <usher/core/policy.hpp>

namespace usher {

std::uint64_t stable_hash(std::string_view bytes, std::uint64_t seed)
{
    std::uint64_t hash = seed;
    for (const char byte : bytes) {
        hash ^= static_cast<unsigned char>(byte);
        hash *= 0x100000001b3U;
    }
    return hash;
}

seconds spread(std::string_view id, std::uint64_t salt, seconds range)
{
    if (range.count() <= 0)
        return seconds{0};
    std::uint64_t hash = stable_hash(id, stable_hash({}, 0xcbf29ce484222325U ^ salt));
    hash ^= hash >> 33U; // FNV's high bits are weak for short keys; fold them in before the remainder
    hash *= 0xff51afd7ed558ccdU;
    hash ^= hash >> 33U;
    return seconds{static_cast<std::int64_t>(hash % (static_cast<std::uint64_t>(range.count()) + 1))};
}

} // namespace usher
