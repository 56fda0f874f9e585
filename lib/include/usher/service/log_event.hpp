// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace usher {

enum class LogSeverity : std::uint8_t { error, warning, info };

/// Something that usherd says at `info` or above.
struct LogEvent {
    char const* name; ///< For programs; never changed, never given to something else.
    LogSeverity severity;
    std::string_view text; ///< What its lines begin with, in the words of the reference.
};

/// All that there are; `usherd --words` prints them.
inline constexpr LogEvent log_events[] = {
    {"config.refused", LogSeverity::error, "configuration refused, the old one stays"},
    {"contract.damaged", LogSeverity::error, "contract damaged"},
    {"row.refused", LogSeverity::error, "meeting cannot be written"},
    {"store.damaged", LogSeverity::error, "the database is damaged"},
    {"task.failed", LogSeverity::error, "task failed"},

    {"agenda.unreadable", LogSeverity::warning, "rows of agenda cannot be read and are made anew"},
    {"backup.restored", LogSeverity::warning, "older rows came back"},
    {"circuit.opened", LogSeverity::warning, "provider is not asked for now"},
    {"clock.stepped", LogSeverity::warning, "clock was set"},
    {"config.warning", LogSeverity::warning, "configuration warning"},
    {"contract.restored", LogSeverity::warning, "contract put back"},
    {"disconnect.failed", LogSeverity::warning, "disconnect_failed"},
    {"due.stuck", LogSeverity::warning, "meeting is set aside"},
    {"limit.threads", LogSeverity::warning, "fewer threads than processors"},
    {"limit.watches", LogSeverity::warning, "changes are looked for every"},
    {"log.dropped", LogSeverity::warning, "lines of the log were dropped"},
    {"project.sandbox", LogSeverity::warning, "project on the sandbox"},
    {"schema.incomplete", LogSeverity::warning, "schema incomplete, trying again"},
    {"session.call_failed", LogSeverity::warning, "session call failed"},
    {"stopped.at_once", LogSeverity::warning, "stopped at once"},
    {"store.busy", LogSeverity::warning, "database busy, trying again"},
    {"store.busy_at_stop", LogSeverity::warning, "database busy at stop"},
    {"store.concern", LogSeverity::warning, "the database is held up"},
    {"wal.set_aside", LogSeverity::warning, "the -wal beside the database was that of another file"},

    {"circuit.closed", LogSeverity::info, "provider is asked again"},
    {"config.taken", LogSeverity::info, "configuration loaded"},
    {"contract.noted", LogSeverity::info, "contract noted"},
    {"contract.whole", LogSeverity::info, "contract whole again"},
    {"pass.done", LogSeverity::info, "published"},
    {"ready", LogSeverity::info, "ready"},
    {"request.done", LogSeverity::info, "request finished"},
    {"stopping", LogSeverity::info, "stopping"},
    {"store.free", LogSeverity::info, "the database can be used again"},
    {"wal.kept", LogSeverity::info, "the -wal stays as it is"},
};

/// An event by its place in the table.
enum class LogEventNo : std::uint8_t {};

constexpr LogEvent const& event_of(LogEventNo number)
{
    return log_events[static_cast<std::size_t>(number)];
}

/// `"ready"_event`. A name that is not in the table does not compile.
consteval LogEventNo operator""_event(char const* text, std::size_t length)
{
    const std::string_view name{text, length};
    for (std::size_t i = 0; i < std::size(log_events); ++i)
        if (name == log_events[i].name)
            return LogEventNo{static_cast<std::uint8_t>(i)};
    throw "there is no such event";
}

/// Says the event's text, and after it `details`: ` key=value`s, or the rest of the sentence.
void log_event(LogEventNo number, std::string_view details = {});

} // namespace usher
