// SPDX-License-Identifier: Apache-2.0
#include <usher/service/random.hpp>

#include <array>
#include <cstddef>
#include <stdexcept>

#include <sys/random.h>

namespace usher {

std::uint64_t SystemRandom::next()
{
    thread_local std::array<std::uint64_t, 32> pool{};
    thread_local std::size_t used = pool.size();
    if (used == pool.size()) {
        // One system call for many tokens. It only fails, or gives less, for larger requests than this.
        if (::getrandom(pool.data(), sizeof pool, 0) != static_cast<ssize_t>(sizeof pool))
            throw std::runtime_error{"the operating system gives no random bytes"};
        used = 0;
    }
    return pool[used++];
}

} // namespace usher
