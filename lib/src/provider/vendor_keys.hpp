// SPDX-License-Identifier: Apache-2.0
// The credentials of a project with an API key, which the sandbox has like the vendor.
#pragma once

#include <string_view>

#include <usher/core/token.hpp>
#include <usher/settings/key.hpp>
#include <usher/settings/settings.hpp>

namespace usher {

inline constexpr std::string_view api_key_expected = "the project's API key, which is a number";

/// Neither repeats the value: a secret is easily pasted there.
KeyFinding check_api_key(std::string_view text);
KeyFinding check_api_secret(std::string_view secret);

/// Of the keys `api_key` and `api_secret`.
Result<TokenSigner> signer_by_secret(std::string_view project, Settings const& settings, TokenFormat format);

} // namespace usher
