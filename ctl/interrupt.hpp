// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <csignal>
#include <stdexcept>

namespace usher::ctl {

/// Somebody wants the command to end, and it has taken back what it began.
struct Interrupted : std::runtime_error {
    Interrupted() : std::runtime_error{"interrupted. Nothing was changed."} {}
};

/// While one lives, SIGINT, SIGTERM and SIGHUP do not end the process at once, so that no unfinished file is left. A
/// second one of a kind does.
class Interruptible {
public:
    Interruptible();
    Interruptible(Interruptible const&) = delete;
    Interruptible& operator=(Interruptible const&) = delete;
    ~Interruptible();

    static void check(); ///< Errors: Interrupted.

    /// Waits until there is something to read; false when the command is to end.
    static bool wait_for(int descriptor);

private:
    std::array<struct sigaction, 3> former_{};
};

} // namespace usher::ctl
