// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace usher::ctl {

/// Where usherd leaves what became of its last reload, as `reload`: the folder that systemd makes for it.
std::string run_folder();

/// What usherd left there, a line each: `taken`, or `refused` and why. Nothing while it has left nothing.
std::vector<std::string> read_verdict(std::string const& path);

} // namespace usher::ctl
