// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace usher {

/// Leaves what became of a reload in `reload` of the folder that systemd made for us (RuntimeDirectory=), where
/// `usherctl reload` waits for it: `taken`, or `refused` and the errors, a line each. Elsewhere nothing happens, and
/// what cannot be written is nobody's failure: the log has it.
void leave_reload_verdict(std::vector<std::string> const& errors);

} // namespace usher
