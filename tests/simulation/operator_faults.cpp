// SPDX-License-Identifier: Apache-2.0
#include "simulation/faults.hpp"

#include <chrono>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

namespace usher::simulation {

namespace {

using namespace std::chrono_literals;

void copy(SQLite::Database& from, SQLite::Database& to)
{
    sqlite3_backup* const backup = sqlite3_backup_init(to.getHandle(), "main", from.getHandle(), "main");
    const int code = backup != nullptr ? sqlite3_backup_step(backup, -1) : SQLITE_ERROR;
    sqlite3_backup_finish(backup);
    if (code != SQLITE_DONE && code != SQLITE_BUSY && code != SQLITE_LOCKED)
        throw std::runtime_error{"cannot copy the database"};
}

} // namespace

void Faults::kill()
{
    if (dice_.one_in(2))
        return kill_now();
    kill_at_call_ = true;
}

void Faults::kill_now()
{
    if (!world_.daemon)
        return;
    tell("usherd is killed");
    const std::optional<std::string> before = world_.oracle.published();
    world_.kill_daemon();
    if (before && world_.oracle.published() != before)
        world_.oracle.report("P7", "", "what was published is another after the daemon was killed");
}

void Faults::stop()
{
    tell("usherd is told to stop");
    if (world_.daemon)
        world_.daemon->stop();
    world_.trouble(0s);
}

void Faults::reload()
{
    Policy& policy = world_.setting.policy;
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

void Faults::take_setting(char const* what)
{
    tell(what);
    world_.oracle.configure(world_.setting);
    world_.disturb();
    world_.trouble(0s);
    if (world_.daemon)
        world_.daemon->reload(world_.setting);
}

void Faults::reload_in_vain()
{
    tell("the new configuration has a mistake");
    if (world_.daemon)
        world_.daemon->reload_in_vain();
}

void Faults::rotate_key()
{
    ProjectSetting& project = world_.setting.projects[static_cast<std::size_t>(dice_.below(3))];
    project.secret = "secret " + std::to_string(++keys_);
    if (project.kind != ProjectSetting::Kind::sandbox)
        world_.network.vendor.add_opentok(project.key, project.secret);
    world_.story.tell("the vendor has another secret for " + project.name);
    world_.events.after(some_time(0s, 2h), [this] { take_setting("the secret is another one"); });
    world_.trouble(2h);
}

void Faults::start_second()
{
    if (world_.second || !world_.daemon || world_.damaged) // what is damaged is put back as it was
        return;
    tell("somebody starts another usherd");
    world_.oracle.configure(world_.setting);
    world_.forgive_fencing();
    world_.disturb();
    world_.trouble(0s);
    try {
        world_.second = world_.make_daemon(world_.new_process(), world_.setting, "another daemon", world_.database);
        world_.owner = world_.second->process();
    } catch (std::exception const&) {
        world_.judge_failure(std::current_exception());
    }
}

void Faults::back_up()
{
    world_.story.tell("a backup is made");
    backup_ = std::make_unique<SQLite::Database>(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    copy(world_.reader(), *backup_);
}

void Faults::restore()
{
    if (!backup_ || world_.blind)
        return;
    tell("a backup is restored");
    world_.restored_beside_another = world_.second != nullptr;
    copy(*backup_, world_.reader());
    world_.older_rows_came_back();
    if (!world_.has_all_objects()) { // it was made while somebody had broken the schema
        world_.set_blind(true);
        world_.events.after(1min, [this, dice = dice_.fork()] { mend_schema({"", "", "", true}, dice); });
    }
    if (dice_.one_in(3))
        lose_key();
    else if (world_.daemon)
        world_.daemon->notice();
}

/// It was not in the backup, and somebody has to look for it.
void Faults::lose_key()
{
    if (world_.second || !world_.daemon) // which would put it back
        return;
    tell("the key is not there");
    world_.kill_daemon();
    const std::string file = world_.database + ".key";
    std::filesystem::rename(file, file + ".elsewhere");
    const Duration span = some_time(5s, 30s);
    world_.forgive(span + 1min);
    world_.trouble(span);
    world_.events.after(span, [this, file] {
        world_.story.tell("the key is found");
        if (!std::filesystem::exists(file)) // usherd makes one where there is no session yet
            std::filesystem::rename(file + ".elsewhere", file);
    });
}

} // namespace usher::simulation
