// SPDX-License-Identifier: Apache-2.0
#include <usher/service/log_event.hpp>

#include <algorithm>

#include <usher/core/printable.hpp>

namespace usher {

namespace {

constexpr std::size_t message_bytes_max = 16 * 1024;

constexpr bool is_id(std::string_view text)
{
    return text.size() == 32 && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

/// As journald takes them in capitals, and not what each line has anyway.
constexpr bool is_field_name(std::string_view name)
{
    for (const std::string_view taken :
         {"at", "event", "level", "message", "message_id", "priority", "suppressed", "syslog_identifier",
          "usher_event"})
        if (name == taken)
            return false;
    return !name.empty() && name.size() <= 32 && name.front() != '_' &&
           std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

constexpr bool is_sound_table()
{
    for (std::size_t i = 0; i < std::size(log_events); ++i) {
        LogEvent const& event = log_events[i];
        const bool says_what_to_do = event.severity > LogSeverity::warning || !event.way_out.empty();
        if (!is_id(event.message_id) || event.text.empty() || !says_what_to_do)
            return false;
        for (std::size_t j = 0; j < i; ++j)
            if (event.name == log_events[j].name || event.message_id == log_events[j].message_id)
                return false;
    }
    for (std::size_t i = 0; i < std::size(log_fields); ++i) {
        if (!is_field_name(log_fields[i].name) || log_fields[i].meaning.empty())
            return false;
        if (i > 0 && log_fields[i].name <= log_fields[i - 1].name)
            return false;
    }
    return true;
}
static_assert(is_sound_table(), "names and ids are given once; a warning or an error says what to do");

std::atomic<LogSink*> the_sink = nullptr;

} // namespace

LogSink* set_log_sink(LogSink* sink, LogSeverity least)
{
    LogSink* const before = the_sink.exchange(sink);
    detail::log_level = sink == nullptr ? -1 : static_cast<int>(least);
    return before;
}

void set_log_level(LogSeverity least)
{
    if (the_sink.load() != nullptr)
        detail::log_level = static_cast<int>(least);
}

void log_event(LogEventNo number, LogFields const& fields)
{
    LogEvent const& event = event_of(number);
    if (LogSink* const sink = the_sink.load(); sink != nullptr && is_logged(event.severity))
        sink->take(event, fields);
}

void flush_log()
{
    if (LogSink* const sink = the_sink.load())
        sink->flush();
}

std::string log_message(LogEvent const& event, LogFields const& fields)
{
    std::string message{event.text};
    for (LogField const& field : fields) {
        std::string value = quoted_value(field.value.text(), log_value_bytes_max);
        if (message.size() + field.name.text().size() + value.size() + 2 > message_bytes_max)
            return message + " ...";
        message += ' ';
        message += field.name.text();
        message += '=';
        message += value;
    }
    return message;
}

} // namespace usher
