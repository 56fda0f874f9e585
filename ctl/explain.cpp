// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include <usher/store/report.hpp>

#include "commands.hpp"
#include "output.hpp"

namespace usher::ctl {
namespace {

constexpr std::size_t history_shown = 50;

/// What the state means, for those who see it for the first time.
std::string_view sentence_of(MeetingReport const& meeting)
{
    if (meeting.state == "ready")
        return "Everybody who can be served can join.";
    const bool refused = meeting.attempts > 0 || meeting.reason.rfind("provider_", 0) == 0;
    if (meeting.state == "pending" && refused)
        return "Its session could not be made yet; the daemon tries again by itself.";
    if (meeting.state == "pending" && meeting.reason == "session_ordered")
        return "Its session is on its way.";
    if (meeting.state == "pending")
        return "The daemon is going to look at it; if this stays, the daemon does not run.";
    if (meeting.state == "failed")
        return "It could not be made ready; the daemon tries again by itself.";
    if (meeting.state == "cancelled")
        return meeting.row_status.empty() ? "Its row was deleted, so nobody can join."
                                          : "It is cancelled, so nobody can join.";
    if (meeting.state == "ended")
        return "It is over.";
    if (meeting.reason == "no_meeting")
        return "It has participants, and no row in the table meeting yet.";
    if (meeting.reason == "not_yet")
        return "It is too early to make its session or its tokens.";
    return "";
}

int explain(Context& context, std::string const& id)
{
    const sys_seconds now = current_time();
    const Report report{context.database()};
    const auto meeting = report.meeting(id);
    if (!meeting) {
        context.err << "usherctl: " << printable(id) << ": there is no such meeting\n";
        return exit_could_not;
    }
    const auto problems = report.problems_of(id);
    const auto history = report.history_of(id, history_shown);
    const std::string_view sentence = sentence_of(*meeting);
    if (context.json) {
        Json document = json_of(*meeting);
        document["sentence"] = sentence;
        document["problems"] = Json::array();
        for (ProblemReport const& problem : problems)
            document["problems"].push_back(json_of(problem));
        document["history"] = Json::array();
        for (HistoryReport const& event : history.items) {
            Json item = Json::object();
            item["at"] = json_of(event.at);
            item["event"] = event.event;
            item["detail"] = event.detail;
            document["history"].push_back(std::move(item));
        }
        document["history_total"] = history.total;
        print(context.out, document);
        return exit_done;
    }

    Printer& out = context.out;
    out << printable(meeting->id);
    if (!meeting->title.empty())
        out << "  " << printable(meeting->title);
    out << "\nstate: " << printable(meeting->state);
    if (!meeting->reason.empty())
        out << ", " << printable(meeting->reason);
    out << '\n';
    if (!sentence.empty())
        out << sentence << '\n';
    if (!meeting->detail.empty())
        out << printable(meeting->detail) << '\n';
    if (!meeting->project.empty())
        out << "project: " << printable(meeting->project) << '\n';
    const auto time = [&](char const* name, std::optional<sys_seconds> instant) {
        if (instant)
            out << name << ": " << at_and_relative(*instant, now) << '\n';
    };
    time("opens", meeting->opens);
    time("starts", meeting->starts_at);
    time("ends", meeting->ends_at);
    time("closes", meeting->closes);
    time("ready since", meeting->ready_at);
    if (meeting->next_at)
        out << "next attempt: " << next_attempt(*meeting->next_at, now) << '\n';
    if (meeting->attempts > 0)
        out << "failures in a row: " << meeting->attempts << '\n';
    if (!problems.empty())
        out << "participants that cannot be served:\n";
    for (ProblemReport const& problem : problems)
        out << "  " << printable(problem.participant_id) << ", since " << at_and_relative(problem.since, now)
            << "\n    " << printable(problem.reason) << ": " << printable(problem.detail) << '\n';
    out << (history.items.empty() ? "history: none\n" : "history, newest first:\n");
    for (HistoryReport const& event : history.items) {
        out << "  " << at_and_relative(event.at, now) << "  " << printable(event.event);
        if (!event.detail.empty())
            out << ": " << printable(event.detail);
        out << '\n';
    }
    if (history.total > history.items.size())
        out << "  and " << history.total - history.items.size() << " more\n";
    return exit_done;
}

} // namespace

void add_explain(CLI::App& app, Context& context)
{
    CLI::App* command = add_command(
        app, context, "explain", "Show why a meeting is in its state, and what was done for it",
        "usherctl explain board-2026-05"
    );
    auto meeting = std::make_shared<std::string>();
    command->add_option("meeting", *meeting, "The meeting's id")->required()->type_name("MEETING");
    command->callback([&context, meeting] {
        context.action = [&context, meeting] { return explain(context, *meeting); };
    });
}

} // namespace usher::ctl
