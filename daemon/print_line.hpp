// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <string_view>

#include <usher/service/log_table.hpp>

namespace usher {

/// Writes a line to standard output or standard error, without waiting for its reader; main() waits at the end.
/// Whatever in the line would act on a terminal or end the line is escaped. All that usherd prints apart from its log
/// goes through here. `severity` is for the journal, where standard error leads there.
void print_line(std::FILE* to, std::string_view line, LogSeverity severity = LogSeverity::error);

/// The lines of a text of our own that holds others' words only where they are escaped already, such as a help text.
void print_lines(std::FILE* to, std::string_view lines);

} // namespace usher
