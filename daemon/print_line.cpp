// SPDX-License-Identifier: Apache-2.0
#include "print_line.hpp"

#include <cstddef>
#include <string>
#include <utility>

#include <usher/core/printable.hpp>

#include "journal.hpp"
#include "line_writer.hpp"

namespace usher {

namespace {

constexpr std::size_t line_max = 4096; // bytes

} // namespace

void print_line(std::FILE* to, std::string_view line, LogSeverity severity)
{
    std::string shown = printable(line, line_max) + '\n';
    if (to == stdout)
        standard_output().print(std::move(shown));
    else
        standard_error().print(is_journal_on_standard_error() ? priority_prefix(severity) + shown : std::move(shown));
}

void print_lines(std::FILE* to, std::string_view lines)
{
    while (!lines.empty()) {
        const std::size_t end = lines.find('\n');
        print_line(to, lines.substr(0, end));
        lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
    }
}

} // namespace usher
