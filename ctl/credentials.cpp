// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include <usher/store/report.hpp>

#include "commands.hpp"
#include "output.hpp"

namespace usher::ctl {
namespace {

struct CredentialArguments {
    std::string meeting;
    std::optional<std::string> participant;
};

int credentials(Context& context, CredentialArguments const& arguments)
{
    const sys_seconds now = current_time();
    const auto found = Report{context.database()}.credentials(arguments.meeting, arguments.participant);
    if (context.json) {
        Json document = Json::array();
        for (CredentialReport const& credential : found) {
            Json item = Json::object();
            item["meeting"] = credential.meeting_id;
            item["participant"] = credential.participant_id;
            item["role"] = credential.role;
            item["project"] = credential.project;
            item["project_key"] = credential.project_key;
            item["session_id"] = credential.session_id;
            item["token"] = credential.token;
            item["issued_at"] = json_of(credential.issued_at);
            item["expires_at"] = json_of(credential.expires_at);
            item["opens_at"] = json_of(credential.opens);
            item["closes_at"] = json_of(credential.closes);
            document.push_back(std::move(item));
        }
        print(context.out, document);
    } else if (!found.empty()) {
        CredentialReport const& first = found.front();
        context.out << "meeting " << printable(first.meeting_id) << ", project " << printable(first.project) << " ("
                    << printable(first.project_key) << ")\n";
        if (first.opens && first.closes)
            context.out << "open from " << at_and_relative(*first.opens, now) << " to "
                        << at_and_relative(*first.closes, now) << '\n';
        context.out << "session " << printable(first.session_id) << '\n';
        for (CredentialReport const& credential : found)
            context.out << '\n'
                        << printable(credential.participant_id) << ", " << printable(credential.role) << ", expires "
                        << at_and_relative(credential.expires_at, now) << "\n  " << printable(credential.token) << '\n';
    }
    if (!found.empty())
        return exit_done;
    context.err << "usherctl: " << printable(arguments.meeting);
    if (arguments.participant)
        context.err << ", " << printable(*arguments.participant);
    context.err << ": nobody there has a published token; see why with: usherctl explain MEETING\n";
    return exit_could_not;
}

} // namespace

void add_credentials(CLI::App& app, Context& context)
{
    CLI::App* command = add_command(
        app, context, "credentials", "Show what a platform would read for a meeting now, tokens included",
        "usherctl credentials board-2026-05 alice"
    );
    auto arguments = std::make_shared<CredentialArguments>();
    command->add_option("meeting", arguments->meeting, "The meeting's id")->required()->type_name("MEETING");
    command->add_option("participant", arguments->participant, "The participant's id; all if none is named")
        ->type_name("PARTICIPANT");
    command->callback([&context, arguments] {
        context.action = [&context, arguments] { return credentials(context, *arguments); };
    });
}

} // namespace usher::ctl
