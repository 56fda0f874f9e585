// SPDX-License-Identifier: Apache-2.0
// Batches: their order, what comes between reading and publishing, and what they leave of the lock.
#include <algorithm>
#include <filesystem>
#include <set>

#include <boost/asio/thread_pool.hpp>

#include "provisioning_fixture.hpp"

namespace usher {
namespace {

using namespace test;

TEST_F(Provisioning, APassThatFailedIsMadeUpForByTheNext)
{
    ready_meeting();
    participant("eve");
    // The platform takes the write lock between the daemon's reading and its publish, and keeps it.
    random.before_next = [&] { sql("BEGIN IMMEDIATE"); };
    EXPECT_THROW(pass(), DatabaseBusy);
    sql("COMMIT");
    EXPECT_FALSE(credentials().contains("eve"));

    settle();

    EXPECT_TRUE(credentials().contains("eve"));
    EXPECT_EQ(status(), "ready|");
}

/// A token for each participant of a meeting that a daemon has read and is about to publish.
class BetweenReadAndPublish : public Provisioning {
protected:
    void read()
    {
        seen = rows().seen();
        meetings = {*rows().read_one("m")};
        tokens.clear();
        planned = plan(meetings[0], provisioner->projects(), clock.now());
        session = *meetings[0].published;
        for (SignStep const& step : planned.sign)
            tokens.push_back({step.participant, "token", step.reason, clock.now(), clock.now() + 1h, 1});
    }

    PublishCounts publish()
    {
        Publication publication{&meetings[0], &planned, seen, &session, "key", tokens};
        return rows().publish({&publication, 1}, clock.now()).counts.front();
    }

    std::int64_t due_at() { return std::stoll(text("SELECT due_at FROM agenda WHERE meeting_id = 'm'")); }

    Seen seen;
    std::vector<MeetingSnapshot> meetings;
    Plan planned;
    SessionRow session;
    std::vector<SignedToken> tokens;
};

TEST_F(BetweenReadAndPublish, AnEditIsNotOverrun)
{
    ready_meeting();
    participant("eve", "moderator");
    read();
    ASSERT_EQ(tokens.size(), 1U);
    sql("DELETE FROM participant WHERE participant_id = 'eve'");

    const PublishCounts counts = publish();

    EXPECT_EQ(counts.skipped, 1U);
    EXPECT_EQ(counts.settled, 0U);
    EXPECT_EQ(text("SELECT count(*) FROM token WHERE participant_id = 'eve'"), "0");
    EXPECT_EQ(status(), "pending|");
    settle();
    EXPECT_EQ(status(), "ready|");
}

TEST_F(BetweenReadAndPublish, AnEditOfAMeetingThatTimeMadeDueIsNotOverrun)
{
    ready_meeting();
    sql("UPDATE agenda SET due_at = 5, generation = 1"); // all are to be signed anew
    read();
    ASSERT_EQ(tokens.size(), 2U);
    sql("UPDATE participant SET role = 'moderator' WHERE participant_id = 'bob'");

    const PublishCounts counts = publish();

    EXPECT_EQ(counts.tokens, 1U);
    EXPECT_EQ(counts.skipped, 1U);
    EXPECT_EQ(counts.settled, 0U);
    EXPECT_EQ(due_at(), 0);
}

TEST_F(BetweenReadAndPublish, WhatOthersWriteElsewhereDoesNotMatter)
{
    ready_meeting();
    participant("eve");
    read();
    sql("INSERT INTO meeting (id, starts_at, ends_at) VALUES ('another', 1800000001, 1800000002)");

    const PublishCounts counts = publish();

    EXPECT_EQ(counts.tokens, 1U);
    EXPECT_EQ(counts.settled, 1U);
    EXPECT_GT(due_at(), 0);
}

TEST_F(BetweenReadAndPublish, TheDaemonsOwnWritesAreSeenToo)
{
    ready_meeting();
    participant("eve");
    read();
    sql("UPDATE agenda SET due_at = 0");
    const Seen now = rows().seen();
    seen.of_others = now.of_others; // as if only the daemon had written
    const MeetingNo number = meetings[0].number;
    rows().mark({&number, 1});
    sql("UPDATE agenda SET generation = generation + 1");
    seen.of_others = rows().seen().of_others;

    EXPECT_EQ(publish().settled, 0U);
    EXPECT_EQ(due_at(), 0);
}

TEST_F(BetweenReadAndPublish, AMeetingOfManyIsLookedAtAgainWhereOthersWrote)
{
    ready_meeting();
    for (int i = 0; i < 300; ++i)
        participant("guest-" + std::to_string(i));
    read();
    sql("INSERT INTO meeting (id, starts_at, ends_at) VALUES ('another', 1800000001, 1800000002)");

    const PublishCounts counts = publish(); // who was edited is not looked for under the lock

    EXPECT_EQ(counts.tokens, 300U);
    EXPECT_EQ(counts.settled, 0U);
    EXPECT_EQ(due_at(), 1); // an edit from here on would show
    read();
    EXPECT_EQ(publish().settled, 1U);
    EXPECT_GT(due_at(), 1);
}

TEST_F(Provisioning, DueComesByNeed)
{
    // Began long ago, and within the last day; soon, just inside and outside of two hours; next week, with a day's end
    // between the last two.
    const std::int64_t next_week = 7 * day - unix_seconds(start) % day;
    const std::vector<std::int64_t> starts{-25 * hour,   -23 * hour,    hour,          2 * hour,
                                           2 * hour + 1, next_week - 1, next_week - 2, next_week};
    for (const std::size_t i : {7U, 5U, 2U, 0U, 4U, 6U, 1U, 3U})
        meeting(starts[i], starts[i] + 60 * day, std::to_string(i));
    const auto order = [&](std::size_t limit, std::set<MeetingNo> const& in_hand = {}) {
        std::string ids;
        for (const MeetingNo number : store->due(clock.now(), limit, in_hand).meetings)
            ids += text("SELECT meeting_id FROM agenda WHERE meeting_no = " + std::to_string(static_cast<int>(number)));
        return ids;
    };
    EXPECT_EQ(order(10), "12304567"); // near ones by their starts, then day by day, as they arrived
    EXPECT_EQ(order(2), "12");
    EXPECT_EQ(order(0), "");

    const DueMeetings due = store->due(clock.now(), 3, {});
    EXPECT_TRUE(due.near);
    const std::set<MeetingNo> near{due.meetings.begin(), due.meetings.end()};
    EXPECT_FALSE(store->due(clock.now(), 10, near).near);
    EXPECT_EQ(order(10, near), "04567");

    // What time made due shares what is left with what was written.
    sql("UPDATE agenda SET due_at = 100 WHERE meeting_id = '4'; UPDATE agenda SET due_at = 99 WHERE meeting_id = '5'");
    EXPECT_EQ(order(10), "12354067");
    EXPECT_EQ(order(5), "12350");
    sql("UPDATE agenda SET due_at = " + std::to_string(unix_seconds(start) + 1) + " WHERE meeting_id = '5'");
    EXPECT_EQ(order(10), "1234067");
}

TEST_F(Provisioning, ManyThreadsPublishWhatOneDoes)
{
    boost::asio::thread_pool pool{4};
    workers = Workers{pool.get_executor(), 4};
    restart();
    constexpr int meetings = 200;
    constexpr int each = 10;
    sql("BEGIN");
    for (int i = 0; i < meetings; ++i) {
        const int place = i * 77 % meetings; // the times are shuffled against the order of arrival
        meeting(30 * minute + place, 90 * minute, "m" + std::to_string(place));
        for (int p = 0; p < each; ++p)
            participant("p" + std::to_string(p), "publisher", "m" + std::to_string(place));
    }
    sql("COMMIT");

    EXPECT_EQ(settle().published.tokens, static_cast<std::size_t>(meetings * each)); // and asks the checker

    EXPECT_EQ(text("SELECT count(*) FROM join_credential"), std::to_string(meetings * each));
    const std::string by_need = text("SELECT meeting_id FROM agenda ORDER BY starts_at");
    EXPECT_EQ(
        text("SELECT a.meeting_id FROM session s JOIN agenda a USING (meeting_no) ORDER BY s.session_no"), by_need
    );

    secret = "another";
    restart();
    EXPECT_EQ(settle().published.tokens, static_cast<std::size_t>(meetings * each));
    EXPECT_EQ(text("SELECT count(DISTINCT key_id) FROM token"), "1");
    EXPECT_EQ(text("SELECT meeting_id FROM agenda ORDER BY seq"), by_need);
}

/// A meeting that is near, and many that are far off.
class BesideABulk : public Provisioning {
public:
    BesideABulk()
    {
        policy.token_lead = policy.session_lead = 20 * 24h;
        policy.max_token_life = 28 * 24h;
        restart();
        meeting(hour, 2 * hour, "near");
        participant("ann", "publisher", "near");
        sql("BEGIN");
        for (int i = 0; i < 300; ++i) {
            meeting(5 * day, 6 * day, "far" + std::to_string(i));
            for (int p = 0; p < 10; ++p)
                participant("p" + std::to_string(p), "publisher", "far" + std::to_string(i));
        }
        sql("COMMIT");
        settle();
        secret = "another"; // everything is to be signed anew
        restart();
    }
    ~BesideABulk() override { clock.on_wait = nullptr; }
};

TEST_F(BesideABulk, AnEditOfANearMeetingOvertakes)
{
    int slices = 0; // each waits once, for nothing here
    int edited = 0;
    int served = 0;
    clock.on_wait = [&](auto) {
        if (++slices == 3) {
            sql("UPDATE participant SET role = 'moderator' WHERE meeting_id = 'near'");
            edited = slices;
        } else if (edited != 0 && served == 0 && credentials("near").count("ann") == 1) {
            served = slices;
        }
    };
    EXPECT_EQ(settle().published.tokens, 3002U);
    clock.on_wait = nullptr;

    // What was about to be published is; but not what was signed already.
    EXPECT_EQ(served, edited + 2);
    EXPECT_GT(slices, served + 2);
}

TEST_F(BesideABulk, EditsWithoutAnEndOvertakeOnceOnly)
{
    int slices = 0;
    int all_signed = 0;
    clock.on_wait = [&](auto) {
        ++slices;
        // All but that of the near meeting, which is edited each time before it is stored.
        if (slices > 1 && text("SELECT min(n) FROM (SELECT count(*) AS n FROM token GROUP BY key_id)") == "1")
            all_signed = slices;
        if (all_signed == 0 && slices < 100) // else it never ends
            sql("UPDATE participant SET role = CASE role WHEN 'publisher' THEN 'moderator' ELSE 'publisher' END "
                "WHERE meeting_id = 'near'");
    };
    settle();
    EXPECT_GT(all_signed, 1);
}

TEST_F(Provisioning, TheWalStaysSmallWhileMuchIsPublished)
{
    constexpr std::uintmax_t most = 32U << 20U;
    sql("BEGIN");
    for (int i = 0; i < 25; ++i) {
        const std::string id = "m" + std::to_string(i);
        meeting(hour, 2 * hour, id);
        sql("WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 1000) INSERT INTO participant "
            "(meeting_id, participant_id, role, connection_data) SELECT '" +
            id + "', 'p' || k, 'publisher', printf('%01000d', k) FROM n");
    }
    sql("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
    std::uintmax_t largest = 0;
    clock.on_wait = [&](auto) {
        largest = std::max(largest, std::filesystem::file_size(path + "-wal"));
        clock.advance(1s); // so that it is long ago that the platform wrote
    };
    EXPECT_EQ(settle().published.tokens, 25'000U);
    clock.on_wait = nullptr;
    EXPECT_GT(std::stoll(text("SELECT sum(length(token)) FROM token")), static_cast<std::int64_t>(most));
    EXPECT_GT(largest, most / 2);
    EXPECT_LE(largest, most);
}

TEST_F(Provisioning, TheWalStartsAnewOnceNobodyReadsInIt)
{
    ready_meeting();
    SQLite::Database reader{path, SQLite::OPEN_READONLY};
    reader.exec("BEGIN");
    EXPECT_EQ(reader.execAndGet("SELECT count(*) FROM participant").getInt(), 2);
    participant("eve");
    settle();
    EXPECT_GT(rows().wal_pages(), 0);
    EXPECT_FALSE(rows().checkpoint(CheckpointMode::restart));

    reader.exec("COMMIT");

    EXPECT_TRUE(rows().checkpoint(CheckpointMode::restart));
    EXPECT_EQ(rows().wal_pages(), 0);
}

} // namespace
} // namespace usher
