// SPDX-License-Identifier: Apache-2.0
#include <usher/store/database.hpp>

#include "import.hpp"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <SQLiteCpp/SQLiteCpp.h>

namespace usher::ctl {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr auto meeting_header = "external_id,title,starts_at_utc,ends_at_utc\n";
constexpr auto participant_header = "meeting_external_id,external_id,display_name,role\n";
constexpr auto hour_long = "2021-02-06T09:00:00Z,2021-02-06T10:00:00Z\n";

class ImportTest : public testing::Test {
protected:
    ImportTest()
    {
        std::string name = std::filesystem::temp_directory_path() / "usher-import-XXXXXX";
        if (mkdtemp(name.data()) == nullptr)
            throw std::runtime_error{"no temporary directory"};
        folder = name;
        options.meetings_path = folder / "m.csv";
        options.participants_path = folder / "p.csv";
        options.database_path = folder / "usher.db";
        options.now = from_unix(1'612'600'000); // 2021-02-06, before nine
        create_database(options.database_path, FileAccess::group);
        write("", "");
    }
    ~ImportTest() override { std::filesystem::remove_all(folder); }

    void write(std::string const& meetings, std::string const& participants) const
    {
        std::ofstream{options.meetings_path, std::ios::binary} << meeting_header << meetings;
        std::ofstream{options.participants_path, std::ios::binary} << participant_header << participants;
    }

    ImportReport import()
    {
        std::ostringstream out;
        Printer printer{out};
        ImportReport report = import_schedule(options, printer);
        problems = out.str();
        for (std::size_t at; (at = problems.find(folder.string().append("/"))) != std::string::npos;)
            problems.erase(at, folder.string().size() + 1);
        return report;
    }

    /// The rows of a query, as text: `a|b;c|d`.
    std::string query(std::string const& sql) const
    {
        SQLite::Database database{options.database_path, SQLite::OPEN_READONLY};
        SQLite::Statement statement{database, sql};
        std::string text;
        while (statement.executeStep()) {
            text += text.empty() ? "" : ";";
            for (int i = 0; i < statement.getColumnCount(); ++i)
                text.append(i > 0 ? "|" : "").append(statement.getColumn(i).getString());
        }
        return text;
    }

    void execute(std::string const& sql) const
    {
        SQLite::Database{options.database_path, SQLite::OPEN_READWRITE}.exec(sql);
    }

    std::filesystem::path folder;
    ImportOptions options;
    std::string problems;
};

TEST_F(ImportTest, LoadsASchedule)
{
    write(std::string{"m1,One,"} + hour_long + "m2,\"Two\nlines\"," + hour_long, "m1,p1,Ada,moderator\nm1,p2,,\n");
    const ImportReport report = import();
    EXPECT_EQ(report.failure, "");
    EXPECT_EQ(problems, "");
    EXPECT_EQ(report.meetings, (ImportCounts{.added = 2}));
    EXPECT_EQ(report.participants, (ImportCounts{.added = 2}));
    EXPECT_EQ(
        query("SELECT id, title, starts_at, ends_at, status, project, e2ee FROM meeting ORDER BY id"),
        "m1|One|1612602000|1612605600|scheduled|default|0;m2|Two\nlines|1612602000|1612605600|scheduled|default|0"
    );
    EXPECT_EQ(
        query("SELECT meeting_id, participant_id, display_name, role, connection_data IS NULL FROM participant ORDER "
              "BY participant_id"),
        "m1|p1|Ada|moderator|1;m1|p2||publisher|1"
    );
}

TEST_F(ImportTest, LoadsTheGoodRowsBesideTheBad)
{
    write(
        std::string{"m1,One,"} + hour_long + "m2,Two,yesterday,2021-02-06T10:00:00Z\nm3,Three\n,Four," + hour_long +
            "m5,\"Five" + "," + hour_long + "m6,Six," + hour_long + "m1,Again," + hour_long,
        "m1,p1,Ada,king\nm1,p2,Bob,publisher\nm1,p2,Bob,moderator\n"
    );
    const ImportReport report = import();
    EXPECT_EQ(
        problems, "m.csv:3:8: starts_at_utc: yesterday: expected a time such as 2021-02-06T09:00:00Z\n"
                  "m.csv:4:1: has 2 fields where the header has 4\n"
                  "m.csv:5:1: external_id: is empty\n"
                  "m.csv:6:4: has a quote that is not closed\n"
                  "m.csv:8:1: external_id: m1: is that of line 2, too\n"
                  "p.csv:4:4: external_id: p2: is that of line 3, too\n"
                  "p.csv:2:11: role: king: expected subscriber, publisher, publisheronly or moderator\n"
    );
    EXPECT_EQ(report.failure, "");
    EXPECT_EQ(report.refused(), 7U);
    EXPECT_EQ(report.meetings, (ImportCounts{.added = 2, .refused = 5}));
    EXPECT_EQ(report.participants, (ImportCounts{.added = 1, .refused = 2}));
    EXPECT_EQ(query("SELECT id, title FROM meeting ORDER BY id"), "m1|One;m6|Six");
    EXPECT_EQ(query("SELECT participant_id, role FROM participant"), "p2|publisher");
}

TEST_F(ImportTest, KeepsTheFirstOfRowsWithOneId)
{
    write(std::string{"there,One,"} + hour_long, "there,p,Ada,\n");
    import();
    write(
        std::string{"new,First,"} + hour_long + "there,Changed," + hour_long + "there,Again," + hour_long +
            "new,Second," + hour_long + "there,One," + hour_long,
        "there,p,Ada,\nthere,q,Bob,\nthere,q,Bob,\nthere,p,Eve,\n"
    );
    const ImportReport report = import();
    EXPECT_EQ(
        problems, "m.csv:4:1: external_id: there: is that of line 3, too\n"
                  "m.csv:5:1: external_id: new: is that of line 2, too\n"
                  "m.csv:6:1: external_id: there: is that of line 3, too\n"
                  "p.csv:4:7: external_id: q: is that of line 3, too\n"
                  "p.csv:5:7: external_id: p: is that of line 2, too\n"
    );
    EXPECT_EQ(report.meetings, (ImportCounts{.added = 1, .changed = 1, .refused = 3}));
    EXPECT_EQ(report.participants, (ImportCounts{.added = 1, .unchanged = 1, .refused = 2}));
    EXPECT_EQ(query("SELECT id, title FROM meeting ORDER BY id"), "new|First;there|Changed");
    EXPECT_EQ(query("SELECT participant_id, display_name FROM participant ORDER BY participant_id"), "p|Ada;q|Bob");
}

TEST_F(ImportTest, TakesLineEndsOfEitherKindAndNoneAtTheEnd)
{
    std::ofstream{options.meetings_path, std::ios::binary}
        << "external_id,title,starts_at_utc,ends_at_utc\r\nm1,One,2021-02-06T09:00:00Z,2021-02-06T10:00:00Z\r\n"
        << "m2,\"Two\",2021-02-06T09:00:00Z,2021-02-06T10:00:00Z";
    std::ofstream{options.participants_path, std::ios::binary}
        << "meeting_external_id,external_id,display_name,role\r\n";
    const ImportReport report = import();
    EXPECT_EQ(report.failure, "");
    EXPECT_EQ(problems, "");
    EXPECT_EQ(report.meetings, (ImportCounts{.added = 2}));
    EXPECT_EQ(report.participants, ImportCounts{});
    EXPECT_EQ(query("SELECT id, title, ends_at FROM meeting ORDER BY id"), "m1|One|1612605600;m2|Two|1612605600");
}

TEST_F(ImportTest, ChangesNothingTheSecondTime)
{
    std::string meetings;
    std::string participants;
    for (int i = 0; i < 5000; ++i) {
        meetings.append("m").append(std::to_string(i)).append(",T,").append(hour_long);
        participants.append("m").append(std::to_string(i)).append(",p,,\n");
    }
    write(meetings, participants);
    EXPECT_EQ(import().meetings, (ImportCounts{.added = 5000}));
    execute("UPDATE agenda SET due_at = 77");

    SQLite::Database watcher{options.database_path, SQLite::OPEN_READONLY};
    const auto version = watcher.execAndGet("PRAGMA data_version").getInt64();
    ImportReport report = import();
    EXPECT_EQ(report.meetings, (ImportCounts{.unchanged = 5000}));
    EXPECT_EQ(report.participants, (ImportCounts{.unchanged = 5000}));
    EXPECT_EQ(watcher.execAndGet("PRAGMA data_version").getInt64(), version);
    EXPECT_EQ(query("SELECT count(*) FROM agenda WHERE due_at <> 77"), "0");

    write(std::string{"m1,Other,"} + hour_long + "m2,T," + hour_long, "m3,p,,\nm4,p,,subscriber\n");
    report = import();
    EXPECT_EQ(report.meetings, (ImportCounts{.changed = 1, .unchanged = 1}));
    EXPECT_EQ(report.participants, (ImportCounts{.changed = 1, .unchanged = 1}));
    EXPECT_EQ(query("SELECT meeting_id FROM agenda WHERE due_at <> 77 ORDER BY 1"), "m1;m4");
}

TEST_F(ImportTest, KeepsWhatTheFileDoesNotSay)
{
    write(std::string{"m1,One,"} + hour_long, "m1,p1,Ada,subscriber\n");
    import();
    execute("UPDATE meeting SET project = 'other', status = 'cancelled', location = '10.0.0.1'");
    EXPECT_EQ(import().meetings, (ImportCounts{.unchanged = 1}));
    EXPECT_EQ(query("SELECT project, status FROM meeting"), "other|cancelled");

    std::ofstream{options.meetings_path} << "external_id,title,starts_at_utc,ends_at_utc,status,location,e2ee\n"
                                         << "m1,,,2021-02-06T11:00:00Z,,,\nm2,,,,,,\n"
                                         << "m3,,2021-02-06T09:00:00Z,2021-02-06T10:00:00Z,,,\n";
    std::ofstream{options.participants_path} << participant_header << "m1,p1,,\nm1,p2,,\n";
    const ImportReport report = import();
    EXPECT_EQ(report.meetings, (ImportCounts{.added = 1, .changed = 1, .refused = 1}));
    EXPECT_EQ(problems, "m.csv:3:5: starts_at_utc: is empty\n");
    EXPECT_EQ(
        query("SELECT id, title, starts_at, ends_at, status, project, location, e2ee FROM meeting ORDER BY id"),
        "m1|One|1612602000|1612609200|cancelled|other|10.0.0.1|0;m3||1612602000|1612605600|scheduled|default||0"
    );
    EXPECT_EQ(
        query("SELECT participant_id, display_name, role FROM participant ORDER BY 1"),
        "p1|Ada|subscriber;p2||publisher"
    );
}

TEST_F(ImportTest, CarriesTheOptionalColumnsOfTheTable)
{
    std::ofstream{options.meetings_path} << "external_id,title,starts_at_utc,ends_at_utc,session_id,early_join,grace\n"
                                         << "m1,,2021-02-06T09:00:00Z,2021-02-06T10:00:00Z,2_MX,60,0\n"
                                         << "m2,,2021-02-06T09:00:00Z,2021-02-06T10:00:00Z,,,\n"
                                         << "m3,,2021-02-06T09:00:00Z,2021-02-06T10:00:00Z,,-1,\n";
    EXPECT_EQ(import().meetings, (ImportCounts{.added = 2, .refused = 1}));
    EXPECT_EQ(problems, "m.csv:4:48: early_join: -1: expected seconds from 0 to 2592000, an integer\n");
    EXPECT_EQ(query("SELECT id, session_id, early_join, grace FROM meeting ORDER BY id"), "m1|2_MX|60|0;m2|||");
}

TEST_F(ImportTest, ReportsWhatATableOfThePlatformsRefuses)
{
    execute("CREATE UNIQUE INDEX theirs ON meeting (title)");
    write(std::string{"m1,One,"} + hour_long + "m2,One," + hour_long, "");
    EXPECT_EQ(import().meetings, (ImportCounts{.added = 1, .refused = 1}));
    EXPECT_EQ(problems, "m.csv:3:1: the database refuses it: meeting.title\n");
}

TEST_F(ImportTest, ChecksARowWithWhatIsThereAlready)
{
    write(std::string{"m1,One,"} + hour_long, "");
    import();
    execute("UPDATE meeting SET archive_mode = 'always'");
    std::ofstream{options.meetings_path} << "external_id,title,starts_at_utc,ends_at_utc,media_mode\n"
                                         << "m1,One,2021-02-06T09:00:00Z,2021-02-06T10:00:00Z,relayed\n"
                                         << "m2,Two,2021-02-06T09:00:00Z,2021-02-06T10:00:00Z,relayed\n";
    const ImportReport report = import();
    EXPECT_EQ(
        problems, "m.csv:2:1: archive_mode: always: needs media_mode routed: relayed sessions cannot be archived\n"
    );
    EXPECT_EQ(report.failure, "");
    EXPECT_EQ(report.meetings, (ImportCounts{.added = 1, .refused = 1}));
    EXPECT_EQ(query("SELECT id, media_mode FROM meeting ORDER BY id"), "m1|routed;m2|relayed");
}

TEST_F(ImportTest, ShiftsTheWholeSchedule)
{
    write(
        "m1,,2021-02-06T09:00:00Z,2021-02-06T10:00:00Z\nm2,,2021-02-06T08:00:00Z,2021-02-06T08:30:00Z\n"
        "m3,,2021-02-06T07:00:00Z,2021-02-06T07:00:00Z\n",
        ""
    );
    options.shift_start = from_unix(1'700'000'000);
    EXPECT_EQ(import().meetings, (ImportCounts{.added = 2, .refused = 1}));
    EXPECT_EQ(
        query("SELECT id, starts_at, ends_at FROM meeting ORDER BY id"),
        "m1|1700003600|1700007200;m2|1700000000|1700001800"
    );
    EXPECT_EQ(import().meetings, (ImportCounts{.unchanged = 2, .refused = 1}));
}

TEST_F(ImportTest, PrunesWhatTheFilesDoNotHave)
{
    std::string meetings;
    std::string participants;
    for (int i = 1000; i < 6000; ++i) {
        meetings.append("m").append(std::to_string(i)).append(",T,").append(hour_long);
        participants.append("m").append(std::to_string(i)).append(",p,,\n");
    }
    write(meetings, participants + "m1000,q,,\n");
    import();
    write(std::string{"m1000,T,"} + hour_long + "m1001,T," + hour_long, "m1000,p,,\n");
    ImportReport report = import();
    EXPECT_EQ(report.meetings, (ImportCounts{.unchanged = 2}));
    EXPECT_EQ(query("SELECT count(*) FROM meeting"), "5000");

    options.prune = true;
    report = import();
    EXPECT_EQ(report.failure, "");
    EXPECT_FALSE(report.prune_skipped);
    EXPECT_EQ(report.meetings, (ImportCounts{.unchanged = 2, .pruned = 4998}));
    EXPECT_EQ(report.participants, (ImportCounts{.unchanged = 1, .pruned = 5000}));
    EXPECT_EQ(query("SELECT id FROM meeting ORDER BY id"), "m1000;m1001");
    EXPECT_EQ(query("SELECT meeting_id, participant_id FROM participant"), "m1000|p");
}

TEST_F(ImportTest, DoesNotPruneWhenARowIsBad)
{
    write(std::string{"m1,One,"} + hour_long + "m2,Two," + hour_long, "m1,p,,\n");
    import();
    write(std::string{"m1,One,"} + hour_long + "m2,Two,soon,later\n", "m1,p,,\n");
    options.prune = true;
    const ImportReport report = import();
    EXPECT_TRUE(report.prune_skipped);
    EXPECT_EQ(query("SELECT id FROM meeting ORDER BY id"), "m1;m2");
    EXPECT_EQ(query("SELECT count(*) FROM participant"), "1");
}

TEST_F(ImportTest, NamesAndIgnoresUnknownColumnsOnce)
{
    std::ofstream{options.meetings_path} << "external_id,title,starts_at_utc,ends_at_utc,room\n"
                                         << "m1,,2021-02-06T09:00:00Z,2021-02-06T10:00:00Z,aula\n"
                                         << "m2,,2021-02-06T09:00:00Z,2021-02-06T10:00:00Z,aula\n";
    EXPECT_EQ(import().meetings, (ImportCounts{.added = 2}));
    EXPECT_EQ(problems, "m.csv:1:45: column \"room\" is not known, and ignored\n");
}

TEST_F(ImportTest, WritesNothingWhenAFileCannotBeUsed)
{
    write(std::string{"m1,One,"} + hour_long, "");
    std::ofstream{options.participants_path} << "meeting_external_id,external_id,display_name\n";
    EXPECT_THAT(
        import().failure,
        HasSubstr(
            "p.csv:1: lacks the column role; it has meeting_external_id, external_id, display_name. Nothing was done."
        )
    );
    options.participants_path = folder / "none.csv";
    EXPECT_THAT(import().failure, HasSubstr("none.csv: cannot be opened"));
    options.participants_path = folder;
    EXPECT_THAT(import().failure, HasSubstr(": cannot be read"));
    EXPECT_EQ(query("SELECT count(*) FROM meeting"), "0");
}

TEST_F(ImportTest, TellsOfPeopleWhoseMeetingIsNotThere)
{
    write(
        std::string{"keynote,One,"} + hour_long, "keynot,p1,,\nkeynote,p1,,\nkeynot,p2,,\n\"zz\x1b\",p1,,\nfar,p,,\n"
    );
    EXPECT_EQ(import().participants, (ImportCounts{.added = 4, .refused = 1})) << problems;
    EXPECT_THAT(problems, HasSubstr("p.csv:2:1: no meeting keynot; nearest: keynote. Loaded, it waits.\n"));
    EXPECT_THAT(problems, HasSubstr("p.csv:6:1: no meeting far. Loaded, it waits.\n"));
    EXPECT_THAT(problems, Not(HasSubstr("p.csv:4")));
}

TEST_F(ImportTest, TellsOfFewMeetingsThatAreNotThere)
{
    std::string participants;
    for (int i = 0; i < 1000; ++i)
        participants.append("m").append(std::to_string(i)).append(",p,,\n");
    write("", participants);
    EXPECT_EQ(import().participants, (ImportCounts{.added = 1000}));
    EXPECT_EQ(std::count(problems.begin(), problems.end(), '\n'), 21);
    EXPECT_THAT(problems, HasSubstr("p.csv: more such meetings are not listed\n"));
}

TEST_F(ImportTest, ListsNoMoreThanAThousandRefusedRows)
{
    std::string participants;
    for (int i = 0; i < 1000; ++i)
        participants.append("m,p").append(std::to_string(i)).append(",,king\n");
    write("", participants);
    EXPECT_EQ(import().participants, (ImportCounts{.refused = 1000}));
    EXPECT_EQ(std::count(problems.begin(), problems.end(), '\n'), 1000);
    write("", participants + "m,p1000,,king\nm,p1001,,king\nm,good,,\n");
    EXPECT_EQ(import().participants, (ImportCounts{.added = 1, .refused = 1002}));
    EXPECT_THAT(problems, HasSubstr("p.csv: more rows that are refused are counted, not listed\n"));
}

TEST_F(ImportTest, DoesNotDeleteEverybodyForAnEmptyFile)
{
    write(std::string{"m1,One,"} + hour_long, "m1,p1,,\nm1,p2,,\n");
    import();
    options.prune = true;
    for (const std::string empty : {"", "\n\r\n\n"}) {
        write(std::string{"m2,Two,"} + hour_long, empty);
        const ImportReport report = import();
        EXPECT_EQ(
            report.failure, options.participants_path + ": no rows; --prune would delete 2 people. Nothing was done."
        );
        EXPECT_EQ(report.to_do, "name the full file, or add --force");
    }
    write("", "m1,p1,,\nm1,p2,,\n");
    EXPECT_THAT(import().failure, HasSubstr("m.csv: no rows; --prune would delete 1 meeting. Nothing was done."));
    EXPECT_EQ(query("SELECT count(*) FROM meeting"), "1");
    EXPECT_EQ(query("SELECT count(*) FROM participant"), "2");

    write(std::string{"m1,One,"} + hour_long, "");
    options.force = true;
    const ImportReport report = import();
    EXPECT_EQ(report.failure, "");
    EXPECT_EQ(report.participants, (ImportCounts{.pruned = 2}));
}

TEST_F(ImportTest, ADryRunWritesNothingAndTellsWhatWouldChange)
{
    write(std::string{"m1,One,"} + hour_long + "m2,Two," + hour_long, "m1,p1,,\nm1,p2,,\n");
    import();
    execute("UPDATE agenda SET opens = 1612599000, closes = 1612609000, session_no = 7 WHERE meeting_id = 'm1';"
            "INSERT INTO token (session_no, participant_id, token, role, reason, issued_at, expires_at, generation, "
            "key_id, fingerprint) VALUES (7, 'p1', 'x', 1, 2, 1, 1612609000, 0, 'k', 0), "
            "(7, 'p2', 'x', 1, 2, 1, 1612609000, 0, 'k', 0)");
    SQLite::Database watcher{options.database_path, SQLite::OPEN_READONLY};
    const auto version = watcher.execAndGet("PRAGMA data_version").getInt64();
    write(
        "m1,One,2021-02-06T09:00:00Z,2021-02-06T10:15:00Z\nm2,Zwei,2021-02-06T09:00:00Z,2021-02-06T10:00:00Z\n"
        "new,,2021-02-06T09:00:00Z,2021-02-06T10:00:00Z\n",
        "new,p1,,\nnwe,p1,,\nm1,p1,,king\n"
    );
    options.dry_run = true;
    options.prune = true;
    const ImportReport report = import();
    EXPECT_EQ(report.failure, "");
    EXPECT_EQ(report.meetings, (ImportCounts{.added = 1, .changed = 2}));
    EXPECT_EQ(report.participants, (ImportCounts{.added = 2, .refused = 1}));
    EXPECT_EQ(report.would_count, 2U);
    EXPECT_THAT(
        report.would, testing::ElementsAre(
                          "m1: ends 10:00 -> 10:15 UTC, live: 2 tokens are replaced", "m2: title \"Two\" -> \"Zwei\""
                      )
    );
    EXPECT_THAT(problems, HasSubstr("p.csv:3:1: no meeting nwe. It would wait.\n")) << problems;
    EXPECT_EQ(watcher.execAndGet("PRAGMA data_version").getInt64(), version);
}

TEST_F(ImportTest, LeavesTheLockToOthers)
{
    std::string meetings;
    for (int i = 0; i < 5000; ++i)
        meetings.append("m").append(std::to_string(i)).append(",T,").append(hour_long);
    write(meetings, "");
    std::atomic<bool> over = false;
    std::atomic<int> written = 0;
    std::thread platform{[&] {
        SQLite::Database database{options.database_path, SQLite::OPEN_READWRITE, 5000};
        while (!over) {
            database.exec("UPDATE daemon SET heartbeat = heartbeat + 1");
            ++written;
        }
    }};
    const ImportReport report = import();
    over = true;
    platform.join();
    EXPECT_EQ(report.meetings, (ImportCounts{.added = 5000}));
    EXPECT_GT(written, 12);
}

TEST_F(ImportTest, RefusesADatabaseThatIsNotUshers)
{
    execute("PRAGMA application_id = 7");
    EXPECT_THAT(import().failure, HasSubstr("usher.db: has usher's tables but lacks usher's marks"));
    options.database_path = options.meetings_path;
    EXPECT_THAT(import().failure, HasSubstr("m.csv: is no sound database"));
    options.database_path = folder / "none.db";
    EXPECT_THAT(import().failure, HasSubstr("none.db: No such file or directory; create it with: usherctl --db "));
    EXPECT_FALSE(std::filesystem::exists(folder / "none.db"));
}

TEST_F(ImportTest, RunsNoTriggersOfOthersAndStillMarksWhatItLoads)
{
    SQLite::Database{options.database_path, SQLite::OPEN_READWRITE}.exec(
        "CREATE TABLE log (what TEXT);"
        "CREATE TRIGGER spy1 AFTER INSERT ON meeting BEGIN INSERT INTO log VALUES ('meeting'); END;"
        "CREATE TRIGGER spy2 AFTER INSERT ON agenda BEGIN INSERT INTO log VALUES ('agenda'); END;"
        "DROP TRIGGER usher_meeting_insert"
    );
    write(std::string{"m,Title,"} + hour_long, "");
    EXPECT_EQ(import().refused(), 0U) << problems;
    EXPECT_EQ(query("SELECT meeting_id FROM agenda"), "m");
    EXPECT_EQ(query("SELECT count(*) FROM log"), "0");
}

TEST_F(ImportTest, TakesDefaultsFromTheContractAndNotFromTheFile)
{
    // A tool of a platform may put anything there, which must not become part of a statement.
    SQLite::Database{options.database_path, SQLite::OPEN_READWRITE}.exec(
        "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, 'DEFAULT ''scheduled''', "
        "'DEFAULT (load_extension(''/tmp/x''))') WHERE name = 'meeting'"
    );
    std::ofstream{options.meetings_path, std::ios::binary} << "external_id,title,starts_at_utc,ends_at_utc,status\n"
                                                           << "m,Title,2021-02-06T09:00:00Z,2021-02-06T10:00:00Z,\n";
    EXPECT_EQ(import().refused(), 0U) << problems;
    EXPECT_EQ(query("SELECT status FROM meeting"), "scheduled");
}

} // namespace
} // namespace usher::ctl
