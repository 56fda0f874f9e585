// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include <usher/service/log_event.hpp>

namespace usher {

/// An event as it is written. All of it is bounded, and harmless to a terminal.
struct LogRecord {
    LogEvent const& event;
    LogFields const& fields;
    std::chrono::system_clock::time_point at;
    std::uint64_t suppressed = 0; ///< So many of its kind were left out, and this stands for them.
};

/// `2021-02-06T09:00:00.000Z warning text key=value`
std::string text_line(LogRecord const& record);

/// An object of `at`, `level`, `priority`, `event`, `message_id`, `message` as in a line, and each field by its name.
/// Fields are whole but for what is no UTF-8, and longer than they may be.
std::string json_line(LogRecord const& record);

/// For a journal that reads lines, and knows when each came.
std::string journal_line(LogRecord const& record);

/// For a journal that takes entries: each field by its name in capitals.
std::string journal_entry(LogRecord const& record);

} // namespace usher
