// SPDX-License-Identifier: Apache-2.0
// What a sweep looks for beside the queue, and mends.
#include <algorithm>

#include "columns.hpp"
#include "store_file_impl.hpp"

namespace usher {

namespace {

constexpr char const* restore_cursor = "SELECT restore_cursor FROM daemon WHERE id = 1";
constexpr std::size_t mark_chunk = 500;

} // namespace

std::vector<AgendaEntry> StoreFile::scan(MeetingNo after, std::size_t limit) const
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

void StoreFile::mark(std::span<MeetingNo const> meetings)
{
    impl_->mark("UPDATE agenda SET due_at = 0 WHERE meeting_no = ? AND due_at <> 0", meetings);
}

void StoreFile::Impl::mark(char const* sql, std::span<MeetingNo const> meetings)
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

MissingRows StoreFile::find_missing(std::string const& cursor, std::size_t limit) const
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

void StoreFile::add_missing(std::span<std::string const> meeting_ids)
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

void StoreFile::forget_unreadable(std::span<MeetingNo const> meetings)
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

Outdated StoreFile::find_outdated(Outdated::Cursor place, sys_seconds before, std::size_t limit) const
{
    using OldTable = Outdated::OldTable;
    Impl& impl = *impl_;
    Outdated found;
    found.table = place.table;
    found.next = place;
    const auto rows_max = static_cast<std::int64_t>(limit);
    const auto go_to_next_table = [&] { found.next = {static_cast<OldTable>(static_cast<int>(place.table) + 1), 0}; };
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
    // `sql` selects a number and whether the row can go. It uses CASE, since AND evaluates both sides.
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
            case OldTable::token_past: return look_at_tokens();
            case OldTable::session:
                return look_at_rows(
                    R"sql(SELECT s.session_no,
                                 CASE WHEN s.created_at < ?2 AND s.has_past = 0 AND s.disconnect = 0
                                      THEN NOT EXISTS (SELECT 1 FROM token t WHERE t.session_no = s.session_no)
                                           AND NOT EXISTS (SELECT 1 FROM agenda a WHERE a.meeting_no = s.meeting_no
                                                   AND s.session_no IN (a.session_no, a.staged_no, a.last_session_no))
                                 END
                            FROM session s WHERE s.session_no > ?1 ORDER BY s.session_no LIMIT ?3)sql"
                );
            case OldTable::session_attempt:
                return look_at_rows(
                    R"sql(SELECT attempt_no, started_at < ?2 AND outcome <> 'started'
                            FROM session_attempt WHERE attempt_no > ?1 ORDER BY attempt_no LIMIT ?3)sql"
                );
            case OldTable::history:
                return look_at_rows(
                    R"sql(SELECT h.history_no,
                                 CASE WHEN h.at < ?2
                                      THEN NOT EXISTS (SELECT 1 FROM agenda a WHERE a.meeting_no = h.meeting_no
                                                                                AND a.last_history_no = h.history_no)
                                 END
                            FROM history h WHERE h.history_no > ?1 ORDER BY h.history_no LIMIT ?3)sql"
                );
            case OldTable::none: return;
            }
        });
    });
    return found;
}

void StoreFile::remove(Outdated const& outdated)
{
    using OldTable = Outdated::OldTable;
    if (outdated.rows.empty())
        return;
    Impl& impl = *impl_;
    ++impl.own_writes;
    impl.write([&] {
        impl.unbounded([&] {
            for (Outdated::OldRow const& row : outdated.rows)
                switch (outdated.table) {
                case OldTable::token_past:
                    impl.run(
                        "DELETE FROM token_past WHERE session_no = ? AND participant_id = ? AND seq = ?", row.number,
                        row.participant_id, row.seq
                    );
                    break;
                case OldTable::session:
                    impl.run(
                        R"sql(DELETE FROM session WHERE session_no = ?1 AND has_past = 0 AND NOT EXISTS
                              (SELECT 1 FROM agenda a WHERE a.meeting_no = session.meeting_no
                                  AND ?1 IN (a.session_no, a.staged_no, a.last_session_no)))sql",
                        row.number
                    );
                    break;
                case OldTable::session_attempt:
                    impl.run("DELETE FROM session_attempt WHERE attempt_no = ?", row.number);
                    break;
                case OldTable::history: impl.run("DELETE FROM history WHERE history_no = ?", row.number); break;
                case OldTable::none: break;
                }
            if (outdated.table == OldTable::token_past)
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

bool StoreFile::has_unnumbered() const
{
    Impl& impl = *impl_;
    return impl.guarded([&] { return impl.integer(restore_cursor).has_value(); });
}

bool StoreFile::renumber(std::size_t limit, sys_seconds now)
{
    Impl& impl = *impl_;
    return impl.write([&] {
        return impl.unbounded([&] {
            const std::optional<std::int64_t> cursor = impl.integer(restore_cursor);
            if (!cursor)
                return false;
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

} // namespace usher
