// SPDX-License-Identifier: Apache-2.0
#include "output.hpp"

#include <chrono>

namespace usher::ctl {

sys_seconds current_time()
{
    return std::chrono::floor<seconds>(std::chrono::system_clock::now());
}

std::string at_and_relative(sys_seconds instant, sys_seconds now)
{
    return to_iso8601(instant) + " (" + to_relative(instant, now) + ")";
}

std::string next_attempt(sys_seconds instant, sys_seconds now)
{
    return instant > now ? at_and_relative(instant, now) : "due now";
}

std::string counted(std::int64_t count, std::string_view thing)
{
    return std::to_string(count) + " " + std::string{thing} + (count == 1 ? "" : "s");
}

void print(Printer& out, Json const& document)
{
    out.json(document.dump(2, ' ', false, Json::error_handler_t::replace));
}

Json json_of(std::optional<sys_seconds> instant)
{
    return instant ? Json(to_iso8601(*instant)) : Json(nullptr);
}

Json json_of(MeetingReport const& meeting)
{
    Json result = Json::object();
    result["meeting"] = meeting.id;
    result["title"] = meeting.title;
    result["project"] = meeting.project;
    result["status"] = meeting.row_status.empty() ? Json(nullptr) : Json(meeting.row_status);
    result["starts_at"] = json_of(meeting.starts_at);
    result["ends_at"] = json_of(meeting.ends_at);
    result["opens_at"] = json_of(meeting.opens);
    result["closes_at"] = json_of(meeting.closes);
    result["state"] = meeting.state;
    result["reason"] = meeting.reason;
    result["detail"] = meeting.detail;
    result["ready_at"] = json_of(meeting.ready_at);
    result["next_attempt_at"] = json_of(meeting.next_at);
    result["failures_in_a_row"] = meeting.attempts;
    return result;
}

Json json_of(ProblemReport const& problem)
{
    Json result = Json::object();
    result["meeting"] = problem.meeting_id;
    result["participant"] = problem.participant_id;
    result["reason"] = problem.reason;
    result["detail"] = problem.detail;
    result["since"] = json_of(problem.since);
    return result;
}

void print(Printer& out, MeetingReport const& meeting, sys_seconds now)
{
    out << "  " << printable(meeting.id);
    if (!meeting.title.empty())
        out << "  " << printable(meeting.title);
    if (meeting.starts_at)
        out << "  starts " << at_and_relative(*meeting.starts_at, now);
    out << "\n    " << printable(meeting.state);
    if (!meeting.reason.empty())
        out << ", " << printable(meeting.reason);
    if (!meeting.detail.empty())
        out << ": " << printable(meeting.detail);
    if (meeting.next_at)
        out << "; next attempt " << next_attempt(*meeting.next_at, now);
    out << '\n';
}

} // namespace usher::ctl
