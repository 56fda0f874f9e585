// SPDX-License-Identifier: Apache-2.0
// Rows of `session`: each is sealed, and refers to the one before it.
#include <filesystem>

#include <usher/store/sqlite/instance_lock.hpp>

#include "columns.hpp"
#include "store_file_impl.hpp"

namespace usher {

namespace {

constexpr std::size_t chain_max = 64; // of a meeting's sessions, newest first; older ones are forgotten

} // namespace

std::optional<SessionRow> StoreFile::Impl::sealed_session(std::int64_t session_no, std::string const& meeting_id)
{
    SQLite::Statement& statement = prepared(
        R"sql(SELECT session_no, session_id, provider, project, project_key, options, adopted, created_at, mac
                FROM session WHERE session_no = ?)sql"
    );
    const Rewind rewind{statement};
    statement.bind(1, session_no);
    bool is_there = false;
    if (!fits([&] { is_there = statement.executeStep(); }) || !is_there)
        return std::nullopt;
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

bool seals_some(SQLite::Database& database, Seal const& seal)
{
    SQLite::Statement rows{
        database,
        R"sql(SELECT s.session_id, s.provider, s.project, s.project_key, s.options, s.adopted, s.created_at, s.mac,
                     a.meeting_id, (SELECT database_id FROM daemon WHERE id = 1)
                FROM main.session s JOIN main.agenda a ON a.meeting_no = s.meeting_no
               WHERE length(s.mac) = 16 AND length(s.session_id) < 1000 ORDER BY s.session_no DESC LIMIT 100)sql"};
    bool any = false;
    while (rows.executeStep()) {
        any = true;
        const auto text = [&](int column) { return rows.getColumn(column).getString(); };
        const SessionRow row{{}, text(0), text(1), text(2), text(3), text(4), rows.getColumn(5).getInt() != 0};
        if (constant_time_equal(seal.of(text(9), text(8), row, rows.getColumn(6).getInt64()), text(7)))
            return true;
    }
    return !any;
}

std::vector<SessionNo> StoreFile::Impl::sessions_since(std::optional<SessionNo> next)
{
    std::vector<SessionNo> sessions;
    while (next && sessions.size() < chain_max && (sessions.empty() || *next < sessions.back())) {
        sessions.push_back(*next);
        next = session_before(*next);
    }
    return sessions;
}

std::optional<SessionNo> StoreFile::Impl::session_before(SessionNo session)
{
    const auto previous = integer("SELECT previous_no FROM session WHERE session_no = ?", number(session));
    return previous ? std::optional{SessionNo{*previous}} : std::nullopt;
}

std::string StoreFile::Impl::meeting_id(MeetingNo meeting)
{
    SQLite::Statement& statement = prepared("SELECT meeting_id FROM agenda WHERE meeting_no = ?");
    const Rewind rewind{statement};
    statement.bind(1, number(meeting));
    return statement.executeStep() ? statement.getColumn(0).getString() : std::string{};
}

bool StoreFile::has_session(std::string const& session_id) const
{
    Impl& impl = *impl_;
    return impl.guarded([&] { return impl.has_session(session_id); });
}

bool StoreFile::Impl::has_session(std::string const& session_id)
{
    return integer(
               R"sql(SELECT 1 FROM session WHERE session_id = ?1 AND adopted = 0
                     UNION ALL SELECT 1 FROM session WHERE session_id = ?1 AND adopted = 1 LIMIT 1)sql",
               session_id
    )
        .has_value();
}

bool StoreFile::Impl::is_ours(SessionRow const& session, MeetingNo meeting)
{
    return sealed_session(number(session.number), meeting_id(meeting)).has_value();
}

SessionNo StoreFile::Impl::add_session(
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

void StoreFile::Impl::seal_session(std::string const& meeting_id, SessionRow const& session, std::int64_t created_at)
{
    const std::string code = seal->of(database_id, meeting_id, session, created_at);
    SQLite::Statement& statement = prepared("UPDATE session SET mac = ? WHERE session_no = ?");
    const Rewind rewind{statement};
    statement.bind(1, code.data(), static_cast<int>(code.size()));
    statement.bind(2, number(session.number));
    statement.exec();
}

std::int64_t adopt_sessions(std::string const& path, std::string const& who)
{
    const std::string real = real_path(path);
    StoreFile store = StoreFile::open(real);
    const InstanceLock lock{real, who};
    return store.adopt_sessions();
}

std::int64_t StoreFile::adopt_sessions()
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
            struct Unsealed {
                std::string meeting_id;
                SessionRow session;
                std::int64_t created_at;
            };
            std::vector<Unsealed> rows;
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
            for (Unsealed const& row : rows) {
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

} // namespace usher
