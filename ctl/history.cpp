// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <memory>

#include <usher/store/report.hpp>

#include "commands.hpp"
#include "output.hpp"
#include "page.hpp"
#include "times.hpp"

namespace usher::ctl {
namespace {

constexpr std::size_t on_a_screen = 40;

struct HistoryArguments {
    std::optional<std::string> meeting;
    std::optional<std::string> participant;
};

/// `role changed`.
std::string words(std::string const& code)
{
    std::string text = whole(code);
    std::replace(text.begin(), text.end(), '_', ' ');
    return text;
}

/// What single people's lines tell already.
bool is_told(EventReport const& event)
{
    if (event.event.event == "tokens_withdrawn")
        return true;
    if (event.event.event != "tokens_signed")
        return false;
    std::string_view rest = event.event.detail; // `issued 12, role_changed 1`
    while (!rest.empty()) {
        if (!rest.starts_with("role_changed ") && !rest.starts_with("details_changed "))
            return false;
        const std::size_t end = rest.find(", ");
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 2);
    }
    return true;
}

std::string text_of(EventReport const& event)
{
    std::string text;
    if (!event.participant_id.empty())
        text = whole(event.participant_id) + ": " + words(event.event.event);
    else
        text = words(event.event.event);
    if (!event.event.detail.empty())
        text += (event.participant_id.empty() ? ": " : ", ") + prose(event.event.detail);
    return text;
}

template <class Item>
std::size_t shown_of(Page const& page, Listing<Item> const& listing)
{
    return page.is_terminal() ? std::min(on_a_screen, listing.items.size()) : listing.items.size();
}

void print_more(Page& page, std::size_t total, std::size_t shown)
{
    if (total > shown)
        page.sentence(grouped(static_cast<std::int64_t>(total - shown)) + " more; see --json");
}

Json json_of_event(EventReport const& event)
{
    return Json{
        {"at", json_of(event.event.at)},
        {"meeting", json_or_null(event.meeting_id)},
        {"participant", json_or_null(event.participant_id)},
        {"event", event.event.event},
        {"detail", json_or_null(event.event.detail)}};
}

int tell_events(Context& context, Report const& rows, std::optional<std::string> const& meeting, Times const& times)
{
    if (meeting && !rows.meeting(*meeting, {times.now(), context.config().base, true}))
        return not_found(context, "history", "meeting", *meeting, rows.nearest_meeting(*meeting), "usherctl history ");
    Listing<EventReport> found = rows.history(meeting);
    if (meeting) {
        found.items.erase(std::remove_if(found.items.begin(), found.items.end(), is_told), found.items.end());
        found.total = found.items.size();
    }
    const auto count = static_cast<std::int64_t>(found.items.size());
    std::string sentence = meeting ? whole(*meeting) + ": " : "";
    if (count == 0)
        sentence += meeting ? "nothing was done yet." : "Nothing was done yet.";
    else
        sentence += counted(count, "event") + " since " + times.at(found.items.back().event.at) + ", newest first.";
    if (context.json) {
        Json document = answer("history", times.now());
        document["sentence"] = unbound(sentence);
        document["events"] = json_of_listing(found, json_of_event);
        print(context.out, document);
        return exit_done;
    }
    Page page = context.page();
    page.sentence(sentence);
    const std::size_t shown = shown_of(page, found);
    for (std::size_t i = 0; i < shown; ++i) {
        EventReport const& event = found.items[i];
        const std::string of = meeting || event.meeting_id.empty() ? "" : whole(event.meeting_id) + ": ";
        page.line(times.bare(event.event.at), of + text_of(event));
    }
    print_more(page, found.total, shown);
    return exit_done;
}

/// `guest-7 got 2 tokens; at the vendor both work until 09:45 UTC (in 25m).`
std::string sentence_of(std::string const& participant, Listing<TokenReport> const& found, Times const& times)
{
    const auto got = static_cast<std::int64_t>(found.total);
    std::int64_t working = 0;
    sys_seconds last{};
    sys_seconds first = sys_seconds::max();
    for (TokenReport const& token : found.items)
        if (token.expires_at > times.now()) {
            ++working;
            last = std::max(last, token.expires_at);
            first = std::min(first, token.expires_at);
        }
    std::string text = whole(participant) + " got " + (got == 0 ? "no token" : counted(got, "token"));
    if (got == 0)
        return text + ".";
    if (working == 0)
        return text + "; " + (got == 1 ? "it does not work any more." : "none works any more.");
    const std::string which = got == 1         ? "it works"
                              : working == 1   ? "one works"
                              : working != got ? grouped(working) + " work"
                              : got == 2       ? "both work"
                                               : "all work";
    return text + "; at the vendor " + which + (first == last ? " until " : ", the last until ") +
           times.relative(last) + ".";
}

/// From when on the token was shown, or could have been: not before its holder's door, where that hides it.
sys_seconds shown_from(TokenReport const& token, MeetingReport const* meeting, sys_seconds now)
{
    const sys_seconds end = std::min(token.withdrawn_at.value_or(now), now);
    if (meeting != nullptr)
        for (RoleDoor const& door : meeting->doors)
            if (door.role == token.role && door.hidden && door.opens < end)
                return std::max(token.published_at, door.opens);
    return token.published_at;
}

/// Where the token was or is shown.
std::string
shown_text(TokenReport const& token, MeetingReport const* meeting, PersonReport const* person, Times const& times)
{
    if (token.withdrawn_at) {
        if (meeting != nullptr)
            for (RoleDoor const& door : meeting->doors)
                if (door.role == token.role && door.hidden && *token.withdrawn_at <= door.opens)
                    return "never shown";
        std::string text = "shown until " + times.bare(*token.withdrawn_at);
        constexpr std::array<std::string_view, 8> of_itself{"removed", "blocked",          "cancelled",  "deleted",
                                                            "ended",   "session_replaced", "not_served", "not_yet"};
        if (std::find(of_itself.begin(), of_itself.end(), token.withdrawn_reason) != of_itself.end())
            text += ", then " + words(token.withdrawn_reason);
        return text;
    }
    if (token.expires_at <= times.now())
        return "shown until it expired " + times.bare(token.expires_at);
    if (person != nullptr && person->reason == "before_door" && person->opens)
        return "hidden until " + times.bare(*person->opens);
    if (person != nullptr && person->state != "ready")
        return "not shown" + (person->reason.empty() ? "" : ": " + words(person->reason));
    return "shown";
}

Json json_of_token(TokenReport const& token)
{
    return Json{
        {"meeting", token.meeting_id},
        {"participant", token.participant_id},
        {"role", json_or_null(token.role)},
        {"reason", json_or_null(token.reason)},
        {"published_at", json_of(token.published_at)},
        {"issued_at", json_of(token.issued_at)},
        {"expires_at", json_of(token.expires_at)},
        {"withdrawn_at", json_of(token.withdrawn_at)},
        {"withdrawn_reason", json_or_null(token.withdrawn_reason)}};
}

int tell_tokens(
    Context& context, Report const& rows, std::optional<std::string> const& meeting, std::string const& participant,
    Times const& times
)
{
    const Listing<TokenReport> found = rows.tokens_of(meeting, participant, context.config().base.clock_skew);
    std::optional<MeetingReport> around;
    std::optional<PersonReport> person;
    if (meeting) {
        around = rows.meeting(*meeting, {times.now(), context.config().base, true});
        if (!around)
            return not_found(
                context, "history", "meeting", *meeting, rows.nearest_meeting(*meeting), "usherctl history "
            );
        person = rows.person(*meeting, participant);
        if (!person && found.total == 0)
            return not_found(
                context, "history", "participant of " + whole(*meeting), participant,
                rows.nearest_participant(*meeting, participant),
                "usherctl history " + argument(*meeting) + " --participant "
            );
    }
    const std::string sentence = sentence_of(participant, found, times);
    if (context.json) {
        Json document = answer("history", times.now());
        document["sentence"] = unbound(sentence);
        document["tokens"] = json_of_listing(found, json_of_token);
        print(context.out, document);
        return exit_done;
    }
    Page page = context.page();
    page.sentence(sentence);
    const std::size_t shown = shown_of(page, found);
    for (std::size_t i = 0; i < shown; ++i) {
        TokenReport const& token = found.items[i];
        std::optional<PersonReport> other;
        if (!meeting && !token.withdrawn_at)
            other = rows.person(token.meeting_id, participant);
        PersonReport const* const holder = person ? &*person : other ? &*other : nullptr;
        const std::string reason = token.reason == "issued" ? "first" : words(token.reason);
        page.line(
            times.bare(shown_from(token, around ? &*around : nullptr, times.now())),
            (meeting ? "" : whole(token.meeting_id) + ": ") + (token.role.empty() ? "no role" : whole(token.role)) +
                ", " + reason + "; " + shown_text(token, around ? &*around : nullptr, holder, times)
        );
    }
    print_more(page, found.total, shown);
    return exit_done;
}

int history(Context& context, HistoryArguments const& arguments)
{
    const Times times{context.now(), context.local};
    const Report rows{context.database(), times.now()};
    if (arguments.participant)
        return tell_tokens(context, rows, arguments.meeting, *arguments.participant, times);
    return tell_events(context, rows, arguments.meeting, times);
}

} // namespace

void add_history(CLI::App& app, Context& context)
{
    Command command{
        app, context, "history", "Show what was done for a meeting, and who got which token when",
        "usherctl history board-2026-05 --participant alice"};
    const auto arguments = std::make_shared<HistoryArguments>();
    command.takes("meeting", "MEETING", arguments->meeting, "The meeting's id; all if none is named");
    command.takes("--participant", "PARTICIPANT", arguments->participant, "The tokens that this person got");
    command.action([&context, arguments] { return history(context, *arguments); });
}

} // namespace usher::ctl
