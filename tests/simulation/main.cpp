// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>

#include "simulation/dice.hpp"
#include "simulation/world.hpp"

int main(int argc, char** argv)
{
    using namespace usher::simulation;
    CLI::App program{"Runs usherd through simulated months: the same seed gives the same run."};
    std::uint64_t seed = 1;
    int months = 1;
    int first = 1;
    MonthOptions options;
    bool verbose = false;
    program.add_option("--seed", seed, "what decides everything");
    program.add_option("--months", months, "how many")->check(CLI::PositiveNumber);
    program.add_option("--first", first, "the first of them, to run a single one again")->check(CLI::PositiveNumber);
    program.add_option("--days", options.days, "of each month")->check(CLI::PositiveNumber);
    program.add_flag("--calm", options.calm, "no faults, and platforms that only sign people up");
    program.add_flag("--told", options.is_told, "print every event");
    program.add_flag("--verbose", verbose, "print a line for each month");
    try {
        program.parse(argc, argv);
    } catch (CLI::ParseError const& error) {
        return program.exit(error) == 0 ? 0 : 2;
    }

    std::int64_t events = 0;
    std::size_t violations = 0;
    std::uint64_t hash = 0;
    for (int month = first; month < first + months; ++month) {
        Dice dice{seed};
        for (int i = 0; i < month; ++i)
            options.seed = dice.next();
        const MonthResult result = run_month(options);
        events += result.events;
        violations += result.violations.size();
        hash = hash * 31 + result.hash;
        if (verbose)
            std::printf(
                "month %d: %lld meetings, %lld edits, %lld faults, %lld starts, %lld rounds, %lld rows, sound %lld %%, "
                "calm %lld %%, lock %lld us, hash %016llx\n",
                month, static_cast<long long>(result.meetings), static_cast<long long>(result.edits),
                static_cast<long long>(result.faults), static_cast<long long>(result.starts),
                static_cast<long long>(result.rounds), static_cast<long long>(result.rows),
                static_cast<long long>(result.sound_percent), static_cast<long long>(result.calm_percent),
                static_cast<long long>(result.lock_held_max), static_cast<unsigned long long>(result.hash)
            );
        if (result.violations.empty())
            continue;
        for (std::string const& line : result.story)
            std::printf("%s\n", line.c_str());
        for (std::string const& violation : result.violations)
            std::printf("violation: %s\n", violation.c_str());
        std::printf(
            "again: usher-sim --seed %llu --first %d --months 1%s%s\n", static_cast<unsigned long long>(seed), month,
            options.days == 30 ? "" : (" --days " + std::to_string(options.days)).c_str(), options.calm ? " --calm" : ""
        );
    }
    std::printf(
        "seed=%llu months=%d events=%lld violations=%zu hash=%016llx\n", static_cast<unsigned long long>(seed), months,
        static_cast<long long>(events), violations, static_cast<unsigned long long>(hash)
    );
    return violations == 0 ? 0 : 1;
}
