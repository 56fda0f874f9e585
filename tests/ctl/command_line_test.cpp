// SPDX-License-Identifier: Apache-2.0
// What usherctl makes of its words, and how import reports.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "interrupt.hpp"
#include "support/temp_dir.hpp"
#include "support/usherctl.hpp"

namespace usher::ctl {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

using test::Answer;

class CommandLine : public testing::Test {
protected:
    static Answer call(std::vector<std::string> words) { return test::call_usherctl(std::move(words)); }

    std::string write(std::string const& name, std::string const& content) const
    {
        std::ofstream{folder.file(name), std::ios::binary} << content;
        return folder.file(name);
    }

    Answer import(std::vector<std::string> words) const
    {
        words.insert(words.begin(), {"import", "--db", path});
        return call(std::move(words));
    }

    test::TempDir folder;
    std::string path = folder.file("usher.db");
};

TEST_F(CommandLine, NamesAWordThatIsNoCommandAndTheNearest)
{
    EXPECT_EQ(call({"statsu"}).err, "usherctl: there is no command statsu; nearest: status\n");
    EXPECT_EQ(
        call({"--db", path, "replace_session", "m"}).err,
        "usherctl: there is no command replace_session; nearest: replace-session\n"
    );
    EXPECT_EQ(call({"x\x1b[31m\n"}).err, "usherctl: there is no command x\\x1b[31m\\x0a\n");
    for (auto const& words : std::vector<std::vector<std::string>>{
             {"statsu"},
             {"--db", path, "statsu"},
             {"status", "--jsno"},
             {"init", "now"},
             {"explain"},
             {"--nothing"},
             {}})
        EXPECT_EQ(call(words).status, 2);
    EXPECT_EQ(call({"rotate", "--wiat"}).err, "usherctl: rotate: there is no option --wiat; nearest: --wait\n");
    EXPECT_EQ(call({"init", "now"}).err, "usherctl: init: does not take \"now\"; see usherctl init --help\n");
    EXPECT_THAT(call({"explain"}).err, StartsWith("usherctl: explain: "));
    EXPECT_EQ(
        call({"explain", "--", "-x", "--json"}).err,
        "usherctl: explain: does not take \"--json\" behind --; options stand before it; see usherctl explain --help\n"
    );
    EXPECT_THAT(
        call({"explain", "--jsno", "--", "-x"}).err, StartsWith("usherctl: explain: there is no option --jsno")
    );
}

TEST_F(CommandLine, AnswersHelpAndVersion)
{
    const Answer version = call({"--version"});
    EXPECT_EQ(version.status, 0);
    EXPECT_EQ(version.out, "usherctl " USHER_VERSION ", schema 1\n");

    const Answer help = call({"--help"});
    EXPECT_EQ(help.status, 0);
    EXPECT_THAT(
        help.out, StartsWith("Usage: usherctl [--config FILE | --db FILE] COMMAND [--json] [--local]\nlook   status")
    );
    EXPECT_THAT(help.out, HasSubstr("Start: usherctl status. Exit 0 well, 1 not well, 2 usage.\n"));
    EXPECT_EQ(call({}).err, help.out);
    EXPECT_THAT(call({"import", "--help"}).out, HasSubstr("empty, or has no column for, stays as it is"));
}

TEST_F(CommandLine, TakesOptionsBeforeAndAfterTheCommand)
{
    EXPECT_EQ(call({"init", "--db", path}).status, 0);
    EXPECT_EQ(call({"--db", path, "init"}).status, 0);
    EXPECT_EQ(call({"--json", "--db", path, "init"}).out, call({"init", "--json", "--db", path}).out);
    EXPECT_EQ(call({"init", "--config", folder.file("none.yaml")}).status, 2);
    EXPECT_EQ(call({"init", "--config", folder.file("none.yaml"), "--db", path}).status, 2);
}

TEST_F(CommandLine, SaysWhatWentWrongInJsonToo)
{
    const Answer usage = call({"import", "--json", "--db", path});
    EXPECT_EQ(usage.status, 2);
    EXPECT_EQ(
        nlohmann::json::parse(usage.out), nlohmann::json::parse(R"({"version": 1, "error": {"code": "usage", "do": null,
            "message": "import needs --meetings FILE, --participants FILE, or both; or --ics FILE"}})")
    );
    EXPECT_EQ(usage.err, "");
}

TEST_F(CommandLine, PrintsOneObjectWhereverJsonIsAskedFor)
{
    const auto code = [](Answer const& answer) {
        EXPECT_EQ(answer.err, "");
        return answer.json().at("error").at("code").get<std::string>();
    };
    for (auto const& words : std::vector<std::vector<std::string>>{
             {"--db", path, "--json"},
             {"status", "--db", path, "--db", path, "--json"},
             {"status", "--db", path, "--json=x"},
             {"statsu", "--json"},
             {"rotate", "--json"}}) {
        SCOPED_TRACE(testing::PrintToString(words));
        const Answer answer = call(words);
        EXPECT_EQ(answer.status, 2);
        EXPECT_EQ(code(answer), "usage");
    }
    EXPECT_THAT(call({"explain", "--db", path, "--", "--json", "x"}).err, StartsWith("usherctl: "));
    ASSERT_EQ(call({"init", "--db", path}).status, 0);
    const std::string copy = write("copy.db", "");
    const Answer unasked = call({"backup", "--db", path, copy, "--json"});
    EXPECT_EQ(unasked.status, 1);
    EXPECT_EQ(code(unasked), "not_agreed");
    EXPECT_EQ(
        unasked.json().at("error").at("message"),
        copy + " is there already and is replaced. There is no terminal to ask. Nothing was done"
    );
    const std::string keys = write("keys.db.key", "the only key of another copy");
    std::ofstream{path + ".key"} << std::string(64, 'a') << '\n';
    EXPECT_EQ(code(call({"backup", "--db", path, folder.file("keys.db"), "--json"})), "not_agreed");
    EXPECT_THAT(
        call({"backup", "--db", path, folder.file("keys.db")}).err,
        StartsWith(keys + " is there already and is replaced.\n")
    );
    EXPECT_FALSE(std::filesystem::exists(folder.file("keys.db")));
    EXPECT_EQ(code(call({"replace-session", "--db", path, "--all", "--json"})), "not_agreed");
    ASSERT_EQ(call({"backup", "--db", path, copy, "--yes"}).status, 0);
    EXPECT_EQ(code(call({"restore", "--db", path, copy, "--json"})), "not_agreed");
}

TEST_F(CommandLine, LeavesNothingBehindWhenItIsInterrupted)
{
    ASSERT_EQ(call({"init", "--db", path}).status, 0);
    const std::string meeting =
        write("m.csv", "external_id,title,starts_at_utc,ends_at_utc\nm,M,2026-03-02T09:00:00Z,2026-03-02T10:00:00Z\n");
    ASSERT_EQ(import({"--meetings", meeting}).status, 0);
    const std::string copy = folder.file("copy.db");
    ASSERT_EQ(call({"backup", "--db", path, copy}).status, 0);
    const auto files = [&] {
        std::set<std::string> names;
        for (auto const& entry : std::filesystem::directory_iterator{std::filesystem::path{path}.parent_path()})
            names.insert(entry.path().filename());
        return names;
    };
    std::set<std::string> before = files();
    before.insert("usher.db.lock"); // which stays, as after every restore

    std::signal(SIGINT, SIG_DFL); // a shell that runs this in the background has it ignored
    const Interruptible interruptible;
    ASSERT_EQ(std::raise(SIGINT), 0);
    for (std::vector<std::string> const& words : std::vector<std::vector<std::string>>{
             {"backup", "--db", path, folder.file("other.db")},
             {"restore", "--db", path, copy, "--yes"},
             {"export", "--db", path, "--meetings", folder.file("out.csv")}}) {
        SCOPED_TRACE(words.front());
        const Answer answer = call(words);
        EXPECT_EQ(answer.status, 1);
        EXPECT_EQ(answer.err, "usherctl: interrupted. Nothing was changed.\n");
        std::set<std::string> after = files();
        after.insert("usher.db.lock");
        EXPECT_EQ(after, before);
    }
}

TEST_F(CommandLine, ImportStopsInARowThatDoesNotEnd)
{
    ASSERT_EQ(call({"init", "--db", path}).status, 0);
    const std::string to_do = "\ndo: name a CSV file, or mend that row; then import again\n";
    const Answer endless = import({"--meetings", "/dev/zero"});
    EXPECT_EQ(endless.status, 1);
    EXPECT_EQ(
        endless.err, "usherctl: /dev/zero:1: has a row of more than 16 MiB, and was read no further. Nothing was "
                     "done." +
                         to_do
    );
    const std::string meetings = write(
        "m.csv", "external_id,title,starts_at_utc,ends_at_utc\n"
                 "keynote,K,2026-03-02T09:00:00Z,2026-03-02T10:00:00Z\n" +
                     std::string(17 * 1024 * 1024, 'x')
    );
    const Answer long_row = import({"--meetings", meetings});
    EXPECT_EQ(long_row.status, 1);
    EXPECT_EQ(
        long_row.err, "usherctl: " + meetings + ":3: has a row of more than 16 MiB, and was read no further" + to_do
    );
}

TEST_F(CommandLine, ImportSaysWhatGotIn)
{
    ASSERT_EQ(call({"init", "--db", path}).status, 0);
    const std::string header = "external_id,title,starts_at_utc,ends_at_utc\n";
    const std::string meetings = write(
        "m.csv", header + "keynote,K,2026-03-02T09:00:00Z,2026-03-02T10:00:00Z\n"
                          "late,L,2026-03-02T24:00:00Z,2026-03-03T10:00:00Z\n"
    );
    const std::string participants = write("p.csv", "meeting_external_id,external_id,role\nkeynot,p,\nkeynote,p,\n");
    const Answer part = import({"--meetings", meetings, "--participants", participants});
    EXPECT_EQ(part.status, 1);
    EXPECT_EQ(
        part.err, meetings + ":3:8: starts_at_utc: 2026-03-02T24:00:00Z: there is no hour 24\n" + participants +
                      ":2:1: no meeting keynot; nearest: keynote. Loaded, it waits.\n"
    );
    EXPECT_EQ(
        part.out, "In part: 1 row is refused.\n"
                  "meetings   1 added, 1 refused\n"
                  "people     2 added\n"
    );

    write("m.csv", header + "keynote,K,2026-03-02T09:00:00Z,2026-03-02T10:15:00Z\n");
    const Answer dry = import({"--meetings", meetings, "--dry-run"});
    EXPECT_EQ(dry.status, 0);
    EXPECT_EQ(dry.out, "Would change 1 of 1 meeting.\nkeynote: ends 2026-03-02 10:00 -> 2026-03-02 10:15 UTC\n");
    const Answer done = import({"--meetings", meetings});
    EXPECT_EQ(done.status, 0);
    EXPECT_EQ(done.out, "Done.\nmeetings   1 changed\n");
    EXPECT_EQ(import({"--meetings", meetings, "--dry-run"}).out, "Would change nothing.\n");
    const auto json = nlohmann::json::parse(import({"--meetings", meetings, "--json"}).out);
    EXPECT_EQ(json.at("version"), 1);
    EXPECT_EQ(json.at("meetings").at("unchanged"), 1);
}

TEST_F(CommandLine, ImportSaysWhyNothingWasDone)
{
    ASSERT_EQ(call({"init", "--db", path}).status, 0);
    const std::string participants = write("p.csv", "meeting_external_id,external_id,role\nm,p,\nm,q,\n");
    ASSERT_EQ(import({"--participants", participants}).status, 0);
    write("p.csv", "meeting_external_id,external_id,role\n");
    const Answer empty = import({"--participants", participants, "--prune"});
    EXPECT_EQ(empty.status, 1);
    EXPECT_EQ(empty.out, "");
    EXPECT_EQ(
        empty.err, "usherctl: " + participants +
                       ": no rows; --prune would delete 2 people. Nothing was done.\n"
                       "do: name the full file, or add --force\n"
    );
    EXPECT_EQ(import({"--participants", participants, "--prune", "--dry-run"}).out, "Would delete 2 people.\n");
    EXPECT_EQ(import({"--participants", participants, "--shift-start", "+5m"}).status, 2);
    EXPECT_EQ(import({"--participants", participants, "--force"}).status, 2);
    EXPECT_EQ(import({"--participants", participants, "--separator", ";;"}).status, 2);
    for (char const* const option : {"--meetings", "--shift-start", "--separator"}) {
        const Answer unset = import({"--participants", participants, option, ""}); // as a variable that is not set
        EXPECT_EQ(unset.status, 2) << option;
        EXPECT_EQ(unset.err, std::string{"usherctl: "} + option + ": is empty\n");
    }
    for (const std::string command : {"backup", "restore"})
        EXPECT_EQ(call({"--db", path, command, ""}).err, "usherctl: FILE: is empty\n");
    for (const std::string option : {"--db", "--config"})
        EXPECT_EQ(call({option, "", "status"}).err, "usherctl: " + option + ": is empty\n");

    const std::string meetings = write("m.csv", "external_id|title|starts_at_utc|ends_at_utc\n");
    const Answer piped = import({"--meetings", meetings});
    EXPECT_EQ(piped.status, 1);
    EXPECT_EQ(
        piped.err, "usherctl: " + meetings +
                       ":1: one column \"external_id|title|starts_at_utc|ends_at_utc\". Nothing was done.\n"
                       "do: --separator '|'\n"
    );
    EXPECT_EQ(import({"--meetings", meetings, "--separator", "|"}).status, 0);
    write("m.csv", "external_id,title,starts_at_utc,ends_at_utc,statsu\n");
    EXPECT_EQ(import({"--meetings", meetings}).status, 1);
}

} // namespace
} // namespace usher::ctl
