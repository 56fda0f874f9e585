// SPDX-License-Identifier: Apache-2.0
// What readers are told of restored backups and of withdrawn tokens.
#include <filesystem>
#include <map>
#include <set>

#include "provisioning_fixture.hpp"

namespace usher {
namespace {

using namespace test;

class Restores : public Provisioning {
protected:
    /// What a follower knows, who starts anew whenever `restores` has changed.
    void follow()
    {
        const std::string now = text("SELECT restores FROM usher_status");
        if (now != restores) {
            known.clear();
            last = 0;
        }
        restores = now;
        SQLite::Statement query{
            *platform, "SELECT meeting_id, state, seq FROM meeting_status WHERE seq > ? ORDER BY seq"};
        query.bind(1, last);
        while (query.executeStep()) {
            known[query.getColumn(0).getString()] = query.getColumn(1).getString();
            last = query.getColumn(2).getInt64();
        }
    }

    std::string restores = "0";
    std::int64_t last = 0;
    std::map<std::string, std::string> known;
};

TEST_F(Restores, AreToldToFollowersWhetherUsherRunsOrNot)
{
    for (const bool running : {false, true}) {
        SCOPED_TRACE(running);
        ready_meeting();
        follow();
        EXPECT_EQ(known["m"], "ready");
        const std::string before = text("SELECT restores FROM usher_status");
        const std::string copy = path + ".copy";
        std::filesystem::remove(copy);
        sql("INSERT INTO session_attempt (meeting_no, started_at) SELECT meeting_no, 1893456000 FROM agenda");
        sql("VACUUM INTO '" + copy + "'");
        sql("DELETE FROM session_attempt");
        sql("UPDATE meeting SET status = 'cancelled'");
        settle();
        follow();
        EXPECT_EQ(known["m"], "cancelled");

        if (!running) {
            stop();
        }
        platform->backup(copy.c_str(), SQLite::Database::BackupType::Load);
        if (running) {
            sql("UPDATE meeting SET title = 'any edit' WHERE id = 'm'");
            settle();
            EXPECT_TRUE(provisioner->take_sweep_wish());
            reconcile();
        } else {
            restart();
        }
        settle();
        EXPECT_EQ(text("SELECT restores FROM usher_status"), std::to_string(std::stoi(before) + 1));
        follow();
        EXPECT_EQ(known["m"], "ready");
        EXPECT_EQ(text("SELECT group_concat(outcome) FROM session_attempt"), "abandoned");
        sql("DELETE FROM participant; DELETE FROM meeting; DELETE FROM session_attempt");
        settle();
    }
}

/// The second time the copy says again how often rows had come back when it was made.
TEST_F(Restores, OfTheSameCopyAreToldEachTime)
{
    ready_meeting();
    const std::string copy = path + ".copy";
    sql("VACUUM INTO '" + copy + "'");
    std::set<std::string> told{text("SELECT restores FROM usher_status")};
    for (const bool running : {false, false, true, true, false}) {
        sql("UPDATE meeting SET ends_at = ends_at + 60");
        settle();
        if (!running)
            stop();
        platform->backup(copy.c_str(), SQLite::Database::BackupType::Load);
        if (running)
            sql("UPDATE meeting SET title = 'any edit'");
        else
            restart();
        settle();
        EXPECT_TRUE(told.insert(text("SELECT restores FROM usher_status")).second) << *told.rbegin();
    }
}

TEST_F(Restores, ADatabaseThatWasOnlyRestartedTellsNothing)
{
    ready_meeting();
    for (int i = 0; i < 3; ++i) {
        restart();
        sql("UPDATE meeting SET title = title || 'x', ends_at = ends_at + 60");
        settle();
    }
    EXPECT_EQ(text("SELECT restores FROM usher_status"), "0");
    std::filesystem::remove(path + ".mark");
    restart();
    EXPECT_EQ(text("SELECT restores FROM usher_status"), "1");
}

class CredentialHistory : public Provisioning {
protected:
    /// Person, role, why it was given, and why it was withdrawn.
    std::string history(std::string const& where = "1")
    {
        return text(
            "SELECT participant_id, role, reason, COALESCE(withdrawn_reason, 'is shown') FROM credential_history "
            "WHERE " +
            where + " ORDER BY issued_at, participant_id, withdrawn_at IS NULL, withdrawn_at"
        );
    }
};

TEST_F(CredentialHistory, TellsEachTokenOfAPersonAndOfAMeeting)
{
    ready_meeting();
    EXPECT_EQ(text("SELECT count(*) FROM token_past"), "0");
    EXPECT_EQ(history(), "ann|publisher|issued|is shown\nbob|subscriber|issued|is shown");
    clock.advance(1min);
    sql("UPDATE participant SET role = 'moderator' WHERE participant_id = 'ann'");
    settle();
    clock.advance(1min);
    sql("DELETE FROM participant WHERE participant_id = 'bob'");
    settle();
    EXPECT_EQ(
        history("meeting_id = 'm'"), "ann|publisher|issued|role_changed\nbob|subscriber|issued|removed\n"
                                     "ann|moderator|role_changed|is shown"
    );
    EXPECT_EQ(
        text("SELECT withdrawn_at FROM credential_history WHERE withdrawn_reason = 'removed'"),
        std::to_string(unix_seconds(clock.now()))
    );
    clock.advance(1min);
    sql("UPDATE meeting SET status = 'cancelled'");
    settle();
    EXPECT_EQ(
        history("participant_id = 'ann'"), "ann|publisher|issued|role_changed\nann|moderator|role_changed|cancelled"
    );
    clock.advance(policy.retention + 3h);
    settle();
    EXPECT_EQ(history(), "");
    EXPECT_EQ(text("SELECT count(*) FROM token_past"), "0");
}

TEST_F(CredentialHistory, HasNothingThatNobodyWasGiven)
{
    meeting(30 * minute, 90 * minute);
    participant("ann");
    settle();
    sql("INSERT INTO request (action, meeting_id) VALUES ('replace_session', 'm')");
    settle();
    EXPECT_EQ(history("1"), "ann|publisher|issued|session_replaced\nann|publisher|issued|is shown");
    sql("INSERT INTO block (meeting_id, participant_id) VALUES ('m', 'ann')");
    settle();
    EXPECT_EQ(history("withdrawn_reason = 'blocked'"), "ann|publisher|issued|blocked");
}

} // namespace
} // namespace usher
