// SPDX-License-Identifier: Apache-2.0
// What the scenarios of script/bench measure with. Each subcommand prints lines of a name and a value.
#include <cstdio>
#include <exception>
#include <map>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "usher_bench.hpp"

int main(int argc, char** argv)
{
    using namespace usher::bench;

    CLI::App options{"What script/bench measures with."};
    options.require_subcommand(1);
    std::string path;
    std::string to;
    bool past = false;
    std::int64_t meetings = 500;
    std::int64_t each = 20;
    std::int64_t count = 1000;
    std::chrono::milliseconds::rep interval = 20;
    double seconds = 10;
    pid_t pid = 0;
    Which which = Which::any;
    std::vector<std::string> command;
    const auto add = [&](char const* name, char const* help) { return options.add_subcommand(name, help); };
    const auto with_database = [&](CLI::App* subcommand) {
        subcommand->add_option("database", path)->required();
        return subcommand;
    };
    const auto with_command = [&](CLI::App* subcommand) {
        return subcommand->add_option("command", command, "A command that is run meanwhile, after --");
    };

    auto* const filling = with_database(add("fill", "Writes a schedule into an empty database"));
    filling->add_option("--meetings", meetings)->check(CLI::PositiveNumber);
    filling->add_option("--each", each, "Participants of each")->check(CLI::PositiveNumber);
    filling->callback([&] { fill(path, meetings, each); });

    auto* const bare = add("bare", "Writes what usherd wrote, with plain statements, into a copy from before");
    bare->add_option("from", path, "The database that usherd wrote to")->required();
    bare->add_option("to", to, "The copy")->required();
    bare->add_flag("--past", past, "The tokens that were replaced as well");
    bare->callback([&] { write_bare(path, to, past); });

    auto* const latency = with_database(add("latency", "Changes roles, and waits for each new token"));
    latency->add_option("--count", count)->check(CLI::PositiveNumber);
    latency->add_option("--interval", interval, "Milliseconds between a token and the next change");
    latency->add_option("--which", which, "Meetings within the hour, or others")
        ->transform(CLI::CheckedTransformer(std::map<std::string, Which>{
            {"any", Which::any}, {"near", Which::near}, {"far", Which::far}}));
    with_command(latency);
    latency->callback([&] { measure_latency(path, count, std::chrono::milliseconds{interval}, which, command); });

    auto* const neighbour = with_database(add("neighbour", "Writes small transactions and reads credentials"));
    neighbour->add_option("--seconds", seconds, "Unless there is a command");
    neighbour->add_option("--interval", interval, "Milliseconds between two writes");
    with_command(neighbour);
    neighbour->callback([&] {
        const auto duration = std::chrono::milliseconds{static_cast<std::int64_t>(seconds * 1000)};
        be_neighbour(path, duration, std::chrono::milliseconds{interval}, command);
    });

    auto* const wal = with_database(add("wal", "The largest size of the WAL while short readers come and go"));
    with_command(wal)->required();
    wal->callback([&] { watch_wal(path, command); });

    auto* const reload = with_database(add("reload", "Has a daemon reload, and waits until a sample is signed anew"));
    reload->add_option("pid", pid)->required();
    reload->add_option("--sample", count)->check(CLI::PositiveNumber);
    reload->callback([&] { reload_and_wait(path, pid, count); });

    auto* const pass = with_database(add("pass", "The time of a pass that finds nothing due"));
    pass->add_option("--count", count)->check(CLI::PositiveNumber);
    pass->callback([&] { measure_pass(path, static_cast<int>(count)); });

    auto* const run = add("run", "Time, processor time and peak memory of a command");
    with_command(run)->required();
    run->callback([&] { Child{command}.finish(); });

    auto* const idle = add("idle", "The share of a core that a process uses");
    idle->add_option("pid", pid)->required();
    idle->add_option("--seconds", seconds);
    idle->callback([&] { measure_idle(pid, seconds); });

    try {
        options.parse(argc, argv);
        return 0;
    } catch (CLI::ParseError const& error) {
        return options.exit(error) == 0 ? 0 : 2;
    } catch (std::exception const& error) {
        std::fprintf(stderr, "usher-bench: %s\n", error.what());
        return 1;
    }
}
