// SPDX-License-Identifier: Apache-2.0
#include <usher/core/token_format.hpp>

#include <array>

namespace usher {

std::span<TokenFormat const> token_formats()
{
    static constexpr std::array formats{
        TokenFormat{t1_format},
        TokenFormat{jwt_format},
    };
    return formats;
}

} // namespace usher
