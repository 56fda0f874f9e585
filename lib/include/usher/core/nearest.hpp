// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace usher {

/// The known name that was probably meant by `text`, for a message.
std::optional<std::string_view> nearest(std::string_view text, std::span<std::string_view const> known);

} // namespace usher
