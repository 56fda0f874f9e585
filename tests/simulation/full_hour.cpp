// SPDX-License-Identifier: Apache-2.0
#include "simulation/full_hour.hpp"

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>

#include <usher/store/database.hpp>

#include "simulation/daemon.hpp"
#include "simulation/events.hpp"
#include "simulation/folder.hpp"
#include "simulation/memory_vfs.hpp"
#include "simulation/network.hpp"
#include "simulation/oracle.hpp"
#include "simulation/story.hpp"

namespace usher::simulation {

namespace {

using namespace std::chrono_literals;

constexpr sys_seconds week_start{1'800'000'000s - 1'800'000'000s % std::chrono::seconds{86400}};
constexpr Duration ten = 7 * Duration{24h} + 10h;
constexpr Duration end = ten + 3h;
constexpr Duration first_booking = ten - 7 * Duration{24h};
constexpr Duration outage_from = ten - 40min;
constexpr Duration outage_to = ten - 20min;
constexpr Duration killed_at = ten - 15min;
constexpr Duration clock_back_at = ten - 10min;
constexpr Duration clock_right_at = ten - 5min;
constexpr Duration clock_step = -1h;
constexpr Duration arrivals_from = ten - 5min; // everybody comes within ten minutes
constexpr Duration arrivals = 10min;
constexpr Duration from_booking_to_door = 10s;
constexpr Duration outage_at_join_from = ten - 10min;
constexpr Duration outage_at_join_to = ten + 10min;
constexpr int vendor_rate = 100;
constexpr Duration vendor_latency = 50ms;
constexpr Duration restart_after = 2s;

struct Booked {
    std::string id;
    Duration at{};
    Duration ends{};
    std::optional<Duration> made{};
    std::optional<Duration> ready{};
    std::vector<Duration> arrivals{};
};

class Hour {
public:
    explicit Hour(FullHourOptions options)
        : options_{options},
          dice_{options.seed},
          clock_{week_start},
          story_{clock_, false},
          vfs_{clock_, dice_.next()},
          network_{clock_, story_, dice_.next()},
          random_{dice_.next()},
          events_{clock_},
          oracle_{clock_, vfs_, story_, network_, database_}
    {
        const auto minutes = static_cast<std::size_t>(end / Duration{1min}) + 1;
        for (std::vector<int>* series :
             {&result_.booked, &result_.made, &result_.ready, &result_.signed_tokens, &result_.calls, &result_.waiting,
              &result_.waiting_at_join, &result_.waiting_in_outage, &result_.live, &result_.covered})
            series->resize(minutes);
        result_.options = options;
        result_.ten = static_cast<int>(ten / Duration{1min});
    }

    FullHour run()
    {
        begin();
        run_until(Instant{} + end);
        tell_waits();
        for (Violation const& violation : oracle_.violations())
            result_.violations.push_back(violation.promise + " " + violation.meeting_id + ": " + violation.what);
        result_.rows_checked = oracle_.rows_seen();
        daemon_.reset();
        statements_.clear();
        changed_.reset();
        reader_.reset();
        platform_.reset();
        oracle_.close();
        return std::move(result_);
    }

private:
    void begin()
    {
        vfs_.run_as(++processes_);
        std::ofstream{database_ + ".key"} << std::string(64, '5') << "\n";
        std::ofstream{database_ + ".mark"} << std::string(32, '7') << " 0\n";
        create_database(database_, FileAccess::group);
        setting_.projects = {{"default", "123456", "secret"}};
        setting_.pace = {20, vendor_rate, vendor_rate};
        network_.vendor.add_opentok("123456", "secret");
        network_.quota = vendor_rate;
        network_.latency_max = vendor_latency; // there and back, each half of it on average
        oracle_.configure(setting_);
        platform_ = std::make_unique<SQLite::Database>(database_, SQLite::OPEN_READWRITE, 5000);
        vfs_.run_as(++processes_);
        reader_ = std::make_unique<SQLite::Database>(database_, SQLite::OPEN_READONLY);
        oracle_.open(processes_);
        book();
        start_daemon();
        at(outage_from, [this] { network_.vendor.behaviour.outage = vendor::Outage::unavailable; });
        at(outage_to, [this] { network_.vendor.behaviour.outage = vendor::Outage::none; });
        at(killed_at, [this] {
            vfs_.kill(daemon_->process());
            daemon_.reset();
            oracle_.set_sound(false);
            events_.after(restart_after, [this] { start_daemon(); });
        });
        at(clock_back_at, [this] { set_clock(clock_step); });
        at(clock_right_at, [this] { set_clock(Duration::zero()); });
        at(ten, [this] { look_how_long_it_lasts(); });
    }

    void at(Duration when, std::function<void()> what) { events_.at(Instant{} + when, std::move(what)); }
    static std::size_t minute(Duration when) { return static_cast<std::size_t>(when / Duration{1min}); }
    Duration now() const { return clock_.steady_now() - Instant{}; }

    void book()
    {
        for (int i = 0; i < options_.meetings; ++i) {
            Booked booked{"m" + std::to_string(i)};
            booked.at = first_booking + Duration{dice_.below((ten - first_booking).count())};
            booked.ends = ten + dice_.between(1, 4) * Duration{30min};
            for (int person = 0; person < options_.people; ++person)
                booked.arrivals.push_back(
                    std::max(arrivals_from + Duration{dice_.below(arrivals.count())}, booked.at + from_booking_to_door)
                );
            ++result_.booked.at(minute(booked.at));
            for (std::size_t m = minute(ten); m < std::min(minute(booked.ends), result_.live.size()); ++m)
                ++result_.live[m];
            at(booked.at, [this, booked] { insert(booked); });
            meetings_.emplace(booked.id, std::move(booked));
        }
    }

    void insert(Booked const& booked)
    {
        const auto instant = [](Duration when) { return unix_seconds(week_start + std::chrono::floor<seconds>(when)); };
        platform_->exec("BEGIN IMMEDIATE");
        SQLite::Statement& meeting = prepared("INSERT INTO meeting (id, starts_at, ends_at) VALUES (?, ?, ?)");
        meeting.bind(1, booked.id);
        meeting.bind(2, instant(ten));
        meeting.bind(3, instant(booked.ends));
        meeting.exec();
        meeting.reset();
        SQLite::Statement& person =
            prepared("INSERT INTO participant (meeting_id, participant_id, role) VALUES (?, ?, 'publisher')");
        for (int i = 0; i < options_.people; ++i) {
            person.bind(1, booked.id);
            person.bind(2, "p" + std::to_string(i));
            person.exec();
            person.reset();
        }
        platform_->exec("COMMIT");
        events_.after(1ms, [this] {
            if (daemon_)
                daemon_->notice();
        });
    }

    SQLite::Statement& prepared(char const* sql)
    {
        std::unique_ptr<SQLite::Statement>& found = statements_[sql];
        if (!found)
            found = std::make_unique<SQLite::Statement>(*platform_, sql);
        return *found;
    }

    void start_daemon()
    {
        ++result_.starts;
        daemon_ = std::make_unique<Daemon>(
            Surroundings{clock_, vfs_, network_, random_, database_}, ++processes_, setting_,
            "daemon " + std::to_string(result_.starts)
        );
    }

    void set_clock(Duration offset)
    {
        clock_.set_offset(offset);
        oracle_.set_sound(false);
        daemon_->clock_was_set();
    }

    void run_until(Instant until)
    {
        while (clock_.steady_now() < until) {
            if (events_.happen() || step() || clock_.fire())
                continue;
            std::optional<Instant> next = clock_.next();
            if (const auto event = events_.next())
                next = std::min(next.value_or(*event), *event);
            clock_.jump(std::min(next.value_or(until), until));
        }
    }

    bool step()
    {
        if (!daemon_)
            return false;
        const std::int64_t writes = vfs_.log_writes();
        const std::int64_t times_done = daemon_->times_done();
        const auto calls = network_.vendor.requests().size();
        const std::int64_t tokens = daemon_->tokens_published();
        const bool worked = daemon_->step();
        result_.signed_tokens.at(minute(now())) += static_cast<int>(daemon_->tokens_published() - tokens);
        if (daemon_->times_done() != times_done && clock_.offset() == Duration::zero())
            oracle_.set_sound(true);
        result_.calls.at(minute(now())) += static_cast<int>(network_.vendor.requests().size() - calls);
        if (vfs_.log_writes() != writes) {
            oracle_.look();
            look();
        }
        if (daemon_->is_over())
            throw std::runtime_error{"usherd ends by itself"};
        return worked;
    }

    /// What has changed since the last look.
    void look()
    {
        if (!changed_)
            changed_.emplace(
                *reader_, "SELECT meeting_id, seq, state, session_no, staged_no, due_at FROM agenda WHERE seq > ? "
                          "ORDER BY seq"
            );
        changed_->bind(1, seen_);
        while (changed_->executeStep()) {
            seen_ = changed_->getColumn(1).getInt64();
            Booked& booked = meetings_.find(changed_->getColumn(0).getString())->second;
            const bool has_session = !changed_->getColumn(3).isNull() || !changed_->getColumn(4).isNull();
            if (has_session && !booked.made) {
                booked.made = now();
                ++result_.made.at(minute(now()));
            }
            if (changed_->getColumn(2).getString() == "ready" && !booked.ready) {
                booked.ready = now();
                ++result_.ready.at(minute(now()));
            }
        }
        changed_->reset();
    }

    /// From here on nothing but the database and the platforms is there, for all that the tokens know.
    void look_how_long_it_lasts()
    {
        SQLite::Statement query{
            *reader_, "SELECT m.ends_at, min(j.expires_at), count(j.token) FROM meeting m LEFT JOIN join_credential j "
                      "ON j.meeting_id = m.id GROUP BY m.id"};
        while (query.executeStep()) {
            if (query.getColumn(2).getInt() < options_.people)
                continue;
            const std::int64_t until = std::min(query.getColumn(0).getInt64(), query.getColumn(1).getInt64());
            const Duration lasts = seconds{until - unix_seconds(week_start)};
            for (std::size_t m = minute(ten); m < std::min(minute(lasts), result_.covered.size()); ++m)
                ++result_.covered[m];
        }
    }

    struct Waits {
        std::int64_t people = 0;
        std::int64_t longest = 0;
    };
    static void wait(Waits& waits, std::vector<int>& waiting, Duration from, Duration to)
    {
        if (to <= from)
            return;
        ++waits.people;
        waits.longest = std::max(waits.longest, std::chrono::ceil<seconds>(to - from).count());
        for (std::size_t m = minute(from); m < std::min(minute(to), waiting.size()); ++m)
            ++waiting[m];
    }

    /// When the first comes, the platform makes the session; the vendor answers one after the other.
    std::map<std::string, Duration> made_at_join(Duration away_from, Duration away_to) const
    {
        std::vector<std::pair<Duration, std::string>> firsts;
        for (auto const& [id, booked] : meetings_)
            firsts.emplace_back(*std::min_element(booked.arrivals.begin(), booked.arrivals.end()), id);
        std::sort(firsts.begin(), firsts.end());
        std::map<std::string, Duration> made;
        Duration free{};
        for (auto const& [asked, id] : firsts) {
            Duration place = std::max(asked, free);
            if (place >= away_from && place < away_to)
                place = away_to;
            free = place + Duration{1s} / vendor_rate;
            made.emplace(id, place + vendor_latency);
        }
        return made;
    }

    void tell_waits()
    {
        const auto at_join = made_at_join({}, {});
        const auto in_outage = made_at_join(outage_at_join_from, outage_at_join_to);
        Waits ours;
        Waits theirs;
        Waits theirs_in_outage;
        for (auto const& [id, booked] : meetings_) {
            if (booked.ready.value_or(end) > outage_at_join_from)
                ++result_.not_ready_at_outage;
            for (const Duration arrival : booked.arrivals) {
                wait(ours, result_.waiting, arrival, booked.ready.value_or(end));
                wait(theirs, result_.waiting_at_join, arrival, at_join.at(id));
                wait(theirs_in_outage, result_.waiting_in_outage, arrival, in_outage.at(id));
            }
        }
        result_.waited = ours.people;
        result_.waited_at_join = theirs.people;
        result_.waited_in_outage = theirs_in_outage.people;
        result_.longest_wait = ours.longest;
        result_.longest_wait_at_join = theirs.longest;
        result_.longest_wait_in_outage = theirs_in_outage.longest;
    }

    FullHourOptions options_;
    FullHour result_;
    Dice dice_;
    Folder folder_;
    std::string database_ = folder_.file("usher.db");
    VirtualClock clock_;
    Story story_;
    MemoryVfs vfs_;
    Network network_;
    DiceSource random_;
    Events events_;
    Oracle oracle_;
    Setting setting_;
    std::map<std::string, Booked> meetings_;
    std::unique_ptr<SQLite::Database> platform_;
    std::unique_ptr<SQLite::Database> reader_;
    std::map<std::string, std::unique_ptr<SQLite::Statement>> statements_;
    std::optional<SQLite::Statement> changed_;
    std::unique_ptr<Daemon> daemon_;
    std::int64_t seen_ = 0;
    ProcessId processes_ = 0;
};

} // namespace

FullHour run_full_hour(FullHourOptions options)
{
    return Hour{options}.run();
}

std::string to_text(FullHour const& hour)
{
    const auto line = [](char const* what, std::int64_t people, std::int64_t longest) {
        return std::string{what} + ": " + std::to_string(people) + " people wait, the longest " +
               std::to_string(longest) + " s\n";
    };
    const auto sum = [](std::vector<int> const& values) {
        return std::to_string(std::accumulate(values.begin(), values.end(), std::int64_t{0}));
    };
    const auto ten_minute = static_cast<std::size_t>(hour.ten);
    std::string text = "meetings: " + sum(hour.booked) + ", ready: " + sum(hour.ready) +
                       ", tokens signed: " + sum(hour.signed_tokens) + ", calls: " + sum(hour.calls) +
                       ", starts of usherd: " + std::to_string(hour.starts) +
                       ", rows checked: " + std::to_string(hour.rows_checked) +
                       ", violations: " + std::to_string(hour.violations.size()) + "\n";
    text += "most in one minute: " +
            std::to_string(*std::max_element(hour.signed_tokens.begin(), hour.signed_tokens.end())) + " tokens, " +
            std::to_string(*std::max_element(hour.calls.begin(), hour.calls.end())) + " calls\n";
    text += line("with usher", hour.waited, hour.longest_wait);
    text += line("made at join", hour.waited_at_join, hour.longest_wait_at_join);
    text +=
        line("made at join, the vendor away from 9:50 to 10:10", hour.waited_in_outage, hour.longest_wait_in_outage);
    text += "with usher, not ready at 9:50: " + std::to_string(hour.not_ready_at_outage) + " meetings\n";
    text += "live at ten: " + std::to_string(hour.live.at(ten_minute)) +
            ", of these good to their end without usher and vendor: " + std::to_string(hour.covered.at(ten_minute)) +
            "\n";
    for (std::string const& violation : hour.violations)
        text += "violation: " + violation + "\n";
    return text;
}

} // namespace usher::simulation
