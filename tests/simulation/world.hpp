// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "simulation/connection.hpp"
#include "simulation/daemon.hpp"
#include "simulation/lock_watch.hpp"
#include "simulation/month.hpp"
#include "simulation/operators.hpp"
#include "simulation/platform.hpp"
#include "simulation/scene.hpp"

namespace usher::simulation {

constexpr Duration recovery = std::chrono::minutes{45};       ///< After a trouble, until all is well again.
constexpr Duration clock_error_max = std::chrono::seconds{8}; ///< That changes nothing.

/// Who is in the scene during a month, how they come and go, and how much of what usher promises can be asked for at
/// the moment. Faults change it, the watch looks at it.
class World : public Scene {
public:
    explicit World(MonthOptions options_of_month);

    /// There is a database, all that will be edited is planned, and usherd starts.
    void begin();

    void start_daemon();
    /// One of the two has ended or is dead; the first is started again before long.
    void bury(std::unique_ptr<Daemon>& which);
    void kill_daemon();
    /// A daemon fails for a reason only.
    void judge_failure(std::exception_ptr const& failure);
    /// It has nothing more to do: what is promised holds from now on.
    void become_sound();

    void open_all();
    void close_all();
    /// Nobody has the database open, and no daemon is there.
    void leave_all();
    /// After a power loss.
    void come_back();
    /// Somebody who reads and writes, and is not told of.
    Connection& reader();
    /// Views, triggers and indexes: what usherd puts back.
    static std::int64_t objects_of(SQLite::Database& from);
    bool has_all_objects() { return objects_of(reader()) >= objects_; }

    /// What the daemon promised before need not hold until it has looked again.
    void disturb();
    void set_blind(bool is_blind);
    /// Something is wrong for so long, and then for the time of a recovery.
    void trouble(Duration length);
    bool is_calm() const { return clock.steady_now() >= trouble_until_; }
    /// Ends a trouble, unless another of its kind began meanwhile.
    void end_after(Duration length, std::uint64_t& kind, std::function<void()> end);
    /// The daemon may fail for so long.
    void forgive(Duration length);
    /// It may find that another has taken over.
    void forgive_fencing();
    void plan_on_disk(ProcessId process, DiskFault fault, std::int64_t nth, std::int64_t times);
    /// The file is another one than the one that the daemon knows.
    void older_rows_came_back();

    MonthOptions options;
    Duration span; ///< Of the month, until it becomes calm.
    StorySink sink{story, database};
    Setting setting;
    Operators operators;
    LockWatch lock_watch{clock, vfs, oracle};
    std::vector<std::unique_ptr<Platform>> platforms;
    std::unique_ptr<SQLite::Database> snapshot; ///< Of a reader who is in no hurry.
    std::unique_ptr<Daemon> daemon;
    std::unique_ptr<Daemon> second; ///< That somebody started beside it.
    std::unique_ptr<Daemon> twin;   ///< That sees the last rows only.
    ProcessId owner = 0;            ///< The daemon that took over last.
    std::int64_t starts = 0;
    std::int64_t edits = 0;
    std::int64_t rounds = 0; ///< Of the daemons' loops.
    bool sound = false;
    bool blind = false;   ///< Views or triggers are gone, or nobody can read.
    bool damaged = false; ///< A page is.
    bool quiet = false;   ///< No more faults.
    bool notices_get_lost = false;
    bool restored_beside_another = false; ///< An older daemon may think that it is the one that took over.
    std::int64_t losses = 0;              ///< Of power, that everybody knows of.

private:
    /// Somebody edits while the daemon is in the middle of its work.
    void meanwhile();
    void committed(std::string const& meeting, std::vector<std::string> const& statements);

    std::unique_ptr<Connection> reader_;
    std::int64_t objects_ = 0;
    Instant trouble_until_{};
    Instant may_fail_until_{};
    Instant fenced_until_{};
    std::uint64_t disk_no_ = 0;
    Dice meanwhile_dice_{dice.next()};
    bool in_between_ = false;
    Instant rotates_until_{}; ///< A request for it came just now.
};

} // namespace usher::simulation
