// SPDX-License-Identifier: Apache-2.0
// Hostile rows: whatever stands in the columns of a meeting's rows, usherd serves the meeting beside it and one that
// comes, and usherctl tells of all of them in plain text.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <fuzzer/FuzzedDataProvider.h>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "service/world.hpp"
#include "support/plain_text.hpp"
#include "support/sqlite/attacker.hpp"
#include "support/usherctl.hpp"

namespace {

using namespace usher;

constexpr std::size_t answer_bytes_max = 4'000'000; // several texts of 16 KiB, each byte escaped

[[noreturn]] void fail(std::string const& what)
{
    std::fprintf(stderr, "rows_fuzz: %s\n", what.substr(0, 2000).c_str());
    std::abort();
}

struct Columns {
    std::string table;
    std::vector<std::string> columns;
    int rows; ///< That are the victim's, or nobody's.
};

/// A victim with something in every table, and a neighbour whose rows come after.
class Stage {
public:
    Stage()
    {
        world.meeting(30 * 60, 90 * 60, "victim");
        world.participant("ann", "publisher", "victim");
        world.participant("bob", "publisher", "victim");
        world.work();
        world.sql("UPDATE participant SET role = 'moderator' WHERE participant_id = 'ann';"
                  "UPDATE participant SET connection_data = CAST(x'ff41' AS TEXT) WHERE participant_id = 'bob'");
        world.work();
        world.sql("INSERT INTO block (meeting_id, participant_id) VALUES ('victim', 'eve');"
                  "INSERT INTO request (action, meeting_id) VALUES ('rotate', 'victim');"
                  "INSERT INTO request_meeting (meeting_no, work_no) SELECT meeting_no, 99 FROM agenda;"
                  "INSERT INTO session_attempt (meeting_no, started_at) SELECT meeting_no, 1800000000 FROM agenda");
        const test::Attacker attacker{world.path};
        for (std::string const& table : attacker.tables()) {
            // The doors of others, and the words of their tokens, are everybody's.
            const bool shared = table == "door" || table == "token_reason" || table == "project_status";
            const int rows = shared ? 1 : std::stoi(world.text("SELECT count(*) FROM " + table));
            tables.push_back({table, attacker.columns(table), rows});
        }
        world.meeting(-10 * 60, 90 * 60, "witness");
        world.participant("cid", "publisher", "witness");
        world.work();
        world.close();
        snapshot.emplace(world.path);
    }

    test::World world;
    std::vector<Columns> tables;
    std::optional<test::Snapshot> snapshot;
};

void edit(Stage& stage, test::Attacker& attacker, FuzzedDataProvider& input)
{
    Columns const& place = stage.tables[input.ConsumeIntegralInRange<std::size_t>(0, stage.tables.size() - 1)];
    if (place.rows == 0)
        return;
    std::string const& column = place.columns[input.ConsumeIntegralInRange<std::size_t>(0, place.columns.size() - 1)];
    const int row = input.ConsumeIntegralInRange(0, place.rows - 1);
    constexpr std::int64_t times[] = {
        0,
        -1,
        INT64_MAX,
        INT64_MIN,
        1,
        1'800'000'000,
        1'800'001'800,
        1LL << 62,
        1LL << 32,
        INT64_MAX - 1,
        99'999'999'999,
        1'000'000'000};
    attacker.write(place.table, column, row, [&](SQLite::Statement& statement) {
        switch (input.ConsumeIntegralInRange(0, 6)) {
        case 0: statement.bind(1); break;
        case 1: statement.bind(1, input.ConsumeIntegral<std::int64_t>()); break;
        case 2: statement.bind(1, input.PickValueInArray(times)); break;
        case 3: statement.bind(1, input.ConsumeFloatingPoint<double>()); break;
        case 4: statement.bind(1, input.ConsumeRandomLengthString(64)); break;
        case 5: {
            const std::string blob = input.ConsumeRandomLengthString(64);
            statement.bind(1, blob.data(), static_cast<int>(blob.size()));
            break;
        }
        default: statement.bind(1, std::string(input.ConsumeIntegralInRange<std::size_t>(0, 1'100'000), 'x')); break;
        }
    });
}

std::string call(Stage const& stage, std::vector<std::string> words)
{
    std::string line;
    for (std::string const& word : words)
        line += word + " ";
    words.insert(words.begin(), {"--db", stage.world.path});
    const auto [status, out, err] = test::call_usherctl(words, {80, false, stage.world.clock.now()});
    if (status < 0 || status > 2)
        fail(line + "ends with " + std::to_string(status));
    for (std::string const& text : {out, err})
        if (text.size() > answer_bytes_max || !test::first_fault(text).empty())
            fail(line + "prints " + std::to_string(text.size()) + " bytes, " + test::first_fault(text) + ": " + text);
    if (words.back() == "--json" && !nlohmann::json::accept(out))
        fail(line + "prints no JSON: " + out);
    return out + err;
}

void expect_neighbour(Stage const& stage)
{
    const std::string said = call(stage, {"explain", "witness"});
    if (said.find("witness is ready, live: ") != 0)
        fail("of the neighbour is said: " + said);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size)
{
    static Stage stage;
    FuzzedDataProvider input{data, size};
    stage.world.close();
    stage.snapshot->restore();
    const std::vector<std::string> commands[] = {
        {"status"},
        {"status", "--json"},
        {"explain", "victim"},
        {"explain", "victim", "--json"},
        {"explain", "victin"},
        {"credentials", "victim"},
        {"credentials", "victim", "--show", "--json"},
        {"credentials", "victim", "bob"},
        {"requests"},
        {"requests", "--json"},
        {"rotate", "--all", "--dry-run"},
    };
    {
        test::Attacker attacker{stage.world.path};
        for (int edits = input.ConsumeIntegralInRange(1, 4); edits > 0; --edits)
            edit(stage, attacker, input);
    }
    call(stage, input.PickValueInArray(commands));
    expect_neighbour(stage);

    test::World& world = stage.world;
    world.open_platform();
    world.restart();
    world.work();
    const bool blocked = !world.text("SELECT 1 FROM block WHERE meeting_id = 'witness' LIMIT 1").empty();
    if (!blocked && world.credentials("witness").empty())
        fail("the neighbour is not served");
    world.meeting(-10 * 60, 90 * 60, "late");
    world.participant("dan", "publisher", "late");
    world.work();
    if (world.credentials("late").empty())
        fail("a meeting that came later is not served");
    call(stage, input.PickValueInArray(commands));
    if (!blocked)
        expect_neighbour(stage);
    return 0;
}
