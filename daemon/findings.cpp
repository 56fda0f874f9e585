// SPDX-License-Identifier: Apache-2.0
#include "findings.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

#include <usher/config/load.hpp>
#include <usher/core/numbers.hpp>

namespace usher {

namespace {

constexpr seconds clock_tolerance{5};
constexpr std::size_t quarters_in_hour = 4;

/// `14:02 UTC`, with the day where it is another than today's.
std::string short_time(sys_seconds instant, sys_seconds now)
{
    constexpr std::array<char const*, 7> days{"Sun ", "Mon ", "Tue ", "Wed ", "Thu ", "Fri ", "Sat "};
    const std::string iso = to_iso8601(instant); // 2026-03-02T14:02:10Z
    const auto day = std::chrono::floor<std::chrono::days>(instant);
    const seconds away = instant - now;
    std::string text = iso.substr(11, 5) + " UTC";
    if (day == std::chrono::floor<std::chrono::days>(now))
        return text;
    if (away > seconds{0} && away < std::chrono::days{6})
        return days.at(std::chrono::weekday{day}.c_encoding()) + text;
    return iso.substr(0, 10) + " " + text;
}

bool is_reason_of(ProjectReport const& project, MeetingGroup const& group)
{
    return project.name == group.project && !project.reason.empty() && project.reason == group.reason;
}

Finding of_group(MeetingGroup const& group, bool failed)
{
    Finding finding;
    finding.id = failed ? "meetings_failed" : "meetings_at_risk";
    finding.severity = failed && group.near == 0 ? FindingSeverity::warning : FindingSeverity::critical;
    finding.project = group.project;
    finding.text = counted(static_cast<std::int64_t>(group.meetings.total), "meeting") + (failed ? " failed"
                                                                                          : group.meetings.total == 1
                                                                                              ? " is not ready"
                                                                                              : " are not ready");
    if (!group.reason.empty())
        finding.text += ": " + group.reason + (group.detail.empty() ? "" : ": " + group.detail);
    finding.way_out = "usherctl status";
    return finding;
}

std::string reason_text(MeetingGroup const& group)
{
    const std::string reason = group.reason.empty() ? "not_looked_at" : group.reason;
    return "(" + reason + (group.project.empty() ? "" : ", project " + group.project) + ")";
}

MeetingGroup const* first_group(Sample const& sample, Word word)
{
    for (MeetingGroup const& group : sample.report.groups.items)
        if (group.word == word && (word != Word::failed || group.near > 0))
            return &group;
    return nullptr;
}

} // namespace

std::string_view to_text(FindingSeverity severity)
{
    switch (severity) {
    case FindingSeverity::critical: return "critical";
    case FindingSeverity::warning: return "warning";
    case FindingSeverity::note: return "note";
    }
    return {};
}

std::vector<Finding> findings_of(Sample const& sample, DaemonFacts const& facts)
{
    using enum FindingSeverity;
    std::vector<Finding> findings;
    for (Damage const& damage : sample.damages)
        findings.push_back({"contract_damaged", critical, {}, damage.sentence, damage.way_out});
    if (sample.daemon.looked_at + absent_after <= facts.now)
        findings.push_back(
            {"not_looking",
             critical,
             {},
             "usherd has not looked at the database since " + to_iso8601(sample.daemon.looked_at),
             "systemctl restart usher"}
        );
    for (ProjectReport const& project : sample.report.projects) {
        if (project.reason.empty())
            continue;
        Finding circuit{
            "circuit_open", warning, project.name,
            project.reason + (project.detail.empty() ? "" : ": " + project.detail), "usherctl status"};
        for (MeetingGroup const& group : sample.report.groups.items)
            if (is_reason_of(project, group)) {
                circuit.severity = critical;
                circuit.hides.push_back(of_group(group, group.word == Word::failed).id);
            }
        findings.push_back(std::move(circuit));
    }
    for (MeetingGroup const& group : sample.report.groups.items) {
        auto const& projects = sample.report.projects;
        const bool is_hidden = std::any_of(projects.begin(), projects.end(), [&](ProjectReport const& project) {
            return is_reason_of(project, group);
        });
        if (!is_hidden)
            findings.push_back(of_group(group, group.word == Word::failed));
    }
    if (const std::size_t people = sample.report.not_served.total; people > 0) {
        ProblemReport const& first = sample.report.not_served.items.front();
        findings.push_back(
            {"people_not_served",
             warning,
             {},
             counted(static_cast<std::int64_t>(people), "participant") + " cannot be served, first " +
                 first.participant_id + " in " + first.meeting_id + ": " + first.reason,
             "usherctl status"}
        );
    }
    if (!facts.refused_reload.empty())
        findings.push_back(
            {"config_refused",
             warning,
             {},
             "the old configuration stays: " + facts.refused_reload,
             facts.refused_reload.find(with_restart_only) != std::string::npos
                 ? "systemctl restart usher"
                 : "mend the file, then systemctl reload usher"}
        );
    for (HealthRow const& row : sample.health)
        if (!row.concern.empty())
            findings.push_back({"store_concern", warning, {}, row.concern, "usherctl status"});
    for (ProjectReport const& project : sample.report.projects)
        if (project.clock_ahead && std::chrono::abs(*project.clock_ahead) > clock_tolerance)
            findings.push_back(
                {"clock_off", warning, project.name,
                 "this machine's clock is " + std::to_string(std::chrono::abs(*project.clock_ahead).count()) + " s " +
                     (project.clock_ahead->count() > 0 ? "ahead of" : "behind") + " the vendor's",
                 "timedatectl set-ntp true"}
            );
    for (std::string const& project : facts.pretending_projects)
        findings.push_back({"no_real_meetings", note, project, "its tokens open no real meeting", "name a provider"});
    const auto rank = [](Finding const& finding) {
        auto const* const found = std::find(std::begin(finding_ids), std::end(finding_ids), finding.id);
        return std::pair{finding.severity, found - std::begin(finding_ids)};
    };
    std::stable_sort(findings.begin(), findings.end(), [&](Finding const& left, Finding const& right) {
        return rank(left) < rank(right);
    });
    return findings;
}

bool is_ready(Sample const& sample)
{
    const WordCounts soon = sample.window(1);
    return sample.damages.empty() && !sample.is_unread && count(soon, Word::at_risk) == 0 &&
           count(soon, Word::failed) == 0 && sample.daemon.looked_at + absent_after > sample.at;
}

std::string status_sentence(Sample const& sample, DaemonFacts const& facts)
{
    StatusReport const& report = sample.report;
    if (!sample.damages.empty())
        return "DAMAGED: " + sample.damages.front().sentence + "; run " + sample.damages.front().way_out;
    const WordCounts hour = sample.window(quarters_in_hour);
    if (MeetingGroup const* const group = first_group(sample, Word::failed); group != nullptr) {
        const std::int64_t live = count(report.live, Word::failed);
        return "FAILED: " + counted(static_cast<std::int64_t>(report.failed_near), "meeting") +
               (live > 0 ? ", " + grouped(live) + " live " : " ") + reason_text(*group) + "; run usherctl status";
    }
    if (MeetingGroup const* const group = first_group(sample, Word::at_risk); group != nullptr) {
        std::string text =
            "AT RISK: " + counted(static_cast<std::int64_t>(report.at_risk), "meeting") + " " + reason_text(*group);
        if (group->next_at && *group->next_at > facts.now)
            text += "; next try " + short_time(*group->next_at, facts.now);
        return text;
    }
    if (!facts.refused_reload.empty())
        return "Reload refused " + short_time(facts.refused_at, facts.now) +
               ", the old configuration stays: " + facts.refused_reload;
    if (report.not_served.total > 0)
        return "AT RISK: " + counted(static_cast<std::int64_t>(report.not_served.total), "participant") +
               " cannot be served; run usherctl status";
    std::string text = "All well: ";
    if (const std::int64_t all = total(hour); all > 0)
        text += grouped(count(hour, Word::ready)) + " of " + grouped(all) + " of the next hour ready";
    else
        text += "no meeting is live or opens within the next hour";
    if (report.safe.until)
        text += "; safe until " + short_time(*report.safe.until, facts.now);
    return text;
}

} // namespace usher
