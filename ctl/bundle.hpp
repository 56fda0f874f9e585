// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace usher::ctl {

struct BundleFile {
    std::string name;
    std::string text;
};

/// Writes a tar archive that only its owner can read. A file that is there already is left alone. Returns why it could
/// not be written, as the end of a sentence.
std::optional<std::string> write_bundle(std::string const& path, std::vector<BundleFile> const& files, long long at);

} // namespace usher::ctl
