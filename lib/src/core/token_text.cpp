// SPDX-License-Identifier: Apache-2.0
#include "core/token_text.hpp"

#include <utility>

#include <usher/core/session_id.hpp>
#include <usher/crypto/hmac.hpp>

namespace usher {

std::string uuid_v4(TokenEntropy entropy)
{
    const std::uint64_t high = (entropy.high & 0xffffffffffff0fffU) | 0x4000U;
    const std::uint64_t low = (entropy.low & 0x3fffffffffffffffU) | 0x8000000000000000U;
    std::string bytes;
    for (const std::uint64_t half : {high, low})
        for (unsigned shift = 64; shift > 0; shift -= 8)
            bytes += static_cast<char>((half >> (shift - 8)) & 0xffU);
    std::string text = to_hex(bytes);
    for (const std::size_t dash : {8U, 13U, 18U, 23U})
        text.insert(dash, 1, '-');
    return text;
}

std::int64_t nonce_of(TokenEntropy entropy)
{
    constexpr std::uint64_t least = 1'000'000'000'000'000;
    return static_cast<std::int64_t>(least + entropy.low % (8 * least));
}

DecodedToken with_oddities(DecodedToken token)
{
    auto& notes = token.notes;
    if (token.project_key.empty())
        notes.emplace_back("It names no project.");
    if (token.session_id.empty())
        notes.emplace_back("It has no session_id.");
    if (token.role.empty())
        notes.emplace_back("It has no role.");
    else if (!parse_role(token.role))
        notes.emplace_back("Its role is none of subscriber, publisher, publisheronly and moderator.");
    if (!token.issued_at)
        notes.emplace_back("It does not say when it was issued.");
    if (!token.expires_at)
        notes.emplace_back("It does not say when it expires.");
    if (token.issued_at && token.expires_at && *token.expires_at <= *token.issued_at)
        notes.emplace_back("It expires before it is issued.");
    for (auto const& time : {token.issued_at, token.expires_at})
        if (time && *time > 100'000'000'000) {
            notes.emplace_back("Its times look like milliseconds; the platform reads seconds.");
            break;
        }
    if (token.connection_data.size() > connection_data_bytes_max)
        notes.emplace_back("Its connection data is longer than 1000 bytes.");
    if (is_of_another_project(token.session_id, token.project_key))
        notes.emplace_back("Its session id was made for another project.");
    return token;
}

tl::unexpected<Failure> mismatch(std::string message)
{
    return fail(Errc::signature_mismatch, std::move(message));
}

} // namespace usher
