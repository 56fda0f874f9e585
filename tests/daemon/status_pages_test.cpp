// SPDX-License-Identifier: Apache-2.0
#include "status_pages.hpp"

#include <array>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace usher {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

const sys_seconds now = from_unix(1'772'443'200); // 2026-03-02T09:20:00Z

std::size_t at(Word word)
{
    return static_cast<std::size_t>(word);
}

/// A database with three meetings that are live, all ready, and one that opens within the next quarter of an hour.
Sample well()
{
    Sample sample;
    sample.at = now;
    sample.daemon.database_id = "3fa9c1d2e0";
    sample.daemon.who = "pid 812 on app1";
    sample.daemon.looked_at = now - seconds{3};
    sample.report.any_meeting = true;
    sample.report.live[at(Word::ready)] = 3;
    sample.report.quarters[0][at(Word::ready)] = 1;
    sample.report.within_hour[at(Word::ready)] = 1;
    return sample;
}

MeetingGroup group(Word word, std::string reason, std::size_t near)
{
    MeetingGroup group;
    group.word = word;
    group.reason = std::move(reason);
    group.detail = "why";
    group.project = "partner";
    group.near = near;
    group.meetings = {{{"track-b-1", now + seconds{600}}}, 6};
    return group;
}

Damage damage(std::string sentence, std::string way_out)
{
    Damage damage;
    damage.sentence = std::move(sentence);
    damage.way_out = std::move(way_out);
    return damage;
}

ProjectReport project(std::string name, std::string reason = {}, std::optional<seconds> clock_ahead = {})
{
    ProjectReport project;
    project.name = std::move(name);
    project.provider = "opentok";
    project.reason = std::move(reason);
    project.clock_ahead = clock_ahead;
    return project;
}

std::vector<std::string> ids(std::vector<Finding> const& findings)
{
    std::vector<std::string> ids;
    for (Finding const& finding : findings)
        ids.push_back(finding.id);
    return ids;
}

using Ids = std::vector<std::string>;

TEST(Findings, AreNoneWhereAllIsWell)
{
    EXPECT_EQ(ids(findings_of(well(), {now})), Ids{});
    EXPECT_TRUE(is_ready(well()));
}

TEST(Findings, HideWhatFollowsFromAnother)
{
    Sample sample = well();
    sample.report.groups = {{group(Word::at_risk, "provider_unreachable", 6)}, 1};
    sample.report.at_risk = 6;
    EXPECT_EQ(ids(findings_of(sample, {now})), Ids{"meetings_at_risk"});

    sample.report.projects = {project("partner", "provider_unreachable")};
    const std::vector<Finding> findings = findings_of(sample, {now});
    ASSERT_EQ(ids(findings), Ids{"circuit_open"});
    EXPECT_EQ(findings[0].severity, FindingSeverity::critical);
    EXPECT_EQ(findings[0].hides, Ids{"meetings_at_risk"});

    sample.report.projects[0].reason = "provider_quota"; // something else than what the meetings have
    EXPECT_EQ(ids(findings_of(sample, {now})), (Ids{"meetings_at_risk", "circuit_open"}));
}

TEST(Findings, ComeTheWorstFirst)
{
    Sample sample = well();
    sample.damages.push_back(damage("meeting lost a check", "usherctl init --repair"));
    sample.daemon.looked_at = now - absent_after;
    sample.report.groups = {{group(Word::failed, "unknown_project", 0), group(Word::failed, "row_invalid", 2)}, 2};
    sample.report.not_served = {{{"m", "ann", "role_invalid", "", now}}, 1};
    sample.health.push_back({"wal_file_bytes", 1, "bytes", "size", "somebody reads"});
    sample.report.projects = {project("partner", "", seconds{6})};
    EXPECT_EQ(
        ids(findings_of(sample, {now, "usher.yaml:1: bad", now, {"demo"}})),
        (Ids{
            "contract_damaged", "not_looking", "meetings_failed", "meetings_failed", "people_not_served",
            "config_refused", "store_concern", "clock_off", "no_real_meetings"})
    );
}

TEST(Findings, KnowTheirBoundaries)
{
    Sample sample = well();
    sample.daemon.looked_at = now - absent_after + seconds{1};
    EXPECT_EQ(ids(findings_of(sample, {now})), Ids{});
    sample.report.projects = {project("partner", "", seconds{5})};
    EXPECT_EQ(ids(findings_of(sample, {now})), Ids{});
    sample.report.projects[0].clock_ahead = seconds{-6};
    EXPECT_EQ(ids(findings_of(sample, {now})), Ids{"clock_off"});
}

TEST(Readiness, IsThatOfTheNextQuarterOfAnHour)
{
    Sample sample = well();
    sample.report.quarters[1][at(Word::failed)] = 1; // opens later
    EXPECT_TRUE(is_ready(sample));
    sample.report.quarters[0][at(Word::on_schedule)] = 1; // only just written
    EXPECT_TRUE(is_ready(sample));
    for (const Word word : {Word::failed, Word::at_risk}) {
        Sample unready = well();
        unready.report.quarters[0][at(word)] = 1;
        EXPECT_FALSE(is_ready(unready));
        unready = well();
        unready.report.live[at(word)] = 1;
        EXPECT_FALSE(is_ready(unready));
    }
}

TEST(Readiness, NeedsAContractThatIsWholeAndSomebodyAtWork)
{
    Sample sample = well();
    sample.damages.push_back(damage("a trigger is gone", "usherctl init --repair"));
    EXPECT_FALSE(is_ready(sample));
    sample = well();
    sample.daemon.looked_at = now - absent_after;
    EXPECT_FALSE(is_ready(sample));
}

TEST(StatusSentence, SaysTheMostImportant)
{
    Sample sample = well();
    EXPECT_EQ(status_sentence(sample, {now}), "All well: 4 of 4 of the next hour ready");
    sample.report.safe.until = now + seconds{3600 * 8 + 40 * 60};
    EXPECT_EQ(status_sentence(sample, {now}), "All well: 4 of 4 of the next hour ready; safe until 18:00 UTC");
    sample.report.safe.until = now + std::chrono::days{3};
    EXPECT_EQ(status_sentence(sample, {now}), "All well: 4 of 4 of the next hour ready; safe until Thu 09:20 UTC");
    sample.report.safe.until = now + std::chrono::days{30};
    EXPECT_EQ(
        status_sentence(sample, {now}), "All well: 4 of 4 of the next hour ready; safe until 2026-04-01 09:20 UTC"
    );
    EXPECT_EQ(
        status_sentence(sample, {now, "usher.yaml:12:5: unknown key", now}),
        "Reload refused 09:20 UTC, the old configuration stays: usher.yaml:12:5: unknown key"
    );
    sample.report.groups.items = {group(Word::at_risk, "provider_quota", 6)};
    sample.report.at_risk = 6;
    EXPECT_EQ(status_sentence(sample, {now, "refused", now}), "AT RISK: 6 meetings (provider_quota, project partner)");
    sample.report.groups.items.front().next_at = now + seconds{600};
    EXPECT_EQ(
        status_sentence(sample, {now}), "AT RISK: 6 meetings (provider_quota, project partner); next try 09:30 UTC"
    );
    sample.report.groups.items.insert(sample.report.groups.items.begin(), group(Word::failed, "row_invalid", 2));
    sample.report.failed_near = 2;
    sample.report.live[at(Word::failed)] = 1;
    EXPECT_EQ(
        status_sentence(sample, {now}), "FAILED: 2 meetings, 1 live (row_invalid, project partner); run usherctl status"
    );
    sample.damages.push_back(damage("table meeting was changed", "usherctl init --repair"));
    EXPECT_EQ(status_sentence(sample, {now}), "DAMAGED: table meeting was changed; run usherctl init --repair");
}

TEST(Sampling, CostsLittleHoweverLongASampleTakes)
{
    EXPECT_EQ(pause_after(1ms, false), 60s);
    EXPECT_EQ(pause_after(30ms, false), 60s);
    EXPECT_EQ(pause_after(31ms, false), 62s);
    EXPECT_EQ(pause_after(1ms, true), 2s);
    EXPECT_EQ(pause_after(100ms, true), 2s);
    EXPECT_EQ(pause_after(101ms, true), 2020ms);
}

class Pages : public testing::Test {
protected:
    Pages() { facts.sample = std::make_shared<Sample>(well()); }

    PageResponse get(std::string const& target, std::string const& host = "localhost:9787")
    {
        return pages().answer({"GET", target, host, "", ""});
    }
    static std::string header(PageResponse const& response, std::string const& name)
    {
        for (auto const& [key, value] : response.headers)
            if (key == name)
                return value;
        return {};
    }
    StatusPages pages()
    {
        return {config, metrics, [this] { return facts; }, [this] { return std::to_string(++nonces); }};
    }

    void publish(std::string const& project, std::size_t signed_ones, std::size_t published)
    {
        metrics.tokens_signed(project, signed_ones);
        BatchTokens batch;
        for (std::size_t i = 0; i < published; ++i)
            batch.published.count_token(TokenReason::issued);
        metrics.tokens_discarded(project, DiscardReason::edited, signed_ones - published);
        metrics.batch_published(project, batch);
    }

    StatusConfig config{*parse_listen("127.0.0.1:9787"), "usher.example.org"};
    Metrics metrics;
    StatusFacts facts{.daemon = {now}, .step = "settle", .progress_at = now, .projects = {"default"}};
    int nonces = 0;
};

TEST_F(Pages, AnswerThoseAloneWhoAskForThem)
{
    for (char const* const host :
         {"localhost", "localhost:9787", "LOCALHOST:9787", "127.0.0.1:9787", "127.0.0.1", "usher.example.org"})
        EXPECT_EQ(get("/healthz", host).status, 200) << host;
    for (char const* const host :
         {"", "evil.example", "127.0.0.1.evil.example", "localhost.evil", "127.0.0.2", "[::1]"})
        EXPECT_EQ(get("/healthz", host).status, 421) << host;
    config.listen = *parse_listen("[::1]:9787");
    EXPECT_EQ(get("/healthz", "[::1]:9787").status, 200);
    config.listen = *parse_listen("[0:0:0:0:0:0:0:1]:9787");
    EXPECT_EQ(get("/healthz", "[::1]:9787").status, 200);
    config.listen = *parse_listen("/run/usher/status.sock");
    EXPECT_EQ(get("/healthz", "").status, 200); // HTTP/1.0 on a socket
}

TEST_F(Pages, RefuseOtherSitesMethodsAndPaths)
{
    EXPECT_EQ(pages().answer({"GET", "/", "localhost", "http://evil.example", ""}).status, 403);
    EXPECT_EQ(pages().answer({"GET", "/", "localhost:1", "http://localhost:1", ""}).status, 200);
    for (char const* const method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "<b>"})
        EXPECT_EQ(pages().answer({method, "/", "localhost", "", ""}).status, 405) << method;
    for (char const* const path : {"/tokens", "//", "/metrics/", "/../etc/passwd", "*", "", "/%2e"})
        EXPECT_EQ(get(path).status, 404) << path;
    EXPECT_EQ(get("/healthz?verbose").status, 200);
}

TEST_F(Pages, SayWhetherTheDaemonHangs)
{
    facts.progress_age = 45s;
    EXPECT_EQ(get("/healthz").status, 200);
    EXPECT_EQ(get("/healthz").body, "{\"alive\":true,\"progress_at\":\"2026-03-02T09:20:00Z\",\"step\":\"settle\"}\n");
    facts.progress_age = 45s + 1ms;
    EXPECT_EQ(get("/healthz").status, 503);
    facts.sample = nullptr;
    EXPECT_EQ(get("/healthz").status, 503);
}

TEST_F(Pages, AreReadyByTheLastSampleAlone)
{
    EXPECT_EQ(get("/readyz").status, 200);
    EXPECT_EQ(json::parse(get("/readyz").body)["window"]["ready"], 4);
    facts.sample_age = 30s;
    EXPECT_EQ(get("/readyz").status, 200);
    facts.sample_age = 30s + 1ms;
    EXPECT_EQ(get("/readyz").status, 503);
    facts.sample = nullptr;
    EXPECT_EQ(get("/readyz").status, 503);
    EXPECT_EQ(json::parse(get("/readyz").body)["verdict"], "starting");
    EXPECT_EQ(get("/status.json").status, 503);
    EXPECT_EQ(get("/").status, 200);
    EXPECT_EQ(get("/metrics").status, 200);
}

TEST_F(Pages, AreNotSentTwice)
{
    const PageResponse first = get("/status.json");
    ASSERT_EQ(first.status, 200);
    const PageResponse second = pages().answer({"GET", "/status.json", "localhost", "", header(first, "ETag")});
    EXPECT_EQ(second.status, 304);
    EXPECT_EQ(second.body, "");
    const std::string tag = header(first, "ETag");
    const auto status_for = [&](std::string const& known) {
        return pages().answer({"GET", "/status.json", "localhost", "", known}).status;
    };
    EXPECT_EQ(status_for("W/" + tag), 304) << "as a proxy says it that compresses";
    EXPECT_EQ(status_for("\"another\" ,\tW/" + tag + " "), 304);
    EXPECT_EQ(status_for("*"), 304);
    for (std::string const& other :
         std::vector<std::string>{",", "\"another\"", tag.substr(1), tag + "x", "W/", " , ,"})
        EXPECT_EQ(status_for(other), 200) << other;
    auto changed = well();
    changed.report.due = 1;
    facts.sample = std::make_shared<Sample>(changed);
    EXPECT_EQ(pages().answer({"GET", "/status.json", "localhost", "", header(first, "ETag")}).status, 200);
}

TEST_F(Pages, LetNoRowSpeakToTheBrowser)
{
    Sample sample = well();
    sample.report.groups.items = {group(Word::at_risk, "<script>alert(1)</script>{{nonce}}\x1b[31m", 6)};
    sample.report.at_risk = 6;
    sample.report.groups.items.front().meetings.items.front().id = "\xff\x1b]0;x\x07" + std::string(500, 'm');
    facts.sample = std::make_shared<Sample>(sample);
    const PageResponse page = get("/");
    EXPECT_EQ(page.body.find("<script>alert"), std::string::npos);
    EXPECT_NE(page.body.find("&lt;script&gt;alert"), std::string::npos);
    EXPECT_EQ(page.body.find('\x1b'), std::string::npos);
    EXPECT_NE(
        header(page, "Content-Security-Policy").find("default-src 'none'; script-src 'nonce-1'"), std::string::npos
    );
    EXPECT_NE(page.body.find("<script nonce=\"1\">"), std::string::npos);
    EXPECT_NE(header(get("/"), "Content-Security-Policy").find("'nonce-2'"), std::string::npos);
    const json status = json::parse(get("/status.json").body);
    const std::string shown = status["groups"]["items"][0]["meetings"]["items"][0]["meeting"];
    EXPECT_LE(shown.size(), 200U);
    EXPECT_EQ(shown.find('\x1b'), std::string::npos);
}

TEST_F(Pages, MakeNoSeriesOfWhatPlatformsWrite)
{
    metrics.know_projects({"default"});
    publish("\"evil\"", 3, 2);
    publish("default", 5, 5);
    Sample sample = well();
    sample.report.projects = {project("evil"), project("default")};
    sample.report.projects[0].tokens = 7;
    sample.report.projects[1].tokens = 9;
    sample.report.projects[1].key_id = "4f2a91";
    sample.report.projects[1].tokens_of_old_key = 4;
    sample.report.projects[1].older_keys = {{"0b7c33", 3}};
    sample.report.stock = {
        {{"evil", State::ready, ""}, 2},
        {{"", State::failed, "unknown_project"}, 3},
        {{"default", State::pending, ""}, 4}};
    sample.report.agenda_rows = 9;
    facts.sample = std::make_shared<Sample>(sample);
    const std::string text = get("/metrics").body;
    EXPECT_EQ(text.find("evil"), std::string::npos);
    const auto has = [&](std::string const& line) {
        return text.find("\n" + line + "\n") != std::string::npos ? std::string{} : line + " is not in\n" + text;
    };
    const std::string database = "{database=\"3fa9c1d2\",";
    EXPECT_EQ(has("usher_tokens_signed_total" + database + "project=\"(unknown)\"} 3"), "");
    EXPECT_EQ(has("usher_tokens_published_total" + database + "project=\"(unknown)\",reason=\"issued\"} 2"), "");
    EXPECT_EQ(has("usher_tokens_discarded_total" + database + "project=\"(unknown)\",why=\"edited\"} 1"), "");
    EXPECT_EQ(has("usher_tokens_published_total" + database + "project=\"default\",reason=\"issued\"} 5"), "");
    EXPECT_EQ(has("usher_tokens" + database + "project=\"default\",key_id=\"4f2a91\",current=\"yes\"} 5"), "");
    EXPECT_EQ(has("usher_tokens" + database + "project=\"default\",key_id=\"0b7c33\",current=\"no\"} 3"), "");
    EXPECT_EQ(has("usher_tokens" + database + "project=\"default\",key_id=\"older\",current=\"no\"} 1"), "");
    EXPECT_EQ(has("usher_meetings" + database + "project=\"(unknown)\",state=\"ready\"} 2"), "");
    EXPECT_EQ(has("usher_meetings" + database + "project=\"(unknown)\",state=\"failed\"} 3"), "");
    const std::string unready = "usher_meetings_unready" + database;
    EXPECT_EQ(has(unready + "project=\"(unknown)\",state=\"failed\",reason=\"unknown_project\"} 3"), "");
    EXPECT_EQ(has(unready + "project=\"default\",state=\"pending\",reason=\"not_looked_at\"} 4"), "");
    EXPECT_EQ(has("usher_window_meetings" + database + "window=\"15m\",readiness=\"ready\"} 4"), "");
    EXPECT_EQ(has("usher_window_meetings" + database + "window=\"open\",readiness=\"ready\"} 3"), "");
    EXPECT_EQ(has("usher_finding" + database + "finding=\"circuit_open\",severity=\"warning\"} 0"), "");
}

TEST_F(Pages, CountCallsThatBeginAndEnd)
{
    metrics.know_projects({"default"});
    metrics.call_started("default", VendorCall::create);
    metrics.call_started("default", VendorCall::create);
    metrics.call_ended("default", VendorCall::create, "quota", 300ms);
    const std::string text = get("/metrics").body;
    const auto has = [&](std::string const& line) { return text.find("\n" + line + "\n") != std::string::npos; };
    const std::string labels = "{database=\"3fa9c1d2\",call=\"create\",";
    EXPECT_TRUE(has("usher_vendor_calls_started_total" + labels + "project=\"default\"} 2"));
    EXPECT_TRUE(has("usher_vendor_calls_in_flight" + labels + "project=\"default\"} 1"));
    EXPECT_TRUE(has("usher_vendor_calls_total" + labels + "outcome=\"quota\",project=\"default\"} 1"));
    EXPECT_TRUE(has("usher_vendor_call_seconds_count" + labels + "project=\"default\"} 1"));
}

} // namespace
} // namespace usher
