// SPDX-License-Identifier: Apache-2.0
#include "reload_verdict.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <usher/core/printable.hpp>

namespace usher {

void leave_reload_verdict(std::vector<std::string> const& errors)
{
    char const* const folder = std::getenv("RUNTIME_DIRECTORY");
    if (folder == nullptr || *folder == '\0')
        return;
    const std::string path = std::string{folder} + "/reload";
    const std::string beside = path + ".new"; // who reads sees all of it or nothing
    {
        std::ofstream file{beside, std::ios::trunc};
        file << (errors.empty() ? "taken" : "refused") << '\n';
        for (std::string const& error : errors)
            file << printable(error) << '\n';
        if (!file.flush())
            return;
    }
    std::rename(beside.c_str(), path.c_str());
}

} // namespace usher
