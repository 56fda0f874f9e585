// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <tl/expected.hpp>

#include <usher/crypto/secret.hpp>

namespace usher {

/// The secret in a file that nobody else can read, without the newline at its end. The error is all that there is to be
/// said; it never holds the secret.
tl::expected<Secret, std::string> secret_of_file(std::string const& path);

/// Likewise of a credential of systemd's, whose folder guards it.
tl::expected<Secret, std::string> secret_of_credential(std::string const& name);

} // namespace usher
