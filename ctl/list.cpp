// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <tuple>

#include <usher/store/report.hpp>

#include "commands.hpp"
#include "daemon_process.hpp"
#include "output.hpp"
#include "page.hpp"
#include "times.hpp"

namespace usher::ctl {
namespace {

struct ListArguments {
    std::optional<std::string> at;
    bool failing = false;
};

bool is_failing(MeetingStanding const& meeting)
{
    return meeting.word == Word::failed || meeting.word == Word::at_risk;
}

WordCounts count_words(Listing<ListedMeeting> const& found)
{
    WordCounts counts{};
    for (ListedMeeting const& meeting : found.items)
        ++counts.at(static_cast<std::size_t>(meeting.standing.word));
    return counts;
}

/// `2 ready, 2 on schedule`.
std::string words_of(WordCounts const& counts)
{
    std::string text;
    for (const Word word : {Word::failed, Word::at_risk, Word::ready, Word::on_schedule})
        if (count(counts, word) > 0)
            text += (text.empty() ? "" : ", ") + grouped(count(counts, word)) + " " + std::string{to_text(word)};
    return text;
}

std::string
sentence_of(Listing<ListedMeeting> const& found, bool failing, std::optional<sys_seconds> at, Times const& times)
{
    const auto all = static_cast<std::int64_t>(found.total);
    const WordCounts counts = count_words(found);
    const std::string when = at ? " at " + times.relative(*at) : "";
    if (failing) {
        const std::int64_t failed = count(counts, Word::failed);
        const std::int64_t at_risk = count(counts, Word::at_risk);
        const std::string among = at ? " of those that are live" + when : "";
        if (failed + at_risk == 0)
            return "No meeting" + among + " has failed or is at risk.";
        if (failed == 0)
            return counted(at_risk, "meeting") + among + (at_risk == 1 ? " is" : " are") + " at risk.";
        return counted(failed, "meeting") + among + (failed == 1 ? " has" : " have") + " failed" +
               (at_risk == 0 ? "." : ", " + grouped(at_risk) + (at_risk == 1 ? " is" : " are") + " at risk.");
    }
    const std::string live = at ? " live" + when : " not over";
    if (all == 0)
        return "No meeting is" + live + ".";
    return counted(all, "meeting") + (all == 1 ? " is" : " are") + live + ": " + words_of(counts) + ".";
}

/// `on schedule, tokens 15:05:10`.
std::string state_of(MeetingStanding const& meeting, Times const& times)
{
    std::string text{to_text(meeting.word)};
    if (is_failing(meeting))
        return meeting.reason.empty() ? text : text + ": " + whole(meeting.reason);
    if (meeting.word == Word::on_schedule && meeting.facts.state == State::waiting && meeting.next_work)
        text += (meeting.has_session ? ", tokens " : ", session ") + times.bare(*meeting.next_work);
    return text;
}

void print_table(Page& page, Listing<ListedMeeting> const& found, Times const& times)
{
    constexpr std::size_t columns = 4;
    std::vector<std::array<std::string, columns + 1>> rows;
    const std::string now = times.at(times.now());
    rows.push_back({"MEETING", "OPENS" + now.substr(now.rfind(' ')), "CLOSES", "PEOPLE", "NOW"});
    for (ListedMeeting const& meeting : found.items) {
        MeetingFacts const& facts = meeting.standing.facts;
        rows.push_back(
            {whole(meeting.standing.id), facts.opens ? whole(times.bare(*facts.opens)) : "-",
             facts.closes ? whole(times.bare(*facts.closes)) : "-", grouped(meeting.people),
             state_of(meeting.standing, times)}
        );
    }
    std::array<std::size_t, columns> widths{};
    for (auto const& row : rows)
        for (std::size_t i = 0; i < columns; ++i)
            widths.at(i) = std::max(widths.at(i), row.at(i).size());
    for (auto const& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < columns; ++i) {
            const std::string pad(widths.at(i) - row.at(i).size(), ' ');
            line += (i + 1 == columns ? pad + row.at(i) : row.at(i) + pad) + "  "; // numbers are aligned at their ends
        }
        page.sentence(line + row.back());
    }
}

/// Those that lack the same, in a line each.
void print_groups(Page& page, Listing<ListedMeeting> const& found, Times const& times)
{
    std::map<std::tuple<Word, std::string, std::string>, std::string> groups;
    for (ListedMeeting const& meeting : found.items) {
        MeetingStanding const& standing = meeting.standing;
        std::string& text = groups[{standing.word, standing.reason, standing.project}];
        const bool first = text.empty();
        text += (first ? "" : ", ") + whole(standing.id);
        if (standing.facts.opens)
            text += " " + whole(first ? times.at(*standing.facts.opens) : times.bare(*standing.facts.opens));
    }
    const bool mixed = std::any_of(found.items.begin(), found.items.end(), [&](ListedMeeting const& meeting) {
        return meeting.standing.word != found.items.front().standing.word;
    });
    for (auto const& [key, meetings] : groups) {
        auto const& [word, reason, project] = key;
        page.sentence(
            (mixed ? std::string{to_text(word)} + ", " : "") +
            (reason.empty() ? "usherd has not looked at them" : whole(reason)) +
            (project.empty() ? "" : ", " + whole(project)) + ": " + meetings
        );
    }
}

Json json_of_meeting(ListedMeeting const& meeting)
{
    MeetingStanding const& standing = meeting.standing;
    std::string word{to_text(standing.word)};
    std::replace(word.begin(), word.end(), ' ', '_');
    return Json{
        {"meeting", standing.id},
        {"project", json_or_null(standing.project)},
        {"word", word},
        {"reason", json_or_null(standing.reason)},
        {"detail", json_or_null(standing.detail)},
        {"opens_at", json_of(standing.facts.opens)},
        {"closes_at", json_of(standing.facts.closes)},
        {"people", meeting.people},
        {"next_work_at", json_of(standing.next_work)},
        {"next_attempt_at", json_of(standing.next_at)}};
}

int list(Context& context, ListArguments const& arguments)
{
    Config const& config = context.config();
    const Times times{context.now(), context.local};
    std::optional<sys_seconds> at;
    if (arguments.at) {
        const auto parsed = times.parse(*arguments.at);
        if (!parsed)
            throw UsageError{"--at: " + parsed.error().message};
        if (*parsed < times.now())
            throw UsageError{"--at: expected now or later, got " + times.at(*parsed)};
        at = *parsed;
    }
    const Report rows{config.database, times.now()};
    const DaemonReport daemon = rows.daemon();
    const DaemonState state =
        daemon_state(!daemon.who.empty(), daemon.looked_at, process_state(daemon.who, config.database), times.now());
    const auto found =
        rows.list({times.now(), config.base, state == DaemonState::at_work}, [&](MeetingStanding const& meeting) {
            return (!at || is_live(meeting.facts, *at)) && (!arguments.failing || is_failing(meeting));
        });
    const std::string sentence = sentence_of(found, arguments.failing, at, times);
    if (context.json) {
        Json document = answer("list", times.now());
        document["sentence"] = unbound(sentence);
        document["at"] = json_of(at);
        document["meetings"] = json_of_listing(found, json_of_meeting);
        print(context.out, document);
        return exit_done;
    }
    Page page = context.page();
    page.sentence(sentence);
    if (arguments.failing)
        print_groups(page, found, times);
    else if (!found.items.empty())
        print_table(page, found, times);
    if (found.total > found.items.size())
        page.sentence(grouped(static_cast<std::int64_t>(found.total - found.items.size())) + " more");
    return exit_done;
}

} // namespace

void add_list(CLI::App& app, Context& context)
{
    Command command{
        app, context, "list", "List meetings that are not over: when they open, who is in them, how they are",
        "usherctl list --at 16:20"};
    const auto arguments = std::make_shared<ListArguments>();
    command.takes("--at", "TIME", arguments->at, "Only those that are live then: now, 16:20, 2026-03-02T16:20Z or +3h");
    command.takes("--failing", arguments->failing, "Only those that have failed or are at risk, by what they lack");
    command.action([&context, arguments] { return list(context, *arguments); });
}

} // namespace usher::ctl
