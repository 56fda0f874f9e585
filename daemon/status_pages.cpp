// SPDX-License-Identifier: Apache-2.0
#include "status_pages.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <sstream>
#include <tuple>
#include <utility>

#include <nlohmann/json.hpp>
#include <prometheus/text_serializer.h>

#include <usher/core/printable.hpp>
#include <usher/service/engine.hpp>

#include "page.hpp"
#include "process_metrics.hpp"

namespace usher {

namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

constexpr auto hung_after = 45s;  // without progress
constexpr auto stale_after = 30s; // a sample
constexpr std::size_t ids_shown = 5;
constexpr std::size_t groups_shown = 50;
constexpr std::size_t text_bytes_max = 400;
constexpr std::size_t id_bytes_shown = 64;
constexpr std::array<std::pair<char const*, std::size_t>, 4> windows{
    {{"open", 0}, {"15m", 1}, {"1h", 4}, {"24h", quarters_in_day}}};
constexpr seconds quarter_span{900};
constexpr char const* unknown_project = "(unknown)";
constexpr std::array<State, 6> states{State::waiting, State::pending,   State::ready,
                                      State::failed,  State::cancelled, State::ended};
constexpr std::array<FindingSeverity, 3> severities{
    FindingSeverity::critical, FindingSeverity::warning, FindingSeverity::note};
constexpr std::array<Engine::Step, 7> steps{
    Engine::Step::look_through, Engine::Step::settle,      Engine::Step::reload, Engine::Step::keep_house,
    Engine::Step::announce,     Engine::Step::begin_sweep, Engine::Step::sweep};
constexpr std::array<Word, 4> shown_words{Word::failed, Word::at_risk, Word::on_schedule, Word::ready};

std::string text_of(std::string_view text)
{
    return printable(text, text_bytes_max);
}

json instant(std::optional<sys_seconds> at)
{
    return at ? json(to_iso8601(*at)) : json(nullptr);
}

json words_of(WordCounts const& counts)
{
    json words = json::object();
    for (const Word word : shown_words)
        words[std::string{json_name(word)}] = counts.at(static_cast<std::size_t>(word));
    return words;
}

json finding_of(Finding const& finding)
{
    return {
        {"id", finding.id},
        {"severity", to_text(finding.severity)},
        {"project", finding.project.empty() ? json(nullptr) : json(text_of(finding.project))},
        {"text", text_of(finding.text)},
        {"way_out", text_of(finding.way_out)},
        {"hides", finding.hides},
    };
}

json findings_json(std::vector<Finding> const& findings)
{
    json items = json::array();
    for (Finding const& finding : findings)
        items.push_back(finding_of(finding));
    return items;
}

json group_json(MeetingGroup const& group)
{
    json ids = json::array();
    for (MeetingRef const& meeting : group.meetings.items)
        if (ids.size() < ids_shown)
            ids.push_back({{"meeting", printable(meeting.id, id_bytes_shown)}, {"opens_at", instant(meeting.opens)}});
    return {
        {"word", json_name(group.word)},
        {"reason", text_of(group.reason)},
        {"detail", text_of(group.detail)},
        {"project", text_of(group.project)},
        {"since", instant(group.since)},
        {"next_attempt_at", instant(group.next_at)},
        {"meetings", {{"total", group.meetings.total}, {"items", std::move(ids)}}},
    };
}

json project_json(ProjectReport const& project, StatusFacts const& facts)
{
    const auto rate = facts.call_rates.find(project.name);
    std::optional<double> peak;
    if (facts.planned)
        if (const auto ratio = facts.planned->peak_ratios.find(project.name); ratio != facts.planned->peak_ratios.end())
            peak = ratio->second;
    return {
        {"project", text_of(project.name)},
        {"provider", text_of(project.provider)},
        {"reason", text_of(project.reason)},
        {"detail", text_of(project.detail)},
        {"next_probe_at", instant(project.next_probe)},
        {"clock_ahead_s", project.clock_ahead ? json(project.clock_ahead->count()) : json(nullptr)},
        {"tokens", project.tokens},
        {"tokens_of_old_key", project.tokens_of_old_key},
        {"calls_per_second", rate == facts.call_rates.end() ? json(nullptr) : json(rate->second)},
        {"plan_peak_ratio", peak ? json(*peak) : json(nullptr)},
    };
}

/// What the work of a quarter of an hour takes of the quota of the project that comes nearest to its own.
double quota_share(PlannedWork const& planned, Work const& work)
{
    double most = 0;
    for (auto const& [project, calls] : work.calls)
        if (const auto rate = planned.rates.find(project); rate != planned.rates.end())
            most =
                std::max(most, static_cast<double>(calls) / (rate->second * static_cast<double>(quarter_span.count())));
    return most;
}

/// The planned work was counted before the rows were read: each quarter gets what lay nearest to it.
json planned_json(StatusFacts const& facts, sys_seconds from)
{
    if (!facts.planned)
        return {{"tokens", nullptr}, {"calls", nullptr}, {"quota_share", nullptr}};
    PlannedWork const& planned = *facts.planned;
    const auto index = std::max(from - planned.at, seconds{0}) / quarter_span;
    if (index >= static_cast<std::int64_t>(planned.quarters.size()))
        return {{"tokens", nullptr}, {"calls", nullptr}, {"quota_share", nullptr}};
    Work const& work = planned.quarters.at(static_cast<std::size_t>(index));
    return {{"tokens", work.tokens}, {"calls", work.all_calls()}, {"quota_share", quota_share(planned, work)}};
}

json status_json(StatusFacts const& facts)
{
    Sample const& sample = *facts.sample;
    StatusReport const& report = sample.report;
    json quarters = json::array();
    for (std::size_t i = 0; i < report.quarters.size(); ++i) {
        json quarter = words_of(report.quarters[i]);
        const sys_seconds from = sample.at + quarter_span * static_cast<int>(i);
        quarter["from"] = to_iso8601(from);
        quarter["token_ends"] = report.token_ends[i];
        quarter["planned"] = planned_json(facts, from);
        quarters.push_back(std::move(quarter));
    }
    json by_window = json::object();
    for (auto const& [name, size] : windows)
        by_window[name] = words_of(sample.window(size));
    json groups = json::array();
    for (MeetingGroup const& group : report.groups.items)
        if (groups.size() < groups_shown)
            groups.push_back(group_json(group));
    json projects = json::array();
    for (ProjectReport const& project : report.projects)
        projects.push_back(project_json(project, facts));
    json store = json::array();
    for (HealthRow const& row : sample.health)
        store.push_back(
            {{"name", row.name},
             {"value", row.value},
             {"unit", row.unit},
             {"sentence", row.sentence},
             {"concern", text_of(row.concern)}}
        );
    return {
        {"version", 1},
        {"usher", USHER_VERSION},
        {"database", sample.daemon.database_id.substr(0, 8)},
        {"sampled_at", to_iso8601(sample.at)},
        {"verdict", json_name(sample.verdict)},
        {"sentence", text_of(status_sentence(sample, facts.daemon))},
        {"ready", is_ready(sample)},
        {"windows", std::move(by_window)},
        {"quarters", std::move(quarters)},
        {"planned_at", facts.planned ? instant(facts.planned->at) : json(nullptr)},
        {"due", report.due},
        {"next_work_at", instant(report.next_work)},
        {"safe_until", instant(report.safe.until)},
        {"people_not_served", report.not_served.total},
        {"groups", {{"total", report.groups.total}, {"items", std::move(groups)}}},
        {"projects", std::move(projects)},
        {"findings", findings_json(findings_of(sample, facts.daemon))},
        {"store", std::move(store)},
        {"daemon", {{"who", text_of(sample.daemon.who)}, {"looked_at", to_iso8601(sample.daemon.looked_at)}}},
    };
}

/// The families whose values are those of a moment.
class Gauges {
public:
    explicit Gauges(std::string database) : database_{std::move(database)} {}

    void add(std::string const& name, std::string const& help, double value, Labels labels = {})
    {
        series(name, help, MetricType::Gauge, std::move(labels)).gauge.value = value;
    }
    /// Of something that only grows.
    void add_count(std::string const& name, std::string const& help, double value, Labels labels = {})
    {
        series(name, help, MetricType::Counter, std::move(labels)).counter.value = value;
    }
    void
    add_instant(std::string const& name, std::string const& help, std::optional<sys_seconds> at, Labels labels = {})
    {
        if (at) // without one there is no series
            add(name, help, static_cast<double>(unix_seconds(*at)), std::move(labels));
    }

    std::vector<MetricFamily> take() { return std::move(families_); }

private:
    ClientMetric& series(std::string const& name, std::string const& help, MetricType type, Labels labels)
    {
        if (families_.empty() || families_.back().name != name) {
            MetricFamily& family = families_.emplace_back();
            family.name = name;
            family.help = help;
            family.type = type;
        }
        labels.insert(labels.begin(), {"database", database_});
        ClientMetric& metric = families_.back().metric.emplace_back();
        metric.label = std::move(labels);
        return metric;
    }

    std::string database_;
    std::vector<MetricFamily> families_;
};

std::string known_project(StatusFacts const& facts, std::string const& name)
{
    const bool known = std::find(facts.projects.begin(), facts.projects.end(), name) != facts.projects.end();
    return known ? name : unknown_project;
}

/// Every row of the agenda once, by what `meeting_status` says of it.
void add_stock(Gauges& gauges, StatusFacts const& facts)
{
    StatusReport const& report = facts.sample->report;
    std::map<std::pair<std::string, State>, std::int64_t> meetings;
    std::map<std::tuple<std::string, State, std::string>, std::int64_t> unready;
    std::vector<std::string> names = facts.projects;
    names.emplace_back(unknown_project);
    for (std::string const& name : names)
        for (const State state : states)
            meetings[{name, state}] = 0;
    for (auto const& [key, count] : report.stock) {
        const std::string name = known_project(facts, key.project);
        meetings[{name, key.state}] += count;
        if (key.state == State::pending || key.state == State::failed)
            unready[{name, key.state, key.reason.empty() ? "not_looked_at" : key.reason}] += count;
    }
    gauges.add(
        "usher_agenda_rows", "Meetings that usher has a row of, over or not.", static_cast<double>(report.agenda_rows)
    );
    for (auto const& [key, count] : meetings)
        gauges.add(
            "usher_meetings", "Meetings by their state in meeting_status.", static_cast<double>(count),
            {{"project", key.first}, {"state", std::string{to_text(key.second)}}}
        );
    for (auto const& [key, count] : unready)
        gauges.add(
            "usher_meetings_unready", "Those that are pending or failed, by why.", static_cast<double>(count),
            {{"project", std::get<0>(key)},
             {"state", std::string{to_text(std::get<1>(key))}},
             {"reason", text_of(std::get<2>(key))}}
        );
    for (auto const& [reason, count] : report.problems)
        gauges.add(
            "usher_participant_problems", "People who cannot be given a token, by why.", static_cast<double>(count),
            {{"reason", text_of(reason)}}
        );
    std::int64_t invalid = 0;
    for (auto const& [key, count] : report.stock)
        invalid += key.reason == "row_invalid" ? count : 0;
    if (const auto people = report.problems.find("row_invalid"); people != report.problems.end())
        invalid += people->second;
    gauges.add(
        "usher_rows_invalid", "Rows of platforms that the contract refuses, and that got in without it.",
        static_cast<double>(invalid)
    );
    for (auto const& [action, count] : report.requests_open)
        gauges.add(
            "usher_requests_open", "Requests that are filed or running.", static_cast<double>(count),
            {{"action", std::string{to_text(action)}}}
        );
    gauges.add_count(
        "usher_restores_total", "Times that older rows came back, such as from a backup.",
        static_cast<double>(report.restores)
    );
}

/// How far a new key has come: the keys that signed what is published, the newest few by their names.
void add_tokens(Gauges& gauges, ProjectReport const& project)
{
    const auto add = [&](std::string const& key, bool current, std::int64_t tokens) {
        gauges.add(
            "usher_tokens", "Published tokens, by the key that signed them.", static_cast<double>(tokens),
            {{"project", project.name}, {"key_id", key}, {"current", current ? "yes" : "no"}}
        );
    };
    add(text_of(project.key_id), true, project.tokens - project.tokens_of_old_key);
    std::int64_t older = project.tokens_of_old_key;
    for (auto const& [key, tokens] : project.older_keys) {
        add(text_of(key), false, tokens);
        older -= tokens;
    }
    add("older", false, older);
}

/// What is known of the calls to come, by this process.
void add_calls(Gauges& gauges, StatusFacts const& facts)
{
    for (auto const& [project, rate] : facts.call_rates)
        gauges.add(
            "usher_vendor_quota_calls_per_second", "Calls that the configuration allows.", rate, {{"project", project}}
        );
    for (auto const& [project, waiting] : facts.sessions_ordered)
        gauges.add(
            "usher_sessions_ordered", "Sessions that are ordered and wait for their call.",
            static_cast<double>(waiting), {{"project", project}}
        );
    if (!facts.planned)
        return;
    for (auto const& [project, ratio] : facts.planned->peak_ratios)
        gauges.add(
            "usher_plan_peak_ratio", "Calls of the busiest minute within a day against what the rate allows.", ratio,
            {{"project", project}}
        );
    gauges.add_instant(
        "usher_stock_counted_timestamp_seconds", "When the planned work was counted.", facts.planned->at
    );
}

void add_log(Gauges& gauges, LogCounts const& log)
{
    const auto add = [&](char const* name, char const* help, std::uint64_t LogCount::*count) {
        for (auto priority = static_cast<std::size_t>(LogSeverity::error); priority < log.size(); ++priority)
            gauges.add_count(
                name, help, static_cast<double>(log.at(priority).*count), {{"priority", std::to_string(priority)}}
            );
    };
    add("usher_log_events_total", "Events of the log of which it is known what became.", &LogCount::events);
    add("usher_log_written_total", "Of these, written.", &LogCount::written);
    add("usher_log_suppressed_total", "Of these, left out as a part of a flood.", &LogCount::suppressed);
    add("usher_log_dropped_total", "Of these, lost since nobody read them.", &LogCount::dropped);
}

void add_mode(Gauges& gauges, std::string const& step)
{
    const auto add = [&](std::string const& mode) {
        gauges.add("usher_engine_mode", "1 for what the engine last got done.", mode == step ? 1 : 0, {{"mode", mode}});
    };
    for (const Engine::Step each : steps)
        add(std::string{to_text(each)});
    for (char const* const other : {"start", "publish", "waiting for the database"})
        add(other);
}

void add_sample(Gauges& gauges, StatusFacts const& facts)
{
    Sample const& sample = *facts.sample;
    StatusReport const& report = sample.report;
    for (auto const& [window, size] : windows) {
        const WordCounts counts = sample.window(size);
        for (const Word word : shown_words)
            gauges.add(
                "usher_window_meetings", "Meetings that are live or open within the window, by their readiness.",
                static_cast<double>(counts.at(static_cast<std::size_t>(word))),
                {{"window", window}, {"readiness", std::string{json_name(word)}}}
            );
    }
    add_stock(gauges, facts);
    gauges.add("usher_due_meetings", "Meetings that usher has to look at now.", static_cast<double>(report.due));
    gauges.add_instant("usher_next_due_timestamp_seconds", "When the next work is due.", report.next_work);
    gauges.add_instant(
        "usher_safe_until_timestamp_seconds", "When somebody first cannot enter if usherd stops now.", report.safe.until
    );
    gauges.add_instant(
        "usher_last_look_timestamp_seconds", "When a daemon last looked at the database.", sample.daemon.looked_at
    );
    gauges.add(
        "usher_contract_damaged", "1 while the contract in the database is damaged.", sample.damages.empty() ? 0 : 1
    );
    gauges.add(
        "usher_sessions_abandoned", "Calls for a session whose answer was lost.",
        static_cast<double>(report.abandoned_attempts)
    );
    gauges.add(
        "usher_sessions_to_empty", "Sessions out of which people are still to be thrown.",
        static_cast<double>(report.sessions_to_empty)
    );
    for (ProjectReport const& project : report.projects) {
        const std::string name = known_project(facts, project.name);
        if (name != project.name) // of a configuration before
            continue;
        gauges.add(
            "usher_vendor_circuit_open", "1 while the vendor is not asked, but for a probe.",
            project.reason.empty() ? 0 : 1, {{"project", name}}
        );
    }
    for (ProjectReport const& project : report.projects)
        if (known_project(facts, project.name) == project.name)
            gauges.add_instant(
                "usher_vendor_next_probe_timestamp_seconds", "When the vendor is asked next while its circuit is open.",
                project.next_probe, {{"project", project.name}}
            );
    for (ProjectReport const& project : report.projects)
        if (project.clock_ahead && known_project(facts, project.name) == project.name)
            gauges.add(
                "usher_vendor_clock_offset_seconds", "This machine's clock less the vendor's, from its last answer.",
                static_cast<double>(project.clock_ahead->count()), {{"project", project.name}}
            );
    for (ProjectReport const& project : report.projects)
        if (known_project(facts, project.name) == project.name)
            add_tokens(gauges, project);
    for (HealthRow const& row : sample.health)
        gauges.add("usher_store_" + row.name, "Of the store: " + row.sentence + ".", static_cast<double>(row.value));
    const std::vector<Finding> findings = findings_of(sample, facts.daemon);
    for (const std::string_view id : finding_ids)
        for (const FindingSeverity severity : severities) {
            const auto is_it = [&](Finding const& finding) { return finding.id == id && finding.severity == severity; };
            gauges.add(
                "usher_finding", "1 while the finding is listed by /readyz and the status page.",
                std::any_of(findings.begin(), findings.end(), is_it) ? 1 : 0,
                {{"finding", std::string{id}}, {"severity", std::string{to_text(severity)}}}
            );
        }
    gauges.add("usher_ready", "1 while /readyz says so.", is_ready(sample) && facts.sample_age <= stale_after ? 1 : 0);
    gauges.add_instant("usher_sample_timestamp_seconds", "When the rows were read for these values.", sample.at);
}

std::string metrics_text(StatusFacts const& facts, Metrics const& metrics)
{
    const std::string database = facts.sample ? facts.sample->daemon.database_id.substr(0, 8) : "";
    Gauges gauges{database};
    gauges.add("usher_build_info", "1, with the version of the program.", 1, {{"version", USHER_VERSION}});
    gauges.add(
        "usher_config_last_reload_successful", "1 unless the last reload was refused.", facts.last_reload_taken ? 1 : 0
    );
    gauges.add_instant(
        "usher_config_loaded_timestamp_seconds", "When the configuration was taken.", facts.configured_at
    );
    gauges.add_instant(
        "usher_progress_timestamp_seconds", "When the engine last got a piece of work done.", facts.progress_at
    );
    add_mode(gauges, facts.step);
    add_log(gauges, facts.log);
    add_calls(gauges, facts);
    if (facts.sample)
        add_sample(gauges, facts);
    std::vector<MetricFamily> families = metrics.collect();
    for (MetricFamily& family : families)
        for (ClientMetric& metric : family.metric)
            metric.label.insert(metric.label.begin(), {"database", database});
    for (std::vector<MetricFamily>& more : std::array{gauges.take(), process_metrics()})
        std::move(more.begin(), more.end(), std::back_inserter(families));
    std::ostringstream text;
    prometheus::TextSerializer{}.Serialize(text, families);
    return text.str();
}

std::string health_text(StatusFacts const& facts, bool alive)
{
    const json health{{"alive", alive}, {"progress_at", to_iso8601(facts.progress_at)}, {"step", facts.step}};
    return health.dump() + "\n";
}

std::string readiness_text(StatusFacts const& facts, bool ready)
{
    if (!facts.sample)
        return json{{"ready", false}, {"verdict", "starting"}, {"findings", json::array()}}.dump() + "\n";
    Sample const& sample = *facts.sample;
    json window = words_of(sample.window(1));
    window["from"] = to_iso8601(sample.at);
    window["to"] = to_iso8601(sample.at + seconds{900});
    const json readiness{
        {"ready", ready},
        {"verdict", json_name(sample.verdict)},
        {"at", to_iso8601(sample.at)},
        {"safe_until", instant(sample.report.safe.until)},
        {"window", std::move(window)},
        {"findings", findings_json(findings_of(sample, facts.daemon))},
    };
    return readiness.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

PageResponse respond(int status, std::string type, std::string body)
{
    PageResponse response;
    response.status = status;
    response.headers = {{"Content-Type", std::move(type)}};
    response.body = std::move(body);
    return response;
}

PageResponse refuse(int status, std::string const& sentence)
{
    return respond(status, "text/plain; charset=utf-8", sentence + "\n");
}

std::string without_port(std::string_view host)
{
    if (host.starts_with('['))
        return std::string{host.substr(0, host.find(']') + 1)};
    return std::string{host.substr(0, host.find(':'))};
}

/// Whether If-None-Match names `tag`. A proxy that compresses what it passes on makes a tag weak: `W/"…"`.
bool is_named(std::string_view tags, std::string_view tag)
{
    while (!tags.empty()) {
        std::string_view one = tags.substr(0, tags.find(','));
        tags.remove_prefix(std::min(one.size() + 1, tags.size()));
        one.remove_prefix(std::min(one.find_first_not_of(" \t"), one.size()));
        one = one.substr(0, one.find_last_not_of(" \t") + 1);
        if (one.starts_with("W/"))
            one.remove_prefix(2);
        if (one == tag || one == "*")
            return true;
    }
    return false;
}

} // namespace

StatusPages::StatusPages(
    StatusConfig config, Metrics& metrics, std::function<StatusFacts()> facts, std::function<std::string()> nonce
)
    : config_{std::move(config)}, metrics_{metrics}, facts_{std::move(facts)}, nonce_{std::move(nonce)}
{}

/// A page of somebody else's whose name leads here does not get an answer (DNS rebinding).
bool StatusPages::is_asked_for(std::string_view host) const
{
    std::string name = without_port(host);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
        return c < 0x80 ? std::tolower(c) : c;
    });
    if (config_.listen->is_socket() && name.empty())
        return true;
    const bool is_v6 = config_.listen->ip.find(':') != std::string::npos;
    const std::string own = is_v6 ? "[" + config_.listen->ip + "]" : config_.listen->ip;
    return name == "localhost" || name == own || (!config_.server_name.empty() && name == config_.server_name);
}

PageResponse StatusPages::answer(PageRequest const& request) const
{
    const std::string_view target{request.target};
    const std::string_view path = target.substr(0, target.find('?'));
    constexpr std::array<std::string_view, 5> paths{"/", "/status.json", "/metrics", "/healthz", "/readyz"};
    const bool is_known = std::find(paths.begin(), paths.end(), path) != paths.end();
    PageResponse response;
    if (request.fault != 0)
        response = refuse(request.fault, request.fault == 431 ? "The request is too large." : "This is no request.");
    else if (!is_asked_for(request.host))
        response = refuse(
            421,
            "This is not " + printable(request.host, id_bytes_shown) + ". Ask for localhost, or set status.server_name."
        );
    else if (!request.origin.empty() && request.origin != "http://" + request.host &&
             request.origin != "https://" + request.host)
        response = refuse(403, "Pages of other sites get no answer.");
    else if (request.method != "GET" && request.method != "HEAD")
        response = refuse(405, "There is nothing here but to GET.");
    else if (!is_known)
        response = refuse(404, "There are /, /status.json, /metrics, /healthz and /readyz.");
    else
        response = route(request, path);
    response.headers.emplace_back("Cache-Control", "no-store");
    response.headers.emplace_back("X-Content-Type-Options", "nosniff");
    response.headers.emplace_back("Referrer-Policy", "no-referrer");
    response.headers.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
    metrics_.http_answered(is_known ? path : "(other)", response.status);
    return response;
}

PageResponse StatusPages::route(PageRequest const& request, std::string_view path) const
{
    const StatusFacts facts = facts_();
    if (path == "/healthz") {
        const bool alive = facts.progress_age <= hung_after;
        return respond(alive ? 200 : 503, "application/json", health_text(facts, alive));
    }
    if (path == "/readyz") {
        const bool ready = facts.sample && facts.sample_age <= stale_after && is_ready(*facts.sample);
        return respond(ready ? 200 : 503, "application/json", readiness_text(facts, ready));
    }
    if (path == "/metrics")
        return respond(200, "text/plain; version=0.0.4; charset=utf-8", metrics_text(facts, metrics_));
    if (path == "/") {
        const std::string nonce = nonce_();
        PageResponse response = respond(
            200, "text/html; charset=utf-8",
            page_html(nonce, facts.sample ? status_sentence(*facts.sample, facts.daemon) : "usherd is starting.")
        );
        response.headers.emplace_back(
            "Content-Security-Policy", "default-src 'none'; script-src 'nonce-" + nonce + "'; style-src 'nonce-" +
                                           nonce +
                                           "'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
                                           "frame-ancestors 'none'"
        );
        return response;
    }
    if (!facts.sample)
        return refuse(503, "usherd is starting: nothing was read yet.");
    const std::string body = status_json(facts).dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    const std::string tag =
        '"' + to_iso8601(facts.sample->at) + '-' + std::to_string(std::hash<std::string>{}(body)) + '"';
    PageResponse response = is_named(request.if_none_match, tag) ? respond(304, "application/json", "")
                                                                 : respond(200, "application/json", body);
    response.headers.emplace_back("ETag", tag);
    response.headers.emplace_back(
        "Usher-Sample-Age", std::to_string(std::chrono::floor<seconds>(facts.sample_age).count())
    );
    return response;
}

} // namespace usher
