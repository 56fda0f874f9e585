// SPDX-License-Identifier: Apache-2.0
// What usherctl prints of examples/ on its day, 2026-03-02 09:20 UTC, when usherd has been at work since the day
// before.
#include <array>
#include <functional>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <usher/store/sqlite/instance_lock.hpp>

#include "ctl/example_day.hpp"
#include "support/usherctl.hpp"

namespace usher::ctl {
namespace {

using test::Answer;

class Transcripts : public ExampleDay {};

TEST_F(Transcripts, AllIsWell)
{
    example_day();
    const Answer answer = call({"status"});
    EXPECT_EQ(
        answer.out, "All well: all 13 meetings that are live or open within 1h are ready.\n"
                    "\n"
                    "now        2026-03-02 09:20 UTC\n"
                    "live       5 ready\n"
                    "within 1h  8 ready\n"
                    "within 24h 26 on schedule\n"
                    "usherd     at work: pid 812, looked 3s ago; next work 09:45 UTC (in 25m)\n"
                    "safe       without usherd to 11:00 UTC (in 1h 40m), then not track-a-3, 2 more\n"
                    "vendors    default, partner answer\n"
                    "note       green-room, help-desk: over 8h, the vendor may cut their sessions\n"
    );
    EXPECT_EQ(answer.status, 0);
}

TEST_F(Transcripts, AVendorDoesNotAnswer)
{
    example_day();
    fail_partner("pending", "provider_unreachable", "api.opentok.com:443 refuses connections", 22s);
    const Answer answer = call({"status"});
    EXPECT_EQ(
        answer.out, "At risk: 6 meetings have no session; track-b-1 opens in 10m.\n"
                    "do: usherctl explain track-b-1\n"
                    "\n"
                    "6 at risk  provider_unreachable: api.opentok.com:443 refuses connections\n"
                    "  for 1h 21m; next attempt in 22s\n"
                    "  track-b-1 (opens in 10m), track-b-2, track-b-3, 3 more\n"
                    "now        2026-03-02 09:20 UTC\n"
                    "live       5 ready\n"
                    "within 1h  6 ready, 2 at risk\n"
                    "within 24h 22 on schedule, 4 at risk\n"
                    "usherd     at work: pid 812, looked 3s ago; next work 09:20:22 UTC (in 22s)\n"
                    "safe       without usherd to 09:30 UTC (in 10m), then not track-b-1\n"
                    "vendors    default answers\n"
                    "note       green-room, help-desk: over 8h, the vendor may cut their sessions\n"
    );
    EXPECT_EQ(answer.status, 1);
}

TEST_F(Transcripts, UsherdStopped)
{
    example_day();
    looked(17min, "pid 812");
    EXPECT_EQ(
        head({"status"}, 7, 1), "At risk: usherd stopped 17m ago; all stays ready until 11:00 UTC (in 1h 40m).\n"
                                "do: systemctl start usher\n"
                                "\n"
                                "now        2026-03-02 09:20 UTC\n"
                                "live       5 ready\n"
                                "within 1h  8 ready\n"
                                "within 24h 26 on schedule\n"
    );
}

TEST_F(Transcripts, UsherdHangs)
{
    example_day();
    const std::string self = "pid " + std::to_string(::getpid());
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    looked(4min + 10s, self + " on " + host.data() + ", started x");
    std::optional<InstanceLock> lock{std::in_place, world.path, self};
    EXPECT_EQ(
        head({"status"}, 2, 1), "At risk: usherd (" + self +
                                    ") runs but has not looked for 4m 10s.\n"
                                    "do: systemctl restart usher\n"
    );
    looked(3s, self + " on " + host.data() + ", started x");
    EXPECT_EQ(head({"status"}, 1), "All well: all 13 meetings that are live or open within 1h are ready.\n");

    lock.reset(); // the number is another process's by now
    EXPECT_EQ(head({"status"}, 1, 1), "At risk: usherd stopped 3s ago; all stays ready until 11:00 UTC (in 1h 40m).\n");
}

TEST_F(Transcripts, TheContractIsDamaged)
{
    example_day();
    world.sql(
        "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, 'CONSTRAINT e2ee_must_be_0_or_1 "
        "CHECK (typeof(e2ee) = ''integer'' AND e2ee IN (0, 1))', '') WHERE name = 'meeting'; "
        "PRAGMA writable_schema = RESET"
    );
    EXPECT_EQ(
        head({"status"}, 2, 1), "Failing: the contract is damaged: meeting lost e2ee_must_be_0_or_1.\n"
                                "do: usherctl init --repair\n"
    );
}

TEST_F(Transcripts, ANewKeyIsOnItsWay)
{
    example_day();
    const std::string issued = std::to_string(unix_seconds(now - 100s));
    world.sql(
        "UPDATE token SET key_id = '9c1d07aaaaaaaaaa';"
        "UPDATE project_status SET key_id = '4f2a91bbbbbbbbbb' WHERE name = 'default';"
        "UPDATE token SET key_id = '4f2a91bbbbbbbbbb', issued_at = " +
        issued +
        " WHERE session_no IN (SELECT session_no FROM agenda WHERE opens <= " + std::to_string(unix_seconds(now)) + ")"
    );
    const Answer answer = call({"status"});
    EXPECT_NE(
        answer.out.find("default    key 4f2a91 has 91 of 133 tokens, all live; 46s left\n"
                        "  do: keep key 9c1d07 at the vendor until all are\n"),
        std::string::npos
    ) << answer.out;
    EXPECT_EQ(answer.status, 0);
}

TEST_F(Transcripts, NinetyNineFailuresAreOne)
{
    for (int i = 1; i <= 99; ++i) {
        const std::string id = "lesson-" + std::to_string(i);
        const sys_seconds starts = now + 40min + seconds{i - 1};
        world.sql(
            "INSERT INTO meeting (id, starts_at, ends_at, project) VALUES ('" + id + "', " +
            std::to_string(unix_seconds(starts)) + ", " + std::to_string(unix_seconds(starts + 1h)) + ", 'lessons')"
        );
        world.participant("ann", "publisher", id);
    }
    run_until(now);
    EXPECT_EQ(
        head({"status"}, 6, 1), "Failing: 99 meetings: project lessons is not in the configuration.\n"
                                "do: add lessons under projects: in usher.yaml; systemctl reload usher\n"
                                "\n"
                                "99 failed  unknown_project: lesson-1 (opens in 25m), lesson-2, lesson-3, 96 more\n"
                                "now        2026-03-02 09:20 UTC\n"
                                "within 1h  99 failed\n"
    );
}

TEST_F(Transcripts, ThereAreNoMeetings)
{
    looked(3s, "pid 812");
    EXPECT_EQ(
        call({"status"}).out, "All well: there are no meetings; usherd waits for rows.\n"
                              "\n"
                              "now        2026-03-02 09:20 UTC\n"
                              "usherd     at work: pid 812, looked 3s ago\n"
    );
    world.sql("UPDATE daemon SET who = ''");
    EXPECT_EQ(
        head({"status"}, 2, 1), "At risk: usherd has never looked at this database.\n"
                                "do: systemctl start usher\n"
    );
}

TEST_F(Transcripts, EverybodyCanJoin)
{
    example_day();
    EXPECT_EQ(
        head({"explain", "opening"}, 2),
        "opening is ready, live: all 65 can join until 09:45 UTC (in 25m).\n"
        "times      opened 08:45 moderator, 08:55 others; starts 09:00, ends 09:30 UTC\n"
    );
}

TEST_F(Transcripts, TokensComeLater)
{
    example_day();
    EXPECT_EQ(
        head({"explain", "keynote"}, 1),
        "keynote is on schedule: session made, 19 tokens come 15:09:54 UTC (in 5h 49m).\n"
    );
}

TEST_F(Transcripts, ACancelledMeetingsTokensAreOut)
{
    example_day();
    world.sql("UPDATE meeting SET status = 'cancelled' WHERE id = 'workshop-2'");
    const std::string expected = "workshop-2 is cancelled: no token is shown, but 10 are out and open its\n"
                                 "abandoned session until 12:00 UTC (in 2h 40m).\n";
    EXPECT_EQ(head({"explain", "workshop-2"}, 2), expected);
    world.settle();
    EXPECT_EQ(head({"explain", "workshop-2"}, 2), expected);
}

TEST_F(Transcripts, TheVendorRefusesTheSecret)
{
    example_day();
    fail_partner("failed", "credentials_refused", "403 \"Invalid signature\"", 4min + 10s);
    EXPECT_EQ(
        head({"explain", "track-b-2"}, 3, 1),
        "track-b-2 has failed: the vendor refuses partner's secret; 0 of 5 can join.\n"
        "do: correct the secret of partner; systemctl reload usher\n"
        "reason     credentials_refused: 403 \"Invalid signature\"; next 09:24:10 UTC\n"
    );
}

TEST_F(Transcripts, OneIsNotServed)
{
    import_examples();
    world.sql("UPDATE participant SET connection_data = CAST(x'ff' AS TEXT) "
              "WHERE meeting_id = 'track-a-1' AND participant_id = 'speaker-1'");
    run_until(now);
    EXPECT_EQ(
        head({"explain", "track-a-1"}, 2, 1), "track-a-1 is ready for 5 of 6: speaker-1 is not served.\n"
                                              "do: the platform corrects connection_data of speaker-1; usher follows\n"
    );
    EXPECT_NE(
        call({"explain", "track-a-1"})
            .out.find("\nspeaker-1  publisher  09:40 (in 20m)  none: connection_data_not_utf8\n"),
        std::string::npos
    );
    EXPECT_EQ(
        head({"status"}, 2, 1), "At risk: 1 person is not served: speaker-1 in track-a-1.\n"
                                "do: usherctl explain track-a-1\n"
    );
}

TEST_F(Transcripts, AnAdoptedSessionIsThePlatforms)
{
    import_examples();
    world.sql("UPDATE meeting SET session_id = 'permanent-room' WHERE id = 'lunch-table-1'");
    run_until(now);
    const Answer answer = call({"explain", "lunch-table-1"});
    EXPECT_EQ(
        answer.out.substr(0, answer.out.find('\n') + 1),
        "lunch-table-1 is on schedule: 6 tokens come 10:38:40 UTC (in 1h 18m).\n"
    );
    EXPECT_NE(answer.out.find("\nsession    permanent-room, the platform's (meeting.session_id)\n"), std::string::npos)
        << answer.out;
}

TEST_F(Transcripts, EachHasADoor)
{
    example_day();
    const Answer answer = call({"explain", "exhibit-maps"});
    EXPECT_EQ(
        answer.out.substr(0, answer.out.find('\n') + 1),
        "exhibit-maps is ready, live: 1 of 2 may enter, all from 09:25 UTC (in 5m).\n"
    );
    EXPECT_NE(
        answer.out.find("\nhelper-3   moderator      09:15 open     until 16:15\n"
                        "camera-2   publisheronly  09:25 (in 5m)  until 16:15, hidden till then\n"),
        std::string::npos
    ) << answer.out;
}

TEST_F(Transcripts, ATokenIsHidden)
{
    example_day();
    EXPECT_EQ(
        call({"credentials", "opening", "speaker-1"}).out,
        "opening, speaker-1: publisher, works until 09:45 UTC (in 25m).\n"
        "token      hidden; --show prints it, nothing else\n"
    );
    EXPECT_EQ(
        call({"credentials", "opening", "speaker-1", "--show"}).out,
        world.credentials("opening").at("speaker-1").token + "\n"
    );
    EXPECT_EQ(
        call({"credentials", "track-b-1"}).err,
        "usherctl: credentials: track-b-1: nobody has a credential that is shown before 09:30 UTC (in 10m).\n"
        "do: usherctl explain track-b-1\n"
    );
    world.sql("DELETE FROM participant WHERE meeting_id = 'track-b-1'");
    world.settle();
    EXPECT_EQ(
        call({"credentials", "track-b-1"}).err,
        "usherctl: credentials: track-b-1: nobody is in it.\ndo: usherctl explain track-b-1\n"
    );
}

} // namespace
} // namespace usher::ctl
