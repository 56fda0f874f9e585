// SPDX-License-Identifier: Apache-2.0
#include "reload_verdict.hpp"

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <usher/core/printable.hpp>

namespace usher {

namespace {

bool write_all(int file, std::string_view text)
{
    while (!text.empty()) {
        const auto written = ::write(file, text.data(), text.size());
        if (written <= 0)
            return false;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

} // namespace

void leave_reload_verdict(std::string const& database, std::vector<std::string> const& errors)
{
    char const* const folder = std::getenv("RUNTIME_DIRECTORY");
    const bool is_given = folder != nullptr && *folder != '\0';
    const std::string path = is_given ? std::string{folder} + "/reload" : database + ".reload";
    const std::string beside = path + ".new"; // who reads sees all of it or nothing
    std::string text = errors.empty() ? "taken\n" : "refused\n";
    for (std::string const& error : errors)
        text += printable(error) + "\n";
    // Whatever somebody has put there, such as a link to another file, is not written to.
    ::unlink(beside.c_str());
    const mode_t mode = is_given ? 0644 : 0600;
    const int file = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (file < 0)
        return;
    const bool is_written = write_all(file, text);
    ::close(file);
    if (!is_written || std::rename(beside.c_str(), path.c_str()) != 0)
        ::unlink(beside.c_str());
}

} // namespace usher
