// SPDX-License-Identifier: Apache-2.0
#include "simulation/world.hpp"

#include <algorithm>
#include <exception>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <usher/core/certain_time.hpp>
#include <usher/service/log_event.hpp>
#include <usher/store/database.hpp>

#include "simulation/daemon.hpp"
#include "simulation/events.hpp"
#include "simulation/folder.hpp"
#include "simulation/memory_vfs.hpp"
#include "simulation/network.hpp"
#include "simulation/operators.hpp"
#include "simulation/oracle.hpp"
#include "simulation/platform.hpp"
#include "simulation/story.hpp"
#include "support/sqlite/outcome.hpp"

namespace usher::simulation {

namespace {

using namespace std::chrono_literals;

constexpr sys_seconds start{1'800'000'000s - 1'800'000'000s % std::chrono::seconds{86400}};
constexpr Duration calm_at_the_end = 4h + 10min; // ends at an instant at which nothing begins or ends
constexpr Duration recovery = 45min;             // after a trouble, until all is well again
constexpr std::int64_t faults_a_day = 4;
constexpr int commands_a_day = 3;
constexpr Duration lock_held_max = 10ms;
constexpr Duration gap_error = 50us;     // the daemon does not know to the microsecond for how long it held the lock
constexpr Duration clock_error_max = 8s; // that changes nothing
constexpr std::int64_t rounds_an_hour = 3000; // that a daemon may take at most, beside those for edits
constexpr std::int64_t rounds_an_edit = 60;
constexpr std::int64_t failed_calls_max = 400; // in half an hour, of all projects

/// What usherd says, as events of the story; the folder's name is another one in each run. What it says at `debug` is
/// heard, so that saying it is tried too, and left out.
class StorySink final : public LogSink {
public:
    StorySink(Story& story, std::string database) : story_{story}, database_{std::move(database)}
    {
        set_log_sink(this, LogSeverity::debug);
    }
    ~StorySink() override { set_log_sink(nullptr); }
    StorySink(StorySink const&) = delete;
    StorySink& operator=(StorySink const&) = delete;

    void take(LogEvent const& event, LogFields const& fields) override
    {
        if (event.severity == LogSeverity::debug)
            return;
        std::string text = log_message(event, fields);
        for (auto at = text.find(database_); at != std::string::npos; at = text.find(database_))
            text.replace(at, database_.size(), "usher.db");
        story_.tell("usherd: " + text);
    }

private:
    Story& story_;
    std::string database_;
};

constexpr char application[] = "29f760f8-7ce1-46c9-ade3-f2dedee4ed5f";

/// Nobody else's.
std::string private_key()
{
    std::ifstream file{USHER_SIMULATION_KEY};
    std::string pem{std::istreambuf_iterator<char>{file}, {}};
    if (pem.empty())
        throw std::runtime_error{"cannot read " USHER_SIMULATION_KEY};
    return pem;
}

std::string hex(Dice& dice, int digits)
{
    std::string text;
    while (static_cast<int>(text.size()) < digits)
        text += "0123456789abcdef"[dice.below(16)];
    return text;
}

bool may_free_session(std::string const& statement)
{
    for (char const* const part :
         {"media_mode", "project", "session_id", "'cancelled'", "replace_session", "DELETE FROM meeting"})
        if (statement.find(part) != std::string::npos)
            return true;
    return false;
}

class Month {
public:
    explicit Month(MonthOptions options)
        : options_{std::move(options)},
          dice_{options_.seed},
          span_{options_.days * Duration{24h}},
          clock_{start},
          story_{clock_, options_.is_told},
          vfs_{clock_, dice_.next()},
          network_{clock_, story_, dice_.next()},
          random_{dice_.next()},
          events_{clock_},
          oracle_{clock_, vfs_, story_, network_, database_},
          operators_{vfs_, clock_, story_, database_, [this](std::string const& meeting, std::string const& what) {
                         oracle_.report("run", meeting, what);
                     }}
    {
        for (const std::string name : {"a", "b"})
            platforms_.push_back(std::make_unique<Platform>(
                events_, clock_, vfs_, story_, dice_.fork(), database_, name,
                [this](std::string const& meeting, std::vector<std::string> const& statements) {
                    committed(meeting, statements);
                }
            ));
    }

    MonthResult run()
    {
        random_.before_next = [this] { meanwhile(); };
        vfs_.on_release = [this](ProcessId process, Instant from) { released(process, from); };
        network_.on_call = [this] {
            if (std::exchange(recovery_at_call_, false))
                begin_recovery();
        };
        operators_.on_rotation = [this](std::string const& meeting) { oracle_.asked_to_rotate(meeting); };
        network_.on_disconnect = [this](std::string const& session) {
            if (sound_ && is_calm())
                oracle_.check_disconnect(session);
        };
        begin();
        try {
            const Duration until =
                options_.until ? std::chrono::duration_cast<Duration>(*options_.until * 24.0h) : span_;
            run_until(Instant{} + std::min(until, span_));
            calm_down();
            run_until(clock_.steady_now() + calm_at_the_end);
            if (oracle_.violations().size() < options_.violations_max)
                wait_for_platforms();
            final_check();
            if (oracle_.violations().empty())
                compare_with_twin();
        } catch (std::exception const& error) {
            oracle_.report("run", "", std::string{"the simulation stops: "} + error.what());
        }
        daemon_.reset();
        second_.reset();
        twin_.reset();
        forget_reader();
        snapshot_.reset();
        backup_.reset();
        for (auto const& platform : platforms_)
            platform->close();
        oracle_.close();
        return result();
    }

    struct FaultKind {
        char const* name; ///< As in --without.
        int weight;
        void (Month::*begin)();
    };

    static std::vector<FaultKind> const& fault_kinds()
    {
        static const std::vector<FaultKind> kinds{
            {"kill", 3, &Month::kill},
            {"death-at-operation", 3, &Month::plan_death},
            {"read-errors", 1, &Month::fail_reads},
            {"write-errors", 1, &Month::fail_writes},
            {"checkpoint-errors", 1, &Month::fail_checkpoints},
            {"short-write", 1, &Month::write_short},
            {"disk-full", 1, &Month::fill_disk},
            {"sync-errors", 1, &Month::fail_syncs},
            {"lock-held", 1, &Month::have_lock_held},
            {"power", 2, &Month::lose_power},
            {"power-at-operation", 1, &Month::plan_power_loss},
            {"outage", 2, &Month::outage},
            {"vendor-chance", 3, &Month::chance_failures},
            {"odd-answers", 3, &Month::answer_oddly},
            {"quota", 1, &Month::dip_quota},
            {"garble", 1, &Month::garble_answers},
            {"same-ids", 1, &Month::repeat_ids},
            {"clock-step", 3, &Month::step_clock},
            {"suspend", 1, &Month::suspend},
            {"drift", 1, &Month::drift},
            {"reload", 2, &Month::reload},
            {"key", 1, &Month::rotate_key},
            {"second-daemon", 1, &Month::start_second},
            {"restore", 1, &Month::restore},
            {"drop", 2, &Month::drop_something},
            {"unmarked-edit", 2, &Month::edit_unmarked},
            {"lost-notices", 1, &Month::lose_notices},
            {"platform-holds-lock", 1, &Month::hold_lock},
            {"recovery", 1, &Month::recover},
            {"odd-daemon-row", 1, &Month::write_odd_daemon_row},
            {"snapshot", 2, &Month::hold_snapshot},
            {"forged-session", 1, &Month::forge_session},
            {"odd-rows", 2, &Month::write_odd_rows},
            {"bad-reload", 1, &Month::reload_in_vain},
            {"damaged-page", 1, &Month::damage_page},
            {"stop", 1, &Month::stop}};
        return kinds;
    }

private:
    void begin()
    {
        vfs_.run_as(++processes_);
        std::ofstream{database_ + ".key"} << hex(dice_, 64) << "\n";
        std::ofstream{database_ + ".mark"} << hex(dice_, 32) << " 0\n";
        create_database(database_, FileAccess::group);
        objects_ = objects_of(reader());
        setting_.policy.retention = std::chrono::days{10};
        setting_.policy.disconnect_at_close = setting_.policy.disconnect_on_cancel = !options_.calm;
        setting_.projects = {
            {"default", "123456", "secret"},
            {"second", "654321", "secret", ProjectSetting::Kind::sandbox},
            {"spare", "777", "secret"},
            {"mobile", application, private_key(), ProjectSetting::Kind::vonage}};
        network_.vendor.add_vonage(application, private_key());
        network_.vendor.add_opentok("123456", "secret");
        network_.vendor.add_opentok("777", "secret");
        oracle_.configure(setting_);
        open_all();
        PlatformSetting setting{options_.days * 7 + 5, options_.calm, {}, options_.without, options_.only_meetings};
        platforms_[0]->plan(setting, span_);
        setting.meetings = options_.days * 3;
        setting.others = platforms_[0]->ids();
        platforms_[1]->plan(setting, span_);
        start_daemon();
        events_.after(30min, [this] { half_hour(); });
        if (!options_.calm) {
            plan_faults();
            plan_operators();
        }
    }

    void plan_operators()
    {
        for (int number = 0; number < options_.days * commands_a_day; ++number) {
            Dice dice = dice_.fork();
            events_.after(Duration{dice.below(span_.count())}, [this, dice] {
                if (!blind_ && !damaged_)
                    operators_.act(++processes_, setting_.policy, dice);
            });
        }
    }

    /// Somebody edits while the daemon is in the middle of its work.
    void meanwhile()
    {
        clock_.charge(2us);
        const bool is_rotating = clock_.steady_now() < rotates_until_;
        if (meanwhile_dice_.one_in(is_rotating ? 5 : 30) && !in_between_) {
            in_between_ = true;
            events_.hurry(3h);
            in_between_ = false;
        }
    }

    /// P11. A platform writes when it commits something, while the daemon could see it.
    void released(ProcessId process, Instant from)
    {
        if (twin_) // writes to another file
            return;
        const bool is_ours = process == ours_;
        const Instant now = clock_.steady_now();
        const bool has_written = std::exchange(log_writes_, vfs_.log_writes()) != vfs_.log_writes();
        if (!is_ours) {
            if (daemon_before_ != process && has_written) // nor an earlier daemon's
                others_wrote_ = now;
            return;
        }
        const Duration held = now - from;
        most_held_ = std::max(most_held_, held);
        if (held > lock_held_max && !has_large_rows_) // a row of a megabyte takes as long as a thousand
            oracle_.report("P11", "", "the lock was held for " + std::to_string(held / 1us) + " us");
        const bool beside_a_writer = others_wrote_ < released_at_ && from - others_wrote_ < 1s;
        if (beside_a_writer && from - released_at_ < 2 * held_ - gap_error && daemon_before_ == process)
            oracle_.report(
                "P11", "",
                "the lock was taken after " + std::to_string((from - released_at_) / 1us) +
                    " us, though it was held for " + std::to_string(held_ / 1us) + " us beside a platform that writes"
            );
        daemon_before_ = process;
        released_at_ = now;
        held_ = held;
    }

    void open_all()
    {
        const ProcessId users = ++processes_;
        for (auto const& platform : platforms_)
            platform->open(users);
        oracle_.open(users);
    }

    /// Everything that happens until then, in its order.
    void run_until(Instant end)
    {
        while (clock_.steady_now() < end && oracle_.violations().size() < options_.violations_max) {
            if (events_.happen())
                continue;
            if (step(daemon_) || step(second_) || (twin_ && twin_->step()))
                continue;
            if (clock_.fire())
                continue;
            std::optional<Instant> next = clock_.next();
            if (const auto event = events_.next())
                next = std::min(next.value_or(*event), *event);
            clock_.jump(std::min(next.value_or(end), end));
        }
    }

    bool step(std::unique_ptr<Daemon>& daemon)
    {
        if (!daemon)
            return false;
        const std::int64_t writes = vfs_.log_writes();
        const ProcessId process = daemon->process();
        const std::int64_t own_writes = vfs_.log_writes_of(process);
        const std::int64_t times_done = daemon->times_done();
        const std::int64_t rounds = daemon->rounds();
        const bool worked = daemon->step();
        rounds_ += daemon->rounds() - rounds;
        if (daemon->rounds() != rounds)
            check_rounds();
        // What is gone from the schema is put back by whoever sees it.
        const bool wrote = vfs_.log_writes_of(process) != own_writes;
        if (wrote && process != owner_ && !blind_ && !restored_beside_another_)
            oracle_.report("P10", "", "a daemon writes though another has taken over");
        if (daemon == daemon_ && daemon->times_done() != times_done)
            become_sound();
        if (vfs_.power_losses() != losses_) {
            come_back();
            return true;
        }
        if (vfs_.log_writes() != writes)
            oracle_.look();
        if (daemon->is_over()) {
            bury(daemon);
            return true;
        }
        return worked;
    }

    /// Views, triggers and indexes: what usherd puts back.
    static std::int64_t objects_of(SQLite::Database& database)
    {
        SQLite::Statement count{
            database, "SELECT count(*) FROM sqlite_master WHERE type IN ('view', 'trigger') OR (type = 'index' AND sql "
                      "LIKE 'CREATE INDEX%')"};
        count.executeStep();
        return count.getColumn(0).getInt64();
    }

    void become_sound()
    {
        if (sound_ || std::chrono::abs(clock_.offset()) > clock_error_max || daemon_->is_damaged() || damaged_)
            return;
        if (blind_ && objects_of(reader()) < objects_) // dropped after that round had looked at the schema
            return;
        sound_ = true;
        blind_ = false;
        oracle_.set_blind(false);
        oracle_.set_sound(true);
    }

    void disturb()
    {
        sound_ = false;
        oracle_.set_sound(false);
    }

    void trouble(Duration span) { trouble_until_ = std::max(trouble_until_, clock_.steady_now() + span + recovery); }
    bool is_calm() const { return clock_.steady_now() >= trouble_until_; }

    void start_daemon()
    {
        if (daemon_)
            return;
        disturb();
        oracle_.configure(setting_);
        const ProcessId process = ++processes_;
        if (!quiet_ && dice_.one_in(6)) { // while all that it needs is still on the disk
            const DiskFault fault =
                dice_.some({DiskFault::death, DiskFault::death, DiskFault::read_error, DiskFault::write_error});
            vfs_.plan(process, fault, dice_.between(1, 300));
            may_fail_until_ = std::max(may_fail_until_, clock_.steady_now() + 20min);
            end_after(20min, disk_no_, [this] { vfs_.forget_plans(); });
        }
        try {
            ++starts_;
            story_.tell("usherd starts");
            ours_ = process;
            others_wrote_ = Instant{} - 1h; // it cannot know who wrote before it
            daemon_ = std::make_unique<Daemon>(
                Surroundings{clock_, vfs_, network_, random_, database_}, process, setting_,
                "daemon " + std::to_string(starts_)
            );
            owner_ = process;
            restored_beside_another_ = restored_beside_another_ && second_;
        } catch (std::exception const&) {
            if (vfs_.is_dead(process))
                story_.tell("usherd dies at its start");
            else
                judge_failure(std::current_exception());
            events_.after(1s, [this] { start_daemon(); });
        }
    }

    void bury(std::unique_ptr<Daemon>& daemon)
    {
        const bool is_first = daemon == daemon_;
        const bool died = daemon->is_dead();
        story_.tell(died ? "usherd is dead" : "usherd has ended");
        if (!died && daemon->failure())
            judge_failure(daemon->failure());
        daemon.reset();
        if (is_first) {
            trouble(0s);
            disturb();
            events_.after(Duration{dice_.between(100, 3000) * Duration{1ms}}, [this] { start_daemon(); });
        }
    }

    /// A daemon fails for a reason only.
    void judge_failure(std::exception_ptr const& failure)
    {
        std::string what = "not an exception";
        try {
            std::rethrow_exception(failure);
        } catch (DatabaseBusy const&) {
            story_.tell("usherd finds the database busy");
            return;
        } catch (Fenced const&) {
            story_.tell("usherd finds that another has taken over");
            if (clock_.steady_now() >= fenced_until_)
                oracle_.report("P10", "", "usherd is fenced though nobody took over");
            return;
        } catch (std::exception const& error) {
            what = error.what();
        }
        for (auto at = what.find(database_); at != std::string::npos; at = what.find(database_))
            what.replace(at, database_.size(), "usher.db");
        story_.tell("usherd fails: " + what);
        if (clock_.steady_now() >= may_fail_until_)
            oracle_.report("run", "", "usherd fails for no reason: " + what);
    }

    void committed(std::string const& meeting, std::vector<std::string> const& statements)
    {
        ++edits_in_this_hour_;
        if (daemon_ && !(notices_get_lost_ && dice_.one_in(2)))
            events_.after(Duration{dice_.below(400'000)}, [this] {
                if (daemon_)
                    daemon_->notice();
            });
        if (std::any_of(statements.begin(), statements.end(), may_free_session))
            oracle_.free(meeting);
        if (statements.front().find("status = 'cancelled'") != std::string::npos)
            oracle_.cancelled(meeting);
        if (statements.front().find("'rotate'") != std::string::npos && statements.front().starts_with("INSERT")) {
            oracle_.asked_to_rotate(meeting);
            // While that is signed, maybe, somebody edits: what no token depends on, or the meeting's doors.
            rotates_until_ = clock_.steady_now() + 1s;
            const std::string what = meanwhile_dice_.one_in(2) ? "title = 'y' || title"
                                                               : "early_join = CASE early_join WHEN 600 THEN 660 ELSE "
                                                                 "600 END";
            events_.about(rotates_until_, [this, meeting, what] {
                platforms_[0]->edit(meeting, {"UPDATE meeting SET " + what + " WHERE id = '" + meeting + "'"});
            });
        }
        if (statements.front().find("'replace_session'") != std::string::npos)
            oracle_.asked_to_replace(meeting);
        oracle_.check(meeting);
    }

    void check_rounds()
    {
        const std::int64_t rounds = rounds_ - rounds_before_;
        if (spins_ || rounds <= rounds_an_hour / 2 + rounds_an_edit * edits_in_this_hour_)
            return;
        spins_ = true;
        oracle_.report(
            "spin", "",
            "a daemon took " + std::to_string(rounds) + " rounds for " + std::to_string(edits_in_this_hour_) + " edits"
        );
        options_.violations_max = 1; // the rest of the month would take for ever
    }

    /// A vendor that is away is asked now and then.
    void check_calls()
    {
        const std::int64_t failed = network_.calls_failed();
        const std::int64_t now = failed - std::exchange(failed_before_, failed);
        most_failed_ = std::max(most_failed_, now);
        if (now > failed_calls_max)
            oracle_.report("pace", "", std::to_string(now) + " calls failed within half an hour");
    }

    void half_hour()
    {
        events_.after(30min, [this] { half_hour(); });
        check_rounds();
        check_calls();
        if (sound_)
            oracle_.check_views();
        spins_ = false;
        rounds_before_ = rounds_;
        edits_in_this_hour_ = 0;
        ++half_hours_;
        sound_half_hours_ += sound_ ? 1 : 0;
        if (sound_ && !blind_)
            look_at_what_is_live();
        if (is_calm() && sound_ && !blind_) {
            ++calm_half_hours_;
            look_at_doors();
            oracle_.check_rotations(recovery);
        }
        if (clock_.true_now().time_since_epoch() % 24h < 30min) {
            oracle_.check_all(false);
            if (is_calm() && sound_)
                oracle_.check_upkeep();
        }
    }

    /// What people join now, or soon, is looked at again, though nothing was published; and somebody comes.
    void look_at_what_is_live()
    {
        std::vector<std::pair<std::string, std::string>> live; // its session, if it began not long ago
        {
            const Question question{question_of(
                live_, "SELECT a.meeting_id, iif(a.opens > ?1 - 7200, s.session_id, '') FROM agenda a JOIN session s "
                       "USING (session_no) WHERE a.state = 'ready' AND a.opens < ?1 + 3600 AND a.closes > ?1 "
                       "ORDER BY a.meeting_no"
            )};
            SQLite::Statement& query = question.statement;
            query.bind(1, unix_seconds(clock_.now()));
            while (query.executeStep())
                live.emplace_back(query.getColumn(0).getString(), query.getColumn(1).getString());
        }
        const auto now = std::chrono::floor<std::chrono::milliseconds>(clock_.true_time());
        for (auto const& [meeting, session] : live) {
            oracle_.check(meeting);
            if (!session.empty())
                network_.vendor.connect(session, now);
        }
    }

    /// After a calm, whoever comes when his meeting starts is served.
    void look_at_doors()
    {
        const Question question{question_of(
            at_the_door_,
            "SELECT m.id, coalesce(a.state, 'unknown'), coalesce(a.reason, ''), coalesce(a.next_at - ?1, 0), "
            "coalesce(a.due_at - ?1, 0) FROM meeting m LEFT JOIN agenda a ON a.meeting_id = m.id WHERE "
            "m.status = 'scheduled' AND m.starts_at > ?1 - 1800 AND m.starts_at <= ?1 AND m.ends_at > ?1 AND "
            "coalesce(a.state, 'unknown') NOT IN ('ready', 'ended')"
        )};
        SQLite::Statement& query = question.statement;
        query.bind(1, unix_seconds(clock_.now()));
        while (query.executeStep()) {
            const std::string meeting = query.getColumn(0).getString();
            const std::string reason = query.getColumn(2).getString();
            if (reason == "unknown_project" || reason == "session_of_another_project" || reason == "row_invalid")
                continue;
            bool is_fresh = false;
            for (auto const& platform : platforms_)
                if (const auto edited = platform->edited_at(meeting))
                    is_fresh = is_fresh || clock_.steady_now() - *edited < 5min;
            if (!is_fresh)
                oracle_.report(
                    "P1", meeting,
                    "starts, and is " + query.getColumn(1).getString() + " " + reason +
                        " after a calm; next attempt in " + query.getColumn(3).getString() + " s, due in " +
                        query.getColumn(4).getString() + " s"
                );
        }
    }

    /// Rewound when it is answered: else it keeps its snapshot.
    struct Question {
        explicit Question(SQLite::Statement& of) : statement{of} {}
        Question(Question const&) = delete;
        Question& operator=(Question const&) = delete;
        ~Question() { statement.tryReset(); }

        SQLite::Statement& statement;
    };

    /// One that is asked so often that it is prepared once.
    SQLite::Statement& question_of(std::optional<SQLite::Statement>& kept, char const* sql)
    {
        if (!kept)
            kept.emplace(reader(), sql);
        return *kept;
    }

    void forget_reader()
    {
        live_.reset();
        at_the_door_.reset();
        reader_.reset();
    }

    SQLite::Database& reader()
    {
        if (!reader_) {
            const As as{vfs_, ++processes_};
            reader_ = std::make_unique<SQLite::Database>(database_, SQLite::OPEN_READWRITE);
        }
        return *reader_;
    }

    static FaultKind const& some_fault(Dice& dice)
    {
        int weights = 0;
        for (FaultKind const& kind : fault_kinds())
            weights += kind.weight;
        std::int64_t place = dice.below(weights);
        auto kind = fault_kinds().begin();
        while ((place -= kind->weight) >= 0)
            ++kind;
        return *kind;
    }

    /// Each has dice of its own: one that is left out changes nothing of the others.
    void plan_faults()
    {
        for (int number = 1; number <= options_.days * faults_a_day; ++number) {
            Dice dice = dice_.fork();
            const Duration when{dice.below(span_.count())};
            FaultKind const& kind = some_fault(dice);
            const bool is_wanted = !options_.only_faults || options_.only_faults->contains(number);
            if (!is_wanted || options_.without.contains(kind.name))
                continue;
            faults_planned_.push_back(number);
            events_.after(when, [this, &kind, number, dice] {
                if (quiet_)
                    return;
                fault_dice_ = dice;
                story_.tell("fault " + std::to_string(number) + ": " + kind.name);
                ++faults_by_kind_[kind.name];
                (this->*kind.begin)();
            });
        }
        for (int day = 0; day < options_.days; day += 3)
            events_.after(day * Duration{24h} + Duration{dice_.below(Duration{24h}.count())}, [this] {
                if (!blind_)
                    back_up();
            });
    }

    Duration some_time(Duration low, Duration high) { return low + Duration{fault_dice_.below((high - low).count())}; }

    void tell_fault(std::string const& what)
    {
        ++faults_;
        story_.tell("FAULT " + what);
    }

    /// Ends a trouble, unless another of its kind began meanwhile.
    void end_after(Duration span, std::uint64_t& kind, std::function<void()> end)
    {
        trouble(span);
        const std::uint64_t mine = ++kind;
        events_.after(span, [&kind, mine, end = std::move(end)] {
            if (kind == mine)
                end();
        });
    }

    void plan_death()
    {
        plan_on_disk("the daemon will die at some operation", DiskFault::death, fault_dice_.between(1, 400), 1);
    }
    void fail_reads()
    {
        plan_on_disk("reads fail", DiskFault::read_error, fault_dice_.between(1, 60), fault_dice_.between(1, 9));
    }
    void fail_writes()
    {
        plan_on_disk("writes fail", DiskFault::write_error, fault_dice_.between(1, 30), fault_dice_.between(1, 9));
    }
    void fail_checkpoints()
    {
        plan_on_disk("what is in the log cannot be moved", DiskFault::checkpoint_error, fault_dice_.between(1, 9), 1);
    }
    void write_short() { plan_on_disk("a write is short", DiskFault::short_write, fault_dice_.between(1, 30), 1); }
    void fill_disk()
    {
        plan_on_disk("the disk is full", DiskFault::full, fault_dice_.between(1, 30), fault_dice_.between(1, 90));
    }
    void fail_syncs()
    {
        plan_on_disk("syncs fail", DiskFault::sync_error, fault_dice_.between(1, 9), fault_dice_.between(1, 9));
    }
    void have_lock_held()
    {
        plan_on_disk("the lock is held", DiskFault::busy, fault_dice_.between(1, 9), fault_dice_.between(1, 5000));
    }
    void plan_power_loss()
    {
        plan_on_disk("power will fail at some operation", DiskFault::power_loss, fault_dice_.between(1, 400), 1);
    }

    void lose_notices()
    {
        tell_fault("notices get lost");
        notices_get_lost_ = true;
        end_after(some_time(10min, 2h), lost_notices_no_, [this] { notices_get_lost_ = false; });
    }

    void stop()
    {
        tell_fault("usherd is told to stop");
        if (daemon_)
            daemon_->stop();
        trouble(0s);
    }

    void kill()
    {
        if (!daemon_)
            return;
        tell_fault("usherd is killed");
        const std::optional<std::string> before = oracle_.published();
        vfs_.kill(daemon_->process());
        bury(daemon_);
        if (before && oracle_.published() != before)
            oracle_.report("P7", "", "what was published is another after the daemon was killed");
    }

    void plan_on_disk(char const* what, DiskFault fault, std::int64_t nth, std::int64_t times)
    {
        if (!daemon_)
            return;
        tell_fault(what);
        vfs_.plan(daemon_->process(), fault, nth, times);
        may_fail_until_ = std::max(may_fail_until_, clock_.steady_now() + 20min);
        end_after(20min, disk_no_, [this] { vfs_.forget_plans(); });
    }

    void lose_power()
    {
        tell_fault("power fails");
        const std::optional<std::string> before = oracle_.published();
        vfs_.power_loss();
        come_back();
        if (before && oracle_.published() != before)
            oracle_.report("P7", "", "what was published is another after a power loss");
    }

    void come_back()
    {
        story_.tell("the machine is up again");
        losses_ = vfs_.power_losses();
        trouble(0s);
        if (daemon_)
            bury(daemon_);
        if (second_)
            bury(second_);
        forget_reader();
        snapshot_.reset();
        for (auto const& platform : platforms_)
            platform->close();
        oracle_.close();
        open_all();
        oracle_.check_survival();
    }

    void outage()
    {
        tell_fault("the vendor is away");
        if (fault_dice_.one_in(2))
            network_.vendor.behaviour.outage = fault_dice_.some({vendor::Outage::unavailable, vendor::Outage::refused});
        else
            network_.way_is_broken = true;
        end_after(some_time(1min, 90min), outage_no_, [this] {
            end_outage();
            story_.tell("the vendor is back");
        });
    }

    void end_outage()
    {
        network_.vendor.behaviour.outage = vendor::Outage::none;
        network_.way_is_broken = false;
    }

    void answer_oddly()
    {
        tell_fault("some answers are odd");
        for (int i = 0; i < 5; ++i)
            network_.odd.push_back(odd_answers()[static_cast<std::size_t>(fault_dice_.below(std::ssize(odd_answers())))]
            );
        end_after(some_time(1h, 6h), odd_no_, [this] { network_.odd.clear(); });
    }

    void chance_failures()
    {
        tell_fault("the vendor fails by chance");
        vendor::Behaviour& behaviour = network_.vendor.behaviour;
        behaviour.chance = static_cast<double>(fault_dice_.between(2, 9)) / 10;
        behaviour.by_chance.clear();
        using Kind = vendor::FaultKind;
        for (const Kind kind :
             {Kind::delay, Kind::too_many, Kind::server_error, Kind::bad_gateway, Kind::unavailable,
              Kind::gateway_timeout, Kind::reset_connect, Kind::reset_before, Kind::reset_after, Kind::half_body,
              Kind::wrong_type, Kind::xml, Kind::empty_array, Kind::missing_id, Kind::skewed_date, Kind::echo})
            if (fault_dice_.one_in(3))
                behaviour.by_chance.push_back(vendor::fault_of(kind));
        end_after(some_time(10min, 3h), chance_no_, [this] {
            network_.vendor.behaviour.chance = 0;
            story_.tell("the vendor is well");
        });
    }

    void dip_quota()
    {
        tell_fault("the vendor allows less");
        network_.quota = fault_dice_.below(3);
        end_after(some_time(10min, 2h), quota_no_, [this] { network_.quota = 1000; });
    }

    void garble_answers()
    {
        tell_fault("answers are late, and requests arrive twice");
        network_.twice_in_a_hundred = static_cast<int>(fault_dice_.between(10, 60));
        network_.late_in_a_hundred = static_cast<int>(fault_dice_.between(0, 60));
        end_after(some_time(10min, 3h), garble_no_, [this] {
            network_.twice_in_a_hundred = network_.late_in_a_hundred = 0;
        });
    }

    void repeat_ids()
    {
        tell_fault("the vendor gives one id again and again");
        network_.vendor.behaviour.repeats = "123456";
        end_after(some_time(1h, 5h), repeat_no_, [this] { network_.vendor.behaviour.repeats.clear(); });
    }

    void set_clock(Duration offset)
    {
        // A clock that has been wrong for long enough is believed, and what is over by it is purged.
        const bool was_believed = clock_.steady_now() - clock_set_at_ >= clock_believed_after - 1min;
        if (std::chrono::abs(clock_.offset()) > 30min && was_believed)
            oracle_.free_all();
        clock_set_at_ = clock_.steady_now();
        clock_.set_offset(offset);
        if (std::chrono::abs(offset) > clock_error_max)
            disturb();
        for (Daemon* daemon : {daemon_.get(), second_.get()})
            if (daemon != nullptr)
                daemon->clock_was_set();
    }

    void step_clock()
    {
        const Duration by = fault_dice_.some<Duration>({1s, 7s, 60s, 10min, 1h, 5h, 24h, 8 * 24h, 40 * 24h}) +
                            fault_dice_.below(600) * Duration{1s};
        const bool is_back = fault_dice_.one_in(2);
        tell_fault("the clock is set " + std::to_string(by / Duration{1s}) + (is_back ? " s back" : " s ahead"));
        set_clock(is_back ? -by : by);
        end_after(some_time(1min, 100min), clock_no_, [this] {
            story_.tell("the clock is right");
            set_clock(Duration::zero());
            disturb();
        });
    }

    void suspend()
    {
        const Duration span = some_time(1min, 5h);
        tell_fault("the machine sleeps for " + std::to_string(span / Duration{1s}) + " s");
        clock_.suspend(span);
        set_clock(clock_.offset());
        disturb();
        trouble(0s);
    }

    /// Never so far that the vendor refuses what is signed; then it is put right.
    void drift()
    {
        if (std::exchange(drifts_, true))
            return;
        tell_fault("the clock drifts");
        clock_.set_drift(fault_dice_.between(-500, 500));
        events_.after(some_time(1h, 4h), [this] {
            clock_.set_drift(0);
            drifts_ = false;
            if (std::chrono::abs(clock_.offset()) <= clock_error_max)
                set_clock(Duration::zero());
        });
    }

    void reload()
    {
        Policy& policy = setting_.policy;
        switch (fault_dice_.below(8)) {
        case 0: policy.token_lead = fault_dice_.some<seconds>({5min, 1h, 20h}); break;
        case 1: policy.session_lead = fault_dice_.some<seconds>({1h, 24h, 120h}); break;
        case 2: policy.grace = fault_dice_.some<seconds>({0s, 15min, 5h}); break;
        case 3: policy.early_join.set(Role::moderator, fault_dice_.some<seconds>({0s, 30min, 5h})); break;
        case 4: policy.visible_at_opens = !policy.visible_at_opens; break;
        case 5: policy.max_token_life = fault_dice_.some<seconds>({24h, 48h, 25 * 24h}); break;
        case 6: policy.rotation_margin = fault_dice_.some<seconds>({1h, 8h}); break;
        default: policy.disconnect_at_close = !policy.disconnect_at_close; break;
        }
        take_setting("the policy is another one");
    }

    void take_setting(char const* what)
    {
        tell_fault(what);
        oracle_.configure(setting_);
        disturb();
        trouble(0s);
        if (daemon_)
            daemon_->reload(setting_);
    }

    void reload_in_vain()
    {
        tell_fault("the new configuration has a mistake");
        if (daemon_)
            daemon_->reload_in_vain();
    }

    void rotate_key()
    {
        ProjectSetting& project = setting_.projects[static_cast<std::size_t>(fault_dice_.below(3))];
        project.secret = "secret " + std::to_string(++keys_);
        if (project.kind != ProjectSetting::Kind::sandbox)
            network_.vendor.add_opentok(project.key, project.secret);
        story_.tell("the vendor has another secret for " + project.name);
        events_.after(some_time(0s, 2h), [this] { take_setting("the secret is another one"); });
        trouble(2h);
    }

    void start_second()
    {
        if (second_ || !daemon_)
            return;
        tell_fault("somebody starts another usherd");
        oracle_.configure(setting_);
        fenced_until_ = clock_.steady_now() + 2h;
        disturb();
        trouble(0s);
        try {
            second_ = std::make_unique<Daemon>(
                Surroundings{clock_, vfs_, network_, random_, database_}, ++processes_, setting_, "another daemon"
            );
            owner_ = second_->process();
        } catch (std::exception const&) {
            judge_failure(std::current_exception());
        }
    }

    static void copy(SQLite::Database& from, SQLite::Database& to)
    {
        sqlite3_backup* const backup = sqlite3_backup_init(to.getHandle(), "main", from.getHandle(), "main");
        const int code = backup != nullptr ? sqlite3_backup_step(backup, -1) : SQLITE_ERROR;
        sqlite3_backup_finish(backup);
        if (code != SQLITE_DONE && code != SQLITE_BUSY && code != SQLITE_LOCKED)
            throw std::runtime_error{"cannot copy the database"};
    }

    void back_up()
    {
        story_.tell("a backup is made");
        backup_ = std::make_unique<SQLite::Database>(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
        copy(reader(), *backup_);
    }

    void restore()
    {
        if (!backup_ || blind_)
            return;
        tell_fault("a backup is restored");
        restored_beside_another_ = second_ != nullptr;
        copy(*backup_, reader());
        older_rows_came_back();
        if (daemon_)
            daemon_->notice();
    }

    void drop_something()
    {
        if (damaged_ || is_recovered_)
            return;
        SQLite::Database& database = reader();
        std::vector<std::pair<std::string, std::string>> all;
        {
            SQLite::Statement query{
                database, "SELECT type, name FROM sqlite_master WHERE type IN ('view', 'trigger') OR (type = 'index' "
                          "AND sql LIKE 'CREATE INDEX%') ORDER BY type, name"};
            while (query.executeStep())
                all.emplace_back(query.getColumn(0).getString(), query.getColumn(1).getString());
        }
        if (all.empty())
            return;
        for (std::int64_t count = fault_dice_.some({1, 1, 3, 40}); count > 0; --count) {
            auto const& [type, name] =
                all[static_cast<std::size_t>(fault_dice_.below(static_cast<std::int64_t>(all.size())))];
            const std::string drop = "DROP " + type + " IF EXISTS " + name;
            if (sqlite3_exec(database.getHandle(), drop.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
                continue;
            tell_fault(drop);
            blind_ = true;
            oracle_.set_blind(true);
        }
        disturb();
        trouble(5min);
        if (fault_dice_.one_in(3)) // as it is put back
            plan_on_disk(
                "the disk fails",
                fault_dice_.some({DiskFault::read_error, DiskFault::write_error, DiskFault::full, DiskFault::busy}),
                fault_dice_.between(1, 12), fault_dice_.between(1, 3)
            );
        if (fault_dice_.one_in(2))
            events_.after(some_time(0s, 2s), [this, dice = fault_dice_.fork()] {
                if (!damaged_ && !is_recovered_)
                    operators_.repair(++processes_, dice);
            });
        if (daemon_ && fault_dice_.one_in(2)) // else with the next edit, which is not marked then
            daemon_->notice();
    }

    /// The triggers that mark what people edit are gone, and somebody edits before they are back.
    void edit_unmarked()
    {
        if (blind_ || damaged_)
            return;
        SQLite::Database& database = reader();
        std::string meeting;
        std::string person;
        std::string drops;
        {
            SQLite::Statement query{
                database,
                "SELECT a.meeting_id, min(t.participant_id) FROM agenda a JOIN token t USING (session_no) JOIN "
                "meeting m ON m.id = a.meeting_id WHERE a.state = 'ready' AND m.status = 'scheduled' AND "
                "m.ends_at > ?1 + 3600 GROUP BY a.meeting_no ORDER BY a.opens LIMIT 1"};
            query.bind(1, unix_seconds(clock_.now()));
            if (!query.executeStep())
                return;
            meeting = query.getColumn(0).getString();
            person = query.getColumn(1).getString();
            SQLite::Statement triggers{
                database, "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN ('participant', "
                          "'block') ORDER BY name"};
            while (triggers.executeStep())
                drops += "DROP TRIGGER " + triggers.getColumn(0).getString() + ";";
        }
        if (sqlite3_exec(
                database.getHandle(), ("BEGIN IMMEDIATE;" + drops + "COMMIT").c_str(), nullptr, nullptr, nullptr
            ) != SQLITE_OK) {
            sqlite3_exec(database.getHandle(), "ROLLBACK", nullptr, nullptr, nullptr);
            return;
        }
        tell_fault("nobody is told of edits of people, and " + person + " of " + meeting + " is edited");
        blind_ = true;
        oracle_.set_blind(true);
        disturb();
        trouble(5min);
        const std::string who = "'" + meeting + "' AND participant_id = '" + person + "'";
        const std::string values = "'" + meeting + "', '" + person + "'";
        platforms_[0]->edit(
            meeting, {fault_dice_.some<std::string>(
                         {"DELETE FROM participant WHERE meeting_id = " + who,
                          "UPDATE participant SET role = CASE role WHEN 'moderator' THEN 'subscriber' ELSE 'moderator' "
                          "END WHERE "
                          "meeting_id = " +
                              who,
                          "INSERT OR IGNORE INTO block (meeting_id, participant_id) VALUES (" + values + ")"}
                     )}
        );
    }

    /// Somebody puts a session of his own where usher keeps its.
    void forge_session()
    {
        if (blind_)
            return;
        SQLite::Database& database = reader();
        std::string meeting;
        {
            SQLite::Statement query{
                database,
                "SELECT a.meeting_id FROM agenda a JOIN session s ON s.session_no = a.session_no JOIN meeting m "
                "ON m.id = a.meeting_id WHERE s.adopted = 0 AND m.ends_at > ? ORDER BY a.opens LIMIT 1"};
            query.bind(1, unix_seconds(clock_.now()));
            if (!query.executeStep())
                return;
            meeting = query.getColumn(0).getString();
        }
        const std::string forge = "UPDATE session SET session_id = 'forged-" + std::to_string(++forged_) +
                                  "' WHERE session_no = (SELECT session_no FROM agenda WHERE meeting_id = '" + meeting +
                                  "')";
        if (sqlite3_exec(database.getHandle(), forge.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
            return;
        ++faults_;
        story_.tell("FAULT somebody forges its session", meeting);
        oracle_.taint(meeting);
        oracle_.free(meeting);
        trouble(0s);
        platforms_[0]->edit(
            meeting, {"INSERT OR REPLACE INTO participant (meeting_id, participant_id, role) VALUES ('" + meeting +
                      "', 'p0', 'subscriber')"}
        );
    }

    /// Somebody writes with a library that knows no CHECKs: rows that the contract refuses, and others where usher
    /// keeps its own.
    void write_odd_rows()
    {
        if (blind_)
            return;
        SQLite::Database& database = reader();
        std::string meeting;
        {
            SQLite::Statement query{
                database, "SELECT a.meeting_id FROM agenda a JOIN meeting m ON m.id = a.meeting_id WHERE m.ends_at > ? "
                          "ORDER BY a.opens LIMIT 1 OFFSET ?"};
            query.bind(1, unix_seconds(clock_.now()));
            query.bind(2, fault_dice_.below(6));
            if (!query.executeStep())
                return;
            meeting = query.getColumn(0).getString();
        }
        const std::string its = " = (SELECT meeting_no FROM agenda WHERE meeting_id = '" + meeting + "')";
        const std::string what = fault_dice_.some<std::string>(
            {"UPDATE participant SET role = 'king' WHERE meeting_id = '" + meeting + "'",
             "UPDATE participant SET role = zeroblob(1000100) WHERE meeting_id = '" + meeting + "'",
             "UPDATE participant SET connection_data = printf('%.2000c', 'x') WHERE meeting_id = '" + meeting + "'",
             "UPDATE participant SET layout_classes = 'two  spaces' WHERE meeting_id = '" + meeting + "'",
             "UPDATE meeting SET ends_at = starts_at WHERE id = '" + meeting + "'",
             "UPDATE meeting SET title = printf('%.1000100c', 'x') WHERE id = '" + meeting + "'",
             "UPDATE agenda SET detail = zeroblob(1000100) WHERE meeting_no" + its,
             "UPDATE session SET disconnect = 1 WHERE session_no = (SELECT session_no FROM agenda WHERE meeting_no" +
                 its + ")",
             "UPDATE token SET key_id = zeroblob(1000100) WHERE session_no = (SELECT session_no FROM agenda WHERE "
             "meeting_no" +
                 its + ")",
             "INSERT OR REPLACE INTO participant_problem (meeting_no, participant_id, reason, detail, since) SELECT "
             "meeting_no, 'nobody', zeroblob(1000100), '', 0 FROM agenda WHERE meeting_no" +
                 its}
        );
        const std::string odd =
            "PRAGMA ignore_check_constraints = ON; " + what + "; PRAGMA ignore_check_constraints = OFF";
        for (auto const& platform : platforms_)
            platform->expect_refusals();
        oracle_.taint(meeting);
        oracle_.free(meeting);
        if (sqlite3_exec(database.getHandle(), odd.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
            sqlite3_exec(database.getHandle(), "PRAGMA ignore_check_constraints = OFF", nullptr, nullptr, nullptr);
            return;
        }
        ++faults_;
        has_large_rows_ = has_large_rows_ || what.find("1000100") != std::string::npos;
        story_.tell("FAULT odd rows: " + what, meeting);
        const Duration span = some_time(5min, 3h);
        trouble(span);
        platforms_[1]->edit(
            meeting, {"INSERT OR IGNORE INTO block (meeting_id, participant_id) VALUES ('" + meeting + "', 'nobody')"}
        );
        if (what.starts_with("UPDATE meeting")) // nothing can be signed until its row is mended
            platforms_[0]->edit(
                meeting, {"INSERT INTO request (action, meeting_id) VALUES ('rotate', '" + meeting + "')"}
            );
        events_.after(1min, [this, dice = fault_dice_.fork()] {
            if (!blind_ && !damaged_)
                operators_.act(++processes_, setting_.policy, dice);
        });
        events_.after(span, [this] { mend_odd_rows(); });
    }

    /// Likewise, in the row that usher keeps of itself.
    void write_odd_daemon_row()
    {
        if (blind_ || second_)
            return;
        if (sqlite3_exec(
                reader().getHandle(), "UPDATE daemon SET who = zeroblob(1000100)", nullptr, nullptr, nullptr
            ) != SQLITE_OK)
            return;
        tell_fault("somebody writes into usher's own row");
        older_rows_came_back();
        if (!daemon_)
            return;
        vfs_.kill(daemon_->process());
        bury(daemon_);
    }

    /// Somebody died while he wrote, and whoever came next has not brought it in order yet.
    void recover()
    {
        if (fault_dice_.one_in(2))
            return begin_recovery();
        recovery_at_call_ = true; // just before an answer of the vendor comes
    }

    void begin_recovery()
    {
        if (blind_ || damaged_ || !vfs_.begin_recovery(database_))
            return;
        tell_fault("the log is being recovered by somebody");
        blind_ = is_recovered_ = true;
        oracle_.set_blind(true);
        const Duration span{dice_.between(100, 20'000) * Duration{1ms}};
        trouble(span);
        if (daemon_)
            daemon_->notice();
        events_.after(span, [this] { end_recovery(); });
    }

    void end_recovery()
    {
        vfs_.end_recovery(database_);
        recovery_at_call_ = false;
        if (!std::exchange(is_recovered_, false))
            return;
        blind_ = false;
        oracle_.set_blind(false);
    }

    void mend_odd_rows()
    {
        platforms_[1]->edit(
            "", {"UPDATE participant SET role = 'publisher' WHERE typeof(role) <> 'text' OR role NOT IN "
                 "('subscriber', 'publisher', 'publisheronly', 'moderator')"}
        );
        platforms_[1]->edit("", {"UPDATE participant SET connection_data = '' WHERE length(connection_data) > 1000"});
        platforms_[1]->edit("", {"UPDATE participant SET layout_classes = '' WHERE layout_classes LIKE '%  %'"});
        platforms_[1]->edit("", {"UPDATE meeting SET ends_at = starts_at + 3600 WHERE ends_at <= starts_at"});
        platforms_[1]->edit("", {"UPDATE meeting SET title = 'm' WHERE length(title) > 1000"});
        trouble(0s);
    }

    /// Nobody but usherd is there meanwhile, and afterwards all is as it was before.
    void damage_page()
    {
        if (blind_ || second_ || damaged_)
            return;
        constexpr std::size_t page_bytes = 4096;
        const auto file = vfs_.contents(database_);
        const auto log = vfs_.contents(database_ + "-wal");
        if (!file || file->size() < 10 * page_bytes)
            return;
        tell_fault("a page is damaged");
        leave_all();
        std::string broken = *file;
        const auto pages = static_cast<std::int64_t>(file->size() / page_bytes);
        const auto at = static_cast<std::size_t>(fault_dice_.between(1, pages - 1)) * page_bytes;
        for (std::size_t i = 0; i < page_bytes; ++i)
            broken[at + i] = static_cast<char>(fault_dice_.next() & 0xffU);
        vfs_.put(database_, std::move(broken));
        vfs_.put(database_ + "-wal", log.value_or(""));
        damaged_ = blind_ = true;
        oracle_.set_blind(true);
        const Duration span = some_time(20s, 3min);
        may_fail_until_ = std::max(may_fail_until_, clock_.steady_now() + span + 1min);
        trouble(span);
        events_.after(span, [this, bytes = *file, log_bytes = log.value_or("")] {
            story_.tell("the page is as before");
            leave_all();
            vfs_.put(database_, bytes);
            vfs_.put(database_ + "-wal", log_bytes);
            open_all();
            damaged_ = blind_ = false;
            oracle_.set_blind(false);
            older_rows_came_back();
        });
    }

    /// Nobody has the database open.
    void leave_all()
    {
        if (daemon_) {
            vfs_.kill(daemon_->process());
            bury(daemon_);
        }
        forget_reader();
        snapshot_.reset();
        for (auto const& platform : platforms_)
            platform->close();
        oracle_.close();
    }

    void older_rows_came_back()
    {
        others_wrote_ = Instant{} - 1h; // nobody who waits for a turn: the file is another one
        fenced_until_ = clock_.steady_now() + 2h;
        oracle_.free_all();
        oracle_.begin_anew();
        disturb();
        trouble(0s);
    }

    void hold_lock()
    {
        tell_fault("a platform holds the lock");
        platforms_[1]->hold("", {"UPDATE meeting SET title = title WHERE id = 'none'"}, some_time(1s, 40s));
        trouble(40s);
    }

    /// A reader who is in no hurry sees the same all the time.
    void hold_snapshot()
    {
        if (snapshot_ || blind_)
            return;
        tell_fault("a reader holds a snapshot");
        const As as{vfs_, ++processes_};
        snapshot_ = std::make_unique<SQLite::Database>(database_, SQLite::OPEN_READONLY);
        snapshot_->exec("BEGIN");
        const auto rows = [this] {
            SQLite::Statement query{*snapshot_, "SELECT count(*), total(length(token)), max(seq) FROM token, daemon"};
            query.executeStep();
            return query.getColumn(0).getString() + " " + query.getColumn(1).getString() + " " +
                   query.getColumn(2).getString();
        };
        const std::string before = rows();
        events_.after(some_time(1min, 20min), [this, before, rows, which = snapshot_.get()] {
            if (snapshot_.get() != which)
                return;
            if (rows() != before)
                oracle_.report("P12", "", "a snapshot changes under its reader");
            snapshot_.reset();
        });
    }

    void calm_down()
    {
        quiet_ = true;
        vfs_.forget_plans();
        clock_.set_drift(0);
        ++clock_no_;
        set_clock(Duration::zero());
        disturb();
        end_outage();
        end_recovery();
        network_.odd.clear();
        network_.vendor.behaviour.chance = 0;
        network_.vendor.behaviour.repeats.clear();
        network_.quota = 1000;
        network_.twice_in_a_hundred = network_.late_in_a_hundred = 0;
        notices_get_lost_ = false;
        if (second_)
            bury(second_);
        start_daemon();
        if (options_.calm)
            return;
        mend_odd_rows();
        platforms_[0]->edit("", {"INSERT INTO request (action, project) VALUES ('retry', '*')"});
    }

    void wait_for_platforms()
    {
        for (auto const& platform : platforms_)
            if (!platform->is_idle())
                oracle_.report("run", "", "a platform cannot write");
    }

    void final_check()
    {
        if (oracle_.violations().size() >= options_.violations_max)
            return;
        if (!sound_)
            oracle_.report("P8", "", "the daemon does not find an end");
        oracle_.check_all(true);
        oracle_.check_upkeep();
    }

    /// P6. Another usher sees the last rows only, and of each meeting that is on what its session was made from: that
    /// is what rows remember. Both must show the same.
    void compare_with_twin()
    {
        events_.clear();
        const As as{vfs_, ++processes_};
        const std::string path = folder_.file("twin.db");
        std::ofstream{path + ".key"} << hex(dice_, 64) << "\n";
        std::ofstream{path + ".mark"} << hex(dice_, 32) << " 0\n";
        create_database(path, FileAccess::group);
        SQLite::Database rows{path, SQLite::OPEN_READWRITE};
        rows.exec("ATTACH '" + database_ + "' AS main_one");
        for (const std::string table : {"meeting", "participant", "block"})
            rows.exec("INSERT INTO main." + table + " SELECT * FROM main_one." + table);
        std::string held;
        {
            SQLite::Statement query{
                rows, "SELECT m.id, s.project, s.options LIKE '%relayed%', CASE WHEN s.adopted THEN s.session_id END "
                      "FROM main_one.meeting m JOIN main_one.agenda a ON a.meeting_id = m.id "
                      "JOIN main_one.session s ON s.session_no = a.session_no WHERE m.status = 'scheduled' "
                      "AND (m.session_id IS NULL OR (s.adopted = 1 AND s.session_id = m.session_id)) AND a.opens <= ?"};
            query.bind(1, unix_seconds(clock_.now()));
            while (query.executeStep())
                held += "UPDATE main.meeting SET project = '" + query.getColumn(1).getString() + "', media_mode = '" +
                        (query.getColumn(2).getInt() != 0 ? "relayed" : "routed") + "', session_id = " +
                        (query.getColumn(3).isNull() ? "NULL" : "'" + query.getColumn(3).getString() + "'") +
                        " WHERE id = '" + query.getColumn(0).getString() + "';";
        }
        rows.exec("DETACH main_one");
        rows.exec("CREATE TEMP TABLE last AS SELECT * FROM main.meeting;" + held);
        twin_ = std::make_unique<Daemon>(
            Surroundings{clock_, vfs_, network_, random_, path}, ++processes_, setting_, "the twin"
        );
        run_until(clock_.steady_now() + 5min);
        rows.exec("INSERT OR REPLACE INTO main.meeting SELECT * FROM temp.last");
        twin_->notice();
        run_until(clock_.steady_now() + 5min);
        const std::set<std::string> ours = test::outcome(reader());
        const std::set<std::string> theirs = test::outcome(rows);
        const auto compare = [this](auto const& some, auto const& others, char const* what) {
            for (std::string const& line : some)
                if (!others.contains(line) && oracle_.violations().size() < options_.violations_max)
                    oracle_.report("P6", "", what + line);
        };
        compare(theirs, ours, "the rows lead to ");
        compare(ours, theirs, "the month led to ");
    }

    MonthResult result()
    {
        MonthResult result;
        result.events = story_.events();
        result.faults = faults_ + network_.faults_met();
        result.rounds = rounds_;
        result.rows = oracle_.rows_seen();
        result.starts = starts_;
        result.failed_calls_max = most_failed_;
        result.lock_held_max = std::chrono::floor<std::chrono::microseconds>(most_held_).count();
        result.sound_percent = 100 * sound_half_hours_ / std::max<std::int64_t>(half_hours_, 1);
        result.calm_percent = 100 * calm_half_hours_ / std::max<std::int64_t>(half_hours_, 1);
        result.hash = story_.hash();
        result.faults_planned = faults_planned_;
        result.faults_by_kind = faults_by_kind_;
        for (auto const& platform : platforms_) {
            result.edits += platform->edits();
            result.meetings += platform->meetings();
            result.names.insert(result.names.end(), platform->ids().begin(), platform->ids().end());
        }
        for (Violation const& violation : oracle_.violations())
            result.violations.push_back(violation.promise + " " + violation.meeting_id + ": " + violation.what);
        if (!oracle_.violations().empty()) {
            Violation const& first = oracle_.violations().front();
            result.promise = first.promise;
            result.kind = first.promise + " " + first.what.substr(0, first.what.find_first_of("0123456789"));
            result.violated_at =
                std::chrono::duration<double, std::ratio<86400>>(oracle_.first_at() - Instant{}).count();
        }
        result.story = oracle_.story_so_far();
        return result;
    }

    MonthOptions options_;
    Dice dice_;
    Dice fault_dice_{0}; ///< Of the fault at hand.
    Duration span_;
    Folder folder_;
    std::string database_ = folder_.file("usher.db");
    VirtualClock clock_;
    Story story_;
    StorySink sink_{story_, database_};
    MemoryVfs vfs_;
    Network network_;
    DiceSource random_;
    Events events_;
    Oracle oracle_;
    Operators operators_;
    Setting setting_;
    std::vector<std::unique_ptr<Platform>> platforms_;
    std::unique_ptr<SQLite::Database> reader_;
    std::optional<SQLite::Statement> live_; ///< Questions to it.
    std::optional<SQLite::Statement> at_the_door_;
    std::unique_ptr<SQLite::Database> snapshot_;
    std::unique_ptr<SQLite::Database> backup_;
    std::unique_ptr<Daemon> daemon_;
    std::unique_ptr<Daemon> second_; ///< That somebody started beside it.
    std::unique_ptr<Daemon> twin_;   ///< That sees the last rows only.
    ProcessId processes_ = 0;
    Dice meanwhile_dice_{dice_.next()};
    bool in_between_ = false;
    Instant rotates_until_{};     ///< A request for it came just now.
    std::int64_t log_writes_ = 0; // when the lock was released last
    ProcessId ours_ = 0;          // the daemon's, also while it starts
    ProcessId daemon_before_ = 0;
    Instant others_wrote_ = Instant{} - 1h;
    bool has_large_rows_ = false; // from then on
    Instant released_at_ = Instant{} - 1h;
    Duration held_{};
    Duration most_held_{};
    bool sound_ = false;
    bool blind_ = false; ///< Views or triggers are gone.
    std::int64_t objects_ = 0;
    bool damaged_ = false;      ///< A page is.
    bool is_recovered_ = false; ///< The log is, and nobody can read.
    bool recovery_at_call_ = false;
    bool quiet_ = false; ///< No more faults.
    bool notices_get_lost_ = false;
    bool drifts_ = false;
    Instant trouble_until_{};
    Instant may_fail_until_{};
    Instant clock_set_at_{};
    Instant fenced_until_{};
    std::uint64_t lost_notices_no_ = 0;
    std::uint64_t disk_no_ = 0;
    std::uint64_t outage_no_ = 0;
    std::uint64_t chance_no_ = 0;
    std::uint64_t odd_no_ = 0;
    std::uint64_t quota_no_ = 0;
    std::uint64_t garble_no_ = 0;
    std::uint64_t repeat_no_ = 0;
    std::uint64_t clock_no_ = 0;
    std::int64_t losses_ = 0;
    int keys_ = 0;
    int forged_ = 0;
    std::int64_t faults_ = 0;
    std::vector<int> faults_planned_;
    std::map<std::string, std::int64_t> faults_by_kind_;
    std::int64_t starts_ = 0;
    std::int64_t rounds_ = 0;
    std::int64_t rounds_before_ = 0;
    std::int64_t failed_before_ = 0;
    std::int64_t most_failed_ = 0;
    bool spins_ = false;                   ///< In this half hour.
    ProcessId owner_ = 0;                  ///< The daemon that took over last.
    bool restored_beside_another_ = false; ///< An older daemon may think that it is the one that took over.
    std::int64_t half_hours_ = 0;
    std::int64_t sound_half_hours_ = 0;
    std::int64_t calm_half_hours_ = 0;
    std::int64_t edits_in_this_hour_ = 0;
};

} // namespace

std::vector<std::string> edit_kind_names()
{
    return Platform::edit_names();
}

std::vector<std::string> fault_kind_names()
{
    std::vector<std::string> names;
    for (Month::FaultKind const& kind : Month::fault_kinds())
        names.emplace_back(kind.name);
    return names;
}

MonthResult run_month(MonthOptions options)
{
    return Month{std::move(options)}.run();
}

} // namespace usher::simulation
