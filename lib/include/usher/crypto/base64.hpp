// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace usher {

/// Standard alphabet, padded.
std::string base64_encode(std::string_view bytes);

/// URL alphabet, not padded.
std::string base64url_encode(std::string_view bytes);

/// The lengths of what the two return.
constexpr std::size_t base64_size(std::size_t bytes)
{
    return (bytes + 2) / 3 * 4;
}
constexpr std::size_t base64url_size(std::size_t bytes)
{
    return (bytes * 4 + 2) / 3;
}

/// The same to `out`, which has room for it; they return its end.
char* write_base64(char* out, std::string_view bytes);
char* write_base64url(char* out, std::string_view bytes);

/// Reads exactly what base64_encode writes: padded, no unused bit set, nothing else around.
std::optional<std::string> base64_decode(std::string_view text);

/// Reads exactly what base64url_encode writes.
std::optional<std::string> base64url_decode(std::string_view text);

/// Reads either alphabet, even mixed, with or without padding; unused bits are ignored. For text from elsewhere.
std::optional<std::string> base64_decode_lenient(std::string_view text);

/// Whether `text` begins with digits of either alphabet that stand for `bytes`; the rest may be anything.
bool base64_starts_with(std::string_view text, std::string_view bytes);

} // namespace usher
