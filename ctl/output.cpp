// SPDX-License-Identifier: Apache-2.0
#include "output.hpp"

#include <iostream>

#include <unistd.h>

#include "interrupt.hpp"
#include "page.hpp"

namespace usher::ctl {

void print(Printer& out, Json const& document)
{
    out.json(document.dump(2, ' ', false, Json::error_handler_t::replace));
}

Json answer(std::string_view command, sys_seconds now)
{
    Json document = Json::object();
    document["version"] = 1;
    document["command"] = command;
    document["now"] = to_iso8601(now);
    return document;
}

Json json_of(std::optional<sys_seconds> instant)
{
    return instant ? Json(to_iso8601(*instant)) : Json(nullptr);
}

Json json_or_null(std::string const& text)
{
    return text.empty() ? Json(nullptr) : Json(text);
}

Json json_of_texts(std::vector<std::string> const& texts)
{
    Json result = Json::array();
    for (std::string const& text : texts)
        result.push_back(unbound(text));
    return result;
}

int cannot(Context& context, std::string_view command, Error const& error)
{
    if (context.json) {
        Json document = Json::object();
        document["version"] = 1;
        document["error"] = Json::object();
        document["error"]["code"] = error.code;
        document["error"]["message"] = unbound(error.message);
        document["error"]["do"] = json_or_null(unbound(error.to_do));
        print(context.out, document);
        return exit_could_not;
    }
    context.err << "usherctl: " << command << ": " << unbound(error.message) << ".\n";
    if (!error.to_do.empty())
        context.err << "do: " << unbound(error.to_do) << "\n";
    return exit_could_not;
}

bool agreed(Context& context, std::string_view command, std::string const& warning)
{
    const bool terminal = &context.in == &std::cin && ::isatty(STDIN_FILENO) != 0 && ::isatty(STDERR_FILENO) != 0;
    if (!terminal) {
        const bool json = context.json; // which is one object, with the warning in it
        if (!json)
            context.err << warning << '\n';
        cannot(
            context, command,
            {"not_agreed", (json ? warning + " There is " : std::string{}) + "no terminal to ask. Nothing was done",
             "add --yes"}
        );
        return false;
    }
    context.err << warning << " Go on? [y/N] ";
    std::string answer;
    if (Interruptible::wait_for(STDIN_FILENO))
        std::getline(context.in, answer);
    else
        context.err << '\n';
    if (answer == "y" || answer == "Y" || answer == "yes")
        return true;
    if (context.json)
        cannot(context, command, {"not_agreed", "the answer was no. Nothing was done"});
    else
        context.err << "Nothing was done.\n";
    return false;
}

int already_at_work(Context& context, std::string_view command, AlreadyAtWork const& error)
{
    const std::string holder = error.holder().substr(0, error.holder().find(" on "));
    if (holder.starts_with("usherctl "))
        return cannot(
            context, command,
            {"at_work", "another command (" + holder + ") is at work. Nothing was done", "wait until it has ended"}
        );
    return cannot(
        context, command, {"at_work", "usherd (" + holder + ") is at work. Nothing was done", "systemctl stop usher"}
    );
}

int not_found(
    Context& context, std::string_view name, std::string const& what, std::string_view id,
    std::optional<std::string> const& nearest, std::string const& command
)
{
    Error error{"not_found", "no " + what + " " + whole(id)};
    if (nearest) {
        error.message += "; nearest: " + whole(*nearest);
        error.to_do = command + argument(*nearest);
    }
    return cannot(context, name, error);
}

} // namespace usher::ctl
