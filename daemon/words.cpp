// SPDX-License-Identifier: Apache-2.0
#include "words.hpp"

#include <cstdio>
#include <string>

#include <usher/config/load.hpp>
#include <usher/core/exit_status.hpp>
#include <usher/core/meeting.hpp>
#include <usher/core/request.hpp>
#include <usher/provider/kinds.hpp>
#include <usher/service/log_table.hpp>

#include "print_line.hpp"

namespace usher {

namespace {

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
    for (LogEvent const& event : log_events) {
        const std::string name{event.name};
        print_word("event " + std::string{usher::to_text(event.severity)} + ' ' + name + ' ' + std::string{event.text});
        print_word("message_id " + name + ' ' + std::string{event.message_id});
        if (!event.way_out.empty())
            print_word("way_out " + name + ' ' + std::string{event.way_out});
    }
    for (LogFieldKind const& field : log_fields)
        print_word("field " + std::string{field.name} + ' ' + std::string{field.meaning});
}

} // namespace usher
