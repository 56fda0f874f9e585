// SPDX-License-Identifier: Apache-2.0
#include <usher/store/store.hpp>

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>
#include <map>
#include <set>
#include <unordered_map>

#include <sqlite3.h>

#include <usher/core/certain_time.hpp>
#include <usher/core/printable.hpp>
#include <usher/core/row_check.hpp>
#include <usher/store/sqlite/instance_lock.hpp>

#include "companions.hpp"
#include "connection.hpp"
#include "contract.hpp"
#include "request_book.hpp"
#include "statements.hpp"

namespace usher {

namespace {

constexpr int value_bytes_max = 1'000'000; // nothing of usher's is nearly as large
constexpr std::size_t id_bytes_max = 255;
constexpr std::int64_t foreign_number = std::int64_t{1} << 62; // AUTOINCREMENT never gets there
constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t deletes_max = 2000; // of one meeting's tokens in one transaction
constexpr std::size_t mark_chunk = 500;
constexpr std::size_t chain_max = 64;     // of a meeting's sessions, newest first; older ones are forgotten
constexpr std::int64_t purged_max = 2000; // rows in one transaction
constexpr std::size_t read_together = 16; // meetings in one transaction: a longer one keeps the WAL from starting anew

std::int64_t number(MeetingNo value)
{
    return static_cast<std::int64_t>(value);
}
std::int64_t number(SessionNo value)
{
    return static_cast<std::int64_t>(value);
}

/// Nothing that usher writes is beyond these; what others write must not overflow when it is reckoned with.
sys_seconds bounded_instant(std::int64_t value)
{
    constexpr std::int64_t far = 1'000'000'000'000;
    return from_unix(std::clamp(value, -far, far));
}

std::optional<sys_seconds> instant(SQLite::Column const& column)
{
    if (column.isNull())
        return std::nullopt;
    return bounded_instant(column.getInt64());
}

/// The value as it is stored. Texts are borrowed until the next step.
RowValue value_at(SQLite::Statement& statement, int index)
{
    const SQLite::Column column = statement.getColumn(index);
    const auto bytes = [&] {
        auto const* const data = static_cast<char const*>(column.getBlob());
        return std::string_view{data, static_cast<std::size_t>(column.getBytes())};
    };
    switch (column.getType()) {
    case SQLITE_INTEGER: return column.getInt64();
    case SQLITE_FLOAT: return column.getDouble();
    case SQLITE_TEXT: return bytes();
    case SQLITE_BLOB: return Blob{bytes()};
    default: return std::monostate{};
    }
}

std::optional<std::int64_t> integer_at(SQLite::Statement& statement, int column)
{
    const SQLite::Column value = statement.getColumn(column);
    return value.isNull() ? std::nullopt : std::optional{value.getInt64()};
}

std::optional<SessionNo> session_at(SQLite::Statement& statement, int column)
{
    const std::optional<std::int64_t> value = integer_at(statement, column);
    return value ? std::optional{SessionNo{*value}} : std::nullopt;
}

std::optional<seconds> duration_at(SQLite::Statement& statement, int column)
{
    const std::optional<std::int64_t> value = integer_at(statement, column);
    return value ? std::optional{seconds{*value}} : std::nullopt;
}

void bind_optional(SQLite::Statement& statement, int index, std::optional<std::int64_t> value)
{
    if (value)
        statement.bind(index, *value);
    else
        statement.bind(index);
}

void bind_optional(SQLite::Statement& statement, int index, std::optional<SessionNo> value)
{
    bind_optional(statement, index, value ? std::optional{number(*value)} : std::nullopt);
}

void bind_optional(SQLite::Statement& statement, int index, std::optional<sys_seconds> value)
{
    bind_optional(statement, index, value ? std::optional{unix_seconds(*value)} : std::nullopt);
}

std::optional<Role> stored_role(int value)
{
    if (value < 1 || value > 4)
        return std::nullopt;
    return static_cast<Role>(value);
}

std::string option(SQLite::Column const& column)
{
    return column.isNull() ? std::string{} : column.getString();
}

/// From six columns of `meeting`, in the order of the table.
SessionOptions options_at(SQLite::Statement& statement, int first)
{
    SessionOptions options;
    options.media_mode = statement.getColumn(first).getString();
    options.archive_mode = statement.getColumn(first + 1).getString();
    options.archive_name = option(statement.getColumn(first + 2));
    options.archive_resolution = option(statement.getColumn(first + 3));
    options.location = option(statement.getColumn(first + 4));
    options.e2ee = statement.getColumn(first + 5).getInt() != 0;
    return options;
}

/// Whether `tokens`, all for one reason, are those of all participants from the first to the last, with no token of
/// somebody else between them.
bool fill_a_range(MeetingSnapshot const& meeting, std::span<SignedToken const> tokens)
{
    const auto is_present = [](ParticipantRow const& participant) { return participant.present; };
    const auto is_alike = [&](SignedToken const& token) { return token.reason == tokens.front().reason; };
    return tokens.back().participant - tokens.front().participant + 1 == tokens.size() &&
           std::all_of(tokens.begin(), tokens.end(), is_alike) &&
           std::all_of(meeting.participants.begin(), meeting.participants.end(), is_present);
}

} // namespace

PublishCounts& PublishCounts::operator+=(PublishCounts const& other)
{
    tokens += other.tokens;
    withdrawn += other.withdrawn;
    skipped += other.skipped;
    sessions += other.sessions;
    settled += other.settled;
    return *this;
}

struct Store::Impl : Statements {
    Impl(std::string file, Access access)
        : Statements{open_connection(file, access, busy_timeout)}, path{std::move(file)}
    {
        // Only checkpoint() moves what is in the WAL: the file may have been replaced when this is closed.
        sqlite3_db_config(database->getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
        sqlite3_wal_hook(
            database->getHandle(),
            [](void* pages, sqlite3*, char const*, int count) {
                *static_cast<int*>(pages) = count;
                return SQLITE_OK;
            },
            &wal_pages
        );
        sqlite3_limit(database->getHandle(), SQLITE_LIMIT_LENGTH, value_bytes_max);
    }
    Impl(Impl const&) = delete;
    Impl& operator=(Impl const&) = delete;
    ~Impl() { sqlite3_wal_hook(database->getHandle(), nullptr, nullptr); }

    std::string path;
    ContractKeeper keeper;
    RequestBook requests{*this};
    std::int64_t epoch = 0;
    std::vector<SessionRow*> numbered; // in the transaction at hand
    std::uint64_t own_writes = 0;      // transactions that changed what a snapshot holds, but publish()
    int wal_pages = 0;                 // after the last commit of ours
    std::optional<Seal> seal;          // without: sessions are not looked at closely
    std::optional<KeyFile> key_file;
    std::optional<MarkFile> mark_file;
    std::string who; // took over
    sys_seconds since{};
    std::string database_id;
    std::int64_t highest_seq = 0; // that was committed
    bool restored = false;        // older rows came back since anybody asked
    std::int64_t last_seq = 0;    // in the transaction at hand

    /// Runs `work` with no bound of ours on the size of a value: for what must pass over one that is too large.
    template <class Work>
    auto unbounded(Work&& work)
    {
        struct Bound {
            explicit Bound(SQLite::Database& of)
                : handle{of.getHandle()}, before{sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, -1)}
            {
                read_any_size(of);
            }
            Bound(Bound const&) = delete;
            Bound& operator=(Bound const&) = delete;
            ~Bound() { sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, before); }
            sqlite3* handle;
            int before; // another may be around this one
        };
        const Bound bound{*database};
        return work();
    }

    /// Runs `work`, and again without that bound if a value is too large.
    template <class Work>
    auto passing_over(Work&& work)
    {
        try {
            return work();
        } catch (SQLite::Exception const& error) {
            if (error.getErrorCode() != SQLITE_TOOBIG)
                throw;
        }
        return unbounded(work);
    }

    template <class Work>
    auto guarded(Work&& work)
    {
        try {
            return work();
        } catch (SQLite::Exception const& error) {
            rethrow(error, path, database->getHandle());
        }
    }

    /// One short IMMEDIATE transaction of the daemon that owns the epoch.
    template <class Work>
    auto write(Work&& work)
    {
        return guarded([&] {
            SQLite::Transaction transaction{*database, SQLite::TransactionBehavior::IMMEDIATE};
            const std::optional<std::int64_t> current = integer("SELECT epoch FROM daemon WHERE id = 1");
            if (!current || *current < epoch ||
                (*current == epoch && integer("SELECT seq FROM daemon WHERE id = 1") < highest_seq))
                note_restore(); // an older copy came back into the file
            else if (*current != epoch)
                throw Fenced{
                    path +
                    (owner() == who ? ": somebody else wrote to usher's row in daemon" : ": taken over by " + owner()) +
                    "; this daemon stops writing"};
            last_seq = 0;
            requests.drop_counts();
            if constexpr (std::is_void_v<decltype(work())>) {
                work();
                keep_seq();
                transaction.commit();
                keep_mark();
            } else {
                auto result = work();
                keep_seq();
                transaction.commit();
                keep_mark();
                return result;
            }
        });
    }

    std::string owner()
    {
        SQLite::Statement& statement = prepared("SELECT who FROM daemon WHERE id = 1");
        const Rewind rewind{statement};
        return statement.executeStep() ? statement.getColumn(0).getString() : std::string{};
    }

    /// Grows with every change of what is published, also across a restored backup. Kept by keep_seq().
    std::int64_t next_seq(sys_seconds now)
    {
        if (last_seq == 0)
            last_seq = integer("SELECT seq FROM daemon WHERE id = 1").value_or(0);
        if (last_seq >= foreign_number) // followers start anew
            run("UPDATE daemon SET restores = restores + 1 WHERE id = 1");
        last_seq = std::max(last_seq >= foreign_number ? 0 : last_seq + 1, unix_seconds(now) * 1'000'000);
        return last_seq;
    }

    /// The rows are older than what followers have seen: they are told, and every meeting gets a new seq.
    void note_restore()
    {
        run("INSERT OR IGNORE INTO daemon (id) VALUES (1)");
        run(
            R"sql(UPDATE daemon SET epoch = ?1, seq = max(CASE WHEN typeof(seq) = 'integer' THEN seq ELSE 0 END, ?2),
                         restores = restores + 1, restore_cursor = 0, database_id = ?3, who = ?4, since = ?5
                   WHERE id = 1)sql",
            epoch, highest_seq, database_id, who, unix_seconds(since)
        );
        restored = true;
    }

    /// After the commit: a reader has seen this seq.
    void keep_mark()
    {
        if (last_seq == 0 || !mark_file)
            return;
        highest_seq = std::max(highest_seq, last_seq);
        mark_file->write({database_id, highest_seq});
        if (key_file)
            key_file->put_back();
    }

    void keep_seq()
    {
        if (last_seq != 0)
            passing_over([&] { run("UPDATE daemon SET seq = ? WHERE id = 1", last_seq); });
    }

    /// For `usher_status`: a line for each.
    void keep_damage(ContractState const& state)
    {
        std::string lines;
        for (Damage const& damage : state.damages)
            lines.append(lines.empty() ? "" : "\n").append(damage.sentence);
        try {
            passing_over([&] {
                if (integer("SELECT 1 FROM daemon WHERE id = 1 AND damage IS NOT ?", lines))
                    write([&] { run("UPDATE daemon SET damage = ? WHERE id = 1", lines); });
            });
        } catch (SQLite::Exception const& error) {
            if ((error.getErrorCode() & 0xff) != SQLITE_ERROR)
                throw; // else that column is what was lost
        }
    }

    /// A session of usher's making for this meeting; nothing for any other.
    std::optional<SessionRow> session(MeetingSnapshot& meeting, SQLite::Column const& column)
    {
        if (column.isNull())
            return std::nullopt;
        std::optional<SessionRow> row = sealed_session(column.getInt64(), meeting.id);
        meeting.has_foreign_session = meeting.has_foreign_session || !row;
        return row;
    }

    std::optional<SessionRow> sealed_session(std::int64_t session_no, std::string const& meeting_id)
    {
        SQLite::Statement& statement = prepared(
            R"sql(SELECT session_no, session_id, provider, project, project_key, options, adopted, created_at, mac
                    FROM session WHERE session_no = ?)sql"
        );
        const Rewind rewind{statement};
        statement.bind(1, session_no);
        try {
            if (!statement.executeStep())
                return std::nullopt;
        } catch (SQLite::Exception const& error) {
            if (error.getErrorCode() != SQLITE_TOOBIG)
                throw;
            return std::nullopt;
        }
        SessionRow row{SessionNo{statement.getColumn(0).getInt64()}, statement.getColumn(1).getString(),
                       statement.getColumn(2).getString(),           statement.getColumn(3).getString(),
                       statement.getColumn(4).getString(),           statement.getColumn(5).getString(),
                       statement.getColumn(6).getInt() != 0};
        if (seal && !constant_time_equal(
                        seal->of(database_id, meeting_id, row, statement.getColumn(7).getInt64()),
                        statement.getColumn(8).getString()
                    ))
            return std::nullopt;
        return row;
    }

    /// A meeting's sessions from its last one back, at most `chain_max`. Numbers go down; a chain that does not is not
    /// of usher's making, and ends there.
    std::vector<SessionNo> sessions_since(std::optional<SessionNo> next)
    {
        std::vector<SessionNo> sessions;
        while (next && sessions.size() < chain_max && (sessions.empty() || *next < sessions.back())) {
            sessions.push_back(*next);
            next = session_before(*next);
        }
        return sessions;
    }

    std::optional<SessionNo> session_before(SessionNo session)
    {
        const auto previous = integer("SELECT previous_no FROM session WHERE session_no = ?", number(session));
        return previous ? std::optional{SessionNo{*previous}} : std::nullopt;
    }

    std::string problem_key(std::int64_t id)
    {
        SQLite::Statement& statement =
            prepared("SELECT " USHER_PROBLEM_KEY("participant_id") " FROM participant WHERE id = ?");
        const Rewind rewind{statement};
        statement.bind(1, id);
        return statement.executeStep() ? statement.getColumn(0).getString() : std::string{};
    }

    /// `statement`: its columns; the row's id and the name come last.
    void add_participant(std::vector<ParticipantRow>& rows, SQLite::Statement& statement)
    {
        RawParticipant raw;
        raw.participant_id = value_at(statement, 0);
        raw.role = value_at(statement, 1);
        raw.connection_data = value_at(statement, 2);
        raw.layout_classes = value_at(statement, 3);
        raw.meeting_id = value_at(statement, 4);
        raw.display_name = value_at(statement, 6);
        ParticipantRow& row = rows.emplace_back();
        const auto text = [&](RowValue const& value, int index) {
            auto const* const bytes = std::get_if<std::string_view>(&value);
            return bytes != nullptr ? std::string{*bytes} : option(statement.getColumn(index));
        };
        row.id = text(raw.participant_id, 0);
        if (!std::holds_alternative<std::string_view>(raw.participant_id) || row.id.size() > id_bytes_max)
            row.id = problem_key(statement.getColumn(5).getInt64());
        row.role = parse_role(text(raw.role, 1));
        row.connection_data = text(raw.connection_data, 2);
        row.layout_classes = text(raw.layout_classes, 3);
        row.display_name = text(raw.display_name, 6);
        if (const auto fault = check_row(raw))
            row.fault = fault->text();
    }

    /// One of them holds a value that is too large to be read. The others are served.
    void read_participants_one_by_one(MeetingSnapshot& meeting)
    {
        std::vector<ParticipantRow>& rows = meeting.participants;
        rows.clear();
        std::vector<std::int64_t> keys;
        {
            SQLite::Statement& statement = prepared("SELECT id FROM participant WHERE meeting_id = ? LIMIT ?");
            const Rewind rewind{statement};
            statement.bindNoCopy(1, meeting.id);
            statement.bind(2, static_cast<std::int64_t>(meeting_participants_max) + 1);
            while (statement.executeStep())
                keys.push_back(statement.getColumn(0).getInt64());
        }
        for (const std::int64_t key : keys) {
            try {
                SQLite::Statement& statement = prepared(
                    R"sql(SELECT participant_id, role, connection_data, layout_classes, meeting_id, id, display_name
                            FROM participant WHERE id = ?)sql"
                );
                const Rewind rewind{statement};
                statement.bind(1, key);
                if (statement.executeStep())
                    add_participant(rows, statement);
                continue;
            } catch (SQLite::Exception const& error) {
                if (error.getErrorCode() != SQLITE_TOOBIG)
                    throw;
            }
            unbounded([&] {
                ParticipantRow& row = rows.emplace_back();
                row.id = problem_key(key);
                row.fault = "a value of the row has more than " + std::to_string(value_bytes_max) + " bytes";
                row.unread = true;
            });
        }
    }

    /// Participants, their tokens and their problems come in the same order, by id, and are merged: that takes three
    /// seeks, however many they are.
    void read_participants(MeetingSnapshot& meeting)
    {
        std::vector<ParticipantRow>& rows = meeting.participants;
        try {
            SQLite::Statement& statement = prepared(
                R"sql(SELECT participant_id, role, connection_data, layout_classes, meeting_id, id, display_name
                        FROM participant
                       WHERE meeting_id = ? ORDER BY participant_id LIMIT ?)sql"
            );
            const Rewind rewind{statement};
            statement.bindNoCopy(1, meeting.id);
            statement.bind(2, static_cast<std::int64_t>(meeting_participants_max) + 1);
            while (statement.executeStep())
                add_participant(rows, statement);
        } catch (SQLite::Exception const& error) {
            if (error.getErrorCode() != SQLITE_TOOBIG)
                throw;
            read_participants_one_by_one(meeting);
        }
        meeting.is_crowded = rows.size() > meeting_participants_max;
        if (meeting.is_crowded)
            rows.resize(meeting_participants_max);
        // Ids that are no text come after all others.
        const auto by_id = [](ParticipantRow const& a, ParticipantRow const& b) { return a.id < b.id; };
        if (!std::is_sorted(rows.begin(), rows.end(), by_id))
            std::stable_sort(rows.begin(), rows.end(), by_id);
        const std::size_t present = rows.size();
        std::size_t at = 0;
        // The row of a participant; one past the last when the id is none of a present one.
        const auto find = [&](std::string_view id) {
            while (at < present && rows[at].id < id)
                ++at;
            return at < present && rows[at].id == id ? at : present;
        };
        passing_over([&] {
            at = 0;
            SQLite::Statement& statement = prepared(
                R"sql(SELECT substr(participant_id, 1, 256) FROM block INDEXED BY block_by_meeting
                       WHERE meeting_id = ? ORDER BY participant_id LIMIT ?)sql"
            );
            const Rewind rewind{statement};
            statement.bindNoCopy(1, meeting.id);
            statement.bind(2, static_cast<std::int64_t>(2 * meeting_participants_max));
            while (statement.executeStep())
                if (const std::size_t row = find(statement.getColumn(0).getString()); row != present)
                    rows[row].blocked = true;
        });
        at = 0;
        std::optional<SessionRow> const& session = meeting.staged ? meeting.staged : meeting.published;
        if (session)
            read_tokens(meeting, session->number, present);
        at = 0;
        try {
            SQLite::Statement& statement = prepared(
                "SELECT participant_id, reason FROM participant_problem WHERE meeting_no = ? ORDER BY participant_id"
            );
            const Rewind rewind{statement};
            statement.bind(1, number(meeting.number));
            while (statement.executeStep()) {
                const std::size_t first = find(statement.getColumn(0).getString());
                meeting.has_stale_problems = meeting.has_stale_problems || first == present;
                for (std::size_t row = first; row < present && rows[row].id == rows[first].id; ++row)
                    rows[row].problem = statement.getColumn(1).getString();
            }
        } catch (SQLite::Exception const& error) {
            if (error.getErrorCode() != SQLITE_TOOBIG)
                throw;
            meeting.has_unreadable_rows = true;
        }
        if (meeting.has_unreadable_rows) // they are deleted, and made anew
            for (ParticipantRow& row : rows) {
                row.token.reset();
                row.problem.clear();
            }
    }

    /// Of the participants, the first `present` ones are there; tokens of others are added behind them.
    void read_tokens(MeetingSnapshot& meeting, SessionNo session, std::size_t present)
    {
        std::vector<ParticipantRow>& rows = meeting.participants;
        std::size_t at = 0;
        const auto find = [&](std::string_view id) {
            while (at < present && rows[at].id < id)
                ++at;
            return at < present && rows[at].id == id ? at : present;
        };
        try {
            SQLite::Statement& statement = prepared(
                R"sql(SELECT participant_id, role, issued_at, expires_at, generation, key_id, fingerprint, reason
                        FROM token WHERE session_no = ? ORDER BY participant_id LIMIT ?)sql"
            );
            const Rewind rewind{statement};
            statement.bind(1, number(session));
            statement.bind(2, static_cast<std::int64_t>(2 * meeting_participants_max));
            while (statement.executeStep()) {
                std::string id = statement.getColumn(0).getString();
                const std::size_t row = find(id);
                if (row == present) {
                    ParticipantRow& gone = rows.emplace_back();
                    gone.id = std::move(id);
                    gone.present = false;
                }
                TokenRow& token = (row == present ? rows.back() : rows[row]).token.emplace();
                token.role = stored_role(statement.getColumn(1).getInt());
                token.issued_at = bounded_instant(statement.getColumn(2).getInt64());
                token.expires_at = bounded_instant(statement.getColumn(3).getInt64());
                token.generation = statement.getColumn(4).getInt64();
                token.key_id = statement.getColumn(5).getString();
                token.fingerprint = static_cast<std::uint64_t>(statement.getColumn(6).getInt64());
                token.reason = static_cast<std::uint8_t>(statement.getColumn(7).getInt());
            }
        } catch (SQLite::Exception const& error) {
            if (error.getErrorCode() != SQLITE_TOOBIG)
                throw;
            meeting.has_unreadable_rows = true;
        }
    }

    std::optional<MeetingRow> read_meeting_row(std::string const& meeting_id)
    {
        SQLite::Statement& statement = prepared(R"sql(
            SELECT id, starts_at, ends_at, status, project, media_mode, archive_mode, archive_name, archive_resolution,
                   location, e2ee, session_id, early_join, grace, title
              FROM meeting WHERE id = ?
        )sql");
        const Rewind rewind{statement};
        statement.bindNoCopy(1, meeting_id);
        MeetingRow row;
        try {
            if (!statement.executeStep())
                return std::nullopt;
            RawMeeting raw;
            RowValue* const values[] = {&raw.id,           &raw.starts_at,    &raw.ends_at,
                                        &raw.status,       &raw.project,      &raw.media_mode,
                                        &raw.archive_mode, &raw.archive_name, &raw.archive_resolution,
                                        &raw.location,     &raw.e2ee,         &raw.session_id,
                                        &raw.early_join,   &raw.grace,        &raw.title};
            int column = 0;
            for (RowValue* value : values)
                *value = value_at(statement, column++);
            if (const auto fault = check_row(raw))
                row.fault = fault->text();
        } catch (SQLite::Exception const& error) {
            if (error.getErrorCode() != SQLITE_TOOBIG)
                throw;
            row.fault = "a value of the row has more than " + std::to_string(value_bytes_max) + " bytes";
            return row;
        }
        row.starts_at = bounded_instant(statement.getColumn(1).getInt64());
        row.ends_at = bounded_instant(statement.getColumn(2).getInt64());
        row.cancelled = statement.getColumn(3).getString() == "cancelled";
        row.project = statement.getColumn(4).getString();
        row.options = options_at(statement, 5);
        row.session_id = option(statement.getColumn(11));
        row.early_join = duration_at(statement, 12);
        row.grace = duration_at(statement, 13);
        return row;
    }

    /// Nothing when there is no such row.
    std::optional<MeetingSnapshot> read_meeting(std::int64_t meeting_no, bool participants = true)
    {
        MeetingSnapshot result;
        SQLite::Statement& statement = prepared(R"sql(
            SELECT a.meeting_id, a.due_at, a.opens, a.closes, a.next_at, a.attempts, a.generation, a.renew_session,
                   a.policy_hash, a.state, a.reason, a.detail, a.ready_at, a.session_no, a.staged_no,
                   a.failed_inputs, a.last_session_no, a.last_history_no, a.gone_at, a.edited_early,
                   EXISTS (SELECT 1 FROM removal r WHERE r.meeting_id = a.meeting_id), a.settled_at
              FROM agenda a WHERE a.meeting_no = ?
        )sql");
        const Rewind rewind{statement};
        statement.bind(1, meeting_no);
        try {
            if (!statement.executeStep())
                return std::nullopt;
        } catch (SQLite::Exception const& error) {
            if (error.getErrorCode() != SQLITE_TOOBIG)
                throw;
            result.number = MeetingNo{meeting_no};
            result.is_unreadable = true;
            return result;
        }
        result.number = MeetingNo{meeting_no};
        result.id = statement.getColumn(0).getString();
        result.due_at = statement.getColumn(1).getInt64();
        result.opens = instant(statement.getColumn(2));
        result.closes = instant(statement.getColumn(3));
        result.next_at = bounded_instant(statement.getColumn(4).getInt64());
        result.attempts = statement.getColumn(5).getInt();
        result.requests = requests.open_work(meeting_no);
        result.generation = wanted_generation(result.requests, statement.getColumn(6).getInt64());
        result.renew_session = static_cast<Renewal>(std::clamp(statement.getColumn(7).getInt(), 0, 2));
        if (result.renew_session == Renewal::no && wants_session(result.requests))
            result.renew_session = Renewal::requested;
        result.policy_hash = static_cast<std::uint64_t>(statement.getColumn(8).getInt64());
        result.state = parse_state(statement.getColumn(9).getString()).value_or(State::pending);
        result.reason = statement.getColumn(10).getString();
        result.detail = statement.getColumn(11).getString();
        result.ready_at = instant(statement.getColumn(12));
        result.published = session(result, statement.getColumn(13));
        result.staged = session(result, statement.getColumn(14));
        result.meeting = read_meeting_row(result.id);
        result.failed_inputs = static_cast<std::uint64_t>(statement.getColumn(15).getInt64());
        result.gone_at = instant(statement.getColumn(18));
        result.edited_early = statement.getColumn(19).getInt() == 1;
        result.settled_at = bounded_instant(statement.getColumn(21).getInt64());
        result.has_removals = statement.getColumn(20).getInt() == 1;
        result.removed_early =
            result.has_removals && result.published && result.meeting && somebody_removed_can_enter(result);
        result.has_past = !statement.getColumn(16).isNull() || !statement.getColumn(17).isNull();
        for (const SessionNo session : sessions_since(session_at(statement, 16)))
            if (!(result.published && result.published->number == session) &&
                !(result.staged && result.staged->number == session) &&
                integer("SELECT 1 FROM token WHERE session_no = ? LIMIT 1", number(session)))
                result.has_leftovers = true;
        if (participants)
            read_participants(result);
        return result;
    }

    /// Whether somebody who was removed before the meeting opened, and is not back, has a token, withdrawn or not, that
    /// opens the published session when the meeting starts.
    bool somebody_removed_can_enter(MeetingSnapshot const& meeting)
    {
        std::optional<std::int64_t> found;
        unbounded([&] { // whatever somebody else wrote there
            found = integer(
                R"sql(SELECT 1 FROM removal r
                       WHERE r.meeting_id = ?1
                         AND NOT EXISTS (SELECT 1 FROM participant p
                                          WHERE p.meeting_id = ?1 AND p.participant_id = r.participant_id)
                         AND (EXISTS (SELECT 1 FROM token t
                                       WHERE t.session_no = ?2 AND t.participant_id = r.participant_id
                                         AND t.expires_at > ?3)
                              OR EXISTS (SELECT 1 FROM token_past t
                                          WHERE t.session_no = ?2 AND t.participant_id = r.participant_id
                                            AND t.expires_at > ?3)) LIMIT 1)sql",
                meeting.id, number(meeting.published->number), unix_seconds(meeting.meeting->starts_at)
            );
        });
        return found.has_value();
    }

    /// Whether `session` is still one that the meeting would be given.
    bool inputs_unchanged(MeetingNo meeting, SessionRow const& session)
    {
        SQLite::Statement& statement = prepared(R"sql(
            SELECT m.status, m.project, m.media_mode, m.archive_mode, m.archive_name, m.archive_resolution, m.location,
                   m.e2ee, m.session_id
              FROM agenda a JOIN meeting m ON m.id = a.meeting_id WHERE a.meeting_no = ?
        )sql");
        const Rewind rewind{statement};
        statement.bind(1, number(meeting));
        if (!statement.executeStep())
            return false;
        const SessionOptions options = options_at(statement, 2);
        return statement.getColumn(0).getString() == "scheduled" && statement.getColumn(8).isNull() &&
               statement.getColumn(1).getString() == session.project && to_text(options) == session.options;
    }

    bool participant_unchanged(MeetingSnapshot const& meeting, ParticipantRow const& participant)
    {
        return integer(
                   R"sql(SELECT 1 FROM participant WHERE meeting_id = ?1 AND participant_id = ?2 AND role = ?3
                          AND COALESCE(connection_data, '') = ?4 AND COALESCE(layout_classes, '') = ?5
                          AND NOT EXISTS (SELECT 1 FROM block WHERE meeting_id = ?1 AND participant_id = ?2))sql",
                   meeting.id, participant.id, std::string{to_text(*participant.role)}, participant.connection_data,
                   participant.layout_classes
        )
            .has_value();
    }

    /// In a transaction. Gives the database its id, and finds out whether older rows came back while no daemon ran.
    void know_database()
    {
        read_database_id();
        const std::int64_t seq = integer("SELECT seq FROM daemon WHERE id = 1").value_or(0);
        const std::optional<Mark> mark = mark_file->read();
        highest_seq = seq >= foreign_number ? 0 : seq;
        if (seq == 0 && !mark)
            return; // new
        const bool is_known = mark && mark->database_id == database_id;
        if (is_known)
            highest_seq = std::max(highest_seq, mark->seq);
        if (!is_known || mark->seq > seq)
            note_restore();
    }

    void read_database_id()
    {
        SQLite::Statement& statement = prepared("SELECT database_id FROM daemon WHERE id = 1");
        {
            const Rewind rewind{statement};
            database_id = statement.executeStep() ? statement.getColumn(0).getString() : std::string{};
        }
        if (database_id.empty()) { // it is new, or its row is lost: the sessions are of the id that the mark has
            const std::optional<Mark> mark = mark_file ? mark_file->read() : std::nullopt;
            database_id = mark && !mark->database_id.empty() ? mark->database_id : random_id();
            run("UPDATE daemon SET database_id = ? WHERE id = 1", database_id);
        }
    }

    std::string meeting_id(MeetingNo meeting)
    {
        SQLite::Statement& statement = prepared("SELECT meeting_id FROM agenda WHERE meeting_no = ?");
        const Rewind rewind{statement};
        statement.bind(1, number(meeting));
        return statement.executeStep() ? statement.getColumn(0).getString() : std::string{};
    }

    void seal_session(std::string const& meeting_id, SessionRow const& session, std::int64_t created_at)
    {
        const std::string code = seal->of(database_id, meeting_id, session, created_at);
        SQLite::Statement& statement = prepared("UPDATE session SET mac = ? WHERE session_no = ?");
        const Rewind rewind{statement};
        statement.bind(1, code.data(), static_cast<int>(code.size()));
        statement.bind(2, number(session.number));
        statement.exec();
    }

    /// Rows that usher never wrote, and that would stop everybody: numbers at the end of their range leave no room for
    /// the next, and a row of `daemon` that is missing or unreadable none for this one: whether that was so.
    bool discard_foreign_rows()
    {
        run("DELETE FROM agenda WHERE meeting_no >= ?", foreign_number);
        run("DELETE FROM session WHERE session_no >= ?", foreign_number);
        run("DELETE FROM session_attempt WHERE attempt_no >= ?", foreign_number);
        run("DELETE FROM history WHERE history_no >= ?", foreign_number);
        bool row_was_lost = false;
        for (int tries = 0;; ++tries) {
            try {
                row_was_lost = run("INSERT OR IGNORE INTO daemon (id) VALUES (1)") > 0 || row_was_lost;
                // Fails for a value that is too large, and for a NULL where none may be.
                run(R"sql(UPDATE daemon SET epoch = epoch, who = who, since = since, heartbeat = heartbeat,
                                 certain_at = certain_at, clock_at = clock_at, clock_steady = clock_steady, seq = seq,
                                 work_no = work_no, database_id = database_id, restores = restores, damage = damage
                           WHERE id = 1)sql");
                return row_was_lost;
            } catch (SQLite::Exception const& error) {
                const int code = error.getErrorCode();
                if ((code != SQLITE_TOOBIG && code != SQLITE_CONSTRAINT) || tries > 0)
                    throw;
                run("DELETE FROM daemon");
            }
        }
    }

    /// How far what was planned for a meeting still holds, in the transaction at hand.
    Standing standing(MeetingSnapshot const& meeting, std::int64_t due_at, bool others_wrote)
    {
        if (is_untouched(meeting, due_at, others_wrote))
            return Standing::intact;
        return standing_of(meeting, read_meeting(number(meeting.number), reads_participants(meeting, due_at)), due_at);
    }

    /// Records that somebody is at work, in the transaction at hand.
    void look(sys_seconds now)
    {
        passing_over([&] { run("UPDATE daemon SET heartbeat = ? WHERE id = 1", unix_seconds(now)); });
    }

    /// Returns the number of the event, which `previous` was before.
    std::int64_t add_history(
        MeetingNo meeting, std::optional<std::int64_t> previous, std::string const& event, std::string const& detail,
        sys_seconds now
    )
    {
        SQLite::Statement& statement =
            prepared("INSERT INTO history (at, meeting_no, event, detail, previous_no) VALUES (?, ?, ?, ?, ?)");
        const Rewind rewind{statement};
        SQLite::bind(statement, unix_seconds(now), number(meeting), event, detail);
        bind_optional(statement, 5, previous);
        statement.exec();
        return database->getLastInsertRowid();
    }

    void history(MeetingNo meeting, std::string const& event, std::string const& detail, sys_seconds now)
    {
        const auto last = integer("SELECT last_history_no FROM agenda WHERE meeting_no = ?", number(meeting));
        const std::int64_t added = add_history(meeting, last, event, detail, now);
        run("UPDATE agenda SET last_history_no = ? WHERE meeting_no = ?", added, number(meeting));
    }

    /// Deletes up to so many tokens of a session. Those that were given out are kept as past.
    std::size_t
    delete_tokens(SessionNo session, std::size_t up_to, WithdrawReason why, std::int64_t seq, sys_seconds now)
    {
        const std::int64_t session_no = number(session);
        const auto most = static_cast<std::int64_t>(up_to);
        const auto kept = run(
            R"sql(INSERT INTO token_past (session_no, participant_id, seq, role, reason, issued_at, expires_at,
                                          withdrawn_at, withdrawn_reason)
                  SELECT session_no, participant_id, ?3, role, reason, issued_at, expires_at, ?4, ?5
                    FROM token WHERE session_no = ?1
                     AND EXISTS (SELECT 1 FROM session s WHERE s.session_no = ?1 AND s.published_at IS NOT NULL)
                   ORDER BY participant_id LIMIT ?2)sql",
            session_no, most, seq, unix_seconds(now), static_cast<int>(why)
        );
        if (kept > 0)
            run("UPDATE session SET has_past = 1 WHERE session_no = ? AND has_past = 0", session_no);
        return static_cast<std::size_t>(
            run(R"sql(DELETE FROM token WHERE session_no = ?1 AND participant_id IN
                      (SELECT participant_id FROM token WHERE session_no = ?1 ORDER BY participant_id LIMIT ?2))sql",
                session_no, most)
        );
    }

    /// One participant's token, likewise.
    std::size_t delete_token(
        SessionNo session, std::string const& participant_id, WithdrawReason why, std::int64_t seq, sys_seconds now
    )
    {
        const std::int64_t session_no = number(session);
        const auto kept = run(
            R"sql(INSERT INTO token_past (session_no, participant_id, seq, role, reason, issued_at, expires_at,
                                          withdrawn_at, withdrawn_reason)
                  SELECT session_no, participant_id, ?3, role, reason, issued_at, expires_at, ?4, ?5
                    FROM token WHERE session_no = ?1 AND participant_id = ?2
                     AND EXISTS (SELECT 1 FROM session s WHERE s.session_no = ?1 AND s.published_at IS NOT NULL))sql",
            session_no, participant_id, seq, unix_seconds(now), static_cast<int>(why)
        );
        if (kept > 0)
            run("UPDATE session SET has_past = 1 WHERE session_no = ? AND has_past = 0", session_no);
        return static_cast<std::size_t>(
            run("DELETE FROM token WHERE session_no = ? AND participant_id = ?", session_no, participant_id)
        );
    }

    /// The part of a meeting's agenda row that a publication reads.
    struct AgendaHead {
        std::int64_t due_at = 0;
        SessionLinks sessions;
        std::optional<std::int64_t> last_history_no;
    };
    std::optional<AgendaHead> read_head(MeetingNo meeting)
    {
        SQLite::Statement& statement = prepared(
            R"sql(SELECT due_at, session_no, staged_no, last_session_no, last_history_no
                    FROM agenda WHERE meeting_no = ?)sql"
        );
        const Rewind rewind{statement};
        statement.bind(1, number(meeting));
        if (!statement.executeStep())
            return std::nullopt;
        return AgendaHead{
            statement.getColumn(0).getInt64(),
            {session_at(statement, 1), session_at(statement, 2), session_at(statement, 3)},
            integer_at(statement, 4)};
    }

    /// One seq for all that a publication changes of a meeting; drawn when the first of it is written.
    struct Numbering {
        Impl& impl;
        sys_seconds now;
        std::optional<std::int64_t> drawn{};

        std::int64_t operator()() { return drawn ? *drawn : *(drawn = impl.next_seq(now)); }
    };

    /// Deletes tokens of the meeting's sessions, up to a bound, and returns how many. `all`: why also those still in
    /// use are to go.
    std::size_t delete_session_tokens(
        SessionLinks const& links, std::optional<WithdrawReason> all, std::int64_t seq, sys_seconds now
    )
    {
        std::size_t left = deletes_max;
        for (const SessionNo session : sessions_since(links.last)) {
            const bool in_use = links.published == session || links.staged == session;
            if ((all || !in_use) && left > 0)
                left -= delete_tokens(session, left, all.value_or(WithdrawReason::session_replaced), seq, now);
        }
        return deletes_max - left;
    }

    /// Runs `sql` for each meeting, in short transactions.
    void mark(char const* sql, std::span<MeetingNo const> meetings)
    {
        while (!meetings.empty()) {
            const auto chunk = meetings.first(std::min(meetings.size(), mark_chunk));
            meetings = meetings.subspan(chunk.size());
            ++own_writes;
            write([&] {
                for (const MeetingNo meeting : chunk)
                    run(sql, number(meeting));
            });
        }
    }

    PublishCounts publish_one(Publication const& publication, bool others_wrote, sys_seconds now);
    PublishCounts store_tokens(Publication const& publication, bool intact, bool published, Numbering& numbering);
    void delete_unreadable(MeetingNo meeting, SessionLinks const& links);
    void keep_problems(MeetingSnapshot const& meeting, Plan const& plan, sys_seconds now);
    Cleared clear(
        Publication const& publication, Clearance const& clearance, SessionLinks const& links, Numbering& seq,
        sys_seconds now
    );
    struct PastLeft {
        std::optional<SessionNo> last_session;
        std::optional<std::int64_t> last_history_no;
        bool is_all_gone = false;
    };
    PastLeft purge(MeetingNo meeting, AgendaHead const& head);
    void keep_settled(MeetingNo meeting, Settlement const& settlement, AgendaHead const& head, Numbering& seq);
    void keep_links(MeetingNo meeting, Settlement const& settlement, AgendaHead const& head, std::int64_t seq);
    SessionNo add_session(
        MeetingNo meeting, std::string const& meeting_id, std::optional<SessionNo> previous, SessionRow const& session,
        sys_seconds now, std::optional<sys_seconds> published = std::nullopt
    );
    std::optional<SessionNo> end_call(EndedCall const& call, sys_seconds now);
    CallFacts call_facts(EndedCall const& call);
    /// Whether there is a session of this id, made by usher or adopted.
    bool has_session(std::string const& session_id);
    /// Whether usher wrote the session's row, for this meeting. Nobody is thrown out of any other.
    bool is_ours(SessionRow const& session, MeetingNo meeting);
    void end_disconnect(EndedDisconnect const& ended, sys_seconds now);
    void record_project(ProjectStatus const& project, sys_seconds now);
    bool forget_removals(std::string const& meeting_id);
};

Store::Store(std::unique_ptr<Impl> impl) : impl_{std::move(impl)} {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Store Store::open(std::string const& path)
{
    return Store{std::make_unique<Impl>(path, Access::read_write)};
}

Store Store::open_read_only(std::string const& path)
{
    return Store{std::make_unique<Impl>(path, Access::read_only)};
}

Tenure Store::take_over(std::string_view who, sys_seconds now, std::chrono::steady_clock::time_point steady)
{
    Impl& impl = *impl_;
    impl.seal = read_seal(impl.path);
    impl.mark_file.emplace(impl.path);
    impl.who = who;
    impl.since = now;
    return impl.guarded([&] {
        SQLite::Transaction transaction{*impl.database, SQLite::TransactionBehavior::IMMEDIATE};
        const bool row_was_lost = impl.discard_foreign_rows();
        if (!impl.seal && impl.integer("SELECT 1 FROM session LIMIT 1"))
            throw DatabaseError{
                impl.path +
                ".key: is missing, and with it the proof that the sessions are usher's own; restore it from "
                "the backup of the database, or accept all sessions that are there with: usherctl --db " +
                shell_word(impl.path) + " init --adopt-sessions"};
        if (!impl.seal)
            impl.seal = make_seal(impl.path, impl.path + ".key");
        impl.key_file.emplace(impl.path);
        const auto kept = [&](char const* sql) { return bounded_instant(impl.integer(sql).value_or(0)); };
        const sys_seconds last_look = kept("SELECT max(since, heartbeat) FROM daemon WHERE id = 1");
        const ClockRecord clock = at_start(
            {kept("SELECT certain_at FROM daemon WHERE id = 1"), kept("SELECT clock_at FROM daemon WHERE id = 1"),
             kept("SELECT clock_steady FROM daemon WHERE id = 1").time_since_epoch()},
            now, steady
        );
        const std::int64_t before = impl.integer("SELECT epoch FROM daemon WHERE id = 1").value_or(0);
        impl.epoch = std::clamp<std::int64_t>(before, 0, foreign_number) + 1;
        if (row_was_lost) // an epoch that no daemon had before
            impl.epoch = std::max(impl.epoch, unix_seconds(now) * 1000);
        impl.know_database();
        impl.run(
            R"sql(UPDATE daemon SET epoch = ?, who = ?, since = ?, heartbeat = ?, certain_at = ?, clock_at = ?,
                                    clock_steady = ? WHERE id = 1)sql",
            impl.epoch, impl.who, unix_seconds(now), unix_seconds(now), unix_seconds(clock.certain),
            unix_seconds(clock.seen), std::int64_t{clock.steady.count()}
        );
        impl.run("UPDATE session_attempt SET outcome = 'abandoned' WHERE outcome = 'started'");
        transaction.commit();
        impl.mark_file->write({impl.database_id, impl.highest_seq});
        return Tenure{last_look, clock};
    });
}

bool Store::holds_older_rows() const
{
    Impl& impl = *impl_;
    return impl.guarded([&] {
        return impl.passing_over([&] {
            return impl
                .integer(
                    "SELECT 1 FROM daemon WHERE id = 1 AND (epoch < ?1 OR (epoch = ?1 AND seq < ?2))", impl.epoch,
                    impl.highest_seq
                )
                .has_value();
        });
    });
}

bool Store::take_restored()
{
    return std::exchange(impl_->restored, false);
}

bool Store::renumber(std::size_t limit, sys_seconds now)
{
    Impl& impl = *impl_;
    const auto cursor = impl.guarded([&] { return impl.integer("SELECT restore_cursor FROM daemon WHERE id = 1"); });
    if (!cursor)
        return false;
    return impl.write([&] {
        return impl.unbounded([&] {
            std::vector<std::int64_t> meetings;
            {
                SQLite::Statement& statement = impl.prepared(
                    "SELECT meeting_no FROM agenda WHERE meeting_no > ? AND seq IS NOT NULL ORDER BY meeting_no LIMIT ?"
                );
                const Rewind rewind{statement};
                statement.bind(1, *cursor);
                statement.bind(2, static_cast<std::int64_t>(limit));
                while (statement.executeStep())
                    meetings.push_back(statement.getColumn(0).getInt64());
            }
            for (const std::int64_t meeting_no : meetings)
                impl.run("UPDATE agenda SET seq = ? WHERE meeting_no = ?", impl.next_seq(now), meeting_no);
            if (meetings.empty()) {
                impl.run("UPDATE daemon SET restore_cursor = NULL WHERE id = 1");
                return false;
            }
            impl.run("UPDATE daemon SET restore_cursor = ? WHERE id = 1", meetings.back());
            return true;
        });
    });
}

std::int64_t adopt_sessions(std::string const& path, std::string const& who)
{
    const std::string real = real_path(path);
    Store store = Store::open(real);
    const InstanceLock lock{real, who};
    return store.adopt_sessions();
}

std::int64_t Store::adopt_sessions()
{
    Impl& impl = *impl_;
    impl.seal = read_seal(impl.path);
    // A new key gets its name last: a daemon that found one would take off every session that is not sealed yet.
    const std::string key = impl.path + ".key";
    const std::string new_key = key + ".new";
    const bool was_lost = !impl.seal;
    if (was_lost) {
        std::filesystem::remove(new_key); // of an attempt that was cut short
        impl.seal = make_seal(impl.path, new_key);
    }
    std::int64_t adopted = 0;
    impl.guarded([&] {
        for (std::int64_t after = 0;;) {
            SQLite::Transaction transaction{*impl.database, SQLite::TransactionBehavior::IMMEDIATE};
            impl.read_database_id();
            struct Row {
                std::string meeting_id;
                SessionRow session;
                std::int64_t created_at;
            };
            std::vector<Row> rows;
            {
                SQLite::Statement& statement = impl.prepared(
                    R"sql(SELECT s.session_no, s.session_id, s.provider, s.project, s.project_key, s.options, s.adopted,
                                 s.created_at, a.meeting_id
                            FROM session s JOIN agenda a ON a.meeting_no = s.meeting_no
                           WHERE s.session_no > ? ORDER BY s.session_no LIMIT 200)sql"
                );
                const Rewind rewind{statement};
                statement.bind(1, after);
                while (statement.executeStep())
                    rows.push_back(
                        {statement.getColumn(8).getString(),
                         {SessionNo{statement.getColumn(0).getInt64()}, statement.getColumn(1).getString(),
                          statement.getColumn(2).getString(), statement.getColumn(3).getString(),
                          statement.getColumn(4).getString(), statement.getColumn(5).getString(),
                          statement.getColumn(6).getInt() != 0},
                         statement.getColumn(7).getInt64()}
                    );
            }
            if (rows.empty()) {
                transaction.commit();
                return;
            }
            for (Row const& row : rows) {
                impl.seal_session(row.meeting_id, row.session, row.created_at);
                after = number(row.session.number);
                ++adopted;
            }
            transaction.commit();
        }
    });
    if (was_lost)
        std::filesystem::rename(new_key, key);
    return adopted;
}

std::string Store::owner() const
{
    return impl_->guarded([&] { return impl_->owner(); });
}

Inspection Store::inspect(std::chrono::steady_clock::time_point now)
{
    Impl& impl = *impl_;
    return impl.guarded([&] {
        Inspection result = impl.keeper.inspect(*impl.database, now);
        impl.keep_damage(result.state);
        return result;
    });
}

Store Store::reader() const
{
    Store other = open_read_only(impl_->path);
    other.impl_->seal = impl_->seal;
    other.impl_->database_id = impl_->database_id;
    return other;
}

std::string const& Store::path() const
{
    return impl_->path;
}

Seen Store::seen() const
{
    return {data_version(), impl_->own_writes};
}

Store::Due Store::due(sys_seconds now, std::size_t limit, std::set<MeetingNo> const& in_hand) const
{
    Impl& impl = *impl_;
    const std::int64_t instant_now = unix_seconds(now);
    return impl.guarded([&] {
        Due result;
        std::vector<MeetingNo>& meetings = result.meetings;
        std::set<MeetingNo> seen = in_hand;
        const auto take = [&](std::size_t most, char const* sql, auto const&... bounds) {
            const std::size_t goal = std::min(limit, meetings.size() + most);
            if (meetings.size() >= goal)
                return;
            SQLite::Statement& statement = impl.prepared(sql);
            const Rewind rewind{statement};
            SQLite::bind(statement, bounds...);
            while (meetings.size() < goal && statement.executeStep())
                if (const MeetingNo meeting{statement.getColumn(0).getInt64()}; seen.insert(meeting).second)
                    meetings.push_back(meeting);
        };
        const auto near = [&](std::size_t most) {
            take(
                most, R"sql(SELECT meeting_no FROM agenda INDEXED BY agenda_by_need
                             WHERE due_at = 0 AND starts_at BETWEEN ? AND ? ORDER BY starts_at)sql",
                unix_seconds(now - near_before), unix_seconds(now + near_after)
            );
        };
        const auto timed = [&](std::size_t most) {
            take(
                most, R"sql(SELECT meeting_no FROM agenda INDEXED BY agenda_by_time
                             WHERE due_at > 0 AND due_at <= ? ORDER BY due_at)sql",
                instant_now
            );
        };
        const auto written = [&](std::size_t most) {
            take(most, R"sql(SELECT meeting_no FROM agenda INDEXED BY agenda_by_day
                             WHERE due_at = 0 ORDER BY day, session_no, meeting_no)sql");
        };
        near(limit);
        result.near = !meetings.empty();
        timed((limit - meetings.size() + 1) / 2); // neither a bulk of the one nor of the other stops its neighbour
        written(limit);
        timed(limit);
        return result;
    });
}

std::vector<MeetingSnapshot> Store::read(std::span<MeetingNo const> meetings, std::size_t participants_max) const
{
    Impl& impl = *impl_;
    return impl.guarded([&] {
        std::vector<MeetingSnapshot> result;
        result.reserve(meetings.size());
        std::size_t participants = 0;
        std::optional<SQLite::Transaction> transaction; // one instant for all rows of a meeting
        for (std::size_t i = 0; i < meetings.size() && participants <= participants_max; ++i) {
            if (i % read_together == 0) {
                transaction.reset();
                transaction.emplace(*impl.database);
            }
            const MeetingNo meeting = meetings[i];
            if (std::optional<MeetingSnapshot> snapshot = impl.read_meeting(number(meeting))) {
                participants += snapshot->participants.size();
                result.push_back(std::move(*snapshot));
            }
        }
        return result;
    });
}

std::optional<sys_seconds> Store::next_due() const
{
    Impl& impl = *impl_;
    return impl.guarded([&]() -> std::optional<sys_seconds> {
        if (impl.integer("SELECT 1 FROM agenda INDEXED BY agenda_by_need WHERE due_at = 0 LIMIT 1"))
            return sys_seconds{};
        const auto due =
            impl.integer("SELECT due_at FROM agenda INDEXED BY agenda_by_time WHERE due_at > 0 ORDER BY due_at LIMIT 1"
            );
        if (!due || *due == never)
            return std::nullopt;
        return from_unix(*due);
    });
}

CallRecord Store::record_calls(CallNews const& news, sys_seconds now, std::function<void()> const& locked)
{
    CallRecord record;
    if (news.empty())
        return record;
    Impl& impl = *impl_;
    ++impl.own_writes;
    return impl.write([&] {
        if (locked)
            locked();
        for (EndedCall const& call : news.ended)
            record.staged.push_back(impl.end_call(call, now));
        for (const MeetingNo meeting : news.begun) {
            impl.run(
                "INSERT INTO session_attempt (meeting_no, started_at) VALUES (?, ?)", number(meeting), unix_seconds(now)
            );
            record.attempts.push_back(impl.database->getLastInsertRowid());
        }
        if (news.all_projects)
            impl.run("DELETE FROM project_status");
        for (ProjectStatus const& project : news.projects)
            impl.record_project(project, now);
        for (const MeetingNo meeting : news.to_look_at)
            impl.run("UPDATE agenda SET due_at = 0 WHERE meeting_no = ? AND due_at <> 0", number(meeting));
        for (EndedDisconnect const& ended : news.disconnects)
            impl.end_disconnect(ended, now);
        return record;
    });
}

bool Store::has_session(std::string const& session_id) const
{
    Impl& impl = *impl_;
    return impl.guarded([&] { return impl.has_session(session_id); });
}

std::optional<SessionNo> Store::Impl::end_call(EndedCall const& call, sys_seconds now)
{
    const CallSettlement settlement = settle_call(call, call_facts(call));
    run("UPDATE session_attempt SET outcome = ? WHERE attempt_no = ?", std::string{to_text(settlement.outcome)},
        call.attempt);
    if (settlement.is_due)
        run("UPDATE agenda SET due_at = 0 WHERE meeting_no = ? AND due_at <> 0", number(call.meeting));
    if (settlement.is_staged) {
        const std::optional<AgendaHead> head = read_head(call.meeting);
        const SessionNo session =
            add_session(call.meeting, meeting_id(call.meeting), head->sessions.last, call.session, now);
        run(R"sql(UPDATE agenda SET staged_no = ?1, last_session_no = ?1, next_at = 0, attempts = 0, failed_inputs = 0
                   WHERE meeting_no = ?2)sql",
            number(session), number(call.meeting));
        return session;
    }
    if (!settlement.attempts)
        return std::nullopt;
    run(R"sql(UPDATE agenda SET attempts = ?7, next_at = ?3, failed_inputs = ?2, state = ?4, reason = ?5, detail = ?6
               WHERE meeting_no = ?1)sql",
        number(call.meeting), static_cast<std::int64_t>(call.inputs), unix_seconds(call.next_at),
        std::string{to_text(call.state)}, call.reason, call.detail, *settlement.attempts);
    if (settlement.is_news) {
        run("UPDATE agenda SET seq = ? WHERE meeting_no = ?", next_seq(now), number(call.meeting));
        history(call.meeting, "session_failed", call.reason, now);
    }
    return std::nullopt;
}

CallFacts Store::Impl::call_facts(EndedCall const& call)
{
    CallFacts facts;
    facts.is_wanted = inputs_unchanged(call.meeting, call.session);
    facts.id_taken = has_session(call.session.session_id);
    SQLite::Statement& statement =
        prepared("SELECT state, reason, attempts, failed_inputs FROM agenda WHERE meeting_no = ?");
    const Rewind rewind{statement};
    statement.bind(1, number(call.meeting));
    facts.is_known = statement.executeStep();
    if (!facts.is_known)
        return facts;
    facts.state = parse_state(statement.getColumn(0).getString()).value_or(State::pending);
    facts.reason = statement.getColumn(1).getString();
    facts.attempts = statement.getColumn(2).getInt();
    facts.failed_inputs = static_cast<std::uint64_t>(statement.getColumn(3).getInt64());
    return facts;
}

SessionNo Store::Impl::add_session(
    MeetingNo meeting, std::string const& meeting_id, std::optional<SessionNo> previous, SessionRow const& session,
    sys_seconds now, std::optional<sys_seconds> published
)
{
    SQLite::Statement& statement = prepared(
        R"sql(INSERT INTO session (meeting_no, session_id, provider, project, project_key, options, created_at,
                                   adopted, previous_no, mac, published_at)
              VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?))sql"
    );
    const Rewind rewind{statement};
    SQLite::bind(
        statement, number(meeting), session.session_id, session.provider, session.project, session.project_key,
        session.options, unix_seconds(now), session.adopted ? 1 : 0
    );
    bind_optional(statement, 9, previous);
    const std::string code = seal ? seal->of(database_id, meeting_id, session, unix_seconds(now)) : std::string{};
    statement.bind(10, code.data(), static_cast<int>(code.size()));
    bind_optional(statement, 11, published);
    statement.exec();
    return SessionNo{database->getLastInsertRowid()};
}

std::vector<MeetingSnapshot> Store::read_orders(std::span<MeetingNo const> meetings) const
{
    Impl& impl = *impl_;
    return impl.guarded([&] {
        std::vector<MeetingSnapshot> result;
        const SQLite::Transaction transaction{*impl.database};
        for (const MeetingNo meeting : meetings)
            if (std::optional<MeetingSnapshot> snapshot = impl.read_meeting(number(meeting), false);
                snapshot && !snapshot->is_unreadable)
                result.push_back(std::move(*snapshot));
        return result;
    });
}

bool Store::Impl::has_session(std::string const& session_id)
{
    return integer(
               R"sql(SELECT 1 FROM session WHERE session_id = ?1 AND adopted = 0
                     UNION ALL SELECT 1 FROM session WHERE session_id = ?1 AND adopted = 1 LIMIT 1)sql",
               session_id
    )
        .has_value();
}

bool Store::Impl::is_ours(SessionRow const& session, MeetingNo meeting)
{
    return sealed_session(number(session.number), meeting_id(meeting)).has_value();
}

std::vector<Disconnect> Store::read_disconnects(std::optional<std::string> const& project, std::size_t limit) const
{
    Impl& impl = *impl_;
    return impl.guarded([&] {
        SQLite::Statement& statement = impl.prepared(R"sql(
            SELECT session_no, session_id, provider, project, project_key, options, meeting_no, adopted,
                   EXISTS (SELECT 1 FROM session other
                             JOIN agenda a ON a.meeting_no = other.meeting_no AND a.session_no = other.session_no
                            WHERE other.session_id = session.session_id AND other.adopted = 1)
              FROM session INDEXED BY session_to_disconnect
             WHERE disconnect = 1
               AND CASE WHEN ?1 IS NULL THEN NOT EXISTS (SELECT 1 FROM project_status p WHERE p.name = project)
                        ELSE project = ?1 END
             ORDER BY session_no LIMIT ?2
        )sql");
        const Rewind rewind{statement};
        if (project)
            statement.bind(1, *project);
        statement.bind(2, static_cast<std::int64_t>(limit));
        std::vector<Disconnect> result;
        while (statement.executeStep()) {
            Disconnect& row = result.emplace_back();
            row.session = {SessionNo{statement.getColumn(0).getInt64()}, statement.getColumn(1).getString(),
                           statement.getColumn(2).getString(),           statement.getColumn(3).getString(),
                           statement.getColumn(4).getString(),           statement.getColumn(5).getString(),
                           statement.getColumn(7).getInt() != 0};
            row.meeting = MeetingNo{statement.getColumn(6).getInt64()};
            row.meeting_id = impl.meeting_id(row.meeting);
            row.ours = impl.is_ours(row.session, row.meeting);
            row.shared = statement.getColumn(8).getInt() != 0;
        }
        return result;
    });
}

void Store::Impl::end_disconnect(EndedDisconnect const& ended, sys_seconds now)
{
    run("UPDATE session SET disconnect = 0 WHERE session_no = ?", number(ended.session));
    if (!ended.event.empty() && integer("SELECT 1 FROM agenda WHERE meeting_no = ?", number(ended.meeting)))
        history(ended.meeting, ended.event, ended.detail, now);
}

void Store::Impl::record_project(ProjectStatus const& project, sys_seconds now)
{
    SQLite::Statement& statement = prepared(
        R"sql(INSERT OR REPLACE INTO project_status (name, provider, project_key, key_id, reason, detail, next_at,
                                                     clock_ahead, changed_at)
              VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?))sql"
    );
    const Rewind rewind{statement};
    SQLite::bind(
        statement, project.name, project.provider, project.project_key, project.key_id, project.reason, project.detail
    );
    if (project.next_at)
        statement.bind(7, unix_seconds(*project.next_at));
    if (project.clock_ahead)
        statement.bind(8, std::int64_t{project.clock_ahead->count()});
    statement.bind(9, unix_seconds(now));
    statement.exec();
}

void Store::record_doors(Policy const& policy)
{
    Impl& impl = *impl_;
    const auto is_recorded = [&](Role role) {
        return impl
            .integer(
                "SELECT 1 FROM door WHERE role = ? AND code = ? AND early_join = ? AND hidden = ?",
                std::string{to_text(role)}, static_cast<int>(role), std::int64_t{policy.early_join.of(role).count()},
                policy.visible_at_opens ? 1 : 0
            )
            .has_value();
    };
    constexpr std::array roles{Role::subscriber, Role::publisher, Role::publisheronly, Role::moderator};
    const auto all_are_recorded = [&] {
        try {
            return impl.guarded([&] {
                return std::all_of(roles.begin(), roles.end(), is_recorded) &&
                       impl.integer("SELECT count(*) FROM door") == static_cast<std::int64_t>(roles.size());
            });
        } catch (RowError const&) {
            return false;
        }
    };
    if (all_are_recorded())
        return;
    impl.write([&] {
        impl.run("DELETE FROM door");
        for (const Role role : roles)
            impl.run(
                "INSERT OR REPLACE INTO door (role, code, early_join, hidden) VALUES (?, ?, ?, ?)",
                std::string{to_text(role)}, static_cast<int>(role), std::int64_t{policy.early_join.of(role).count()},
                policy.visible_at_opens ? 1 : 0
            );
    });
}

void Store::beat(sys_seconds now, sys_seconds certain)
{
    impl_->write([&] {
        impl_->look(now);
        impl_->passing_over([&] { impl_->run("UPDATE daemon SET certain_at = ? WHERE id = 1", unix_seconds(certain)); }
        );
    });
}

void Store::warm_up(std::span<Publication const> publications) const
{
    Impl& impl = *impl_;
    try {
        impl.guarded([&] {
            const SQLite::Transaction transaction{*impl.database};
            for (Publication const& publication : publications) {
                MeetingSnapshot const& meeting = *publication.meeting;
                impl.integer("SELECT due_at FROM agenda WHERE meeting_no = ?", number(meeting.number));
                if (publication.tokens.empty() || publication.session == nullptr)
                    continue;
                impl.integer(
                    "SELECT count(*) FROM token WHERE session_no = ? AND participant_id BETWEEN ? AND ?",
                    number(publication.session->number),
                    meeting.participants[publication.tokens.front().participant].id,
                    meeting.participants[publication.tokens.back().participant].id
                );
            }
        });
    } catch (RowError const&) { // publish() finds out which
    }
}

PublishCounts
Store::publish(std::span<Publication const> publications, sys_seconds now, std::function<void()> const& locked)
{
    PublishCounts counts;
    if (publications.empty())
        return counts;
    Impl& impl = *impl_;
    impl.numbered.clear();
    try {
        impl.write([&] {
            if (locked)
                locked();
            const Seen seen{impl.integer("PRAGMA data_version").value_or(0), impl.own_writes};
            for (Publication const& publication : publications)
                counts += impl.publish_one(publication, seen != publication.seen, now);
            impl.unbounded([&] { impl.requests.keep_counts(now); }); // whatever somebody else wrote there
            impl.look(now);
        });
    } catch (...) { // the rows are as they were
        for (SessionRow* session : impl.numbered)
            session->number = {};
        throw;
    }
    return counts;
}

PublishCounts
Store::Impl::store_tokens(Publication const& publication, bool intact, bool published, Numbering& numbering)
{
    PublishCounts counts;
    if (publication.tokens.empty())
        return counts;
    const std::int64_t seq = published ? numbering() : 0;
    MeetingSnapshot const& meeting = *publication.meeting;
    const std::string key_id{publication.key_id};
    SQLite::Statement& upsert = prepared(R"sql(
        INSERT INTO token (session_no, participant_id, token, role, reason, issued_at, expires_at,
                           generation, key_id, fingerprint)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
        ON CONFLICT (session_no, participant_id) DO UPDATE SET
            token = excluded.token, role = excluded.role, reason = excluded.reason,
            issued_at = excluded.issued_at, expires_at = excluded.expires_at,
            generation = excluded.generation, key_id = excluded.key_id, fingerprint = excluded.fingerprint
    )sql");
    // Takes less time where there is a row.
    SQLite::Statement& update = prepared(R"sql(
        UPDATE token SET token = ?3, role = ?4, reason = ?5, issued_at = ?6, expires_at = ?7, generation = ?8,
               key_id = ?9, fingerprint = ?10
         WHERE session_no = ?1 AND participant_id = ?2
    )sql");
    const Rewind rewind_upsert{upsert};
    const Rewind rewind_update{update};
    const bool kept_at_once = published && intact && fill_a_range(meeting, publication.tokens);
    bool kept = false;
    // What is replaced is kept as past, if anybody was given it.
    const auto keep = [&](SignedToken const& first, SignedToken const& last) {
        const int rows = run(
            R"sql(INSERT INTO token_past (session_no, participant_id, seq, role, reason, issued_at, expires_at,
                                          withdrawn_at, withdrawn_reason)
                  SELECT session_no, participant_id, ?1, role, reason, issued_at, expires_at, ?2, ?3
                    FROM token WHERE session_no = ?4 AND participant_id BETWEEN ?5 AND ?6)sql",
            seq, unix_seconds(publication.plan->at), static_cast<int>(first.reason),
            number(publication.session->number), meeting.participants[first.participant].id,
            meeting.participants[last.participant].id
        );
        kept = kept || rows > 0;
    };
    if (kept_at_once)
        keep(publication.tokens.front(), publication.tokens.back());
    for (SQLite::Statement* statement : {&upsert, &update}) {
        statement->bind(1, number(publication.session->number));
        statement->bind(8, meeting.generation);
        statement->bindNoCopy(9, key_id);
    }
    // What most tokens of a meeting have in common is bound once, until it changes.
    SignedToken const* last = nullptr;
    const auto bind_times = [&](SignedToken const& token) {
        if (last != nullptr && last->reason == token.reason && last->issued_at == token.issued_at &&
            last->expires_at == token.expires_at)
            return;
        last = &token;
        for (SQLite::Statement* statement : {&upsert, &update}) {
            statement->bind(5, static_cast<int>(token.reason));
            statement->bind(6, unix_seconds(token.issued_at));
            statement->bind(7, unix_seconds(token.expires_at));
        }
    };
    for (SignedToken const& token : publication.tokens) {
        ParticipantRow const& participant = meeting.participants[token.participant];
        if (!intact && !participant_unchanged(meeting, participant)) {
            ++counts.skipped;
            continue;
        }
        const auto write = [&](SQLite::Statement& statement) {
            statement.bindNoCopy(2, participant.id);
            statement.bindNoCopy(3, token.token);
            statement.bind(4, static_cast<int>(*participant.role));
            statement.bind(10, static_cast<std::int64_t>(token.fingerprint));
            const int rows = statement.exec();
            statement.reset(); // what is bound stays
            return rows;
        };
        bind_times(token);
        if (participant.token && published && !kept_at_once)
            keep(token, token);
        if (!participant.token || write(update) == 0)
            write(upsert);
        ++counts.tokens;
    }
    if (kept)
        run("UPDATE session SET has_past = 1 WHERE session_no = ? AND has_past = 0",
            number(publication.session->number));
    return counts;
}

PublishCounts Store::Impl::publish_one(Publication const& publication, bool others_wrote, sys_seconds now)
{
    MeetingSnapshot const& meeting = *publication.meeting;
    Plan const& plan = *publication.plan;
    PublishCounts counts;
    const std::optional<AgendaHead> found = read_head(meeting.number);
    if (!found)
        return counts;
    AgendaHead head = *found;
    const std::vector<OpenWork> open =
        meeting.requests.empty() ? std::vector<OpenWork>{} : requests.open_work(number(meeting.number));
    const SettlementFacts facts{
        meeting, plan, standing(meeting, head.due_at, others_wrote), open, publication.session != nullptr};
    Numbering seq{*this, now};

    // A session that was made for this and is not on record yet is staged, or published at once by the only slice.
    SessionRow* const session = uses_session(facts) ? publication.session : nullptr;
    const bool added = session != nullptr && session->number == SessionNo{};
    const bool published_at_once = added && publication.last && plan.session == SessionStep::create;
    if (added) {
        numbered.push_back(session);
        session->number = add_session(
            meeting.number, meeting.id, head.sessions.last, *session, now,
            published_at_once ? std::optional{plan.at} : std::nullopt
        );
        head.sessions.staged = head.sessions.last = session->number;
    }
    if (meeting.has_unreadable_rows)
        delete_unreadable(meeting.number, head.sessions);
    const bool published = session != nullptr && head.sessions.published == session->number;
    const bool in_use = published || (session != nullptr && head.sessions.staged == session->number);
    if (in_use)
        counts = store_tokens(publication, standing_of(facts) == Standing::intact, published, seq);
    else
        counts.skipped = publication.tokens.size();
    if (counts.tokens > 0)
        requests.count_tokens(meeting, counts.tokens);
    if (!publication.last) {
        if (added)
            run("UPDATE agenda SET staged_no = ?1, last_session_no = ?1 WHERE meeting_no = ?2", number(session->number),
                number(meeting.number));
        if (counts.tokens > 0)
            run("UPDATE agenda SET seq = ? WHERE meeting_no = ?", seq(), number(meeting.number));
        return counts;
    }

    const Clearance clearance = clearance_of(facts, in_use);
    Cleared cleared = clear(publication, clearance, head.sessions, seq, now);
    cleared.tokens = counts.tokens;
    counts.withdrawn = cleared.deleted;
    if (clearance.past && cleared.finished) {
        const PastLeft left = purge(meeting.number, head);
        cleared.finished = left.is_all_gone;
        cleared.links = {std::nullopt, std::nullopt, left.last_session};
        head.last_history_no = left.last_history_no;
    }
    if (clearance.agenda_row && cleared.finished) {
        requests.forget(number(meeting.number));
        run("DELETE FROM agenda WHERE meeting_no = ?", number(meeting.number));
        counts.settled = 1;
        return counts;
    }
    const Settlement settlement = settle(facts, cleared, in_use ? std::optional{session->number} : std::nullopt, now);
    if (settlement.outcome.publishes && !published_at_once)
        run("UPDATE session SET published_at = ? WHERE session_no = ?", unix_seconds(plan.at), number(session->number));
    for (HistoryEvent const& event : settlement.events)
        head.last_history_no = add_history(meeting.number, head.last_history_no, event.name, event.detail, now);
    keep_settled(meeting.number, settlement, head, seq);
    requests.end(meeting, plan, settlement.outcome, now);
    counts.sessions = settlement.outcome.publishes ? 1 : 0;
    counts.settled = settlement.settled ? 1 : 0;
    return counts;
}

/// What usher never wrote; all of the meeting's is made anew.
void Store::Impl::delete_unreadable(MeetingNo meeting, SessionLinks const& links)
{
    unbounded([&] {
        for (const auto session : {links.published, links.staged})
            if (session)
                run("DELETE FROM token WHERE session_no = ?", number(*session));
        run("DELETE FROM participant_problem WHERE meeting_no = ?", number(meeting));
    });
}

void Store::Impl::keep_problems(MeetingSnapshot const& meeting, Plan const& plan, sys_seconds now)
{
    const std::int64_t meeting_no = number(meeting.number);
    for (Problem const& problem : plan.problems)
        run(R"sql(INSERT OR REPLACE INTO participant_problem (meeting_no, participant_id, reason, detail, since)
                  VALUES (?, ?, ?, ?, ?))sql",
            meeting_no, meeting.participants[problem.participant].id, problem.reason, problem.detail,
            unix_seconds(now));
    for (const std::size_t i : plan.solved)
        run("DELETE FROM participant_problem WHERE meeting_no = ? AND participant_id = ?", meeting_no,
            meeting.participants[i].id);
    if (meeting.has_stale_problems)
        run(R"sql(DELETE FROM participant_problem WHERE meeting_no = ?1 AND NOT EXISTS
                  (SELECT 1 FROM participant p
                    WHERE p.meeting_id = ?2 AND p.participant_id = participant_problem.participant_id)
                  AND NOT EXISTS
                  (SELECT 1 FROM participant p
                    WHERE p.meeting_id = ?2
                      AND )sql" USHER_PROBLEM_KEY("p.participant_id") R"sql( = participant_problem.participant_id))sql",
            meeting_no, meeting.id);
}

/// Has go what goes before a meeting is settled, but its past.
Cleared Store::Impl::clear(
    Publication const& publication, Clearance const& clearance, SessionLinks const& links, Numbering& seq,
    sys_seconds now
)
{
    MeetingSnapshot const& meeting = *publication.meeting;
    Plan const& plan = *publication.plan;
    Cleared cleared;
    cleared.links = links;
    if (clearance.withdraws)
        for (Withdrawal const& withdrawal : plan.withdraw)
            cleared.withdrawn += delete_token(
                publication.session->number, meeting.participants[withdrawal.participant].id, withdrawal.reason, seq(),
                plan.at
            );
    cleared.deleted = cleared.withdrawn;
    if (clearance.keeps_problems)
        keep_problems(meeting, plan, now);
    if (clearance.all_tokens || clearance.leftovers) {
        const std::size_t deleted = delete_session_tokens(links, clearance.all_tokens, seq(), plan.at);
        cleared.deleted += deleted;
        cleared.finished = deleted < deletes_max;
    }
    if (clearance.marks_disconnect)
        for (const SessionNo session : sessions_since(links.last))
            run("UPDATE session SET disconnect = 1 WHERE session_no = ? AND adopted = 0", number(session));
    if (clearance.removals)
        cleared.finished = forget_removals(meeting.id) && cleared.finished;
    return cleared;
}

/// The agenda row of a meeting that was published.
void Store::Impl::keep_settled(MeetingNo meeting, Settlement const& settlement, AgendaHead const& head, Numbering& seq)
{
    const std::optional<std::int64_t> changed = settlement.changed ? std::optional{seq()} : std::nullopt;
    if (!settlement.leaves_no_doubt)
        run("UPDATE agenda SET due_at = 1 WHERE meeting_no = ? AND due_at = 0", number(meeting));
    if (!settlement.row) { // the rest is for the next pass
        if (changed)
            keep_links(meeting, settlement, head, *changed);
        return;
    }
    SettledRow const& row = *settlement.row;
    SQLite::Statement& statement = prepared(R"sql(
        UPDATE agenda SET due_at = ?1, opens = ?2, closes = ?3, policy_hash = ?4, next_at = ?5, attempts = ?6,
               failed_inputs = ?7, state = ?8, reason = ?9, detail = ?10, ready_at = ?11,
               renew_session = CASE WHEN ?12 < 0 THEN 0 ELSE max(renew_session, ?12) END,
               seq = COALESCE(?13, seq), session_no = ?14, staged_no = ?15,
               last_session_no = ?16, last_history_no = ?17, generation = max(generation, ?18),
               settled_at = ?20, gone_at = ?21, edited_early = ?22
         WHERE meeting_no = ?19
    )sql");
    const Rewind rewind{statement};
    const std::int64_t due = row.due ? unix_seconds(*row.due) : never;
    statement.bind(1, row.due_now ? std::int64_t{0} : due);
    bind_optional(statement, 2, row.opens);
    bind_optional(statement, 3, row.closes);
    statement.bind(4, static_cast<std::int64_t>(row.policy_hash));
    statement.bind(5, unix_seconds(row.next_at));
    statement.bind(6, row.attempts);
    statement.bind(7, static_cast<std::int64_t>(row.failed_inputs));
    statement.bind(8, std::string{to_text(row.state)});
    statement.bindNoCopy(9, row.reason);
    statement.bindNoCopy(10, row.detail);
    bind_optional(statement, 11, row.ready_at);
    statement.bind(12, settlement.outcome.publishes ? -1 : static_cast<int>(row.renewal));
    bind_optional(statement, 13, changed);
    bind_optional(statement, 14, settlement.links.published);
    bind_optional(statement, 15, settlement.links.staged);
    bind_optional(statement, 16, settlement.links.last);
    bind_optional(statement, 17, head.last_history_no);
    statement.bind(18, row.generation);
    statement.bind(19, number(meeting));
    statement.bind(20, unix_seconds(row.settled_at));
    bind_optional(statement, 21, row.gone_at);
    statement.bind(22, row.edited_early ? 1 : 0);
    statement.exec();
}

/// Of a meeting that was edited meanwhile: what was published all the same.
void Store::Impl::keep_links(MeetingNo meeting, Settlement const& settlement, AgendaHead const& head, std::int64_t seq)
{
    SQLite::Statement& statement = prepared(R"sql(
        UPDATE agenda SET session_no = ?1, staged_no = ?2, last_session_no = ?3, last_history_no = ?4, seq = ?5,
               renew_session = CASE WHEN ?6 THEN 0 ELSE renew_session END
         WHERE meeting_no = ?7
    )sql");
    const Rewind rewind{statement};
    bind_optional(statement, 1, settlement.links.published);
    bind_optional(statement, 2, settlement.links.staged);
    bind_optional(statement, 3, settlement.links.last);
    bind_optional(statement, 4, head.last_history_no);
    statement.bind(5, seq);
    statement.bind(6, settlement.outcome.publishes ? 1 : 0);
    statement.bind(7, number(meeting));
    statement.exec();
}

/// Deletes a part of who was removed early; true when nobody is left.
bool Store::Impl::forget_removals(std::string const& meeting_id)
{
    std::int64_t deleted = 0;
    unbounded([&] { // whatever somebody else wrote there
        deleted = run(
            R"sql(DELETE FROM removal WHERE (meeting_id, participant_id) IN
                  (SELECT meeting_id, participant_id FROM removal WHERE meeting_id = ? LIMIT ?))sql",
            meeting_id, purged_max
        );
    });
    return deleted < purged_max;
}

/// Deletes a part of what is over, newest first.
Store::Impl::PastLeft Store::Impl::purge(MeetingNo meeting, AgendaHead const& head)
{
    PastLeft past{head.sessions.last, head.last_history_no};
    std::int64_t left = purged_max;
    while (past.last_session && left > 0) {
        const SessionNo session = *past.last_session;
        left -= run(
            R"sql(DELETE FROM token_past WHERE (session_no, participant_id, seq) IN
                  (SELECT session_no, participant_id, seq FROM token_past WHERE session_no = ? LIMIT ?))sql",
            number(session), left
        );
        if (left <= 0)
            return past;
        const auto previous = session_before(session);
        left -= run("DELETE FROM session WHERE session_no = ?", number(session));
        past.last_session = previous && *previous < session ? previous : std::nullopt;
    }
    while (past.last_history_no && left > 0) {
        const std::int64_t event = *past.last_history_no;
        const auto previous = integer("SELECT previous_no FROM history WHERE history_no = ?", event);
        run("DELETE FROM history WHERE history_no = ?", event);
        --left;
        past.last_history_no = previous && *previous < event ? previous : std::nullopt;
    }
    left -= run(
        R"sql(DELETE FROM session_attempt WHERE attempt_no IN
              (SELECT attempt_no FROM session_attempt WHERE meeting_no = ? LIMIT ?))sql",
        number(meeting), std::max<std::int64_t>(left, 0)
    );
    run("DELETE FROM participant_problem WHERE meeting_no = ?", number(meeting));
    past.is_all_gone = left > 0;
    return past;
}

Store::RequestStep Store::advance_requests(sys_seconds now)
{
    Impl& impl = *impl_;
    RequestStep result;
    result.finished = impl.requests.news();
    const auto step = impl.guarded([&] { return impl.passing_over([&] { return impl.requests.next(now); }); });
    if (!step)
        return result;
    ++impl.own_writes;
    impl.write([&] {
        impl.unbounded([&] { impl.requests.take(*step, now); }); // rows that nobody has looked at yet
    });
    result.more = result.wrote = true;
    for (RequestNews& news : impl.requests.news())
        result.finished.push_back(std::move(news));
    return result;
}

bool Store::has_request_work() const
{
    return impl_->guarded([&] { return impl_->requests.has_work(); });
}

std::vector<Store::AgendaEntry> Store::scan(MeetingNo after, std::size_t limit) const
{
    Impl& impl = *impl_;
    return impl.guarded([&] {
        return impl.passing_over([&] {
            SQLite::Statement& statement = impl.prepared(
                R"sql(SELECT meeting_no, due_at, policy_hash, substr(state, 1, 20), starts_at, seq, session_no,
                         CASE WHEN typeof(due_at) = 'integer' AND due_at >= 0 THEN settled_at ELSE ?3 END
                    FROM agenda WHERE meeting_no > ?1 ORDER BY meeting_no LIMIT ?2)sql"
            );
            const Rewind rewind{statement};
            statement.bind(1, number(after));
            statement.bind(2, static_cast<std::int64_t>(limit));
            statement.bind(3, never); // a row that is never due by itself
            std::vector<AgendaEntry> result;
            while (statement.executeStep())
                result.push_back(
                    {MeetingNo{statement.getColumn(0).getInt64()}, statement.getColumn(1).getInt64(),
                     static_cast<std::uint64_t>(statement.getColumn(2).getInt64()),
                     parse_state(statement.getColumn(3).getText()).value_or(State::pending),
                     bounded_instant(statement.getColumn(4).getInt64()), statement.getColumn(5).getInt64(),
                     SessionNo{statement.getColumn(6).getInt64()}, bounded_instant(statement.getColumn(7).getInt64())}
                );
            return result;
        });
    });
}

Store::MissingRows Store::find_missing(std::string const& cursor, std::size_t limit) const
{
    Impl& impl = *impl_;
    const auto count = static_cast<std::int64_t>(limit);
    return impl.guarded([&] {
        return impl.passing_over([&] {
            MissingRows missing;
            const auto look = [&](char const* sql) {
                SQLite::Statement& statement = impl.prepared(sql);
                const Rewind rewind{statement};
                statement.bind(1, cursor);
                statement.bind(2, count);
                std::int64_t found = 0;
                std::string furthest = cursor;
                while (statement.executeStep()) {
                    ++found;
                    furthest = statement.getColumn(0).getString();
                    if (statement.getColumn(1).isNull() && furthest.size() <= id_bytes_max)
                        missing.meeting_ids.push_back(furthest);
                }
                return std::pair{found, furthest};
            };
            const auto [meetings, meeting_last] = look(
                R"sql(SELECT m.id, a.meeting_no FROM meeting m
                    LEFT JOIN agenda a
                           ON a.meeting_id = m.id AND a.starts_at IS m.starts_at AND a.day IS m.starts_at / 86400
                   WHERE m.id > ?1 ORDER BY m.id LIMIT ?2)sql"
            );
            const auto [orphans, orphan_last] = look(
                // Seeks from one meeting to the next, however many participants it has.
                R"sql(WITH RECURSIVE found (found_id) AS (
                      SELECT min(meeting_id) FROM participant WHERE meeting_id > ?1
                      UNION ALL
                      SELECT (SELECT min(meeting_id) FROM participant WHERE meeting_id > found_id) FROM found
                       WHERE found_id IS NOT NULL LIMIT ?2)
                  SELECT found_id, a.meeting_no FROM found LEFT JOIN agenda a ON a.meeting_id = found_id
                   WHERE found_id IS NOT NULL)sql"
            );
            // Each list is complete up to its own last id; go on from the lower of those that were cut off.
            const bool meetings_cut = meetings == count;
            const bool orphans_cut = orphans == count;
            if (meetings_cut || orphans_cut)
                missing.next = meetings_cut && orphans_cut ? std::min(meeting_last, orphan_last)
                               : meetings_cut              ? meeting_last
                                                           : orphan_last;
            return missing;
        });
    });
}

void Store::add_missing(std::span<std::string const> meeting_ids)
{
    if (meeting_ids.empty())
        return;
    Impl& impl = *impl_;
    ++impl.own_writes;
    impl.write([&] {
        for (std::string const& id : meeting_ids) {
            impl.run(
                R"sql(INSERT INTO agenda (meeting_id, starts_at, day)
                      SELECT id, starts_at, starts_at / 86400 FROM meeting WHERE id = ?
                      ON CONFLICT (meeting_id) DO UPDATE
                             SET due_at = 0, starts_at = excluded.starts_at, day = excluded.day)sql",
                id
            );
            impl.run("INSERT OR IGNORE INTO agenda (meeting_id) VALUES (?)", id);
        }
    });
}

Store::Outdated Store::find_outdated(Outdated::Place place, sys_seconds before, std::size_t limit) const
{
    using Table = Outdated::Table;
    Impl& impl = *impl_;
    Outdated found;
    found.table = place.table;
    found.next = place;
    const auto rows_max = static_cast<std::int64_t>(limit);
    const auto go_to_next_table = [&] { found.next = {static_cast<Table>(static_cast<int>(place.table) + 1), 0}; };
    const auto look_at_tokens = [&] {
        for (std::size_t looks = 0; looks < limit; ++looks) {
            const auto session_no = impl.integer(
                R"sql(SELECT session_no FROM token_past WHERE session_no > ? AND typeof(session_no) = 'integer'
                       ORDER BY session_no LIMIT 1)sql",
                found.next.after
            );
            if (!session_no)
                return go_to_next_table();
            SQLite::Statement& statement = impl.prepared(
                R"sql(SELECT participant_id, seq FROM token_past
                       WHERE session_no = ? AND withdrawn_at < ? AND typeof(participant_id) = 'text'
                         AND typeof(seq) = 'integer' LIMIT ?)sql"
            );
            const Rewind rewind{statement};
            SQLite::bind(statement, *session_no, unix_seconds(before), rows_max);
            while (statement.executeStep())
                found.rows.push_back(
                    {*session_no, statement.getColumn(0).getString(), statement.getColumn(1).getInt64()}
                );
            if (found.rows.size() >= limit)
                return; // there may be more of this session
            found.next.after = *session_no;
        }
    };
    // Of a number, and whether the row can go. CASE, since AND looks at both sides, and nearly all rows are too young.
    const auto look_at_rows = [&](char const* sql) {
        SQLite::Statement& statement = impl.prepared(sql);
        const Rewind rewind{statement};
        SQLite::bind(statement, place.after, unix_seconds(before), rows_max);
        std::size_t seen = 0;
        for (; statement.executeStep(); ++seen) {
            found.next.after = statement.getColumn(0).getInt64();
            if (statement.getColumn(1).getInt() != 0)
                found.rows.push_back({found.next.after});
        }
        if (seen < limit)
            go_to_next_table();
    };
    impl.guarded([&] {
        impl.passing_over([&] {
            found.rows.clear();
            switch (place.table) {
            case Table::token_past: return look_at_tokens();
            case Table::session:
                return look_at_rows(
                    R"sql(SELECT s.session_no,
                                 CASE WHEN s.created_at < ?2 AND s.has_past = 0 AND s.disconnect = 0
                                      THEN NOT EXISTS (SELECT 1 FROM token t WHERE t.session_no = s.session_no)
                                           AND NOT EXISTS (SELECT 1 FROM agenda a WHERE a.meeting_no = s.meeting_no
                                                   AND s.session_no IN (a.session_no, a.staged_no, a.last_session_no))
                                 END
                            FROM session s WHERE s.session_no > ?1 ORDER BY s.session_no LIMIT ?3)sql"
                );
            case Table::session_attempt:
                return look_at_rows(
                    R"sql(SELECT attempt_no, started_at < ?2 AND outcome <> 'started'
                            FROM session_attempt WHERE attempt_no > ?1 ORDER BY attempt_no LIMIT ?3)sql"
                );
            case Table::history:
                return look_at_rows(
                    R"sql(SELECT h.history_no,
                                 CASE WHEN h.at < ?2
                                      THEN NOT EXISTS (SELECT 1 FROM agenda a WHERE a.meeting_no = h.meeting_no
                                                                                AND a.last_history_no = h.history_no)
                                 END
                            FROM history h WHERE h.history_no > ?1 ORDER BY h.history_no LIMIT ?3)sql"
                );
            case Table::none: return;
            }
        });
    });
    return found;
}

void Store::remove(Outdated const& outdated)
{
    using Table = Outdated::Table;
    if (outdated.rows.empty())
        return;
    Impl& impl = *impl_;
    ++impl.own_writes;
    impl.write([&] {
        impl.unbounded([&] {
            for (Outdated::Row const& row : outdated.rows)
                switch (outdated.table) {
                case Table::token_past:
                    impl.run(
                        "DELETE FROM token_past WHERE session_no = ? AND participant_id = ? AND seq = ?", row.number,
                        row.participant_id, row.seq
                    );
                    break;
                case Table::session:
                    impl.run(
                        R"sql(DELETE FROM session WHERE session_no = ?1 AND has_past = 0 AND NOT EXISTS
                              (SELECT 1 FROM agenda a WHERE a.meeting_no = session.meeting_no
                                  AND ?1 IN (a.session_no, a.staged_no, a.last_session_no)))sql",
                        row.number
                    );
                    break;
                case Table::session_attempt:
                    impl.run("DELETE FROM session_attempt WHERE attempt_no = ?", row.number);
                    break;
                case Table::history: impl.run("DELETE FROM history WHERE history_no = ?", row.number); break;
                case Table::none: break;
                }
            if (outdated.table == Table::token_past)
                for (std::size_t i = 0; i < outdated.rows.size(); ++i)
                    if (i + 1 == outdated.rows.size() || outdated.rows[i + 1].number != outdated.rows[i].number)
                        impl.run(
                            R"sql(UPDATE session SET has_past = 0 WHERE session_no = ?1 AND NOT EXISTS
                                  (SELECT 1 FROM token_past WHERE session_no = ?1))sql",
                            outdated.rows[i].number
                        );
        });
    });
}

std::optional<MeetingSnapshot> Store::read_one(std::string_view meeting_id) const
{
    Impl& impl = *impl_;
    return impl.guarded([&]() -> std::optional<MeetingSnapshot> {
        const SQLite::Transaction transaction{*impl.database};
        const auto meeting_no =
            impl.integer("SELECT meeting_no FROM agenda WHERE meeting_id = ?", std::string{meeting_id});
        if (!meeting_no)
            return std::nullopt;
        return impl.read_meeting(*meeting_no);
    });
}

void Store::forget_unreadable(std::span<MeetingNo const> meetings)
{
    if (meetings.empty())
        return;
    ++impl_->own_writes;
    impl_->write([&] {
        impl_->unbounded([&] { // the row's index entries are read, too
            for (const MeetingNo meeting : meetings)
                impl_->run("DELETE FROM agenda WHERE meeting_no = ?", number(meeting));
        });
    });
}

void Store::mark(std::span<MeetingNo const> meetings)
{
    impl_->mark("UPDATE agenda SET due_at = 0 WHERE meeting_no = ? AND due_at <> 0", meetings);
}

void Store::check(
    Projects const& projects, SignatureCheck const& verify, sys_seconds now, std::vector<Violation>& found
) const
{
    // A connection of its own, so that rows and view are read at one instant, by the clock that is asked about.
    Impl impl{impl_->path, Access::read_only};
    impl.guarded([&] {
        return impl.unbounded([&] {
            std::int64_t clock = unix_seconds(now);
            const auto read_clock = [](sqlite3_context* context, int, sqlite3_value**) {
                sqlite3_result_int64(context, *static_cast<std::int64_t const*>(sqlite3_user_data(context)));
            };
            // What the view asks for the reader's clock.
            sqlite3_create_function_v2(
                impl.database->getHandle(), "strftime", 2, SQLITE_UTF8 | SQLITE_INNOCUOUS, &clock, read_clock, nullptr,
                nullptr, nullptr
            );
            std::int64_t after = 0;
            for (;;) {
                const SQLite::Transaction transaction{*impl.database};
                std::vector<std::int64_t> numbers;
                {
                    SQLite::Statement& statement =
                        impl.prepared("SELECT meeting_no FROM agenda WHERE meeting_no > ? ORDER BY meeting_no LIMIT 500"
                        );
                    const Rewind rewind{statement};
                    statement.bind(1, after);
                    while (statement.executeStep())
                        numbers.push_back(statement.getColumn(0).getInt64());
                }
                if (numbers.empty())
                    break;
                after = numbers.back();
                SQLite::Statement credentials{
                    *impl.database,
                    R"sql(SELECT participant_id, project, project_key, session_id, token, role, issued_at, expires_at
                        FROM join_credential WHERE meeting_id = ?)sql"};
                for (const std::int64_t meeting_no : numbers) {
                    std::optional<MeetingSnapshot> read = impl.read_meeting(meeting_no);
                    if (!read || read->is_unreadable)
                        continue;
                    MeetingEvidence evidence;
                    evidence.meeting = std::move(*read);
                    evidence.due = evidence.meeting.due_at <= clock;
                    credentials.reset();
                    credentials.bind(1, evidence.meeting.id);
                    while (credentials.executeStep())
                        evidence.published.push_back(
                            {credentials.getColumn(0).getString(), credentials.getColumn(1).getString(),
                             credentials.getColumn(2).getString(), credentials.getColumn(3).getString(),
                             credentials.getColumn(4).getString(), credentials.getColumn(5).getString(),
                             bounded_instant(credentials.getColumn(6).getInt64()),
                             bounded_instant(credentials.getColumn(7).getInt64())}
                        );
                    credentials.reset();
                    for (Violation& violation : check_promises(evidence, projects, verify, now))
                        found.push_back(std::move(violation));
                }
            }
        });
    });
}

std::int64_t Store::data_version() const
{
    return impl_->guarded([&] { return impl_->integer("PRAGMA data_version").value_or(0); });
}

std::int64_t Store::last_seq() const
{
    return impl_->guarded([&] { return impl_->integer("SELECT seq FROM daemon WHERE id = 1").value_or(0); });
}

std::int64_t Store::schema_version() const
{
    return impl_->guarded([&] { return impl_->integer("PRAGMA schema_version").value_or(0); });
}

int Store::wal_pages() const
{
    return impl_->wal_pages;
}

bool Store::checkpoint(Checkpoint mode)
{
    const bool moved = move_wal(*impl_->database, mode);
    if (moved && mode != Checkpoint::passive)
        impl_->wal_pages = 0;
    return moved;
}

} // namespace usher
