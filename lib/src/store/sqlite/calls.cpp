// SPDX-License-Identifier: Apache-2.0
// What is on record of calls to providers: attempts, sessions that are staged, projects, whom to throw out.
#include "columns.hpp"
#include "store_file_impl.hpp"

namespace usher {

CallRecord StoreFile::record_calls(CallNews const& news, sys_seconds now)
{
    CallRecord record;
    if (news.empty())
        return record;
    Impl& impl = *impl_;
    ++impl.own_writes;
    return impl.write([&] {
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

std::optional<SessionNo> StoreFile::Impl::end_call(EndedCall const& call, sys_seconds now)
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

CallFacts StoreFile::Impl::call_facts(EndedCall const& call)
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

bool StoreFile::Impl::inputs_unchanged(MeetingNo meeting, SessionRow const& session)
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

void StoreFile::Impl::record_project(ProjectStatus const& project, sys_seconds now)
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

std::vector<Disconnect> StoreFile::read_disconnects(std::optional<std::string> const& project, std::size_t limit) const
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

void StoreFile::Impl::end_disconnect(EndedDisconnect const& ended, sys_seconds now)
{
    run("UPDATE session SET disconnect = 0 WHERE session_no = ?", number(ended.session));
    if (!ended.event.empty() && integer("SELECT 1 FROM agenda WHERE meeting_no = ?", number(ended.meeting)))
        history(ended.meeting, ended.event, ended.detail, now);
}

} // namespace usher
