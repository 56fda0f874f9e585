// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <memory>

#include <usher/store/report.hpp>

#include "commands.hpp"
#include "output.hpp"

namespace usher::ctl {
namespace {

constexpr std::size_t shown = 20;
constexpr seconds hour{3600};

struct Status {
    std::vector<StateCount> states;
    Readiness within_hour;
    Readiness within_day;
    Listing<MeetingReport> not_ready;
    Listing<MeetingReport> failing;
    Listing<MeetingReport> without_row;
    Listing<ProblemReport> problems;
    std::optional<sys_seconds> valid_until;
    std::int64_t abandoned;
    DaemonReport daemon;
    std::vector<ProjectReport> projects;
    std::vector<std::string> sandbox_projects;
};

template <class Item>
Json json_of_listing(Listing<Item> const& listing)
{
    Json items = Json::array();
    for (Item const& item : listing.items)
        items.push_back(json_of(item));
    Json result = Json::object();
    result["total"] = listing.total;
    result["first"] = std::move(items);
    return result;
}

Json json_of_readiness(Readiness const& readiness)
{
    Json result = Json::object();
    result["meetings"] = readiness.meetings;
    result["ready"] = readiness.ready;
    return result;
}

Json json_of_project(ProjectReport const& project)
{
    Json result = Json::object();
    result["name"] = project.name;
    result["provider"] = project.provider;
    result["project_key"] = project.project_key;
    result["reason"] = project.reason;
    result["detail"] = project.detail;
    result["next_probe_at"] = json_of(project.next_probe);
    result["clock_ahead_seconds"] = project.clock_ahead ? Json(project.clock_ahead->count()) : Json(nullptr);
    result["tokens"] = project.tokens;
    result["tokens_with_old_key"] = project.tokens_with_old_key;
    return result;
}

Json json_of_status(Status const& status, sys_seconds now)
{
    Json document = Json::object();
    document["now"] = json_of(now);
    document["states"] = Json::object();
    for (StateCount const& count : status.states)
        document["states"][count.state] = count.meetings;
    document["readiness"]["within_1h"] = json_of_readiness(status.within_hour);
    document["readiness"]["within_24h"] = json_of_readiness(status.within_day);
    document["not_ready"] = json_of_listing(status.not_ready);
    document["failing"] = json_of_listing(status.failing);
    document["without_row"] = json_of_listing(status.without_row);
    document["participants_with_problems"] = json_of_listing(status.problems);
    document["valid_without_daemon_until"] = json_of(status.valid_until);
    document["abandoned_session_attempts"] = status.abandoned;
    document["daemon"] = nullptr;
    if (!status.daemon.who.empty()) {
        document["daemon"] = Json::object();
        document["daemon"]["who"] = status.daemon.who;
        document["daemon"]["since"] = json_of(status.daemon.since);
        document["daemon"]["heartbeat"] = json_of(status.daemon.heartbeat);
    }
    document["projects"] = Json::array();
    for (ProjectReport const& project : status.projects)
        document["projects"].push_back(json_of_project(project));
    document["sandbox_projects"] = status.sandbox_projects;
    return document;
}

template <class Item, class Print>
void print_listing(Printer& out, std::string const& heading, Listing<Item> const& listing, Print print_item)
{
    if (listing.total == 0)
        return;
    out << '\n' << heading << ": " << listing.total << '\n';
    for (Item const& item : listing.items)
        print_item(item);
    if (listing.total > listing.items.size())
        out << "  and " << listing.total - listing.items.size() << " more\n";
}

void print_project(Printer& out, ProjectReport const& project, sys_seconds now)
{
    out << "project " << printable(project.name) << ": " << printable(project.provider) << ' '
        << printable(project.project_key) << '\n';
    if (!project.reason.empty())
        out << "  not asked for now, " << printable(project.reason) << ": " << printable(project.detail) << '\n';
    if (!project.reason.empty() && project.next_probe)
        out << "  next probe " << at_and_relative(*project.next_probe, now) << '\n';
    if (project.clock_ahead && project.clock_ahead->count() != 0)
        out << "  this machine's clock is " << to_text(std::chrono::abs(*project.clock_ahead))
            << (project.clock_ahead->count() > 0 ? " ahead of" : " behind") << " the provider's\n";
    if (project.tokens_with_old_key > 0)
        out << "  " << project.tokens_with_old_key << " of " << counted(project.tokens, "token")
            << " still carry the old key\n";
}

void print_status(Printer& out, Status const& status, sys_seconds now, seconds ahead)
{
    out << "meetings:";
    for (StateCount const& count : status.states)
        out << (&count == &status.states.front() ? " " : ", ") << count.meetings << ' ' << printable(count.state);
    out << (status.states.empty() ? " none\n" : "\n");
    out << "open now or within 1h: " << counted(status.within_hour.meetings, "meeting") << ", "
        << status.within_hour.ready << " ready\n";
    out << "open now or within 24h: " << counted(status.within_day.meetings, "meeting") << ", "
        << status.within_day.ready << " ready\n";
    if (status.valid_until)
        out << "if the daemon stops now, every published token is valid until "
            << at_and_relative(*status.valid_until, now) << '\n';
    else
        out << "if the daemon stops now, every published token is valid until its meeting closes\n";
    if (status.daemon.who.empty())
        out << "daemon: none has run on this database\n";
    else
        out << "daemon: " << printable(status.daemon.who) << ", since " << at_and_relative(status.daemon.since, now)
            << ", last published " << at_and_relative(status.daemon.heartbeat, now) << '\n';
    if (status.abandoned > 0)
        out << "abandoned session attempts: " << status.abandoned << '\n';
    for (ProjectReport const& project : status.projects)
        print_project(out, project, now);
    for (std::string const& project : status.sandbox_projects)
        out << "project " << printable(project) << " is on the sandbox: its tokens open no real meeting\n";

    const auto meeting = [&](MeetingReport const& item) { print(out, item, now); };
    print_listing(out, "failing", status.failing, meeting);
    print_listing(out, "not ready, of those that start within " + to_text(ahead), status.not_ready, meeting);
    print_listing(out, "with participants and no row in meeting", status.without_row, meeting);
    print_listing(out, "participants with problems", status.problems, [&](ProblemReport const& item) {
        out << "  " << printable(item.meeting_id) << "  " << printable(item.participant_id) << "  since "
            << at_and_relative(item.since, now) << "\n    " << printable(item.reason) << ": " << printable(item.detail)
            << '\n';
    });
}

int status(Context& context, std::string const& ahead_text)
{
    const auto ahead = parse_duration(ahead_text);
    if (!ahead)
        throw UsageError{"--ahead: " + ahead.error().message};
    Config const& config = context.config();
    const sys_seconds now = current_time();
    const Report report{config.database};
    const auto readiness = [&](seconds until) {
        return report.readiness(now, now + until, config.base.early_join.longest(), config.base.grace);
    };
    Status found{
        .states = report.states(),
        .within_hour = readiness(hour),
        .within_day = readiness(24 * hour),
        .not_ready = report.not_ready(now, now + *ahead, shown),
        .failing = report.failing(shown),
        .without_row = report.without_row(shown),
        .problems = report.problems(shown),
        .valid_until = report.valid_until(now),
        .abandoned = report.abandoned_attempts(),
        .daemon = report.daemon(),
        .projects = report.projects(),
        .sandbox_projects = {},
    };
    for (ProjectConfig const& project : config.projects)
        if (project.provider == "sandbox")
            found.sandbox_projects.push_back(project.name);
    if (context.json)
        print(context.out, json_of_status(found, now));
    else
        print_status(context.out, found, now, *ahead);
    return exit_done;
}

} // namespace

void add_status(CLI::App& app, Context& context)
{
    CLI::App* command = add_command(
        app, context, "status", "Show what is ready, what is not and why, and how long it lasts without the daemon",
        "usherctl status --ahead 12h"
    );
    auto ahead = std::make_shared<std::string>("4h");
    command->add_option("--ahead", *ahead, "How far ahead to list meetings that are not ready; 4h if not given")
        ->type_name("DURATION");
    command->callback([&context, ahead] { context.action = [&context, ahead] { return status(context, *ahead); }; });
}

} // namespace usher::ctl
