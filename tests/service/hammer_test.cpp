// SPDX-License-Identifier: Apache-2.0
// Two platforms that write without a pause, beside a daemon that makes its passes.
#include <atomic>
#include <thread>

#include "world.hpp"

namespace usher {
namespace {

using namespace test;

constexpr int meetings = 3;

/// Adds, promotes, demotes and removes participants until told to stop.
void hammer(std::string const& path, unsigned seed, std::atomic<bool> const& stop, std::atomic<int>& edits)
{
    SQLite::Database database{path, SQLite::OPEN_READWRITE, 20000};
    for (unsigned i = seed; !stop; i = i * 1664525U + 1013904223U) {
        const std::string meeting = "'m" + std::to_string((i >> 8U) % meetings) + "'";
        const std::string participant = "'p" + std::to_string((i >> 12U) % 8) + "'";
        const std::string whom = " WHERE meeting_id = " + meeting + " AND participant_id = " + participant;
        switch ((i >> 20U) % 4) {
        case 0: database.exec("DELETE FROM participant" + whom); break;
        case 1: database.exec("UPDATE participant SET role = 'moderator'" + whom); break;
        case 2: database.exec("UPDATE participant SET connection_data = 'x" + std::to_string(i) + "'" + whom); break;
        default:
            database.exec(
                "INSERT OR REPLACE INTO participant (meeting_id, participant_id, role) VALUES (" + meeting + ", " +
                participant + ", 'publisher')"
            );
        }
        ++edits;
    }
}

TEST(Hammer, EditsStarveNobodyAndASeqReaderMissesNothing)
{
    World world;
    for (int i = 0; i < meetings; ++i) {
        world.meeting(1800, 5400, "m" + std::to_string(i));
        world.participant("steady", "publisher", "m" + std::to_string(i));
    }
    std::atomic<bool> stop{false};
    std::atomic<int> edits{0};
    std::thread first{[&] { hammer(world.path, 1, stop, edits); }};
    std::thread second{[&] { hammer(world.path, 99, stop, edits); }};

    std::map<std::string, std::int64_t> seen;
    std::int64_t last = 0;
    const auto read_page = [&] {
        SQLite::Statement page{
            *world.platform, "SELECT meeting_id, seq FROM meeting_status WHERE seq > ? ORDER BY seq LIMIT 2"};
        page.bind(1, last);
        int rows = 0;
        for (; page.executeStep(); ++rows) {
            last = page.getColumn(1).getInt64();
            seen[page.getColumn(0).getString()] = last;
        }
        return rows;
    };
    for (int pass = 0; pass < 300; ++pass) {
        world.pass();
        read_page();
        if (pass % 10 == 0)
            for (Violation const& violation : world.violations())
                ADD_FAILURE() << violation.promise << " " << violation.meeting_id << ": " << violation.what;
        // One statement sees one instant: whoever has a token is there, with the role that the token grants.
        SQLite::Statement published{
            *world.platform, "SELECT c.token, p.role FROM join_credential c LEFT JOIN participant p "
                             "ON p.meeting_id = c.meeting_id AND p.participant_id = c.participant_id"};
        while (published.executeStep()) {
            ASSERT_FALSE(published.getColumn(1).isNull());
            ASSERT_EQ(decode_token(published.getColumn(0).getString())->role, published.getColumn(1).getString());
        }
    }
    // Those whom nobody edits were not kept waiting by the edits around them.
    EXPECT_EQ(world.text("SELECT count(*) FROM join_credential WHERE participant_id = 'steady'"), "3");
    stop = true;
    first.join();
    second.join();
    EXPECT_GT(edits, 0);

    for (int pass = 0; pass < 3; ++pass)
        world.pass();
    EXPECT_EQ(world.text("SELECT count(*) FROM meeting_status WHERE state <> 'ready'"), "0");
    EXPECT_TRUE(world.violations().empty());
    while (read_page() > 0)
        ;
    for (auto const& [meeting, seq] : seen)
        EXPECT_EQ(
            world.text("SELECT seq FROM meeting_status WHERE meeting_id = '" + meeting + "'"), std::to_string(seq)
        );
    EXPECT_EQ(seen.size(), static_cast<std::size_t>(meetings));
}

} // namespace
} // namespace usher
