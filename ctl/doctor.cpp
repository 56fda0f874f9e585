// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>

#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <usher/config/load.hpp>
#include <usher/provider/kinds.hpp>
#include <usher/provider/probe.hpp>
#include <usher/store/database.hpp>
#include <usher/store/examination.hpp>
#include <usher/store/promise_check.hpp>
#include <usher/store/report.hpp>

#include "bundle.hpp"
#include "commands.hpp"
#include "daemon_process.hpp"
#include "known_projects.hpp"
#include "output.hpp"
#include "page.hpp"
#include "plan.hpp"
#include "reasons.hpp"
#include "reload.hpp"
#include "times.hpp"

namespace usher::ctl {
namespace {

constexpr seconds clock_tolerance{5};
constexpr std::chrono::milliseconds answer_patience{1000};
constexpr seconds certificate_notice{14 * 24 * 3600};
constexpr std::size_t shown_of_each = 3;     // findings of one kind
constexpr std::size_t verified_max = 20'000; // signatures: an RSA one takes a fiftieth of a millisecond
constexpr std::size_t key_shown = 6;
constexpr std::size_t bar_columns = 10;

struct DoctorArguments {
    bool full = false;
    bool offline = false;
    std::optional<std::string> bundle;
};

/// Something that is not as it should be. A problem hurts already, or will; a note may.
struct Finding {
    bool is_problem;
    std::string check;
    std::string text;
    std::string to_do;
    bool names_somebody = false; ///< A meeting, a person, or what a row or a vendor says.
};

/// Says on a terminal what takes long.
class Steps {
public:
    Steps(Context& context, std::size_t total)
        : err_{context.err}, total_{total}, terminal_{&context.in == &std::cin && ::isatty(STDERR_FILENO) != 0}
    {}
    Steps(Steps const&) = delete;
    Steps& operator=(Steps const&) = delete;
    ~Steps()
    {
        if (shown_)
            err_ << "\n";
    }

    void begin(std::string const& check)
    {
        const std::size_t marks = std::min(done_++ * bar_columns / total_, bar_columns);
        if (!terminal_ || std::chrono::steady_clock::now() - began_ < std::chrono::seconds{1})
            return;
        shown_ = true;
        std::string line = "doctor [" + std::string(marks, '#') + std::string(bar_columns - marks, ' ') + "] " + check;
        line.resize(40, ' ');
        err_ << "\r" << line;
        std::cerr.flush();
    }

private:
    Printer& err_;
    std::size_t total_;
    std::size_t done_ = 0;
    bool terminal_;
    bool shown_ = false;
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

class Doctor {
public:
    Doctor(Context& context, DoctorArguments const& arguments)
        : context_{context}, arguments_{arguments}, times_{context.now(), context.local}
    {}

    void examine()
    {
        Steps steps{context_, 8};
        const auto look = [&](std::string const& check, std::function<void()> const& work) {
            steps.begin(check);
            checked.push_back(check);
            try {
                work();
            } catch (DatabaseDamaged const& error) {
                problem(check, prose(error.what()), "systemctl stop usher; usherctl restore BACKUP");
            } catch (DatabaseError const& error) {
                const bool is_told = !error.way_out().empty();
                problem(check, prose(error.fault()), is_told ? prose(error.way_out()) : "mend what is named");
            } catch (SchemaBroken const& error) {
                problem(check, prose(error.what()), "usherctl init --repair");
            } catch (DatabaseBusy const& error) {
                problem(check, prose(error.what()), "end the transaction that is open");
            }
        };
        read_configuration();
        steps.begin("files");
        Examination files = examine_store(context_.database(), arguments_.full);
        checked = std::move(files.checked);
        bool is_open = true;
        for (StoreFinding& found : files.findings) {
            is_open = is_open && found.check != "database";
            findings.push_back({found.is_problem, found.check, found.text, found.way_out});
        }
        if (!is_open)
            return;
        const Report rows{context_.database(), times_.now()};
        look("schema", [&] { schema(rows); });
        look("usherd", [&] { daemon(rows); });
        look("keys", [&] { keys(rows); });
        look("vendors", [&] { vendors(); });
        look("clock", [&] { clock(rows); });
        look("meetings", [&] { meetings(rows); });
        if (!is_configured() || is_damaged_)
            return; // what is to be done when is not known then
        look("quota", [&] { quota(rows); });
        look("promises", [&] { promises(rows); });
    }

    Times const& times() const { return times_; }
    std::size_t count(bool problems) const
    {
        return static_cast<std::size_t>(std::count_if(findings.begin(), findings.end(), [&](Finding const& finding) {
            return finding.is_problem == problems;
        }));
    }

    std::vector<std::string> checked;
    std::vector<Finding> findings;

private:
    bool is_configured() const { return context_.database_path.empty(); }

    static bool names_somebody(std::string const& check)
    {
        constexpr std::array<std::string_view, 9> of_this_machine{
            {"rights", "disk", "backup", "wal", "integrity", "numbers", "key", "schema", "usherd"}};
        return std::find(of_this_machine.begin(), of_this_machine.end(), check) == of_this_machine.end();
    }

    void problem(std::string check, std::string text, std::string to_do)
    {
        const bool named = names_somebody(check);
        findings.push_back({true, std::move(check), std::move(text), std::move(to_do), named});
    }
    void note(std::string check, std::string text, std::string to_do)
    {
        const bool named = names_somebody(check);
        findings.push_back({false, std::move(check), std::move(text), std::move(to_do), named});
    }

    /// With its secrets where they are good, and this account may read them.
    void read_configuration()
    {
        context_.tells_warnings = true;
        if (!is_configured()) {
            config_ = &context_.config();
            return;
        }
        try {
            config_ = with_keys_ = &context_.config_with_keys();
        } catch (BadConfiguration const& error) {
            config_ = &context_.config(); // what is wrong with the rest ends the program
            std::istringstream lines{error.what()};
            for (std::string line; std::getline(lines, line);)
                problem("secrets", prose(line), "correct it, or run this as one who may read it");
        }
        for (std::string const& warning : config_->warnings)
            note("secrets", prose(warning), "correct it; systemctl reload usher");
    }

    void schema(Report const& rows)
    {
        for (Damage const& damage : rows.damages()) {
            problem("schema", prose(damage.sentence), damage.way_out);
            is_damaged_ = true;
        }
    }

    void daemon(Report const& rows)
    {
        if (auto const& listen = config_->status.listen; listen && !listen->is_local())
            note(
                "usherd",
                "its metrics and page, at " + to_text(*listen) + ", are open to other machines without a password",
                "status.listen: 127.0.0.1:" + std::to_string(listen->port)
            );
        const DaemonReport daemon = rows.daemon();
        daemon_ = daemon_state(
            !daemon.who.empty(), daemon.looked_at, process_state(daemon.who, context_.database()), times_.now()
        );
        const std::string since = times_.since(daemon.looked_at);
        switch (daemon_) {
        case DaemonState::at_work: answers(daemon.who); return loaded(daemon.since);
        case DaemonState::hung:
            return problem(
                "usherd", short_name(daemon.who) + " runs but has not looked for " + since, "systemctl restart usher"
            );
        case DaemonState::stopped: return problem("usherd", "stopped " + since + " ago", "systemctl start usher");
        case DaemonState::never_ran:
            return problem("usherd", "has never looked at this database", "systemctl start usher");
        }
    }

    /// Whether the usherd of this machine can be asked for its health and metrics.
    void answers(std::string const& who)
    {
        auto const& listen = config_->status.listen;
        if (!listen || !pid_of(who, context_.database()) || answers_http(*listen, answer_patience).value_or(true))
            return;
        const std::string how =
            is_served(*listen) ? "it accepts connections but sends no answer" : "it does not answer";
        note("usherd", how + " at status.listen, " + to_text(*listen), "systemctl restart usher");
    }

    /// Whether usherd has taken the file as it is.
    void loaded(sys_seconds started)
    {
        struct stat file {};
        if (!is_configured() || ::stat(context_.config_file().c_str(), &file) != 0)
            return;
        LeftVerdict last;
        for (std::string const& place : verdict_places(context_)) {
            LeftVerdict left = read_verdict(place);
            if (left.is_hidden)
                return;                                                         // whatever is known may be older
            if (!left.lines.empty() && left.left_at >= unix_seconds(started) && // else by the usherd before this one
                left.left_at >= last.left_at)
                last = std::move(left);
        }
        std::vector<std::string> const& verdict = last.lines;
        const bool is_told = !verdict.empty();
        constexpr bool names_somebody = true; // the path, or the file's own words
        if (is_told && verdict.front() == "refused") {
            const std::string why = verdict.size() > 1 ? verdict[1] : "";
            findings.push_back(
                {true, "usherd", "the last reload was refused, the old configuration stays: " + prose(why),
                 why.find(with_restart_only) != std::string::npos ? "systemctl restart usher"
                                                                  : "usherctl check-config; systemctl reload usher",
                 names_somebody}
            );
            return;
        }
        // Not when it was written last, which whoever copies it may set.
        if (file.st_ctime > (is_told ? last.left_at : unix_seconds(started)))
            findings.push_back(
                {false, "usherd", whole(context_.config_file()) + " was changed since usherd read it",
                 "usherctl check-config --against " + argument(context_.database()) + "; systemctl reload usher",
                 names_somebody}
            );
    }

    /// Whether usherd works with what is configured.
    void keys(Report const& rows)
    {
        reports_ = rows.projects();
        if (!is_configured())
            return;
        for (ProjectConfig const& project : config_->projects) {
            ProjectReport const* const report = report_of(project.name);
            const std::string name = whole(project.name);
            if (report == nullptr) {
                if (daemon_ == DaemonState::at_work)
                    note("keys", "usherd does not know project " + name + " yet", "systemctl reload usher");
                continue;
            }
            if (report->provider != project.kind->name || report->project_key != project.project_key()) {
                note(
                    "keys",
                    name + ": usherd works with " + whole(report->project_key) + " of " + whole(report->provider) +
                        ", the configuration has " + whole(project.project_key()),
                    "usherctl check-config --against " + argument(context_.database())
                );
                continue;
            }
            if (with_keys_ == nullptr)
                continue;
            const auto signer = project.signer();
            if (signer && signer->key_id() != report->key_id)
                note(
                    "keys",
                    name + ": usherd signs with key " + whole(report->key_id.substr(0, key_shown)) +
                        ", the configuration has " + whole(std::string{signer->key_id()}.substr(0, key_shown)),
                    "systemctl reload usher"
                );
        }
    }

    void vendors()
    {
        if (with_keys_ == nullptr || arguments_.offline)
            return;
        for (ProjectConfig const& project : config_->projects) {
            const auto signer = project.signer();
            if (!signer)
                continue;
            const auto probed = probe(*project.kind, project.settings, *signer, config_->base.clock_skew);
            if (!probed)
                continue;
            if (probed->clock_ahead)
                ahead_[project.name] = *probed->clock_ahead;
            if (auto const& until = probed->certified_until; until && *until - times_.now() < certificate_notice)
                note(
                    "vendors", whole(project.name) + ": the certificate of its server ends " + times_.relative(*until),
                    "have whoever runs the server, or the proxy on the way, renew it"
                );
            if (probed->failure)
                problem(
                    "vendors", whole(project.name) + ": " + prose(probed->failure->detail),
                    way_out_of(project.name, *probed->failure)
                );
        }
    }

    std::string way_out_of(std::string const& project, ProviderFailure const& failure) const
    {
        const Reason reason{failure.reason, failure.detail, project, {}};
        return headline(reason).empty() ? "mend the step that is named; usherctl check-config --deep"
                                        : way_out(reason, config_);
    }

    /// As the vendors' answers tell, now or the last time.
    void clock(Report const&)
    {
        for (ProjectReport const& report : reports_)
            if (report.clock_ahead)
                ahead_.emplace(report.name, *report.clock_ahead);
        for (auto const& [project, ahead] : ahead_)
            if (std::chrono::abs(ahead) > clock_tolerance)
                problem(
                    "clock",
                    span_text(std::chrono::abs(ahead)) + (ahead.count() > 0 ? " ahead of" : " behind") +
                        " that of the vendor of " + whole(project),
                    "timedatectl set-ntp true"
                );
    }

    void meetings(Report const& rows)
    {
        const StatusReport status = rows.status({times_.now(), config_->base, daemon_ == DaemonState::at_work});
        for (MeetingGroup const& group : status.groups.items) {
            MeetingRef const& first = group.meetings.items.front();
            const auto all = static_cast<std::int64_t>(group.meetings.total);
            std::string text =
                counted(all, "meeting") + (all == 1 ? " is " : " are ") + std::string{to_text(group.word)};
            if (group.word == Word::failed)
                text = counted(all, "meeting") + (all == 1 ? " has failed" : " have failed");
            if (!group.reason.empty())
                text += ", " + whole(group.reason) + ": " + prose(group.detail);
            text += "; first " + whole(first.id);
            const Reason reason{group.reason, group.detail, group.project, first.id};
            const bool is_problem = group.word == Word::at_risk || group.near > 0; // as the verdict of status has it
            findings.push_back({is_problem, "meetings", text, way_out(reason, config_), true});
        }
        if (status.not_served.total > 0) {
            ProblemReport const& first = status.not_served.items.front();
            const auto people = static_cast<std::int64_t>(status.not_served.total);
            problem(
                "meetings",
                (people == 1 ? "1 person is" : grouped(people) + " people are") + " not served, first " +
                    whole(first.participant_id) + " in " + whole(first.meeting_id),
                "usherctl explain " + argument(first.meeting_id)
            );
        }
        if (status.long_ones.total > 0)
            note(
                "meetings",
                whole(status.long_ones.items.front()) +
                    (status.long_ones.total == 1
                         ? " is"
                         : ", " + grouped(static_cast<std::int64_t>(status.long_ones.total - 1)) + " more are") +
                    " over 8h: the vendor may cut the session",
                "split the meeting"
            );
        if (status.sessions_to_empty > 0)
            note(
                "meetings",
                counted(status.sessions_to_empty, "session") + " of meetings that are over may still have people in",
                "usherctl status"
            );
        for (ProjectReport const& project : status.projects)
            if (project.tokens_of_old_key > 0)
                note(
                    "keys",
                    whole(project.name) + ": " + counted(project.tokens_of_old_key, "token") + " of an old key " +
                        (project.tokens_of_old_key == 1 ? "is" : "are") + " out",
                    "keep key " + whole(project.old_key_id.substr(0, key_shown)) + " at the vendor until none is"
                );
    }

    void quota(Report const& rows)
    {
        const KnownProjects known = known_projects(context_, rows);
        for (std::string const& late : late_sessions(context_, known, times_))
            problem("quota", late, "usherctl plan");
    }

    void promises(Report const& rows)
    {
        const KnownProjects known = known_projects(context_, rows);
        std::map<std::string, TokenSigner, std::less<>> signers;
        if (with_keys_ != nullptr)
            for (ProjectConfig const& project : with_keys_->projects) {
                ProjectReport const* const report = report_of(project.name);
                const auto signer = project.signer();
                if (signer && report != nullptr && report->key_id == signer->key_id()) // else all are signed anew
                    signers.emplace(project.name, *signer);
            }
        std::size_t verified = 0;
        const auto verify = [&](std::string_view project, Credential const& credential) -> Result<void> {
            const auto signer = signers.find(project);
            if (signer == signers.end() || ++verified > verified_max)
                return {};
            return check_token(signer->second, credential);
        };
        std::map<std::string, std::size_t> told;
        for (Violation const& violation : find_violations(context_.database(), known.projects, verify, times_.now()))
            if (++told[violation.promise] <= shown_of_each)
                problem(
                    violation.promise, whole(violation.meeting_id) + ": " + prose(violation.what),
                    "usherctl explain " + argument(violation.meeting_id)
                );
        for (auto const& [promise, count] : told)
            if (count > shown_of_each)
                problem(
                    promise, grouped(static_cast<std::int64_t>(count - shown_of_each)) + " more",
                    "systemctl restart usher"
                );
    }

    ProjectReport const* report_of(std::string_view name) const
    {
        const auto found = std::find_if(reports_.begin(), reports_.end(), [&](ProjectReport const& report) {
            return report.name == name;
        });
        return found == reports_.end() ? nullptr : &*found;
    }

    Context& context_;
    DoctorArguments const& arguments_;
    Times times_;
    Config const* config_ = nullptr;
    Config const* with_keys_ = nullptr; ///< Null where the secrets cannot be read.
    bool is_damaged_ = false;
    DaemonState daemon_ = DaemonState::never_ran;
    std::vector<ProjectReport> reports_;
    std::map<std::string, seconds, std::less<>> ahead_; ///< By project.
};

std::string sentence_of(Doctor const& doctor)
{
    const auto problems = static_cast<std::int64_t>(doctor.count(true));
    const auto notes = static_cast<std::int64_t>(doctor.count(false));
    const std::string noted = notes > 0 ? ", " + counted(notes, "note") : "";
    if (problems > 0)
        return "Failing: " + counted(problems, "problem") + noted + ".";
    std::string names;
    for (std::string const& check : doctor.checked)
        names += (names.empty() ? "" : ", ") + check;
    return "All well: " + names + " checked" + noted + ".";
}

Json json_of_findings(Doctor const& doctor, bool redacted)
{
    Json items = Json::array();
    for (Finding const& finding : doctor.findings) {
        const bool hidden = redacted && finding.names_somebody;
        items.push_back(Json{
            {"severity", finding.is_problem ? "problem" : "note"},
            {"check", finding.check},
            {"text", hidden ? Json(nullptr) : Json(unbound(finding.text))},
            {"do", hidden ? Json(nullptr) : Json(unbound(finding.to_do))}});
    }
    return Json{{"total", doctor.findings.size()}, {"items", std::move(items)}};
}

Json json_of_counts(WordCounts const& counts)
{
    Json result = Json::object();
    for (const Word word : {Word::ready, Word::on_schedule, Word::at_risk, Word::failed})
        result[std::string{to_text(word)}] = counts.at(static_cast<std::size_t>(word));
    return result;
}

/// How things stand, without a word that a platform or a vendor wrote.
Json redacted_status(Report const& rows, StatusReport const& status)
{
    Json document = Json::object();
    document["live"] = json_of_counts(status.live);
    document["within_1h"] = json_of_counts(status.within_hour);
    document["within_24h"] = json_of_counts(status.within_day);
    document["later"] = json_of_counts(status.later);
    document["safe_until"] = json_of(status.safe.until);
    document["next_work_at"] = json_of(status.next_work);
    document["people_not_served"] = status.not_served.total;
    document["abandoned_session_attempts"] = status.abandoned_attempts;
    document["sessions_to_empty"] = status.sessions_to_empty;
    document["groups"] = Json::array();
    for (MeetingGroup const& group : status.groups.items)
        document["groups"].push_back(Json{
            {"word", to_text(group.word)},
            {"reason", group.reason},
            {"meetings", group.meetings.total},
            {"near", group.near},
            {"since", json_of(group.since)},
            {"next_attempt_at", json_of(group.next_at)}});
    document["projects"] = Json::array();
    for (ProjectReport const& project : status.projects)
        document["projects"].push_back(Json{
            {"provider", project.provider},
            {"reason", json_or_null(project.reason)},
            {"next_probe_at", json_of(project.next_probe)},
            {"clock_ahead_s", project.clock_ahead ? Json(project.clock_ahead->count()) : Json(nullptr)},
            {"tokens", project.tokens},
            {"tokens_of_old_key", project.tokens_of_old_key}});
    const DaemonReport daemon = rows.daemon();
    document["usherd"] = Json{{"since", json_of(daemon.since)}, {"looked_at", json_of(daemon.looked_at)}};
    document["health"] = Json::array();
    for (HealthRow const& row : rows.health())
        document["health"].push_back(Json{{"name", row.name}, {"value", row.value}, {"unit", row.unit}});
    return document;
}

/// What is configured, apart from names, keys, paths and addresses.
Json redacted_configuration(Config const& config)
{
    Json document = Json::object();
    Policy const& policy = config.base;
    document["sessions_lead_s"] = policy.session_lead.count();
    document["tokens_lead_s"] = policy.token_lead.count();
    document["early_join_s"] = policy.early_join.longest().count();
    document["visible_at_opens"] = policy.visible_at_opens;
    document["grace_s"] = policy.grace.count();
    document["clock_skew_s"] = policy.clock_skew.count();
    document["retention_s"] = policy.retention.count();
    document["projects"] = Json::array();
    for (ProjectConfig const& project : config.projects) {
        Json each = Json::object();
        each["provider"] = project.kind->name;
        each["token_format"] = project.token_format.id();
        each["max_token_life_s"] = project.max_token_life.count();
        each["rotation_margin_s"] = project.rotation_margin.count();
        for (char const* const number : {"concurrency", "rate", "burst"})
            if (project.settings.has(number))
                each[number] = project.settings.number(number);
        document["projects"].push_back(std::move(each));
    }
    return document;
}

std::string text_of(Json const& document)
{
    return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// Returns why it could not be written.
std::optional<std::string> bundle(Context& context, Doctor const& doctor, std::string const& path)
{
    Times const& times = doctor.times();
    std::vector<BundleFile> files;
    Json system = answer("doctor", times.now());
    system["usher"] = USHER_VERSION;
    system["schema"] = schema_version_known();
    utsname machine{};
    if (::uname(&machine) == 0)
        system["machine"] =
            Json{{"system", machine.sysname}, {"release", machine.release}, {"processor", machine.machine}};
    files.push_back({"system.json", text_of(system)});
    files.push_back({"doctor.json", text_of(json_of_findings(doctor, true))});
    files.push_back({"configuration.json", text_of(redacted_configuration(context.config()))});
    try {
        const Report rows{context.database(), times.now()};
        const StatusReport status = rows.status({times.now(), context.config().base, true});
        files.push_back({"status.json", text_of(redacted_status(rows, status))});
        const KnownProjects known = known_projects(context, rows);
        Json plan = plan_of_a_day(context, known, times);
        for (char const* const naming : {"sentence", "do", "projects"})
            plan.erase(naming);
        for (Json& minute : plan["minutes"]["items"]) {
            std::int64_t calls = 0;
            for (Json const& count : minute["calls"])
                calls += count.get<std::int64_t>();
            minute["calls"] = calls;
        }
        files.push_back({"plan.json", text_of(plan)});
    } catch (std::exception const&) {
        files.push_back({"unread.txt", "the database cannot be read; see doctor.json\n"});
    }
    return write_bundle(path, files, unix_seconds(times.now()));
}

int examine(Context& context, DoctorArguments const& arguments)
{
    Doctor doctor{context, arguments};
    doctor.examine();
    std::stable_partition(doctor.findings.begin(), doctor.findings.end(), [](Finding const& finding) {
        return finding.is_problem;
    });
    const bool is_well = doctor.count(true) == 0;
    const std::string sentence = sentence_of(doctor);
    if (arguments.bundle)
        if (const auto why = bundle(context, doctor, *arguments.bundle))
            return cannot(
                context, "doctor",
                {"not_written", "cannot write " + whole(*arguments.bundle) + ": " + prose(*why), "name a new file"}
            );
    if (context.json) {
        Json document = answer("doctor", doctor.times().now());
        document["verdict"] = json_name(is_well ? Verdict::all_well : Verdict::failing);
        document["sentence"] = unbound(sentence);
        document["checked"] = json_of_texts(doctor.checked);
        document["findings"] = json_of_findings(doctor, false);
        document["bundle"] = arguments.bundle ? Json(*arguments.bundle) : Json(nullptr);
        print(context.out, document);
    } else {
        Page page = context.page();
        page.verdict(is_well ? Verdict::all_well : Verdict::failing, sentence);
        for (Finding const& finding : doctor.findings) {
            page.line(finding.is_problem ? "problem" : "note", finding.check + ": " + finding.text);
            page.indented("do: " + finding.to_do);
        }
        if (arguments.bundle)
            page.line("bundle", whole(*arguments.bundle) + " names no meeting, person or project, and has no key");
    }
    return is_well ? exit_done : exit_could_not;
}

} // namespace

void add_doctor(CLI::App& app, Context& context)
{
    Command command{
        app, context, "doctor",
        "Look for what is wrong or will be: files, rights, disk, keys, vendors, clock, promises",
        "usherctl doctor --bundle for-support.tar"};
    const auto arguments = std::make_shared<DoctorArguments>();
    command.takes("--full", arguments->full, "Read all of the database, however large it is");
    command.takes("--offline", arguments->offline, "Ask no vendor");
    command.takes(
        "--bundle", "FILE", arguments->bundle, "Write what was found, and how things stand, for somebody who helps"
    );
    command.action([&context, arguments] { return examine(context, *arguments); });
}

} // namespace usher::ctl
