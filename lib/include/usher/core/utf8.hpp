// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace usher {

/// Whether `text` is UTF-8 as RFC 3629 has it: shortest forms only, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

/// With `?` for each control character, since a terminal and the journal act on them.
std::string without_controls(std::string_view text);

} // namespace usher
