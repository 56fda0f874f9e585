// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace usher {

/// What signals do until App takes them over: SIGTERM and SIGINT leave at once with `exit_status`, since nothing was
/// done yet; SIGHUP waits. SIGPIPE is ignored for good, and SIGBUS ends the process with a sentence.
void set_up_early_signals();
void set_early_exit_status(int exit_status);

/// Leaves signals to the other threads, so that those that come together are seen together.
void take_no_signals_in_this_thread();

/// SIGTERM and SIGINT end the program, as they do by default: those, too, that came while this thread took none.
void be_ended_by_signals();

/// SIGHUP is served from now on, or, without `serve`, ignored.
void release_hangup(bool serve);

} // namespace usher
