// SPDX-License-Identifier: Apache-2.0
#include "standing.hpp"

#include <cstdint>
#include <optional>

#include "columns.hpp"
#include "statements.hpp"

namespace usher {
namespace {

// A meeting's rows, in the order in which StandingReader reads them. What has to be looked up elsewhere is looked up
// only where the word depends on it, and near the door, where the word has to be true whatever somebody did to the
// rows. While a project's vendor is not asked, its next probe is the next attempt.
constexpr char const* standing_columns = R"sql(
    SELECT substr(coalesce(a.meeting_id, m.id), 1, 1001), m.id IS NOT NULL, m.status, m.starts_at, m.ends_at,
           m.early_join, m.grace, coalesce(m.project, ''), a.opens, a.closes, a.due_at, coalesce(o.next_at, nullif(a.next_at, 0)), a.state,
           a.reason, a.detail, EXISTS (SELECT 1 FROM session s WHERE s.session_no = a.session_no),
           CASE WHEN a.state IN ('pending', 'failed')
                THEN (SELECT h.at FROM history h WHERE h.history_no = a.last_history_no) END,
           CASE WHEN a.state <> 'ready' OR a.due_at <= ?1
                THEN EXISTS (SELECT 1 FROM participant p WHERE p.meeting_id = a.meeting_id) END,
           CASE WHEN a.session_no IS NOT NULL AND (a.state = 'pending' OR a.due_at <= ?1 OR a.opens <= ?1 + 1800)
                THEN EXISTS (
                    SELECT 1 FROM participant p
                     WHERE p.meeting_id = a.meeting_id
                       AND NOT EXISTS (SELECT 1 FROM token t JOIN door d ON d.code = t.role
                                        WHERE t.session_no = a.session_no AND t.participant_id = p.participant_id
                                          AND d.role = p.role AND t.issued_at <= ?1 AND t.expires_at > ?1)
                       AND NOT EXISTS (SELECT 1 FROM block b
                                        WHERE b.meeting_id = p.meeting_id AND b.participant_id = p.participant_id)
                       AND NOT EXISTS (SELECT 1 FROM participant_problem q
                                        WHERE q.meeting_no = a.meeting_no
                                          AND q.participant_id = )sql" USHER_PROBLEM_KEY("p.participant_id") R"sql(
                                      )) END, a.meeting_no, a.ready_at
      FROM )sql";

} // namespace

std::string standing_sql(std::string const& where)
{
    return standing_columns + ("agenda a LEFT JOIN meeting m ON m.id = a.meeting_id LEFT JOIN project_status o "
                               "ON o.name = m.project AND o.reason = a.reason AND o.reason <> '' WHERE " +
                               where);
}

std::string forgotten_sql(std::string const& where)
{
    return standing_columns + ("meeting m LEFT JOIN agenda a ON a.meeting_id = m.id LEFT JOIN project_status o "
                               "ON o.name = m.project AND o.reason = a.reason AND o.reason <> '' "
                               "WHERE a.meeting_id IS NULL AND " +
                               where);
}

MeetingStanding const& StandingReader::read(SQLite::Statement& row)
{
    standing_.number = MeetingNo{row.getColumn(19).getInt64()};
    standing_.id = shown_text(row.getColumn(0));
    standing_.project = shown_text(row.getColumn(7));
    standing_.reason = shown_text(row.getColumn(13));
    standing_.detail = shown_text(row.getColumn(14));
    standing_.has_session = row.getColumn(15).getInt() != 0;
    standing_.has_people = row.getColumn(17).isNull() || row.getColumn(17).getInt() != 0;
    standing_.next_at = instant_of(row.getColumn(11));
    const auto due = instant_of(row.getColumn(10));
    standing_.next_work = due && *due > view_.now && *due < never_due ? due : std::nullopt;

    MeetingFacts& facts = standing_.facts;
    facts = {};
    facts.state = parse_state(shown_text(row.getColumn(12))).value_or(State::pending);
    facts.exists = row.getColumn(1).getInt() != 0;
    standing_.rows_gone = row.getColumn(12).isNull();
    const bool is_text = row.getColumn(0).isText();
    if (standing_.rows_gone && (!is_text || standing_.id.size() > id_bytes_max)) { // it never had any
        standing_.rows_gone = false;
        facts.state = State::failed;
        standing_.reason = "row_invalid";
        standing_.detail =
            is_text ? "id has more than " + std::to_string(id_bytes_max) + " bytes" : "id is a BLOB; write it as text";
    }
    facts.cancelled = shown_text(row.getColumn(2)) == "cancelled";
    facts.opens = instant_of(row.getColumn(8));
    facts.closes = instant_of(row.getColumn(9));
    read_wanted(row);
    standing_.shown = standing_.is_due ? State::pending : facts.state;
    standing_.ready_at = facts.state == State::ready ? instant_of(row.getColumn(20)) : std::nullopt;
    standing_.word = word_of(facts, view_.at_work, view_.now);
    return standing_;
}

void StandingReader::read_wanted(SQLite::Statement& row)
{
    MeetingFacts& facts = standing_.facts;
    const std::int64_t due_at = row.getColumn(10).getInt64();
    const std::int64_t now = unix_seconds(view_.now);
    const bool is_due = due_at <= now;
    standing_.is_due = is_due && !row.getColumn(10).isNull();
    facts.served = standing_.has_session &&
                   (row.getColumn(18).isNull() ? facts.state == State::ready : row.getColumn(18).getInt() == 0);
    Wanted wanted = Wanted::nothing;
    // A row that the contract would refuse has no times that mean anything.
    if (facts.exists && row.getColumn(3).isInteger() && row.getColumn(4).isInteger()) {
        MeetingRow meeting{};
        meeting.starts_at = instant_of(row.getColumn(3)).value_or(sys_seconds{});
        meeting.ends_at = instant_of(row.getColumn(4)).value_or(sys_seconds{});
        meeting.early_join = duration_of(row.getColumn(5));
        meeting.grace = duration_of(row.getColumn(6));
        const Schedule schedule = schedule_of(standing_.id, meeting, view_.policy);
        wanted = wanted_at(schedule, view_.now);
        if (due_at == 0 || !facts.opens) { // usher has not looked at the row as it is now
            facts.opens = schedule.opens;
            facts.closes = schedule.closes;
        }
    }
    if (due_at > 0 && is_due) {
        facts.wanted = facts.exists;
        facts.wanted_since = from_unix(due_at);
    } else if (due_at == 0) {
        facts.wanted = wanted == Wanted::session_and_tokens || (wanted == Wanted::session && !standing_.has_session);
    } else if (facts.state == State::pending || facts.state == State::failed) {
        facts.wanted = facts.state == State::pending || wanted != Wanted::nothing;
        facts.wanted_since = instant_of(row.getColumn(16));
    } else if (facts.state == State::ready && !facts.served) { // somebody else took what usher had written
        facts.wanted = wanted == Wanted::session_and_tokens;
        standing_.rows_gone = true;
        standing_.reason.clear();
        standing_.detail.clear();
    }
    if (is_due && facts.state != State::failed) { // what was recorded is of another time
        standing_.reason.clear();
        standing_.detail.clear();
    }
}

} // namespace usher
