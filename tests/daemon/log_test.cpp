// SPDX-License-Identifier: Apache-2.0
#include "log.hpp"

#include <array>
#include <memory>
#include <string>
#include <type_traits>

#include <fcntl.h>
#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <usher/crypto/secret.hpp>
#include <usher/provider/provider.hpp>

namespace usher {
namespace {

using namespace std::chrono_literals;

const std::string hostile = "x\x1b[2J\ny\u009b\u202e\xff";
const std::string shown = R"(x\x1b[2J\x0ay\u{9b}\u{202e}\xff)";

static_assert(!std::is_constructible_v<LogValue, Secret const&>);
static_assert(!std::is_constructible_v<LogValue, Secret>);

/// Its reader reads only when the test says so.
class LogToAPipe : public testing::Test {
protected:
    LogToAPipe()
    {
        EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
        writer = std::make_unique<LineWriter>(ends[1]);
        log = std::make_unique<Log>(Log::Doors{*writer, false, "/nowhere", [this] { return now; }});
        set_log_sink(log.get(), LogSeverity::debug);
    }
    ~LogToAPipe() override
    {
        set_log_sink(nullptr);
        log.reset();
        writer.reset();
        for (const int end : ends)
            ::close(end);
    }

    std::string read()
    {
        ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
        std::string text;
        char buffer[65536];
        do
            for (ssize_t size = 0; (size = ::read(ends[0], buffer, sizeof buffer)) > 0;)
                text.append(buffer, static_cast<std::size_t>(size));
        while (log->push());
        for (ssize_t size = 0; (size = ::read(ends[0], buffer, sizeof buffer)) > 0;)
            text.append(buffer, static_cast<std::size_t>(size));
        return text;
    }
    /// The only line, without its time.
    std::string line()
    {
        const std::string text = read();
        EXPECT_EQ(text.find('\n'), text.size() - 1) << text;
        return text.substr(text.find(' ') + 1);
    }

    std::array<int, 2> ends{};
    std::chrono::steady_clock::time_point now{};
    std::unique_ptr<LineWriter> writer;
    std::unique_ptr<Log> log;
};

TEST_F(LogToAPipe, AnEventIsOneLineWhateverItSpeaksOf)
{
    log_event("store.busy"_event, {{"reason", hostile}});
    EXPECT_EQ(line(), "warning database busy, trying again reason=\"" + shown + "\"\n");
}

TEST_F(LogToAPipe, AValueCannotPassForAnother)
{
    struct Case {
        std::string value;
        char const* shown;
    };
    for (Case const& c :
         {Case{"m1", "m1"}, Case{"2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"}, Case{"", R"("")"},
          Case{"two words", R"("two words")"}, Case{"a=b", R"("a=b")"},
          Case{R"(say "x" reason=good)", R"("say \"x\" reason=good")"}, Case{R"(a\)", R"("a\\")"},
          Case{R"(\x0a)", R"("\\x0a")"}, Case{"\n", R"("\x0a")"}, Case{"\u00e9", "\"\u00e9\""},
          Case{"\xa0", R"("\xa0")"}, Case{"\"", R"("\"")"}}) {
        log_event("disconnect.failed"_event, {{"meeting_id", c.value}, {"reason", "r"}});
        EXPECT_EQ(line(), std::string{"warning nobody was thrown out meeting_id="} + c.shown + " reason=r\n");
        now += 1min;
    }
}

TEST_F(LogToAPipe, JsonIsOneLineThatIsJsonWithEachField)
{
    log->set_format(LogFormat::json);
    log_event(
        "session.call_failed"_event,
        {{"project", "p"}, {"meeting_id", hostile}, {"count", -3}, {"detail", R"(a "b" \)"}}
    );
    const std::string text = read();
    EXPECT_EQ(text.find('\n'), text.size() - 1) << text;
    for (const std::string raw : {"\x1b", "\u009b", "\u202e"})
        EXPECT_EQ(text.find(raw), std::string::npos) << text;
    const auto document = nlohmann::json::parse(text);
    EXPECT_EQ(document.at("level"), "warning");
    EXPECT_EQ(document.at("priority"), 4);
    EXPECT_EQ(document.at("event"), "session.call_failed");
    EXPECT_EQ(document.at("message_id"), "c4383cd492be49e887d14a350001493b");
    EXPECT_EQ(document.at("project"), "p");
    EXPECT_EQ(document.at("meeting_id"), "x\x1b[2J\ny\u009b\u202e\ufffd") << "as it is, but for what is no UTF-8";
    EXPECT_EQ(document.at("count"), -3);
    EXPECT_EQ(document.at("detail"), R"(a "b" \)");
    EXPECT_EQ(
        document.at("message"),
        "session call failed project=p meeting_id=\"" + shown + R"(" count=-3 detail="a \"b\" \\")"
    );
    EXPECT_EQ(document.size(), 10U);
    EXPECT_TRUE(std::string{document.at("at")}.ends_with('Z'));
}

TEST_F(LogToAPipe, AnEventIsBounded)
{
    const std::string large(1'000'000, '\x1b');
    for (const LogFormat format : {LogFormat::text, LogFormat::json, LogFormat::journal}) {
        log->set_format(format);
        log_event("session.call_failed"_event, {{"project", large}, {"reason", large}, {"detail", large}});
        EXPECT_LT(read().size(), 80'000U);
    }
}

TEST_F(LogToAPipe, TheLevelAndTheFormatChangeWhileItRuns)
{
    set_log_level(LogSeverity::warning);
    log_event("ready"_event);
    log_event("store.busy"_event);
    EXPECT_EQ(line(), "warning database busy, trying again\n");
    set_log_level(LogSeverity::debug);
    log_event("waiting"_event);
    EXPECT_EQ(line(), "debug nothing to do for now\n");
    log->set_format(LogFormat::json);
    log_event("ready"_event);
    EXPECT_EQ(nlohmann::json::parse(read()).at("event"), "ready");
    EXPECT_EQ(log->counts().at(5).events, 1U) << "what the level leaves out is no event";
}

TEST_F(LogToAPipe, DebugCostsNothingWhenItIsOff)
{
    int made = 0;
    const auto fields = [&] {
        ++made;
        return LogFields{{"count", made}};
    };
    set_log_level(LogSeverity::info);
    log_event("waiting"_event, fields);
    EXPECT_EQ(made, 0);
    set_log_level(LogSeverity::debug);
    log_event("waiting"_event, fields);
    EXPECT_EQ(made, 1);
    EXPECT_EQ(line(), "debug nothing to do for now count=1\n");
}

TEST_F(LogToAPipe, EveryEventIsWrittenSuppressedOrDropped)
{
    ASSERT_EQ(::fcntl(ends[1], F_SETPIPE_SZ, 4096), 4096);
    constexpr std::uint64_t calls = 20'000;
    const std::string long_text(1000, 'x');
    for (std::uint64_t i = 0; i < calls; ++i) {
        log_event("meeting.planned"_event, {{"detail", long_text}});
        log_event("session.call_failed"_event, {{"project", "p"}});
    }
    for (LogCount const& count : log->counts())
        EXPECT_EQ(count.events, count.written + count.suppressed + count.dropped);

    const std::string text = read();
    log->finish(10s);
    const LogCounts counts = log->counts();
    EXPECT_EQ(counts.at(7).events, calls);
    EXPECT_GT(counts.at(7).written, 0U);
    EXPECT_GT(counts.at(7).dropped, 0U);
    EXPECT_EQ(counts.at(7).suppressed, 0U);
    EXPECT_EQ(counts.at(4), (LogCount{calls, 5, calls - 5, 0}));
    std::uint64_t lines = 0;
    for (auto at = text.find(" debug meeting"); at != std::string::npos; at = text.find(" debug meeting", at + 1))
        ++lines;
    EXPECT_EQ(lines, counts.at(7).written);
}

TEST_F(LogToAPipe, WhatWasLeftOutIsToldOfAfterAMinuteAndAtTheEnd)
{
    log->set_format(LogFormat::json);
    const auto said = [&] {
        for (int i = 0; i < 7; ++i)
            log_event("row.refused"_event, {{"meeting_id", std::to_string(i)}});
        read();
    };
    const auto expect_told = [&] {
        const auto document = nlohmann::json::parse(read());
        EXPECT_EQ(document.at("event"), "row.refused");
        EXPECT_EQ(document.at("suppressed"), 2);
        EXPECT_EQ(document.at("message"), "meeting cannot be written, the others are served suppressed=2");
    };
    said();
    now += 1min;
    log->flush();
    expect_told();
    said();
    log->finish(10s);
    expect_told();
}

} // namespace
} // namespace usher
