// SPDX-License-Identifier: Apache-2.0
// The checker finds each kind of breach that is planted in a good database.
#include <set>

#include "world.hpp"

namespace usher {
namespace {

using namespace test;

struct Breach {
    char const* name;
    char const* sql;
    std::set<std::string> promises;

    friend void PrintTo(Breach const& breach, std::ostream* out) { *out << breach.name; }
};

class Promises : public testing::TestWithParam<Breach>, protected World {};

TEST_P(Promises, BreachIsFound)
{
    meeting(1800, 5 * 86400);
    participant("ann");
    participant("bob", "subscriber");
    settle();
    ASSERT_TRUE(violations().empty());

    // Triggers off: a breach is what no trigger and no pass should have left behind.
    sql("PRAGMA ignore_check_constraints = ON");
    for (const std::string trigger : {"meeting_update", "participant_insert", "participant_update"})
        sql("DROP TRIGGER usher_" + trigger);
    sql(GetParam().sql);

    std::set<std::string> found;
    for (Violation const& violation : violations())
        found.insert(violation.promise);
    EXPECT_EQ(found, GetParam().promises);
}

INSTANTIATE_TEST_SUITE_P(
    Planted, Promises,
    testing::Values(
        Breach{"none", "UPDATE meeting SET title = 'x'", {}},
        Breach{"no_token", "DELETE FROM token WHERE participant_id = 'ann'", {"P1"}},
        Breach{
            "somebody_new",
            "INSERT INTO participant (meeting_id, participant_id, role) VALUES ('m', 'eve', 'publisher')",
            {"P1"}},
        Breach{
            "changed_details", "UPDATE participant SET connection_data = 'new' WHERE participant_id = 'ann'", {"P1"}},
        Breach{"expired", "UPDATE token SET expires_at = 1700000000", {"P1"}},
        Breach{"issued_in_the_future", "UPDATE token SET issued_at = issued_at + 60", {"P1"}},
        Breach{
            "someone_elses_token",
            "UPDATE token SET token = (SELECT token FROM token WHERE participant_id = 'bob')",
            {"P1"}},
        Breach{"forged", "UPDATE token SET token = token || 'A'", {"P1"}},
        Breach{"outlives_the_meeting", "UPDATE token SET expires_at = expires_at + 864000", {"P1", "P2"}},
        Breach{"lives_too_long", "UPDATE token SET issued_at = issued_at - 1", {"P1", "P2"}},
        Breach{"due_for_rotation", "UPDATE token SET expires_at = expires_at - 61200", {"P1", "P3"}},
        Breach{"no_session", "UPDATE agenda SET session_no = NULL", {"P1"}},
        Breach{"failed_without_a_word", "UPDATE agenda SET state = 'failed'", {"P8"}},
        Breach{"failed_with_a_reason", "UPDATE agenda SET state = 'failed', reason = 'x', detail = 'y'", {}},
        Breach{"not_due_and_not_ready", "UPDATE agenda SET state = 'waiting'", {"P8"}}
    ),
    testing::PrintToStringParamName{}
);

TEST(PromisesAtTheView, NeitherACancelledMeetingNorAChangedRoleIsEverRead)
{
    World world;
    world.meeting(1800, 5400);
    world.participant("ann");
    world.settle();
    world.sql("DROP TRIGGER usher_meeting_update; DROP TRIGGER usher_participant_update;"
              "UPDATE participant SET role = 'moderator'");
    EXPECT_TRUE(world.credentials().empty());
    world.sql("UPDATE participant SET role = 'publisher'");
    EXPECT_EQ(world.credentials().size(), 1U);
    world.sql("UPDATE meeting SET status = 'cancelled'");
    EXPECT_TRUE(world.credentials().empty());
}

} // namespace
} // namespace usher
