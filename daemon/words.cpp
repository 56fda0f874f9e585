// SPDX-License-Identifier: Apache-2.0
#include "words.hpp"

#include <cstdio>
#include <string>
#include <string_view>

#include <usher/config/load.hpp>
#include <usher/core/exit_status.hpp>
#include <usher/core/meeting.hpp>
#include <usher/core/request.hpp>
#include <usher/provider/kinds.hpp>
#include <usher/service/log_event.hpp>

#include "print_line.hpp"

namespace usher {

namespace {

std::string_view to_text(LogSeverity severity)
{
    switch (severity) {
    case LogSeverity::error: return "error";
    case LogSeverity::warning: return "warning";
    case LogSeverity::info: return "info";
    }
    return "unknown";
}

void print_word(std::string line)
{
    print_line(stdout, line);
}

} // namespace

void print_words()
{
    for (ExitMeaning const& exit : exit_meanings)
        print_word("exit " + std::to_string(exit.status) + ' ' + std::string{exit.meaning});
    for (const State state :
         {State::waiting, State::pending, State::ready, State::failed, State::cancelled, State::ended})
        print_word("state " + std::string{usher::to_text(state)});
    for (const RequestState state :
         {RequestState::filed, RequestState::running, RequestState::done, RequestState::refused, RequestState::aborted})
        print_word("request " + std::string{usher::to_text(state)});
    for (std::string const& key : configuration_keys(declarations_of()))
        print_word("key " + key);
    for (LogEvent const& event : log_events)
        print_word("event " + std::string{to_text(event.severity)} + ' ' + event.name + ' ' + std::string{event.text});
}

} // namespace usher
