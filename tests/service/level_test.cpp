// SPDX-License-Identifier: Apache-2.0
// No sequence of edits and passes breaks a promise, and what comes out depends on the rows alone.
#include <rapidcheck.h>

#include "world.hpp"

namespace usher {
namespace {

using namespace test;

/// One thing that a platform, an operator or time does.
void act(World& world, int kind, int meeting_number, int participant_number)
{
    const std::string meeting = "m" + std::to_string(meeting_number);
    const std::string participant = "p" + std::to_string(participant_number);
    const std::string where = " WHERE id = '" + meeting + "'";
    const std::string whom = " WHERE meeting_id = '" + meeting + "' AND participant_id = '" + participant + "'";
    const auto offset = unix_seconds(world.clock.now() - World::start.time_since_epoch());
    switch (kind) {
    case 0: world.meeting(offset + 1800, offset + 5400, meeting, "INSERT OR REPLACE"); break;
    case 1: world.participant(participant, "publisher", meeting, "INSERT OR REPLACE"); break;
    case 2: world.participant(participant, "moderator", meeting, "INSERT OR REPLACE"); break;
    case 3: world.sql("DELETE FROM participant" + whom); break;
    case 4: world.sql("UPDATE meeting SET status = 'cancelled'" + where); break;
    case 5: world.sql("UPDATE meeting SET status = 'scheduled'" + where); break;
    case 6: world.sql("DELETE FROM meeting" + where); break;
    case 7: world.sql("UPDATE meeting SET ends_at = ends_at + 1800" + where); break;
    case 8: world.sql("UPDATE meeting SET starts_at = starts_at + 7200, ends_at = ends_at + 7200" + where); break;
    case 9: world.sql("UPDATE meeting SET media_mode = 'relayed'" + where); break;
    case 10: world.sql("UPDATE meeting SET project = 'second'" + where); break;
    case 11: world.sql("UPDATE OR REPLACE participant SET meeting_id = 'm0'" + whom); break;
    case 12: world.sql("UPDATE OR REPLACE meeting SET id = 'm0'" + where); break;
    case 13: world.sql("INSERT INTO request (action, meeting_id) VALUES ('rotate', '" + meeting + "')"); break;
    case 14: world.sql("INSERT INTO request (action, project) VALUES ('replace_session', '*')"); break;
    case 15: world.clock.advance(20min); break;
    case 16: world.clock.advance(5h); break;
    case 17: world.sql("UPDATE participant SET connection_data = CAST(x'ff' AS TEXT)" + whom); break;
    case 18: world.pass(); break;
    case 19: world.restart(); break;
    case 20: world.sql("PRAGMA recursive_triggers = ON; PRAGMA foreign_keys = ON"); break;
    default: world.sql("UPDATE participant SET layout_classes = 'focus'" + whom); break;
    }
}

struct Step {
    int kind;
    int meeting;
    int participant;
};

std::vector<Step> steps()
{
    const auto one = rc::gen::map(
        rc::gen::tuple(rc::gen::inRange(0, 22), rc::gen::inRange(0, 3), rc::gen::inRange(0, 3)),
        [](std::tuple<int, int, int> const& drawn) { return std::tuple<int, int, int>{drawn}; }
    );
    std::vector<Step> result;
    for (auto const& [kind, meeting, participant] : *rc::gen::container<std::vector<std::tuple<int, int, int>>>(one))
        result.push_back({kind, meeting, participant});
    return result;
}

TEST(Level, NoSequenceOfEditsAndPassesBreaksAPromise)
{
    EXPECT_TRUE(rc::check("promises hold", [] {
        World world;
        for (Step const& step : steps()) {
            act(world, step.kind, step.meeting, step.participant);
            for (Violation const& violation : world.violations())
                RC_FAIL(violation.promise + " " + violation.meeting_id + ": " + violation.what);
        }
        world.settle();
        RC_ASSERT(world.violations().empty());
        // Nothing is left to do at this instant.
        RC_ASSERT(world.settle().published.tokens == 0U);
    }));
}

/// What a platform can tell apart, the texts of sessions and tokens aside.
std::string outcome(World& world)
{
    return world.text("SELECT meeting_id, participant_id, role, project, expires_at FROM join_credential ORDER BY 1, 2"
           ) +
           "\n" +
           world.text(
               "SELECT s.meeting_id, s.state, s.reason FROM meeting_status s JOIN meeting m ON m.id = s.meeting_id "
               "ORDER BY 1"
           );
}

TEST(Level, ADaemonThatWasDownEndsWhereOneThatWasUpDoes)
{
    EXPECT_TRUE(rc::check("the outcome depends on the rows", [] {
        World up;
        World down;
        for (Step const& step : steps()) {
            // What a live meeting keeps of its session is history by design, so options and projects stay as they are.
            if (step.kind == 9 || step.kind == 10 || step.kind == 18 || step.kind == 19)
                continue;
            act(up, step.kind, step.meeting, step.participant);
            act(down, step.kind, step.meeting, step.participant);
            up.settle();
        }
        down.settle();
        RC_ASSERT(outcome(up) == outcome(down));
    }));
}

} // namespace
} // namespace usher
