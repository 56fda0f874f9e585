// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <usher/core/printable.hpp>
#include <usher/store/backup.hpp>
#include <usher/store/platform_reader.hpp>

#include "commands.hpp"
#include "interrupt.hpp"
#include "new_file.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "schedule_csv.hpp"

namespace usher::ctl {
namespace {

constexpr std::string_view standard_output = "-";
constexpr std::size_t told_rows = 1000; // that are left out, one by one

struct ExportArguments {
    std::string meetings;
    std::string participants;
    bool yes = false;
};

struct Exported {
    std::int64_t rows = 0;
    std::int64_t left_out = 0;
    std::int64_t needs_exact = 0;
};

/// `39 meetings`, `1 person`.
std::string people(std::int64_t count)
{
    return count == 1 ? "1 person" : grouped(count) + " people";
}

/// A table's way into a file, or to standard output.
template <class Table>
class Export {
public:
    Export(Context& context, std::string path) : context_{context}, path_{std::move(path)}
    {
        if (path_ != standard_output && !path_.empty())
            file_.emplace(path_);
    }

    Exported write(PlatformReader const& reader, Progress& progress)
    {
        if (path_.empty())
            return {};
        put(schedule_header<Table>());
        PlatformTable table{std::string{Table::table}, {}, Table::key_columns};
        for (ScheduleColumn const& column : Table::columns())
            table.columns.emplace_back(column.table);
        Exported result;
        reader.each_row(table, [&](std::span<RowValue const> row) {
            Interruptible::check();
            progress.add(1);
            const auto line = schedule_line<Table>(row);
            if (!line) {
                if (++result.left_out <= static_cast<std::int64_t>(told_rows)) {
                    progress.clear();
                    context_.err << name_of(row) << ": " << line.error() << "; it is left out\n";
                }
                return;
            }
            ++result.rows;
            result.needs_exact += line->needs_exact ? 1 : 0;
            put(line->text);
        });
        return result;
    }

    void commit()
    {
        if (file_)
            file_->commit();
    }

private:
    void put(std::string const& text)
    {
        if (file_)
            file_->write(text);
        else if (context_.page().is_terminal())
            context_.out.lines(text);
        else
            context_.out.file(text);
    }

    /// `meeting m1`, `participant p1 of m1`.
    static std::string name_of(std::span<RowValue const> row)
    {
        const auto shown = [](RowValue const& value) {
            auto const* const text = std::get_if<std::string_view>(&value);
            return text != nullptr ? printable(*text, 64) : std::string{"whose id is no text"};
        };
        const std::string name = std::string{Table::table} + " " + shown(row[Table::key_columns - 1]);
        return Table::key_columns == 1 ? name : name + " of " + shown(row[0]);
    }

    Context& context_;
    std::string path_;
    std::optional<NewFile> file_;
};

/// What is there already is replaced only if somebody says so.
bool may_replace(Context& context, ExportArguments const& arguments)
{
    std::error_code ignored;
    for (std::string const* const path : {&arguments.meetings, &arguments.participants}) {
        if (path->empty() || *path == standard_output)
            continue;
        expect_other_file(context.database(), *path);
        if (!arguments.yes && std::filesystem::is_regular_file(*path, ignored) &&
            !agreed(context, "export", printable(*path) + " is there already and is replaced."))
            return false;
    }
    return true;
}

std::string sentence_of(ExportArguments const& arguments, Exported const& meetings, Exported const& participants)
{
    const std::int64_t left_out = meetings.left_out + participants.left_out;
    std::string text = left_out == 0
                           ? "Done: "
                           : "In part: " + counted(left_out, "row") + (left_out == 1 ? " is" : " are") + " left out; ";
    const bool with_meetings = !arguments.meetings.empty();
    const bool with_people = !arguments.participants.empty();
    text += with_meetings ? counted(meetings.rows, "meeting") : people(participants.rows);
    if (with_meetings && with_people)
        return text + ", " + people(participants.rows) + ", without tokens.";
    return text + (with_meetings ? ", without people and tokens." : ", without meetings and tokens.");
}

Json json_of_file(std::string const& path, Exported const& exported)
{
    if (path.empty())
        return nullptr;
    Json result = Json::object();
    result["file"] = path;
    result["rows"] = exported.rows;
    result["left_out"] = exported.left_out;
    result["needs_exact"] = exported.needs_exact;
    return result;
}

int export_rows(Context& context, ExportArguments const& arguments)
{
    if (arguments.meetings.empty() && arguments.participants.empty())
        throw UsageError{"export needs --meetings FILE, --participants FILE, or both; - is standard output"};
    if (arguments.meetings == arguments.participants)
        throw UsageError{"--meetings and --participants name one file; each needs its own"};
    const bool to_standard_output = arguments.meetings == standard_output || arguments.participants == standard_output;
    if (to_standard_output && context.json)
        throw UsageError{"--json and a FILE of - both want standard output; name a file"};
    if (!may_replace(context, arguments))
        return exit_could_not;

    Exported meetings;
    Exported participants;
    const Interruptible interruptible;
    try {
        const PlatformReader reader{context.database()};
        Export<Meetings> meetings_out{context, arguments.meetings};
        Export<Participants> participants_out{context, arguments.participants};
        Progress progress{context.err, progress_on_standard_error(!context.json), "exporting"};
        if (progress.is_shown())
            progress.set_total(static_cast<std::size_t>(
                (arguments.meetings.empty() ? 0 : reader.count_rows("meeting")) +
                (arguments.participants.empty() ? 0 : reader.count_rows("participant"))
            ));
        meetings = meetings_out.write(reader, progress);
        participants = participants_out.write(reader, progress);
        meetings_out.commit();
        participants_out.commit();
    } catch (FileNotWritten const& error) {
        return cannot(context, "export", {"not_written", error.what(), "name another file"});
    }

    const std::string sentence = sentence_of(arguments, meetings, participants);
    const std::int64_t needs_exact = meetings.needs_exact + participants.needs_exact;
    const int status = meetings.left_out + participants.left_out > 0 ? exit_could_not : exit_done;
    if (context.json) {
        Json document = answer("export", context.now());
        document["sentence"] = sentence;
        document["meetings"] = json_of_file(arguments.meetings, meetings);
        document["participants"] = json_of_file(arguments.participants, participants);
        print(context.out, document);
        return status;
    }
    Printer& told = to_standard_output ? context.err : context.out; // the file is the answer
    told << sentence << '\n';
    if (needs_exact > 0)
        told << "note       " << counted(needs_exact, "row") << (needs_exact == 1 ? " has" : " have")
             << " blanks at the ends of an id or a word, what cannot be seen in an id, or a text that is empty\n"
                "  and not NULL: import them with --exact\n";
    return status;
}

} // namespace

void add_export(CLI::App& app, Context& context)
{
    Command command{
        app, context, "export",
        "Write meetings and participants as CSV files that import reads, as they are at one instant. A file that is "
        "opened in a spreadsheet may hold formulas: titles and names are written as they are.",
        "usherctl export --meetings meetings.csv --participants participants.csv"};
    const auto arguments = std::make_shared<ExportArguments>();
    command.takes("--meetings", "FILE", arguments->meetings, "Meetings; - is standard output");
    command.takes("--participants", "FILE", arguments->participants, "Participants; likewise");
    command.takes("--yes", arguments->yes, "Replace files that are there already, without asking");
    command.action([&context, arguments] { return export_rows(context, *arguments); });
}

} // namespace usher::ctl
