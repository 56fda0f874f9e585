// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "simulation/dice.hpp"
#include "simulation/full_hour.hpp"
#include "simulation/month.hpp"
#include "simulation/shrink.hpp"

namespace usher::simulation {

namespace {

struct Arguments {
    std::uint64_t seed = 1;
    int months = 1;
    int first = 1;
    bool shrinks = false;
    bool verbose = false;
    std::vector<std::string> without{};
    std::vector<std::string> faults{};
    std::vector<std::string> meetings{};
    std::string scenario{};
    int scenario_meetings = FullHourOptions{}.meetings;
    std::string svg{};
    MonthOptions options{};
};

std::uint64_t seed_of_month(std::uint64_t seed, int month)
{
    Dice dice{seed};
    std::uint64_t drawn = 0;
    for (int i = 0; i < month; ++i)
        drawn = dice.next();
    return drawn;
}

std::vector<std::string> all_kinds()
{
    std::vector<std::string> kinds = edit_kind_names();
    for (std::string const& kind : fault_kind_names())
        kinds.push_back(kind);
    return kinds;
}

std::string command_of(Arguments const& arguments, MonthOptions const& options, int month)
{
    return "usher-sim --seed " + std::to_string(arguments.seed) + " --first " + std::to_string(month) + " --months 1" +
           (options.days == 30 ? "" : " --days " + std::to_string(options.days)) + (options.calm ? " --calm" : "") +
           leaving_out(options);
}

void print_month(int month, MonthResult const& result)
{
    const auto number = [](std::int64_t value) { return static_cast<long long>(value); };
    std::printf(
        "month %d: %lld meetings, %lld edits, %lld faults, %lld starts, %lld rounds, %lld rows, sound %lld %%, "
        "calm %lld %%, lock %lld us, %lld failed calls, hash %016llx\n",
        month, number(result.meetings), number(result.edits), number(result.faults), number(result.starts),
        number(result.rounds), number(result.rows), number(result.sound_percent), number(result.calm_percent),
        number(result.lock_held_max), number(result.failed_calls_max), static_cast<unsigned long long>(result.hash)
    );
    std::printf("month %d kinds:", month);
    for (auto const& [kind, count] : result.faults_by_kind)
        std::printf(" %s=%lld", kind.c_str(), number(count));
    std::printf("\n");
}

void print_violations(MonthResult const& result)
{
    for (std::string const& line : result.story)
        std::printf("%s\n", line.c_str());
    for (std::string const& violation : result.violations)
        std::printf("violation: %s\n", violation.c_str());
    std::printf("first: %s on day %.2f\n", result.promise.c_str(), result.violated_at);
}

int run_scenario(Arguments const& arguments)
{
    FullHourOptions options;
    options.seed = arguments.seed;
    options.meetings = arguments.scenario_meetings;
    const FullHour hour = run_full_hour(options);
    std::fputs(to_text(hour).c_str(), stdout);
    if (!arguments.svg.empty() && !(std::ofstream{arguments.svg} << to_svg(hour))) {
        std::fprintf(stderr, "usher-sim: cannot write %s\n", arguments.svg.c_str());
        return 1;
    }
    return hour.violations.empty() ? 0 : 1;
}

int run(Arguments arguments)
{
    MonthOptions options = arguments.options;
    options.without = {arguments.without.begin(), arguments.without.end()};
    options.only_meetings = {arguments.meetings.begin(), arguments.meetings.end()};
    if (!arguments.faults.empty()) {
        options.only_faults.emplace();
        for (std::string const& fault : arguments.faults)
            if (fault != "none")
                options.only_faults->insert(std::atoi(fault.c_str()));
    }
    std::int64_t events = 0;
    std::size_t violations = 0;
    std::uint64_t hash = 0;
    for (int month = arguments.first; month < arguments.first + arguments.months; ++month) {
        options.seed = seed_of_month(arguments.seed, month);
        MonthResult result = run_month(options);
        events += result.events;
        violations += result.violations.size();
        hash = hash * 31 + result.hash;
        if (arguments.verbose)
            print_month(month, result);
        if (result.violations.empty())
            continue;
        MonthOptions shorter = options;
        if (arguments.shrinks) {
            Shrunk shrunk = shrink(options, std::move(result), [](std::string const& step) {
                std::printf("shrink: %s\n", step.c_str());
                std::fflush(stdout);
            });
            result = std::move(shrunk.result);
            shorter = std::move(shrunk.options);
        }
        print_violations(result);
        std::printf("again: %s\n", command_of(arguments, shorter, month).c_str());
    }
    std::printf(
        "seed=%llu months=%d events=%lld violations=%zu hash=%016llx\n",
        static_cast<unsigned long long>(arguments.seed), arguments.months, static_cast<long long>(events), violations,
        static_cast<unsigned long long>(hash)
    );
    return violations == 0 ? 0 : 1;
}

} // namespace

} // namespace usher::simulation

int main(int argc, char** argv)
{
    using namespace usher::simulation;
    CLI::App program{"Runs usherd through simulated months: the same seed gives the same run."};
    Arguments arguments;
    MonthOptions& options = arguments.options;
    program.add_option("--seed", arguments.seed, "what decides everything");
    program.add_option("--months", arguments.months, "how many")->check(CLI::PositiveNumber);
    program.add_option("--first", arguments.first, "the first of them, to run a single one again")
        ->check(CLI::PositiveNumber);
    program.add_option("--days", options.days, "of each month")->check(CLI::PositiveNumber);
    program.add_option("--until", options.until, "the day on which each month becomes calm and ends");
    program.add_flag("--calm", options.calm, "no faults, and platforms that only sign people up");
    program.add_option("--without", arguments.without, "kinds of faults and edits that do not happen")
        ->delimiter(',')
        ->check(CLI::IsMember(all_kinds()));
    program.add_option("--faults", arguments.faults, "the numbers of those that happen, or none")->delimiter(',');
    program.add_option("--meetings", arguments.meetings, "those that are planned")->delimiter(',');
    program.add_flag("--shrink", arguments.shrinks, "look for a shorter story that ends with the same violation");
    program.add_option("--scenario", arguments.scenario, "a story of its own instead of months")
        ->check(CLI::IsMember({"full-hour"}));
    program.add_option("--scenario-meetings", arguments.scenario_meetings, "how many it has")
        ->check(CLI::PositiveNumber);
    program.add_option("--svg", arguments.svg, "the file that its pictures are written to");
    program.add_flag("--told", options.is_told, "print every event");
    program.add_flag("--verbose", arguments.verbose, "print two lines for each month");
    try {
        program.parse(argc, argv);
    } catch (CLI::ParseError const& error) {
        return program.exit(error) == 0 ? 0 : 2;
    }
    return arguments.scenario.empty() ? run(std::move(arguments)) : run_scenario(arguments);
}
