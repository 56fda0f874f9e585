// SPDX-License-Identifier: Apache-2.0
#include "import.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>

#include <sqlite3.h>
#include <unistd.h>

#include <SQLiteCpp/SQLiteCpp.h>

#include <usher/store/contract.hpp>

#include "schedule_csv.hpp"

namespace usher::ctl {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::int64_t usher_application_id = 0x75736872; // "ushr"
constexpr std::size_t rows_per_transaction = 2000;
constexpr std::chrono::milliseconds longest_transaction{20};
constexpr std::chrono::milliseconds shortest_pause{2};
constexpr std::chrono::milliseconds longest_pause{200};
constexpr std::chrono::seconds others_matter_for{1};
constexpr std::chrono::seconds patience{10};

/// Lets others write between two transactions. Whoever waits for the lock only looks for it now and then, and less
/// often the longer it waits, so what counts is the part of the time in which the lock is free.
class Turns {
public:
    explicit Turns(SQLite::Database& database) : version_{database, "PRAGMA main.data_version"} { others_wrote(); }

    /// For a transaction that held the lock for so long.
    void pause(SteadyClock::duration held)
    {
        const auto now = SteadyClock::now();
        if (others_wrote())
            others_until_ = now + others_matter_for;
        const auto fair = now < others_until_ ? held : held / 4;
        std::this_thread::sleep_for(std::clamp<SteadyClock::duration>(fair, shortest_pause, longest_pause));
    }

private:
    bool others_wrote()
    {
        version_.reset();
        version_.executeStep();
        const std::int64_t version = version_.getColumn(0).getInt64();
        version_.reset();
        return std::exchange(seen_version_, version) != version;
    }

    SQLite::Statement version_; ///< is not moved by this connection
    std::int64_t seen_version_ = 0;
    SteadyClock::time_point others_until_{};
};

/// Ends the import; the message is for people.
struct ImportError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A value of the table: NULL, a number, text that the row holds, or the name of a value.
using Cell = std::variant<std::monostate, std::int64_t, std::string const*, std::string_view>;

Cell cell(std::optional<std::string> const& text)
{
    return text ? Cell{&*text} : Cell{};
}

std::array<Cell, MeetingRow::columns.size()> cells(MeetingRow const& row, seconds shift)
{
    return {
        &row.external_id,
        &row.title,
        unix_seconds(row.starts_at + shift),
        unix_seconds(row.ends_at + shift),
        cell(row.status),
        cell(row.project),
        cell(row.media_mode),
        cell(row.archive_mode),
        cell(row.archive_name),
        cell(row.archive_resolution),
        cell(row.location),
        row.e2ee ? Cell{std::int64_t{*row.e2ee}} : Cell{},
    };
}

std::array<Cell, ParticipantRow::columns.size()> cells(ParticipantRow const& row, seconds)
{
    return {
        &row.meeting_external_id, &row.external_id,          cell(row.display_name),
        to_text(row.role),        cell(row.connection_data), cell(row.layout_classes),
    };
}

/// The row must outlive what the statement does with it.
void bind(SQLite::Statement& statement, int index, Cell const& value)
{
    if (auto const* number = std::get_if<std::int64_t>(&value))
        statement.bind(index, *number);
    else if (auto const* text = std::get_if<std::string const*>(&value))
        statement.bindNoCopy(index, **text);
    else if (auto const* name = std::get_if<std::string_view>(&value))
        statement.bind(index, std::string{*name});
    else
        statement.bind(index);
}

/// One line on the terminal, rewritten at most five times a second.
class Progress {
public:
    Progress(bool wanted, std::string_view what) : shown_{wanted && isatty(STDERR_FILENO) == 1}, what_{what} {}
    Progress(Progress const&) = delete;
    Progress& operator=(Progress const&) = delete;
    ~Progress()
    {
        if (written_)
            std::fputs("\r\033[K", stderr);
    }

    void show(std::size_t rows)
    {
        const auto now = SteadyClock::now();
        if (!shown_ || now - last_ < std::chrono::milliseconds{200})
            return;
        last_ = now;
        const double elapsed = std::chrono::duration<double>(now - start_).count();
        const double rate = elapsed > 0 ? static_cast<double>(rows) / elapsed : 0;
        std::fprintf(stderr, "\r\033[K%s: %zu rows, %.0f/s", what_.c_str(), rows, rate);
        std::fflush(stderr);
        written_ = true;
    }

private:
    bool shown_;
    bool written_ = false;
    std::string what_;
    SteadyClock::time_point start_ = SteadyClock::now();
    SteadyClock::time_point last_ = start_;
};

std::ifstream open_file(std::string const& path)
{
    std::ifstream in{path, std::ios::binary};
    if (!in)
        throw ImportError{path + ": cannot be opened"};
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
    int persist = 1; // -wal and -shm stay for platforms, whoever closes last; the former is emptied then
    sqlite3_file_control(database.getHandle(), "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
    database.exec("PRAGMA journal_size_limit = 33554432");
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

/// `a`, or with a qualifier `q.a`, for each of the first `count` columns, separated.
template <class Row>
std::string key_list(std::string_view qualifier = {})
{
    std::string list;
    for (std::size_t i = 0; i < Row::key_columns; ++i)
        list.append(i == 0 ? "" : ", ").append(qualifier).append(Row::columns[i].table);
    return list;
}

/// The ids that the file has, by which repeated rows and rows to prune are found.
template <class Row>
std::string seen_table()
{
    return "scratch.seen_" + std::string{Row::table};
}

struct WritingSql {
    std::string insert; ///< does nothing when the row exists: an INSERT that conflicts would use up a key
    std::string update; ///< does nothing when the row is the same
};

/// Both have a parameter for each column that the file has, in the order of Row::columns.
template <class Row>
WritingSql writing_sql(SQLite::Database& database, ScheduleReader<Row> const& reader)
{
    const std::string table{Row::table};
    std::string columns;
    std::string values;
    std::string assignments;
    std::string differences;
    int parameter = 0;
    for (std::size_t i = 0; i < Row::columns.size(); ++i) {
        if (!reader.has(i))
            continue;
        const std::string name{Row::columns[i].table};
        SQLite::Statement query{database, "SELECT 1 FROM pragma_table_info(?) WHERE name = ?"};
        query.bind(1, table);
        query.bind(2, name);
        if (!query.executeStep())
            throw ImportError{"table " + table + " has no column " + name + "; run `usherctl init --repair`"};
        const std::string value = "?" + std::to_string(++parameter);
        columns += (columns.empty() ? "" : ", ") + name;
        values += (values.empty() ? "" : ", ") + value;
        if (i < Row::key_columns)
            continue;
        assignments += (assignments.empty() ? "" : ", ") + name + " = " + value;
        differences += (differences.empty() ? "" : " OR ") + name + " IS NOT " + value;
    }
    const std::string where = " WHERE (" + key_list<Row>() + ") = (" + (Row::key_columns == 1 ? "?1" : "?1, ?2") + ")";
    return {
        "INSERT INTO main." + table + " (" + columns + ") SELECT " + values + " WHERE NOT EXISTS (SELECT 1 FROM main." +
            table + where + ")",
        "UPDATE main." + table + " SET " + assignments + where + " AND (" + differences + ")"};
}

/// `CHECK constraint failed: name_that_explains` without what comes before the name.
std::string_view constraint_of(std::string_view message)
{
    const std::size_t colon = message.find(": ");
    return colon == std::string_view::npos ? message : message.substr(colon + 2);
}

template <class Row>
class Import {
public:
    Import(SQLite::Database& database, ImportCounts& counts, std::string path, Printer& problems)
        : database_{database},
          counts_{counts},
          path_{std::move(path)},
          problems_{problems},
          in_{open_file(path_)},
          reader_{in_, path_}
    {
        if (auto header = reader_.read_header(); !header)
            throw ImportError{header.error()};
        for (std::string const& name : reader_.unknown_columns())
            problems_ << path_ << ":1: column \"" << name << "\" is not known and ignored\n";
        for (std::size_t i = 0; i < Row::columns.size(); ++i) {
            default_values_[i] = contract_default(Row::table, Row::columns[i].table);
            if (auto const* number = std::get_if<std::int64_t>(&default_values_[i]))
                defaults_[i] = *number;
            else if (auto const* text = std::get_if<std::string>(&default_values_[i]))
                defaults_[i] = text;
        }
    }

    void load(seconds shift, bool progress);
    void prune();

private:
    void load_row(seconds shift, ImportCounts& counts);
    bool seen_before(std::array<Cell, Row::columns.size()> const& values, ImportCounts& counts);
    bool write(SQLite::Statement& statement, std::array<Cell, Row::columns.size()> const& values);

    SQLite::Database& database_;
    ImportCounts& counts_; ///< of what is committed
    std::string path_;
    Printer& problems_;
    std::ifstream in_;
    ScheduleReader<Row> reader_;
    std::array<ContractDefault, Row::columns.size()> default_values_;
    std::array<Cell, Row::columns.size()> defaults_; ///< Of these, for cells that are empty.
    std::optional<SQLite::Statement> insert_;
    std::optional<SQLite::Statement> update_;
    std::optional<SQLite::Statement> note_;
    std::optional<SQLite::Statement> find_noted_;
};

template <class Row>
void Import<Row>::load(seconds shift, bool progress)
{
    using Step = typename ScheduleReader<Row>::Step;
    const std::string parameters = Row::key_columns == 1 ? "?" : "?, ?";
    const std::string where = " WHERE (" + key_list<Row>() + ") = (" + parameters + ")";
    database_.exec(
        "CREATE TABLE " + seen_table<Row>() + " (" + key_list<Row>() + ", line INTEGER, PRIMARY KEY (" +
        key_list<Row>() + ")) WITHOUT ROWID"
    );
    const WritingSql sql = writing_sql(database_, reader_);
    insert_.emplace(database_, sql.insert);
    update_.emplace(database_, sql.update);
    note_.emplace(
        database_, "INSERT INTO " + seen_table<Row>() + " VALUES (" + parameters + ", ?) ON CONFLICT DO NOTHING"
    );
    find_noted_.emplace(database_, "SELECT line FROM " + seen_table<Row>() + where);

    Progress shown{progress, path_};
    Turns turns{database_};
    std::size_t rows = 0;
    for (bool more = true; more;) {
        SQLite::Transaction transaction{database_, SQLite::TransactionBehavior::IMMEDIATE};
        const auto begin = SteadyClock::now();
        ImportCounts counts = counts_;
        for (std::size_t n = 0; n < rows_per_transaction && SteadyClock::now() - begin < longest_transaction; ++n) {
            const Step step = reader_.next();
            more = step != Step::end;
            if (!more)
                break;
            ++rows;
            if (step == Step::row) {
                load_row(shift, counts);
            } else {
                problems_ << reader_.problem() << '\n';
                ++counts.bad;
            }
        }
        transaction.commit();
        counts_ = counts;
        shown.show(rows);
        if (more)
            turns.pause(SteadyClock::now() - begin);
    }
    make_durable(database_);
    if (reader_.failed())
        throw ImportError{
            path_ + ": could not be read to its end; the rows before line " + std::to_string(reader_.line() + 1) +
            " are loaded"};
}

template <class Row>
bool Import<Row>::seen_before(std::array<Cell, Row::columns.size()> const& values, ImportCounts& counts)
{
    note_->reset();
    find_noted_->reset();
    for (std::size_t i = 0; i < Row::key_columns; ++i) {
        bind(*note_, static_cast<int>(i + 1), values[i]);
        bind(*find_noted_, static_cast<int>(i + 1), values[i]);
    }
    note_->bind(static_cast<int>(Row::key_columns + 1), static_cast<std::int64_t>(reader_.line()));
    if (note_->exec() == 1)
        return false;
    find_noted_->executeStep();
    problems_ << path_ << ':' << reader_.line() << ": external_id: is that of line "
              << find_noted_->getColumn(0).getInt64() << ", too\n";
    find_noted_->reset();
    ++counts.bad;
    return true;
}

/// Whether that changed the table.
template <class Row>
bool Import<Row>::write(SQLite::Statement& statement, std::array<Cell, Row::columns.size()> const& values)
{
    statement.tryReset(); // tells of the last row's error again
    int index = 0;
    for (std::size_t i = 0; i < values.size(); ++i)
        if (reader_.has(i))
            bind(statement, ++index, values[i].index() != 0 ? values[i] : defaults_[i]);
    return statement.exec() > 0;
}

template <class Row>
void Import<Row>::load_row(seconds shift, ImportCounts& counts)
{
    const auto values = cells(reader_.row(), shift);
    if (seen_before(values, counts))
        return;
    try {
        // Most rows are new, or none is. A row that cannot be inserted costs no more than a look for it would.
        std::size_t& count = write(*insert_, values)   ? counts.added
                             : write(*update_, values) ? counts.changed
                                                       : counts.unchanged;
        ++count;
    } catch (SQLite::Exception const& error) {
        if (error.getErrorCode() != SQLITE_CONSTRAINT)
            throw;
        problems_ << path_ << ':' << reader_.line() << ": the database refuses it: " << constraint_of(error.what())
                  << '\n';
        ++counts.bad;
    }
}

/// Deletes what was there when it began and is not in the file.
template <class Row>
void Import<Row>::prune()
{
    const std::string table{Row::table};
    const std::string keys = key_list<Row>();
    const std::string doomed_table = "scratch.doomed_" + table;
    database_.exec("CREATE TABLE " + doomed_table + " (n INTEGER PRIMARY KEY, " + keys + ")");
    // A subquery that names the outer row looks into the table itself; NOT IN would make a copy of it, in memory.
    const std::int64_t doomed = database_.exec(
        "INSERT INTO " + doomed_table + " (" + keys + ") SELECT " + keys + " FROM main." + table +
        " AS there WHERE NOT EXISTS (SELECT 1 FROM " + seen_table<Row>() + " AS seen WHERE (" + key_list<Row>("seen.") +
        ") = (" + key_list<Row>("there.") + "))"
    );
    SQLite::Statement remove{
        database_, "DELETE FROM main." + table + " WHERE (" + keys + ") IN (SELECT " + keys + " FROM " + doomed_table +
                       " WHERE n > ? AND n <= ?)"};
    constexpr auto step = static_cast<std::int64_t>(rows_per_transaction);
    Turns turns{database_};
    for (std::int64_t done = 0; done < doomed; done += step) {
        SQLite::Transaction transaction{database_, SQLite::TransactionBehavior::IMMEDIATE};
        const auto begin = SteadyClock::now();
        remove.reset();
        remove.bind(1, done);
        remove.bind(2, done + step);
        const int removed = remove.exec();
        transaction.commit();
        counts_.pruned += static_cast<std::size_t>(removed);
        turns.pause(SteadyClock::now() - begin);
    }
    make_durable(database_);
}

seconds shift_of(ImportOptions const& options)
{
    if (!options.shift_start || options.meetings_path.empty())
        return seconds{0};
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(options.meetings_path, ignored))
        throw ImportError{options.meetings_path + ": must be a regular file to be shifted, since it is read twice"};
    std::ifstream in = open_file(options.meetings_path);
    const auto earliest = earliest_start(in, options.meetings_path);
    if (!earliest)
        throw ImportError{earliest.error()};
    return *earliest ? *options.shift_start - **earliest : seconds{0};
}

void import_all(ImportOptions const& options, ImportReport& report, Printer& problems)
{
    SQLite::Database database = open_database(options.database_path);
    // Both headers are read before anything is written.
    std::optional<Import<MeetingRow>> meetings;
    std::optional<Import<ParticipantRow>> participants;
    if (!options.meetings_path.empty())
        meetings.emplace(database, report.meetings, options.meetings_path, problems);
    if (!options.participants_path.empty())
        participants.emplace(database, report.participants, options.participants_path, problems);
    const seconds shift = shift_of(options);

    if (meetings)
        meetings->load(shift, options.progress);
    if (participants)
        participants->load(seconds{0}, options.progress);
    if (!options.prune)
        return;
    if (report.has_bad_rows()) {
        report.prune_skipped = true; // a bad row may be the one that names a meeting
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
    } catch (SQLite::Exception const& error) {
        report.failure = options.database_path + ": " + error.what();
        if (error.getErrorCode() == SQLITE_BUSY)
            report.failure += "; another program has been writing for " + std::to_string(patience.count()) +
                              " seconds. Import again: what is loaded already is not written again";
    }
    return report;
}

} // namespace usher::ctl
