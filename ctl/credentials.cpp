// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>

#include <usher/store/report.hpp>

#include "commands.hpp"
#include "output.hpp"
#include "page.hpp"
#include "times.hpp"

namespace usher::ctl {
namespace {

struct CredentialArguments {
    std::string meeting;
    std::optional<std::string> participant;
    bool show = false;
};

Json json_of_credential(CredentialReport const& credential, bool show)
{
    return Json{
        {"meeting", credential.meeting_id},
        {"participant", credential.participant_id},
        {"role", credential.role},
        {"project", credential.project},
        {"project_key", credential.project_key},
        {"session_id", credential.session_id},
        {"token", show ? Json(credential.token) : Json(nullptr)},
        {"issued_at", json_of(credential.issued_at)},
        {"expires_at", json_of(credential.expires_at)},
        {"opens_at", json_of(credential.opens)},
        {"closes_at", json_of(credential.closes)}};
}

/// The tokens, and nothing else: with the participant's id where there may be several.
void print_tokens(Printer& out, Listing<CredentialReport> const& found, bool one)
{
    for (CredentialReport const& credential : found.items) {
        if (!one)
            out << credential.participant_id << "  ";
        out << credential.token << "\n";
    }
}

void print_hidden(Page& page, Listing<CredentialReport> const& found, bool one, Times const& times)
{
    CredentialReport const& first = found.items.front();
    const std::string hidden = std::string{"hidden; --show prints "} + (one ? "it" : "them") + ", nothing else";
    if (one) {
        page.sentence(
            whole(first.meeting_id) + ", " + whole(first.participant_id) + ": " + whole(first.role) + ", works until " +
            times.relative(first.expires_at) + "."
        );
        return page.line("token", hidden);
    }
    page.sentence(
        whole(first.meeting_id) + ": " + counted(static_cast<std::int64_t>(found.total), "credential") +
        (found.total == 1 ? " is" : " are") + " shown."
    );
    page.line("tokens", hidden);
    std::size_t widest = 9;
    for (CredentialReport const& credential : found.items)
        widest = std::max(widest, whole(credential.participant_id).size());
    for (CredentialReport const& credential : found.items) {
        std::string id = whole(credential.participant_id);
        id.resize(widest, ' ');
        page.sentence(id + "  " + whole(credential.role) + ", works until " + times.relative(credential.expires_at));
    }
    if (found.total > found.items.size())
        page.sentence(grouped(static_cast<std::int64_t>(found.total - found.items.size())) + " more credentials");
}

/// Of a meeting of which nobody has a credential that is shown.
std::string why_nobody(MeetingReport const& meeting, Times const& times)
{
    const std::string nobody = "nobody has a credential that is shown";
    if (meeting.standing.word != Word::ready)
        return nobody + ": it is " + std::string{to_text(meeting.standing.word)};
    if (meeting.people.total == 0)
        return "nobody is in it";
    std::optional<sys_seconds> first;
    for (RoleDoor const& door : meeting.doors)
        if (door.hidden && door.opens > times.now())
            first = std::min(first.value_or(door.opens), door.opens);
    return nobody + (first ? " before " + times.relative(*first) : "");
}

/// Says why nothing is shown to whoever asks.
int say_why_not(
    Context& context, Report const& rows, Config const& config, CredentialArguments const& arguments, Times const& times
)
{
    const auto meeting = rows.meeting(arguments.meeting, {times.now(), config.base, true});
    if (!meeting)
        return not_found(
            context, "credentials", "meeting", arguments.meeting, rows.nearest_meeting(arguments.meeting),
            "usherctl credentials "
        );
    std::string why;
    if (arguments.participant) {
        const std::optional<PersonReport> person = rows.person(arguments.meeting, *arguments.participant);
        if (!person)
            return not_found(
                context, "credentials", "participant of " + whole(arguments.meeting), *arguments.participant,
                rows.nearest_participant(arguments.meeting, *arguments.participant),
                "usherctl credentials " + argument(arguments.meeting) + " "
            );
        why = whole(*arguments.participant) + " has no credential";
        if (person->reason == "before_door" && person->opens)
            why += " that is shown before " + times.relative(*person->opens);
        else if (!person->reason.empty())
            why += ": " + whole(person->reason);
    } else {
        why = why_nobody(*meeting, times);
    }
    return cannot(
        context, "credentials",
        {"no_credential", whole(arguments.meeting) + ": " + why, "usherctl explain " + argument(arguments.meeting)}
    );
}

int credentials(Context& context, CredentialArguments const& arguments)
{
    Config const& config = context.config();
    const Times times{context.now(), context.local};
    const Report rows{config.database, times.now()};
    const auto found = rows.credentials(arguments.meeting, arguments.participant);
    if (found.total == 0)
        return say_why_not(context, rows, config, arguments, times);
    const bool one = arguments.participant.has_value();
    if (context.json) {
        Json document = answer("credentials", times.now());
        document["credentials"] = json_of_listing(found, [&](CredentialReport const& each) {
            return json_of_credential(each, arguments.show);
        });
        print(context.out, document);
    } else if (arguments.show) {
        print_tokens(context.out, found, one);
    } else {
        Page page = context.page();
        print_hidden(page, found, one, times);
    }
    return exit_done;
}

} // namespace

void add_credentials(CLI::App& app, Context& context)
{
    Command command{
        app, context, "credentials", "Show what a platform would read for a meeting now; tokens are hidden",
        "usherctl credentials board-2026-05 alice"};
    const auto arguments = std::make_shared<CredentialArguments>();
    command.needs("meeting", "MEETING", arguments->meeting, "The meeting's id");
    command.takes("participant", "PARTICIPANT", arguments->participant, "The participant's id; all if none is named");
    command.takes("--show", arguments->show, "Print the tokens, and nothing else");
    command.action([&context, arguments] { return credentials(context, *arguments); });
}

} // namespace usher::ctl
