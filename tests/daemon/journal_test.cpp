// SPDX-License-Identifier: Apache-2.0
// The journal's native protocol, to a socket of the test's own.
#include "journal.hpp"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "line_writer.hpp"
#include "log.hpp"
#include "support/temp_dir.hpp"

namespace usher {
namespace {

using namespace std::chrono_literals;
using Fields = std::map<std::string, std::string>;

/// As journald reads an entry.
Fields fields_of(std::string const& entry)
{
    Fields fields;
    for (std::size_t at = 0; at < entry.size();) {
        const std::size_t end = entry.find('\n', at);
        const std::string line = entry.substr(at, end - at);
        if (end == std::string::npos)
            throw std::runtime_error{"no line feed at the end of " + line};
        at = end + 1;
        const std::size_t sign = line.find('=');
        std::string name = line.substr(0, sign);
        std::string value;
        if (sign != std::string::npos) {
            value = line.substr(sign + 1);
        } else {
            std::uint64_t size = 0;
            for (std::size_t byte = 8; byte-- > 0;)
                size = size << 8U | static_cast<unsigned char>(entry.at(at + byte));
            value = entry.substr(at + 8, size);
            at += 8 + size + 1;
            if (entry.at(at - 1) != '\n')
                throw std::runtime_error{"no line feed after the value of " + name};
        }
        if (!fields.emplace(name, value).second)
            throw std::runtime_error{"twice: " + name};
    }
    return fields;
}

/// A journal that reads only when the test says so.
class Journal {
public:
    explicit Journal(std::string path) : path_{std::move(path)} { open(); }
    ~Journal() { close(); }
    Journal(Journal const&) = delete;
    Journal& operator=(Journal const&) = delete;

    std::optional<std::string> read() const
    {
        std::string entry(1 << 20, '\0');
        const ssize_t size = ::recv(socket_, entry.data(), entry.size(), MSG_DONTWAIT);
        if (size < 0)
            return std::nullopt;
        entry.resize(static_cast<std::size_t>(size));
        return entry;
    }
    std::vector<Fields> read_all() const
    {
        std::vector<Fields> entries;
        while (const auto entry = read())
            entries.push_back(fields_of(*entry));
        return entries;
    }
    void open()
    {
        socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        ASSERT_LT(path_.size(), sizeof address.sun_path);
        std::strcpy(address.sun_path, path_.c_str());
        ASSERT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0) << path_;
    }
    void close() const
    {
        ::close(socket_);
        ::unlink(path_.c_str());
    }

private:
    std::string path_;
    int socket_ = -1;
};

class JournalLog : public testing::Test {
protected:
    JournalLog()
    {
        log.set_format(LogFormat::journal);
        set_log_sink(&log, LogSeverity::debug);
    }
    ~JournalLog() override { set_log_sink(nullptr); }

    std::vector<Fields> read_all()
    {
        std::vector<Fields> entries = journal.read_all();
        while (log.push()) // as long as something is kept
            for (Fields& entry : journal.read_all())
                entries.push_back(std::move(entry));
        for (Fields& entry : journal.read_all())
            entries.push_back(std::move(entry));
        return entries;
    }

    /// Until the journal takes no more; how many that were.
    std::uint64_t fill()
    {
        std::uint64_t count = 0;
        while (!log.push()) {
            log_event("meeting.planned"_event, {{"count", count}});
            ++count;
        }
        return count;
    }

    /// What two events come to on standard error.
    std::string said(LogFormat format, bool is_journal, std::string const& socket)
    {
        testing::internal::CaptureStderr();
        LineWriter captured{STDERR_FILENO};
        Log other{Log::Doors{captured, is_journal, folder.file(socket), [this] { return now; }}};
        other.set_format(format);
        LogSink* const before = set_log_sink(&other);
        log_event("row.refused"_event, {{"meeting_id", "m"}});
        log_event("ready"_event);
        set_log_sink(before, LogSeverity::debug);
        return testing::internal::GetCapturedStderr();
    }

    LogCount debug_count() const { return log.counts().at(static_cast<std::size_t>(LogSeverity::debug)); }

    test::TempDir folder;
    Journal journal{folder.file("journal")};
    LineWriter writer{STDERR_FILENO};
    std::chrono::steady_clock::time_point now{};
    Log log{Log::Doors{writer, false, folder.file("journal"), [this] { return now; }}};
};

TEST(JournalProtocol, HoldsAnyValue)
{
    for (std::string const& value :
         {std::string{}, std::string{"plain"}, std::string{"a=b"}, std::string{"line\nfeed"}, std::string{"\n"},
          std::string{"A=b\nPRIORITY=0\n"}, std::string{"\0\xff\x80\n\0", 5}, std::string(300, '\n'),
          std::string(70'000, 'x')}) {
        std::string entry;
        add_journal_field(entry, "BEFORE", "1");
        add_journal_field(entry, "VALUE", value);
        add_journal_field(entry, "AFTER", "2");
        EXPECT_EQ(fields_of(entry), (Fields{{"BEFORE", "1"}, {"VALUE", value}, {"AFTER", "2"}}));
    }
    std::string entry;
    add_journal_field(entry, "V", "a\nb");
    EXPECT_EQ(entry, std::string("V\n\x03\0\0\0\0\0\0\0a\nb\n", 14));
}

TEST_F(JournalLog, AnEntryHasPriorityIdAndFields)
{
    log_event(
        "circuit.opened"_event, {{"project", "default"},
                                 {"reason", "provider_error"},
                                 {"detail", "the provider answers 503"},
                                 {"next_at", sys_seconds{1'700'000'000s}}}
    );
    log_event("ready"_event, {{"who", "pid 1"}});

    const std::vector<Fields> entries = read_all();
    ASSERT_EQ(entries.size(), 2U);
    EXPECT_EQ(
        entries[0], (Fields{
                        {"MESSAGE", "provider is not asked for now project=default reason=provider_error "
                                    "detail=\"the provider answers 503\" next_at=2023-11-14T22:13:20Z"},
                        {"PRIORITY", "4"},
                        {"MESSAGE_ID", "06663e1c407248b8b26bdaeefb3f624c"},
                        {"SYSLOG_IDENTIFIER", "usherd"},
                        {"USHER_EVENT", "circuit.opened"},
                        {"PROJECT", "default"},
                        {"REASON", "provider_error"},
                        {"DETAIL", "the provider answers 503"},
                        {"NEXT_AT", "2023-11-14T22:13:20Z"},
                    })
    );
    EXPECT_EQ(entries[1].at("PRIORITY"), "5");
}

TEST_F(JournalLog, HostileValuesMakeNoFieldsAndNoEscapes)
{
    log_event(
        "session.call_failed"_event, {{"meeting_id", "m\nPRIORITY=0\nMESSAGE_ID=0\n"},
                                      {"reason", "\x1b[2J\u202e\xff\" reason=\"good"},
                                      {"detail", std::string{"\0\n\x01", 3}}}
    );

    const std::vector<Fields> entries = read_all();
    ASSERT_EQ(entries.size(), 1U);
    EXPECT_EQ(entries[0].size(), 8U);
    EXPECT_EQ(entries[0].at("PRIORITY"), "4");
    EXPECT_EQ(entries[0].at("MEETING_ID"), R"(m\x0aPRIORITY=0\x0aMESSAGE_ID=0\x0a)");
    EXPECT_EQ(entries[0].at("REASON"), R"(\x1b[2J\u{202e}\xff" reason="good)");
    EXPECT_EQ(entries[0].at("DETAIL"), R"(\x00\x0a\x01)");
}

TEST_F(JournalLog, AnEntryIsBoundedHoweverLargeItsValues)
{
    const std::string large(1 << 20, '\x1b');
    log_event("session.call_failed"_event, {{"meeting_id", large}, {"reason", large}, {"detail", large}});
    const auto entry = journal.read();
    ASSERT_TRUE(entry);
    EXPECT_LT(entry->size(), 100'000U);
    EXPECT_EQ(fields_of(*entry).count("DETAIL"), 1U);
    EXPECT_EQ(log.counts().at(4).written, 1U);
}

TEST_F(JournalLog, AFullSocketHoldsNothingUpAndLosesNothingThatIsKept)
{
    const std::uint64_t filled = fill(); // one is kept
    for (std::uint64_t i = filled; i < filled + 1023; ++i)
        log_event("meeting.planned"_event, {{"count", i}});
    EXPECT_EQ(debug_count(), (LogCount{filled - 1, filled - 1, 0, 0}));

    const std::vector<Fields> entries = read_all();
    ASSERT_EQ(entries.size(), filled + 1023);
    for (std::size_t i = 0; i < entries.size(); ++i)
        ASSERT_EQ(entries[i].at("COUNT"), std::to_string(i));
    EXPECT_EQ(debug_count(), (LogCount{filled + 1023, filled + 1023, 0, 0}));
}

TEST_F(JournalLog, WhatIsTooMuchIsDroppedCountedAndToldOf)
{
    const std::uint64_t filled = fill();
    constexpr std::uint64_t more = 5000;
    for (std::uint64_t i = filled; i < filled + more; ++i)
        log_event("meeting.planned"_event, {{"count", i}});
    log_event("ready"_event);
    const std::uint64_t kept = filled + 1023;
    EXPECT_EQ(debug_count().dropped, filled + more - kept);

    ASSERT_EQ(read_all().size(), kept);
    log.flush();
    const std::vector<Fields> told = read_all();
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].at("USHER_EVENT"), "log.dropped");
    EXPECT_EQ(told[0].at("COUNT"), std::to_string(filled + more - kept + 1)) << "and the notice";
    EXPECT_EQ(debug_count(), (LogCount{filled + more, kept, 0, filled + more - kept}));
    EXPECT_EQ(log.counts().at(5), (LogCount{1, 0, 0, 1}));
}

TEST_F(JournalLog, AFloodIsThinnedOutWithItsCount)
{
    for (int i = 0; i < 12; ++i)
        log_event("session.call_failed"_event, {{"project", "a"}, {"meeting_id", std::to_string(i)}});
    EXPECT_EQ(read_all().size(), 5U);
    now += 1min;
    log.flush();

    const std::vector<Fields> entries = read_all();
    ASSERT_EQ(entries.size(), 1U);
    EXPECT_EQ(entries[0].at("MESSAGE_ID"), event_of("session.call_failed"_event).message_id);
    EXPECT_EQ(entries[0].at("SUPPRESSED"), "7");
    EXPECT_EQ(entries[0].at("PROJECT"), "a");
    EXPECT_EQ(entries[0].at("MESSAGE"), "session call failed project=a suppressed=7");
    EXPECT_EQ(log.counts().at(4), (LogCount{12, 5, 7, 0}));
}

TEST_F(JournalLog, WhatNobodyTakesIsCounted)
{
    journal.close();
    log_event("ready"_event);
    EXPECT_EQ(log.counts().at(5), (LogCount{1, 0, 0, 1}));
}

TEST_F(JournalLog, AJournalThatIsMadeAnewIsFoundAgain)
{
    log_event("ready"_event);
    journal.close();
    journal.open();
    log_event("stopping"_event);
    const std::vector<Fields> entries = read_all();
    ASSERT_EQ(entries.size(), 1U);
    EXPECT_EQ(entries[0].at("USHER_EVENT"), "stopping");
}

TEST_F(JournalLog, AutomaticIsForTheJournalOnStandardErrorOnly)
{
    EXPECT_NE(said(LogFormat::automatic, false, "journal").find(" notice ready\n"), std::string::npos);
    EXPECT_TRUE(read_all().empty());
    EXPECT_EQ(said(LogFormat::automatic, true, "journal"), "");
    EXPECT_EQ(read_all().size(), 2U);
}

TEST_F(JournalLog, WithoutItsSocketReadsPrioritiesOnStandardError)
{
    for (const LogFormat format : {LogFormat::automatic, LogFormat::journal, LogFormat::text, LogFormat::json}) {
        const std::string text = said(format, true, "none");
        EXPECT_EQ(text.find("<3>"), 0U) << text;
        EXPECT_NE(text.find("\n<5>"), std::string::npos) << text;
    }
    EXPECT_EQ(
        said(LogFormat::journal, false, "none"),
        "<3>meeting cannot be written, the others are served meeting_id=m\n<5>ready\n"
    );
}

TEST(JournalStream, IsNamedByDeviceAndInode)
{
    struct stat status {};
    ASSERT_EQ(::fstat(STDERR_FILENO, &status), 0);
    const std::string name = std::to_string(status.st_dev) + ':' + std::to_string(status.st_ino);
    EXPECT_TRUE(names_stream(name, status.st_dev, status.st_ino));
    for (std::string const& other : {std::string{}, std::string{":"}, name + '0', '1' + name, "x" + name})
        EXPECT_FALSE(names_stream(other, status.st_dev, status.st_ino)) << other;
    EXPECT_FALSE(names_stream(name, status.st_dev, status.st_ino + 1));
    EXPECT_FALSE(names_stream(name, status.st_dev + 1, status.st_ino));
}

} // namespace
} // namespace usher
