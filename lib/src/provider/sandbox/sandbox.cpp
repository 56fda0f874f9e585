// SPDX-License-Identifier: Apache-2.0
#include <usher/provider/sandbox.hpp>

#include <usher/crypto/base64.hpp>

namespace usher {

std::string sandbox_session_id(std::string_view api_key, SessionOrder const& order)
{
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string random;
    for (unsigned shift = 24; shift > 0; shift -= 6)
        random.push_back(alphabet[(order.serial >> (shift - 6)) & 63U]);
    for (std::uint64_t bits : order.entropy)
        for (int i = 0; i < 8; ++i, bits >>= 6U)
            random.push_back(alphabet[bits & 63U]);

    std::string text = "1~";
    text.append(api_key).append("~~").append(std::to_string(order.at.time_since_epoch().count())).append("~");
    text.append(random).append("~").append(order.options.media_mode == "relayed" ? "P" : "").append("~~");
    return "1_" + base64url_encode(text);
}

boost::asio::awaitable<CreateOutcome> SandboxProvider::create_session(SessionOrder order)
{
    CreateOutcome outcome{sandbox_session_id(api_key_, order)};
    co_return outcome;
}

} // namespace usher
