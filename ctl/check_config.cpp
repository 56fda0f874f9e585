// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <utility>

#include <usher/core/outlook.hpp>
#include <usher/provider/probe.hpp>
#include <usher/store/report.hpp>
#include <usher/store/snapshots.hpp>

#include "commands.hpp"
#include "known_projects.hpp"
#include "output.hpp"
#include "page.hpp"
#include "reasons.hpp"
#include "times.hpp"

namespace usher::ctl {
namespace {

constexpr seconds clock_tolerance{5};
constexpr std::size_t names_shown = 3;
constexpr std::size_t names_kept = 100;
constexpr std::size_t id_shown = 8;
constexpr std::size_t key_shown = 6;
constexpr std::streamsize file_bytes_max = 1 << 20;

struct CheckArguments {
    bool deep = false;
    std::optional<std::string> against;
};

/// A line under the sentence.
struct Line {
    std::string label;
    std::string text;
};

struct Checked {
    Verdict verdict = Verdict::all_well;
    std::string sentence;
    std::vector<std::string> to_do;
    std::vector<Line> lines;
    Json details = Json::object(); ///< More of what `--json` has.
};

std::string file_of(Context const& context)
{
    std::string const& path = context.config_path.empty() ? "usher.yaml" : context.config_path;
    return whole(path.substr(path.rfind('/') + 1));
}

/// Meetings that open first come first.
class Touched {
public:
    void add(std::string const& meeting, sys_seconds opens)
    {
        ++total_;
        first_.emplace(opens, meeting);
        if (first_.size() > names_kept)
            first_.erase(std::prev(first_.end()));
    }

    std::int64_t total() const { return total_; }

    /// `green-room, help-desk, opening, 2 more`.
    std::string names() const
    {
        std::string text;
        std::size_t shown = 0;
        for (auto const& [opens, meeting] : first_) {
            if (shown == names_shown)
                break;
            text += (shown++ == 0 ? "" : ", ") + whole(meeting);
        }
        const std::int64_t more = total_ - static_cast<std::int64_t>(shown);
        return more > 0 ? text + ", " + grouped(more) + " more" : text;
    }

    Json json() const
    {
        Json items = Json::array();
        for (auto const& [opens, meeting] : first_)
            items.push_back(meeting);
        return Json{{"total", total_}, {"items", std::move(items)}};
    }

private:
    std::int64_t total_ = 0;
    std::multimap<sys_seconds, std::string> first_;
};

/// What a reload of the configuration would do to the meetings of a database. Of each kind those come first that people
/// are in.
struct Impact {
    Touched ending; ///< Live ones that are over by the new configuration.
    Touched live;   ///< Live ones that get a new session,
    Touched later;  ///< likewise, before they open.
    Touched shut;   ///< Live ones some of whose people have no credential to come back with.
    Touched failing;
    std::string why_failing;        ///< The first of those.
    std::string missing_project;    ///< Of the first of those, where that is why.
    std::int64_t people_ending = 0; ///< Who hold a token there; likewise below.
    std::int64_t emptied = 0;       ///< Of the ending ones: whoever is in them is thrown out.
    std::int64_t people = 0;        ///< In those that get a new session.
    std::int64_t people_shut = 0;   ///< Who could come back until now.
    std::int64_t signed_anew = 0;
    std::int64_t withdrawn = 0;                             ///< Until they are wanted.
    std::int64_t taken_back = 0;                            ///< For good.
    std::map<std::string, std::int64_t, std::less<>> calls; ///< By project.
    std::vector<std::pair<sys_seconds, sys_seconds>> open;  ///< When a reload would be noticed in one of them.
};

bool is_of_the_configuration(TokenReason reason)
{
    return reason == TokenReason::key_changed || reason == TokenReason::policy_changed ||
           reason == TokenReason::details_changed; // another format
}

bool holds_token(ParticipantRow const& participant)
{
    return participant.present && !participant.blocked && participant.token;
}

std::int64_t token_holders(MeetingSnapshot const& meeting)
{
    return std::count_if(meeting.participants.begin(), meeting.participants.end(), holds_token);
}

/// By what usherd has planned it for so far.
bool is_live(MeetingSnapshot const& meeting, sys_seconds now)
{
    return meeting.opens && meeting.closes && *meeting.opens <= now && now < *meeting.closes &&
           meeting.state != State::ended && meeting.state != State::cancelled;
}

/// Not by what the platform wrote, or somebody asked for: that is done without a reload as well.
bool is_replaced_by_the_configuration(MeetingSnapshot const& meeting, Plan const& planned, sys_seconds now)
{
    if (!meeting.published || planned.session == SessionStep::keep)
        return false;
    std::string const& why = planned.create_reason;
    if (why == "project_key_changed" || why == "project_removed" || why == "participant_removed")
        return true;
    // One that was kept since the meeting had opened, which by the new configuration it has not.
    return is_live(meeting, now) && *planned.opens > now && why != "adopted" && why != "requested";
}

/// The people who see their credential now and would not: their doors open later, or their tokens go.
std::int64_t people_shut_out(
    Report const& rows, MeetingSnapshot const& meeting, Plan const& planned, Policy const& doors, sys_seconds now
)
{
    std::int64_t people = 0;
    for (std::size_t i = 0; i < meeting.participants.size(); ++i) {
        ParticipantRow const& participant = meeting.participants[i];
        if (!holds_token(participant) || !participant.role)
            continue;
        const bool loses_token = planned.delete_tokens ||
                                 std::any_of(planned.withdraw.begin(), planned.withdraw.end(), [&](auto const& each) {
                                     return each.participant == i;
                                 });
        const bool is_hidden = doors.visible_at_opens && door_of(*meeting.meeting, *participant.role, doors) > now;
        if (!loses_token && !is_hidden)
            continue;
        const auto person = rows.person(meeting.id, participant.id);
        people += person && person->state == "ready" && person->opens && *person->opens <= now ? 1 : 0;
    }
    return people;
}

void look_at(
    Impact& impact, MeetingSnapshot const& meeting, Projects const& projects, Report const& rows, sys_seconds now
)
{
    const Plan planned = plan(meeting, projects, now);
    if (!planned.opens || !planned.closes || planned.state == State::cancelled)
        return;
    const bool was_live = is_live(meeting, now);
    const std::int64_t holders = token_holders(meeting);
    if (meeting.closes && *planned.closes < *meeting.closes) // in between a reload ends it
        impact.open.emplace_back(*planned.closes, *meeting.closes);
    if (*planned.closes <= now) {
        if (!was_live)
            return;
        impact.ending.add(meeting.id, *meeting.opens);
        impact.people_ending += holders;
        impact.taken_back += holders;
        impact.emptied += planned.disconnect ? 1 : 0;
        return;
    }
    const bool live = was_live || *planned.opens <= now;
    const std::int64_t shut = was_live ? people_shut_out(rows, meeting, planned, projects.base, now) : std::int64_t{0};
    if (shut > 0) {
        impact.shut.add(meeting.id, *meeting.opens);
        impact.people_shut += shut;
        impact.open.emplace_back(*meeting.opens, planned.delete_tokens ? *meeting.closes : *planned.opens);
    }
    if (planned.state == State::failed && meeting.state != State::failed) {
        if (impact.failing.total() == 0) {
            impact.why_failing = planned.detail;
            if (planned.reason == "unknown_project")
                impact.missing_project = meeting.meeting->project;
        }
        impact.failing.add(meeting.id, *planned.opens);
        if (planned.delete_tokens)
            impact.taken_back += holders;
        return;
    }
    if (is_replaced_by_the_configuration(meeting, planned, now)) {
        (live ? impact.live : impact.later).add(meeting.id, *planned.opens);
        impact.open.emplace_back(std::min(*planned.opens, meeting.opens.value_or(*planned.opens)), *planned.closes);
        if (planned.session == SessionStep::order)
            ++impact.calls[meeting.meeting->project];
        impact.people += live ? holders : 0;
        return;
    }
    impact.signed_anew += std::count_if(planned.sign.begin(), planned.sign.end(), [](SignStep const& step) {
        return is_of_the_configuration(step.reason);
    });
    impact.withdrawn += std::count_if(planned.withdraw.begin(), planned.withdraw.end(), [](Withdrawal const& each) {
        return each.reason == WithdrawReason::not_yet;
    });
    if (planned.delete_tokens == WithdrawReason::not_yet)
        impact.withdrawn += holders;
}

/// The first instant from `now` on at which none of them is open.
sys_seconds calm_from(std::vector<std::pair<sys_seconds, sys_seconds>> open, sys_seconds now)
{
    std::sort(open.begin(), open.end());
    for (auto const& [opens, closes] : open)
        if (opens <= now && closes > now)
            now = closes;
    return now;
}

/// `new.yaml:4:21`, where the value stands once in the file; else `new.yaml`.
std::string place_of(Context const& context, std::string const& value)
{
    const std::string name = file_of(context);
    std::ifstream file{context.config_path};
    std::string text(static_cast<std::size_t>(file_bytes_max), '\0');
    file.read(text.data(), file_bytes_max);
    text.resize(static_cast<std::size_t>(file.gcount()));
    const std::size_t at = value.empty() ? std::string::npos : text.find(value);
    if (at == std::string::npos || text.find(value, at + 1) != std::string::npos)
        return name;
    const auto line = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
    const std::size_t start = at == 0 ? std::string::npos : text.rfind('\n', at - 1);
    const std::size_t column = start == std::string::npos ? at : at - start - 1;
    return name + ":" + std::to_string(line + 1) + ":" + std::to_string(column + 1);
}

std::string shortened(std::string const& id, std::size_t most)
{
    return id.size() > most ? whole(id.substr(0, most)) + "~" : whole(id);
}

/// What differs from what usherd last worked with.
std::vector<std::string> changes_of(
    Context& context, std::vector<ProjectReport> const& reports, std::map<std::string, std::string> const& key_ids
)
{
    Config const& config = context.config_with_keys();
    std::vector<std::string> changes;
    for (ProjectConfig const& project : config.projects) {
        const std::string name = "projects." + whole(project.name);
        const auto report = std::find_if(reports.begin(), reports.end(), [&](ProjectReport const& each) {
            return each.name == project.name;
        });
        if (report == reports.end()) {
            changes.push_back(file_of(context) + ": " + name + " is new");
            continue;
        }
        if (report->provider != project.kind->name)
            changes.push_back(
                file_of(context) + ": " + name + ".provider: " + whole(report->provider) + " -> " +
                whole(project.kind->name)
            );
        if (report->project_key != project.project_key())
            changes.push_back(
                place_of(context, project.project_key()) + ": " + name + "." + std::string{project.kind->project_key} +
                ": " + shortened(report->project_key, id_shown) + " -> " + shortened(project.project_key(), id_shown)
            );
        else if (const auto key = key_ids.find(project.name); key != key_ids.end() && key->second != report->key_id)
            changes.push_back(
                file_of(context) + ": " + name + "." + std::string{project.kind->secret} + ": key " +
                whole(report->key_id.substr(0, key_shown)) + " -> " + whole(key->second.substr(0, key_shown))
            );
    }
    for (ProjectReport const& report : reports) {
        const bool is_there =
            std::any_of(config.projects.begin(), config.projects.end(), [&](ProjectConfig const& each) {
                return each.name == report.name;
            });
        if (!is_there)
            changes.push_back(file_of(context) + ": projects." + whole(report.name) + " is gone");
    }
    return changes;
}

/// `33 calls take 5s`.
std::string calls_text(Impact const& impact, Config const& config)
{
    std::int64_t all = 0;
    seconds longest{0};
    for (ProjectConfig const& project : config.projects) {
        const auto calls = impact.calls.find(project.name);
        if (calls == impact.calls.end())
            continue;
        all += calls->second;
        const auto rate = project.settings.number("rate");
        const std::int64_t waiting = std::max<std::int64_t>(calls->second - project.settings.number("burst"), 0);
        longest = std::max({longest, seconds{1}, seconds{(waiting + rate - 1) / rate}});
    }
    if (all == 0)
        return {};
    return "; " + counted(all, "call") + (all == 1 ? " takes " : " take ") + span_text(longest);
}

Impact impact_of(std::string const& database, Projects const& projects, Report const& rows, sys_seconds now)
{
    Impact impact;
    const auto is_to_come = [&](SnapshotHint const& hint) { return !hint.closes || *hint.closes > now; };
    each_snapshot(database, is_to_come, [&](MeetingSnapshot const& meeting) {
        if (!meeting.is_unreadable && meeting.meeting)
            look_at(impact, meeting, projects, rows, now);
    });
    return impact;
}

std::string people_text(std::int64_t people)
{
    return people == 1 ? "1 person" : grouped(people) + " people";
}

/// `2 live meetings end; 91 people there lose their tokens.`
std::string sentence_of_ending(Impact const& impact)
{
    const std::int64_t ending = impact.ending.total();
    std::string text = counted(ending, "live meeting") + (ending == 1 ? " ends" : " end") + " at once";
    if (impact.emptied > 0 && impact.emptied == ending)
        return text + ", and whoever is in " + (ending == 1 ? "it" : "them") + " is thrown out.";
    text += "; " + people_text(impact.people_ending) + " there " +
            (impact.people_ending == 1 ? "loses a token" : "lose their tokens");
    if (impact.emptied > 0)
        text += ", and whoever is in " + grouped(impact.emptied) + " of them is thrown out";
    return text + ".";
}

void judge(Checked& result, Impact const& impact, Times const& times)
{
    const auto tell = [&](std::string const& sentence) { // the worst is told first; all have lines of their own
        result.verdict = Verdict::at_risk;
        if (result.sentence.empty())
            result.sentence = sentence;
    };
    if (impact.ending.total() > 0)
        tell(sentence_of_ending(impact));
    if (const std::int64_t live = impact.live.total(); live > 0)
        tell(
            counted(live, "live meeting") + (live == 1 ? " gets a new session; " : " get new sessions; ") +
            people_text(impact.people) + " there must join again."
        );
    if (impact.people_shut > 0)
        tell(
            people_text(impact.people_shut) + " in " + counted(impact.shut.total(), "live meeting") +
            " could not come back in."
        );
    if (result.verdict == Verdict::at_risk)
        result.to_do.push_back(
            "reload after " + times.relative(calm_from(impact.open, times.now())) + ": none is live then"
        );
    if (const std::int64_t failing = impact.failing.total(); failing > 0) {
        const std::string why = impact.missing_project.empty()
                                    ? prose(impact.why_failing)
                                    : "project " + whole(impact.missing_project) + " is not in the configuration";
        tell(counted(failing, "meeting") + (failing == 1 ? " fails: " : " fail: ") + why + ".");
        result.to_do.push_back(
            impact.missing_project.empty() ? "mend what is named, and check again"
                                           : "add " + whole(impact.missing_project) + " under projects:"
        );
    }
    if (result.sentence.empty())
        result.sentence = impact.later.total() == 0 ? "no session changes." : "no live meeting gets a new session.";
}

void check_against(Context& context, Checked& result, std::string const& database, Times const& times)
{
    Config const& config = context.config_with_keys();
    const Report rows{database, times.now()};
    Projects projects;
    projects.base = config.base;
    std::map<std::string, std::string> key_ids;
    for (ProjectConfig const& project : config.projects) {
        if (const auto signer = project.signer())
            key_ids[project.name] = signer->key_id();
        projects.by_name.emplace(project.name, facts_of(config, project, key_ids[project.name]));
    }
    const Impact impact = impact_of(database, projects, rows, times.now());
    judge(result, impact, times);
    const std::vector<std::string> changes = changes_of(context, rows.projects(), key_ids);
    for (std::string const& change : changes)
        result.lines.push_back({"", change});
    if (impact.ending.total() > 0)
        result.lines.push_back({"ending", grouped(impact.ending.total()) + ": " + impact.ending.names()});
    if (impact.live.total() > 0)
        result.lines.push_back({"live", grouped(impact.live.total()) + ": " + impact.live.names()});
    if (impact.later.total() > 0)
        result.lines.push_back(
            {"later", grouped(impact.later.total()) +
                          (impact.later.total() == 1 ? ": a new session" : ": new sessions") +
                          calls_text(impact, config)}
        );
    if (impact.shut.total() > 0)
        result.lines.push_back({"shut", grouped(impact.shut.total()) + ": " + impact.shut.names()});
    if (impact.failing.total() > 0)
        result.lines.push_back({"failing", grouped(impact.failing.total()) + ": " + impact.failing.names()});
    if (impact.signed_anew > 0)
        result.lines.push_back(
            {"tokens", grouped(impact.signed_anew) + " are signed anew; old ones work until they expire"}
        );
    if (impact.withdrawn > 0)
        result.lines.push_back({"tokens", grouped(impact.withdrawn) + " are taken back until they are wanted"});
    if (impact.taken_back > 0)
        result.lines.push_back({"tokens", grouped(impact.taken_back) + " are taken back"});
    result.details["changes"] = json_of_texts(changes);
    result.details["ending"] = impact.ending.json();
    result.details["live"] = impact.live.json();
    result.details["later"] = impact.later.json();
    result.details["shut"] = impact.shut.json();
    result.details["failing"] = impact.failing.json();
    result.details["people_to_join_again"] = impact.people;
    result.details["people_in_ending"] = impact.people_ending;
    result.details["meetings_emptied"] = impact.emptied;
    result.details["people_shut_out"] = impact.people_shut;
    result.details["tokens_signed_anew"] = impact.signed_anew;
    result.details["tokens_taken_back"] = impact.withdrawn + impact.taken_back;
}

void fail(Checked& result, std::string const& sentence, std::string const& to_do)
{
    if (result.verdict != Verdict::failing)
        result.sentence = sentence;
    result.verdict = Verdict::failing;
    result.to_do.push_back(to_do);
}

/// Opens the database, and asks the vendors.
void check_deep(Context& context, Checked& result, Times const& times)
{
    Config const& config = context.config_with_keys();
    result.details["vendors"] = Json::array();
    try {
        const Report rows{config.database, times.now()};
        const std::vector<Damage> damages = rows.damages();
        if (!damages.empty())
            fail(result, "the contract is damaged: " + prose(damages.front().sentence) + ".", damages.front().way_out);
        else
            result.lines.push_back({"database", whole(config.database) + " is there, its contract is whole"});
    } catch (DatabaseError const& error) {
        const bool is_told = !error.way_out().empty();
        fail(result, prose(error.fault()) + ".", is_told ? prose(error.way_out()) : "mend what is named");
    }
    for (ProjectConfig const& project : config.projects) {
        const auto signer = project.signer();
        if (!signer)
            continue;
        const auto probed = probe(*project.kind, project.settings, *signer, config.base.clock_skew);
        if (!probed) {
            result.lines.push_back({whole(project.name), "asks no vendor"});
            continue;
        }
        Json vendor{
            {"project", project.name},
            {"reason", nullptr},
            {"detail", nullptr},
            {"clock_ahead_s", nullptr},
            {"certificate_ends_at", nullptr}};
        if (probed->clock_ahead)
            vendor["clock_ahead_s"] = probed->clock_ahead->count();
        if (probed->failure) {
            const Reason reason{probed->failure->reason, probed->failure->detail, project.name, {}};
            const std::string what = headline(reason);
            vendor["reason"] = json_or_null(probed->failure->reason);
            vendor["detail"] = json_or_null(probed->failure->detail);
            result.lines.push_back({whole(project.name), prose(probed->failure->detail)});
            fail(
                result, (what.empty() ? "the vendor of " + whole(project.name) + " cannot be asked" : what) + ".",
                what.empty() ? "mend the step that is named" : way_out(reason, &config)
            );
        } else {
            std::string text = "its vendor answers";
            if (probed->clock_ahead)
                text += std::chrono::abs(*probed->clock_ahead) <= clock_tolerance
                            ? "; the clocks agree"
                            : "; this machine's clock is " + span_text(std::chrono::abs(*probed->clock_ahead)) +
                                  (probed->clock_ahead->count() < 0 ? " behind" : " ahead");
            if (probed->certified_until) {
                vendor["certificate_ends_at"] = to_iso8601(*probed->certified_until);
                text += "; its certificate ends " + times.relative(*probed->certified_until);
            }
            result.lines.push_back({whole(project.name), text});
        }
        result.details["vendors"].push_back(std::move(vendor));
    }
}

int check(Context& context, CheckArguments const& arguments)
{
    if (!context.database_path.empty())
        throw UsageError{"check-config: checks a file: name it with --config FILE"};
    const Times times{context.now(), context.local};
    Config const& config = context.config_with_keys();
    Checked result;
    if (arguments.against)
        check_against(context, result, *arguments.against, times);
    else
        result.sentence =
            file_of(context) + ": " + counted(static_cast<std::int64_t>(config.projects.size()), "project") + ".";
    if (arguments.deep)
        check_deep(context, result, times);
    result.sentence.insert(0, std::string{to_text(result.verdict)} + ": ");
    const bool is_well = result.verdict == Verdict::all_well;
    if (context.json) {
        Json document = answer("check-config", times.now());
        document["verdict"] = json_name(result.verdict);
        document["sentence"] = unbound(result.sentence);
        document["do"] = json_of_texts(result.to_do);
        document["warnings"] = json_of_texts(config.warnings);
        document.update(result.details);
        print(context.out, document);
    } else {
        Page page = context.page();
        page.verdict(result.verdict, result.sentence);
        for (std::string const& command : result.to_do)
            page.to_do(command);
        for (Line const& line : result.lines)
            if (line.label.empty())
                page.sentence(line.text);
            else
                page.line(line.label, line.text);
    }
    return is_well ? exit_done : exit_could_not;
}

} // namespace

void add_check_config(CLI::App& app, Context& context)
{
    Command command{
        app, context, "check-config", "Check a configuration, and what a reload of it would change",
        "usherctl --config new.yaml check-config --against /var/lib/usher/usher.db"};
    const auto arguments = std::make_shared<CheckArguments>();
    command.takes("--deep", arguments->deep, "Open the database and ask the vendors too");
    command.takes("--against", "DB", arguments->against, "Show what a reload would change in this database");
    command.action([&context, arguments] { return check(context, *arguments); });
}

} // namespace usher::ctl
