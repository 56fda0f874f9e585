// SPDX-License-Identifier: Apache-2.0
#include <usher/store/store.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <set>

#include <sqlite3.h>

#include "connection.hpp"
#include "migrations.hpp"

namespace usher {

namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t deletes_max = 2000;  // of one meeting's tokens in one transaction
constexpr std::int64_t request_chunk = 500; // meetings marked in one transaction
constexpr std::int64_t policy_chunk = 500;
constexpr int wal_pages_max = 500; // from 1000 on, a platform's commit would pay for the checkpoint

std::int64_t number(MeetingNo value)
{
    return static_cast<std::int64_t>(value);
}
std::int64_t number(SessionNo value)
{
    return static_cast<std::int64_t>(value);
}

std::optional<sys_seconds> instant(SQLite::Column const& column)
{
    if (column.isNull())
        return std::nullopt;
    return from_unix(column.getInt64());
}

std::optional<Role> stored_role(int value)
{
    if (value < 1 || value > 4)
        return std::nullopt;
    return static_cast<Role>(value);
}

std::string counted(std::int64_t count, std::string const& thing)
{
    return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
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

struct Store::Impl {
    Impl(std::string file, Access access) : path{std::move(file)}, database{open_connection(path, access)}
    {
        sqlite3_wal_hook(
            database->getHandle(),
            [](void* pages, sqlite3*, char const*, int count) {
                *static_cast<int*>(pages) = count;
                return SQLITE_OK;
            },
            &wal_pages
        );
    }
    Impl(Impl const&) = delete;
    Impl& operator=(Impl const&) = delete;
    ~Impl() { sqlite3_wal_hook(database->getHandle(), nullptr, nullptr); }

    std::string path;
    std::unique_ptr<SQLite::Database> database;
    std::map<std::string_view, std::unique_ptr<SQLite::Statement>> statements; // by their text, each prepared once
    std::int64_t epoch = 0;
    std::int64_t last_claim = 0;
    int wal_pages = 0; // after the last commit of ours

    /// `text` must be a literal: it is the key, and is not copied.
    SQLite::Statement& prepared(char const* text)
    {
        auto& statement = statements[std::string_view{text}];
        if (!statement)
            statement = std::make_unique<SQLite::Statement>(*database, text);
        return *statement;
    }

    template <class... Values>
    int run(char const* text, Values const&... values)
    {
        SQLite::Statement& statement = prepared(text);
        const Rewind rewind{statement};
        SQLite::bind(statement, values...);
        return statement.exec();
    }

    template <class... Values>
    std::optional<std::int64_t> integer(char const* text, Values const&... values)
    {
        SQLite::Statement& statement = prepared(text);
        const Rewind rewind{statement};
        SQLite::bind(statement, values...);
        if (!statement.executeStep() || statement.getColumn(0).isNull())
            return std::nullopt;
        return statement.getColumn(0).getInt64();
    }

    template <class Work>
    auto guarded(Work&& work)
    {
        try {
            return work();
        } catch (SQLite::Exception const& error) {
            rethrow(error, path);
        }
    }

    /// One short IMMEDIATE transaction of the daemon that owns the epoch.
    template <class Work>
    auto write(Work&& work)
    {
        return guarded([&] {
            SQLite::Transaction transaction{*database, SQLite::TransactionBehavior::IMMEDIATE};
            if (integer("SELECT epoch FROM daemon WHERE id = 1") != epoch)
                throw Fenced{path + ": taken over by " + owner() + "; this daemon stops writing"};
            if constexpr (std::is_void_v<decltype(work())>) {
                work();
                transaction.commit();
            } else {
                auto result = work();
                transaction.commit();
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

    /// Grows with every change of what is published, also across a restored backup.
    std::int64_t next_seq(sys_seconds now)
    {
        const std::int64_t last = integer("SELECT seq FROM daemon WHERE id = 1").value_or(0);
        const std::int64_t next = std::max(last + 1, unix_seconds(now) * 1'000'000);
        run("UPDATE daemon SET seq = ? WHERE id = 1", next);
        return next;
    }

    std::optional<SessionRow> session(SQLite::Column const& column)
    {
        if (column.isNull())
            return std::nullopt;
        SQLite::Statement& statement = prepared(
            "SELECT session_no, session_id, provider, project, project_key, options FROM session WHERE session_no = ?"
        );
        const Rewind rewind{statement};
        statement.bind(1, column.getInt64());
        if (!statement.executeStep())
            return std::nullopt;
        return SessionRow{SessionNo{statement.getColumn(0).getInt64()}, statement.getColumn(1).getString(),
                          statement.getColumn(2).getString(),           statement.getColumn(3).getString(),
                          statement.getColumn(4).getString(),           statement.getColumn(5).getString()};
    }

    void read_participants(MeetingSnapshot& meeting)
    {
        const std::int64_t session_no = meeting.staged      ? number(meeting.staged->number)
                                        : meeting.published ? number(meeting.published->number)
                                                            : -1;
        SQLite::Statement& statement = prepared(R"sql(
            SELECT p.id, 1, p.role, p.connection_data, p.layout_classes, problem.reason,
                   t.role, t.issued_at, t.expires_at, t.generation, t.key_id, t.fingerprint
              FROM participant p
              LEFT JOIN token t ON t.session_no = ?2 AND t.participant_id = p.id
              LEFT JOIN participant_problem problem ON problem.meeting_no = ?3 AND problem.participant_id = p.id
             WHERE p.meeting_id = ?1
            UNION ALL
            SELECT t.participant_id, 0, NULL, NULL, NULL, NULL,
                   t.role, t.issued_at, t.expires_at, t.generation, t.key_id, t.fingerprint
              FROM token t
             WHERE t.session_no = ?2
               AND NOT EXISTS (SELECT 1 FROM participant p WHERE p.meeting_id = ?1 AND p.id = t.participant_id)
        )sql");
        const Rewind rewind{statement};
        statement.bind(1, meeting.id);
        statement.bind(2, session_no);
        statement.bind(3, number(meeting.number));
        while (statement.executeStep()) {
            ParticipantRow row;
            row.id = statement.getColumn(0).getString();
            row.present = statement.getColumn(1).getInt() != 0;
            row.role = parse_role(option(statement.getColumn(2)));
            row.connection_data = option(statement.getColumn(3));
            row.layout_classes = option(statement.getColumn(4));
            row.problem = option(statement.getColumn(5));
            if (!statement.getColumn(6).isNull()) {
                TokenRow token;
                token.role = stored_role(statement.getColumn(6).getInt());
                token.issued_at = from_unix(statement.getColumn(7).getInt64());
                token.expires_at = from_unix(statement.getColumn(8).getInt64());
                token.generation = statement.getColumn(9).getInt64();
                token.key_id = statement.getColumn(10).getString();
                token.fingerprint = static_cast<std::uint64_t>(statement.getColumn(11).getInt64());
                row.token = std::move(token);
            }
            meeting.participants.push_back(std::move(row));
        }
    }

    MeetingSnapshot read_meeting(std::int64_t meeting_no, bool participants = true)
    {
        MeetingSnapshot result;
        SQLite::Statement& statement = prepared(R"sql(
            SELECT a.meeting_id, a.due_at, a.opens, a.closes, a.next_at, a.attempts, a.generation, a.renew_session,
                   a.policy_hash, a.state, a.reason, a.detail, a.ready_at, a.session_no, a.staged_no,
                   m.starts_at, m.ends_at, m.status, m.project, m.media_mode, m.archive_mode, m.archive_name,
                   m.archive_resolution, m.location, m.e2ee, a.failed_inputs,
                   EXISTS (SELECT 1 FROM session s JOIN token t ON t.session_no = s.session_no
                            WHERE s.meeting_no = a.meeting_no
                              AND s.session_no IS NOT a.session_no AND s.session_no IS NOT a.staged_no)
              FROM agenda a LEFT JOIN meeting m ON m.id = a.meeting_id
             WHERE a.meeting_no = ?
        )sql");
        const Rewind rewind{statement};
        statement.bind(1, meeting_no);
        if (!statement.executeStep())
            return result;
        result.number = MeetingNo{meeting_no};
        result.id = statement.getColumn(0).getString();
        result.claim = statement.getColumn(1).getInt64();
        result.opens = instant(statement.getColumn(2));
        result.closes = instant(statement.getColumn(3));
        result.next_at = from_unix(statement.getColumn(4).getInt64());
        result.attempts = statement.getColumn(5).getInt();
        result.generation = statement.getColumn(6).getInt64();
        result.renew_session = static_cast<Renewal>(std::clamp(statement.getColumn(7).getInt(), 0, 2));
        result.policy_hash = static_cast<std::uint64_t>(statement.getColumn(8).getInt64());
        result.state = parse_state(statement.getColumn(9).getString()).value_or(State::pending);
        result.reason = statement.getColumn(10).getString();
        result.detail = statement.getColumn(11).getString();
        result.ready_at = instant(statement.getColumn(12));
        result.published = session(statement.getColumn(13));
        result.staged = session(statement.getColumn(14));
        if (!statement.getColumn(15).isNull()) {
            MeetingRow row;
            row.starts_at = from_unix(statement.getColumn(15).getInt64());
            row.ends_at = from_unix(statement.getColumn(16).getInt64());
            row.cancelled = statement.getColumn(17).getString() != "scheduled";
            row.project = statement.getColumn(18).getString();
            row.options = options_at(statement, 19);
            result.meeting = std::move(row);
        }
        result.failed_inputs = static_cast<std::uint64_t>(statement.getColumn(25).getInt64());
        result.has_leftovers = statement.getColumn(26).getInt() != 0;
        if (participants)
            read_participants(result);
        return result;
    }

    /// Whether the meeting's row is still what was planned with, for work whose claim the platform broke.
    bool meeting_unchanged(MeetingSnapshot const& meeting)
    {
        if (!meeting.meeting)
            return false;
        SQLite::Statement& statement = prepared(R"sql(
            SELECT starts_at, ends_at, status, project, media_mode, archive_mode, archive_name, archive_resolution,
                   location, e2ee
              FROM meeting WHERE id = ?
        )sql");
        const Rewind rewind{statement};
        statement.bind(1, meeting.id);
        if (!statement.executeStep())
            return false;
        const SessionOptions options = options_at(statement, 4);
        MeetingRow const& row = *meeting.meeting;
        return from_unix(statement.getColumn(0).getInt64()) == row.starts_at &&
               from_unix(statement.getColumn(1).getInt64()) == row.ends_at &&
               statement.getColumn(2).getString() == "scheduled" && !row.cancelled &&
               statement.getColumn(3).getString() == row.project && options == row.options;
    }

    /// Whether `session` is still one that the meeting would be given.
    bool inputs_unchanged(MeetingNo meeting, SessionRow const& session)
    {
        SQLite::Statement& statement = prepared(R"sql(
            SELECT m.status, m.project, m.media_mode, m.archive_mode, m.archive_name, m.archive_resolution, m.location,
                   m.e2ee
              FROM agenda a JOIN meeting m ON m.id = a.meeting_id WHERE a.meeting_no = ?
        )sql");
        const Rewind rewind{statement};
        statement.bind(1, number(meeting));
        if (!statement.executeStep())
            return false;
        const SessionOptions options = options_at(statement, 2);
        return statement.getColumn(0).getString() == "scheduled" &&
               statement.getColumn(1).getString() == session.project && to_text(options) == session.options;
    }

    bool participant_unchanged(MeetingSnapshot const& meeting, ParticipantRow const& participant)
    {
        return integer(
                   R"sql(SELECT 1 FROM participant WHERE meeting_id = ? AND id = ? AND role = ?
                          AND COALESCE(connection_data, '') = ? AND COALESCE(layout_classes, '') = ?)sql",
                   meeting.id, participant.id, std::string{to_text(*participant.role)}, participant.connection_data,
                   participant.layout_classes
        )
            .has_value();
    }

    void history(MeetingNo meeting, std::string const& event, std::string const& detail, sys_seconds now)
    {
        run("INSERT INTO history (at, meeting_no, event, detail) VALUES (?, ?, ?, ?)", unix_seconds(now),
            number(meeting), event, detail);
    }

    std::size_t delete_tokens(std::int64_t session_no)
    {
        return static_cast<std::size_t>(
            run(R"sql(DELETE FROM token WHERE session_no = ?1 AND participant_id IN
                      (SELECT participant_id FROM token WHERE session_no = ?1 LIMIT ?2))sql",
                session_no, deletes_max)
        );
    }

    /// Deletes tokens of the meeting's sessions; true when none is left. `all`: also of those still in use.
    bool delete_session_tokens(MeetingSnapshot const& meeting, bool all, PublishCounts& counts)
    {
        std::vector<std::int64_t> sessions;
        {
            SQLite::Statement& statement = prepared(
                R"sql(SELECT s.session_no FROM session s JOIN agenda a ON a.meeting_no = s.meeting_no
                       WHERE s.meeting_no = ?1 AND (?2 OR (s.session_no IS NOT a.session_no
                                                           AND s.session_no IS NOT a.staged_no)))sql"
            );
            const Rewind rewind{statement};
            statement.bind(1, number(meeting.number));
            statement.bind(2, all ? 1 : 0);
            while (statement.executeStep())
                sessions.push_back(statement.getColumn(0).getInt64());
        }
        std::size_t deleted = 0;
        for (const std::int64_t session_no : sessions)
            deleted += delete_tokens(session_no);
        counts.withdrawn += deleted;
        return deleted < static_cast<std::size_t>(deletes_max);
    }

    void publish_one(Publication const& publication, sys_seconds now, PublishCounts& counts);
    void settle(Publication const& publication, bool finished, bool changed, sys_seconds now);
    std::optional<SessionNo> end_call(EndedCall const& call, sys_seconds now);
    void purge(MeetingSnapshot const& meeting);
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

sys_seconds Store::take_over(std::string_view who, sys_seconds now)
{
    Impl& impl = *impl_;
    return impl.guarded([&] {
        SQLite::Transaction transaction{*impl.database, SQLite::TransactionBehavior::IMMEDIATE};
        const sys_seconds highest = from_unix(impl.integer("SELECT clock_high FROM daemon WHERE id = 1").value_or(0));
        impl.run(
            R"sql(UPDATE daemon SET epoch = epoch + 1, who = ?, since = ?, heartbeat = ?,
                         clock_high = ? WHERE id = 1)sql",
            std::string{who}, unix_seconds(now), unix_seconds(now), unix_seconds(now)
        );
        impl.epoch = *impl.integer("SELECT epoch FROM daemon WHERE id = 1");
        impl.run("UPDATE agenda SET due_at = 0 WHERE due_at < 0");
        impl.run("UPDATE session_attempt SET outcome = 'abandoned' WHERE outcome = 'started'");
        if (now < highest) // the clock was set back while no daemon ran: tokens may be from the future
            impl.run("UPDATE agenda SET due_at = 0 WHERE due_at <> 0");
        transaction.commit();
        return highest;
    });
}

std::string Store::owner() const
{
    return impl_->guarded([&] { return impl_->owner(); });
}

std::vector<std::string> Store::restore_triggers()
{
    Impl& impl = *impl_;
    return impl.guarded([&] {
        // The schema as it ought to be is made in memory, from the same files, and compared by name and text.
        SQLite::Database wanted{":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
        for (Migration const& migration : migrations())
            wanted.exec(std::string{migration.sql});
        std::vector<std::pair<std::string, std::string>> missing;
        SQLite::Statement triggers{wanted, "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name"};
        while (triggers.executeStep()) {
            const std::string name = triggers.getColumn(0).getString();
            const std::string sql = triggers.getColumn(1).getString();
            if (!impl.integer("SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND name = ? AND sql = ?", name, sql))
                missing.emplace_back(name, sql);
        }
        std::vector<std::string> restored;
        if (missing.empty())
            return restored;
        SQLite::Transaction transaction{*impl.database, SQLite::TransactionBehavior::IMMEDIATE};
        for (auto const& [name, sql] : missing) {
            impl.database->exec("DROP TRIGGER IF EXISTS " + name);
            impl.database->exec(sql);
            restored.push_back(name);
        }
        transaction.commit();
        return restored;
    });
}

std::vector<MeetingSnapshot> Store::claim(sys_seconds now, std::size_t meetings_max, std::size_t participants_max)
{
    Impl& impl = *impl_;
    const std::int64_t instant_now = unix_seconds(now);
    const auto claimed = impl.write([&] {
        std::vector<std::int64_t> meetings;
        std::set<std::int64_t> seen;
        const auto take = [&](char const* sql, auto const&... bounds) {
            if (meetings.size() >= meetings_max)
                return;
            SQLite::Statement& statement = impl.prepared(sql);
            const Rewind rewind{statement};
            SQLite::bind(statement, bounds..., static_cast<std::int64_t>(meetings_max));
            while (meetings.size() < meetings_max && statement.executeStep())
                if (const std::int64_t meeting_no = statement.getColumn(0).getInt64(); seen.insert(meeting_no).second)
                    meetings.push_back(meeting_no);
        };
        // Live or about to open first, so that a bulk change of next week waits; then what time has made due; then all.
        take(
            R"sql(SELECT meeting_no FROM agenda INDEXED BY agenda_by_need
                   WHERE due_at = 0 AND starts_at BETWEEN ? AND ? ORDER BY starts_at LIMIT ?)sql",
            instant_now - 86400, instant_now + 2 * 3600
        );
        take(
            R"sql(SELECT meeting_no FROM agenda INDEXED BY agenda_by_time
                   WHERE due_at <> 0 AND due_at > 0 AND due_at <= ? ORDER BY due_at LIMIT ?)sql",
            instant_now
        );
        take(
            R"sql(SELECT meeting_no FROM agenda INDEXED BY agenda_by_need
                   WHERE due_at = 0 ORDER BY starts_at LIMIT ?)sql"
        );
        // Claim numbers are negative, so that a claimed row reads as due, and never repeat: not even across epochs.
        for (const std::int64_t meeting_no : meetings) {
            const std::int64_t claim = -((impl.epoch << 32U) + ++impl.last_claim);
            impl.run("UPDATE agenda SET due_at = ? WHERE meeting_no = ?", claim, meeting_no);
        }
        return meetings;
    });

    // The snapshots are read after the claim is committed: an edit from here on breaks the claim.
    return impl.guarded([&] {
        std::vector<MeetingSnapshot> result;
        std::vector<std::int64_t> left;
        std::size_t participants = 0;
        for (const std::int64_t meeting_no : claimed) {
            if (participants >= participants_max) {
                left.push_back(meeting_no);
                continue;
            }
            const SQLite::Transaction transaction{*impl.database}; // one instant for all rows of a meeting
            MeetingSnapshot meeting = impl.read_meeting(meeting_no);
            if (meeting.id.empty())
                continue;
            participants += meeting.participants.size();
            if (meeting.claim >= 0) // edited already: the claim that was broken must be found broken by the publish
                meeting.claim = std::numeric_limits<std::int64_t>::min();
            result.push_back(std::move(meeting));
        }
        if (!left.empty())
            impl.write([&] {
                for (const std::int64_t meeting_no : left)
                    impl.run("UPDATE agenda SET due_at = 0 WHERE meeting_no = ? AND due_at < 0", meeting_no);
            });
        return result;
    });
}

std::optional<sys_seconds> Store::next_due() const
{
    Impl& impl = *impl_;
    return impl.guarded([&]() -> std::optional<sys_seconds> {
        if (impl.integer("SELECT 1 FROM agenda INDEXED BY agenda_by_need WHERE due_at = 0 LIMIT 1"))
            return sys_seconds{};
        const auto due = impl.integer("SELECT due_at FROM agenda INDEXED BY agenda_by_time WHERE due_at <> 0 AND "
                                      "due_at > 0 ORDER BY due_at LIMIT 1");
        if (!due || *due == never)
            return std::nullopt;
        return from_unix(*due);
    });
}

CallRecord Store::record_calls(std::span<EndedCall const> ended, std::span<MeetingNo const> begun, sys_seconds now)
{
    CallRecord record;
    if (ended.empty() && begun.empty())
        return record;
    Impl& impl = *impl_;
    return impl.write([&] {
        for (EndedCall const& call : ended)
            record.staged.push_back(impl.end_call(call, now));
        for (const MeetingNo meeting : begun) {
            impl.run(
                "INSERT INTO session_attempt (meeting_no, started_at) VALUES (?, ?)", number(meeting), unix_seconds(now)
            );
            record.attempts.push_back(impl.database->getLastInsertRowid());
        }
        return record;
    });
}

std::optional<SessionNo> Store::Impl::end_call(EndedCall const& call, sys_seconds now)
{
    using Outcome = EndedCall::Outcome;
    const bool usable = call.outcome == Outcome::created && inputs_unchanged(call.meeting, call.session);
    const char* const outcome = call.outcome == Outcome::unsent   ? "unsent"
                                : call.outcome == Outcome::failed ? "failed"
                                : usable                          ? "created"
                                                                  : "abandoned";
    run("UPDATE session_attempt SET outcome = ? WHERE attempt_no = ?", std::string{outcome}, call.attempt);
    if (call.outcome == Outcome::unsent)
        return std::nullopt;
    // Whatever pass has claimed the meeting planned without knowing of this; but for the one that made the call.
    run("UPDATE agenda SET due_at = 0 WHERE meeting_no = ? AND due_at <> ?", number(call.meeting), call.claim);
    if (usable) {
        SessionRow const& session = call.session;
        run(R"sql(INSERT INTO session (meeting_no, session_id, provider, project, project_key, options, created_at)
                  VALUES (?, ?, ?, ?, ?, ?, ?))sql",
            number(call.meeting), session.session_id, session.provider, session.project, session.project_key,
            session.options, unix_seconds(now));
        const std::int64_t session_no = database->getLastInsertRowid();
        run("UPDATE agenda SET staged_no = ?, next_at = 0, attempts = 0, failed_inputs = 0 WHERE meeting_no = ?",
            session_no, number(call.meeting));
        return SessionNo{session_no};
    }
    if (call.outcome == Outcome::created)
        return std::nullopt; // the platform wants another one by now
    const bool news = integer(
                          "SELECT 1 FROM agenda WHERE meeting_no = ? AND (state <> ? OR reason <> ?)",
                          number(call.meeting), std::string{to_text(call.state)}, call.reason
    )
                          .has_value();
    run(R"sql(UPDATE agenda SET attempts = CASE WHEN failed_inputs = ?2 THEN attempts + 1 ELSE 1 END, next_at = ?3,
                     failed_inputs = ?2, state = ?4, reason = ?5, detail = ?6
               WHERE meeting_no = ?1)sql",
        number(call.meeting), static_cast<std::int64_t>(call.inputs), unix_seconds(call.next_at),
        std::string{to_text(call.state)}, call.reason, call.detail);
    if (news) {
        run("UPDATE agenda SET seq = ? WHERE meeting_no = ?", next_seq(now), number(call.meeting));
        history(call.meeting, "session_failed", call.reason, now);
    }
    return std::nullopt;
}

std::vector<MeetingSnapshot> Store::read_orders(std::span<MeetingNo const> meetings) const
{
    Impl& impl = *impl_;
    return impl.guarded([&] {
        std::vector<MeetingSnapshot> result;
        const SQLite::Transaction transaction{*impl.database};
        for (const MeetingNo meeting : meetings)
            if (MeetingSnapshot snapshot = impl.read_meeting(number(meeting), false); !snapshot.id.empty())
                result.push_back(std::move(snapshot));
        return result;
    });
}

std::vector<Store::Disconnect> Store::read_disconnects(std::size_t limit) const
{
    Impl& impl = *impl_;
    return impl.guarded([&] {
        SQLite::Statement& statement = impl.prepared(
            R"sql(SELECT session_no, meeting_no, session_id, project FROM session
                   WHERE disconnect = 1 ORDER BY session_no LIMIT ?)sql"
        );
        const Rewind rewind{statement};
        statement.bind(1, static_cast<std::int64_t>(limit));
        std::vector<Disconnect> result;
        while (statement.executeStep())
            result.push_back(
                {SessionNo{statement.getColumn(0).getInt64()}, MeetingNo{statement.getColumn(1).getInt64()},
                 statement.getColumn(2).getString(), statement.getColumn(3).getString()}
            );
        return result;
    });
}

void Store::end_disconnect(
    Disconnect const& disconnect, std::string const& event, std::string const& detail, sys_seconds now
)
{
    Impl& impl = *impl_;
    impl.write([&] {
        impl.run("UPDATE session SET disconnect = 0 WHERE session_no = ?", number(disconnect.session));
        impl.history(disconnect.meeting, event, detail, now);
    });
}

void Store::record_projects(std::span<ProjectStatus const> projects, bool all, sys_seconds now)
{
    Impl& impl = *impl_;
    impl.write([&] {
        if (all)
            impl.run("DELETE FROM project_status");
        for (ProjectStatus const& project : projects) {
            SQLite::Statement& statement = impl.prepared(
                R"sql(INSERT OR REPLACE INTO project_status (name, provider, project_key, key_id, reason, detail,
                                                             next_at, clock_ahead, changed_at)
                      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?))sql"
            );
            const Rewind rewind{statement};
            SQLite::bind(
                statement, project.name, project.provider, project.project_key, project.key_id, project.reason,
                project.detail
            );
            if (project.next_at)
                statement.bind(7, unix_seconds(*project.next_at));
            if (project.clock_ahead)
                statement.bind(8, std::int64_t{project.clock_ahead->count()});
            statement.bind(9, unix_seconds(now));
            statement.exec();
        }
    });
}

PublishCounts Store::publish(std::span<Publication const> publications, sys_seconds now)
{
    PublishCounts counts;
    if (publications.empty())
        return counts;
    Impl& impl = *impl_;
    impl.write([&] {
        for (Publication const& publication : publications)
            impl.publish_one(publication, now, counts);
        impl.run("UPDATE daemon SET heartbeat = ?1, clock_high = max(clock_high, ?1) WHERE id = 1", unix_seconds(now));
    });
    return counts;
}

void Store::Impl::publish_one(Publication const& publication, sys_seconds now, PublishCounts& counts)
{
    MeetingSnapshot const& meeting = *publication.meeting;
    Plan const& plan = *publication.plan;
    std::int64_t due_at = 0;
    bool in_use = false;
    {
        SQLite::Statement& statement =
            prepared("SELECT due_at, session_no, staged_no, request_id FROM agenda WHERE meeting_no = ?");
        const Rewind rewind{statement};
        statement.bind(1, number(meeting.number));
        if (!statement.executeStep())
            return;
        due_at = statement.getColumn(0).getInt64();
        const std::int64_t session = publication.session ? number(*publication.session) : -1;
        in_use = (!statement.getColumn(1).isNull() && statement.getColumn(1).getInt64() == session) ||
                 (!statement.getColumn(2).isNull() && statement.getColumn(2).getInt64() == session);
    }
    const bool intact = due_at == meeting.claim;
    const bool meeting_stands = intact || meeting_unchanged(meeting);
    bool changed = false;

    for (SignedToken const& token : publication.tokens) {
        ParticipantRow const& participant = meeting.participants[token.participant];
        if (!in_use || !meeting_stands || (!intact && !participant_unchanged(meeting, participant))) {
            ++counts.skipped;
            continue;
        }
        run(R"sql(INSERT INTO token (session_no, participant_id, token, role, reason, issued_at, expires_at,
                                     generation, key_id, fingerprint)
                  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                  ON CONFLICT (session_no, participant_id) DO UPDATE SET
                      token = excluded.token, role = excluded.role, reason = excluded.reason,
                      issued_at = excluded.issued_at, expires_at = excluded.expires_at,
                      generation = excluded.generation, key_id = excluded.key_id,
                      fingerprint = excluded.fingerprint)sql",
            number(*publication.session), participant.id, token.token, static_cast<int>(*participant.role),
            static_cast<int>(token.reason), unix_seconds(token.issued_at), unix_seconds(token.expires_at),
            meeting.generation, token.key_id, static_cast<std::int64_t>(token.fingerprint));
        ++counts.tokens;
        changed = true;
    }
    if (!publication.last) {
        if (changed)
            run("UPDATE agenda SET seq = ? WHERE meeting_no = ?", next_seq(now), number(meeting.number));
        return;
    }

    // A broken claim leaves removals to the next pass: the view hides what is gone, and a restored row keeps its token.
    bool finished = true;
    if (intact) {
        for (const std::size_t i : plan.withdraw) {
            if (!publication.session)
                break;
            const auto deleted = static_cast<std::size_t>(
                run("DELETE FROM token WHERE session_no = ? AND participant_id = ?", number(*publication.session),
                    meeting.participants[i].id)
            );
            counts.withdrawn += deleted;
            changed = changed || deleted > 0;
        }
        for (Problem const& problem : plan.problems)
            run(R"sql(INSERT OR REPLACE INTO participant_problem (meeting_no, participant_id, reason, detail, since)
                      VALUES (?, ?, ?, ?, ?))sql",
                number(meeting.number), meeting.participants[problem.participant].id, problem.reason, problem.detail,
                unix_seconds(now));
        for (const std::size_t i : plan.solved)
            run("DELETE FROM participant_problem WHERE meeting_no = ? AND participant_id = ?", number(meeting.number),
                meeting.participants[i].id);
        run(R"sql(DELETE FROM participant_problem WHERE meeting_no = ?1 AND NOT EXISTS
                  (SELECT 1 FROM participant p WHERE p.meeting_id = ?2 AND p.id = participant_id))sql",
            number(meeting.number), meeting.id);
        if (plan.delete_tokens || plan.delete_leftovers) {
            finished = delete_session_tokens(meeting, plan.delete_tokens, counts);
            changed = changed || plan.delete_tokens;
        }
        if (plan.disconnect) {
            run("UPDATE session SET disconnect = 1 WHERE meeting_no = ?", number(meeting.number));
            history(meeting.number, "disconnect_wanted", plan.reason.empty() ? "closed" : plan.reason, now);
        }
        if (plan.purge && finished) {
            purge(meeting);
            if (!meeting.meeting) {
                ++counts.settled;
                return;
            }
        }
    }
    const bool publishes = (plan.session == SessionStep::publish || plan.session == SessionStep::create) && in_use;
    if (publishes && meeting_stands) {
        run(R"sql(UPDATE agenda SET session_no = ?1, staged_no = NULL, renew_session = 0 WHERE meeting_no = ?2)sql",
            number(*publication.session), number(meeting.number));
        history(meeting.number, "session_published", plan.create_reason, now);
        changed = true;
        ++counts.sessions;
        // The tokens of the session before are deleted by the next pass, which this commit makes due.
        finished = finished && !meeting.published;
    }
    if (intact && plan.session == SessionStep::drop) {
        run("UPDATE agenda SET session_no = NULL, staged_no = NULL WHERE meeting_no = ?", number(meeting.number));
        history(meeting.number, "session_withdrawn", plan.reason, now);
        changed = true;
    }
    if (intact && (plan.session == SessionStep::keep || plan.session == SessionStep::order) && meeting.staged)
        run("UPDATE agenda SET staged_no = NULL WHERE meeting_no = ?", number(meeting.number));

    const bool news = meeting.state != plan.state || meeting.reason != plan.reason || meeting.detail != plan.detail ||
                      meeting.opens != plan.opens || meeting.closes != plan.closes;
    if (intact)
        settle(publication, finished, changed || news, now);
    else if (changed)
        run("UPDATE agenda SET seq = ? WHERE meeting_no = ?", next_seq(now), number(meeting.number));

    // The last slice knows the whole plan, so the audit trail has one line a pass, not one a slice.
    if (!plan.sign.empty() && (changed || news)) {
        std::map<TokenReason, std::size_t> reasons;
        for (SignStep const& step : plan.sign)
            ++reasons[step.reason];
        std::string detail;
        for (auto const& [reason, count] : reasons)
            detail.append(detail.empty() ? "" : ", ").append(to_text(reason)).append(" ").append(std::to_string(count));
        history(meeting.number, "tokens_signed", detail, now);
    }
    if (!plan.withdraw.empty() && intact)
        history(meeting.number, "tokens_withdrawn", std::to_string(plan.withdraw.size()), now);
    run(R"sql(UPDATE request_result SET tokens = tokens + ?1, sessions = sessions + ?2
               WHERE state = 'running' AND request_id = (SELECT request_id FROM agenda WHERE meeting_no = ?3))sql",
        static_cast<std::int64_t>(plan.sign.size()), publishes && meeting_stands ? 1 : 0, number(meeting.number));
    if (intact && finished)
        run("UPDATE agenda SET request_id = NULL WHERE meeting_no = ? AND request_id IS NOT NULL",
            number(meeting.number));
    counts.settled += intact && finished ? 1 : 0;
}

void Store::Impl::settle(Publication const& publication, bool finished, bool changed, sys_seconds now)
{
    MeetingSnapshot const& meeting = *publication.meeting;
    Plan const& plan = *publication.plan;
    const auto optional_instant = [](std::optional<sys_seconds> value) {
        return value ? std::optional{unix_seconds(*value)} : std::nullopt;
    };
    SQLite::Statement& statement = prepared(R"sql(
        UPDATE agenda SET due_at = :due_at, opens = :opens, closes = :closes, policy_hash = :policy_hash,
               next_at = :next_at, attempts = :attempts, failed_inputs = :failed_inputs, state = :state, reason = :reason, detail = :detail,
               ready_at = :ready_at, renew_session = max(renew_session, :renew), seq = CASE WHEN :seq > 0 THEN :seq ELSE seq END
         WHERE meeting_no = :meeting_no
    )sql");
    const std::int64_t seq = changed ? next_seq(now) : 0;
    const Rewind rewind{statement};
    const auto bind_instant = [&](char const* name, std::optional<std::int64_t> value) {
        if (value)
            statement.bind(name, *value);
        else
            statement.bind(name);
    };
    statement.bind(":due_at", !finished ? 0 : plan.due ? unix_seconds(*plan.due) : never);
    bind_instant(":opens", optional_instant(plan.opens));
    bind_instant(":closes", optional_instant(plan.closes));
    statement.bind(":policy_hash", static_cast<std::int64_t>(plan.policy_hash));
    // A failure is remembered for as long as the same session is wanted.
    const bool remembers = plan.session == SessionStep::order && plan.inputs == meeting.failed_inputs;
    statement.bind(":next_at", remembers ? unix_seconds(meeting.next_at) : 0);
    statement.bind(":attempts", remembers ? meeting.attempts : 0);
    statement.bind(":failed_inputs", remembers ? static_cast<std::int64_t>(meeting.failed_inputs) : std::int64_t{0});
    statement.bind(":state", std::string{to_text(plan.state)});
    statement.bind(":reason", plan.reason);
    statement.bind(":detail", plan.detail);
    const bool ready = plan.state == State::ready;
    bind_instant(
        ":ready_at", !ready                                              ? std::nullopt
                     : meeting.state == State::ready && meeting.ready_at ? optional_instant(meeting.ready_at)
                                                                         : std::optional{unix_seconds(now)}
    );
    statement.bind(":renew", plan.session == SessionStep::order ? static_cast<int>(plan.renew) : 0);
    statement.bind(":seq", seq);
    statement.bind(":meeting_no", number(meeting.number));
    statement.exec();
    if (meeting.state != plan.state || meeting.reason != plan.reason)
        history(meeting.number, std::string{to_text(plan.state)}, plan.reason.empty() ? plan.detail : plan.reason, now);
}

void Store::Impl::purge(MeetingSnapshot const& meeting)
{
    const std::int64_t meeting_no = number(meeting.number);
    run("DELETE FROM session WHERE meeting_no = ?", meeting_no);
    run("DELETE FROM session_attempt WHERE meeting_no = ?", meeting_no);
    run("DELETE FROM participant_problem WHERE meeting_no = ?", meeting_no);
    run("DELETE FROM history WHERE meeting_no = ?", meeting_no);
    if (meeting.meeting)
        run("UPDATE agenda SET session_no = NULL, staged_no = NULL WHERE meeting_no = ?", meeting_no);
    else
        run("DELETE FROM agenda WHERE meeting_no = ?", meeting_no);
}

void Store::release_claims()
{
    Impl& impl = *impl_;
    impl.write([&] { impl.run("UPDATE agenda SET due_at = 0 WHERE due_at < 0"); });
}

Store::RequestStep Store::advance_requests(sys_seconds now)
{
    Impl& impl = *impl_;
    const bool idle = impl.guarded([&] {
        return !impl.integer("SELECT 1 FROM request WHERE id > (SELECT requests_seen FROM daemon WHERE id = 1) LIMIT 1"
               ) &&
               !impl.integer("SELECT 1 FROM request_result WHERE state = 'running' LIMIT 1");
    });
    if (idle)
        return {};
    return impl.write([&] {
        RequestStep step;
        impl.run(
            "INSERT OR IGNORE INTO request_result (request_id, state) SELECT id, 'running' FROM request WHERE id > "
            "(SELECT requests_seen FROM daemon WHERE id = 1) ORDER BY id LIMIT 100"
        );
        impl.run("UPDATE daemon SET requests_seen = max(requests_seen, COALESCE((SELECT max(request_id) FROM "
                 "request_result), 0)) WHERE id = 1");

        struct Running {
            std::int64_t id;
            std::int64_t cursor;
            std::string action;
            std::optional<std::string> meeting;
            std::optional<std::string> project;
            bool filed;
        };
        std::vector<Running> running;
        {
            SQLite::Statement& statement = impl.prepared(
                R"sql(SELECT result.request_id, result.cursor_no, r.action, r.meeting_id, r.project
                        FROM request_result result LEFT JOIN request r ON r.id = result.request_id
                       WHERE result.state = 'running' ORDER BY result.request_id)sql"
            );
            const Rewind rewind{statement};
            while (statement.executeStep()) {
                const auto text = [&](int column) -> std::optional<std::string> {
                    if (statement.getColumn(column).isNull())
                        return std::nullopt;
                    return statement.getColumn(column).getString();
                };
                running.push_back(
                    {statement.getColumn(0).getInt64(), statement.getColumn(1).getInt64(), text(2).value_or(""),
                     text(3), text(4), text(2).has_value()}
                );
            }
        }
        const auto finish = [&](std::int64_t id, std::string const& state, std::string const& detail) {
            impl.run(
                "UPDATE request_result SET state = ?, detail = ?, done_at = ? WHERE request_id = ?", state, detail,
                unix_seconds(now), id
            );
            step.finished.push_back({id, detail});
        };
        for (Running const& request : running) {
            if (!request.filed) {
                finish(request.id, "refused", "the request's row is gone");
                continue;
            }
            if (request.cursor >= 0) {
                SQLite::Statement& statement = impl.prepared(
                    R"sql(SELECT a.meeting_no FROM agenda a LEFT JOIN meeting m ON m.id = a.meeting_id
                           WHERE a.meeting_no > ?1 AND (?2 IS NULL OR a.meeting_id = ?2)
                             AND (?3 IS NULL OR m.project = ?3)
                           ORDER BY a.meeting_no LIMIT ?4)sql"
                );
                std::vector<std::int64_t> meetings;
                {
                    const Rewind rewind{statement};
                    statement.bind(1, request.cursor);
                    if (request.meeting)
                        statement.bind(2, *request.meeting);
                    if (request.project)
                        statement.bind(3, *request.project);
                    statement.bind(4, request_chunk);
                    while (statement.executeStep())
                        meetings.push_back(statement.getColumn(0).getInt64());
                }
                if (meetings.empty() && request.cursor == 0 && (request.meeting || request.project)) {
                    finish(
                        request.id, "refused",
                        request.meeting ? "there is no meeting \"" + *request.meeting + "\""
                                        : "no meeting is in project \"" + *request.project + "\""
                    );
                    continue;
                }
                for (const std::int64_t meeting_no : meetings)
                    impl.run(
                        R"sql(UPDATE agenda SET due_at = 0, next_at = 0, attempts = 0, request_id = ?1,
                                     generation = generation + ?2, renew_session = max(renew_session, ?3)
                               WHERE meeting_no = ?4)sql",
                        request.id, request.action == "rotate" ? 1 : 0, request.action == "replace_session" ? 1 : 0,
                        meeting_no
                    );
                const bool more = meetings.size() == static_cast<std::size_t>(request_chunk);
                impl.run(
                    "UPDATE request_result SET cursor_no = ?, meetings = meetings + ? WHERE request_id = ?",
                    more ? meetings.back() : std::int64_t{-1}, static_cast<std::int64_t>(meetings.size()), request.id
                );
                step.more = step.more || more;
                continue;
            }
            if (impl.integer("SELECT 1 FROM agenda WHERE request_id = ? LIMIT 1", request.id))
                continue;
            SQLite::Statement& statement =
                impl.prepared("SELECT meetings, sessions, tokens FROM request_result WHERE request_id = ?");
            std::string detail;
            {
                const Rewind rewind{statement};
                statement.bind(1, request.id);
                statement.executeStep();
                detail = counted(statement.getColumn(0).getInt64(), "meeting") + " looked at, " +
                         counted(statement.getColumn(1).getInt64(), "session") + " replaced, " +
                         counted(statement.getColumn(2).getInt64(), "token") + " signed";
            }
            finish(request.id, "done", detail);
        }
        return step;
    });
}

std::optional<std::int64_t> Store::mark_policy(std::span<std::uint64_t const> hashes, std::int64_t cursor)
{
    Impl& impl = *impl_;
    std::vector<std::int64_t> stale;
    std::int64_t last = cursor;
    std::int64_t rows = 0;
    impl.guarded([&] {
        SQLite::Statement& statement = impl.prepared(
            R"sql(SELECT meeting_no, policy_hash, state FROM agenda WHERE meeting_no > ? ORDER BY meeting_no LIMIT ?)sql"
        );
        const Rewind rewind{statement};
        statement.bind(1, cursor);
        statement.bind(2, policy_chunk);
        while (statement.executeStep()) {
            ++rows;
            last = statement.getColumn(0).getInt64();
            const auto hash = static_cast<std::uint64_t>(statement.getColumn(1).getInt64());
            if (std::find(hashes.begin(), hashes.end(), hash) == hashes.end() &&
                statement.getColumn(2).getString() != to_text(State::cancelled))
                stale.push_back(last);
        }
    });
    if (!stale.empty())
        impl.write([&] {
            for (const std::int64_t meeting_no : stale)
                impl.run("UPDATE agenda SET due_at = 0, next_at = 0 WHERE meeting_no = ? AND due_at <> 0", meeting_no);
        });
    return rows == policy_chunk ? std::optional{last} : std::nullopt;
}

std::optional<std::string> Store::add_missing(std::string const& cursor, std::size_t limit)
{
    Impl& impl = *impl_;
    const auto count = static_cast<std::int64_t>(limit);
    struct Missing {
        std::string id;
        std::optional<std::int64_t> starts_at;
    };
    std::vector<Missing> missing;
    std::string last = cursor;
    std::int64_t rows = 0;
    impl.guarded([&] {
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
                if (statement.getColumn(2).isNull())
                    missing.push_back(
                        {furthest, statement.getColumn(1).isNull() ? std::nullopt
                                                                   : std::optional{statement.getColumn(1).getInt64()}}
                    );
            }
            return std::pair{found, furthest};
        };
        const auto [meetings, meeting_last] = look(
            R"sql(SELECT m.id, m.starts_at, a.meeting_no FROM meeting m
                    LEFT JOIN agenda a ON a.meeting_id = m.id AND a.starts_at IS m.starts_at
                   WHERE m.id > ?1 ORDER BY m.id LIMIT ?2)sql"
        );
        const auto [orphans, orphan_last] = look(
            R"sql(SELECT DISTINCT p.meeting_id, NULL, a.meeting_no FROM participant p
                    LEFT JOIN agenda a ON a.meeting_id = p.meeting_id
                   WHERE p.meeting_id > ?1 ORDER BY p.meeting_id LIMIT ?2)sql"
        );
        // Each list is complete up to its own last id; go on from the lower of those that were cut off.
        rows = std::max(meetings, orphans);
        const bool meetings_cut = meetings == count;
        const bool orphans_cut = orphans == count;
        last = meetings_cut && orphans_cut ? std::min(meeting_last, orphan_last)
               : meetings_cut              ? meeting_last
                                           : orphan_last;
    });
    if (!missing.empty())
        impl.write([&] {
            for (Missing const& row : missing)
                if (row.starts_at)
                    impl.run(
                        R"sql(INSERT INTO agenda (meeting_id, starts_at) VALUES (?, ?) ON CONFLICT (meeting_id)
                              DO UPDATE SET due_at = 0, starts_at = excluded.starts_at)sql",
                        row.id, *row.starts_at
                    );
                else
                    impl.run("INSERT OR IGNORE INTO agenda (meeting_id) VALUES (?)", row.id);
        });
    return rows == count ? std::optional{last} : std::nullopt;
}

std::vector<MeetingSnapshot> Store::read(MeetingNo after, std::size_t limit) const
{
    Impl& impl = *impl_;
    return impl.guarded([&] {
        const SQLite::Transaction transaction{*impl.database};
        std::vector<std::int64_t> numbers;
        {
            SQLite::Statement& statement =
                impl.prepared("SELECT meeting_no FROM agenda WHERE meeting_no > ? ORDER BY meeting_no LIMIT ?");
            const Rewind rewind{statement};
            statement.bind(1, number(after));
            statement.bind(2, static_cast<std::int64_t>(limit));
            while (statement.executeStep())
                numbers.push_back(statement.getColumn(0).getInt64());
        }
        std::vector<MeetingSnapshot> result;
        result.reserve(numbers.size());
        for (const std::int64_t meeting_no : numbers)
            result.push_back(impl.read_meeting(meeting_no));
        return result;
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

void Store::mark(std::span<MeetingNo const> meetings)
{
    if (meetings.empty())
        return;
    Impl& impl = *impl_;
    impl.write([&] {
        for (const MeetingNo meeting : meetings)
            impl.run("UPDATE agenda SET due_at = 0 WHERE meeting_no = ? AND due_at > 0", number(meeting));
    });
}

void Store::mark_to_retry(std::span<MeetingNo const> meetings)
{
    if (meetings.empty())
        return;
    Impl& impl = *impl_;
    impl.write([&] {
        for (const MeetingNo meeting : meetings)
            impl.run("UPDATE agenda SET due_at = 0, next_at = 0 WHERE meeting_no = ? AND next_at > 0", number(meeting));
    });
}

void Store::check(
    Projects const& projects, SignatureCheck const& verify, sys_seconds now, std::vector<Violation>& found
) const
{
    // A connection of its own, so that rows and view are read at one instant, by the clock that is asked about.
    Impl impl{impl_->path, Access::read_only};
    impl.guarded([&] {
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
                    impl.prepared("SELECT meeting_no FROM agenda WHERE meeting_no > ? ORDER BY meeting_no LIMIT 500");
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
                MeetingEvidence evidence;
                evidence.meeting = impl.read_meeting(meeting_no);
                evidence.due = evidence.meeting.claim <= clock;
                credentials.reset();
                credentials.bind(1, evidence.meeting.id);
                while (credentials.executeStep())
                    evidence.published.push_back(
                        {credentials.getColumn(0).getString(), credentials.getColumn(1).getString(),
                         credentials.getColumn(2).getString(), credentials.getColumn(3).getString(),
                         credentials.getColumn(4).getString(), credentials.getColumn(5).getString(),
                         from_unix(credentials.getColumn(6).getInt64()), from_unix(credentials.getColumn(7).getInt64())}
                    );
                credentials.reset();
                for (Violation& violation : check_promises(evidence, projects, verify, now))
                    found.push_back(std::move(violation));
            }
        }
    });
}

std::int64_t Store::data_version() const
{
    return impl_->guarded([&] { return impl_->integer("PRAGMA data_version").value_or(0); });
}

std::int64_t Store::schema_version() const
{
    return impl_->guarded([&] { return impl_->integer("PRAGMA schema_version").value_or(0); });
}

void Store::keep_wal_small()
{
    if (impl_->wal_pages >= wal_pages_max)
        checkpoint(false);
}

void Store::checkpoint(bool truncate)
{
    Impl& impl = *impl_;
    sqlite3_wal_checkpoint_v2(
        impl.database->getHandle(), "main", truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, nullptr,
        nullptr
    );
}

} // namespace usher
