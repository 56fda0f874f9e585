// SPDX-License-Identifier: Apache-2.0
#include <usher/store/report.hpp>

#include "store/connection.hpp"
#include "store/contract.hpp"

namespace usher {
namespace {

using SQLite::Column;
using SQLite::Statement;

std::optional<sys_seconds> instant(Column const& column)
{
    if (column.isNull())
        return std::nullopt;
    return from_unix(column.getInt64());
}

// Every query for a meeting selects these columns, with `s` for meeting_status.
#define USHER_MEETING_COLUMNS                                                                                          \
    "s.meeting_id, m.title, m.project, m.status, m.starts_at, m.ends_at, s.state, s.reason, s.detail, s.opens_at, "    \
    "s.closes_at, s.ready_at, s.next_at, (SELECT attempts FROM agenda a WHERE a.meeting_id = s.meeting_id)"

MeetingReport meeting_of(Statement& row)
{
    return {
        .id = row.getColumn(0).getString(),
        .title = row.getColumn(1).getString(),
        .project = row.getColumn(2).getString(),
        .row_status = row.getColumn(3).getString(),
        .starts_at = instant(row.getColumn(4)),
        .ends_at = instant(row.getColumn(5)),
        .state = row.getColumn(6).getString(),
        .reason = row.getColumn(7).getString(),
        .detail = row.getColumn(8).getString(),
        .opens = instant(row.getColumn(9)),
        .closes = instant(row.getColumn(10)),
        .ready_at = instant(row.getColumn(11)),
        .next_at = instant(row.getColumn(12)),
        .attempts = row.getColumn(13).getInt64(),
    };
}

ProblemReport problem_of(Statement& row)
{
    return {
        .meeting_id = row.getColumn(0).getString(),
        .participant_id = row.getColumn(1).getString(),
        .reason = row.getColumn(2).getString(),
        .detail = row.getColumn(3).getString(),
        .since = from_unix(row.getColumn(4).getInt64()),
    };
}

HistoryReport history_of_row(Statement& row)
{
    return {from_unix(row.getColumn(0).getInt64()), row.getColumn(1).getString(), row.getColumn(2).getString()};
}

} // namespace

struct Report::Impl {
    explicit Impl(std::string file) : path{std::move(file)}, database{open_connection(path, Access::read_only)}
    {
        guarded([&] { database->exec("BEGIN"); }); // one snapshot for all questions; ends with the connection
    }

    std::string path;
    std::unique_ptr<SQLite::Database> database;

    template <class Work>
    auto guarded(Work&& work) const -> decltype(work())
    {
        try {
            return work();
        } catch (SQLite::Exception const& error) {
            rethrow(error, path);
        }
    }

    /// All rows, or the first `limit` of them and the count of all.
    template <class Read, class... Values>
    auto list(std::size_t limit, Read read, char const* sql, Values const&... values) const
    {
        return guarded([&] {
            Listing<decltype(read(std::declval<Statement&>()))> result;
            Statement statement{*database, sql};
            SQLite::bind(statement, values...);
            for (; statement.executeStep(); ++result.total)
                if (result.items.size() < limit)
                    result.items.push_back(read(statement));
            return result;
        });
    }

    template <class Read, class... Values>
    auto all(Read read, char const* sql, Values const&... values) const
    {
        return list(static_cast<std::size_t>(-1), read, sql, values...).items;
    }
};

Report::Report(std::string const& path) : impl_{std::make_unique<Impl>(path)} {}
Report::Report(Report&&) noexcept = default;
Report& Report::operator=(Report&&) noexcept = default;
Report::~Report() = default;

std::vector<Damage> Report::damages() const
{
    return impl_->guarded([&] { return Contract::get().compare(*impl_->database).state().damages; });
}

std::vector<StateCount> Report::states() const
{
    return impl_->all(
        [](Statement& row) {
            return StateCount{row.getColumn(0).getString(), row.getColumn(1).getInt64()};
        },
        "SELECT state, count(*) FROM meeting_status GROUP BY state ORDER BY state"
    );
}

Listing<MeetingReport> Report::not_ready(sys_seconds now, sys_seconds until, std::size_t limit) const
{
    return impl_->list(
        limit, meeting_of,
        "SELECT " USHER_MEETING_COLUMNS
        R"sql( FROM meeting m JOIN meeting_status s ON s.meeting_id = m.id
              WHERE m.status = 'scheduled' AND m.starts_at <= ?2 AND coalesce(s.closes_at, m.ends_at) > ?1
                AND s.state <> 'ready' AND NOT (s.state = 'waiting' AND s.reason = 'not_yet')
              ORDER BY m.starts_at, m.id)sql",
        unix_seconds(now), unix_seconds(until)
    );
}

Listing<MeetingReport> Report::failing(std::size_t limit) const
{
    return impl_->list(
        limit, meeting_of,
        "SELECT " USHER_MEETING_COLUMNS
        R"sql( FROM meeting_status s LEFT JOIN meeting m ON m.id = s.meeting_id
              WHERE s.state = 'failed' ORDER BY m.starts_at, s.meeting_id)sql"
    );
}

Listing<MeetingReport> Report::without_row(std::size_t limit) const
{
    return impl_->list(
        limit, meeting_of,
        "SELECT " USHER_MEETING_COLUMNS
        R"sql( FROM meeting_status s LEFT JOIN meeting m ON m.id = s.meeting_id
              WHERE s.state = 'waiting' AND s.reason = 'no_meeting' ORDER BY s.meeting_id)sql"
    );
}

Listing<ProblemReport> Report::problems(std::size_t limit) const
{
    return impl_->list(
        limit, problem_of,
        R"sql(SELECT a.meeting_id, p.participant_id, p.reason, p.detail, p.since
                FROM participant_problem p JOIN agenda a ON a.meeting_no = p.meeting_no
               ORDER BY a.starts_at, a.meeting_id, p.participant_id)sql"
    );
}

Readiness Report::readiness(sys_seconds now, sys_seconds until, seconds early_join, seconds grace) const
{
    const auto rows = impl_->all(
        [](Statement& row) {
            return Readiness{row.getColumn(0).getInt64(), row.getColumn(1).getInt64()};
        },
        R"sql(SELECT count(*), coalesce(sum(s.state = 'ready'), 0)
                FROM meeting m LEFT JOIN meeting_status s ON s.meeting_id = m.id
               WHERE m.status = 'scheduled' AND coalesce(s.opens_at, m.starts_at - ?3) <= ?2
                 AND coalesce(s.closes_at, m.ends_at + ?4) > ?1)sql",
        unix_seconds(now), unix_seconds(until), std::int64_t{early_join.count()}, std::int64_t{grace.count()}
    );
    return rows.at(0);
}

std::optional<sys_seconds> Report::valid_until(sys_seconds now) const
{
    return impl_
        ->all(
            [](Statement& row) { return instant(row.getColumn(0)); },
            R"sql(SELECT min(t.expires_at) FROM meeting m
                    JOIN agenda a ON a.meeting_id = m.id JOIN token t ON t.session_no = a.session_no
                   WHERE m.status = 'scheduled' AND a.closes > ? AND t.expires_at < a.closes)sql",
            unix_seconds(now)
        )
        .at(0);
}

std::int64_t Report::abandoned_attempts() const
{
    return impl_
        ->all(
            [](Statement& row) { return row.getColumn(0).getInt64(); },
            "SELECT count(*) FROM session_attempt WHERE outcome = 'abandoned'"
        )
        .at(0);
}

DaemonReport Report::daemon() const
{
    return impl_
        ->all(
            [](Statement& row) {
                return DaemonReport{
                    row.getColumn(0).getString(), from_unix(row.getColumn(1).getInt64()),
                    from_unix(row.getColumn(2).getInt64())};
            },
            "SELECT who, since, heartbeat FROM daemon WHERE id = 1"
        )
        .at(0);
}

std::vector<ProjectReport> Report::projects() const
{
    return impl_->all(
        [](Statement& row) {
            ProjectReport project{
                .name = row.getColumn(0).getString(),
                .provider = row.getColumn(1).getString(),
                .project_key = row.getColumn(2).getString(),
                .reason = row.getColumn(3).getString(),
                .detail = row.getColumn(4).getString(),
                .next_probe = instant(row.getColumn(5)),
                .clock_ahead = {},
                .tokens = row.getColumn(7).getInt64(),
                .tokens_with_old_key = row.getColumn(8).getInt64(),
            };
            if (!row.getColumn(6).isNull())
                project.clock_ahead = seconds{row.getColumn(6).getInt64()};
            return project;
        },
        R"sql(SELECT p.name, p.provider, p.project_key, p.reason, p.detail, p.next_at, p.clock_ahead,
                     coalesce(n.tokens, 0), coalesce(n.old, 0)
                FROM project_status p
                LEFT JOIN (SELECT s.project, count(*) AS tokens, sum(t.key_id <> q.key_id) AS old
                             FROM agenda a
                             JOIN session s ON s.session_no = a.session_no
                             JOIN project_status q ON q.name = s.project
                             JOIN token t ON t.session_no = a.session_no
                            GROUP BY s.project) n ON n.project = p.name
               ORDER BY p.name)sql"
    );
}

std::optional<MeetingReport> Report::meeting(std::string_view id) const
{
    auto rows = impl_->all(
        meeting_of,
        "SELECT " USHER_MEETING_COLUMNS
        " FROM meeting_status s LEFT JOIN meeting m ON m.id = s.meeting_id WHERE s.meeting_id = ?",
        std::string{id}
    );
    if (rows.empty())
        return std::nullopt;
    return std::move(rows.front());
}

std::vector<ProblemReport> Report::problems_of(std::string_view meeting_id) const
{
    return impl_->all(
        problem_of,
        R"sql(SELECT a.meeting_id, p.participant_id, p.reason, p.detail, p.since
                FROM agenda a JOIN participant_problem p ON p.meeting_no = a.meeting_no
               WHERE a.meeting_id = ? ORDER BY p.participant_id)sql",
        std::string{meeting_id}
    );
}

Listing<HistoryReport> Report::history_of(std::string_view meeting_id, std::size_t limit) const
{
    return impl_->list(
        limit, history_of_row,
        R"sql(WITH RECURSIVE chain (history_no) AS (
                  SELECT last_history_no FROM agenda WHERE meeting_id = ?
                  UNION ALL SELECT h.previous_no FROM history h JOIN chain USING (history_no))
              SELECT h.at, h.event, h.detail FROM chain JOIN history h USING (history_no)
               ORDER BY h.history_no DESC)sql",
        std::string{meeting_id}
    );
}

std::vector<CredentialReport>
Report::credentials(std::string_view meeting_id, std::optional<std::string> const& participant) const
{
    const auto read = [](Statement& row) {
        return CredentialReport{
            .meeting_id = row.getColumn(0).getString(),
            .participant_id = row.getColumn(1).getString(),
            .project = row.getColumn(2).getString(),
            .project_key = row.getColumn(3).getString(),
            .session_id = row.getColumn(4).getString(),
            .token = row.getColumn(5).getString(),
            .role = row.getColumn(6).getString(),
            .issued_at = from_unix(row.getColumn(7).getInt64()),
            .expires_at = from_unix(row.getColumn(8).getInt64()),
            .opens = instant(row.getColumn(9)),
            .closes = instant(row.getColumn(10)),
        };
    };
    if (participant)
        return impl_->all(
            read,
            R"sql(SELECT meeting_id, participant_id, project, project_key, session_id, token, role, issued_at,
                         expires_at, opens_at, closes_at
                    FROM join_credential WHERE meeting_id = ? AND participant_id = ?)sql",
            std::string{meeting_id}, *participant
        );
    return impl_->all(
        read,
        R"sql(SELECT meeting_id, participant_id, project, project_key, session_id, token, role, issued_at,
                     expires_at, opens_at, closes_at
                FROM join_credential WHERE meeting_id = ? ORDER BY participant_id)sql",
        std::string{meeting_id}
    );
}

} // namespace usher
