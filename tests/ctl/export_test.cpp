// SPDX-License-Identifier: Apache-2.0
// What usherctl export writes, and that import reads it as what it was.
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <usher/store/platform_reader.hpp>

#include "commands.hpp"
#include "new_file.hpp"
#include "support/temp_dir.hpp"
#include "support/usherctl.hpp"

namespace usher::ctl {
namespace {

using test::Answer;

std::string text_of(std::string const& path)
{
    std::ifstream in{path, std::ios::binary};
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

class ExportTest : public testing::Test {
protected:
    ExportTest() { EXPECT_EQ(call({"init"}).status, 0); }

    Answer call(std::vector<std::string> words, std::string const& database = "usher.db") const
    {
        words.insert(words.begin(), {"--db", folder.file(database)});
        return test::call_usherctl(std::move(words), {}, {});
    }

    void sql(std::string const& statements) const
    {
        SQLite::Database{folder.file("usher.db"), SQLite::OPEN_READWRITE}.exec(statements);
    }

    void meeting(std::string const& id, std::string const& title = {}) const
    {
        SQLite::Database database{folder.file("usher.db"), SQLite::OPEN_READWRITE};
        SQLite::Statement insert{
            database, "INSERT INTO meeting (id, title, starts_at, ends_at) VALUES (?, ?, 1612602000, 1612605600)"};
        insert.bind(1, id);
        insert.bind(2, title);
        insert.exec();
    }

    /// Exports `database` to files of this name: their bytes.
    std::string exported(std::string const& name, std::string const& database = "usher.db") const
    {
        const std::string meetings = folder.file(name + ".meetings");
        const std::string participants = folder.file(name + ".participants");
        const Answer answer =
            call({"export", "--meetings", meetings, "--participants", participants, "--yes"}, database);
        EXPECT_EQ(answer.status, 0) << answer.err;
        return text_of(meetings) + "\f" + text_of(participants);
    }

    /// What an empty database exports after it has imported the files of this name.
    std::string imported_again(std::string const& name, std::vector<std::string> const& options = {}) const
    {
        EXPECT_EQ(call({"init"}, "other.db").status, 0);
        std::vector<std::string> words{
            "import", "--meetings", folder.file(name + ".meetings"), "--participants",
            folder.file(name + ".participants")};
        words.insert(words.end(), options.begin(), options.end());
        const Answer answer = call(words, "other.db");
        EXPECT_EQ(answer.status, 0) << answer.err;
        return exported("again", "other.db");
    }

    test::TempDir folder;
};

TEST_F(ExportTest, WritesAllColumnsInTheOrderOfTheIds)
{
    meeting("b", "Second, with a comma");
    meeting("a", "First");
    sql("UPDATE meeting SET status = 'cancelled', archive_mode = 'always', archive_name = 'x', early_join = 60 "
        "WHERE id = 'a';"
        "INSERT INTO participant (meeting_id, participant_id, display_name, role) VALUES ('b', 'q', 'Bob', "
        "'publisher'), ('b', 'p', NULL, 'moderator')");

    EXPECT_EQ(
        exported("e"),
        "external_id,title,starts_at_utc,ends_at_utc,status,project,media_mode,archive_mode,archive_name,"
        "archive_resolution,location,e2ee,session_id,early_join,grace\n"
        "a,First,2021-02-06T09:00:00Z,2021-02-06T10:00:00Z,cancelled,default,routed,always,x,,,0,,60,\n"
        "b,\"Second, with a comma\",2021-02-06T09:00:00Z,2021-02-06T10:00:00Z,scheduled,default,routed,manual,,,,0,,,\n"
        "\f"
        "meeting_external_id,external_id,display_name,role,connection_data,layout_classes\n"
        "b,p,,moderator,,\n"
        "b,q,Bob,publisher,,\n"
    );
    struct stat made {};
    ASSERT_EQ(::stat(folder.file("e.participants").c_str(), &made), 0);
    EXPECT_EQ(made.st_mode & 07777U, 0600U) << "names are nobody else's business";
    EXPECT_FALSE(std::filesystem::exists(folder.file("e.participants.partial")));
}

TEST_F(ExportTest, IsReadAsWhatItWas)
{
    int number = 0;
    for (const std::string text :
         {"plain", "a \"quote\"", "two\nlines", "return\r\nand\rone", ",;\t|", "=1+1", "-x", "@sum", "'", "\"", "\"\"",
          "sep=;", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "trailing ", " leading", "\\N", "NULL", "0", "1e5x"}) {
        meeting("t" + std::to_string(++number), text);
    }
    for (const std::string id : {"007", "42", "=id", "\"id\"", "a,b", "a;b", "-rf all", "'", "\xc3\xa4", "$(x)"})
        meeting(id);
    sql("INSERT INTO participant (meeting_id, participant_id, display_name, role, connection_data, layout_classes) "
        "SELECT id, title, title, 'publisher', title, 'focus big' FROM meeting WHERE title NOT IN ('', 'trailing ', "
        "' leading') AND title NOT LIKE '%' || char(10) || '%' AND title NOT LIKE '%' || char(9) || '%';"
        "INSERT INTO participant (meeting_id, participant_id, role) VALUES ('no such meeting', 'p', 'subscriber')");

    const std::string first = exported("first");

    EXPECT_NE(first.find("\n\"\"\"id\"\"\","), std::string::npos) << first;
    EXPECT_EQ(imported_again("first"), first);
}

TEST_F(ExportTest, WhatAnImportWouldTakeForAnotherIdIsReadExactly)
{
    for (const std::string id : {" ", " a", "a ", "a\xc2\xa0", "a\nb", "a\x1b[2J", "a\xe2\x80\xae", "\t"})
        meeting(id);
    sql("UPDATE meeting SET project = ' p '");

    const Answer answer = call({"export", "--meetings", folder.file("e.meetings")});
    EXPECT_EQ(
        answer.out, "Done: 8 meetings, without people and tokens.\n"
                    "note       8 rows have blanks at the ends of an id or a word, what cannot be seen in an id, or a "
                    "text that is empty\n"
                    "  and not NULL: import them with --exact\n"
    );

    const std::string first = exported("first");
    EXPECT_EQ(imported_again("first", {"--exact"}), first);
    const Answer usual = call({"import", "--meetings", folder.file("first.meetings"), "--dry-run"});
    EXPECT_NE(usual.err.find("would be another id"), std::string::npos) << usual.err;
}

TEST_F(ExportTest, AnEmptyTextIsToldFromNone)
{
    meeting("m", "");
    sql("INSERT INTO participant (meeting_id, participant_id, display_name, role, connection_data, layout_classes) "
        "VALUES ('m', 'empty', '', 'publisher', '', ''), ('m', 'none', NULL, 'publisher', NULL, NULL), "
        "('m', 'one', 'One', 'publisher', NULL, '')");
    const std::string rows = exported("e");
    EXPECT_EQ(
        rows.substr(rows.find("m,empty")),
        "m,empty,\"\",publisher,\"\",\"\"\nm,none,,publisher,,\nm,one,One,publisher,,\"\"\n"
    );
    const Answer told = call({"export", "--participants", folder.file("e.participants"), "--yes", "--json"});
    EXPECT_EQ(told.json().at("participants").at("needs_exact"), 2);

    EXPECT_EQ(imported_again("e", {"--exact"}), rows);
    std::filesystem::remove(folder.file("other.db"));
    EXPECT_EQ(imported_again("e").find("\"\""), std::string::npos) << "an empty cell is none";
}

TEST_F(ExportTest, LeavesOutWhatNoImportTakesAndSaysSo)
{
    meeting("good");
    meeting("largest", std::string(64 * 1024, 'x'));
    meeting("larger", std::string(64 * 1024 + 1, 'x'));
    sql("INSERT INTO meeting (id, title, starts_at, ends_at) VALUES ('bytes', CAST(x'ff' AS TEXT), 1612602000, "
        "1612605600);"
        "PRAGMA ignore_check_constraints = ON;"
        "INSERT INTO meeting (id, starts_at, ends_at) VALUES (x'00', 1612602000, 1612605600), ('soon', 1, 2)");

    const Answer answer = call({"export", "--meetings", folder.file("m.csv")});

    EXPECT_EQ(answer.status, 1);
    EXPECT_EQ(answer.out, "In part: 4 rows are left out; 2 meetings, without people and tokens.\n");
    EXPECT_EQ(
        answer.err,
        "meeting bytes: title: \\xff: is not UTF-8; it is left out\n"
        "meeting larger: title: has more than 65536 bytes; it is left out\n"
        "meeting soon: starts_at_utc: 1: is before 2001-09-09T01:46:40Z, 1000000000 in Unix seconds; it is left out\n"
        "meeting whose id is no text: external_id: a BLOB of 1 bytes: expected text; bind it as text; it is left out\n"
    );
    const auto json = call({"export", "--meetings", folder.file("n.csv"), "--json"}).json();
    EXPECT_EQ(json.at("meetings").at("rows"), 2);
    EXPECT_EQ(json.at("meetings").at("left_out"), 4);
    EXPECT_TRUE(json.at("participants").is_null());
}

TEST_F(ExportTest, StandardOutputHoldsTheFileAlone)
{
    meeting("m", "\x1b[31m");
    const Answer answer = call({"export", "--meetings", "-"});
    EXPECT_EQ(answer.status, 0);
    EXPECT_EQ(answer.out.find("external_id,title,"), 0U) << answer.out;
    EXPECT_NE(answer.out.find("\nm,\x1b[31m,2021"), std::string::npos) << "as it is, for a program";
    EXPECT_EQ(answer.err, "Done: 1 meeting, without people and tokens.\n");

    const Answer terminal =
        test::call_usherctl({"--db", folder.file("usher.db"), "export", "--meetings", "-"}, {80, false, {}});
    EXPECT_NE(terminal.out.find("\nm,\\x1b[31m,2021"), std::string::npos) << terminal.out;
}

TEST_F(ExportTest, ReplacesNothingUnasked)
{
    meeting("m");
    const std::string file = folder.file("m.csv");
    std::ofstream{file} << "mine";

    const Answer unasked = call({"export", "--meetings", file});
    EXPECT_EQ(unasked.status, 1);
    EXPECT_EQ(
        unasked.err, file + " is there already and is replaced.\n"
                            "usherctl: export: no terminal to ask. Nothing was done.\ndo: add --yes\n"
    );
    EXPECT_EQ(text_of(file), "mine");
    EXPECT_EQ(call({"export", "--meetings", file, "--yes"}).status, 0);
    EXPECT_NE(text_of(file), "mine");

    const std::string database = folder.file("usher.db");
    const std::string before = text_of(database);
    for (const std::string suffix : {"", "-wal", ".key"}) {
        const Answer own = call({"export", "--meetings", database + suffix, "--yes"});
        EXPECT_EQ(own.status, 1);
        EXPECT_NE(own.err.find(" the database itself; name another file"), std::string::npos) << own.err;
    }
    EXPECT_EQ(text_of(database), before);
    const Answer nowhere = call({"export", "--meetings", folder.file("no/such/m.csv")});
    EXPECT_EQ(nowhere.status, 1);
    EXPECT_NE(nowhere.err.find("m.csv: cannot be created: No such file"), std::string::npos) << nowhere.err;
}

TEST_F(ExportTest, OneWritesAFileAtATime)
{
    const std::string file = folder.file("m.csv");
    std::ofstream{file + ".partial"} << "of a run that was killed";
    {
        NewFile first{file};
        first.write("first");
        try {
            const NewFile second{file};
            FAIL() << "both write it";
        } catch (FileNotWritten const& error) {
            EXPECT_EQ(
                error.what(), file + ": another program is writing it; wait until it has ended, or name another file"
            );
        }
        first.commit();
    }
    EXPECT_EQ(text_of(file), "first");
    NewFile next{file};
    next.write("next");
    next.commit();
    EXPECT_EQ(text_of(file), "next");
}

TEST_F(ExportTest, NeedsAFileForEachTable)
{
    EXPECT_EQ(call({"export"}).status, 2);
    EXPECT_EQ(call({"export", "--meetings", "-", "--participants", "-"}).status, 2);
    EXPECT_EQ(call({"export", "--meetings", "-", "--json"}).status, 2);
    EXPECT_EQ(call({"export", "--meetings", ""}).status, 2);
}

TEST_F(ExportTest, SeesOneInstant)
{
    meeting("m");
    const PlatformReader reader{folder.file("usher.db")};
    std::int64_t meetings = 0;
    reader.each_row({"meeting", {"id"}, 1}, [&](auto) {
        ++meetings;
        sql("INSERT INTO meeting (id, starts_at, ends_at) VALUES ('n', 1612602000, 1612605600);"
            "INSERT INTO participant (meeting_id, participant_id, role) VALUES ('m', 'p', 'publisher')");
    });

    std::int64_t participants = 0;
    reader.each_row({"participant", {"meeting_id", "participant_id"}, 2}, [&](auto) { ++participants; });

    EXPECT_EQ(meetings, 1);
    EXPECT_EQ(participants, 0) << "written after the first question";
    EXPECT_EQ(reader.count_rows("participant"), 0);
}

} // namespace
} // namespace usher::ctl
