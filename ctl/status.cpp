// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <usher/provider/kinds.hpp>
#include <usher/store/report.hpp>

#include "commands.hpp"
#include "daemon_process.hpp"
#include "output.hpp"
#include "page.hpp"
#include "reasons.hpp"
#include "times.hpp"

namespace usher::ctl {
namespace {

constexpr std::size_t groups_shown = 10;
constexpr std::size_t names_shown = 3;
constexpr std::size_t key_shown = 6;
constexpr seconds clock_tolerance{5};

/// Everything that is printed, as text or as JSON.
struct Status {
    std::vector<Damage> damages;
    StatusReport report;
    DaemonReport daemon;
    DaemonState daemon_state;
    Verdict verdict;
    std::string sentence; ///< After the verdict's words.
    std::vector<std::string> to_do;
    std::vector<std::string> notes;
    std::vector<HealthRow> health;
    bool unread = false;                      ///< The rows could not be read, because of the damage.
    bool tells_daemon = false;                ///< The sentence does.
    MeetingGroup const* told_group = nullptr; ///< The sentence says what its meetings have.
};

std::string and_more(std::string const& names, std::size_t all, std::size_t shown)
{
    return all > shown ? names + ", " + grouped(static_cast<std::int64_t>(all - shown)) + " more" : names;
}

std::string first_names(Listing<std::string> const& listing, std::size_t most)
{
    std::string names;
    const std::size_t shown = std::min(most, listing.items.size());
    for (std::size_t i = 0; i < shown; ++i)
        names += (i == 0 ? "" : ", ") + whole(listing.items[i]);
    return and_more(names, listing.total, shown);
}

/// `track-b-1 opens in 10m`, `track-b-1 is live`.
std::string when_open(MeetingRef const& meeting, Times const& times)
{
    if (meeting.opens && *meeting.opens > times.now())
        return whole(meeting.id) + " opens " + times.away(*meeting.opens);
    return whole(meeting.id) + " is live";
}

Reason reason_of(MeetingGroup const& group)
{
    return {group.reason, group.detail, group.project, group.meetings.items.front().id};
}

std::string safe_words(SafeReport const& safe, Times const& times)
{
    if (!safe.until)
        return "all stays ready until the last meeting closes";
    if (*safe.until <= times.now())
        return "nobody can enter " + first_names(safe.then_not, 1);
    return "all stays ready until " + times.relative(*safe.until);
}

class Judge {
public:
    Judge(Status& status, Times const& times, Config const* config) : status_{status}, times_{times}, config_{config} {}

    void judge()
    {
        StatusReport const& report = status_.report;
        const bool at_work = status_.daemon_state == DaemonState::at_work;
        status_.verdict =
            verdict_of({!status_.damages.empty(), report.failed_near, report.at_risk, report.not_served.total, at_work}
            );
        if (!status_.damages.empty())
            damaged();
        if (status_.unread)
            return;
        if (report.failed_near > 0)
            failed();
        if (!at_work)
            nobody_at_work();
        if (report.at_risk > 0)
            at_risk();
        if (report.not_served.total > 0)
            not_served();
        if (status_.sentence.empty())
            status_.sentence = well();
    }

private:
    /// The first that is told is the worst; the others have a line of their own.
    bool tell(std::string const& sentence)
    {
        if (!status_.sentence.empty())
            return false;
        status_.sentence = sentence;
        return true;
    }

    void damaged()
    {
        Listing<std::string> sentences;
        for (Damage const& damage : status_.damages) {
            sentences.items.push_back(damage.sentence);
            if (std::find(status_.to_do.begin(), status_.to_do.end(), damage.way_out) == status_.to_do.end())
                status_.to_do.push_back(damage.way_out);
        }
        sentences.total = sentences.items.size();
        tell("the contract is damaged: " + first_names(sentences, names_shown) + ".");
    }

    void failed()
    {
        MeetingGroup const* first = nullptr;
        std::size_t reasons = 0;
        for (MeetingGroup const& group : status_.report.groups.items) {
            if (group.word != Word::failed || group.near == 0)
                continue;
            first = first == nullptr ? &group : first;
            if (++reasons <= names_shown)
                status_.to_do.push_back(way_out(reason_of(group), config_));
        }
        if (first == nullptr)
            return;
        const std::string what = headline(reason_of(*first));
        const auto meetings = static_cast<std::int64_t>(status_.report.failed_near);
        if (reasons == 1 && !what.empty()) {
            if (tell(counted(meetings, "meeting") + ": " + what + ".") && says_all(first->reason))
                status_.told_group = first;
        } else {
            tell(
                counted(meetings, "meeting") + (meetings == 1 ? " has failed; " : " have failed; ") +
                when_open(first->meetings.items.front(), times_) + "."
            );
        }
    }

    void nobody_at_work()
    {
        const std::string who = short_name(status_.daemon.who);
        const std::string since = times_.since(status_.daemon.looked_at);
        switch (status_.daemon_state) {
        case DaemonState::at_work: return;
        case DaemonState::hung:
            status_.tells_daemon = tell("usherd (" + who + ") runs but has not looked for " + since + ".");
            status_.to_do.emplace_back("systemctl restart usher");
            return;
        case DaemonState::stopped:
            status_.tells_daemon =
                tell("usherd stopped " + since + " ago; " + safe_words(status_.report.safe, times_) + ".");
            break;
        case DaemonState::never_ran: status_.tells_daemon = tell("usherd has never looked at this database."); break;
        }
        status_.to_do.emplace_back("systemctl start usher");
    }

    void at_risk()
    {
        const auto meetings = static_cast<std::int64_t>(status_.report.at_risk);
        bool any_session = false;
        MeetingGroup const* first = nullptr;
        for (MeetingGroup const& group : status_.report.groups.items) {
            if (group.word != Word::at_risk)
                continue;
            first = first == nullptr ? &group : first;
            any_session = any_session || group.has_session;
        }
        if (first == nullptr)
            return;
        const std::string lacks = any_session ? (meetings == 1 ? " is not ready; " : " are not ready; ")
                                              : (meetings == 1 ? " has no session; " : " have no session; ");
        tell(counted(meetings, "meeting") + lacks + when_open(first->meetings.items.front(), times_) + ".");
        if (status_.daemon_state == DaemonState::at_work)
            status_.to_do.push_back(first->rows_gone ? "systemctl restart usher" : way_out(reason_of(*first), config_));
    }

    void not_served()
    {
        auto const& people = status_.report.not_served;
        ProblemReport const& first = people.items.front();
        const auto count = static_cast<std::int64_t>(people.total);
        tell(
            (count == 1 ? "1 person is" : grouped(count) + " people are") + " not served: " +
            and_more(whole(first.participant_id) + " in " + whole(first.meeting_id), people.total, 1) + "."
        );
        status_.to_do.push_back("usherctl explain " + argument(first.meeting_id));
    }

    std::string well() const
    {
        StatusReport const& report = status_.report;
        if (!report.any_meeting)
            return "there are no meetings; usherd waits for rows.";
        const std::int64_t soon = total(report.live) + total(report.within_hour);
        const std::int64_t ready = count(report.live, Word::ready) + count(report.within_hour, Word::ready);
        if (soon == 0)
            return "no meeting is live or opens within 1h.";
        if (ready < soon)
            return grouped(ready) + " of " + counted(soon, "meeting") +
                   (soon == 1 ? " that is live or opens within 1h is ready"
                              : " that are live or open within 1h are ready") +
                   ", " + grouped(soon - ready) + " on schedule.";
        if (soon == 1)
            return "the one meeting that is live or opens within 1h is ready.";
        return "all " + grouped(soon) + " meetings that are live or open within 1h are ready.";
    }

    Status& status_;
    Times const& times_;
    Config const* config_;
};

std::vector<std::string> notes_of(StatusReport const& report, std::vector<HealthRow> const& health)
{
    const ProviderDeclarations kinds = declarations_of();
    std::vector<std::string> notes;
    for (HealthRow const& row : health)
        if (!row.concern.empty())
            notes.push_back(row.concern);
    if (report.long_ones.total > 0)
        notes.push_back(
            first_names(report.long_ones, names_shown) + ": over 8h, the vendor may cut " +
            (report.long_ones.total == 1 ? "its session" : "their sessions")
        );
    if (report.without_row.total > 0)
        notes.push_back(
            first_names(report.without_row, names_shown) + ": people are there, the meeting's own row is not"
        );
    for (ProjectReport const& project : report.projects) {
        if (auto const* const kind = find_kind(kinds, project.provider); kind != nullptr && kind->pretends)
            notes.push_back(
                whole(project.name) + " is on the " + std::string{kind->name} + ": its tokens open no real meeting"
            );
        if (project.clock_ahead && std::chrono::abs(*project.clock_ahead) > clock_tolerance)
            notes.push_back(
                "this machine's clock is " + span_text(std::chrono::abs(*project.clock_ahead)) +
                (project.clock_ahead->count() > 0 ? " ahead of" : " behind") + " that of the vendor of " +
                whole(project.name)
            );
    }
    if (report.sessions_to_empty > 0)
        notes.push_back(
            "people may still be in " + counted(report.sessions_to_empty, "session") +
            " of meetings that are cancelled or closed: usherd has not thrown them out yet"
        );
    if (report.abandoned_attempts > 0)
        notes.push_back(
            counted(report.abandoned_attempts, "call") + " for a session had no answer: there may be sessions at the "
                                                         "vendor that nobody uses"
        );
    return notes;
}

void print_window(Page& page, char const* label, WordCounts const& counts)
{
    std::string text;
    for (const Word word : {Word::ready, Word::on_schedule, Word::at_risk, Word::failed})
        if (count(counts, word) > 0)
            text += (text.empty() ? "" : ", ") + grouped(count(counts, word)) + " " + std::string{to_text(word)};
    if (!text.empty())
        page.line(label, text);
}

void print_group(Page& page, MeetingGroup const& group, bool is_told, Times const& times)
{
    std::string names;
    for (MeetingRef const& meeting : group.meetings.items) {
        names += (names.empty() ? "" : ", ") + whole(meeting.id);
        if (&meeting == &group.meetings.items.front() && meeting.opens)
            names += *meeting.opens > times.now() ? " (opens " + times.away(*meeting.opens) + ")" : " (live)";
    }
    names = and_more(names, group.meetings.total, group.meetings.items.size());
    const std::string label =
        grouped(static_cast<std::int64_t>(group.meetings.total)) + " " + std::string{to_text(group.word)};
    const std::string code = group.reason.empty() ? "" : whole(group.reason) + ": ";
    if (is_told)
        return page.line(label, code + names);
    std::string text = code + (group.rows_gone        ? "rows that usherd had written are gone"
                               : group.reason.empty() ? "usherd has not looked at them"
                                                      : prose(group.detail));
    if (group.since)
        text += " " + whole("for " + times.since(*group.since));
    if (group.next_at)
        text += "; next attempt " + (*group.next_at > times.now() ? times.away(*group.next_at) : "now");
    page.line(label, text);
    page.indented(names);
}

void print_daemon(Page& page, Status const& status, Times const& times)
{
    const std::string who = short_name(status.daemon.who);
    const std::string since = times.since(status.daemon.looked_at);
    std::string text;
    switch (status.daemon_state) {
    case DaemonState::at_work: text = "at work: " + who + ", looked " + since + " ago"; break;
    case DaemonState::hung: text = who + " runs but has not looked for " + since; break;
    case DaemonState::stopped: text = "stopped " + since + " ago"; break;
    case DaemonState::never_ran: text = "has never looked at this database"; break;
    }
    if (status.daemon_state == DaemonState::at_work && status.report.next_work)
        text += "; next work " + times.relative(*status.report.next_work);
    page.line("usherd", text);
}

void print_safe(Page& page, SafeReport const& safe, Times const& times)
{
    if (!safe.until)
        page.line("safe", "without usherd until the last meeting closes");
    else if (*safe.until <= times.now())
        page.line("safe", "not without usherd: nobody can enter " + first_names(safe.then_not, 1));
    else
        page.line(
            "safe", "without usherd to " + times.relative(*safe.until) + ", then not " + first_names(safe.then_not, 1)
        );
}

void print_vendors(Page& page, StatusReport const& report)
{
    std::vector<std::string> answering;
    const ProviderDeclarations kinds = declarations_of();
    const auto is_asked = [&](ProjectReport const& project) { // one that this program does not know may be
        ProviderDeclaration const* const kind = find_kind(kinds, project.provider);
        return kind == nullptr || kind->uses_network();
    };
    for (ProjectReport const& project : report.projects)
        if (is_asked(project) && project.reason.empty() && project.clock_ahead) // known from an answer
            answering.push_back(project.name);
    if (!answering.empty()) {
        const std::size_t count = answering.size();
        page.line("vendors", first_names({std::move(answering), count}, 10) + (count == 1 ? " answers" : " answer"));
    }
    const auto in_a_group = [&](ProjectReport const& project) {
        return std::any_of(report.groups.items.begin(), report.groups.items.end(), [&](MeetingGroup const& group) {
            return group.project == project.name && group.reason == project.reason;
        });
    };
    for (ProjectReport const& project : report.projects)
        if (!project.reason.empty() && !in_a_group(project))
            page.line(whole(project.name), whole(project.reason) + ": " + prose(project.detail));
}

/// How far a new key has come, and when it will be everywhere at the speed so far.
void print_key(Page& page, ProjectReport const& project, Times const& times)
{
    if (project.tokens_of_old_key == 0)
        return;
    const std::int64_t done = project.tokens - project.tokens_of_old_key;
    std::string text = "key " + project.key_id.substr(0, key_shown) + " has " + grouped(done) + " of " +
                       counted(project.tokens, "token");
    text += project.live_tokens_of_old_key == 0 ? ", all live"
                                                : ", not " + grouped(project.live_tokens_of_old_key) + " live ones";
    if (done > 0 && project.first_of_new_key && times.now() > *project.first_of_new_key) {
        const double each =
            static_cast<double>((times.now() - *project.first_of_new_key).count()) / static_cast<double>(done);
        const auto left = static_cast<std::int64_t>(each * static_cast<double>(project.tokens_of_old_key));
        text += "; " + span_text(seconds{std::max<std::int64_t>(left, 1)}) + " left";
    }
    page.line(whole(project.name), text);
    page.indented("do: keep key " + whole(project.old_key_id.substr(0, key_shown)) + " at the vendor until all are");
}

void print_status(Page& page, Status const& status, Times const& times)
{
    StatusReport const& report = status.report;
    page.verdict(status.verdict, std::string{to_text(status.verdict)} + ": " + status.sentence);
    for (std::string const& command : status.to_do)
        page.to_do(command);
    if (status.unread)
        return;
    page.blank();
    const std::size_t shown = std::min(groups_shown, report.groups.items.size());
    for (std::size_t i = 0; i < shown; ++i)
        print_group(page, report.groups.items[i], &report.groups.items[i] == status.told_group, times);
    if (report.groups.total > shown)
        page.line("", grouped(static_cast<std::int64_t>(report.groups.total - shown)) + " more reasons; see --json");
    page.line("now", times.with_date(times.now()));
    print_window(page, "live", report.live);
    print_window(page, "within 1h", report.within_hour);
    print_window(page, "within 24h", report.within_day);
    print_window(page, "later", report.later);
    if (!status.tells_daemon)
        print_daemon(page, status, times);
    if (report.any_meeting && !(status.tells_daemon && status.daemon_state == DaemonState::stopped))
        print_safe(page, report.safe, times);
    print_vendors(page, report);
    for (ProjectReport const& project : report.projects)
        print_key(page, project, times);
    for (std::string const& note : status.notes)
        page.line("note", note);
}

Json json_of_window(char const* name, WordCounts const& counts)
{
    Json window = Json::object();
    window["window"] = name;
    for (const Word word : {Word::ready, Word::on_schedule, Word::at_risk, Word::failed})
        window[std::string{usher::json_name(word)}] = count(counts, word);
    return window;
}

Json json_of_group(MeetingGroup const& group)
{
    Json result = Json::object();
    result["word"] = usher::json_name(group.word);
    result["reason"] = json_or_null(group.reason);
    result["detail"] = json_or_null(group.detail);
    result["project"] = json_or_null(group.project);
    result["since"] = json_of(group.since);
    result["next_attempt_at"] = json_of(group.next_at);
    result["meetings"] = json_of_listing(group.meetings, [](MeetingRef const& meeting) {
        return Json{{"meeting", meeting.id}, {"opens_at", json_of(meeting.opens)}};
    });
    return result;
}

Json json_of_project(ProjectReport const& project)
{
    Json result = Json::object();
    result["project"] = project.name;
    result["provider"] = project.provider;
    result["project_key"] = project.project_key;
    result["reason"] = json_or_null(project.reason);
    result["detail"] = json_or_null(project.detail);
    result["next_probe_at"] = json_of(project.next_probe);
    result["clock_ahead_s"] = project.clock_ahead ? Json(project.clock_ahead->count()) : Json(nullptr);
    result["key"] = project.key_id;
    result["tokens"] = project.tokens;
    result["tokens_of_old_key"] = project.tokens_of_old_key;
    result["live_tokens_of_old_key"] = project.live_tokens_of_old_key;
    return result;
}

std::string_view json_name(DaemonState state)
{
    switch (state) {
    case DaemonState::at_work: return "at_work";
    case DaemonState::hung: return "hung";
    case DaemonState::stopped: return "stopped";
    case DaemonState::never_ran: return "never_ran";
    }
    return {};
}

Json json_of_status(Status const& status, sys_seconds now)
{
    StatusReport const& report = status.report;
    Json document = answer("status", now);
    document["verdict"] = usher::json_name(status.verdict);
    document["sentence"] = unbound(status.sentence);
    document["do"] = json_of_texts(status.to_do);
    document["windows"] = Json::array(
        {json_of_window("live", report.live), json_of_window("within_1h", report.within_hour),
         json_of_window("within_24h", report.within_day), json_of_window("later", report.later)}
    );
    document["groups"] = json_of_listing(report.groups, json_of_group);
    document["not_served"] = json_of_listing(report.not_served, [](ProblemReport const& problem) {
        return Json{
            {"meeting", problem.meeting_id},
            {"participant", problem.participant_id},
            {"reason", problem.reason},
            {"detail", problem.detail},
            {"since", json_of(problem.since)}};
    });
    document["without_row"] = json_of_listing(report.without_row, [](std::string const& id) { return Json(id); });
    document["usherd"] = Json::array();
    if (status.daemon_state != DaemonState::never_ran)
        document["usherd"].push_back(Json{
            {"who", unbound(short_name(status.daemon.who))},
            {"state", json_name(status.daemon_state)},
            {"since", json_of(status.daemon.since)},
            {"looked_at", json_of(status.daemon.looked_at)}});
    document["next_work_at"] = json_of(report.next_work);
    document["safe_until"] = json_of(report.safe.until);
    document["projects"] = Json::array();
    for (ProjectReport const& project : report.projects)
        document["projects"].push_back(json_of_project(project));
    document["abandoned_session_attempts"] = report.abandoned_attempts;
    document["sessions_to_empty"] = report.sessions_to_empty;
    document["damage"] = Json::array();
    for (Damage const& damage : status.damages)
        document["damage"].push_back(Json{
            {"object", damage.object}, {"sentence", damage.sentence}, {"do", damage.way_out}});
    document["notes"] = json_of_texts(status.notes);
    document["health"] = Json::array();
    for (HealthRow const& row : status.health)
        document["health"].push_back(Json{
            {"name", row.name},
            {"value", row.value},
            {"unit", row.unit},
            {"sentence", row.sentence},
            {"concern", row.concern}});
    return document;
}

int status(Context& context)
{
    Config const& config = context.config();
    const sys_seconds now = context.now();
    const Times times{now, context.local};
    const Report rows{config.database, now};
    Status found{};
    found.damages = rows.damages();
    found.health = rows.health();
    try {
        found.daemon = rows.daemon();
        found.daemon_state = daemon_state(
            !found.daemon.who.empty(), found.daemon.looked_at, process_state(found.daemon.who, config.database), now
        );
        found.report = rows.status({now, config.base, found.daemon_state == DaemonState::at_work});
    } catch (DatabaseError const&) {
        if (found.damages.empty())
            throw;
        found.unread = true; // a table is gone; what is said of the others would be half the truth
    }
    Judge{found, times, &config}.judge();
    found.notes = notes_of(found.report, found.health);
    if (context.json) {
        print(context.out, json_of_status(found, now));
    } else {
        Page page = context.page();
        print_status(page, found, times);
    }
    return found.verdict == Verdict::all_well ? exit_done : exit_could_not;
}

} // namespace

void add_status(CLI::App& app, Context& context)
{
    Command command{
        app, context, "status", "Show whether all is well, what is not and why, and how long it lasts without usherd",
        "usherctl status"};
    command.action([&context] { return status(context); });
}

} // namespace usher::ctl
