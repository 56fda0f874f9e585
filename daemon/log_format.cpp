// SPDX-License-Identifier: Apache-2.0
#include "log_format.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include <nlohmann/json.hpp>

#include <usher/core/printable.hpp>

#include "journal.hpp"

namespace usher {

namespace {

std::string timestamp(std::chrono::system_clock::time_point at)
{
    const auto whole = std::chrono::floor<seconds>(at);
    const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(at - whole).count();
    std::string text = to_iso8601(whole);
    std::string fraction = std::to_string(1000 + rest);
    fraction.front() = '.';
    return text.insert(text.size() - 1, fraction);
}

std::string message_of(LogRecord const& record)
{
    std::string message = log_message(record.event, record.fields);
    if (record.suppressed > 0)
        message += " suppressed=" + std::to_string(record.suppressed);
    return message;
}

std::string in_capitals(std::string_view name)
{
    std::string capitals{name};
    std::transform(capitals.begin(), capitals.end(), capitals.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return capitals;
}

} // namespace

std::string text_line(LogRecord const& record)
{
    return timestamp(record.at) + ' ' + std::string{to_text(record.event.severity)} + ' ' + message_of(record) + '\n';
}

std::string json_line(LogRecord const& record)
{
    nlohmann::ordered_json line{
        {"at", timestamp(record.at)},
        {"level", to_text(record.event.severity)},
        {"priority", static_cast<int>(record.event.severity)},
        {"event", record.event.name},
        {"message_id", record.event.message_id},
        {"message", message_of(record)}};
    for (LogField const& field : record.fields) {
        std::string name{field.name.text()};
        if (field.value.is_number())
            line[std::move(name)] = field.value.number();
        else if (std::string text = field.value.text(); text.size() <= log_value_bytes_max)
            line[std::move(name)] = std::move(text);
        else
            line[std::move(name)] = text.substr(0, log_value_bytes_max) + "...";
    }
    if (record.suppressed > 0)
        line["suppressed"] = record.suppressed;
    return printable_json(line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)) + '\n';
}

std::string journal_line(LogRecord const& record)
{
    return message_of(record) + '\n';
}

std::string journal_entry(LogRecord const& record)
{
    std::string entry;
    add_journal_field(entry, "MESSAGE", message_of(record));
    add_journal_field(entry, "PRIORITY", std::to_string(static_cast<int>(record.event.severity)));
    add_journal_field(entry, "MESSAGE_ID", record.event.message_id);
    add_journal_field(entry, "SYSLOG_IDENTIFIER", "usherd");
    add_journal_field(entry, "USHER_EVENT", record.event.name);
    // Not as they are: journalctl shows some of them on terminals without a look at what is in them.
    for (LogField const& field : record.fields)
        add_journal_field(entry, in_capitals(field.name.text()), printable(field.value.text(), log_value_bytes_max));
    if (record.suppressed > 0)
        add_journal_field(entry, "SUPPRESSED", std::to_string(record.suppressed));
    return entry;
}

} // namespace usher
