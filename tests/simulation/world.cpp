// SPDX-License-Identifier: Apache-2.0
#include "simulation/world.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <utility>

#include <usher/store/database.hpp>

namespace usher::simulation {

namespace {

using namespace std::chrono_literals;

constexpr Duration restart_after = 5s; // RestartSec of the unit
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

bool may_free_session(std::string const& statement)
{
    for (char const* const part :
         {"media_mode", "project", "session_id", "'cancelled'", "replace_session", "DELETE FROM meeting"})
        if (statement.find(part) != std::string::npos)
            return true;
    return false;
}

} // namespace

World::World(MonthOptions options_of_month)
    : Scene{options_of_month.seed, options_of_month.is_told},
      options{std::move(options_of_month)},
      span{options.days * Duration{24h}},
      operators{
          vfs,
          clock,
          story,
          database,
          [this]() -> Connection& { return reader(); },
          [this](std::string const& meeting, std::string const& what) { oracle.report("run", meeting, what); }}
{
    for (const std::string name : {"a", "b"})
        platforms.push_back(std::make_unique<Platform>(
            events, clock, vfs, story, dice.fork(), database, name,
            [this](std::string const& meeting, std::vector<std::string> const& statements) {
                committed(meeting, statements);
            }
        ));
    random.before_next = [this] { meanwhile(); };
    operators.on_rotation = [this](std::string const& meeting) { oracle.asked_to_rotate(meeting); };
    vfs.on_release = [this](ProcessId process, Instant from) {
        if (!twin) // writes to another file
            lock_watch.released(process, from);
    };
    network.on_disconnect = [this](std::string const& session) {
        if (sound && is_calm())
            oracle.check_disconnect(session);
    };
}

void World::begin()
{
    vfs.run_as(new_process());
    const std::string key = dice.hex(64);
    make_database(database, key, dice.hex(32));
    objects_ = objects_of(reader());
    setting.policy.retention = std::chrono::days{10};
    setting.policy.disconnect_at_close = setting.policy.disconnect_on_cancel = !options.calm;
    setting.projects = {
        {"default", "123456", "secret"},
        {"second", "654321", "secret", ProjectSetting::Kind::sandbox},
        {"spare", "777", "secret"},
        {"mobile", application, private_key(), ProjectSetting::Kind::vonage}};
    network.vendor.add_vonage(application, private_key());
    network.vendor.add_opentok("123456", "secret");
    network.vendor.add_opentok("777", "secret");
    oracle.configure(setting);
    open_all();
    PlatformSetting edits_planned{options.days * 7 + 5, options.calm, {}, options.without, options.only_meetings};
    platforms[0]->plan(edits_planned, span);
    edits_planned.meetings = options.days * 3;
    edits_planned.others = platforms[0]->ids();
    platforms[1]->plan(edits_planned, span);
    start_daemon();
}

void World::start_daemon()
{
    if (daemon)
        return;
    disturb();
    oracle.configure(setting);
    const ProcessId process = new_process();
    if (!quiet && dice.one_in(6)) { // while all that it needs is still on the disk
        const DiskFault fault =
            dice.some({DiskFault::death, DiskFault::death, DiskFault::read_error, DiskFault::write_error});
        plan_on_disk(process, fault, dice.between(1, 300), 1);
    }
    try {
        ++starts;
        story.tell("usherd starts");
        lock_watch.follow(process);
        daemon = make_daemon(process, setting, "daemon " + std::to_string(starts), database);
        owner = process;
        restored_beside_another = restored_beside_another && second;
    } catch (std::exception const&) {
        if (vfs.is_dead(process))
            story.tell("usherd dies at its start");
        else
            judge_failure(std::current_exception());
        events.after(restart_after, [this] { start_daemon(); });
    }
}

void World::bury(std::unique_ptr<Daemon>& which)
{
    const bool is_first = which == daemon;
    const bool died = which->is_dead();
    story.tell(died ? "usherd is dead" : "usherd has ended");
    if (!died && which->failure())
        judge_failure(which->failure());
    which.reset();
    if (is_first) {
        trouble(0s);
        disturb();
        events.after(restart_after + Duration{dice.below(1000) * Duration{1ms}}, [this] { start_daemon(); });
    }
}

void World::kill_daemon()
{
    vfs.kill(daemon->process());
    bury(daemon);
}

void World::judge_failure(std::exception_ptr const& failure)
{
    std::string what = "not an exception";
    try {
        std::rethrow_exception(failure);
    } catch (DatabaseBusy const&) {
        story.tell("usherd finds the database busy");
        return;
    } catch (Fenced const&) {
        story.tell("usherd finds that another has taken over");
        if (clock.steady_now() >= fenced_until_)
            oracle.report("P10", "", "usherd is fenced though nobody took over");
        return;
    } catch (std::exception const& error) {
        what = error.what();
    }
    what = sink.without_folder(std::move(what));
    story.tell("usherd fails: " + what);
    if (clock.steady_now() >= may_fail_until_)
        oracle.report("run", "", "usherd fails for no reason: " + what);
}

void World::become_sound()
{
    if (sound || std::chrono::abs(clock.offset()) > clock_error_max || daemon->is_damaged() || damaged)
        return;
    if (blind && objects_of(reader()) < objects_) // dropped after that round had looked at the schema
        return;
    sound = true;
    set_blind(false);
    oracle.set_sound(true);
}

void World::open_all()
{
    const ProcessId users = new_process();
    for (auto const& platform : platforms)
        platform->open(users);
    oracle.open(users);
}

void World::leave_all()
{
    if (daemon)
        kill_daemon();
    close_all();
}

void World::close_all()
{
    reader_.reset();
    snapshot.reset();
    for (auto const& platform : platforms)
        platform->close();
    oracle.close();
}

void World::come_back()
{
    story.tell("the machine is up again");
    losses = vfs.power_losses();
    trouble(0s);
    if (daemon)
        bury(daemon);
    if (second)
        bury(second);
    close_all();
    open_all();
    oracle.check_survival();
}

Connection& World::reader()
{
    if (!reader_) {
        const As as{vfs, new_process()};
        reader_ = std::make_unique<Connection>(database, SQLite::OPEN_READWRITE);
    }
    return *reader_;
}

std::int64_t World::objects_of(SQLite::Database& from)
{
    SQLite::Statement count{
        from, "SELECT count(*) FROM sqlite_master WHERE type IN ('view', 'trigger') OR (type = 'index' AND sql "
              "IS NOT NULL)"};
    count.executeStep();
    return count.getColumn(0).getInt64();
}

void World::disturb()
{
    sound = false;
    oracle.set_sound(false);
}

void World::set_blind(bool is_blind)
{
    blind = is_blind;
    oracle.set_blind(is_blind);
}

void World::trouble(Duration length)
{
    trouble_until_ = std::max(trouble_until_, clock.steady_now() + length + recovery);
}

void World::end_after(Duration length, std::uint64_t& kind, std::function<void()> end)
{
    trouble(length);
    const std::uint64_t mine = ++kind;
    events.after(length, [&kind, mine, end = std::move(end)] {
        if (kind == mine)
            end();
    });
}

void World::forgive(Duration length)
{
    may_fail_until_ = std::max(may_fail_until_, clock.steady_now() + length);
}

void World::forgive_fencing()
{
    fenced_until_ = clock.steady_now() + 2h;
}

void World::plan_on_disk(ProcessId process, DiskFault fault, std::int64_t nth, std::int64_t times)
{
    vfs.plan(process, fault, nth, times);
    forgive(20min);
    end_after(20min, disk_no_, [this] { vfs.forget_plans(); });
}

void World::older_rows_came_back()
{
    lock_watch.forget_writers();
    forgive_fencing();
    oracle.free_all();
    oracle.begin_anew();
    disturb();
    trouble(0s);
}

void World::meanwhile()
{
    clock.charge(2us);
    const bool is_rotating = clock.steady_now() < rotates_until_;
    if (meanwhile_dice_.one_in(is_rotating ? 5 : 30) && !in_between_) {
        in_between_ = true;
        events.hurry(3h);
        in_between_ = false;
    }
}

void World::committed(std::string const& meeting, std::vector<std::string> const& statements)
{
    ++edits;
    if (daemon && !(notices_get_lost && dice.one_in(2)))
        events.after(Duration{dice.below(400'000)}, [this] {
            if (daemon)
                daemon->notice();
        });
    if (std::any_of(statements.begin(), statements.end(), may_free_session))
        oracle.free(meeting);
    if (statements.front().find("status = 'cancelled'") != std::string::npos)
        oracle.cancelled(meeting);
    if (statements.front().find("'rotate'") != std::string::npos && statements.front().starts_with("INSERT")) {
        oracle.asked_to_rotate(meeting);
        // While that is signed, maybe, somebody edits: what no token depends on, or the meeting's doors.
        rotates_until_ = clock.steady_now() + 1s;
        const std::string what = meanwhile_dice_.one_in(2) ? "title = 'y' || title"
                                                           : "early_join = CASE early_join WHEN 600 THEN 660 ELSE "
                                                             "600 END";
        events.about(rotates_until_, [this, meeting, what] {
            platforms[0]->edit(meeting, {"UPDATE meeting SET " + what + " WHERE id = '" + meeting + "'"});
        });
    }
    if (statements.front().find("'replace_session'") != std::string::npos)
        oracle.asked_to_replace(meeting);
    oracle.check(meeting);
}

} // namespace usher::simulation
