// SPDX-License-Identifier: Apache-2.0
#include <usher/core/backoff.hpp>

#include <algorithm>

#include <usher/core/policy.hpp>

namespace usher {

seconds backoff(int failures, seconds base, seconds cap, std::string_view id)
{
    seconds longest = std::max(base, seconds{1});
    for (int i = 1; i < failures && longest < cap; ++i)
        longest *= 2;
    longest = std::max(std::min(longest, cap), seconds{1});
    return seconds{1} + spread(id, static_cast<std::uint64_t>(failures), longest - seconds{1});
}

sys_seconds retry_at(sys_seconds now, seconds delay, sys_seconds deadline, seconds margin, seconds floor)
{
    const sys_seconds last_safe = deadline - margin;
    if (now >= last_safe)
        return now + std::min(delay, floor);
    return std::min(now + delay, std::max(last_safe, now + seconds{1}));
}

} // namespace usher
