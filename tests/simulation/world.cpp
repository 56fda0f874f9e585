// SPDX-License-Identifier: Apache-2.0
#include "simulation/world.hpp"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <sqlite3.h>
#include <unistd.h>

#include <usher/core/certain_time.hpp>
#include <usher/store/database.hpp>

#include "simulation/daemon.hpp"
#include "simulation/events.hpp"
#include "simulation/memory_vfs.hpp"
#include "simulation/network.hpp"
#include "simulation/oracle.hpp"
#include "simulation/platform.hpp"
#include "simulation/story.hpp"
#include "support/sqlite/outcome.hpp"

namespace usher::simulation {

namespace {

using namespace std::chrono_literals;

constexpr sys_seconds start{1'800'000'000s - 1'800'000'000s % std::chrono::seconds{86400}};
constexpr Duration recovery = 45min; // after a trouble, until all is well again
constexpr std::int64_t faults_a_day = 4;
constexpr Duration lock_held_max = 10ms;
constexpr Duration gap_error = 50us;     // the daemon does not know to the microsecond for how long it held the lock
constexpr Duration clock_error_max = 8s; // that changes nothing
constexpr std::int64_t rounds_an_hour = 3000; // that a daemon may take at most, beside those for edits
constexpr std::int64_t rounds_an_edit = 60;
constexpr std::size_t violations_max = 5; // those after them follow from them

/// A folder for the few files that are not SQLite's.
class Folder {
public:
    Folder()
    {
        std::string pattern = ::access("/dev/shm", W_OK) == 0 ? "/dev/shm/usher-sim-XXXXXX" : "/tmp/usher-sim-XXXXXX";
        if (::mkdtemp(pattern.data()) == nullptr)
            throw std::runtime_error{"cannot make a folder in " + pattern};
        path_ = pattern;
    }
    Folder(Folder const&) = delete;
    Folder& operator=(Folder const&) = delete;
    ~Folder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    std::string file(std::string const& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

/// What usherd says, as events of the story; the folder's name is another one in each run.
class StorySink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
public:
    StorySink(Story& story, std::string database) : story_{story}, database_{std::move(database)} {}

private:
    void sink_it_(spdlog::details::log_msg const& message) override
    {
        std::string text{message.payload.data(), message.payload.size()};
        for (auto at = text.find(database_); at != std::string::npos; at = text.find(database_))
            text.replace(at, database_.size(), "usher.db");
        story_.tell("usherd: " + text);
    }
    void flush_() override {}

    Story& story_;
    std::string database_;
};

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
        : options_{options},
          dice_{options.seed},
          span_{options.days * Duration{24h}},
          clock_{start},
          story_{clock_, options.is_told},
          vfs_{clock_, dice_.next()},
          network_{clock_, story_, dice_.next()},
          random_{dice_.next()},
          events_{clock_},
          oracle_{clock_, vfs_, story_, network_, database_}
    {
        const auto logger =
            std::make_shared<spdlog::logger>("simulation", std::make_shared<StorySink>(story_, database_));
        logger->set_level(spdlog::level::info);
        spdlog::set_default_logger(logger);
        for (std::string const name : {"a", "b"})
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
        begin();
        try {
            run_until(Instant{} + span_);
            calm_down();
            run_until(clock_.steady_now() + 4h);
            if (oracle_.violations().size() < violations_max)
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
        reader_.reset();
        snapshot_.reset();
        backup_.reset();
        for (auto const& platform : platforms_)
            platform->close();
        oracle_.close();
        spdlog::set_default_logger(std::make_shared<spdlog::logger>("none"));
        return result();
    }

private:
    void begin()
    {
        vfs_.run_as(++processes_);
        std::ofstream{database_ + ".key"} << hex(dice_, 64) << "\n";
        std::ofstream{database_ + ".mark"} << hex(dice_, 32) << " 0\n";
        create_database(database_, FileAccess::group);
        setting_.policy.retention = std::chrono::days{10};
        setting_.projects = {
            {"default", "123456", "secret"}, {"second", "654321", "secret", true}, {"spare", "777", "secret"}};
        network_.vendor.add_opentok("123456", "secret");
        network_.vendor.add_opentok("777", "secret");
        oracle_.configure(setting_);
        open_all();
        platforms_[0]->plan({options_.days * 7 + 5, options_.calm}, span_);
        platforms_[1]->plan({options_.days * 3, options_.calm, platforms_[0]->ids()}, span_);
        start_daemon();
        events_.after(30min, [this] { half_hour(); });
        if (!options_.calm)
            plan_faults();
    }

    /// Somebody edits while the daemon is in the middle of its work.
    void meanwhile()
    {
        clock_.charge(2us);
        if (meanwhile_dice_.one_in(30) && !in_between_) {
            in_between_ = true;
            events_.hurry(3h);
            in_between_ = false;
        }
    }

    /// P11. A platform writes when it commits something, while the daemon could see it.
    void released(ProcessId process, Instant from)
    {
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
        if (held > lock_held_max)
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
        while (clock_.steady_now() < end && oracle_.violations().size() < violations_max) {
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
        const std::int64_t times_done = daemon->times_done();
        const std::int64_t rounds = daemon->rounds();
        const bool worked = daemon->step();
        rounds_ += daemon->rounds() - rounds;
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

    void become_sound()
    {
        if (sound_ || std::chrono::abs(clock_.offset()) > clock_error_max || daemon_->is_damaged())
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
        if (!quiet_ && dice_.one_in(12))
            vfs_.plan(process, DiskFault::death, dice_.between(1, 300));
        try {
            ++starts_;
            story_.tell("usherd starts");
            ours_ = process;
            others_wrote_ = Instant{} - 1h; // it cannot know who wrote before it
            daemon_ = std::make_unique<Daemon>(
                Surroundings{clock_, vfs_, network_, random_, database_}, process, setting_,
                "daemon " + std::to_string(starts_)
            );
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
        oracle_.check(meeting);
    }

    void half_hour()
    {
        events_.after(30min, [this] { half_hour(); });
        const std::int64_t rounds = rounds_ - std::exchange(rounds_before_, rounds_);
        const std::int64_t edits = std::exchange(edits_in_this_hour_, 0);
        if (rounds > rounds_an_hour / 2 + rounds_an_edit * edits)
            oracle_.report(
                "spin", "",
                "a daemon took " + std::to_string(rounds) + " rounds for " + std::to_string(edits) + " edits"
            );
        most_rounds_ = std::max(most_rounds_, rounds);
        ++half_hours_;
        sound_half_hours_ += sound_ ? 1 : 0;
        if (is_calm() && sound_) {
            ++calm_half_hours_;
            look_at_doors();
        }
        if (clock_.true_now().time_since_epoch() % 24h < 30min)
            oracle_.check_all(false);
    }

    /// After a calm, whoever comes when his meeting starts is served.
    void look_at_doors()
    {
        SQLite::Database& database = reader();
        SQLite::Statement query{
            database,
            "SELECT a.meeting_id, a.state, a.reason, a.next_at - ?1, a.due_at - ?1 FROM agenda a JOIN meeting m ON "
            "m.id = a.meeting_id WHERE "
            "m.status = 'scheduled' AND m.starts_at > ?1 - 1800 AND m.starts_at <= ?1 AND m.ends_at > ?1 AND a.state "
            "NOT IN ('ready', 'ended')"};
        query.bind(1, unix_seconds(clock_.now()));
        while (query.executeStep()) {
            const std::string meeting = query.getColumn(0).getString();
            const std::string reason = query.getColumn(2).getString();
            if (reason == "unknown_project" || reason == "session_of_another_project")
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

    SQLite::Database& reader()
    {
        if (!reader_) {
            const As as{vfs_, ++processes_};
            reader_ = std::make_unique<SQLite::Database>(database_, SQLite::OPEN_READWRITE);
        }
        return *reader_;
    }

    void plan_faults()
    {
        for (std::int64_t i = 0; i < options_.days * faults_a_day; ++i)
            events_.after(Duration{dice_.below(span_.count())}, [this] {
                if (!quiet_)
                    fault(dice_.below(41));
            });
        for (int day = 0; day < options_.days; day += 3)
            events_.after(day * Duration{24h} + Duration{dice_.below(Duration{24h}.count())}, [this] {
                if (!blind_)
                    back_up();
            });
    }

    Duration some_time(Duration low, Duration high) { return low + Duration{dice_.below((high - low).count())}; }

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

    void fault(std::int64_t kind)
    {
        switch (kind) {
        case 0:
        case 1:
        case 2: return kill();
        case 3:
        case 4:
        case 5:
            return plan_on_disk("the daemon will die at some operation", DiskFault::death, dice_.between(1, 400), 1);
        case 6: return plan_on_disk("reads fail", DiskFault::read_error, dice_.between(1, 60), dice_.between(1, 9));
        case 7: return plan_on_disk("writes fail", DiskFault::write_error, dice_.between(1, 30), dice_.between(1, 9));
        case 8: return plan_on_disk("a write is short", DiskFault::short_write, dice_.between(1, 30), 1);
        case 9: return plan_on_disk("the disk is full", DiskFault::full, dice_.between(1, 30), dice_.between(1, 90));
        case 10: return plan_on_disk("syncs fail", DiskFault::sync_error, dice_.between(1, 9), dice_.between(1, 9));
        case 11: return plan_on_disk("the lock is held", DiskFault::busy, dice_.between(1, 9), dice_.between(1, 5000));
        case 12:
        case 13: return lose_power();
        case 14:
            return plan_on_disk("power will fail at some operation", DiskFault::power_loss, dice_.between(1, 400), 1);
        case 15:
        case 16: return outage();
        case 17:
        case 18:
        case 19: return chance_failures();
        case 20: return dip_quota();
        case 21: return garble_answers();
        case 22: return repeat_ids();
        case 23:
        case 24:
        case 25: return step_clock();
        case 26: return suspend();
        case 27: return drift();
        case 28:
        case 29: return reload();
        case 30: return rotate_key();
        case 31: return start_second();
        case 32: return restore();
        case 33:
        case 34: return drop_something();
        case 35:
            tell_fault("notices get lost");
            notices_get_lost_ = true;
            return end_after(some_time(10min, 2h), lost_notices_no_, [this] { notices_get_lost_ = false; });
        case 36: return hold_lock();
        case 39: return forge_session();
        case 37:
        case 38: return hold_snapshot();
        default:
            tell_fault("usherd is told to stop");
            if (daemon_)
                daemon_->stop();
            trouble(0s);
        }
    }

    void kill()
    {
        if (!daemon_)
            return;
        tell_fault("usherd is killed");
        const std::string before = blind_ ? std::string{} : oracle_.published();
        vfs_.kill(daemon_->process());
        bury(daemon_);
        if (!blind_ && oracle_.published() != before)
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
        const std::string before = blind_ ? std::string{} : oracle_.published();
        vfs_.power_loss();
        come_back();
        if (!blind_ && oracle_.published() != before)
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
        reader_.reset();
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
        network_.vendor.behaviour.outage = dice_.some({vendor::Outage::unavailable, vendor::Outage::refused});
        end_after(some_time(1min, 90min), outage_no_, [this] {
            network_.vendor.behaviour.outage = vendor::Outage::none;
            story_.tell("the vendor is back");
        });
    }

    void chance_failures()
    {
        tell_fault("the vendor fails by chance");
        vendor::Behaviour& behaviour = network_.vendor.behaviour;
        behaviour.chance = static_cast<double>(dice_.between(2, 9)) / 10;
        behaviour.by_chance.clear();
        using Kind = vendor::FaultKind;
        for (const Kind kind :
             {Kind::delay, Kind::too_many, Kind::server_error, Kind::bad_gateway, Kind::unavailable,
              Kind::gateway_timeout, Kind::reset_connect, Kind::reset_before, Kind::reset_after, Kind::half_body,
              Kind::wrong_type, Kind::xml, Kind::empty_array, Kind::missing_id, Kind::skewed_date, Kind::echo})
            if (dice_.one_in(3))
                behaviour.by_chance.push_back(vendor::fault_of(kind));
        end_after(some_time(10min, 3h), chance_no_, [this] {
            network_.vendor.behaviour.chance = 0;
            story_.tell("the vendor is well");
        });
    }

    void dip_quota()
    {
        tell_fault("the vendor allows less");
        network_.quota = dice_.below(3);
        end_after(some_time(10min, 2h), quota_no_, [this] { network_.quota = 1000; });
    }

    void garble_answers()
    {
        tell_fault("answers are late, and requests arrive twice");
        network_.twice_in_a_hundred = static_cast<int>(dice_.between(10, 60));
        network_.late_in_a_hundred = static_cast<int>(dice_.between(0, 60));
        end_after(some_time(10min, 3h), garble_no_, [this] {
            network_.twice_in_a_hundred = network_.late_in_a_hundred = 0;
        });
    }

    void repeat_ids()
    {
        tell_fault("the vendor gives one id again and again");
        network_.vendor.behaviour.repeats = "123456";
        end_after(some_time(1min, 1h), repeat_no_, [this] { network_.vendor.behaviour.repeats.clear(); });
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
        const Duration by = dice_.some<Duration>({1s, 7s, 60s, 10min, 1h, 5h, 24h, 8 * 24h, 40 * 24h}) +
                            dice_.below(600) * Duration{1s};
        const bool is_back = dice_.one_in(2);
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

    void drift()
    {
        tell_fault("the clock drifts");
        clock_.set_drift(dice_.between(-500, 500));
        events_.after(some_time(1h, 4h), [this] { clock_.set_drift(0); });
    }

    void reload()
    {
        Policy& policy = setting_.policy;
        switch (dice_.below(8)) {
        case 0: policy.token_lead = dice_.some<seconds>({5min, 1h, 20h}); break;
        case 1: policy.session_lead = dice_.some<seconds>({1h, 24h, 120h}); break;
        case 2: policy.grace = dice_.some<seconds>({0s, 15min, 5h}); break;
        case 3: policy.early_join.set(Role::moderator, dice_.some<seconds>({0s, 30min, 5h})); break;
        case 4: policy.visible_at_opens = !policy.visible_at_opens; break;
        case 5: policy.max_token_life = dice_.some<seconds>({24h, 48h, 25 * 24h}); break;
        case 6: policy.rotation_margin = dice_.some<seconds>({1h, 8h}); break;
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

    void rotate_key()
    {
        ProjectSetting& project = setting_.projects[static_cast<std::size_t>(dice_.below(3))];
        project.secret = "secret " + std::to_string(++keys_);
        if (!project.is_sandbox)
            network_.vendor.add_opentok(project.key, project.secret);
        story_.tell("the vendor has another secret for " + project.name);
        events_.after(some_time(0s, 20min), [this] { take_setting("the secret is another one"); });
        trouble(20min);
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
        copy(*backup_, reader());
        others_wrote_ = Instant{} - 1h; // nobody who waits for a turn: the file is another one
        fenced_until_ = clock_.steady_now() + 2h;
        oracle_.free_all();
        oracle_.begin_anew();
        disturb();
        trouble(0s);
        if (daemon_)
            daemon_->notice();
    }

    void drop_something()
    {
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
        for (std::int64_t count = dice_.some({1, 1, 3, 40}); count > 0; --count) {
            auto const& [type, name] =
                all[static_cast<std::size_t>(dice_.below(static_cast<std::int64_t>(all.size())))];
            const std::string drop = "DROP " + type + " IF EXISTS " + name;
            if (sqlite3_exec(database.getHandle(), drop.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
                continue;
            tell_fault(drop);
            blind_ = true;
            oracle_.set_blind(true);
        }
        disturb();
        trouble(5min);
        if (daemon_)
            daemon_->notice();
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
        network_.vendor.behaviour.outage = vendor::Outage::none;
        network_.vendor.behaviour.chance = 0;
        network_.vendor.behaviour.repeats.clear();
        network_.quota = 1000;
        network_.twice_in_a_hundred = network_.late_in_a_hundred = 0;
        notices_get_lost_ = false;
        if (second_)
            bury(second_);
        start_daemon();
        if (!options_.calm)
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
        if (oracle_.violations().size() >= violations_max)
            return;
        if (!sound_)
            oracle_.report("P8", "", "the daemon does not find an end");
        oracle_.check_all(true);
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
        for (std::string const table : {"meeting", "participant", "block"})
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
                if (!others.contains(line) && oracle_.violations().size() < violations_max)
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
        result.lock_held_max = std::chrono::floor<std::chrono::microseconds>(most_held_).count();
        result.sound_percent = 100 * sound_half_hours_ / std::max<std::int64_t>(half_hours_, 1);
        result.calm_percent = 100 * calm_half_hours_ / std::max<std::int64_t>(half_hours_, 1);
        result.hash = story_.hash();
        for (auto const& platform : platforms_) {
            result.edits += platform->edits();
            result.meetings += platform->meetings();
        }
        for (Violation const& violation : oracle_.violations())
            result.violations.push_back(violation.promise + " " + violation.meeting_id + ": " + violation.what);
        result.story = oracle_.story_so_far();
        return result;
    }

    MonthOptions options_;
    Dice dice_;
    Duration span_;
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
    std::vector<std::unique_ptr<Platform>> platforms_;
    std::unique_ptr<SQLite::Database> reader_;
    std::unique_ptr<SQLite::Database> snapshot_;
    std::unique_ptr<SQLite::Database> backup_;
    std::unique_ptr<Daemon> daemon_;
    std::unique_ptr<Daemon> second_; ///< That somebody started beside it.
    std::unique_ptr<Daemon> twin_;   ///< That sees the last rows only.
    ProcessId processes_ = 0;
    Dice meanwhile_dice_{dice_.next()};
    bool in_between_ = false;
    std::int64_t log_writes_ = 0; // when the lock was released last
    ProcessId ours_ = 0;          // the daemon's, also while it starts
    ProcessId daemon_before_ = 0;
    Instant others_wrote_ = Instant{} - 1h;
    Instant released_at_ = Instant{} - 1h;
    Duration held_{};
    Duration most_held_{};
    bool sound_ = false;
    bool blind_ = false; ///< Views or triggers are gone.
    bool quiet_ = false; ///< No more faults.
    bool notices_get_lost_ = false;
    Instant trouble_until_{};
    Instant may_fail_until_{};
    Instant clock_set_at_{};
    Instant fenced_until_{};
    std::uint64_t lost_notices_no_ = 0;
    std::uint64_t disk_no_ = 0;
    std::uint64_t outage_no_ = 0;
    std::uint64_t chance_no_ = 0;
    std::uint64_t quota_no_ = 0;
    std::uint64_t garble_no_ = 0;
    std::uint64_t repeat_no_ = 0;
    std::uint64_t clock_no_ = 0;
    std::int64_t losses_ = 0;
    int keys_ = 0;
    int forged_ = 0;
    std::int64_t faults_ = 0;
    std::int64_t starts_ = 0;
    std::int64_t rounds_ = 0;
    std::int64_t rounds_before_ = 0;
    std::int64_t most_rounds_ = 0;
    std::int64_t half_hours_ = 0;
    std::int64_t sound_half_hours_ = 0;
    std::int64_t calm_half_hours_ = 0;
    std::int64_t edits_in_this_hour_ = 0;
};

} // namespace

MonthResult run_month(MonthOptions options)
{
    return Month{options}.run();
}

} // namespace usher::simulation
