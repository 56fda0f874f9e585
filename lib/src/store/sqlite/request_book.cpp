// SPDX-License-Identifier: Apache-2.0
#include "request_book.hpp"

#include <algorithm>
#include <iterator>

#include <usher/core/printable.hpp>

#include "columns.hpp"

namespace usher {

namespace {

// In one transaction. Marking a meeting takes about 20 µs.
constexpr std::int64_t marks_max = 200;
constexpr std::int64_t begun_max = 200; // requests
constexpr std::int64_t equal_max = 500; // requests that share their work
// A counter that somebody else set to more is not gone on with.
constexpr std::int64_t latest = 99'999'999'999; // instant
constexpr std::int64_t number_max = std::int64_t{1} << 62;
// Rows that are read for one chunk, without the write lock.
constexpr std::int64_t scanned_max = 4000;

std::int64_t number(WorkNo value)
{
    return static_cast<std::int64_t>(value);
}

} // namespace

std::vector<OpenWork> RequestBook::open_work(std::int64_t meeting_no)
{
    SQLite::Statement& statement = db_.prepared(R"sql(
        SELECT m.work_no, r.action, r.began_at
          FROM request_meeting m
          LEFT JOIN request_result r ON r.request_no = (SELECT min(request_no) FROM request_result
                                                         WHERE state = 'running' AND work_no = m.work_no)
         WHERE m.meeting_no = ? ORDER BY m.work_no LIMIT ?
    )sql");
    const Rewind rewind{statement};
    SQLite::bind(statement, meeting_no, static_cast<std::int64_t>(open_work_max));
    std::vector<OpenWork> open;
    while (statement.executeStep())
        open.push_back(
            {WorkNo{statement.getColumn(0).getInt64()}, parse_request_action(statement.getColumn(1).getString()),
             from_unix(std::clamp(statement.getColumn(2).getInt64(), std::int64_t{0}, latest))}
        );
    return open;
}

void RequestBook::count_tokens(MeetingSnapshot const& meeting, std::size_t tokens)
{
    for (OpenWork const& work : meeting.requests)
        db_.run(
            "UPDATE request_meeting SET tokens = tokens + ? WHERE meeting_no = ? AND work_no = ?",
            static_cast<std::int64_t>(tokens), number(meeting.number), number(work.number)
        );
}

void RequestBook::end(MeetingSnapshot const& meeting, Plan const& plan, PublishOutcome outcome, sys_seconds now)
{
    const auto meeting_no = number(meeting.number);
    for (OpenWork const& work : meeting.requests) {
        if (!is_served(work, meeting, plan, outcome, now))
            continue;
        const auto tokens = db_.integer(
            "DELETE FROM request_meeting WHERE meeting_no = ? AND work_no = ? RETURNING tokens", meeting_no,
            number(work.number)
        );
        if (!tokens)
            continue;
        RequestCounts& counts = counted_[number(work.number)];
        ++counts.served;
        counts.renewed += *tokens > 0 || outcome.publishes ? 1 : 0;
        counts.sessions += outcome.publishes ? 1 : 0;
        counts.tokens += *tokens;
    }
}

void RequestBook::forget(std::int64_t meeting_no)
{
    for (OpenWork const& work : open_work(meeting_no))
        ++counted_[number(work.number)].served;
    db_.run("DELETE FROM request_meeting WHERE meeting_no = ?", meeting_no);
}

void RequestBook::keep_counts(sys_seconds now)
{
    for (auto const& [work_no, counts] : std::exchange(counted_, {})) {
        db_.run(
            R"sql(UPDATE request_result SET served = served + ?1, renewed = renewed + ?2, sessions = sessions + ?3,
                         tokens = tokens + ?4
                   WHERE state = 'running' AND work_no = ?5)sql",
            counts.served, counts.renewed, counts.sessions, counts.tokens, work_no
        );
        finish_if_done(work_no, now);
    }
}

void RequestBook::finish_if_done(std::int64_t work_no, sys_seconds now)
{
    RequestCounts counts;
    bool all_marked = false;
    {
        SQLite::Statement& statement = db_.prepared(
            R"sql(SELECT meetings, served, renewed, sessions, tokens, cursor_no IS NULL FROM request_result
                   WHERE state = 'running' AND work_no = ? LIMIT 1)sql"
        );
        const Rewind rewind{statement};
        statement.bind(1, work_no);
        if (!statement.executeStep())
            return;
        counts = {
            statement.getColumn(0).getInt64(), statement.getColumn(1).getInt64(), statement.getColumn(2).getInt64(),
            statement.getColumn(3).getInt64(), statement.getColumn(4).getInt64()};
        all_marked = statement.getColumn(5).getInt() != 0;
    }
    if (is_done(counts, all_marked))
        finish(work_no, RequestState::done, to_text(counts), now);
}

void RequestBook::finish(std::int64_t work_no, RequestState state, std::string const& detail, sys_seconds now)
{
    {
        SQLite::Statement& statement =
            db_.prepared("SELECT min(request_id), count(*), min(action) = 'retry' FROM request_result "
                         "WHERE state = 'running' AND work_no = ?");
        const Rewind rewind{statement};
        statement.bind(1, work_no);
        statement.executeStep();
        news_.push_back(
            {statement.getColumn(0).getInt64(), statement.getColumn(2).getInt() != 0,
             static_cast<std::size_t>(statement.getColumn(1).getInt64()), detail}
        );
    }
    db_.run(
        R"sql(UPDATE request_result SET state = ?1, detail = ?2, done_at = ?3, cursor_no = NULL
               WHERE state = 'running' AND work_no = ?4)sql",
        std::string{to_text(state)}, detail, unix_seconds(now), work_no
    );
}

void RequestBook::refuse(std::int64_t work_no, std::string const& why, sys_seconds now)
{
    db_.run("UPDATE request_result SET meetings = 0 WHERE state = 'running' AND work_no = ?", work_no);
    finish(work_no, RequestState::refused, why, now);
}

bool RequestBook::has_work()
{
    return compared_ != schema_version() ||
           db_.integer(R"sql(SELECT EXISTS (SELECT 1 FROM request_result WHERE cursor_no IS NOT NULL)
                                    OR EXISTS (SELECT 1 FROM request_result WHERE state = 'filed'))sql") == 1;
}

std::int64_t RequestBook::schema_version()
{
    return db_.integer("PRAGMA schema_version").value_or(0);
}

std::optional<RequestBook::Portion> RequestBook::next(sys_seconds now)
{
    if (!has_work())
        return std::nullopt;
    Portion portion;
    const std::int64_t schema = schema_version();
    if (compared_ != schema) {
        // Rows that came or went while a trigger was missing; its return changes the schema too.
        portion.unrecorded = find_unrecorded();
        portion.orphans = find_orphans();
        if (!portion.unrecorded.empty() || !portion.orphans.empty())
            return portion;
        compared_ = schema;
        compared_to_ = std::numeric_limits<std::int64_t>::min();
    }
    {
        SQLite::Statement& statement = db_.prepared(
            R"sql(SELECT DISTINCT meeting_id, action FROM request_result
                   WHERE state = 'filed' AND meeting_id > '' AND typeof(meeting_id) = 'text' AND length(meeting_id) <= 255
                     AND project IS NULL AND requested_at BETWEEN 1000000000 AND 99999999999
                     AND action IN ('rotate', 'replace_session', 'retry')
                   ORDER BY meeting_id, action LIMIT ?)sql"
        );
        const Rewind rewind{statement};
        statement.bind(1, marks_max);
        while (statement.executeStep())
            portion.singles.push_back({statement.getColumn(1).getString(), statement.getColumn(0).getString()});
    }
    if (!portion.singles.empty())
        return portion;
    if (std::optional<Portion> chunk = find_chunk(now))
        return chunk;
    portion.many = db_.integer(
        R"sql(SELECT min(request_no) FROM request_result
               WHERE state = 'filed' AND meeting_id IS NULL AND project > '' AND typeof(project) = 'text'
                 AND length(project) <= 255 AND requested_at BETWEEN 1000000000 AND 99999999999 AND action IN ('rotate', 'replace_session', 'retry'))sql"
    );
    if (portion.many)
        return portion;
    portion.refusals = find_invalid(); // what is left of those that were filed
    return portion.refusals.empty() ? std::nullopt : std::optional{std::move(portion)};
}

template <class... Values>
std::vector<std::int64_t> RequestBook::numbers(char const* sql, Values const&... values)
{
    SQLite::Statement& statement = db_.prepared(sql);
    const Rewind rewind{statement};
    SQLite::bind(statement, values...);
    std::vector<std::int64_t> found;
    while (statement.executeStep())
        found.push_back(statement.getColumn(0).getInt64());
    return found;
}

std::vector<std::int64_t> RequestBook::find_unrecorded()
{
    return numbers(
        R"sql(SELECT r.id FROM request r
                LEFT JOIN request_result q
                       ON q.request_id = r.id AND q.action IS substr(r.action, 1, 64)
                      AND q.meeting_id IS substr(r.meeting_id, 1, 256)
                      AND q.project IS substr(r.project, 1, 256)
                      AND q.requested_at IS CASE typeof(r.requested_at) WHEN 'integer' THEN r.requested_at END
               WHERE q.request_no IS NULL AND r.id > ? ORDER BY r.id LIMIT ?)sql",
        compared_to_, begun_max
    );
}

std::vector<std::int64_t> RequestBook::find_orphans()
{
    return numbers(
        R"sql(SELECT q.request_no FROM request_result q
               WHERE q.request_id IS NOT NULL
                 AND NOT EXISTS (SELECT 1 FROM request r WHERE r.id = q.request_id) LIMIT ?)sql",
        begun_max
    );
}

std::vector<RequestBook::Refusal> RequestBook::find_invalid()
{
    SQLite::Statement& statement = db_.prepared(
        R"sql(SELECT request_no, substr(r.action, 1, 64), substr(meeting_id, 1, 64), substr(project, 1, 64),
                     typeof(COALESCE(meeting_id, project)), length(COALESCE(meeting_id, project)) > 255
                FROM request_result AS r WHERE state = 'filed' LIMIT ?)sql"
    );
    const Rewind rewind{statement};
    statement.bind(1, begun_max);
    std::vector<Refusal> refusals;
    while (statement.executeStep()) {
        RequestScope scope;
        if (!statement.getColumn(2).isNull())
            scope.meeting = statement.getColumn(2).getString();
        if (!statement.getColumn(3).isNull())
            scope.project = statement.getColumn(3).getString();
        const auto why = why_invalid(statement.getColumn(1).getString(), scope);
        const std::string type = statement.getColumn(4).getString();
        refusals.push_back(
            {statement.getColumn(0).getInt64(),
             why.value_or(
                 type != "text"                         ? "what it names is a " + type + ", not a text"
                 : statement.getColumn(5).getInt() != 0 ? "what it names has more than 255 bytes"
                                                        : "requested_at is no time in unix seconds"
             )}
        );
    }
    return refusals;
}

std::optional<RequestBook::Portion> RequestBook::find_chunk(sys_seconds now)
{
    Portion chunk;
    std::optional<std::string> project;
    {
        SQLite::Statement& statement = db_.prepared(
            R"sql(SELECT request_no, work_no, action, project, pass, cursor_no FROM request_result
                   WHERE cursor_no IS NOT NULL ORDER BY request_no LIMIT 1)sql"
        );
        const Rewind rewind{statement};
        if (!statement.executeStep())
            return std::nullopt;
        chunk.request_no = statement.getColumn(0).getInt64();
        chunk.work_no = statement.getColumn(1).getInt64();
        chunk.action = statement.getColumn(2).getString();
        if (const std::string name = statement.getColumn(3).getString(); name != "*")
            project = name;
        chunk.takes_back = statement.getColumn(4).getInt() == 2;
        chunk.pass = statement.getColumn(4).getInt() == 0 ? MarkPass::near : MarkPass::rest;
        chunk.cursor_no = statement.getColumn(5).getInt64();
    }
    if (chunk.takes_back)
        return find_taken_back(std::move(chunk));
    std::int64_t scanned = 0;
    std::int64_t last = chunk.cursor_no;
    const auto action = parse_request_action(chunk.action);
    SQLite::Statement& statement = db_.prepared(
        R"sql(SELECT a.meeting_no, a.due_at, a.state, a.attempts, a.marked_by, a.opens, a.closes, m.project
                FROM agenda a LEFT JOIN meeting m ON m.id = a.meeting_id
               WHERE a.meeting_no > ? ORDER BY a.meeting_no LIMIT ?)sql"
    );
    const Rewind rewind{statement};
    SQLite::bind(statement, chunk.cursor_no, scanned_max);
    while (std::ssize(chunk.meetings) < marks_max && statement.executeStep()) {
        ++scanned;
        last = statement.getColumn(0).getInt64();
        if (project && statement.getColumn(7).getString() != *project)
            continue;
        const auto state = parse_state(statement.getColumn(2).getString()).value_or(State::pending);
        MarkFacts facts;
        facts.settled = statement.getColumn(1).getInt64() > unix_seconds(now);
        facts.over = state == State::cancelled || state == State::ended;
        facts.failing = state == State::pending || state == State::failed || statement.getColumn(3).getInt64() > 0;
        facts.marked = statement.getColumn(4).getInt64() == *chunk.work_no;
        facts.opens = instant_of(statement.getColumn(5));
        facts.closes = instant_of(statement.getColumn(6));
        if (action && is_marked(*action, chunk.pass, facts, now))
            chunk.meetings.push_back(last);
    }
    if (scanned == scanned_max || std::ssize(chunk.meetings) == marks_max)
        chunk.next_cursor_no = last;
    const bool ends = !chunk.next_cursor_no && chunk.pass == MarkPass::rest;
    if (ends && project && chunk.meetings.empty() &&
        !db_.integer("SELECT 1 FROM meeting WHERE project = ? LIMIT 1", *project))
        chunk.refusal = "no meeting is in project " + in_quotes(*project);
    return chunk;
}

/// The chunk with the meetings that are not to be served any more for what was aborted.
RequestBook::Portion RequestBook::find_taken_back(Portion portion)
{
    if (db_.integer("SELECT 1 FROM request_result WHERE state = 'running' AND work_no = ?", *portion.work_no))
        return portion; // others ask for the same
    SQLite::Statement& statement = db_.prepared(
        R"sql(SELECT a.meeting_no, m.work_no FROM agenda a
                LEFT JOIN request_meeting m ON m.meeting_no = a.meeting_no AND m.work_no = ?1
               WHERE a.meeting_no > ?2 ORDER BY a.meeting_no LIMIT ?3)sql"
    );
    const Rewind rewind{statement};
    SQLite::bind(statement, *portion.work_no, portion.cursor_no, scanned_max);
    std::int64_t scanned = 0;
    std::int64_t last = portion.cursor_no;
    while (std::ssize(portion.meetings) < marks_max && statement.executeStep()) {
        ++scanned;
        last = statement.getColumn(0).getInt64();
        if (!statement.getColumn(1).isNull())
            portion.meetings.push_back(last);
    }
    if (scanned == scanned_max || std::ssize(portion.meetings) == marks_max)
        portion.next_cursor_no = last;
    return portion;
}

void RequestBook::take(Portion const& portion, sys_seconds now)
{
    for (const std::int64_t id : portion.unrecorded)
        record(compared_to_ = id);
    for (const std::int64_t request_no : portion.orphans)
        db_.run(
            R"sql(UPDATE request_result SET request_id = NULL, cursor_no = CASE state WHEN 'running' THEN 0 ELSE cursor_no END,
                         state = 'aborted', pass = 2
                   WHERE request_no = ?)sql",
            request_no
        );
    db_.run("DELETE FROM request_result WHERE request_id IS NULL AND state = 'aborted' AND cursor_no IS NULL");
    for (auto const& [request_no, why] : portion.refusals)
        db_.run(
            "UPDATE request_result SET state = 'refused', detail = ?, done_at = ? WHERE request_no = ?", why,
            unix_seconds(now), request_no
        );
    std::int64_t begun = 0;
    for (Single const& single : portion.singles)
        if (begun < begun_max)
            begun += begin_single(single, now);
    if (portion.many)
        begin_many(*portion.many, now);
    if (!portion.request_no)
        return;
    if (portion.takes_back) {
        for (const std::int64_t meeting_no : portion.meetings) {
            db_.run("DELETE FROM request_meeting WHERE meeting_no = ? AND work_no = ?", meeting_no, *portion.work_no);
            db_.run("UPDATE agenda SET due_at = 0 WHERE meeting_no = ? AND due_at <> 0", meeting_no);
        }
        if (portion.next_cursor_no) {
            db_.run(
                "UPDATE request_result SET cursor_no = ? WHERE request_no = ?", *portion.next_cursor_no,
                *portion.request_no
            );
            return;
        }
        db_.run("DELETE FROM request_result WHERE request_no = ? AND request_id IS NULL", *portion.request_no);
        db_.run("UPDATE request_result SET cursor_no = NULL WHERE request_no = ?", *portion.request_no);
        return;
    }
    if (!db_.integer(
            "SELECT 1 FROM request_result WHERE state = 'running' AND work_no = ? LIMIT 1", *portion.work_no
        )) {
        db_.run( // aborted since, or not usher's words
            "UPDATE request_result SET cursor_no = NULL WHERE request_no = ? AND pass <> 2", *portion.request_no
        );
        return;
    }
    for (const std::int64_t meeting_no : portion.meetings)
        mark(portion.action, *portion.work_no, meeting_no, portion.pass);
    const bool next_pass = !portion.next_cursor_no && portion.pass == MarkPass::near;
    SQLite::Statement& statement = db_.prepared(
        R"sql(UPDATE request_result SET cursor_no = ?1, pass = ?2, meetings = meetings + ?3
               WHERE state = 'running' AND work_no = ?4)sql"
    );
    {
        const Rewind rewind{statement};
        if (portion.next_cursor_no)
            statement.bind(1, *portion.next_cursor_no);
        else if (next_pass)
            statement.bind(1, 0);
        statement.bind(2, portion.pass == MarkPass::rest || next_pass ? 1 : 0);
        statement.bind(3, static_cast<std::int64_t>(portion.meetings.size()));
        statement.bind(4, *portion.work_no);
        statement.exec();
    }
    const bool none = !db_.integer(
        "SELECT 1 FROM request_result WHERE state = 'running' AND work_no = ? AND meetings > 0 LIMIT 1",
        *portion.work_no
    );
    if (!portion.refusal.empty() && none)
        refuse(*portion.work_no, portion.refusal, now);
    else
        finish_if_done(*portion.work_no, now);
}

std::int64_t RequestBook::begin_single(Single const& single, sys_seconds now)
{
    const std::int64_t work_no = new_work();
    const int begun = db_.run(
        R"sql(UPDATE request_result SET state = 'running', work_no = ?1, began_at = ?2, meetings = 1
               WHERE request_no IN (SELECT request_no FROM request_result
                                     WHERE state = 'filed' AND meeting_id = ?3 AND action = ?4 AND project IS NULL
                                       AND requested_at BETWEEN 1000000000 AND 99999999999 LIMIT ?5))sql",
        work_no, unix_seconds(now), single.meeting_id, single.action, begun_max
    );
    if (begun == 0)
        return 0; // aborted since
    constexpr char const* find = "SELECT meeting_no FROM agenda WHERE meeting_id = ?";
    auto meeting_no = db_.integer(find, single.meeting_id);
    if (!meeting_no) { // its row may have come while a trigger was missing
        db_.run(
            "INSERT INTO agenda (meeting_id, starts_at, day) SELECT id, starts_at, starts_at / 86400 FROM meeting "
            "WHERE "
            "id = ?",
            single.meeting_id
        );
        meeting_no = db_.integer(find, single.meeting_id);
    }
    if (meeting_no)
        mark(single.action, work_no, *meeting_no, std::nullopt);
    else
        refuse(work_no, "there is no meeting " + in_quotes(single.meeting_id, 255), now);
    return begun;
}

void RequestBook::begin_many(std::int64_t request_no, sys_seconds now)
{
    const std::int64_t work_no = new_work();
    db_.run(
        R"sql(UPDATE request_result SET state = 'running', work_no = ?1, began_at = ?2, cursor_no = 0
               WHERE request_no IN (SELECT request_no FROM request_result q, (SELECT action, project FROM request_result
                                     WHERE request_no = ?3 AND state = 'filed') same
                                     WHERE q.state = 'filed' AND q.meeting_id IS NULL AND q.action = same.action
                                       AND q.project = same.project
                                       AND q.requested_at BETWEEN 1000000000 AND 99999999999 LIMIT ?4))sql",
        work_no, unix_seconds(now), request_no, equal_max
    );
}

void RequestBook::mark(
    std::string const& action, std::int64_t work_no, std::int64_t meeting_no, std::optional<MarkPass> pass
)
{
    // Work for many is due as if time had made it so: what platforms write meanwhile does not wait for its end.
    const bool near = pass == MarkPass::near;
    const std::int64_t due_at = !pass ? 0 : near ? 1 : 2;
    db_.run("INSERT OR IGNORE INTO request_meeting (meeting_no, work_no) VALUES (?, ?)", meeting_no, work_no);
    if (action == to_text(RequestAction::rotate))
        db_.run("UPDATE agenda SET due_at = min(due_at, ?) WHERE meeting_no = ?", due_at, meeting_no);
    else
        db_.run(
            "UPDATE agenda SET due_at = min(due_at, ?), next_at = 0, attempts = 0 WHERE meeting_no = ?", due_at,
            meeting_no
        );
    if (near)
        db_.run("UPDATE agenda SET marked_by = ? WHERE meeting_no = ?", work_no, meeting_no);
}

/// A row of the daemon's that was written anew begins with 0, though there may be tokens of later numbers.
std::int64_t RequestBook::new_work()
{
    const auto last_given = db_.integer(
        "SELECT work_no FROM daemon WHERE id = 1 AND typeof(work_no) = 'integer' AND work_no BETWEEN 1 AND ?",
        number_max
    );
    const std::int64_t last = last_given ? *last_given
                                         : db_.integer(
                                                  R"sql(SELECT max(COALESCE((SELECT max(work_no) FROM request_result
                                                        WHERE typeof(work_no) = 'integer' AND work_no < ?1), 0),
                                             COALESCE((SELECT max(generation) FROM agenda
                                                        WHERE typeof(generation) = 'integer' AND generation < ?1), 0)))sql",
                                                  number_max
                                           )
                                               .value_or(0);
    db_.run("UPDATE daemon SET work_no = ? WHERE id = 1", last + 1);
    return last + 1;
}

void RequestBook::record(std::int64_t id)
{
    db_.run("DELETE FROM request_result WHERE request_id = ? AND state <> 'running' AND cursor_no IS NULL", id);
    db_.run(
        "UPDATE request_result SET request_id = NULL, state = 'aborted', pass = 2, cursor_no = 0 WHERE request_id = ?",
        id
    );
    db_.run(
        R"sql(INSERT INTO request_result (request_id, action, meeting_id, project, requested_at)
              SELECT id, substr(r.action, 1, 64), substr(meeting_id, 1, 256), substr(project, 1, 256),
                     CASE typeof(requested_at) WHEN 'integer' THEN requested_at END
                FROM request AS r WHERE id = ?)sql",
        id
    );
}

} // namespace usher
