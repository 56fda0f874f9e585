// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <memory>

#include <usher/core/work_ahead.hpp>
#include <usher/store/report.hpp>
#include <usher/store/snapshots.hpp>

#include "commands.hpp"
#include "known_projects.hpp"
#include "output.hpp"
#include "page.hpp"
#include "plan.hpp"
#include "times.hpp"

namespace usher::ctl {
namespace {

constexpr seconds look_max{31 * 24 * 3600};
constexpr std::int64_t bar_columns = 10;
constexpr std::int64_t rows_max = 24;
constexpr std::array<seconds, 8> steps{
    {minute, 5 * minute, 15 * minute, 60 * minute, 180 * minute, 360 * minute, 720 * minute, 1440 * minute}};

struct PlanArguments {
    std::string span = "24h";
    std::string at = "now";
};

/// What a project's quota makes of them.
struct Quota {
    std::int64_t late = 0;              ///< Sessions that come after their meeting opens.
    std::optional<sys_seconds> first{}; ///< The earliest of these openings.
};

/// Makes the calls of each minute in the order of their meetings, as many as the rate allows, and those that are left
/// in the next one.
Quota squeeze(CallsAhead const& calls, double per_second)
{
    Quota quota;
    std::map<sys_seconds, std::int64_t> waiting; // by when they must be done
    double allowed = 0;
    const double each_minute = per_second * 60;
    auto next = calls.begin();
    for (sys_seconds now{}; next != calls.end() || !waiting.empty(); now += minute) {
        if (waiting.empty()) {
            now = next->first;
            allowed = 0;
        }
        for (; next != calls.end() && next->first <= now; ++next)
            for (auto const& [opens, count] : next->second)
                waiting[std::max(opens, next->first + minute)] += count; // what is late already is made at once
        allowed += each_minute;
        while (!waiting.empty() && allowed >= 1) {
            const auto first = waiting.begin();
            const std::int64_t made = std::min(first->second, static_cast<std::int64_t>(allowed));
            allowed -= static_cast<double>(made);
            if (now > first->first) {
                quota.late += made;
                quota.first = std::min(quota.first.value_or(first->first), first->first);
            }
            first->second -= made;
            if (first->second == 0)
                waiting.erase(first);
        }
    }
    return quota;
}

struct Outlook {
    sys_seconds from;
    sys_seconds until;
    seconds step;
    std::map<sys_seconds, Work> minutes;
    std::map<std::string, CallsAhead, std::less<>> calls;
    std::map<std::string, Quota, std::less<>> quotas;
    std::map<sys_seconds, Work> rows; ///< The minutes, summed up by steps.
    Work most{};                      ///< Of any row, each for itself.
    std::int64_t tokens = 0;
    std::string sentence{};
    std::vector<std::string> to_do{};
};

seconds step_for(seconds span)
{
    for (const seconds step : steps)
        if (span / step <= rows_max)
            return step;
    return steps.back();
}

void imagine_all(Outlook& outlook, std::string const& database, KnownProjects const& known, sys_seconds now)
{
    WorkAhead ahead{known.projects, now, outlook.from, outlook.until};
    const auto has_work = [&](SnapshotHint const& hint) { return ahead.concerns(hint.due, hint.policy_hash); };
    each_snapshot(database, has_work, [&](MeetingSnapshot const& meeting) { ahead.add(meeting); });
    outlook.minutes = ahead.minutes();
    outlook.calls = ahead.calls();
}

/// `0 of 4,500 calls`, of the project that comes nearest to its quota.
std::string calls_text(Outlook const& outlook, KnownProjects const& known)
{
    std::string text;
    double worst = -1;
    for (auto const& [project, rate] : known.calls_per_second) {
        const auto found = outlook.most.calls.find(project);
        const std::int64_t calls = found == outlook.most.calls.end() ? 0 : found->second;
        const double quota = std::max(rate * static_cast<double>(outlook.step.count()), 1.0);
        if (static_cast<double>(calls) / quota <= worst)
            continue;
        worst = static_cast<double>(calls) / quota;
        text = ", " + grouped(calls) + " of " + counted(static_cast<std::int64_t>(quota), "call");
        if (calls > 0 && known.calls_per_second.size() > 1)
            text += " of " + whole(project);
    }
    return text;
}

/// Works out the quotas; returns a sentence for each project that has sessions which come late.
std::vector<std::string> find_late(Outlook& outlook, KnownProjects const& known, Times const& times)
{
    std::vector<std::string> late;
    for (auto const& [project, rate] : known.calls_per_second) {
        const auto calls = outlook.calls.find(project);
        if (calls == outlook.calls.end())
            continue;
        Quota& quota = outlook.quotas[project];
        quota = squeeze(calls->second, rate);
        if (quota.late > 0)
            late.push_back(
                counted(quota.late, "session") + " of " + whole(project) +
                (quota.late == 1 ? " comes late, for " : " come late, the first for ") + times.at(*quota.first)
            );
    }
    return late;
}

void sum_up(Outlook& outlook, KnownProjects const& known, Times const& times)
{
    for (auto const& [when, work] : outlook.minutes)
        outlook.rows[floor_to(when, outlook.step)] += work;
    for (auto const& [when, work] : outlook.rows) {
        outlook.tokens += work.tokens;
        outlook.most.tokens = std::max(outlook.most.tokens, work.tokens);
        for (auto const& [project, count] : work.calls)
            outlook.most.calls[project] = std::max(outlook.most.calls[project], count);
    }
    const std::vector<std::string> late = find_late(outlook, known, times);
    for (auto const& [project, quota] : outlook.quotas)
        if (quota.late > 0)
            outlook.to_do.push_back(
                "a longer sessions.lead, or a higher rate of " + whole(project) +
                " if its vendor allows it; systemctl reload usher"
            );
    const std::string most = "at most " + counted(outlook.most.tokens, "token") + calls_text(outlook, known) + " in " +
                             to_text(outlook.step);
    if (!late.empty())
        outlook.sentence = "Does not fit: " + late.front() + "; " + most + ".";
    else if (outlook.rows.empty())
        outlook.sentence = "All fits: nothing is to be done.";
    else
        outlook.sentence = "All fits: " + most + ".";
}

void print_plan(Page& page, Outlook const& outlook, std::vector<std::string> const& notes, Times const& times)
{
    page.sentence(outlook.sentence);
    for (std::string const& command : outlook.to_do)
        page.to_do(command);
    struct Row {
        std::string when;
        std::string tokens;
        std::string calls;
        std::int64_t weight;
    };
    std::vector<Row> rows;
    std::size_t when_width = 0;
    std::size_t number_width = 0;
    std::size_t calls_width = 0;
    std::int64_t heaviest = 1;
    for (auto const& [when, work] : outlook.rows) {
        const std::int64_t calls = work.all_calls();
        rows.push_back(
            {times.at(when), grouped(work.tokens), calls > 0 ? counted(calls, "call") : "", work.tokens + calls}
        );
        when_width = std::max(when_width, rows.back().when.size());
        number_width = std::max(number_width, rows.back().tokens.size());
        calls_width = std::max(calls_width, rows.back().calls.size());
        heaviest = std::max(heaviest, rows.back().weight);
    }
    for (Row const& row : rows) {
        const auto bar = static_cast<std::size_t>(std::max<std::int64_t>(row.weight * bar_columns / heaviest, 1));
        std::string line = row.when + std::string(when_width - row.when.size() + 2, ' ') +
                           std::string(number_width - row.tokens.size(), ' ') + row.tokens +
                           (row.tokens == "1" ? " token   " : " tokens  ");
        if (calls_width > 0)
            line += row.calls + std::string(calls_width - row.calls.size() + 2, ' ');
        page.sentence(line + std::string(bar, '#'));
    }
    for (std::string const& note : notes)
        page.line("note", note);
}

Json json_of_work(sys_seconds at, Work const& work)
{
    Json calls = Json::object();
    for (auto const& [project, count] : work.calls)
        calls[project] = count;
    return Json{{"at", json_of(at)}, {"tokens", work.tokens}, {"calls", std::move(calls)}};
}

Json json_of_plan(Outlook const& outlook, KnownProjects const& known, Times const& times)
{
    Json document = answer("plan", times.now());
    document["sentence"] = unbound(outlook.sentence);
    document["do"] = json_of_texts(outlook.to_do);
    document["from"] = json_of(outlook.from);
    document["until"] = json_of(outlook.until);
    document["tokens"] = outlook.tokens;
    document["step_s"] = outlook.step.count();
    document["projects"] = Json::array();
    for (auto const& [name, rate] : known.calls_per_second) {
        const auto most = outlook.most.calls.find(name);
        const auto quota = outlook.quotas.find(name);
        const bool has_calls = quota != outlook.quotas.end();
        document["projects"].push_back(Json{
            {"project", name},
            {"quota_per_step", static_cast<std::int64_t>(rate * static_cast<double>(outlook.step.count()))},
            {"most_in_a_step", most == outlook.most.calls.end() ? 0 : most->second},
            {"late", has_calls ? quota->second.late : 0},
            {"first_late_opens_at", json_of(has_calls ? quota->second.first : std::nullopt)}});
    }
    Json minutes = Json::array();
    for (auto const& [when, work] : outlook.minutes)
        minutes.push_back(json_of_work(when, work));
    document["minutes"] = Json{{"total", outlook.minutes.size()}, {"items", std::move(minutes)}};
    document["notes"] = json_of_texts(known.notes);
    return document;
}

int plan_ahead(Context& context, PlanArguments const& arguments)
{
    const Times times{context.now(), context.local};
    const auto span = parse_duration(arguments.span);
    if (!span)
        throw UsageError{"--for: " + span.error().message};
    if (*span < minute || *span > look_max)
        throw UsageError{"--for: expected " + to_text(minute) + " to " + to_text(look_max) + ", got " + to_text(*span)};
    const auto from = times.parse(arguments.at);
    if (!from)
        throw UsageError{"--at: " + from.error().message};
    if (*from < times.now() || *from > times.now() + look_max)
        throw UsageError{"--at: expected an instant from now to " + to_text(look_max) + " from now"};
    const Report rows{context.database(), times.now()};
    const KnownProjects known = known_projects(context, rows);
    Outlook outlook{*from, *from + *span, step_for(*span), {}, {}, {}, {}};
    imagine_all(outlook, context.database(), known, times.now());
    sum_up(outlook, known, times);
    if (context.json) {
        print(context.out, json_of_plan(outlook, known, times));
    } else {
        Page page = context.page();
        print_plan(page, outlook, known.notes, times);
    }
    return exit_done;
}

} // namespace

std::vector<std::string> late_sessions(Context& context, KnownProjects const& known, Times const& times)
{
    Outlook outlook{times.now(), times.now() + steps.back(), minute, {}, {}, {}, {}};
    imagine_all(outlook, context.database(), known, times.now());
    return find_late(outlook, known, times);
}

Json plan_of_a_day(Context& context, KnownProjects const& known, Times const& times)
{
    Outlook outlook{times.now(), times.now() + steps.back(), step_for(steps.back()), {}, {}, {}, {}};
    imagine_all(outlook, context.database(), known, times.now());
    sum_up(outlook, known, times);
    return json_of_plan(outlook, known, times);
}

void add_plan(CLI::App& app, Context& context)
{
    Command command{
        app, context, "plan", "Show the work of the next hours against the quota of the vendors",
        "usherctl plan --for 3h"};
    const auto arguments = std::make_shared<PlanArguments>();
    command.takes("--for", "DURATION", arguments->span, "How far to look: 1m to 31d; 24h if not given");
    command.takes("--at", "TIME", arguments->at, "From when: 16:20, 2026-03-02T16:20Z or +3h; now if not given");
    command.action([&context, arguments] { return plan_ahead(context, *arguments); });
}

} // namespace usher::ctl
