// SPDX-License-Identifier: Apache-2.0
#include "simulation/operators.hpp"

#include <span>
#include <utility>

#include <SQLiteCpp/VariadicBind.h>

#include <usher/store/contract.hpp>
#include <usher/store/examination.hpp>
#include <usher/store/platform_reader.hpp>
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
    switch (dice.below(5)) {
    case 0: return perform(process, "status", dice, [&] { ask_for_status(policy); });
    case 1: return perform(process, "explain", dice, [&] { ask_about_meeting(policy, meeting); });
    case 2: return perform(process, "doctor", dice, [&] { examine(); });
    case 3: return perform(process, "export", dice, [&] { export_all(); });
    default: return perform(process, "rotate", dice, [&] { file_request(meeting, dice); });
    }
}

void Operators::repair(ProcessId process, Dice dice, bool can_be_mended)
{
    const As as{vfs_, process};
    can_be_mended_ = can_be_mended;
    perform(process, "init --repair", dice, [&] {
        const Repair done = repair_database(database_, [](std::string const&) {});
        if (!done.refused.empty())
            story_.tell("an operator is to see to it: " + done.refused.front());
        else
            for (Damage const& damage : done.mended)
                story_.tell("an operator mends it: " + damage.sentence);
    });
    can_be_mended_ = true;
}

/// Fails for a reason only: the disk, or somebody who holds the lock.
void Operators::perform(ProcessId process, char const* command, Dice& dice, std::function<void()> const& work)
{
    story_.tell(std::string{"usherctl "} + command);
    const std::int64_t met = vfs_.faults_met();
    if (dice.one_in(2))
        vfs_.plan(
            process,
            dice.some(
                {DiskFault::read_error, DiskFault::read_error, DiskFault::write_error, DiskFault::sync_error,
                 DiskFault::busy}
            ),
            dice.between(1, dice.some({12, 12, 60})), dice.some({1, 2, 3, 500})
        );
    try {
        work();
    } catch (DatabaseBusy const&) {
        story_.tell("usherctl finds the database busy");
    } catch (DatabaseError const& error) {
        story_.tell("usherctl fails");
        if (vfs_.faults_met() == met && can_be_mended_)
            complain_("", std::string{"usherctl "} + command + " fails for no reason: " + error.what());
    }
    vfs_.forget_plan(process);
}

/// What it says of rights and room is of the machine that the simulation runs on.
void Operators::examine()
{
    const std::int64_t met = vfs_.faults_met();
    const Examination found = examine_store(database_, false);
    if (vfs_.faults_met() != met)
        return;
    const auto is_of_rows = [](std::string const& text) { // that somebody writes without CHECKs
        return text.find("CHECK constraint") != std::string::npos || text.find("NULL value") != std::string::npos;
    };
    for (StoreFinding const& finding : found.findings)
        if (finding.is_problem && (finding.check == "database" || finding.check == "integrity") &&
            !is_of_rows(finding.text))
            complain_("", "doctor finds for no reason: " + finding.text);
}

void Operators::export_all()
{
    const PlatformReader reader{database_};
    for (PlatformTable const& table :
         {PlatformTable{"meeting", {"id", "title", "starts_at"}}, PlatformTable{"participant", {"id", "role"}}}) {
        std::int64_t rows = 0;
        reader.each_row(table, [&](std::span<RowValue const>) { ++rows; });
        if (const std::int64_t counted = reader.count_rows(table.name); rows != counted)
            complain_(
                "", "export writes " + std::to_string(rows) + " rows of " + table.name + ", and there are " +
                        std::to_string(counted)
            );
    }
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
