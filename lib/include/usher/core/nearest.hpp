// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace usher {

/// The known name that was probably meant by `text`, for a message.
std::optional<std::string_view> nearest(std::string_view text, std::span<std::string_view const> known);

/// Likewise, where at most `edits` characters differ.
std::optional<std::string_view>
nearest(std::string_view text, std::span<std::string_view const> known, std::size_t edits);

} // namespace usher
