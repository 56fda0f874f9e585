// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <optional>
#include <string>

#include "commands.hpp"
#include "import.hpp"
#include "output.hpp"
#include "schedule_csv.hpp"

namespace usher::ctl {
namespace {

struct ImportArguments {
    ImportOptions options;
    std::optional<std::string> shift_start;
    std::optional<std::string> separator;
    std::optional<std::string> until;
};

constexpr seconds horizon_standard{90 * 24 * 3600};
constexpr seconds horizon_max{1830 * 24 * 3600};

Json json_of_counts(ImportCounts const& counts)
{
    Json result = Json::object();
    result["added"] = counts.added;
    result["changed"] = counts.changed;
    result["unchanged"] = counts.unchanged;
    result["refused"] = counts.refused;
    result["pruned"] = counts.pruned;
    return result;
}

/// `2 changed, 37 unchanged, 1 refused`.
std::string text_of(ImportCounts const& counts)
{
    std::string text;
    const auto add = [&](std::size_t count, char const* word) {
        if (count > 0)
            text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + word;
    };
    add(counts.added, "added");
    add(counts.changed, "changed");
    add(counts.unchanged, "unchanged");
    add(counts.pruned, "deleted");
    add(counts.refused, "refused");
    return text.empty() ? "none" : text;
}

std::size_t total_of(ImportCounts const& counts)
{
    return counts.added + counts.changed + counts.unchanged + counts.refused;
}

std::string refused_rows(std::size_t count, bool dry_run)
{
    return counted(static_cast<std::int64_t>(count), "row") +
           (dry_run      ? " would be"
            : count == 1 ? " is"
                         : " are") +
           " refused";
}

std::string sentence_of(ImportReport const& report, ImportOptions const& options)
{
    const std::size_t refused = report.refused();
    if (!options.dry_run)
        return refused == 0 ? "Done." : "In part: " + refused_rows(refused, false) + ".";
    std::string text;
    const auto tell = [&](ImportCounts const& counts, std::string_view thing, std::string_view things) {
        std::string changes;
        const auto add = [&](std::size_t count, char const* verb) {
            if (count > 0)
                changes += (changes.empty() ? "" : ", ") + std::string{verb} + " " + std::to_string(count);
        };
        add(counts.added, "add");
        add(counts.changed, "change");
        if (!changes.empty()) {
            const std::size_t total = total_of(counts);
            changes += " of " + std::to_string(total) + " " + std::string{total == 1 ? thing : things};
        }
        add(counts.pruned, "delete"); // which are not in the file
        if (counts.pruned > 0)
            changes += " " + std::string{counts.pruned == 1 ? thing : things};
        if (!changes.empty())
            text += (text.empty() ? "Would " : ", ") + changes;
    };
    tell(report.meetings, "meeting", "meetings");
    tell(report.participants, "person", "people");
    if (text.empty())
        text = "Would change nothing";
    return text + (refused == 0 ? "." : "; " + refused_rows(refused, true) + ".");
}

char separator_of(std::string const& text)
{
    if (text == "tab" || text == "\\t")
        return '\t';
    if (text.size() != 1 || text.find_first_of("\"\r\n") != std::string::npos)
        throw UsageError{"--separator: " + in_quotes(text) + " is not one character, or the word tab"};
    return text.front();
}

sys_seconds until_of(ImportArguments const& arguments, sys_seconds now)
{
    if (!arguments.until)
        return now + horizon_standard;
    if (arguments.options.calendar_path.empty())
        throw UsageError{"--until bounds what recurs in a calendar; name it with --ics FILE"};
    const auto until = parse_shift_start(*arguments.until, now);
    if (!until)
        throw UsageError{"--until: " + until.error().message};
    if (*until <= now || *until > now + horizon_max)
        throw UsageError{
            "--until: expected an instant from now to " + to_text(horizon_max) + " from now, got " +
            to_iso8601(*until)};
    return *until;
}

int import(Context& context, ImportArguments const& arguments)
{
    ImportOptions options = arguments.options;
    const bool calendar = !options.calendar_path.empty();
    if (options.meetings_path.empty() && options.participants_path.empty() && !calendar)
        throw UsageError{"import needs --meetings FILE, --participants FILE, or both; or --ics FILE"};
    options.now = context.now();
    options.until = until_of(arguments, options.now);
    options.local = context.local;
    if (arguments.shift_start) {
        if (options.meetings_path.empty())
            throw UsageError{"--shift-start moves meetings; name them with --meetings FILE"};
        const auto start = parse_shift_start(*arguments.shift_start, options.now);
        if (!start)
            throw UsageError{"--shift-start: " + start.error().message};
        options.shift_start = *start;
    }
    if (options.force && !options.prune)
        throw UsageError{"--force lets --prune delete everything; it needs --prune"};
    if (arguments.separator)
        options.separator = separator_of(*arguments.separator);
    options.database_path = context.database();
    options.progress = !context.json;
    const ImportReport report = import_schedule(options, context.err);
    const bool failed = !report.failure.empty();
    const int status = failed || (report.refused() > 0 && !options.dry_run) ? exit_could_not : exit_done;
    if (failed && context.json) {
        Json document = Json::object();
        document["version"] = 1;
        document["error"] = {
            {"code", "import_failed"}, {"message", report.failure}, {"do", json_or_null(report.to_do)}};
        print(context.out, document);
        return status;
    }
    if (failed) {
        context.err.lines("usherctl: " + report.failure);
        if (!report.to_do.empty())
            context.err << "do: " << report.to_do << '\n';
        return status;
    }
    const std::string sentence = sentence_of(report, options);
    if (context.json) {
        Json document = answer("import", options.now);
        document["sentence"] = sentence;
        document["dry_run"] = options.dry_run;
        document["meetings"] = json_of_counts(report.meetings);
        document["participants"] = json_of_counts(report.participants);
        document["passed_over"] = report.passed_over;
        document["prune_skipped"] = report.prune_skipped;
        document["changes"] = {{"total", report.would_count}, {"items", report.would}};
        print(context.out, document);
        return status;
    }
    context.out << sentence << '\n';
    for (std::string const& change : report.would)
        context.out << change << '\n';
    if (report.would_count > report.would.size())
        context.out << report.would_count - report.would.size() << " more\n";
    if (!options.dry_run && (calendar || !options.meetings_path.empty()))
        context.out << "meetings   " << text_of(report.meetings) << '\n';
    if (!options.dry_run && (calendar || !options.participants_path.empty()))
        context.out << "people     " << text_of(report.participants) << '\n';
    if (report.passed_over > 0)
        context.out << "note       " << counted(static_cast<std::int64_t>(report.passed_over), "event")
                    << (report.passed_over == 1 ? " is" : " are") << " over, or "
                    << (report.passed_over == 1 ? "begins" : "begin") << " after " << to_iso8601(options.until) << '\n';
    if (report.prune_skipped)
        context.err << "Nothing was deleted, since a row is refused.\n";
    return status;
}

} // namespace

void add_import(CLI::App& app, Context& context)
{
    Command command{
        app, context, "import",
        "Load a schedule from CSV files, or a calendar. New rows are added, and rows that differ are changed; what the "
        "file leaves "
        "empty, or has no column for, stays as it is. Nothing is deleted without --prune.",
        "usherctl import --meetings meetings.csv --participants participants.csv"};
    const auto arguments = std::make_shared<ImportArguments>();
    command.takes("--meetings", "FILE", arguments->options.meetings_path, "Meetings");
    command.takes("--participants", "FILE", arguments->options.participants_path, "Participants");
    command.takes("--ics", "FILE", arguments->options.calendar_path, "Both, from a calendar: iCalendar");
    command.takes(
        "--until", "TIME", arguments->until,
        "With --ics: pass over what begins later: ISO 8601, or +30d; 90 days from now unless given"
    );
    command.takes(
        "--separator", "CHARACTER", arguments->separator,
        "Between two fields, if it is none of comma, semicolon and tab, which are found"
    );
    command.takes(
        "--shift-start", "TIME", arguments->shift_start,
        "Move all meetings so that the first one begins then: ISO 8601, or +5m"
    );
    command.takes(
        "--exact", arguments->options.exact,
        "Take ids and words with blanks at their ends and what cannot be seen as they are"
    );
    command.takes("--prune", arguments->options.prune, "Delete what the files do not have");
    command.takes("--force", arguments->options.force, "With --prune, also when a file has no rows");
    command.takes("--dry-run", arguments->options.dry_run, "Write nothing; tell what would change");
    for (char const* const other : {"--meetings", "--participants", "--separator", "--shift-start", "--exact"})
        command.excludes("--ics", other);
    command.action([&context, arguments] { return import(context, *arguments); });
}

} // namespace usher::ctl
