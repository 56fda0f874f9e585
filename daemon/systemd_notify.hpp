// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace usher {

/// Tells systemd, without waiting for it; nothing happens when it did not start us.
void notify_ready();
void notify_stopping();
void notify_status(std::string const& sentence);
/// A reload begins; notify_ready() ends it.
void notify_reloading();
/// The start is still under way: systemd waits so much longer for READY.
void notify_slow_start(std::chrono::seconds more);
/// The program works. Not kept where systemd does not read: the next one comes soon.
void notify_watchdog();

/// How often systemd wants to hear of the watchdog; nothing where it does not.
std::optional<std::chrono::microseconds> watchdog_interval();

/// Whether systemd, or somebody like it, wants to be told anything.
bool is_notified();

/// Tells again what systemd did not take; returns whether nothing is left.
bool notify_again();

} // namespace usher
