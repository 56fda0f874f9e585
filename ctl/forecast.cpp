// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <memory>

#include <usher/core/outlook.hpp>
#include <usher/store/report.hpp>
#include <usher/store/snapshots.hpp>

#include "commands.hpp"
#include "known_projects.hpp"
#include "output.hpp"
#include "page.hpp"
#include "times.hpp"

namespace usher::ctl {
namespace {

constexpr seconds hour{3600};
constexpr seconds minute{60};
constexpr seconds outage_max{31 * 24 * 3600};
constexpr std::size_t names_shown = 3;
constexpr std::size_t names_kept = 100; // of one instant

/// Meetings in which somebody cannot join, from the same instant on.
struct Loss {
    std::int64_t people = 0;
    Listing<std::string> meetings{};

    void add(std::string const& meeting, std::size_t left_out)
    {
        people += static_cast<std::int64_t>(left_out);
        ++meetings.total;
        // The first by their names, whatever order they come in.
        const auto at = std::upper_bound(meetings.items.begin(), meetings.items.end(), meeting);
        if (meetings.items.size() == names_kept && at == meetings.items.end())
            return;
        meetings.items.insert(at, meeting);
        if (meetings.items.size() > names_kept)
            meetings.items.pop_back();
    }
};

using Losses = std::map<sys_seconds, Loss>;

struct Forecast {
    sys_seconds until;
    Losses without_usher;                                      ///< By minute.
    std::map<std::string, Losses, std::less<>> without_vendor; ///< Of projects that are called over the network.
    std::int64_t people = 0;
    std::int64_t meetings = 0;
    bool lead_helps = false;    ///< Somebody has no token only because it is not wanted yet.
    std::string late_already{}; ///< A meeting that is not as it should be even now.
    std::string sentence{};
    std::vector<std::string> to_do{};
};

sys_seconds minute_of(sys_seconds instant)
{
    return std::chrono::floor<std::chrono::minutes>(instant);
}

std::string names_of(Listing<std::string> const& meetings)
{
    std::string names;
    const std::size_t shown = std::min(names_shown, meetings.items.size());
    for (std::size_t i = 0; i < shown; ++i)
        names += (i == 0 ? "" : ", ") + whole(meetings.items[i]);
    const std::size_t more = meetings.total - shown;
    return more > 0 ? names + ", " + grouped(static_cast<std::int64_t>(more)) + " more" : names;
}

/// Whether the meeting has no session when it opens, or at `from`, though usherd does its work: its vendor is silent.
std::optional<LeftOut>
left_out_without_vendor(MeetingSnapshot const& meeting, Projects const& projects, sys_seconds from, sys_seconds until)
{
    if (meeting.is_unreadable || !meeting.meeting || meeting.meeting->cancelled)
        return std::nullopt;
    ProjectFacts const* const project = projects.find(meeting.meeting->project);
    if (project == nullptr || !project->network)
        return std::nullopt;
    const Schedule schedule = schedule_of(meeting.id, *meeting.meeting, project->policy);
    const sys_seconds opens = std::max(from, schedule.opens);
    if (opens >= until || schedule.closes <= from)
        return std::nullopt;
    const MeetingSnapshot then =
        imagine(meeting, projects, from, opens + seconds{1}, ImaginedCalls::unanswered, nullptr);
    if (then.published)
        return std::nullopt;
    return left_out_without_usher(then, projects, opens, std::min(until, schedule.closes));
}

bool waits_for_its_lead(MeetingSnapshot const& meeting, Projects const& projects, sys_seconds now)
{
    ProjectFacts const* const project = projects.find(meeting.meeting->project);
    Policy const& policy = project != nullptr ? project->policy : projects.base;
    return now < schedule_of(meeting.id, *meeting.meeting, policy).tokens_from;
}

Forecast look_ahead(std::string const& database, KnownProjects const& known, sys_seconds now, sys_seconds until)
{
    Forecast forecast{until, {}, {}};
    for (auto const& [project, rate] : known.calls_per_second)
        forecast.without_vendor[project];
    const auto may_open = [&](SnapshotHint const& hint) { // what was edited may open at another time than recorded
        return hint.due <= now || !hint.opens || (*hint.opens < until && (!hint.closes || *hint.closes > now));
    };
    each_snapshot(database, may_open, [&](MeetingSnapshot const& meeting) {
        if (const auto lost = left_out_without_usher(meeting, known.projects, now, until)) {
            forecast.without_usher[minute_of(lost->since)].add(meeting.id, lost->people);
            forecast.people += static_cast<std::int64_t>(lost->people);
            ++forecast.meetings;
            if (waits_for_its_lead(meeting, known.projects, now))
                forecast.lead_helps = true;
            else if (forecast.late_already.empty())
                forecast.late_already = meeting.id;
        }
        if (const auto lost = left_out_without_vendor(meeting, known.projects, now, until))
            forecast.without_vendor[meeting.meeting->project][minute_of(lost->since)].add(meeting.id, lost->people);
    });
    return forecast;
}

/// The shortest lead, in whole hours, with which such an outage hurts nobody who does not wait for something already.
seconds lead_for(seconds outage)
{
    return (outage / hour + 1) * hour;
}

void judge(Forecast& forecast, Config const& config, seconds outage, Times const& times)
{
    const std::string until = times.at(forecast.until);
    if (forecast.meetings == 0) {
        forecast.sentence = "All well: everybody can join without usherd until " + until + ".";
        return;
    }
    forecast.sentence = "At risk: without usherd until " + until + " " +
                        (forecast.people == 1 ? "1 person" : grouped(forecast.people) + " people") + " in " +
                        counted(forecast.meetings, "meeting") + " cannot join.";
    if (forecast.lead_helps && config.base.token_lead < lead_for(outage))
        forecast.to_do.push_back("tokens.lead: " + to_text(lead_for(outage)) + "; systemctl reload usher; ask again");
    if (!forecast.late_already.empty())
        forecast.to_do.push_back("usherctl explain " + argument(forecast.late_already));
}

void print_vendors(Page& page, Forecast const& forecast)
{
    bool stop = true;
    for (auto const& [project, losses] : forecast.without_vendor) {
        if (losses.empty())
            continue;
        stop = false;
        Listing<std::string> all;
        for (auto const& [when, loss] : losses) {
            all.total += loss.meetings.total;
            for (std::string const& meeting : loss.meetings.items)
                if (all.items.size() < names_shown)
                    all.items.push_back(meeting);
        }
        page.line(
            "vendors", whole(project) + " must not stop: " + counted(static_cast<std::int64_t>(all.total), "meeting") +
                           (all.total == 1 ? " has" : " have") + " no session yet: " + names_of(all)
        );
    }
    if (stop && !forecast.without_vendor.empty())
        page.line("vendors", "may stop: all sessions are made");
}

void print_forecast(Page& page, Forecast const& forecast, std::vector<std::string> const& notes, Times const& times)
{
    page.verdict(forecast.meetings == 0 ? Verdict::all_well : Verdict::at_risk, forecast.sentence);
    for (std::string const& command : forecast.to_do)
        page.to_do(command);
    for (auto const& [when, loss] : forecast.without_usher) {
        const std::string who = loss.people == 1 ? "1 person" : grouped(loss.people) + " people";
        page.line(times.at(std::max(when, times.now())) + " ", who + ": " + names_of(loss.meetings));
    }
    print_vendors(page, forecast);
    for (std::string const& note : notes)
        page.line("note", note);
}

Json json_of_losses(Losses const& losses)
{
    Json items = Json::array();
    for (auto const& [when, loss] : losses)
        items.push_back(Json{
            {"at", json_of(when)},
            {"people", loss.people},
            {"meetings", json_of_listing(loss.meetings, [](std::string const& id) { return Json(id); })}});
    return Json{{"total", losses.size()}, {"items", std::move(items)}};
}

Json json_of_forecast(Forecast const& forecast, KnownProjects const& known, Times const& times)
{
    Json document = answer("forecast", times.now());
    document["verdict"] = json_name(forecast.meetings == 0 ? Verdict::all_well : Verdict::at_risk);
    document["sentence"] = unbound(forecast.sentence);
    document["do"] = json_of_texts(forecast.to_do);
    document["until"] = json_of(forecast.until);
    document["people"] = forecast.people;
    document["meetings"] = forecast.meetings;
    document["without_usherd"] = json_of_losses(forecast.without_usher);
    document["without_vendor"] = Json::array();
    for (auto const& [project, losses] : forecast.without_vendor)
        document["without_vendor"].push_back(Json{{"project", project}, {"losses", json_of_losses(losses)}});
    document["notes"] = json_of_texts(known.notes);
    return document;
}

int forecast(Context& context, std::string const& text)
{
    const auto outage = parse_duration(text);
    if (!outage)
        throw UsageError{"--outage: " + outage.error().message};
    if (*outage < minute || *outage > outage_max)
        throw UsageError{
            "--outage: expected " + to_text(minute) + " to " + to_text(outage_max) + ", got " + to_text(*outage)};
    const Times times{context.now(), context.local};
    const Report rows{context.database(), times.now()};
    const KnownProjects known = known_projects(context, rows);
    Forecast found = look_ahead(context.database(), known, times.now(), times.now() + *outage);
    judge(found, context.config(), *outage, times);
    if (context.json) {
        print(context.out, json_of_forecast(found, known, times));
    } else {
        Page page = context.page();
        print_forecast(page, found, known.notes, times);
    }
    return found.meetings == 0 ? exit_done : exit_could_not;
}

} // namespace

void add_forecast(CLI::App& app, Context& context)
{
    Command command{
        app, context, "forecast", "Show who cannot join, and from when, if usherd or a vendor stops now",
        "usherctl forecast --outage 3h"};
    const auto outage = std::make_shared<std::string>("3h");
    command.takes("--outage", "DURATION", *outage, "For how long it stops: 1m to 31d; 3h if not given");
    command.action([&context, outage] { return forecast(context, *outage); });
}

} // namespace usher::ctl
