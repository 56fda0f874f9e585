// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>

#include <usher/store/report.hpp>

#include "commands.hpp"
#include "daemon_process.hpp"
#include "output.hpp"
#include "page.hpp"
#include "reasons.hpp"
#include "times.hpp"

namespace usher::ctl {
namespace {

constexpr seconds long_session{8 * 3600};

struct Explanation {
    MeetingReport const& meeting;
    Times const& times;
    DaemonState daemon;
    std::optional<std::string> cancelled_policy; ///< What the project does when a meeting is cancelled, if known.
    std::string sentence{};
    std::vector<std::string> to_do{};
    std::vector<std::string> notes{};
};

std::size_t servable(MeetingReport const& meeting)
{
    return meeting.people.total - meeting.people_unserved - meeting.people_blocked;
}

std::string figure(std::size_t count)
{
    return grouped(static_cast<std::int64_t>(count));
}

std::string tokens(std::size_t count)
{
    return counted(static_cast<std::int64_t>(count), "token") + (count == 1 ? " comes" : " come");
}

Reason reason_of(MeetingReport const& meeting)
{
    MeetingStanding const& standing = meeting.standing;
    return {standing.reason, standing.detail, standing.project, standing.id};
}

/// The column that a participant's problem is in.
std::string_view column_of(std::string_view reason)
{
    const auto mentions = [&](std::string_view text) { return reason.find(text) != std::string_view::npos; };
    return mentions("connection_data") ? "connection_data"
           : mentions("layout_class")  ? "layout_classes"
           : mentions("role")          ? "the role"
                                       : "the row";
}

/// `all 65 can join until 09:45 UTC (in 25m)`.
std::string who_can_join(Explanation const& explanation)
{
    MeetingReport const& meeting = explanation.meeting;
    Times const& times = explanation.times;
    MeetingFacts const& facts = meeting.standing.facts;
    const std::size_t count = servable(meeting);
    if (count == 0)
        return meeting.people.total == 0 ? "nobody is in it" : "nobody is to be let in";
    const std::string who = count == 1 ? "the one person" : "all " + figure(count);
    if (meeting.people_let_in == count) {
        auto until = facts.closes;
        if (explanation.daemon != DaemonState::at_work && meeting.first_expiry) // nobody replaces tokens
            until = std::min(until.value_or(*meeting.first_expiry), *meeting.first_expiry);
        return who + " can join" + (until ? " until " + times.relative(*until) : "");
    }
    if (meeting.people_with_token < count) // the others have rows that usher cannot read
        return figure(meeting.people_with_token) + " of " + figure(count) + " can join";
    const bool live = is_live(facts, times.now());
    std::string text =
        live ? figure(meeting.people_let_in) + " of " + figure(count) + " may enter, all" : who + " can join";
    if (meeting.last_door)
        text += " from " + times.relative(*meeting.last_door);
    return text;
}

std::string ready_sentence(Explanation const& found)
{
    MeetingReport const& meeting = found.meeting;
    MeetingStanding const& standing = meeting.standing;
    const std::string live = is_live(standing.facts, found.times.now()) ? ", live" : "";
    if (meeting.people_unserved == 0)
        return " is ready" + live + ": " + who_can_join(found) + ".";
    PersonReport const& first = meeting.people.items.front();
    const std::size_t more = meeting.people_unserved - 1;
    return " is ready" + live + " for " + figure(servable(meeting)) + " of " +
           figure(meeting.people.total - meeting.people_blocked) + ": " + whole(first.participant_id) +
           (more > 0 ? ", " + figure(more) + " more are" : " is") + " not served.";
}

/// What is done, and what comes next, of a meeting that is not ready.
std::string what_comes(Explanation const& result)
{
    MeetingReport const& meeting = result.meeting;
    MeetingStanding const& standing = meeting.standing;
    if (standing.word == Word::at_risk && result.daemon != DaemonState::at_work)
        return result.daemon == DaemonState::hung ? "usherd does not look" : "usherd does not run";
    if (!standing.facts.exists)
        return "people are there, the meeting's own row is not; usher waits for it";
    if (standing.rows_gone)
        return "rows that usherd had written are gone";
    if (standing.reason.empty()) {
        if (standing.facts.wanted_since)
            return "usherd has not looked at it for " + result.times.since(*standing.facts.wanted_since);
        return "usherd has not looked at it since it was written";
    }
    const auto when = [&] { return meeting.next_work ? result.times.relative(*meeting.next_work) : "now"; };
    if (standing.facts.state == State::waiting) {
        if (meeting.session_id.empty())
            return "its session comes " + when();
        const std::string made = meeting.session_adopted ? "" : "session made, ";
        return made + (servable(meeting) == 0 ? "nobody needs a token" : tokens(servable(meeting)) + " " + when());
    }
    return standing.reason == "session_ordered" ? "its session is being made" : "usher tries again by itself";
}

std::string not_ready_sentence(Explanation const& found)
{
    MeetingReport const& meeting = found.meeting;
    MeetingStanding const& standing = meeting.standing;
    const bool failed = standing.word == Word::failed;
    const std::string word = failed ? " has failed: " : " is " + std::string{to_text(standing.word)} + ": ";
    std::string what = headline(reason_of(meeting));
    if (what.empty())
        what = failed ? "somebody has to help" : what_comes(found);
    if (standing.word != Word::on_schedule && meeting.people.total > 0)
        what += "; " + figure(meeting.people_let_in) + " of " + figure(meeting.people.total) + " can join";
    return word + what + ".";
}

/// What makes a meeting ready that has failed or is at risk.
std::vector<std::string> ways_out(Explanation const& found, Config const& config)
{
    MeetingStanding const& standing = found.meeting.standing;
    std::vector<std::string> commands;
    if (standing.word == Word::at_risk && found.daemon != DaemonState::at_work)
        commands.emplace_back(found.daemon == DaemonState::hung ? "systemctl restart usher" : "systemctl start usher");
    else if (standing.rows_gone)
        commands.emplace_back("systemctl restart usher"); // it looks through everything when it starts
    std::string command = way_out(reason_of(found.meeting), &config);
    if (command != "usherctl explain " + argument(standing.id))
        commands.push_back(std::move(command));
    return commands;
}

std::string cancelled_sentence(Explanation const& found)
{
    MeetingReport const& meeting = found.meeting;
    const std::string text = meeting.row_status.empty() ? " is cancelled, its row is deleted: no token is shown"
                                                        : " is cancelled: no token is shown";
    if (meeting.tokens_out == 0 || !meeting.tokens_out_until)
        return text + ", and none is out.";
    return text + ", but " + grouped(meeting.tokens_out) +
           (meeting.tokens_out == 1 ? " is out and opens" : " are out and open") + " its abandoned session until " +
           found.times.relative(*meeting.tokens_out_until) + ".";
}

/// After the meeting's id.
std::string sentence_of(Explanation const& found)
{
    MeetingStanding const& standing = found.meeting.standing;
    switch (standing.word) {
    case Word::ended:
        return standing.facts.closes ? " has ended: it closed " + found.times.relative(*standing.facts.closes) + "."
                                     : " has ended.";
    case Word::cancelled: return cancelled_sentence(found);
    case Word::ready: return ready_sentence(found);
    case Word::failed:
    case Word::at_risk:
    case Word::on_schedule: break;
    }
    return not_ready_sentence(found);
}

Explanation explain_meeting(
    MeetingReport const& meeting, Times const& times, DaemonState daemon, Config const& config, bool configured
)
{
    MeetingStanding const& standing = meeting.standing;
    Explanation result{meeting, times, daemon, {}};
    for (ProjectConfig const& project : config.projects)
        if (configured && project.name == standing.project && project.kind->disconnects)
            result.cancelled_policy = project.disconnect_on_cancel ? "disconnect" : "keep";
    result.sentence = whole(standing.id) + sentence_of(result);
    if (standing.word == Word::failed || standing.word == Word::at_risk)
        result.to_do = ways_out(result, config);
    if (standing.word == Word::cancelled && meeting.tokens_out > 0 && result.cancelled_policy == "keep")
        result.notes.emplace_back("on_cancel: disconnect would have thrown people out");
    const bool over = standing.word == Word::ended || standing.word == Word::cancelled;
    if (meeting.people_unserved > 0 && !over && standing.word != Word::failed) {
        PersonReport const& first = meeting.people.items.front();
        result.to_do.push_back(
            "the platform corrects " + std::string{column_of(first.reason)} + " of " + whole(first.participant_id) +
            "; usher follows"
        );
    }
    if (!over && meeting.tokens_out > 0 && meeting.tokens_out_until)
        result.notes.push_back(
            counted(meeting.tokens_out, "token") + " of people who were removed or blocked " +
            (meeting.tokens_out == 1 ? "works" : "work") + " at the vendor until " +
            times.relative(*meeting.tokens_out_until)
        );
    if (!over && standing.facts.opens && standing.facts.closes &&
        *standing.facts.closes - *standing.facts.opens > long_session)
        result.notes.emplace_back("over 8h, the vendor may cut its session");
    return result;
}

/// `opened 08:45 moderator, 08:55 others; starts 09:00, ends 09:30 UTC`.
std::string times_of(MeetingReport const& meeting, Times const& times)
{
    std::vector<RoleDoor> const& doors = meeting.doors; // by their instant
    const auto opens = doors.empty() ? meeting.standing.facts.opens : std::optional{doors.front().opens};
    std::string text;
    if (opens)
        text = *opens <= times.now() ? "opened " : "opens ";
    std::string parts;
    for (std::size_t i = 0; i < doors.size();) {
        std::size_t next = i;
        std::string roles;
        for (; next < doors.size() && doors[next].opens == doors[i].opens; ++next)
            roles += (roles.empty() ? "" : " and ") + whole(doors[next].role);
        const bool all = next - i == doors.size();
        const bool rest = i > 0 && next == doors.size();
        parts +=
            (parts.empty() ? "" : ", ") + times.bare(doors[i].opens) + (all ? "" : " " + (rest ? "others" : roles));
        i = next;
    }
    if (parts.empty() && opens)
        parts = times.bare(*opens);
    text += parts;
    if (meeting.starts_at)
        text += (text.empty() ? "" : "; ") + std::string{"starts "} + times.bare(*meeting.starts_at);
    if (meeting.ends_at)
        text += (text.empty() ? "" : ", ") + std::string{"ends "} + times.at(*meeting.ends_at);
    return text;
}

/// Whose door is when, and what they hold.
struct PersonLine {
    std::string id;
    std::string role;
    std::string door;
    std::string token;
};

PersonLine person_line(PersonReport const& person, Times const& times)
{
    PersonLine line{whole(person.participant_id), whole(person.role), "", ""};
    if (person.opens)
        line.door = *person.opens <= times.now() ? times.bare(*person.opens) + " open"
                                                 : times.bare(*person.opens) + " (" + times.away(*person.opens) + ")";
    if (person.expires)
        line.token =
            "until " + times.bare(*person.expires) + (person.reason == "before_door" ? ", hidden till then" : "");
    else
        line.token = "none" + (person.reason.empty() ? "" : ": " + whole(person.reason));
    return line;
}

void print_table(Page& page, std::vector<PersonLine> const& lines)
{
    constexpr std::size_t narrowest_id = 9; // as wide as the labels above
    std::size_t id = narrowest_id;
    std::size_t role = 0;
    std::size_t door = 0;
    for (PersonLine const& line : lines) {
        id = std::max(id, line.id.size());
        role = std::max(role, line.role.size());
        door = std::max(door, line.door.size());
    }
    const auto padded = [](std::string text, std::size_t width) {
        text.resize(std::max(width, text.size()), ' ');
        return text + "  ";
    };
    for (PersonLine const& line : lines)
        page.sentence(padded(line.id, id) + padded(line.role, role) + padded(line.door, door) + line.token);
}

/// Those who cannot be served, and then the others; a terminal shows the first of them.
void print_people(Page& page, MeetingReport const& meeting, bool everybody, Times const& times)
{
    constexpr std::size_t on_a_screen = 20;
    const std::size_t most = everybody || !page.is_terminal() ? meeting.people.items.size() : on_a_screen;
    std::vector<PersonLine> unserved;
    std::vector<PersonLine> others;
    for (PersonReport const& person : meeting.people.items)
        if (const std::size_t shown = unserved.size() + others.size(); shown < most)
            (shown < meeting.people_unserved ? unserved : others).push_back(person_line(person, times));
    print_table(page, unserved);
    print_table(page, others);
    if (const std::size_t shown = unserved.size() + others.size(); shown < meeting.people.total)
        page.sentence(
            figure(meeting.people.total - shown) + " more" +
            (shown < meeting.people.items.size() ? "; see --people" : "")
        );
}

void print_explanation(Page& page, Explanation const& found, bool everybody)
{
    MeetingReport const& meeting = found.meeting;
    MeetingStanding const& standing = meeting.standing;
    Times const& times = found.times;
    const bool is_over = standing.word == Word::cancelled || standing.word == Word::ended;
    page.sentence(found.sentence);
    for (std::string const& command : found.to_do)
        page.to_do(command);
    const bool is_told = standing.reason == "not_yet" || standing.reason == "participant_problems" || is_over;
    if (!standing.reason.empty() && !is_told) {
        std::string text = whole(standing.reason) + ": " + prose(standing.detail);
        if (standing.next_at)
            text += "; next " + (*standing.next_at > times.now() ? times.at(*standing.next_at) : "now");
        page.line("reason", text);
    }
    if (!is_over) {
        if (const std::string text = times_of(meeting, times); !text.empty())
            page.line("times", text);
        if (!meeting.session_id.empty()) {
            std::string text = whole(meeting.session_id);
            if (meeting.session_adopted)
                text += ", the platform's (meeting.session_id)";
            else if (meeting.session_since)
                text += ", published " + times.at(*meeting.session_since);
            page.line("session", text);
        }
        if (standing.word == Word::ready && meeting.next_work && standing.facts.closes &&
            *meeting.next_work < *standing.facts.closes)
            page.line("next", "usher looks again " + times.relative(*meeting.next_work));
    }
    for (std::string const& note : found.notes)
        page.line("note", note);
    for (HistoryReport const& event : meeting.history.items)
        page.line(
            "done",
            times.at(event.at) + " " + whole(event.event) + (event.detail.empty() ? "" : ": " + prose(event.detail))
        );
    if (!is_over)
        print_people(page, meeting, everybody, times);
}

Json json_of_explanation(Explanation const& found)
{
    MeetingReport const& meeting = found.meeting;
    MeetingStanding const& standing = meeting.standing;
    Json document = answer("explain", found.times.now());
    document["sentence"] = unbound(found.sentence);
    document["do"] = json_of_texts(found.to_do);
    document["meeting"] = standing.id;
    document["title"] = meeting.title;
    document["project"] = json_or_null(standing.project);
    document["status"] = json_or_null(meeting.row_status);
    std::string word{to_text(standing.word)};
    std::replace(word.begin(), word.end(), ' ', '_');
    document["word"] = word;
    document["reason"] = json_or_null(standing.reason);
    document["detail"] = json_or_null(standing.detail);
    document["starts_at"] = json_of(meeting.starts_at);
    document["ends_at"] = json_of(meeting.ends_at);
    document["opens_at"] = json_of(standing.facts.opens);
    document["closes_at"] = json_of(standing.facts.closes);
    document["doors"] = Json::array();
    for (RoleDoor const& door : meeting.doors)
        document["doors"].push_back(Json{
            {"role", door.role}, {"opens_at", json_of(door.opens)}, {"hidden_before", door.hidden}});
    document["session"] = json_or_null(meeting.session_id);
    document["session_adopted"] = meeting.session_adopted;
    document["session_published_at"] = json_of(meeting.session_since);
    document["next_attempt_at"] = json_of(standing.next_at);
    document["next_work_at"] = json_of(meeting.next_work);
    document["failures_in_a_row"] = meeting.attempts;
    document["can_join"] = meeting.people_let_in;
    document["tokens_out"] = meeting.tokens_out;
    document["tokens_out_until"] = json_of(meeting.tokens_out_until);
    document["people"] = json_of_listing(meeting.people, [](PersonReport const& person) {
        return Json{
            {"participant", person.participant_id},
            {"role", person.role},
            {"state", person.state},
            {"reason", json_or_null(person.reason)},
            {"detail", json_or_null(person.detail)},
            {"opens_at", json_of(person.opens)},
            {"expires_at", json_of(person.expires)}};
    });
    document["history"] = Json::array();
    for (HistoryReport const& event : meeting.history.items)
        document["history"].push_back(Json{
            {"at", json_of(event.at)}, {"event", event.event}, {"detail", json_or_null(event.detail)}});
    document["notes"] = json_of_texts(found.notes);
    return document;
}

int explain(Context& context, std::string const& id, bool everybody)
{
    Config const& config = context.config();
    const sys_seconds now = context.now();
    const Times times{now, context.local};
    const Report rows{config.database, now};
    const DaemonReport daemon = rows.daemon();
    const DaemonState state =
        daemon_state(!daemon.who.empty(), daemon.looked_at, process_state(daemon.who, config.database), now);
    const auto meeting = rows.meeting(id, {now, config.base, state == DaemonState::at_work});
    if (!meeting)
        return not_found(context, "explain", "meeting", id, rows.nearest_meeting(id), "usherctl explain ");
    const Explanation found = explain_meeting(*meeting, times, state, config, context.database_path.empty());
    if (context.json) {
        print(context.out, json_of_explanation(found));
    } else {
        Page page = context.page();
        print_explanation(page, found, everybody);
    }
    const Word word = meeting->standing.word;
    const bool over = word == Word::ended || word == Word::cancelled;
    const bool bad = word == Word::failed || word == Word::at_risk || (!over && meeting->people_unserved > 0);
    return bad ? exit_could_not : exit_done;
}

} // namespace

void add_explain(CLI::App& app, Context& context)
{
    Command command{
        app, context, "explain", "Show who can join a meeting and until when, and why somebody cannot",
        "usherctl explain board-2026-05"};
    const auto meeting = std::make_shared<std::string>();
    const auto everybody = std::make_shared<bool>(false);
    command.needs("meeting", "MEETING", *meeting, "The meeting's id");
    command.takes("--people", *everybody, "List everybody, however many");
    command.action([&context, meeting, everybody] { return explain(context, *meeting, *everybody); });
}

} // namespace usher::ctl
