// SPDX-License-Identifier: Apache-2.0
// docs/monitoring.md, the alerts and the dashboard, held against what usherd exports.
#include "status_pages.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <usher/store/database.hpp>

#include "scrape.hpp"
#include "support/temp_dir.hpp"

namespace usher {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using test::Scrape;
using test::Series;
using Names = std::set<std::string>;

std::string read_text(std::string const& path)
{
    std::ifstream file{path, std::ios::binary};
    EXPECT_TRUE(file) << path;
    return {std::istreambuf_iterator<char>{file}, {}};
}

std::string doc(std::string const& name)
{
    return read_text(USHER_SOURCE_DIR "/docs/" + name);
}

std::vector<std::string> lines_of(std::string const& text)
{
    std::istringstream stream{text};
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);)
        lines.push_back(line);
    return lines;
}

/// All that `pattern` finds; its first group where it has one.
std::vector<std::string> all_of(std::string const& text, std::string const& pattern)
{
    const std::regex regex{pattern};
    std::vector<std::string> found;
    for (std::sregex_iterator each{text.begin(), text.end(), regex}, end; each != end; ++each)
        found.push_back((*each)[regex.mark_count() > 0 ? 1 : 0]);
    return found;
}

Names in_only(Names const& these, Names const& those)
{
    Names only;
    std::set_difference(these.begin(), these.end(), those.begin(), those.end(), std::inserter(only, only.end()));
    return only;
}

/// Everything that there can be, of one project.
Scrape everything()
{
    const sys_seconds now = from_unix(1'772'443'200);
    const test::TempDir folder;
    const std::string path = folder.file("usher.db");
    create_database(path, FileAccess::group_and_read);
    Sample sample;
    sample.at = now;
    sample.daemon.database_id = "3fa9c1d2e0";
    sample.health = Report{path, now}.health();
    StatusReport& report = sample.report;
    report.next_work = report.safe.until = now + 1h;
    report.stock = {{{"default", State::failed, "provider_quota"}, 1}};
    report.problems = {{"row_invalid", 1}};
    report.requests_open = {{RequestAction::rotate, 1}};
    ProjectReport& project = report.projects.emplace_back();
    project.name = "default";
    project.next_probe = now + 1min;
    project.clock_ahead = 1s;

    Metrics metrics;
    metrics.know_projects({"default"});
    metrics.vendor_answered("default", now);
    StatusFacts facts{.daemon = {now}, .step = "settle", .projects = {"default"}};
    facts.sample = std::make_shared<Sample>(sample);
    facts.call_rates = {{"default", 5}};
    facts.sessions_ordered = {{"default", 1}};
    PlannedWork planned;
    planned.at = now;
    planned.peak_ratios = {{"default", 0.5}};
    facts.planned = std::make_shared<PlannedWork>(planned);
    const StatusPages pages{
        {*parse_listen("127.0.0.1:9787"), {}}, metrics, [&] { return facts; }, [] { return std::string{}; }};
    pages.answer({"GET", "/healthz", "localhost", "", ""}); // is counted
    return Scrape{pages.answer({"GET", "/metrics", "localhost", "", ""}).body};
}

/// Of what is asked for by a query: without the suffixes of histograms.
std::string family_of(std::string name, Scrape const& scrape)
{
    for (const std::string suffix : {"_bucket", "_count", "_sum"})
        if (name.ends_with(suffix) && !scrape.types().contains(name))
            name.resize(name.size() - suffix.size());
    return name;
}

Names metrics_in(std::string const& queries, Scrape const& scrape)
{
    Names names;
    for (std::string const& name : all_of(queries, "\\b(?:usher|process)_[a-z_]+"))
        names.insert(family_of(name, scrape));
    return names;
}

Names exported(Scrape const& scrape)
{
    Names names;
    for (auto const& [name, type] : scrape.types())
        names.insert(name);
    return names;
}

/// Rows of the table of metrics: `name {labels} D`.
Names documented()
{
    Names rows;
    for (std::string const& line : lines_of(doc("monitoring.md"))) {
        if (!std::regex_search(line, std::regex{"^\\| `(usher|process)_"}))
            continue;
        const std::vector<std::string> cells = all_of(line, "\\|([^|]*)");
        const std::string label_cell = std::regex_replace(cells.at(1), std::regex{"\\([^)]*\\)"}, "");
        const std::vector<std::string> labels = all_of(label_cell, "`([a-z_]+)`");
        const Names sorted{labels.begin(), labels.end()};
        for (std::string const& name : all_of(cells.at(0), "`([a-z_]+)`")) {
            std::string row = name;
            for (std::string const& label : sorted)
                row += " " + label;
            rows.insert(row);
        }
    }
    return rows;
}

TEST(Monitoring, DocumentsEachMetricWithItsLabels)
{
    const Scrape scrape = everything();
    std::map<std::string, Names> labels;
    for (auto const& [name, type] : scrape.types())
        labels[name];
    for (Series const& series : scrape.series())
        for (auto const& [label, value] : series.labels)
            if (label != "database" && label != "le")
                labels[family_of(series.name, scrape)].insert(label);
    Names rows;
    for (auto const& [name, of_it] : labels) {
        std::string row = name;
        for (std::string const& label : of_it)
            row += " " + label;
        rows.insert(row);
    }
    EXPECT_GT(rows.size(), 60U);
    EXPECT_EQ(in_only(rows, documented()), Names{}) << "docs/monitoring.md lacks them";
    EXPECT_EQ(in_only(documented(), rows), Names{}) << "only docs/monitoring.md has them";
}

TEST(Monitoring, CountsByTotalsAndNothingElse)
{
    const Scrape scrape = everything();
    for (auto const& [name, type] : scrape.types()) {
        const bool is_ours = name.starts_with("usher_");
        EXPECT_TRUE(!is_ours || (type == "counter") == name.ends_with("_total")) << name;
    }
}

TEST(Monitoring, DocumentsEachFinding)
{
    Names rows;
    bool inside = false;
    for (std::string const& line : lines_of(doc("monitoring.md"))) {
        inside = line.starts_with("## ") ? line == "## Findings" : inside;
        if (inside && line.starts_with("| `"))
            rows.insert(all_of(line, "`([a-z_]+)`").at(0));
    }
    EXPECT_EQ(rows, Names(std::begin(finding_ids), std::end(finding_ids)));
}

TEST(Monitoring, WritesEquationsOfWhatThereIs)
{
    const Scrape scrape = everything();
    const std::string page = doc("monitoring.md");
    const std::size_t from = page.find("### Equations");
    const Names names = metrics_in(page.substr(from, page.find("\n## ", from) - from), scrape);
    EXPECT_GT(names.size(), 15U);
    EXPECT_EQ(in_only(names, exported(scrape)), Names{});
}

TEST(Alerts, AskForMetricsThatThereAre)
{
    const Scrape scrape = everything();
    const Names asked = metrics_in(doc("monitoring/alerts.yml"), scrape);
    EXPECT_GT(asked.size(), 10U);
    EXPECT_EQ(in_only(asked, exported(scrape)), Names{});
}

TEST(Alerts, HaveARunbookAndATestEach)
{
    const std::string rules = doc("monitoring/alerts.yml");
    const std::string tests = doc("monitoring/alerts_test.yml");
    const std::string page = doc("monitoring.md");
    const std::vector<std::string> alerts = all_of(rules, "alert: (Usher[A-Za-z]+)");
    const std::vector<std::string> runbooks = all_of(rules, "runbook: docs/monitoring.md#([a-z-]+)");
    ASSERT_EQ(alerts.size(), runbooks.size());
    Names sections;
    for (std::size_t i = 0; i < alerts.size(); ++i) {
        EXPECT_NE(page.find("\n### " + runbooks[i] + "\n"), std::string::npos) << runbooks[i];
        EXPECT_NE(tests.find("alertname: " + alerts[i] + ", eval_time"), std::string::npos) << alerts[i];
        sections.insert(runbooks[i]);
    }
    EXPECT_EQ(sections.size(), alerts.size());
    const std::size_t from = page.find("\n## Alerts");
    for (std::string const& section : all_of(page.substr(from), "\n### ([a-z-]+)\n"))
        EXPECT_TRUE(sections.contains(section)) << section << " is of no alert";
    for (std::string const& alert : all_of(tests, "alertname: (Usher[A-Za-z]+)"))
        EXPECT_NE(std::find(alerts.begin(), alerts.end(), alert), alerts.end()) << alert;
}

TEST(Dashboard, AsksForMetricsThatThereAre)
{
    const Scrape scrape = everything();
    const Names asked = metrics_in(doc("monitoring/dashboard.json"), scrape);
    EXPECT_GT(asked.size(), 40U);
    EXPECT_EQ(in_only(asked, exported(scrape)), Names{});
}

TEST(Dashboard, AsksByLabelsThatTheMetricsHave)
{
    const Scrape scrape = everything();
    std::map<std::string, Names> labels;
    for (Series const& series : scrape.series())
        for (auto const& [label, value] : series.labels)
            labels[series.name].insert(label);
    const json dashboard = json::parse(doc("monitoring/dashboard.json"));
    for (json const& panel : dashboard.at("panels"))
        for (json const& target : panel.value("targets", json::array())) {
            const std::string query = target.at("expr");
            const std::regex selector{"((?:usher|process)_[a-z_]+)\\{([^}]*)\\}"};
            for (std::sregex_iterator each{query.begin(), query.end(), selector}, end; each != end; ++each)
                for (std::string const& label : all_of((*each)[2], "([a-z]+)=~?\""))
                    EXPECT_TRUE(labels[(*each)[1]].contains(label) || label == "job") << query << ": " << label;
        }
}

TEST(Dashboard, CanBeImported)
{
    const json dashboard = json::parse(doc("monitoring/dashboard.json"));
    EXPECT_GE(dashboard.at("schemaVersion"), 39);
    json const& variable = dashboard.at("templating").at("list").at(0);
    EXPECT_EQ(variable.at("type"), "datasource");
    EXPECT_EQ(variable.at("query"), "prometheus");
    const std::string source = "${" + variable.at("name").get<std::string>() + "}";
    Names rows;
    std::set<int> ids;
    std::set<std::pair<int, int>> taken;
    for (json const& panel : dashboard.at("panels")) {
        EXPECT_TRUE(ids.insert(panel.at("id").get<int>()).second) << panel.at("id");
        json const& at = panel.at("gridPos");
        for (int x = at.at("x"); x < at.at("x").get<int>() + at.at("w").get<int>(); ++x)
            for (int y = at.at("y"); y < at.at("y").get<int>() + at.at("h").get<int>(); ++y)
                EXPECT_TRUE(x < 24 && taken.insert({x, y}).second) << panel.at("title") << " lies upon another";
        if (panel.at("type") == "row") {
            rows.insert(panel.at("title").get<std::string>());
            continue;
        }
        EXPECT_EQ(panel.at("datasource").at("uid"), source) << panel.at("title");
        EXPECT_FALSE(panel.at("description").get<std::string>().empty()) << panel.at("title");
        for (json const& target : panel.at("targets"))
            EXPECT_EQ(target.at("datasource").at("uid"), source) << panel.at("title");
    }
    EXPECT_EQ(rows, (Names{"Is everything ready", "Work and quota", "Vendor", "Tokens by key", "Database", "Process"}));
}

} // namespace
} // namespace usher
