// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace usher {

/// Leaves what became of a reload where `usherctl reload` waits for it: `taken`, or `refused` and the errors, a line
/// each. That is `reload` in the folder that systemd made for us (RuntimeDirectory=), else DATABASE.reload, which this
/// account alone can read. What cannot be written is nobody's failure: the log has it.
void leave_reload_verdict(std::string const& database, std::vector<std::string> const& errors);

} // namespace usher
