// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <SQLiteCpp/VariadicBind.h>
#include <sys/stat.h>

#include "usher_bench.hpp"

namespace usher::bench {

namespace {

using namespace std::chrono_literals;

constexpr int busy_timeout_ms = 5000;
constexpr auto poll_pause = 200us;
constexpr auto give_up_after = 5min;

/// A platform's connection with what SQLite does by itself, but for the timeout and full durability.
class Platform {
public:
    explicit Platform(std::string const& path)
        : database_{path, SQLite::OPEN_READWRITE, busy_timeout_ms},
          role_{database_, "SELECT role FROM participant WHERE meeting_id = ? AND participant_id = ?"},
          change_{database_, "UPDATE participant SET role = ? WHERE meeting_id = ? AND participant_id = ?"},
          credential_{
              database_, "SELECT token FROM join_credential WHERE meeting_id = ? AND participant_id = ? AND role = ?"}
    {
        database_.exec("PRAGMA synchronous = FULL");
        meetings_ = database_.execAndGet("SELECT count(*) FROM meeting").getInt64();
        SQLite::Statement each{database_, "SELECT count(*) FROM participant WHERE meeting_id = ?"};
        each.bind(1, meeting_id(0));
        each.executeStep();
        participants_ = each.getColumn(0).getInt64();
    }

    struct Place {
        std::string meeting;
        std::string participant;
    };
    Place choose(Which which)
    {
        const std::int64_t nears = (meetings_ + near_every - 1) / near_every;
        std::int64_t meeting = below(meetings_);
        if (which == Which::near)
            meeting = below(nears) * near_every;
        else if (which == Which::far && meeting % near_every == 0)
            meeting = (meeting + 1) % meetings_;
        return {meeting_id(meeting), participant_id(below(participants_))};
    }
    Place at(std::int64_t meeting) const { return {meeting_id(meeting), participant_id(0)}; }
    std::int64_t meetings() const { return meetings_; }

    std::string role(Place const& place) { return first(role_, place.meeting, place.participant); }

    /// Returns how long it took, the wait for the lock included.
    double change(Place const& place, std::string const& role)
    {
        const auto start = SteadyClock::now();
        SQLite::Transaction transaction{database_, SQLite::TransactionBehavior::IMMEDIATE};
        SQLite::bind(change_, role, place.meeting, place.participant);
        change_.exec();
        change_.reset();
        transaction.commit();
        return seconds_since(start);
    }

    /// The token that the participant would join with; empty when there is none for the role.
    std::string token(Place const& place, std::string const& role)
    {
        return first(credential_, place.meeting, place.participant, role);
    }

private:
    std::int64_t below(std::int64_t bound)
    {
        return std::uniform_int_distribution<std::int64_t>{0, bound - 1}(random_);
    }

    template <class... Values>
    static std::string first(SQLite::Statement& statement, Values const&... values)
    {
        SQLite::bind(statement, values...);
        std::string result = statement.executeStep() ? statement.getColumn(0).getString() : std::string{};
        statement.reset();
        return result;
    }

    SQLite::Database database_;
    SQLite::Statement role_;
    SQLite::Statement change_;
    SQLite::Statement credential_;
    std::int64_t meetings_;
    std::int64_t participants_;
    std::mt19937_64 random_{1}; // the same places in each run
};

std::string other_role(std::string const& role)
{
    return role == "publisher" ? "moderator" : "publisher";
}

} // namespace

void measure_latency(
    std::string const& path, std::int64_t count, std::chrono::milliseconds interval, Which which,
    std::vector<std::string> const& command
)
{
    Platform writer{path};
    Platform reader{path};
    Child child{command};
    std::vector<double> times;
    do { // a change is waited for even when the command has ended meanwhile
        std::this_thread::sleep_for(interval);
        const Platform::Place place = writer.choose(which);
        const std::string role = other_role(writer.role(place));
        writer.change(place, role);
        const auto committed = SteadyClock::now();
        while (reader.token(place, role).empty()) {
            if (SteadyClock::now() - committed > give_up_after)
                throw std::runtime_error{"a change is not published after five minutes"};
            std::this_thread::sleep_for(poll_pause);
        }
        times.push_back(seconds_since(committed));
        if (command.empty())
            show_progress("changing roles", std::ssize(times), count);
    } while (std::ssize(times) < count && !child.ended());
    if (command.empty())
        show_progress("changing roles", count, count);
    print("changes", static_cast<double>(times.size()));
    print_times("", times);
    child.finish();
}

void be_neighbour(
    std::string const& path, std::chrono::milliseconds duration, std::chrono::milliseconds interval,
    std::vector<std::string> const& command
)
{
    Platform writer{path};
    Platform reader{path};
    std::atomic<bool> over = false;
    std::atomic<std::int64_t> reads = 0;
    std::vector<double> waits;
    Child child{command};
    const auto start = SteadyClock::now();
    std::jthread writing{[&] {
        do {
            const Platform::Place place = writer.choose(Which::any);
            waits.push_back(writer.change(place, other_role(writer.role(place))));
            std::this_thread::sleep_for(interval);
        } while (!over);
    }};
    std::jthread reading{[&] {
        while (!over) {
            const Platform::Place place = reader.choose(Which::any);
            reader.token(place, reader.role(place));
            ++reads;
        }
    }};
    while (!child.ended() && (!command.empty() || SteadyClock::now() - start < duration))
        std::this_thread::sleep_for(5ms);
    over = true;
    writing.join();
    reading.join();
    print("reads_per_second", static_cast<double>(reads) / seconds_since(start));
    print("writes", static_cast<double>(waits.size()));
    print_times("wait_", waits);
    child.finish();
}

void watch_wal(std::string const& path, std::vector<std::string> const& command)
{
    std::atomic<bool> over = false;
    const auto come_and_go = [&](std::chrono::milliseconds reading, std::chrono::milliseconds pause) {
        while (!over) {
            SQLite::Database database{path, SQLite::OPEN_READONLY, busy_timeout_ms};
            const SQLite::Transaction transaction{database};
            database.execAndGet("SELECT count(id) FROM (SELECT id FROM meeting LIMIT 1)");
            std::this_thread::sleep_for(reading);
            database.execAndGet("SELECT count(id) FROM (SELECT id FROM meeting LIMIT 1)");
            std::this_thread::sleep_for(pause);
        }
    };
    Child child{command};
    std::array readers{std::jthread{come_and_go, 20ms, 5ms}, std::jthread{come_and_go, 13ms, 7ms}};
    off_t largest = 0;
    while (!child.ended()) {
        struct stat status {};
        if (::stat((path + "-wal").c_str(), &status) == 0)
            largest = std::max(largest, status.st_size);
        std::this_thread::sleep_for(1ms);
    }
    over = true;
    for (std::jthread& reader : readers)
        reader.join();
    print("wal_mib", static_cast<double>(largest) / (1 << 20));
    child.finish();
}

void reload_and_wait(std::string const& path, pid_t daemon, std::int64_t sample)
{
    Platform platform{path};
    std::vector<std::pair<Platform::Place, std::string>> old;
    for (std::int64_t i = 0; i < sample; ++i) {
        // All over the schedule: those alone that start soon are signed anew at the beginning.
        const Platform::Place place = platform.at((platform.meetings() * i / sample + i) % platform.meetings());
        old.emplace_back(place, platform.token(place, platform.role(place)));
    }
    const auto start = SteadyClock::now();
    if (::kill(daemon, SIGHUP) != 0)
        throw std::runtime_error{"there is no daemon"};
    while (!old.empty()) {
        std::this_thread::sleep_for(100ms);
        std::erase_if(old, [&](auto const& entry) {
            const std::string now = platform.token(entry.first, platform.role(entry.first));
            return !now.empty() && now != entry.second;
        });
        show_progress("signing again", sample - std::ssize(old), sample);
    }
    print("seconds", seconds_since(start));
}

} // namespace usher::bench
