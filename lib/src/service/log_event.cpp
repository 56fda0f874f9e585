// SPDX-License-Identifier: Apache-2.0
#include <usher/service/log_event.hpp>

#include <spdlog/spdlog.h>

namespace usher {

namespace {

spdlog::level::level_enum level_of(LogSeverity severity)
{
    switch (severity) {
    case LogSeverity::error: return spdlog::level::err;
    case LogSeverity::warning: return spdlog::level::warn;
    case LogSeverity::info: return spdlog::level::info;
    }
    return spdlog::level::err;
}

} // namespace

void log_event(LogEventNo number, std::string_view details)
{
    LogEvent const& event = event_of(number);
    // The name travels where spdlog has the name of a function, so that a pattern can show it.
    const spdlog::source_loc name{"", 1, event.name};
    spdlog::log(name, level_of(event.severity), "{}{}", event.text, details);
}

} // namespace usher
