// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace usher {

/// Tells systemd, without waiting for it; nothing happens when it did not start us.
void notify_ready();
void notify_stopping();
void notify_status(std::string const& sentence);

/// Tells again what systemd did not take; returns whether nothing is left.
bool notify_again();

} // namespace usher
