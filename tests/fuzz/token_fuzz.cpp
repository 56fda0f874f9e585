// SPDX-License-Identifier: Apache-2.0
// Hostile tokens: reading one gives fields or an error, and none that we did not sign verifies.
#include <cstdlib>
#include <string_view>

#include <usher/core/token.hpp>

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size)
{
    using namespace usher;
    static const TokenSigner t1 = std::move(*TokenSigner::for_api_key(TokenFormat::t1, "1", Secret{"no one's secret"}));
    static const TokenSigner jwt =
        std::move(*TokenSigner::for_api_key(TokenFormat::jwt, "1", Secret{"no one's secret"}));
    const std::string_view token{reinterpret_cast<char const*>(data), size};
    (void)decode_token(token);
    if (t1.verify(token) || jwt.verify(token))
        std::abort();
    return 0;
}
