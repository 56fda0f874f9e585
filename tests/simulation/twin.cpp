// SPDX-License-Identifier: Apache-2.0
#include "simulation/twin.hpp"

#include <chrono>
#include <set>
#include <string>

#include <SQLiteCpp/SQLiteCpp.h>

#include "support/sqlite/outcome.hpp"

namespace usher::simulation {

namespace {

using namespace std::chrono_literals;

} // namespace

void compare_with_twin(World& world, std::function<void(Duration)> const& wait)
{
    world.events.clear();
    const As as{world.vfs, world.new_process()};
    const std::string path = world.folder.file("twin.db");
    const std::string key = world.dice.hex(64);
    Scene::make_database(path, key, world.dice.hex(32));
    SQLite::Database rows{path, SQLite::OPEN_READWRITE};
    rows.exec("ATTACH '" + world.database + "' AS main_one");
    for (const std::string table : {"meeting", "participant", "block"})
        rows.exec("INSERT INTO main." + table + " SELECT * FROM main_one." + table);
    std::string held;
    {
        SQLite::Statement query{
            rows, "SELECT m.id, s.project, s.options LIKE '%relayed%', CASE WHEN s.adopted THEN s.session_id END "
                  "FROM main_one.meeting m JOIN main_one.agenda a ON a.meeting_id = m.id "
                  "JOIN main_one.session s ON s.session_no = a.session_no WHERE m.status = 'scheduled' "
                  "AND (m.session_id IS NULL OR (s.adopted = 1 AND s.session_id = m.session_id)) AND a.opens <= ?"};
        query.bind(1, unix_seconds(world.clock.now()));
        while (query.executeStep())
            held += "UPDATE main.meeting SET project = '" + query.getColumn(1).getString() + "', media_mode = '" +
                    (query.getColumn(2).getInt() != 0 ? "relayed" : "routed") + "', session_id = " +
                    (query.getColumn(3).isNull() ? "NULL" : "'" + query.getColumn(3).getString() + "'") +
                    " WHERE id = '" + query.getColumn(0).getString() + "';";
    }
    rows.exec("DETACH main_one");
    rows.exec("CREATE TEMP TABLE last AS SELECT * FROM main.meeting;" + held);
    world.twin = world.make_daemon(world.new_process(), world.setting, "the twin", path);
    wait(5min);
    rows.exec("INSERT OR REPLACE INTO main.meeting SELECT * FROM temp.last");
    world.twin->notice();
    wait(5min);
    const std::set<std::string> ours = test::outcome(world.reader());
    const std::set<std::string> theirs = test::outcome(rows);
    const auto compare = [&world](auto const& some, auto const& others, char const* what) {
        for (std::string const& line : some)
            if (!others.contains(line) && world.oracle.violations().size() < world.options.violations_max)
                world.oracle.report("P6", "", what + line);
    };
    compare(theirs, ours, "the rows lead to ");
    compare(ours, theirs, "the month led to ");
}

} // namespace usher::simulation
