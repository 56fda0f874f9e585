// SPDX-License-Identifier: Apache-2.0
#include "simulation/operators.hpp"

#include <utility>

#include <SQLiteCpp/VariadicBind.h>

#include <usher/store/contract.hpp>
#include <usher/store/report.hpp>
#include <usher/store/requests.hpp>

namespace usher::simulation {

Operators::Operators(
    MemoryVfs& vfs, VirtualClock& clock, Story& story, std::string database, Rows rows, Complain complain
)
    : vfs_{vfs},
      clock_{clock},
      story_{story},
      database_{std::move(database)},
      rows_{std::move(rows)},
      complain_{std::move(complain)}
{}

template <class... Values>
std::int64_t Operators::count(char const* sql, Values const&... values) const
{
    const Question query = rows_().ask(sql);
    SQLite::bind(*query, values...);
    query->executeStep();
    return query->getColumn(0).getInt64();
}

void Operators::act(ProcessId process, Policy const& policy, Dice dice)
{
    const As as{vfs_, process};
    const std::string meeting = some_meeting(dice);
    switch (dice.below(3)) {
    case 0: return perform(process, "status", dice, [&] { ask_for_status(policy); });
    case 1: return perform(process, "explain", dice, [&] { ask_about_meeting(policy, meeting); });
    default: return perform(process, "rotate", dice, [&] { file_request(meeting, dice); });
    }
}

void Operators::repair(ProcessId process, Dice dice)
{
    const As as{vfs_, process};
    perform(process, "init --repair", dice, [&] {
        const Repair done = repair_database(database_, [](std::string const&) {});
        for (Damage const& damage : done.mended)
            story_.tell("an operator mends it: " + damage.sentence);
    });
}

/// Fails for a reason only: the disk, or somebody who holds the lock.
void Operators::perform(ProcessId process, char const* command, Dice& dice, std::function<void()> const& work)
{
    story_.tell(std::string{"usherctl "} + command);
    const std::int64_t met = vfs_.faults_met();
    if (dice.one_in(2))
        vfs_.plan(
            process, dice.some({DiskFault::read_error, DiskFault::write_error, DiskFault::sync_error, DiskFault::busy}),
            dice.between(1, dice.some({8, 60})), dice.between(1, 3)
        );
    try {
        work();
    } catch (DatabaseBusy const&) {
        story_.tell("usherctl finds the database busy");
    } catch (DatabaseError const& error) {
        story_.tell("usherctl fails");
        if (vfs_.faults_met() == met)
            complain_("", std::string{"usherctl "} + command + " fails for no reason: " + error.what());
    }
    vfs_.forget_plan(process);
}

void Operators::ask_for_status(Policy const& policy)
{
    const sys_seconds now = clock_.now();
    const Report report{database_, now};
    const StatusReport status = report.status({now, policy});
    report.damages();
    report.health();
    report.daemon();
    std::int64_t tokens = 0;
    for (ProjectReport const& project : status.projects)
        tokens += project.tokens;
    const std::int64_t published = count(
        "SELECT count(*) FROM token t JOIN agenda a USING (session_no) JOIN session s USING (session_no) WHERE "
        "a.closes > ? AND s.project IN (SELECT name FROM project_status)",
        unix_seconds(now)
    );
    if (tokens != published)
        complain_(
            "", "status tells of " + std::to_string(tokens) + " published tokens, and there are " +
                    std::to_string(published)
        );
}

void Operators::ask_about_meeting(Policy const& policy, std::string const& meeting)
{
    const sys_seconds now = clock_.now();
    const Report report{database_, now};
    const auto told = report.meeting(meeting, {now, policy});
    report.nearest_meeting(meeting + "x");
    report.person(meeting, "p1");
    const std::size_t credentials = report.credentials(meeting, std::nullopt).total;
    const std::int64_t shown = count("SELECT count(*) FROM join_credential WHERE meeting_id = ?", meeting);
    if (static_cast<std::int64_t>(credentials) != shown)
        complain_(
            meeting,
            "credentials tells of " + std::to_string(credentials) + ", and readers see " + std::to_string(shown)
        );
    if (told && static_cast<std::int64_t>(told->people_with_token) < shown)
        complain_(
            meeting, "explain tells of " + std::to_string(told->people_with_token) + " people with a token, and " +
                         std::to_string(shown) + " can join"
        );
}

void Operators::file_request(std::string const& meeting, Dice& dice)
{
    RequestDesk desk{database_, true};
    const RequestScope scope{meeting, std::nullopt};
    desk.knows_meeting(meeting);
    desk.extent(scope, clock_.now());
    story_.tell("an operator wants a rotation", meeting);
    const RequestReport filed = desk.file(RequestAction::rotate, scope, "an operator");
    desk.open();
    desk.looked_at();
    if (dice.one_in(4))
        desk.abort(filed.id, "an operator", clock_.now());
    else if (on_rotation)
        on_rotation(meeting);
}

std::string Operators::some_meeting(Dice& dice) const
{
    const Question query = rows_().ask("SELECT m.id FROM meeting m JOIN agenda a ON a.meeting_id = m.id WHERE "
                                       "m.ends_at > ?1 ORDER BY m.starts_at, m.id LIMIT 1 OFFSET ?2");
    query->bind(1, unix_seconds(clock_.now()));
    query->bind(2, dice.below(5));
    return query->executeStep() ? query->getColumn(0).getString() : "nobody's";
}

} // namespace usher::simulation
