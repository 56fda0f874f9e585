// SPDX-License-Identifier: Apache-2.0
// What goes when it has been kept long enough.
#include <algorithm>

#include "provisioning_fixture.hpp"

namespace usher {
namespace {

using namespace test;

TEST_F(Provisioning, WhatIsPurgedIsNotWrittenAgain)
{
    ready_meeting();
    clock.advance(policy.retention + 3h);
    settle();
    EXPECT_EQ(text("SELECT count(*) FROM session"), "0");
    EXPECT_EQ(text("SELECT count(*) FROM meeting"), "1");
    const std::string seq = text("SELECT seq FROM daemon");
    for (int i = 0; i < 3; ++i) {
        restart();
        EXPECT_EQ(settle().looked_at, 0U);
    }
    EXPECT_EQ(text("SELECT seq FROM daemon"), seq);
}

TEST_F(Provisioning, DeletingWithdrawsAndPurgesAfterRetention)
{
    ready_meeting();
    sql("DELETE FROM meeting");
    EXPECT_TRUE(credentials().empty());
    settle();
    EXPECT_EQ(status(), "cancelled|deleted");
    EXPECT_EQ(text("SELECT count(*) FROM token"), "0");
    sql("DELETE FROM participant");
    settle();

    clock.advance(policy.retention - 1s);
    settle();
    EXPECT_EQ(text("SELECT count(*) FROM session"), "1");
    clock.advance(1s);
    settle();
    EXPECT_EQ(
        text("SELECT (SELECT count(*) FROM session) + (SELECT count(*) FROM agenda) + "
             "(SELECT count(*) FROM history)"),
        "0"
    );
}

TEST_F(Provisioning, EndedMeetingsLoseTheirTokensAndTheirSessionAfterRetention)
{
    ready_meeting();
    clock.advance(105min);
    settle();
    EXPECT_EQ(text("SELECT (SELECT count(*) FROM token), (SELECT count(*) FROM session)"), "0|1");
    clock.advance(policy.retention);
    settle();
    EXPECT_EQ(text("SELECT count(*) FROM session"), "0");
    EXPECT_EQ(text("SELECT count(*) FROM meeting"), "1");
}

TEST_F(Provisioning, ThePastOfAMeetingThatLivesGoesAfterRetention)
{
    ready_meeting();
    sql("UPDATE meeting SET ends_at = starts_at + 200 * 86400");
    settle();
    for (int i = 0; i < 3; ++i) {
        clock.advance(1h);
        sql("INSERT INTO request (action, meeting_id) VALUES ('replace_session', 'm')");
        sql("UPDATE participant SET role = 'publisher' WHERE participant_id = 'ann'");
        settle();
        sql("UPDATE participant SET role = 'moderator' WHERE participant_id = 'ann'");
        settle();
    }
    const auto past = [&](std::string const& rest) { return text("SELECT count(*) FROM token_past" + rest); };
    const std::string last = text("SELECT max(withdrawn_at) FROM token_past");
    ASSERT_EQ(text("SELECT count(*) FROM session"), "4");

    clock.advance(sys_seconds{seconds{std::stoll(last)}} + policy.retention - clock.now());
    settle();
    reconcile();
    EXPECT_EQ(past(" WHERE withdrawn_at < " + last), "0");
    EXPECT_NE(past(" WHERE withdrawn_at = " + last), "0");

    clock.advance(1s);
    reconcile(); // the tokens,
    reconcile(); // and what they were of
    EXPECT_EQ(past(" WHERE withdrawn_at <= " + last), "0");
    EXPECT_EQ(text("SELECT count(*), sum(session_no IN (SELECT session_no FROM agenda)) FROM session"), "1|1");
    EXPECT_EQ(text("SELECT count(*) FROM history WHERE at <= " + last), "0");
    settle();
    EXPECT_TRUE(credentials().contains("ann"));

    // What is deleted now has no place in a chain.
    sql("UPDATE participant SET role = 'publisher' WHERE participant_id = 'ann'");
    settle();
    sql("DELETE FROM participant; DELETE FROM meeting");
    clock.advance(policy.retention + 1h);
    settle();
    clock.advance(policy.retention + 1h);
    settle();
    EXPECT_EQ(
        text("SELECT (SELECT count(*) FROM session), (SELECT count(*) FROM token_past), "
             "(SELECT count(*) FROM history)"),
        "0|0|0"
    );
}

TEST_F(Provisioning, ThePastIsTakenAwayInSlices)
{
    ready_meeting();
    sql("UPDATE meeting SET ends_at = starts_at + 200 * 86400");
    settle();
    // As after months of edits.
    sql("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
        "INSERT INTO token_past SELECT session_no, 'ann', i, 1, 2, 1, 2, 3, 8 FROM n, agenda");
    sql("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
        "INSERT INTO history (at, meeting_no, event) SELECT 1, meeting_no, 'ready' FROM n, agenda");
    sql("UPDATE session SET has_past = 1");
    clock.advance(40min);
    settle();
    // Rows that usher never wrote are passed over, and the search has an end.
    sql("INSERT INTO token_past SELECT 1.5, 'ann', 1, 1, 2, 1, 2, 2, 8; "
        "INSERT INTO token_past SELECT 'x', 'ann', 1, 1, 2, 1, 2, 2, 8");
    sql("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) "
        "INSERT INTO token_past SELECT session_no, x'00', i, 1, 2, 1, 2, 2, 8 FROM n, agenda");
    std::size_t most = 0;
    for (Outdated::Cursor place{}; place.table != Outdated::OldTable::none;) {
        const Outdated found = rows().find_outdated(place, clock.now() - policy.retention, 100);
        most = std::max(most, found.rows.size());
        place = found.next;
        rows().remove(found);
    }
    EXPECT_EQ(most, 100);
    EXPECT_EQ(
        text("SELECT (SELECT count(*) FROM token_past WHERE withdrawn_at = 3), (SELECT count(*) FROM history "
             "WHERE at = 1)"),
        "0|0"
    );
    settle();
}

TEST_F(Provisioning, WhatIsDeletedTakesTheLockInSlicesToo)
{
    sql("BEGIN");
    for (int i = 0; i < 100; ++i) {
        meeting(hour, 2 * hour, "m" + std::to_string(i));
        for (int p = 0; p < 20; ++p)
            participant("p" + std::to_string(p), "publisher", "m" + std::to_string(i));
    }
    sql("COMMIT");
    settle();
    restart(); // slices are small again
    sql("UPDATE meeting SET status = 'cancelled'");
    std::int64_t left = 2000;
    std::int64_t most = 0; // deleted from one wait to the next, of which there is one before each transaction
    clock.on_wait = [&](auto) {
        const std::int64_t now = std::stoll(text("SELECT count(*) FROM token"));
        most = std::max(most, left - now);
        left = now;
    };
    EXPECT_EQ(settle().published.withdrawn, 2000U);
    clock.on_wait = nullptr;
    EXPECT_EQ(text("SELECT count(*) FROM token"), "0");
    EXPECT_LE(most, 1125); // the fourth batch has 1280; slices are 512 at first, then a quarter larger each
}

} // namespace
} // namespace usher
