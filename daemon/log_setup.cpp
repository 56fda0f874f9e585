// SPDX-License-Identifier: Apache-2.0
#include "log_setup.hpp"

#include <cstdio>

#include "journal.hpp"
#include "line_writer.hpp"
#include "print_line.hpp"

namespace usher {

namespace {

/// The process's own, which outlives all that use it.
Log& the_log()
{
    static auto* const log = new Log{{standard_error(), is_journal_on_standard_error(), journal_socket}};
    return *log;
}

LogSeverity severity_of(LogLevel level)
{
    switch (level) {
    case LogLevel::debug: return LogSeverity::debug;
    case LogLevel::info: return LogSeverity::info;
    case LogLevel::notice: return LogSeverity::notice;
    case LogLevel::warning: return LogSeverity::warning;
    case LogLevel::error: return LogSeverity::error;
    }
    return LogSeverity::info;
}

} // namespace

void set_up_log(LogConfig const& config)
{
    the_log().set_format(config.format);
    set_log_sink(&the_log(), severity_of(config.level));
}

void say_why_it_ends(std::string const& reason)
{
    if (the_log().is_for_people() || !is_logged(LogSeverity::error)) // nothing was set up yet, maybe
        print_line(stderr, "usherd: " + reason);
    else
        log_event("daemon.failed"_event, {{"reason", reason}});
}

LogCounts log_counts()
{
    return the_log().counts();
}

std::optional<std::chrono::milliseconds> push_log()
{
    return the_log().push();
}

void end_log(std::optional<std::chrono::milliseconds> at_most)
{
    set_log_sink(nullptr);
    the_log().finish(at_most);
}

} // namespace usher
