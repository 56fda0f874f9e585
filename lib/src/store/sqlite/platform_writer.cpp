// SPDX-License-Identifier: Apache-2.0
#include <usher/store/platform_writer.hpp>

#include <algorithm>
#include <string_view>
#include <utility>

#include <sqlite3.h>

#include <usher/core/nearest.hpp>

#include "connection.hpp"
#include "write_turns.hpp"

namespace usher {

namespace {

void bind_value(SQLite::Statement& statement, int index, PlatformValue const& value)
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

PlatformValue value_of(SQLite::Column const& column)
{
    switch (column.getType()) {
    case SQLITE_INTEGER: return column.getInt64();
    case SQLITE_FLOAT: return column.getDouble();
    case SQLITE_NULL: return {};
    default: return column.getString();
    }
}

/// `CHECK constraint failed: name_that_explains` without what comes before the name.
std::string constraint_of(std::string_view message)
{
    const std::size_t colon = message.find(": ");
    return std::string{colon == std::string_view::npos ? message : message.substr(colon + 2)};
}

} // namespace

struct PlatformWriter::Impl {
    explicit Impl(std::string const& file) : path{file}, database{open_for_loading(file, patience)}, turns{*database} {}

    std::string path;
    std::unique_ptr<SQLite::Database> database;
    WriteTurns turns;
    std::optional<SQLite::Statement> find_meeting;
    std::optional<SQLite::Statement> find_noted_meeting;
    std::optional<SQLite::Statement> find_work;
    std::optional<std::vector<std::string>> meeting_ids;

    template <class Work>
    auto guarded(Work&& work)
    {
        return guard(*database, path, work);
    }
};

PlatformWriter::PlatformWriter(std::string const& database) : impl_{std::make_unique<Impl>(database)} {}

PlatformWriter::~PlatformWriter() = default;

std::int64_t PlatformWriter::count_rows(std::string const& table) const
{
    return impl_->guarded([&] { return impl_->database->execAndGet("SELECT count(*) FROM main." + table).getInt64(); });
}

PlatformWriter::Turn::Turn(PlatformWriter& writer) : writer_{*writer.impl_}
{
    writer_.guarded([&] { writer_.turns.begin(); });
}

PlatformWriter::Turn::~Turn()
{
    writer_.turns.end();
}

bool PlatformWriter::Turn::is_over() const
{
    return writer_.turns.is_over();
}

void PlatformWriter::Turn::commit()
{
    writer_.guarded([&] { writer_.turns.commit(); });
}

void PlatformWriter::let_others()
{
    impl_->guarded([&] { impl_->turns.let_others(); });
}

void PlatformWriter::make_durable()
{
    if (!sync_log(*impl_->database))
        throw DatabaseError{impl_->path + ": what is loaded could not be written to the disk for good; import again"};
}

bool PlatformWriter::has_meeting(std::string const& id, bool noted_too)
{
    return impl_->guarded([&] {
        std::optional<SQLite::Statement>& find = noted_too ? impl_->find_noted_meeting : impl_->find_meeting;
        if (!find)
            find.emplace(
                *impl_->database, std::string{"SELECT 1 FROM main.meeting WHERE id = ?1"} +
                                      (noted_too ? " UNION ALL SELECT 1 FROM scratch.seen_meeting WHERE id = ?1" : "")
            );
        const Rewind rewind{*find};
        find->bindNoCopy(1, id);
        return find->executeStep();
    });
}

std::optional<std::string> PlatformWriter::nearest_meeting(std::string const& id)
{
    return impl_->guarded([&]() -> std::optional<std::string> {
        if (!impl_->meeting_ids) {
            impl_->meeting_ids.emplace();
            SQLite::Statement query{*impl_->database, "SELECT substr(id, 1, 255) FROM main.meeting LIMIT 100000"};
            while (query.executeStep())
                impl_->meeting_ids->push_back(query.getColumn(0).getString());
        }
        const std::vector<std::string_view> views{impl_->meeting_ids->begin(), impl_->meeting_ids->end()};
        const auto found = nearest(id, views);
        return found ? std::optional{std::string{*found}} : std::nullopt;
    });
}

std::optional<PlatformWriter::MeetingWork> PlatformWriter::work_of(std::string const& id, sys_seconds now)
{
    return impl_->guarded([&]() -> std::optional<MeetingWork> {
        if (!impl_->find_work)
            impl_->find_work.emplace(
                *impl_->database,
                "SELECT a.opens <= ?2 AND ?2 < a.closes, (SELECT count(*) FROM main.token t WHERE t.session_no = "
                "a.session_no) FROM main.agenda a WHERE a.meeting_id = ?1"
            );
        SQLite::Statement& find = *impl_->find_work;
        const Rewind rewind{find};
        find.bindNoCopy(1, id);
        find.bind(2, unix_seconds(now));
        if (!find.executeStep())
            return std::nullopt;
        return MeetingWork{find.getColumn(0).getInt() == 1, find.getColumn(1).getInt64()};
    });
}

struct PlatformWriter::Rows::Impl {
    Impl(PlatformWriter& of, PlatformTable rows, std::vector<bool> again)
        : owner{of}, writer{*of.impl_}, table{std::move(rows)}, written{std::move(again)}
    {
        writer.guarded([&] { prepare(); });
    }

    PlatformWriter& owner;
    PlatformWriter::Impl& writer;
    PlatformTable table;
    std::vector<bool> written;
    std::optional<SQLite::Statement> find_row;
    std::optional<SQLite::Statement> insert_row;
    std::optional<SQLite::Statement> update_row; ///< None where the file has keys alone.
    std::optional<SQLite::Statement> add_note;
    std::optional<SQLite::Statement> find_note;
    std::optional<SQLite::Statement> remove_rows;
    std::optional<SQLite::Transaction> notes;
    std::int64_t others = 0;
    std::int64_t removed = 0;
    std::int64_t step = 50; // as many as a turn lasts for

    /// `a, b`, or with a qualifier `q.a, q.b`.
    std::string list_of(std::size_t count, std::string const& qualifier = {}) const
    {
        std::string list;
        for (std::size_t i = 0; i < count; ++i)
            list.append(i == 0 ? "" : ", ").append(qualifier).append(table.columns[i]);
        return list;
    }
    std::string keys(std::string const& qualifier = {}) const { return list_of(table.key_columns, qualifier); }
    /// The keys that the file has, by which repeated rows and rows to remove are found.
    std::string noted() const { return "scratch.seen_" + table.name; }
    std::string doomed() const { return "scratch.doomed_" + table.name; }

    void prepare()
    {
        SQLite::Database& database = *writer.database;
        const std::string name = "main." + table.name;
        std::string parameters;
        std::string key_parameters;
        std::string assignments;
        for (std::size_t i = 0; i < table.columns.size(); ++i) {
            const std::string parameter = "?" + std::to_string(i + 1);
            parameters += (i == 0 ? "" : ", ") + parameter;
            if (i < table.key_columns)
                key_parameters = parameters;
            else if (written[i])
                assignments.append(assignments.empty() ? "" : ", ").append(table.columns[i] + " = " + parameter);
        }
        const std::string where = " WHERE (" + keys() + ") = (" + key_parameters + ")";
        const std::string all = list_of(table.columns.size());
        database.exec(
            "CREATE TABLE " + noted() + " (" + keys() + ", line INTEGER, PRIMARY KEY (" + keys() + ")) WITHOUT ROWID"
        );
        find_row.emplace(database, "SELECT " + all + " FROM " + name + where);
        insert_row.emplace(database, "INSERT INTO " + name + " (" + all + ") VALUES (" + parameters + ")");
        if (!assignments.empty())
            update_row.emplace(database, "UPDATE " + name + " SET " + assignments + where);
        add_note.emplace(
            database, "INSERT INTO " + noted() + " VALUES (" + key_parameters + ", ?) ON CONFLICT DO NOTHING"
        );
        find_note.emplace(database, "SELECT line FROM " + noted() + where);
    }

    void bind_key(SQLite::Statement& statement, std::span<PlatformValue const> row) const
    {
        for (std::size_t i = 0; i < table.key_columns; ++i)
            bind_value(statement, static_cast<int>(i + 1), row[i]);
    }

    std::optional<std::string> exec(SQLite::Statement& statement)
    {
        return writer.guarded([&]() -> std::optional<std::string> {
            try {
                statement.exec();
                return std::nullopt;
            } catch (SQLite::Exception const& error) {
                if (error.getErrorCode() != SQLITE_CONSTRAINT)
                    throw;
                return constraint_of(error.what());
            }
        });
    }
};

PlatformWriter::Rows::Rows(PlatformWriter& writer, PlatformTable table, std::vector<bool> written)
    : impl_{std::make_unique<Impl>(writer, std::move(table), std::move(written))}
{}

PlatformWriter::Rows::~Rows() = default;

void PlatformWriter::Rows::begin_notes()
{
    impl_->writer.guarded([&] { impl_->notes.emplace(*impl_->writer.database); }); // it takes no lock that others see
}

void PlatformWriter::Rows::end_notes()
{
    impl_->writer.guarded([&] { impl_->notes->commit(); });
    impl_->notes.reset();
}

std::optional<std::int64_t> PlatformWriter::Rows::note(std::span<PlatformValue const> row, std::int64_t line)
{
    return impl_->writer.guarded([&]() -> std::optional<std::int64_t> {
        SQLite::Statement& add = *impl_->add_note;
        const Rewind rewind_add{add};
        impl_->bind_key(add, row);
        add.bind(static_cast<int>(impl_->table.key_columns + 1), line);
        if (add.exec() == 1)
            return std::nullopt;
        SQLite::Statement& find = *impl_->find_note;
        const Rewind rewind_find{find};
        impl_->bind_key(find, row);
        find.executeStep();
        return find.getColumn(0).getInt64();
    });
}

std::optional<std::vector<PlatformValue>> PlatformWriter::Rows::find(std::span<PlatformValue const> row)
{
    return impl_->writer.guarded([&]() -> std::optional<std::vector<PlatformValue>> {
        SQLite::Statement& find = *impl_->find_row;
        const Rewind rewind{find};
        impl_->bind_key(find, row);
        if (!find.executeStep())
            return std::nullopt;
        std::vector<PlatformValue> found;
        for (std::size_t i = 0; i < impl_->table.columns.size(); ++i)
            found.push_back(value_of(find.getColumn(static_cast<int>(i))));
        return found;
    });
}

std::optional<std::string> PlatformWriter::Rows::insert(std::span<PlatformValue const> row)
{
    SQLite::Statement& statement = *impl_->insert_row;
    const Rewind rewind{statement};
    for (std::size_t i = 0; i < row.size(); ++i)
        bind_value(statement, static_cast<int>(i + 1), row[i]);
    return impl_->exec(statement);
}

std::optional<std::string> PlatformWriter::Rows::update(std::span<PlatformValue const> row)
{
    if (!impl_->update_row) // keys are all that is written
        return std::nullopt;
    SQLite::Statement& statement = *impl_->update_row;
    const Rewind rewind{statement};
    for (std::size_t i = 0; i < row.size(); ++i)
        if (i < impl_->table.key_columns || impl_->written[i])
            bind_value(statement, static_cast<int>(i + 1), row[i]);
    return impl_->exec(statement);
}

std::size_t PlatformWriter::Rows::find_others()
{
    Impl& impl = *impl_;
    return impl.writer.guarded([&] {
        SQLite::Database& database = *impl.writer.database;
        database.exec("CREATE TABLE " + impl.doomed() + " (n INTEGER PRIMARY KEY, " + impl.keys() + ")");
        // A subquery that names the outer row looks into the table itself; NOT IN would make a copy of it, in memory.
        impl.others = database.exec(
            "INSERT INTO " + impl.doomed() + " (" + impl.keys() + ") SELECT " + impl.keys() + " FROM main." +
            impl.table.name + " AS there WHERE NOT EXISTS (SELECT 1 FROM " + impl.noted() + " AS seen WHERE (" +
            impl.keys("seen.") + ") = (" + impl.keys("there.") + "))"
        );
        impl.remove_rows.emplace(
            database, "DELETE FROM main." + impl.table.name + " WHERE (" + impl.keys() + ") IN (SELECT " + impl.keys() +
                          " FROM " + impl.doomed() + " WHERE n > ? AND n <= ?)"
        );
        return static_cast<std::size_t>(impl.others);
    });
}

std::optional<std::size_t> PlatformWriter::Rows::remove_others()
{
    Impl& impl = *impl_;
    if (impl.removed >= impl.others)
        return std::nullopt;
    int count = 0;
    {
        Turn turn{impl.owner};
        impl.writer.guarded([&] {
            const Rewind rewind{*impl.remove_rows};
            impl.remove_rows->bind(1, impl.removed);
            impl.remove_rows->bind(2, impl.removed + impl.step);
            count = impl.remove_rows->exec();
        });
        turn.commit();
    }
    impl.removed += impl.step;
    impl.owner.let_others();
    const auto held =
        std::max<WriteTurns::SteadyClock::duration>(impl.writer.turns.last_held(), WriteTurns::turn_max / 4);
    impl.step = std::clamp<std::int64_t>(impl.step * WriteTurns::turn_max / held, 1, 2000);
    return static_cast<std::size_t>(count);
}

} // namespace usher
