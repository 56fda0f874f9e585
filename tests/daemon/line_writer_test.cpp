// SPDX-License-Identifier: Apache-2.0
#include "line_writer.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "support/temp_dir.hpp"

namespace usher {
namespace {

using namespace std::chrono_literals;

constexpr int pipe_bytes = 4096;

std::string notice(std::size_t dropped)
{
    return "dropped " + std::to_string(dropped) + '\n';
}

/// A pipe as small as there are, whose reader reads only when the test says so.
class Reader : public testing::Test {
protected:
    Reader()
    {
        ::signal(SIGPIPE, SIG_IGN);
        EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
        EXPECT_EQ(::fcntl(ends[1], F_SETPIPE_SZ, pipe_bytes), pipe_bytes);
    }
    ~Reader() override
    {
        for (const int end : ends)
            ::close(end);
    }

    /// All that can be read now.
    std::string read() const { return read(ends[0]); }
    static std::string read(int descriptor)
    {
        ::fcntl(descriptor, F_SETFL, O_NONBLOCK);
        std::string text;
        char buffer[4096];
        for (ssize_t size = 0; (size = ::read(descriptor, buffer, sizeof buffer)) > 0;)
            text.append(buffer, static_cast<std::size_t>(size));
        return text;
    }

    /// All that `writer` has for it.
    std::string read_all(LineWriter& writer) const
    {
        std::string text = read();
        while (writer.push())
            text += read();
        return text + read();
    }

    std::array<int, 2> ends{};
};

/// Numbered, and not of one length.
std::string line(int number)
{
    return std::to_string(number) + std::string(static_cast<std::size_t>(number % 100), '.') + '\n';
}

std::string lines(int from, int to)
{
    std::string text;
    for (int number = from; number < to; ++number)
        text += line(number);
    return text;
}

TEST_F(Reader, GetsEachLineAtOnce)
{
    LineWriter writer{ends[1]};

    writer.offer("a\n");
    EXPECT_EQ(read(), "a\n");
    writer.print("b\n");
    EXPECT_EQ(read(), "b\n");
    EXPECT_FALSE(writer.push());
}

TEST_F(Reader, GetsEachLineOnceAndInOrderHoweverLateItReads)
{
    LineWriter writer{ends[1]};
    for (int number = 0; number < 1000; number += 2) {
        writer.offer(line(number));
        writer.print(line(number + 1));
    }
    EXPECT_TRUE(writer.push());

    EXPECT_EQ(read_all(writer), lines(0, 1000));
    EXPECT_FALSE(writer.failed());
}

TEST_F(Reader, GetsALineThatIsLongerThanThePipe)
{
    LineWriter writer{ends[1]};
    const std::string text = std::string(10 * pipe_bytes, 'a') + '\n';

    writer.offer(text);

    EXPECT_EQ(read_all(writer), text);
}

TEST_F(Reader, IsToldHowManyLinesWereDroppedAndWhere)
{
    LineWriter writer{ends[1]};
    int number = 0;
    const std::string long_end = std::string(1000, '-') + '\n';
    constexpr int offered = 2000; // of a thousand bytes: twice of what is kept
    for (; number < offered; ++number)
        writer.offer(std::to_string(number) + long_end);
    writer.tell_dropped(notice);
    writer.print("kept in any case\n");
    EXPECT_TRUE(writer.push());

    std::string text = read_all(writer);
    writer.tell_dropped(notice);
    writer.tell_dropped(notice);
    writer.offer("after it\n");
    text += read_all(writer);

    int kept = 0;
    std::string expected;
    for (; text.find(expected + std::to_string(kept) + long_end) == 0; ++kept)
        expected += std::to_string(kept) + long_end;
    EXPECT_GT(kept, offered / 4);
    EXPECT_LT(kept, offered);
    EXPECT_EQ(
        text.substr(expected.size()),
        "kept in any case\n" + notice(static_cast<std::size_t>(offered - kept)) + "after it\n"
    );
}

TEST_F(Reader, IsToldOfNothingWhenNothingWasDropped)
{
    LineWriter writer{ends[1]};
    writer.offer("a\n");

    writer.tell_dropped(notice);

    EXPECT_EQ(read(), "a\n");
}

TEST_F(Reader, IsWaitedForAtTheEnd)
{
    LineWriter writer{ends[1]};
    writer.print(lines(0, 1000));
    std::string text;
    std::thread reader{[&] {
        char buffer[100];
        while (text.size() < lines(0, 1000).size())
            text.append(buffer, static_cast<std::size_t>(::read(ends[0], buffer, sizeof buffer)));
    }};

    writer.finish();

    reader.join();
    EXPECT_EQ(text, lines(0, 1000));
}

TEST_F(Reader, IsWaitedForNoLongerThanTheCallerHasPatience)
{
    LineWriter writer{ends[1]};
    writer.print(lines(0, 1000));

    const auto start = std::chrono::steady_clock::now();
    writer.finish(50ms);

    EXPECT_GE(std::chrono::steady_clock::now() - start, 50ms);
    EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
    EXPECT_TRUE(writer.push());
}

TEST_F(Reader, IsNotWaitedForOnceItIsGone)
{
    LineWriter writer{ends[1]};
    writer.print(lines(0, 1000));
    ::close(ends[0]);
    ends[0] = ::open("/dev/null", O_RDONLY | O_CLOEXEC);

    writer.finish();

    EXPECT_TRUE(writer.failed());
}

TEST_F(Reader, IsOfferedTheRestSoonWhileItReads)
{
    LineWriter writer{ends[1]};
    writer.print(lines(0, 1000));
    const auto soon = writer.push();
    const auto later = writer.push();
    read();

    EXPECT_LT(soon, later);
    EXPECT_EQ(writer.push(), soon);
    EXPECT_EQ(writer.push(), later);
}

TEST_F(Reader, SharesItsPipeWithOthersWhoWait)
{
    const LineWriter writer{ends[1]};

    EXPECT_EQ(::fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(Reader, OfASocketIsNotWaitedFor)
{
    std::array<int, 2> sockets{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()), 0);
    LineWriter writer{sockets[1]};
    int number = 0;
    while (!writer.push()) { // as the journal's
        writer.print(lines(number, number + 100));
        number += 100;
    }

    std::string text = read(sockets[0]);
    while (writer.push())
        text += read(sockets[0]);
    text += read(sockets[0]);

    EXPECT_EQ(text, lines(0, number));
    for (const int socket : sockets)
        ::close(socket);
}

TEST_F(Reader, ThatComesBackIsToldWhatIsLost)
{
    const test::TempDir folder;
    const std::string path = folder.file("fifo");
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    const int end = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    LineWriter writer{end};
    writer.offer("a\n");
    EXPECT_EQ(read(reader), "a\n");
    ::close(reader);
    writer.offer("b\n");
    writer.offer("c\n");
    writer.tell_dropped(notice);
    writer.offer("d\n");

    reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    writer.tell_dropped(notice);
    writer.offer("e\n");

    EXPECT_EQ(read(reader), notice(3) + "e\n");
    EXPECT_TRUE(writer.failed());
    ::close(reader);
    ::close(end);
}

TEST_F(Reader, SeesWhereALineWasBrokenOff)
{
    const test::TempDir folder;
    const std::string path = folder.file("fifo");
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    const int end = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    const int between = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC); // keeps what is in the pipe
    LineWriter writer{end};
    writer.offer(std::string(1 << 17, 'a') + '\n');
    ::close(reader);
    const std::string part = read(between);
    ::close(between);
    EXPECT_FALSE(writer.push()); // nobody is there to take the rest

    reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    writer.tell_dropped(notice);

    EXPECT_EQ(part, std::string(part.size(), 'a'));
    EXPECT_EQ(read(reader), '\n' + notice(1));
    ::close(reader);
    ::close(end);
}

} // namespace
} // namespace usher
