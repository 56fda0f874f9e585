// SPDX-License-Identifier: Apache-2.0
// What the files of several token formats need.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <usher/core/token_format.hpp>

namespace usher {

inline constexpr std::size_t connection_data_bytes_max = 1000;
inline constexpr std::string_view connect_scope = "session.connect";
inline constexpr std::string_view hs256_header = R"({"alg":"HS256","typ":"JWT"})";
inline constexpr std::string_view rs256_header = R"({"alg":"RS256","typ":"JWT"})";

/// RFC 9562, version 4: 122 of the bits are taken as they are.
std::string uuid_v4(TokenEntropy entropy);

/// Of 16 digits always, so that a token's length follows from its claims; exact in JavaScript, below 2^53. Some values
/// are one part in 2,306 more likely than the others.
std::int64_t nonce_of(TokenEntropy entropy);

/// `token` with notes on what is odd about its role, times, session and data, which every format has.
DecodedToken with_oddities(DecodedToken token);

tl::unexpected<Failure> mismatch(std::string message);

} // namespace usher
