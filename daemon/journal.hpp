// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include <sys/types.h>

#include <usher/service/log_table.hpp>

namespace usher {

/// Where journald takes entries. sd_journal_sendv writes there too, but waits for as long as journald does not read;
/// and it is all that the library would be needed for.
inline constexpr char journal_socket[] = "/run/systemd/journal/socket";

/// Whether `stream`, the value of JOURNAL_STREAM, names the file with these numbers: only then does the descriptor
/// lead to the journal, since programs that we are started by may have sent it elsewhere and left the variable.
bool names_stream(std::string_view stream, dev_t device, ino_t inode);

/// Whether standard error leads to the journal.
bool is_journal_on_standard_error();

/// `<4>`, by which a journal that reads lines knows how grave a line is; it takes the prefix off.
std::string priority_prefix(LogSeverity severity);

/// Adds one field in the journal's native protocol. `value` may hold anything; `name` is in capitals.
void add_journal_field(std::string& entry, std::string_view name, std::string_view value);

} // namespace usher
