// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace usher {

/// What keeps the content of a file from being a secret (a key in PEM, or one line with at most one newline after it),
/// to follow the file's name: `begins with a byte order mark`. Says what was found there, never the secret.
/// Programs that write files put all this around a secret or into it in silence, and a token that is signed with it
/// looks like any other until somebody joins with it.
std::optional<std::string> secret_fault(std::string_view content);

} // namespace usher
