// SPDX-License-Identifier: Apache-2.0
#include "simulation/faults.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

namespace usher::simulation {

namespace {

using namespace std::chrono_literals;

} // namespace

void Faults::lose_notices()
{
    tell("notices get lost");
    world_.notices_get_lost = true;
    world_.end_after(some_time(10min, 2h), lost_notices_no_, [this] { world_.notices_get_lost = false; });
}

void Faults::hold_lock()
{
    tell("a platform holds the lock");
    world_.platforms[1]->hold("", {"UPDATE meeting SET title = title WHERE id = 'none'"}, some_time(1s, 40s));
    world_.trouble(40s);
}

/// A reader who is in no hurry sees the same all the time.
void Faults::hold_snapshot()
{
    if (world_.snapshot || world_.blind)
        return;
    tell("a reader holds a snapshot");
    const As as{world_.vfs, world_.new_process()};
    world_.snapshot = std::make_unique<SQLite::Database>(world_.database, SQLite::OPEN_READONLY);
    world_.snapshot->exec("BEGIN");
    const auto rows = [this] {
        SQLite::Statement query{*world_.snapshot, "SELECT count(*), total(length(token)), max(seq) FROM token, daemon"};
        query.executeStep();
        return query.getColumn(0).getString() + " " + query.getColumn(1).getString() + " " +
               query.getColumn(2).getString();
    };
    const std::string before = rows();
    world_.events.after(some_time(1min, 20min), [this, before, rows, which = world_.snapshot.get()] {
        if (world_.snapshot.get() != which)
            return;
        if (rows() != before)
            world_.oracle.report("P12", "", "a snapshot changes under its reader");
        world_.snapshot.reset();
    });
}

void Faults::drop_something()
{
    if (world_.damaged || is_recovered_)
        return;
    if (!world_.blind && dice_.one_in(2))
        return break_schema();
    SQLite::Database& database = world_.reader();
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
        auto const& [type, name] = all[static_cast<std::size_t>(dice_.below(static_cast<std::int64_t>(all.size())))];
        const std::string drop = "DROP " + type + " IF EXISTS " + name;
        if (sqlite3_exec(database.getHandle(), drop.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
            continue;
        tell(drop);
        world_.set_blind(true);
    }
    world_.disturb();
    world_.trouble(5min);
    if (dice_.one_in(3)) // as it is put back
        plan_on_disk(
            "the disk fails",
            dice_.some({DiskFault::read_error, DiskFault::write_error, DiskFault::full, DiskFault::busy}),
            dice_.between(1, 12), dice_.between(1, 3)
        );
    if (dice_.one_in(2))
        world_.events.after(some_time(0s, 2s), [this, dice = dice_.fork()] {
            if (!world_.damaged && !is_recovered_)
                world_.operators.repair(world_.new_process(), dice, unmendable_ == 0);
        });
    if (world_.daemon && dice_.one_in(2)) // else with the next edit, which is not marked then
        world_.daemon->notice();
}

void Faults::break_schema()
{
    const Breach breach = dice_.some<Breach>(
        {{"people are there twice",
          "DROP INDEX participant_by_meeting; INSERT INTO participant (meeting_id, participant_id, role) "
          "SELECT meeting_id, participant_id, role FROM participant ORDER BY id DESC LIMIT 2",
          "DELETE FROM participant WHERE id NOT IN (SELECT min(id) FROM participant GROUP BY meeting_id, "
          "participant_id)",
          true},
         {"blocks are there twice",
          "DROP INDEX block_by_meeting; INSERT INTO block (meeting_id, participant_id) "
          "SELECT meeting_id, participant_id FROM block ORDER BY id DESC LIMIT 2",
          "DELETE FROM block WHERE id NOT IN (SELECT min(id) FROM block GROUP BY meeting_id, participant_id)", true},
         {"a table has the name of an index", "DROP INDEX agenda_by_time; CREATE TABLE agenda_by_time (x)",
          "DROP TABLE agenda_by_time", false},
         {"a table has the name of a view", "DROP VIEW meeting_status; CREATE TABLE meeting_status (x)",
          "DROP TABLE meeting_status", false},
         {"a column of usher's is gone", "DROP VIEW usher_status; ALTER TABLE daemon DROP COLUMN damage", "", true}}
    );
    sqlite3* const database = world_.reader().getHandle();
    const std::string all = "BEGIN IMMEDIATE;" + std::string{breach.sql} + ";COMMIT";
    if (sqlite3_exec(database, all.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
        sqlite3_exec(database, "ROLLBACK", nullptr, nullptr, nullptr);
        return;
    }
    tell(breach.what);
    unmendable_ += breach.can_be_mended ? 0 : 1;
    world_.set_blind(true);
    world_.disturb();
    const Duration span = some_time(20s, 3min);
    world_.trouble(span + 5min);
    for (int i = 0; i < 6; ++i)
        world_.events.after(some_time(0s, span), [this, dice = dice_.fork()] {
            if (!world_.damaged && !is_recovered_)
                world_.operators.repair(world_.new_process(), dice, unmendable_ == 0);
        });
    world_.events.after(span, [this, breach, dice = dice_.fork()] { mend_schema(breach, dice); });
    if (world_.daemon && dice_.percent(65)) { // else it dies, or finds out at its next look
        if (dice_.percent(75))                // while it reads what it is to put back, after the schema
            plan_on_disk("reads fail", DiskFault::read_error, dice_.between(8, 10), dice_.between(1, 3));
        world_.daemon->notice();
    } else if (dice_.one_in(2)) {
        kill();
    }
}

/// Until all is as it should be.
void Faults::mend_schema(Breach breach, Dice dice)
{
    if (!world_.damaged && !is_recovered_) {
        sqlite3_exec(world_.reader().getHandle(), breach.mend, nullptr, nullptr, nullptr);
        world_.operators.repair(world_.new_process(), dice.fork(), unmendable_ == 0);
        if (world_.daemon)
            world_.daemon->notice();
        if (world_.has_all_objects()) {
            unmendable_ -= breach.can_be_mended ? 0 : 1;
            return;
        }
    }
    world_.events.after(20s, [this, breach, dice] { mend_schema(breach, dice); });
}

/// The triggers that mark what people edit are gone, and somebody edits before they are back.
void Faults::edit_unmarked()
{
    if (world_.blind || world_.damaged)
        return;
    SQLite::Database& database = world_.reader();
    std::string meeting;
    std::string person;
    std::string drops;
    {
        SQLite::Statement query{
            database, "SELECT a.meeting_id, min(t.participant_id) FROM agenda a JOIN token t USING (session_no) JOIN "
                      "meeting m ON m.id = a.meeting_id WHERE a.state = 'ready' AND m.status = 'scheduled' AND "
                      "m.ends_at > ?1 + 3600 GROUP BY a.meeting_no ORDER BY a.opens LIMIT 1"};
        query.bind(1, unix_seconds(world_.clock.now()));
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
    tell("nobody is told of edits of people, and " + person + " of " + meeting + " is edited");
    world_.set_blind(true);
    world_.disturb();
    world_.trouble(5min);
    const std::string who = "'" + meeting + "' AND participant_id = '" + person + "'";
    const std::string values = "'" + meeting + "', '" + person + "'";
    world_.platforms[0]->edit(
        meeting, {dice_.some<std::string>(
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
void Faults::forge_session()
{
    if (world_.blind)
        return;
    SQLite::Database& database = world_.reader();
    std::string meeting;
    {
        SQLite::Statement query{
            database, "SELECT a.meeting_id FROM agenda a JOIN session s ON s.session_no = a.session_no JOIN meeting m "
                      "ON m.id = a.meeting_id WHERE s.adopted = 0 AND m.ends_at > ? ORDER BY a.opens LIMIT 1"};
        query.bind(1, unix_seconds(world_.clock.now()));
        if (!query.executeStep())
            return;
        meeting = query.getColumn(0).getString();
    }
    const std::string forge = "UPDATE session SET session_id = 'forged-" + std::to_string(++forged_) +
                              "' WHERE session_no = (SELECT session_no FROM agenda WHERE meeting_id = '" + meeting +
                              "')";
    if (sqlite3_exec(database.getHandle(), forge.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
        return;
    ++count_;
    world_.story.tell("FAULT somebody forges its session", meeting);
    world_.oracle.taint(meeting);
    world_.oracle.free(meeting);
    world_.trouble(0s);
    world_.platforms[0]->edit(
        meeting, {"INSERT OR REPLACE INTO participant (meeting_id, participant_id, role) VALUES ('" + meeting +
                  "', 'p0', 'subscriber')"}
    );
}

/// Somebody writes with a library that knows no CHECKs: rows that the contract refuses, and others where usher
/// keeps its own.
void Faults::write_odd_rows()
{
    if (world_.blind)
        return;
    SQLite::Database& database = world_.reader();
    std::string meeting;
    {
        SQLite::Statement query{
            database, "SELECT a.meeting_id FROM agenda a JOIN meeting m ON m.id = a.meeting_id WHERE m.ends_at > ? "
                      "ORDER BY a.opens LIMIT 1 OFFSET ?"};
        query.bind(1, unix_seconds(world_.clock.now()));
        query.bind(2, dice_.below(6));
        if (!query.executeStep())
            return;
        meeting = query.getColumn(0).getString();
    }
    const std::string its = " = (SELECT meeting_no FROM agenda WHERE meeting_id = '" + meeting + "')";
    const std::string what = dice_.some<std::string>(
        {"UPDATE participant SET role = 'king' WHERE meeting_id = '" + meeting + "'",
         "UPDATE participant SET role = zeroblob(1000100) WHERE meeting_id = '" + meeting + "'",
         "UPDATE participant SET connection_data = printf('%.2000c', 'x') WHERE meeting_id = '" + meeting + "'",
         "UPDATE participant SET layout_classes = 'two  spaces' WHERE meeting_id = '" + meeting + "'",
         "UPDATE meeting SET ends_at = starts_at WHERE id = '" + meeting + "'",
         "UPDATE meeting SET title = printf('%.1000100c', 'x') WHERE id = '" + meeting + "'",
         "INSERT INTO meeting (id, starts_at, ends_at) SELECT printf('%.1200c', 'x'), starts_at, ends_at FROM "
         "meeting WHERE id = '" +
             meeting + "'",
         "UPDATE agenda SET detail = zeroblob(1000100) WHERE meeting_no" + its,
         "UPDATE session SET disconnect = 1 WHERE session_no = (SELECT session_no FROM agenda WHERE meeting_no" + its +
             ")",
         "UPDATE token SET key_id = zeroblob(1000100) WHERE session_no = (SELECT session_no FROM agenda WHERE "
         "meeting_no" +
             its + ")",
         "INSERT OR REPLACE INTO participant_problem (meeting_no, participant_id, reason, detail, since) SELECT "
         "meeting_no, 'nobody', zeroblob(1000100), '', 0 FROM agenda WHERE meeting_no" +
             its}
    );
    const std::string odd = "PRAGMA ignore_check_constraints = ON; " + what + "; PRAGMA ignore_check_constraints = OFF";
    for (auto const& platform : world_.platforms)
        platform->expect_refusals();
    world_.oracle.taint(meeting);
    world_.oracle.free(meeting);
    if (sqlite3_exec(database.getHandle(), odd.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
        sqlite3_exec(database.getHandle(), "PRAGMA ignore_check_constraints = OFF", nullptr, nullptr, nullptr);
        return;
    }
    ++count_;
    if (what.find("1000100") != std::string::npos)
        world_.lock_watch.expect_large_rows();
    world_.story.tell("FAULT odd rows: " + what, meeting);
    const Duration span = some_time(5min, 3h);
    world_.trouble(span);
    const std::string nobody = "nobody" + std::to_string(count_); // another one each time, so that it is an edit
    world_.platforms[1]->edit(
        meeting,
        {"INSERT OR IGNORE INTO block (meeting_id, participant_id) VALUES ('" + meeting + "', '" + nobody + "')"}
    );
    if (what.starts_with("UPDATE meeting")) // nothing can be signed until its row is mended
        world_.platforms[0]->edit(
            meeting, {"INSERT INTO request (action, meeting_id) VALUES ('rotate', '" + meeting + "')"}
        );
    for (int i = 1; i <= 3; ++i)
        world_.events.after(i * Duration{1min}, [this, dice = dice_.fork()] {
            if (!world_.blind && !world_.damaged)
                world_.operators.act(world_.new_process(), world_.setting.policy, dice);
        });
    world_.events.after(span, [this] { mend_odd_rows(); });
}

/// Likewise, in the row that usher keeps of itself.
void Faults::write_odd_daemon_row()
{
    if (world_.blind || world_.second)
        return;
    if (sqlite3_exec(
            world_.reader().getHandle(), "UPDATE daemon SET who = zeroblob(1000100)", nullptr, nullptr, nullptr
        ) != SQLITE_OK)
        return;
    tell("somebody writes into usher's own row");
    world_.older_rows_came_back();
    if (!world_.daemon)
        return;
    world_.kill_daemon();
}

void Faults::mend_odd_rows()
{
    world_.platforms[1]->edit(
        "", {"UPDATE participant SET role = 'publisher' WHERE typeof(role) <> 'text' OR role NOT IN "
             "('subscriber', 'publisher', 'publisheronly', 'moderator')"}
    );
    world_.platforms[1]->edit("", {"UPDATE participant SET connection_data = '' WHERE length(connection_data) > 1000"});
    world_.platforms[1]->edit("", {"UPDATE participant SET layout_classes = '' WHERE layout_classes LIKE '%  %'"});
    world_.platforms[1]->edit("", {"UPDATE meeting SET ends_at = starts_at + 3600 WHERE ends_at <= starts_at"});
    world_.platforms[1]->edit("", {"UPDATE meeting SET title = 'm' WHERE length(title) > 1000"});
    world_.platforms[1]->edit("", {"DELETE FROM meeting WHERE length(id) > 1000"});
    world_.trouble(0s);
}

} // namespace usher::simulation
