// SPDX-License-Identifier: Apache-2.0
#include "import.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <set>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <sqlite3.h>
#include <unistd.h>

#include <SQLiteCpp/SQLiteCpp.h>

#include <usher/core/nearest.hpp>
#include <usher/core/printable.hpp>
#include <usher/store/contract.hpp>
#include <usher/store/sqlite/lock_gap.hpp>

#include "output.hpp"
#include "schedule_csv.hpp"
#include "times.hpp"

namespace usher::ctl {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::int64_t usher_application_id = 0x75736872; // "ushr"
constexpr std::size_t rows_at_once = 512;                 // that are read before the lock is taken
constexpr std::chrono::milliseconds longest_turn{4};      // of the lock, of 10 with the COMMIT and what is late
constexpr std::chrono::milliseconds shortest_pause{2};
constexpr std::chrono::seconds patience{10};
constexpr std::size_t told_meetings = 20;
constexpr std::size_t told_refusals = 1000; // of a file, one by one: a quotation mark that is left open spoils them all
constexpr std::size_t shown_changes = 20;

/// Lets others write between two transactions, as the daemon does. Whoever waits for the lock only looks for it now and
/// then, so it is left alone for a while even when nobody is known to write.
class Turns {
public:
    explicit Turns(SQLite::Database& database) : version_{database, "PRAGMA main.data_version"}, gap_{version()} {}

    SteadyClock::duration held() const { return held_; }

    /// For a transaction that began then and has just ended.
    void pause(SteadyClock::time_point begin)
    {
        const auto now = SteadyClock::now();
        held_ = now - begin;
        gap_.lock(true, begin);
        gap_.lock(false, now);
        gap_.look(version(), now);
        std::this_thread::sleep_for(std::max<SteadyClock::duration>({gap_.left(now), held_ / 4, shortest_pause}));
    }

private:
    std::int64_t version()
    {
        version_.reset();
        version_.executeStep();
        const std::int64_t version = version_.getColumn(0).getInt64();
        version_.reset();
        return version;
    }

    SQLite::Statement version_; ///< is not moved by this connection
    LockGap gap_;
    SteadyClock::duration held_{};
};

/// Ends the import.
struct ImportError : std::runtime_error {
    explicit ImportError(std::string const& message, std::string way_out = {})
        : std::runtime_error{message}, to_do{std::move(way_out)}
    {}
    explicit ImportError(FileError const& error) : ImportError{error.message, error.to_do} {}

    std::string to_do;
};

void bind_value(SQLite::Statement& statement, int index, Value const& value)
{
    if (auto const* number = std::get_if<std::int64_t>(&value))
        statement.bind(index, *number);
    else if (auto const* real = std::get_if<double>(&value))
        statement.bind(index, *real);
    else if (auto const* text = std::get_if<std::string>(&value))
        statement.bindNoCopy(index, *text); // the row outlives what the statement does with it
    else
        statement.bind(index);
}

Value value_of(SQLite::Column const& column)
{
    switch (column.getType()) {
    case SQLITE_INTEGER: return column.getInt64();
    case SQLITE_FLOAT: return column.getDouble();
    case SQLITE_NULL: return {};
    default: return column.getString();
    }
}

std::size_t lines_of(std::string const& path)
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

/// One line on a terminal, once the import has taken a second: `importing [######    ] 61 %, 183 of 300, 9s left`.
class Progress {
public:
    Progress(ImportOptions const& options, Printer& out)
        : out_{out}, shown_{options.progress && isatty(STDERR_FILENO) == 1}
    {
        if (!shown_)
            return;
        for (std::string const* path : {&options.meetings_path, &options.participants_path})
            if (!path->empty())
                total_ += lines_of(*path);
    }
    Progress(Progress const&) = delete;
    Progress& operator=(Progress const&) = delete;
    ~Progress() { clear(); }

    void add(std::size_t rows)
    {
        rows_ += rows;
        const auto now = SteadyClock::now();
        if (!shown_ || now - start_ < std::chrono::seconds{1} || now - last_ < std::chrono::milliseconds{200})
            return;
        last_ = now;
        const std::size_t total = std::max(total_, rows_);
        const std::size_t tenths = rows_ * 10 / total;
        const auto left =
            std::chrono::ceil<seconds>((now - start_) * (total - rows_) / std::max<std::size_t>(rows_, 1));
        out_ << "\r\033[Kimporting [" << std::string(tenths, '#') << std::string(10 - tenths, ' ') << "] "
             << rows_ * 100 / total << " %, " << rows_ << " of " << total << ", " << to_text(left) << " left";
        written_ = true;
    }

    /// Before anything else is printed.
    void clear()
    {
        if (std::exchange(written_, false))
            out_ << "\r\033[K";
    }

private:
    Printer& out_;
    bool shown_;
    bool written_ = false;
    std::size_t total_ = 0;
    std::size_t rows_ = 0;
    SteadyClock::time_point start_ = SteadyClock::now();
    SteadyClock::time_point last_ = start_;
};

std::ifstream open_file(std::string const& path)
{
    std::ifstream in{path, std::ios::binary};
    if (!in)
        throw ImportError{path + ": cannot be opened. Nothing was done."};
    return in;
}

SQLite::Database open_database(std::string const& path)
{
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored))
        throw ImportError{path + " does not exist; create it with `usherctl init`"};
    std::int64_t application_id = 0;
    SQLite::Database database{
        path, SQLite::OPEN_READWRITE | SQLite::OPEN_NOMUTEX,
        static_cast<int>(std::chrono::milliseconds{patience}.count())};
    try {
        application_id = database.execAndGet("PRAGMA application_id").getInt64();
    } catch (SQLite::Exception const& error) {
        if (error.getErrorCode() != SQLITE_NOTADB)
            throw;
    }
    if (application_id != usher_application_id)
        throw ImportError{path + " is not a database of usher; create one with `usherctl init`"};
    // SQLite's own way to wait looks for the lock less and less often, and never finds it free beside a program that
    // writes all the time.
    sqlite3_busy_handler(
        database.getHandle(),
        [](void*, int tries) {
            std::this_thread::sleep_for(std::chrono::milliseconds{1});
            return tries < std::chrono::milliseconds{patience}.count() ? 1 : 0;
        },
        nullptr
    );
    database.exec("PRAGMA synchronous = NORMAL"); // see make_durable
    // A file for the ids of the rows, which may be many. What a single statement needs to undo itself, because of the
    // triggers, is kept in memory instead: by default it becomes a file that costs two writes for each row.
    database.exec("PRAGMA temp_store = FILE");
    database.exec("ATTACH '' AS scratch");
    database.exec("PRAGMA temp_store = MEMORY");
    // Our own triggers mark what is loaded. Those that others have on these tables are not run, since they would be run
    // with the rights of whoever imports, who is often root.
    shield(database.getHandle());
    return database;
}

/// Sees that what is committed survives a crash of the machine, once for all commits: each would otherwise keep the
/// lock while it waits for the disk. Before this a crash can only take the last of them back, as if the import had
/// ended there.
void make_durable(SQLite::Database& database)
{
    sqlite3_file* log = nullptr; // what a checkpoint has moved to the database was made durable before
    if (sqlite3_file_control(database.getHandle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) != SQLITE_OK ||
        log == nullptr || log->pMethods == nullptr)
        return;
    if (log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) != SQLITE_OK)
        throw ImportError{"what is loaded could not be written to the disk for good; import again"};
}

std::string people(std::size_t count)
{
    return count == 1 ? "1 person" : std::to_string(count) + " people";
}

enum class Columns { keys, all };

/// `a, b`, or with a qualifier `q.a, q.b`.
template <class Table>
std::string list_of(Columns which, std::string_view qualifier = {})
{
    std::string list;
    const std::size_t count = which == Columns::keys ? Table::key_columns : Table::size;
    for (std::size_t i = 0; i < count; ++i)
        list.append(i == 0 ? "" : ", ").append(qualifier).append(Table::columns()[i].table);
    return list;
}

/// The ids that the file has, by which repeated rows and rows to prune are found.
template <class Table>
std::string seen_table()
{
    return "scratch.seen_" + std::string{Table::table};
}

template <class Table>
std::string where_key()
{
    return " WHERE (" + list_of<Table>(Columns::keys) + ") = (" + (Table::key_columns == 1 ? "?1" : "?1, ?2") + ")";
}

/// `CHECK constraint failed: name_that_explains` without what comes before the name.
std::string_view constraint_of(std::string_view message)
{
    const std::size_t colon = message.find(": ");
    return colon == std::string_view::npos ? message : message.substr(colon + 2);
}

std::string shown(Value const& value)
{
    if (auto const* number = std::get_if<std::int64_t>(&value))
        return std::to_string(*number);
    if (auto const* text = std::get_if<std::string>(&value))
        return in_quotes(*text);
    return "none";
}

/// What is told of meetings before they are written, and of people without one.
class MeetingLookup {
public:
    /// `more` is another table of meetings, or empty.
    MeetingLookup(SQLite::Database& database, Times times, std::string const& more)
        : database_{database},
          times_{times},
          find_{
              database, "SELECT 1 FROM main.meeting WHERE id = ?1" +
                            (more.empty() ? "" : " UNION ALL SELECT 1 FROM " + more + " WHERE id = ?1")},
          agenda_{
              database,
              "SELECT a.opens <= ?2 AND ?2 < a.closes, (SELECT count(*) FROM main.token t WHERE t.session_no = "
              "a.session_no) FROM main.agenda a WHERE a.meeting_id = ?1"}
    {}

    bool exists(std::string const& id)
    {
        find_.reset();
        find_.bindNoCopy(1, id);
        return find_.executeStep();
    }

    /// The id that was probably meant.
    std::optional<std::string> nearest_to(std::string const& id)
    {
        if (!all_) {
            all_.emplace();
            SQLite::Statement query{database_, "SELECT substr(id, 1, 255) FROM main.meeting LIMIT 100000"};
            while (query.executeStep())
                all_->push_back(query.getColumn(0).getString());
        }
        const std::vector<std::string_view> views{all_->begin(), all_->end()};
        const auto found = nearest(id, views);
        return found ? std::optional{std::string{*found}} : std::nullopt;
    }

    /// `opening: ends 09:30 -> 09:45 UTC, live: 65 tokens are replaced`.
    std::string change_of(Row<Meetings> const& before, Row<Meetings> const& after)
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
        agenda_.reset();
        agenda_.bindNoCopy(1, std::get<std::string>(after[0]));
        agenda_.bind(2, unix_seconds(times_.now()));
        if (agenda_.executeStep()) {
            const std::int64_t tokens = agenda_.getColumn(1).getInt64();
            const bool withdrawn = after[Meetings::status] == Value{std::string{"cancelled"}};
            const bool replaced = before[Meetings::ends_at] != after[Meetings::ends_at] || withdrawn;
            text += agenda_.getColumn(0).getInt() == 1 ? ", live" : "";
            if (tokens > 0 && replaced)
                text += ": " + counted(tokens, "token") + (tokens == 1 ? " is " : " are ") +
                        (withdrawn ? "withdrawn" : "replaced");
        }
        return printable(std::get<std::string>(after[0])) + text;
    }

private:
    std::string instant_text(Value const& value, bool zone) const
    {
        auto const* const number = std::get_if<std::int64_t>(&value);
        if (number == nullptr)
            return "none";
        return zone ? times_.at(from_unix(*number)) : times_.bare(from_unix(*number));
    }

    SQLite::Database& database_;
    Times times_;
    SQLite::Statement find_;
    SQLite::Statement agenda_;
    std::optional<std::vector<std::string>> all_;
};

template <class Table>
class Import {
public:
    using Reader = ScheduleReader<Table>;

    Import(
        SQLite::Database& database, ImportOptions const& options, ImportReport& report, ImportCounts& counts,
        std::string path, Printer& problems
    )
        : database_{database},
          options_{options},
          report_{report},
          counts_{counts},
          path_{std::move(path)},
          problems_{problems},
          in_{open_file(path_)},
          reader_{in_, path_, options.separator}
    {
        if (auto header = reader_.read_header(); !header)
            throw ImportError{header.error()};
        for (std::string const& note : reader_.notes())
            problems_ << note << '\n';
        refuse_to_empty();
    }

    void load(seconds shift, Progress& progress);
    void prune();

private:
    void refuse_to_empty();
    void prepare();
    std::vector<Record<Table>> read(seconds shift, Progress& progress);
    bool seen_before(Record<Table> const& row, Progress& progress);
    void write(Record<Table> const& row, ImportCounts& counts, Progress& progress);
    std::optional<Row<Table>> find(Row<Table> const& row);
    void tell(std::string const& problem, Progress& progress);
    void tell_refusal(std::string const& problem, Progress& progress);
    void tell_of_its_meeting(Record<Table> const& row, Progress& progress);

    SQLite::Database& database_;
    ImportOptions const& options_;
    ImportReport& report_;
    ImportCounts& counts_; ///< of what is committed
    std::string path_;
    Printer& problems_;
    std::ifstream in_;
    Reader reader_;
    std::optional<SQLite::Statement> find_;
    std::optional<SQLite::Statement> insert_;
    std::optional<SQLite::Statement> update_;
    std::optional<SQLite::Statement> note_;
    std::optional<SQLite::Statement> find_noted_;
    std::optional<MeetingLookup> lookup_;
    std::set<std::string> unknown_meetings_; ///< that were told
    std::size_t refusals_ = 0;
    std::string last_known_;
    bool more_ = true; ///< rows in the file
};

template <class Table>
void Import<Table>::refuse_to_empty()
{
    if (!options_.prune || options_.force || options_.dry_run || reader_.has_more())
        return;
    const std::int64_t rows = database_.execAndGet("SELECT count(*) FROM main." + std::string{Table::table}).getInt64();
    if (rows > 0)
        throw ImportError{
            path_ + ": no rows; --prune would delete " +
                (Table::key_columns == 1 ? counted(rows, "meeting") : people(static_cast<std::size_t>(rows))) +
                ". Nothing was done.",
            "name the full file, or add --force"};
}

template <class Table>
void Import<Table>::prepare()
{
    const std::string table = "main." + std::string{Table::table};
    const std::string keys = list_of<Table>(Columns::keys);
    const std::string key_parameters = Table::key_columns == 1 ? "?1" : "?1, ?2";
    database_.exec(
        "CREATE TABLE " + seen_table<Table>() + " (" + keys + ", line INTEGER, PRIMARY KEY (" + keys +
        ")) WITHOUT ROWID"
    );
    std::string parameters;
    std::string assignments;
    for (std::size_t i = 0; i < Table::size; ++i) {
        const std::string parameter = "?" + std::to_string(i + 1);
        parameters += (i == 0 ? "" : ", ") + parameter;
        if (i >= Table::key_columns && reader_.has(i))
            assignments +=
                (assignments.empty() ? "" : ", ") + std::string{Table::columns()[i].table} + " = " + parameter;
    }
    find_.emplace(database_, "SELECT " + list_of<Table>(Columns::all) + " FROM " + table + where_key<Table>());
    insert_.emplace(
        database_, "INSERT INTO " + table + " (" + list_of<Table>(Columns::all) + ") VALUES (" + parameters + ")"
    );
    update_.emplace(database_, "UPDATE " + table + " SET " + assignments + where_key<Table>());
    note_.emplace(
        database_, "INSERT INTO " + seen_table<Table>() + " VALUES (" + key_parameters + ", ?) ON CONFLICT DO NOTHING"
    );
    find_noted_.emplace(database_, "SELECT line FROM " + seen_table<Table>() + where_key<Table>());
    const bool meetings_too = options_.dry_run && !options_.meetings_path.empty(); // which are written nowhere else
    lookup_.emplace(
        database_, Times{options_.now, options_.local}, meetings_too ? seen_table<Meetings>() : std::string{}
    );
}

template <class Table>
void Import<Table>::load(seconds shift, Progress& progress)
{
    prepare();
    Turns turns{database_};
    std::vector<Record<Table>> rows;
    for (std::size_t done = 0;;) {
        if (done == rows.size()) {
            rows = read(shift, progress); // may wait for the disk or a pipe, so without the lock
            done = 0;
            if (rows.empty() && !more_)
                break;
        }
        ImportCounts counts = counts_;
        const auto begin = SteadyClock::now();
        std::optional<SQLite::Transaction> transaction;
        if (!options_.dry_run)
            transaction.emplace(database_, SQLite::TransactionBehavior::IMMEDIATE);
        const auto locked = SteadyClock::now();
        while (done < rows.size() && SteadyClock::now() - locked < longest_turn)
            write(rows[done++], counts, progress);
        if (transaction)
            transaction->commit();
        counts_ = counts;
        if (transaction && (more_ || done < rows.size()))
            turns.pause(std::max(begin, locked));
    }
    if (!options_.dry_run)
        make_durable(database_);
    if (reader_.failed())
        throw ImportError{
            path_ + ": could not be read to its end; the rows before line " + std::to_string(reader_.line() + 1) +
            " are loaded"};
    if (auto error = reader_.endless_row())
        throw ImportError{std::move(*error)};
}

template <class Table>
void Import<Table>::tell(std::string const& problem, Progress& progress)
{
    progress.clear();
    problems_ << problem << '\n';
}

template <class Table>
void Import<Table>::tell_refusal(std::string const& problem, Progress& progress)
{
    if (++refusals_ <= told_refusals)
        tell(problem, progress);
    if (refusals_ == told_refusals + 1)
        tell(path_ + ": more rows that are refused are counted, not listed", progress);
}

/// The next rows of the file that are good in themselves.
template <class Table>
std::vector<Record<Table>> Import<Table>::read(seconds shift, Progress& progress)
{
    std::vector<Record<Table>> rows;
    std::size_t lines = 0;
    SQLite::Transaction transaction{database_}; // of the notes alone; it takes no lock that others see
    for (; lines < rows_at_once; ++lines) {
        const auto step = reader_.next();
        more_ = step != Reader::Step::end;
        if (!more_)
            break;
        if (step == Reader::Step::problem) {
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
    transaction.commit();
    progress.add(lines);
    return rows;
}

template <class Table>
bool Import<Table>::seen_before(Record<Table> const& row, Progress& progress)
{
    note_->reset();
    find_noted_->reset();
    for (std::size_t i = 0; i < Table::key_columns; ++i) {
        bind_value(*note_, static_cast<int>(i + 1), row.values[i]);
        bind_value(*find_noted_, static_cast<int>(i + 1), row.values[i]);
    }
    note_->bind(static_cast<int>(Table::key_columns + 1), static_cast<std::int64_t>(reader_.line()));
    if (note_->exec() == 1)
        return false;
    find_noted_->executeStep();
    const std::size_t column = Table::key_columns - 1;
    tell_refusal(
        reader_.at(
            row, column,
            std::string{Table::columns()[column].name} + ": " +
                printable(std::get<std::string>(row.values[column]), 64) + ": is that of line " +
                std::to_string(find_noted_->getColumn(0).getInt64()) + ", too"
        ),
        progress
    );
    find_noted_->reset();
    return true;
}

template <class Table>
std::optional<Row<Table>> Import<Table>::find(Row<Table> const& row)
{
    find_->reset();
    for (std::size_t i = 0; i < Table::key_columns; ++i)
        bind_value(*find_, static_cast<int>(i + 1), row[i]);
    if (!find_->executeStep())
        return std::nullopt;
    Row<Table> found;
    for (std::size_t i = 0; i < Table::size; ++i)
        found[i] = value_of(find_->getColumn(static_cast<int>(i)));
    find_->reset();
    return found;
}

template <class Table>
void Import<Table>::write(Record<Table> const& row, ImportCounts& counts, Progress& progress)
{
    const std::optional<Row<Table>> before = find(row.values);
    Row<Table> completed = before ? *before : with_initials<Table>(row.values);
    for (std::size_t i = 0; i < Table::size; ++i)
        if (!std::holds_alternative<std::monostate>(row.values[i]))
            completed[i] = row.values[i];
    if (const auto problem = reader_.check(row, completed)) {
        tell_refusal(*problem, progress);
        ++counts.refused;
        return;
    }
    tell_of_its_meeting(row, progress);
    if (before && *before == completed) {
        ++counts.unchanged;
        return;
    }
    if (before && options_.dry_run) {
        if constexpr (std::is_same_v<Table, Meetings>)
            if (++report_.would_count <= shown_changes)
                report_.would.push_back(lookup_->change_of(*before, completed));
    }
    if (!options_.dry_run) {
        SQLite::Statement& statement = before ? *update_ : *insert_;
        statement.tryReset(); // tells of the last row's error again
        for (std::size_t i = 0; i < Table::size; ++i)
            if (!before || i < Table::key_columns || reader_.has(i))
                bind_value(statement, static_cast<int>(i + 1), completed[i]);
        try {
            statement.exec();
        } catch (SQLite::Exception const& error) {
            if (error.getErrorCode() != SQLITE_CONSTRAINT)
                throw;
            tell_refusal(
                reader_.at(row, 0, "the database refuses it: " + std::string{constraint_of(error.what())}), progress
            );
            ++counts.refused;
            return;
        }
    }
    ++(before ? counts.changed : counts.added);
}

/// Once for each meeting that is not there, with the first of its people.
template <class Table>
void Import<Table>::tell_of_its_meeting(Record<Table> const& row, Progress& progress)
{
    if constexpr (std::is_same_v<Table, Participants>) {
        auto const& meeting = std::get<std::string>(row.values[0]);
        if (meeting == last_known_ || unknown_meetings_.contains(meeting))
            return;
        if (lookup_->exists(meeting)) {
            last_known_ = meeting;
            return;
        }
        if (unknown_meetings_.size() == told_meetings)
            return;
        unknown_meetings_.insert(meeting);
        const auto meant = lookup_->nearest_to(meeting);
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
template <class Table>
void Import<Table>::prune()
{
    const std::string table{Table::table};
    const std::string keys = list_of<Table>(Columns::keys);
    const std::string doomed_table = "scratch.doomed_" + table;
    database_.exec("CREATE TABLE " + doomed_table + " (n INTEGER PRIMARY KEY, " + keys + ")");
    // A subquery that names the outer row looks into the table itself; NOT IN would make a copy of it, in memory.
    const std::int64_t doomed = database_.exec(
        "INSERT INTO " + doomed_table + " (" + keys + ") SELECT " + keys + " FROM main." + table +
        " AS there WHERE NOT EXISTS (SELECT 1 FROM " + seen_table<Table>() + " AS seen WHERE (" +
        list_of<Table>(Columns::keys, "seen.") + ") = (" + list_of<Table>(Columns::keys, "there.") + "))"
    );
    if (options_.dry_run) {
        counts_.pruned = static_cast<std::size_t>(doomed);
        return;
    }
    SQLite::Statement remove{
        database_, "DELETE FROM main." + table + " WHERE (" + keys + ") IN (SELECT " + keys + " FROM " + doomed_table +
                       " WHERE n > ? AND n <= ?)"};
    Turns turns{database_};
    std::int64_t step = 50; // as many as a turn lasts for
    for (std::int64_t done = 0; done < doomed;) {
        SQLite::Transaction transaction{database_, SQLite::TransactionBehavior::IMMEDIATE};
        const auto begin = SteadyClock::now();
        remove.reset();
        remove.bind(1, done);
        remove.bind(2, done + step);
        const int removed = remove.exec();
        transaction.commit();
        counts_.pruned += static_cast<std::size_t>(removed);
        done += step;
        turns.pause(begin);
        const auto held = std::max<SteadyClock::duration>(turns.held(), longest_turn / 4);
        step = std::clamp<std::int64_t>(step * longest_turn / held, 1, 2000);
    }
    make_durable(database_);
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
    std::ifstream in = open_file(options.meetings_path);
    const auto earliest = earliest_start(in, options.meetings_path, options.separator);
    if (!earliest)
        throw ImportError{earliest.error()};
    if (!*earliest)
        throw ImportError{options.meetings_path + ": has no meeting that could be shifted. Nothing was done."};
    return *options.shift_start - **earliest;
}

void import_all(ImportOptions const& options, ImportReport& report, Printer& problems)
{
    SQLite::Database database = open_database(options.database_path);
    // Both headers are read before anything is written.
    std::optional<Import<Meetings>> meetings;
    std::optional<Import<Participants>> participants;
    if (!options.meetings_path.empty())
        meetings.emplace(database, options, report, report.meetings, options.meetings_path, problems);
    if (!options.participants_path.empty())
        participants.emplace(database, options, report, report.participants, options.participants_path, problems);
    const seconds shift = shift_of(options);

    Progress progress{options, problems};
    if (meetings)
        meetings->load(shift, progress);
    if (participants)
        participants->load(seconds{0}, progress);
    if (!options.prune)
        return;
    if (report.refused() > 0) {
        report.prune_skipped = true; // a refused row may be the one that names a meeting
        return;
    }
    if (participants)
        participants->prune();
    if (meetings)
        meetings->prune();
}

} // namespace

ImportReport import_schedule(ImportOptions const& options, Printer& problems)
{
    ImportReport report;
    try {
        import_all(options, report, problems);
    } catch (ImportError const& error) {
        report.failure = error.what();
        report.to_do = error.to_do;
    } catch (SQLite::Exception const& error) {
        report.failure = options.database_path + ": " + error.what();
        if (error.getErrorCode() == SQLITE_BUSY) {
            report.failure += "; another program has been writing for " + std::to_string(patience.count()) + " seconds";
            report.to_do = "import again: what is loaded already is not written again";
        }
    }
    return report;
}

} // namespace usher::ctl
