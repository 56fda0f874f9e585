// SPDX-License-Identifier: Apache-2.0
#include "journal.hpp"

#include <cstdint>
#include <cstdlib>

#include <sys/stat.h>
#include <unistd.h>

namespace usher {

bool names_stream(std::string_view stream, dev_t device, ino_t inode)
{
    return stream == std::to_string(device) + ':' + std::to_string(inode);
}

bool is_journal_on_standard_error()
{
    static const bool is_journal = [] {
        char const* const stream = std::getenv("JOURNAL_STREAM");
        struct stat status {};
        return stream != nullptr && ::fstat(STDERR_FILENO, &status) == 0 &&
               names_stream(stream, status.st_dev, status.st_ino);
    }();
    return is_journal;
}

std::string priority_prefix(LogSeverity severity)
{
    return '<' + std::to_string(static_cast<int>(severity)) + '>';
}

void add_journal_field(std::string& entry, std::string_view name, std::string_view value)
{
    entry += name;
    if (value.find('\n') == std::string_view::npos) {
        entry += '=';
        entry += value;
    } else { // its length in 64 bits, the lowest byte first
        entry += '\n';
        for (std::uint64_t rest = value.size(), byte = 0; byte < 8; ++byte, rest >>= 8U)
            entry += static_cast<char>(rest & 0xffU);
        entry += value;
    }
    entry += '\n';
}

} // namespace usher
