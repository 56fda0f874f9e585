// SPDX-License-Identifier: Apache-2.0
#include "import.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <usher/core/printable.hpp>
#include <usher/store/platform_reader.hpp>
#include <usher/store/platform_writer.hpp>

#include "calendar.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "schedule_csv.hpp"
#include "times.hpp"

namespace usher::ctl {
namespace {

constexpr std::size_t rows_at_once = 512; // that are read before a turn begins
constexpr std::size_t told_meetings = 20;
constexpr std::size_t told_refusals = 1000; // of a file, one by one: a quotation mark that is left open spoils them all
constexpr std::size_t shown_changes = 20;

/// Ends the import.
struct ImportError : std::runtime_error {
    explicit ImportError(std::string const& message, std::string way_out = {})
        : std::runtime_error{message}, to_do{std::move(way_out)}
    {}
    explicit ImportError(FileError const& error) : ImportError{error.message, error.to_do} {}

    std::string to_do;
};

std::size_t count_lines(std::string const& path)
{
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(path, ignored))
        return 0;
    std::ifstream in{path, std::ios::binary};
    std::vector<char> buffer(1024 * 1024);
    std::size_t lines = 0;
    while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), in.gcount() > 0)
        lines += static_cast<std::size_t>(std::count(buffer.data(), buffer.data() + in.gcount(), '\n'));
    return lines;
}

std::ifstream open_schedule(std::string const& path)
{
    std::ifstream in{path, std::ios::binary};
    if (!in)
        throw ImportError{path + ": cannot be opened. Nothing was done."};
    return in;
}

std::string people(std::size_t count)
{
    return count == 1 ? "1 person" : std::to_string(count) + " people";
}

/// The columns of a file's table.
template <class Table>
PlatformTable table_of()
{
    PlatformTable table{std::string{Table::table}, {}, Table::key_columns};
    for (ScheduleColumn const& column : Table::columns())
        table.columns.emplace_back(column.table);
    return table;
}

std::string shown(PlatformValue const& value)
{
    if (auto const* number = std::get_if<std::int64_t>(&value))
        return std::to_string(*number);
    if (auto const* text = std::get_if<std::string>(&value))
        return in_quotes(*text);
    return "none";
}

/// What is told of meetings before they are written.
class MeetingChanges {
public:
    MeetingChanges(PlatformWriter& writer, Times times) : writer_{writer}, times_{times} {}

    /// `opening: ends 09:30 -> 09:45 UTC, live: 65 tokens are replaced`.
    std::string change_of(ScheduleRow<Meetings> const& before, ScheduleRow<Meetings> const& after)
    {
        std::string text;
        for (std::size_t i = Meetings::key_columns; i < Meetings::size; ++i) {
            if (before[i] == after[i])
                continue;
            const std::string name{Meetings::columns()[i].table};
            text += text.empty() ? ": " : ", ";
            if (i == Meetings::starts_at || i == Meetings::ends_at)
                text += std::string{i == Meetings::starts_at ? "starts " : "ends "} + instant_text(before[i], false) +
                        " -> " + instant_text(after[i], true);
            else
                text += name + " " + shown(before[i]) + " -> " + shown(after[i]);
        }
        if (const auto work = writer_.work_of(std::get<std::string>(after[0]), times_.now())) {
            const bool withdrawn = after[Meetings::status] == PlatformValue{std::string{"cancelled"}};
            const bool replaced = before[Meetings::ends_at] != after[Meetings::ends_at] || withdrawn;
            text += work->live ? ", live" : "";
            if (work->tokens > 0 && replaced)
                text += ": " + counted(work->tokens, "token") + (work->tokens == 1 ? " is " : " are ") +
                        (withdrawn ? "withdrawn" : "replaced");
        }
        return printable(std::get<std::string>(after[0])) + text;
    }

private:
    std::string instant_text(PlatformValue const& value, bool zone) const
    {
        auto const* const number = std::get_if<std::int64_t>(&value);
        if (number == nullptr)
            return "none";
        return zone ? times_.at(from_unix(*number)) : times_.bare(from_unix(*number));
    }

    PlatformWriter& writer_;
    Times times_;
};

struct OpenFile {
    explicit OpenFile(std::string const& path) : in{open_schedule(path)} {}

    std::ifstream in;
};

/// A CSV file whose header was read.
template <class Table>
class CsvFile : private OpenFile, public ScheduleReader<Table> {
public:
    CsvFile(std::string const& path, ImportOptions const& options)
        : OpenFile{path}, ScheduleReader<Table>{in, path, options.separator, options.exact}
    {
        if (auto header = this->read_header(); !header)
            throw ImportError{header.error()};
    }
};

template <class Table, class Reader>
class Import {
public:
    /// The last arguments are those of the reader.
    template <class... Arguments>
    Import(
        PlatformWriter& writer, ImportOptions const& options, std::string path, Printer& problems,
        Arguments&&... arguments
    )
        : writer_{writer},
          options_{options},
          path_{std::move(path)},
          problems_{problems},
          reader_{std::forward<Arguments>(arguments)...}
    {
        for (std::string const& note : reader_.notes())
            problems_ << note << '\n';
        refuse_to_empty();
    }

    /// Before anything is loaded: these rows are in the file, and stay as they are.
    void keep(std::vector<ScheduleRow<Table>> const& keys);
    void load(seconds shift, Progress& progress);
    void prune();

    ImportCounts const& counts() const { return counts_; } ///< Of what is committed.
    /// Of a dry run: what changes of the first meetings, and of how many.
    std::vector<std::string> const& would() const { return would_; }
    std::size_t would_count() const { return would_count_; }

private:
    using Count = std::size_t ImportCounts::*;

    void refuse_to_empty();
    void prepare();
    std::vector<Record<Table>> read(seconds shift, Progress& progress);
    bool seen_before(Record<Table> const& row, Progress& progress);
    Count write(Record<Table> const& row, Progress& progress);
    std::optional<ScheduleRow<Table>> find(ScheduleRow<Table> const& row);
    void tell(std::string const& problem, Progress& progress);
    void tell_refusal(std::string const& problem, Progress& progress);
    void tell_of_its_meeting(Record<Table> const& row, Progress& progress);

    PlatformWriter& writer_;
    ImportOptions const& options_;
    ImportCounts counts_;
    std::vector<std::string> would_;
    std::size_t would_count_ = 0;
    std::string path_;
    Printer& problems_;
    Reader reader_;
    std::optional<PlatformWriter::Rows> rows_;
    std::set<std::string> unknown_meetings_; ///< that were told
    std::size_t refusals_ = 0;
    std::string last_known_;
    bool more_ = true; ///< rows in the file
};

template <class Table, class Reader>
void Import<Table, Reader>::refuse_to_empty()
{
    if (!options_.prune || options_.force || options_.dry_run || reader_.has_more())
        return;
    const std::int64_t rows = writer_.count_rows(std::string{Table::table});
    if (rows > 0)
        throw ImportError{
            path_ + ": no rows; --prune would delete " +
                (Table::key_columns == 1 ? counted(rows, "meeting") : people(static_cast<std::size_t>(rows))) +
                ". Nothing was done.",
            "name the full file, or add --force"};
}

template <class Table, class Reader>
void Import<Table, Reader>::prepare()
{
    std::vector<bool> written;
    for (std::size_t i = 0; i < Table::size; ++i)
        written.push_back(reader_.has(i));
    rows_.emplace(writer_, table_of<Table>(), std::move(written));
}

template <class Table, class Reader>
void Import<Table, Reader>::keep(std::vector<ScheduleRow<Table>> const& keys)
{
    prepare();
    rows_->begin_notes();
    for (ScheduleRow<Table> const& key : keys)
        rows_->note(key, 0);
    rows_->end_notes();
}

template <class Table, class Reader>
void Import<Table, Reader>::load(seconds shift, Progress& progress)
{
    if (!rows_)
        prepare();
    std::vector<Record<Table>> rows;
    for (std::size_t done = 0;;) {
        if (done == rows.size()) {
            rows = read(shift, progress); // may wait for the disk or a pipe, so without the lock
            done = 0;
            if (rows.empty() && !more_)
                break;
        }
        ImportCounts counts = counts_;
        std::optional<PlatformWriter::Turn> turn;
        if (!options_.dry_run)
            turn.emplace(writer_);
        while (done < rows.size() && !(turn && turn->is_over()))
            ++(counts.*write(rows[done++], progress));
        if (turn)
            turn->commit();
        counts_ = counts;
        if (turn && (more_ || done < rows.size())) {
            turn.reset();
            writer_.let_others();
        }
    }
    if (!options_.dry_run)
        writer_.make_durable();
    if (reader_.failed())
        throw ImportError{
            path_ + ": could not be read to its end; the rows before line " + std::to_string(reader_.line() + 1) +
            " are loaded"};
    if (auto error = reader_.endless_row())
        throw ImportError{std::move(*error)};
}

template <class Table, class Reader>
void Import<Table, Reader>::tell(std::string const& problem, Progress& progress)
{
    progress.clear();
    problems_ << problem << '\n';
}

template <class Table, class Reader>
void Import<Table, Reader>::tell_refusal(std::string const& problem, Progress& progress)
{
    if (++refusals_ <= told_refusals)
        tell(problem, progress);
    if (refusals_ == told_refusals + 1)
        tell(path_ + ": more rows that are refused are counted, not listed", progress);
}

/// The next rows of the file that are good in themselves.
template <class Table, class Reader>
std::vector<Record<Table>> Import<Table, Reader>::read(seconds shift, Progress& progress)
{
    std::vector<Record<Table>> rows;
    std::size_t lines = 0;
    rows_->begin_notes();
    for (; lines < rows_at_once; ++lines) {
        const auto step = reader_.next();
        more_ = step != CsvStep::end;
        if (!more_)
            break;
        if (step == CsvStep::problem) {
            tell_refusal(reader_.problem(), progress);
            ++counts_.refused;
            continue;
        }
        if (seen_before(reader_.row(), progress)) {
            ++counts_.refused;
            continue;
        }
        rows.push_back(reader_.row());
        for (std::size_t i = 0; i < Table::size; ++i)
            if (auto* const instant = std::get_if<std::int64_t>(&rows.back().values[i]);
                instant != nullptr && Table::columns()[i].kind == ColumnKind::time)
                *instant += shift.count();
    }
    rows_->end_notes();
    progress.add(lines);
    return rows;
}

template <class Table, class Reader>
bool Import<Table, Reader>::seen_before(Record<Table> const& row, Progress& progress)
{
    const auto line = rows_->note(row.values, static_cast<std::int64_t>(reader_.line()));
    if (!line)
        return false;
    const std::size_t column = Table::key_columns - 1;
    tell_refusal(
        reader_.at(
            row, column,
            std::string{Table::columns()[column].name} + ": " +
                printable(std::get<std::string>(row.values[column]), 64) + ": is that of line " +
                std::to_string(*line) + ", too"
        ),
        progress
    );
    return true;
}

template <class Table, class Reader>
std::optional<ScheduleRow<Table>> Import<Table, Reader>::find(ScheduleRow<Table> const& row)
{
    std::optional<std::vector<PlatformValue>> there = rows_->find(row);
    if (!there)
        return std::nullopt;
    ScheduleRow<Table> found;
    std::move(there->begin(), there->end(), found.begin());
    return found;
}

/// Returns what the row counts as.
template <class Table, class Reader>
typename Import<Table, Reader>::Count Import<Table, Reader>::write(Record<Table> const& row, Progress& progress)
{
    const std::optional<ScheduleRow<Table>> before = find(row.values);
    ScheduleRow<Table> completed = before ? *before : with_initials<Table>(row.values);
    for (std::size_t i = 0; i < Table::size; ++i)
        if (!std::holds_alternative<std::monostate>(row.values[i]))
            completed[i] = row.values[i];
    if (const auto problem = reader_.check(row, completed)) {
        tell_refusal(*problem, progress);
        return &ImportCounts::refused;
    }
    tell_of_its_meeting(row, progress);
    if (before && *before == completed)
        return &ImportCounts::unchanged;
    if (before && options_.dry_run) {
        if constexpr (std::is_same_v<Table, Meetings>)
            if (++would_count_ <= shown_changes)
                would_.push_back(MeetingChanges{writer_, {options_.now, options_.local}}.change_of(*before, completed));
    }
    if (!options_.dry_run) {
        if (const auto refused = before ? rows_->update(completed) : rows_->insert(completed)) {
            tell_refusal(reader_.at(row, 0, "the database refuses it: " + *refused), progress);
            return &ImportCounts::refused;
        }
    }
    return before ? &ImportCounts::changed : &ImportCounts::added;
}

/// Once for each meeting that is not there, with the first of its people.
template <class Table, class Reader>
void Import<Table, Reader>::tell_of_its_meeting(Record<Table> const& row, Progress& progress)
{
    if constexpr (std::is_same_v<Table, Participants>) {
        auto const& meeting = std::get<std::string>(row.values[0]);
        if (meeting == last_known_ || unknown_meetings_.contains(meeting))
            return;
        // Which are written nowhere else.
        const bool meetings_too =
            options_.dry_run && (!options_.meetings_path.empty() || !options_.calendar_path.empty());
        if (writer_.has_meeting(meeting, meetings_too)) {
            last_known_ = meeting;
            return;
        }
        if (unknown_meetings_.size() == told_meetings)
            return;
        unknown_meetings_.insert(meeting);
        const auto meant = writer_.nearest_meeting(meeting);
        tell(
            reader_.at(
                row, 0,
                "no meeting " + printable(meeting, 64) +
                    (meant ? "; nearest: " + printable(*meant, 64) : std::string{}) +
                    (options_.dry_run ? ". It would wait." : ". Loaded, it waits.")
            ),
            progress
        );
        if (unknown_meetings_.size() == told_meetings)
            tell(path_ + ": more such meetings are not listed", progress);
    }
}

/// Deletes what was there when it began and is not in the file.
template <class Table, class Reader>
void Import<Table, Reader>::prune()
{
    const std::size_t others = rows_->find_others();
    if (options_.dry_run) {
        counts_.pruned = others;
        return;
    }
    while (const auto removed = rows_->remove_others())
        counts_.pruned += *removed;
    writer_.make_durable();
}

seconds shift_of(ImportOptions const& options)
{
    if (!options.shift_start)
        return seconds{0};
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(options.meetings_path, ignored))
        throw ImportError{
            options.meetings_path +
            ": must be a regular file to be shifted, since it is read twice. Nothing was done."};
    std::ifstream in = open_schedule(options.meetings_path);
    const auto earliest = earliest_start(in, options.meetings_path, options.separator, options.exact);
    if (!earliest)
        throw ImportError{earliest.error()};
    if (!*earliest)
        throw ImportError{options.meetings_path + ": has no meeting that could be shifted. Nothing was done."};
    return *options.shift_start - **earliest;
}

/// Loads all that is given, people after their meetings; deletes in the other order. Nothing is deleted when a row was
/// refused, which may be the one that names a meeting; then this is true.
template <class MeetingsImport, class ParticipantsImport>
bool load_and_prune(
    std::optional<MeetingsImport>& meetings, std::optional<ParticipantsImport>& participants,
    ImportOptions const& options, seconds shift, Progress& progress
)
{
    if (meetings)
        meetings->load(shift, progress);
    if (participants)
        participants->load(seconds{0}, progress);
    if (!options.prune)
        return false;
    if ((meetings && meetings->counts().refused > 0) || (participants && participants->counts().refused > 0))
        return true;
    if (participants)
        participants->prune();
    if (meetings)
        meetings->prune();
    return false;
}

/// `work` loads; what is committed counts, however it ends.
template <class MeetingsImport, class ParticipantsImport, class Work>
ImportReport
reported(std::optional<MeetingsImport>& meetings, std::optional<ParticipantsImport>& participants, Work work)
{
    ImportReport report;
    try {
        work(report);
    } catch (ImportError const& error) {
        report.failure = error.what();
        report.to_do = error.to_do;
    } catch (DatabaseBusy const& error) {
        report.failure = error.what();
        report.to_do = "import again: what is loaded already is not written again";
    } catch (DatabaseError const& error) {
        report.failure = error.what();
    }
    if (meetings) {
        report.meetings = meetings->counts();
        report.would = meetings->would();
        report.would_count = meetings->would_count();
    }
    if (participants)
        report.participants = participants->counts();
    return report;
}

ImportReport import_csv(ImportOptions const& options, Printer& problems)
{
    std::optional<PlatformWriter> writer;
    std::optional<Import<Meetings, CsvFile<Meetings>>> meetings;
    std::optional<Import<Participants, CsvFile<Participants>>> participants;
    return reported(meetings, participants, [&](ImportReport& report) {
        writer.emplace(options.database_path);
        // Both headers are read before anything is written.
        std::string const& meetings_path = options.meetings_path;
        std::string const& people_path = options.participants_path;
        if (!meetings_path.empty())
            meetings.emplace(*writer, options, meetings_path, problems, meetings_path, options);
        if (!people_path.empty())
            participants.emplace(*writer, options, people_path, problems, people_path, options);
        const seconds shift = shift_of(options);

        Progress progress{problems, progress_on_standard_error(options.progress), "importing"};
        if (progress.is_shown())
            progress.set_total(count_lines(meetings_path) + count_lines(people_path));
        report.prune_skipped = load_and_prune(meetings, participants, options, shift, progress);
    });
}

/// The meetings of some events, and of their occurrences.
KnownMeetings find_known(std::string const& database, Uids const& uids)
{
    KnownMeetings known;
    const PlatformTable table{"meeting", {"id", "ends_at", "status"}, 1};
    PlatformReader{database}.each_row(table, [&](std::span<RowValue const> row) {
        auto const* const id = std::get_if<std::string_view>(&row[0]);
        if (id == nullptr || (!uids.contains(*id) && !uids.contains(uid_of_occurrence(*id).value_or(*id))))
            return;
        KnownMeeting& meeting = known[std::string{*id}];
        if (auto const* const ends = std::get_if<std::int64_t>(&row[1]))
            meeting.ends = from_unix(*ends);
        auto const* const status = std::get_if<std::string_view>(&row[2]);
        meeting.is_scheduled = status != nullptr && *status == "scheduled";
    });
    return known;
}

/// Those of these meetings, as they are in the database.
std::vector<ScheduleRow<Participants>>
people_of(std::string const& database, std::set<std::string, std::less<>> const& meetings)
{
    std::vector<ScheduleRow<Participants>> people;
    const PlatformTable table{"participant", {"meeting_id", "participant_id"}, 2};
    PlatformReader{database}.each_row(table, [&](std::span<RowValue const> row) {
        auto const* const meeting = std::get_if<std::string_view>(&row[0]);
        auto const* const person = std::get_if<std::string_view>(&row[1]);
        if (meeting != nullptr && person != nullptr && meetings.contains(*meeting))
            people.push_back({std::string{*meeting}, std::string{*person}});
    });
    return people;
}

ImportReport import_calendar(ImportOptions const& options, Printer& problems)
{
    std::optional<PlatformWriter> writer;
    std::optional<Import<Meetings, CalendarReader<Meetings>>> meetings;
    std::optional<Import<Participants, CalendarReader<Participants>>> participants;
    return reported(meetings, participants, [&](ImportReport& report) {
        std::string const& path = options.calendar_path;
        std::ifstream in = open_schedule(path);
        auto calendar = read_calendar(in, path, {options.now, options.until}, [&](Uids const& uids) {
            return find_known(options.database_path, uids);
        });
        if (!calendar)
            throw ImportError{calendar.error()};
        for (auto const& [zone, count] : calendar->without_zone)
            problems << path << ": " << counted(static_cast<std::int64_t>(count), "event")
                     << (count == 1 ? " has" : " have") << " times without a zone, taken in " << zone << '\n';
        report.passed_over = calendar->passed_over;
        std::vector<ScheduleRow<Participants>> kept_people;
        if (options.prune && !calendar->kept.empty())
            kept_people = people_of(options.database_path, calendar->kept);
        for (CalendarRow<Meetings> const& row : calendar->meetings) // a cancelled one keeps its people, and is written
            calendar->kept.erase(std::get<std::string>(row.values[0]));
        std::vector<ScheduleRow<Meetings>> kept;
        for (std::string const& id : calendar->kept)
            kept.push_back({id});
        writer.emplace(options.database_path);
        Progress progress{
            problems, progress_on_standard_error(options.progress), "importing",
            calendar->meetings.size() + calendar->participants.size()};
        meetings.emplace(
            *writer, options, path, problems, path,
            CalendarReader<Meetings>::Content{
                std::move(calendar->meetings), std::move(calendar->problems), std::move(calendar->notes), kept}
        );
        participants.emplace(
            *writer, options, path, problems, path,
            CalendarReader<Participants>::Content{std::move(calendar->participants), {}, {}, kept_people}
        );
        participants->keep(kept_people);
        meetings->keep(kept);
        report.prune_skipped = load_and_prune(meetings, participants, options, seconds{0}, progress);
    });
}

} // namespace

ImportReport import_schedule(ImportOptions const& options, Printer& problems)
{
    return options.calendar_path.empty() ? import_csv(options, problems) : import_calendar(options, problems);
}

} // namespace usher::ctl
