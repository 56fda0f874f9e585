// SPDX-License-Identifier: Apache-2.0
#include <usher/service/random.hpp>

#include <stdexcept>

#include <sys/random.h>

namespace usher {

std::uint64_t SystemRandom::next()
{
    if (used_ == pool_.size()) {
        // One system call for many tokens. It only fails, or gives less, for larger requests than this.
        if (::getrandom(pool_.data(), sizeof pool_, 0) != static_cast<ssize_t>(sizeof pool_))
            throw std::runtime_error{"the operating system gives no random bytes"};
        used_ = 0;
    }
    return pool_[used_++];
}

} // namespace usher
