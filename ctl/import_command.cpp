// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "commands.hpp"
#include "import.hpp"
#include "output.hpp"
#include "schedule_csv.hpp"

namespace usher::ctl {
namespace {

struct ImportArguments {
    ImportOptions options;
    std::string shift_start;
};

Json json_of_counts(ImportCounts const& counts)
{
    Json result = Json::object();
    result["added"] = counts.added;
    result["changed"] = counts.changed;
    result["unchanged"] = counts.unchanged;
    result["bad"] = counts.bad;
    result["pruned"] = counts.pruned;
    return result;
}

void print_counts(Printer& out, char const* what, ImportCounts const& counts)
{
    out << what << ": " << counts.added << " added, " << counts.changed << " changed, " << counts.unchanged
        << " unchanged, " << counts.bad << " bad, " << counts.pruned << " pruned\n";
}

int import(Context& context, ImportArguments const& arguments)
{
    ImportOptions options = arguments.options;
    if (options.meetings_path.empty() && options.participants_path.empty())
        throw UsageError{"import needs --meetings FILE, --participants FILE, or both"};
    if (!arguments.shift_start.empty()) {
        const auto start =
            parse_shift_start(arguments.shift_start, std::chrono::floor<seconds>(std::chrono::system_clock::now()));
        if (!start)
            throw UsageError{"--shift-start: " + start.error().message};
        options.shift_start = *start;
    }
    options.database_path = context.database();
    options.progress = !context.json;
    const ImportReport report = import_schedule(options, context.err);
    if (context.json) {
        Json document = Json::object();
        document["meetings"] = json_of_counts(report.meetings);
        document["participants"] = json_of_counts(report.participants);
        document["prune_skipped"] = report.prune_skipped;
        document["failure"] = report.failure.empty() ? Json(nullptr) : Json(report.failure);
        print(context.out, document);
    } else {
        if (!options.meetings_path.empty())
            print_counts(context.out, "meetings", report.meetings);
        if (!options.participants_path.empty())
            print_counts(context.out, "participants", report.participants);
    }
    if (report.prune_skipped)
        context.err << "nothing was pruned, since a row is bad\n";
    if (!report.failure.empty())
        context.err << "usherctl: " << report.failure << '\n';
    return report.has_bad_rows() || !report.failure.empty() ? exit_could_not : exit_done;
}

} // namespace

void add_import(CLI::App& app, Context& context)
{
    CLI::App* command = add_command(
        app, context, "import", "Load a schedule from CSV files; rows that are there already stay as they are",
        "usherctl import --meetings meetings.csv --participants participants.csv"
    );
    auto arguments = std::make_shared<ImportArguments>();
    command->add_option("--meetings", arguments->options.meetings_path, "Meetings")->type_name("FILE");
    command->add_option("--participants", arguments->options.participants_path, "Participants")->type_name("FILE");
    command
        ->add_option(
            "--shift-start", arguments->shift_start,
            "Move all meetings so that the first one begins then: ISO 8601, or +5m"
        )
        ->type_name("TIME");
    command->add_flag("--prune", arguments->options.prune, "Delete what the files do not have");
    command->callback([&context, arguments] {
        context.action = [&context, arguments] { return import(context, *arguments); };
    });
}

} // namespace usher::ctl
