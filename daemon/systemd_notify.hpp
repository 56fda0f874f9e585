// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace usher {

/// Tells systemd; nothing happens when it did not start us.
void notify_ready();
void notify_stopping();
void notify_status(std::string const& sentence);

} // namespace usher
