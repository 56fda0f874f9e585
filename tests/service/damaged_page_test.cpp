// SPDX-License-Identifier: Apache-2.0
// A disk that gives back one page as it never was.
#include <fstream>
#include <string>

#include <gmock/gmock.h>

#include <usher/store/report.hpp>

#include "world.hpp"

namespace usher {
namespace {

using namespace test;

/// One page of a table is lost; the rows of most meetings lie elsewhere.
class DamagedPage : public testing::TestWithParam<char const*>, protected World {
protected:
    void publish_a_hundred()
    {
        for (int i = 100; i < 200; ++i) {
            const std::string id = "m" + std::to_string(i);
            sql("INSERT INTO meeting (id, title, starts_at, ends_at) VALUES ('" + id + "', '" + std::string(200, 't') +
                "', 1800000600, 1800004200)");
            sql("INSERT INTO participant (meeting_id, participant_id, role, connection_data) VALUES ('" + id +
                "', 'ann', 'publisher', '" + std::string(800, 'x') + "')");
        }
        work();
        ASSERT_EQ(text("SELECT count(*) FROM token"), "100");
    }
    void damage_a_page()
    {
        sql("PRAGMA wal_checkpoint(TRUNCATE)");
        const std::int64_t page = std::stoll(text(
            "SELECT pageno FROM dbstat WHERE name = '" + std::string{GetParam()} +
            "' AND pagetype = 'leaf' ORDER BY pageno LIMIT 1 OFFSET 1"
        ));
        std::fstream file{path, std::ios::in | std::ios::out | std::ios::binary};
        file.seekp((page - 1) * std::stoll(text("PRAGMA page_size")));
        file << std::string(64, '\xff');
    }
};

INSTANTIATE_TEST_SUITE_P(Tables, DamagedPage, testing::Values("token", "participant", "session", "meeting"));

TEST_P(DamagedPage, TakesOnlyThoseWithItWhoseRowsLieThere)
{
    publish_a_hundred();
    damage_a_page();
    close();
    open_platform();
    restart();
    sql("UPDATE agenda SET due_at = 0");

    work();

    const std::int64_t served = std::stoll(text("SELECT count(*) FROM agenda WHERE due_at > 0"));
    EXPECT_GE(served, 30);
    EXPECT_LE(served, 99);
    EXPECT_GT(provisioner->rest(), 0s) << "the others are set aside";
    try {
        Report{path, clock.now()}.each_meeting({clock.now(), provisioner->projects().base}, [](MeetingStanding const&) {
        });
        ADD_FAILURE() << "reports need all rows";
    } catch (DatabaseDamaged const& error) {
        EXPECT_THAT(error.what(), testing::HasSubstr(std::string{": "} + GetParam() + " cannot be read: "));
    }
}

/// Or it is another file, which somebody copies over this one just now.
TEST_P(DamagedPage, EndsTheDaemonThatWasAtWorkAlready)
{
    publish_a_hundred();
    damage_a_page();
    sql("UPDATE agenda SET due_at = 0");
    EXPECT_THROW(work(), DatabaseDamaged);
}

} // namespace
} // namespace usher
