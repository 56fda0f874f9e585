// SPDX-License-Identifier: Apache-2.0
#include "simulation/full_hour.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>

#include "simulation/connection.hpp"
#include "simulation/scene.hpp"

namespace usher::simulation {

namespace {

using namespace std::chrono_literals;

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

class Hour : Scene {
public:
    explicit Hour(FullHourOptions options) : Scene{options.seed, false}, options_{options}
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
        run_until(
            Instant{} + end, [] { return true; }, [this] { return step(); }
        );
        tell_waits();
        for (Violation const& violation : oracle.violations())
            result_.violations.push_back(violation.promise + " " + violation.meeting_id + ": " + violation.what);
        result_.rows_checked = oracle.rows_seen();
        daemon_.reset();
        reader_.reset();
        platform_.reset();
        oracle.close();
        return std::move(result_);
    }

private:
    void begin()
    {
        vfs.run_as(new_process());
        make_database(database, std::string(64, '5'), std::string(32, '7'));
        setting_.projects = {{"default", "123456", "secret"}};
        setting_.pace = {20, vendor_rate, vendor_rate};
        network.vendor.add_opentok("123456", "secret");
        network.quota = vendor_rate;
        network.latency_max = vendor_latency; // there and back, each half of it on average
        oracle.configure(setting_);
        platform_ = std::make_unique<Connection>(database, SQLite::OPEN_READWRITE, 5000);
        vfs.run_as(new_process());
        reader_ = std::make_unique<Connection>(database, SQLite::OPEN_READONLY);
        oracle.open(processes);
        book();
        start_daemon();
        at(outage_from, [this] { network.vendor.behaviour.outage = vendor::Outage::unavailable; });
        at(outage_to, [this] { network.vendor.behaviour.outage = vendor::Outage::none; });
        at(killed_at, [this] {
            vfs.kill(daemon_->process());
            daemon_.reset();
            oracle.set_sound(false);
            events.after(restart_after, [this] { start_daemon(); });
        });
        at(clock_back_at, [this] { set_clock(clock_step); });
        at(clock_right_at, [this] { set_clock(Duration::zero()); });
        at(ten, [this] { look_how_long_it_lasts(); });
    }

    void at(Duration when, std::function<void()> what) { events.at(Instant{} + when, std::move(what)); }
    static std::size_t minute(Duration when) { return static_cast<std::size_t>(when / Duration{1min}); }
    Duration now() const { return clock.steady_now() - Instant{}; }

    void book()
    {
        for (int i = 0; i < options_.meetings; ++i) {
            Booked booked{"m" + std::to_string(i)};
            booked.at = first_booking + Duration{dice.below((ten - first_booking).count())};
            booked.ends = ten + dice.between(1, 4) * Duration{30min};
            for (int person = 0; person < options_.people; ++person)
                booked.arrivals.push_back(
                    std::max(arrivals_from + Duration{dice.below(arrivals.count())}, booked.at + from_booking_to_door)
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
        const auto instant = [](Duration when) {
            return unix_seconds(first_midnight + std::chrono::floor<seconds>(when));
        };
        platform_->exec("BEGIN IMMEDIATE");
        {
            const Question meeting = platform_->ask("INSERT INTO meeting (id, starts_at, ends_at) VALUES (?, ?, ?)");
            meeting->bind(1, booked.id);
            meeting->bind(2, instant(ten));
            meeting->bind(3, instant(booked.ends));
            meeting->exec();
        }
        for (int i = 0; i < options_.people; ++i) {
            const Question person =
                platform_->ask("INSERT INTO participant (meeting_id, participant_id, role) VALUES (?, ?, 'publisher')");
            person->bind(1, booked.id);
            person->bind(2, "p" + std::to_string(i));
            person->exec();
        }
        platform_->exec("COMMIT");
        events.after(1ms, [this] {
            if (daemon_)
                daemon_->notice();
        });
    }

    void start_daemon()
    {
        ++result_.starts;
        daemon_ = make_daemon(new_process(), setting_, "daemon " + std::to_string(result_.starts), database);
    }

    void set_clock(Duration offset)
    {
        clock.set_offset(offset);
        oracle.set_sound(false);
        daemon_->clock_was_set();
    }

    bool step()
    {
        if (!daemon_)
            return false;
        const std::int64_t writes = vfs.log_writes();
        const std::int64_t times_done = daemon_->times_done();
        const auto calls = network.vendor.requests().size();
        const std::int64_t tokens = daemon_->tokens_published();
        const bool worked = daemon_->step();
        result_.signed_tokens.at(minute(now())) += static_cast<int>(daemon_->tokens_published() - tokens);
        if (daemon_->times_done() != times_done && clock.offset() == Duration::zero())
            oracle.set_sound(true);
        result_.calls.at(minute(now())) += static_cast<int>(network.vendor.requests().size() - calls);
        if (vfs.log_writes() != writes) {
            oracle.look();
            look();
        }
        if (daemon_->is_over())
            throw std::runtime_error{"usherd ends by itself"};
        return worked;
    }

    /// What has changed since the last look.
    void look()
    {
        const Question changed = reader_->ask(
            "SELECT meeting_id, seq, state, session_no, staged_no, due_at FROM agenda WHERE seq > ? ORDER BY seq"
        );
        changed->bind(1, seen_);
        while (changed->executeStep()) {
            seen_ = changed->getColumn(1).getInt64();
            Booked& booked = meetings_.find(changed->getColumn(0).getString())->second;
            const bool has_session = !changed->getColumn(3).isNull() || !changed->getColumn(4).isNull();
            if (has_session && !booked.made) {
                booked.made = now();
                ++result_.made.at(minute(now()));
            }
            if (changed->getColumn(2).getString() == "ready" && !booked.ready) {
                booked.ready = now();
                ++result_.ready.at(minute(now()));
            }
        }
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
            const Duration lasts = seconds{until - unix_seconds(first_midnight)};
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
    Setting setting_;
    std::map<std::string, Booked> meetings_;
    std::unique_ptr<Connection> platform_;
    std::unique_ptr<Connection> reader_;
    std::unique_ptr<Daemon> daemon_;
    std::int64_t seen_ = 0;
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
