// SPDX-License-Identifier: Apache-2.0
// What is due, and meetings as they are: the rows of the platform beside those of usher.
#include <algorithm>
#include <set>

#include <usher/core/row_check.hpp>

#include "columns.hpp"
#include "store_file_impl.hpp"

namespace usher {

namespace {

/// A meeting's row, and which rows of other tables there are for it: most have none of them, and a seek from here takes
/// less time than a statement. `blocks` comes last.
#define USHER_AGENDA_ROW(blocks)                                                                                       \
    "SELECT a.meeting_id, a.due_at, a.opens, a.closes, a.next_at, a.attempts, a.generation, a.renew_session,"          \
    " a.policy_hash, a.state, a.reason, a.detail, a.ready_at, a.session_no, a.staged_no, a.failed_inputs,"             \
    " a.last_session_no, a.last_history_no, a.gone_at, a.edited_early,"                                                \
    " EXISTS (SELECT 1 FROM removal r WHERE r.meeting_id = a.meeting_id), a.settled_at,"                               \
    " EXISTS (SELECT 1 FROM request_meeting w WHERE w.meeting_no = a.meeting_no),"                                     \
    " EXISTS (SELECT 1 FROM participant_problem p WHERE p.meeting_no = a.meeting_no),"                                 \
    " EXISTS (SELECT 1 FROM session s WHERE s.session_no = a.last_session_no AND typeof(s.previous_no) <> "            \
    "'null'), " blocks " FROM agenda a WHERE a.meeting_no = ?"

constexpr char agenda_row[] = USHER_AGENDA_ROW("0");
constexpr char agenda_row_and_blocks[] =
    USHER_AGENDA_ROW("typeof(a.meeting_id) <> 'text' OR EXISTS (SELECT 1 FROM block b INDEXED BY block_by_meeting"
                     " WHERE b.meeting_id = a.meeting_id)");
constexpr std::size_t participants_of_most = 8; // meetings have no more of them
constexpr std::size_t read_together = 16; // meetings in one transaction: a longer one keeps the WAL from starting anew

/// Finds participants, who are in the order of their ids, by ids that come in the same order.
class ParticipantFinder {
public:
    /// Those who are `present` come first in `rows`, which may grow behind them.
    ParticipantFinder(std::vector<ParticipantRow> const& rows, std::size_t present) : rows_{rows}, present_{present} {}

    /// `present` when the id is none of them.
    std::size_t find(std::string_view id)
    {
        while (at_ < present_ && rows_[at_].id < id)
            ++at_;
        return at_ < present_ && rows_[at_].id == id ? at_ : present_;
    }

private:
    std::vector<ParticipantRow> const& rows_;
    std::size_t present_;
    std::size_t at_ = 0;
};

} // namespace

DueMeetings StoreFile::due(sys_seconds now, std::size_t limit, std::set<MeetingNo> const& in_hand) const
{
    Impl& impl = *impl_;
    const std::int64_t instant_now = unix_seconds(now);
    return impl.guarded([&] {
        DueMeetings result;
        result.seen = this->seen();
        std::vector<MeetingNo>& meetings = result.meetings;
        std::set<MeetingNo> seen = in_hand;
        // Returns whether there may be more.
        const auto take = [&](std::size_t most, char const* sql, auto const&... bounds) {
            const std::size_t goal = std::min(limit, meetings.size() + most);
            if (meetings.size() >= goal)
                return true;
            SQLite::Statement& statement = impl.prepared(sql);
            const Rewind rewind{statement};
            SQLite::bind(statement, bounds...);
            while (meetings.size() < goal && statement.executeStep())
                if (const MeetingNo meeting{statement.getColumn(0).getInt64()}; seen.insert(meeting).second)
                    meetings.push_back(meeting);
            return meetings.size() >= goal;
        };
        const auto near = [&](std::size_t most) {
            take(
                most, R"sql(SELECT meeting_no FROM agenda INDEXED BY agenda_by_need
                             WHERE due_at = 0 AND starts_at BETWEEN ? AND ? ORDER BY starts_at)sql",
                unix_seconds(now - near_before), unix_seconds(now + near_after)
            );
        };
        const auto timed = [&](std::size_t most) {
            return take(
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
        // Neither a bulk of the one nor of the other stops its neighbour.
        const bool more_timed = timed((limit - meetings.size() + 1) / 2);
        written(limit);
        if (more_timed)
            timed(limit);
        return result;
    });
}

std::optional<sys_seconds> StoreFile::next_due() const
{
    Impl& impl = *impl_;
    return impl.guarded([&]() -> std::optional<sys_seconds> {
        const auto due = impl.integer(
            R"sql(SELECT CASE WHEN EXISTS (SELECT 1 FROM agenda INDEXED BY agenda_by_need WHERE due_at = 0) THEN 0
                         ELSE (SELECT due_at FROM agenda INDEXED BY agenda_by_time WHERE due_at > 0
                                ORDER BY due_at LIMIT 1) END)sql"
        );
        if (!due || *due == never)
            return std::nullopt;
        return from_unix(*due);
    });
}

std::vector<MeetingSnapshot> StoreFile::read(std::span<MeetingNo const> meetings, std::size_t participants_max) const
{
    Impl& impl = *impl_;
    return impl.guarded([&] {
        std::vector<MeetingSnapshot> result;
        result.reserve(meetings.size());
        std::size_t participants = 0;
        std::optional<ReadTransaction> transaction; // one instant for all rows of a meeting
        for (std::size_t i = 0; i < meetings.size() && participants <= participants_max; ++i) {
            if (i % read_together == 0) {
                transaction.reset();
                transaction.emplace(impl);
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

std::vector<MeetingSnapshot> StoreFile::read_orders(std::span<MeetingNo const> meetings) const
{
    Impl& impl = *impl_;
    return impl.guarded([&] {
        std::vector<MeetingSnapshot> result;
        const ReadTransaction transaction{impl};
        for (const MeetingNo meeting : meetings)
            if (std::optional<MeetingSnapshot> snapshot = impl.read_meeting(number(meeting), false);
                snapshot && !snapshot->is_unreadable)
                result.push_back(std::move(*snapshot));
        return result;
    });
}

std::optional<MeetingSnapshot> StoreFile::read_one(std::string_view meeting_id) const
{
    Impl& impl = *impl_;
    return impl.guarded([&]() -> std::optional<MeetingSnapshot> {
        const ReadTransaction transaction{impl};
        const auto meeting_no =
            impl.integer("SELECT meeting_no FROM agenda WHERE meeting_id = ?", std::string{meeting_id});
        if (!meeting_no)
            return std::nullopt;
        return impl.read_meeting(*meeting_no);
    });
}

std::optional<MeetingSnapshot> StoreFile::Impl::read_meeting(std::int64_t meeting_no, bool participants)
{
    MeetingSnapshot result;
    SQLite::Statement& statement = prepared(participants ? agenda_row_and_blocks : agenda_row);
    const Rewind rewind{statement};
    statement.bind(1, meeting_no);
    bool is_there = false;
    result.number = MeetingNo{meeting_no};
    result.is_unreadable = !fits([&] { is_there = statement.executeStep(); });
    if (result.is_unreadable)
        return result;
    if (!is_there)
        return std::nullopt;
    result.id = statement.getColumn(0).getString();
    result.due_at = statement.getColumn(1).getInt64();
    result.opens = instant_of(statement.getColumn(2));
    result.closes = instant_of(statement.getColumn(3));
    result.next_at = bounded_instant(statement.getColumn(4).getInt64());
    result.attempts = statement.getColumn(5).getInt();
    if (statement.getColumn(22).getInt() == 1)
        result.requests = requests.open_work(meeting_no);
    result.generation = wanted_generation(result.requests, statement.getColumn(6).getInt64());
    result.renew_session = static_cast<Renewal>(std::clamp(statement.getColumn(7).getInt(), 0, 2));
    if (result.renew_session == Renewal::no && wants_session(result.requests))
        result.renew_session = Renewal::requested;
    result.policy_hash = static_cast<std::uint64_t>(statement.getColumn(8).getInt64());
    result.state = parse_state(statement.getColumn(9).getString()).value_or(State::pending);
    result.reason = statement.getColumn(10).getString();
    result.detail = statement.getColumn(11).getString();
    result.ready_at = instant_of(statement.getColumn(12));
    if (const auto published = integer_at(statement, 13)) {
        result.published = sealed_session(*published, result.id);
        result.has_foreign_session = !result.published;
    }
    if (const auto staged = integer_at(statement, 14)) {
        result.staged = sealed_session(*staged, result.id);
        result.has_foreign_session = result.has_foreign_session || !result.staged;
    }
    result.meeting = read_meeting_row(result.id);
    result.failed_inputs = static_cast<std::uint64_t>(statement.getColumn(15).getInt64());
    result.gone_at = instant_of(statement.getColumn(18));
    result.edited_early = statement.getColumn(19).getInt() == 1;
    result.settled_at = bounded_instant(statement.getColumn(21).getInt64());
    result.has_removals = statement.getColumn(20).getInt() == 1;
    result.removed_early =
        result.has_removals && result.published && result.meeting && somebody_removed_can_enter(result);
    result.has_past = !statement.getColumn(16).isNull() || !statement.getColumn(17).isNull();
    const std::optional<SessionNo> last = session_at(statement, 16);
    const bool has_earlier = statement.getColumn(24).getInt() == 1;
    for (const SessionNo session : !last || has_earlier ? sessions_since(last) : std::vector{*last})
        if (!(result.published && result.published->number == session) &&
            !(result.staged && result.staged->number == session) &&
            integer("SELECT 1 FROM token WHERE session_no = ? LIMIT 1", number(session)))
            result.has_leftovers = true;
    if (participants)
        add_participants(result, {statement.getColumn(23).getInt() == 1, statement.getColumn(25).getInt() == 1});
    return result;
}

std::optional<MeetingRow> StoreFile::Impl::read_meeting_row(std::string const& meeting_id)
{
    SQLite::Statement& statement = prepared(R"sql(
        SELECT id, starts_at, ends_at, status, project, media_mode, archive_mode, archive_name, archive_resolution,
               location, e2ee, session_id, early_join, grace, title
          FROM meeting WHERE id = ?
    )sql");
    const Rewind rewind{statement};
    statement.bindNoCopy(1, meeting_id);
    MeetingRow row;
    bool is_there = false;
    const bool is_read = fits([&] {
        is_there = statement.executeStep();
        if (!is_there)
            return;
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
    });
    if (!is_read) {
        row.fault = "a value of the row has more than " + std::to_string(value_bytes_max) + " bytes";
        return row;
    }
    if (!is_there)
        return std::nullopt;
    row.starts_at = bounded_instant(statement.getColumn(1).getInt64());
    row.ends_at = bounded_instant(statement.getColumn(2).getInt64());
    row.cancelled = statement.getColumn(3).getString() == "cancelled";
    row.project = statement.getColumn(4).getString();
    row.options = options_at(statement, 5);
    row.session_id = option(statement.getColumn(11));
    row.early_join = duration_of(statement.getColumn(12));
    row.grace = duration_of(statement.getColumn(13));
    return row;
}

bool StoreFile::Impl::somebody_removed_can_enter(MeetingSnapshot const& meeting)
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

std::vector<ParticipantRow> StoreFile::Impl::read_participants(std::string const& meeting_id)
{
    std::vector<ParticipantRow> rows;
    const bool is_read = fits([&] {
        SQLite::Statement& statement = prepared(
            R"sql(SELECT participant_id, role, connection_data, layout_classes, meeting_id, id, display_name
                    FROM participant
                   WHERE meeting_id = ? ORDER BY participant_id LIMIT ?)sql"
        );
        const Rewind rewind{statement};
        statement.bindNoCopy(1, meeting_id);
        statement.bind(2, static_cast<std::int64_t>(meeting_participants_max) + 1);
        rows.reserve(participants_of_most);
        while (statement.executeStep())
            rows.push_back(participant_at(statement));
    });
    return is_read ? std::move(rows) : read_participants_one_by_one(meeting_id);
}

void StoreFile::Impl::add_participants(MeetingSnapshot& meeting, Beside beside)
{
    meeting.participants = read_participants(meeting.id);
    std::vector<ParticipantRow>& rows = meeting.participants;
    meeting.is_crowded = rows.size() > meeting_participants_max;
    if (meeting.is_crowded)
        rows.resize(meeting_participants_max);
    // Ids that are no text come after all others.
    const auto by_id = [](ParticipantRow const& a, ParticipantRow const& b) { return a.id < b.id; };
    if (!std::is_sorted(rows.begin(), rows.end(), by_id))
        std::stable_sort(rows.begin(), rows.end(), by_id);
    const std::size_t present = rows.size();
    const auto read_blocks = [&] {
        SQLite::Statement& statement = prepared(
            R"sql(SELECT substr(participant_id, 1, 256) FROM block INDEXED BY block_by_meeting
                   WHERE meeting_id = ? ORDER BY participant_id LIMIT ?)sql"
        );
        const Rewind rewind{statement};
        statement.bindNoCopy(1, meeting.id);
        statement.bind(2, static_cast<std::int64_t>(2 * meeting_participants_max));
        ParticipantFinder finder{rows, present};
        while (statement.executeStep())
            if (const std::size_t row = finder.find(statement.getColumn(0).getString()); row != present)
                rows[row].blocked = true;
    };
    if (beside.blocks)
        passing_over(read_blocks);
    if (beside.problems)
        add_problems(meeting);
    if (std::optional<SessionRow> const& session = meeting.staged ? meeting.staged : meeting.published)
        add_tokens(meeting, session->number);
    if (meeting.has_unreadable_rows) // they are deleted, and made anew
        for (ParticipantRow& row : meeting.participants) {
            row.token.reset();
            row.problem.clear();
        }
}

void StoreFile::Impl::add_problems(MeetingSnapshot& meeting)
{
    std::vector<ParticipantRow>& rows = meeting.participants;
    const std::size_t present = rows.size();
    const bool is_read = fits([&] {
        SQLite::Statement& statement = prepared(
            "SELECT participant_id, reason FROM participant_problem WHERE meeting_no = ? ORDER BY participant_id"
        );
        const Rewind rewind{statement};
        statement.bind(1, number(meeting.number));
        ParticipantFinder finder{rows, present};
        while (statement.executeStep()) {
            const std::size_t first = finder.find(statement.getColumn(0).getString());
            meeting.has_stale_problems = meeting.has_stale_problems || first == present;
            for (std::size_t row = first; row < present && rows[row].id == rows[first].id; ++row)
                rows[row].problem = statement.getColumn(1).getString();
        }
    });
    meeting.has_unreadable_rows = meeting.has_unreadable_rows || !is_read;
}

ParticipantRow StoreFile::Impl::participant_at(SQLite::Statement& statement)
{
    RawParticipant raw;
    raw.participant_id = value_at(statement, 0);
    raw.role = value_at(statement, 1);
    raw.connection_data = value_at(statement, 2);
    raw.layout_classes = value_at(statement, 3);
    raw.meeting_id = value_at(statement, 4);
    raw.display_name = value_at(statement, 6);
    ParticipantRow row;
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
    return row;
}

std::vector<ParticipantRow> StoreFile::Impl::read_participants_one_by_one(std::string const& meeting_id)
{
    std::vector<std::int64_t> keys;
    {
        SQLite::Statement& statement = prepared("SELECT id FROM participant WHERE meeting_id = ? LIMIT ?");
        const Rewind rewind{statement};
        statement.bindNoCopy(1, meeting_id);
        statement.bind(2, static_cast<std::int64_t>(meeting_participants_max) + 1);
        while (statement.executeStep())
            keys.push_back(statement.getColumn(0).getInt64());
    }
    std::vector<ParticipantRow> rows;
    for (const std::int64_t key : keys) {
        const bool is_read = fits([&] {
            SQLite::Statement& statement = prepared(
                R"sql(SELECT participant_id, role, connection_data, layout_classes, meeting_id, id, display_name
                        FROM participant WHERE id = ?)sql"
            );
            const Rewind rewind{statement};
            statement.bind(1, key);
            if (statement.executeStep())
                rows.push_back(participant_at(statement));
        });
        if (is_read)
            continue;
        unbounded([&] {
            ParticipantRow& row = rows.emplace_back();
            row.id = problem_key(key);
            row.fault = "a value of the row has more than " + std::to_string(value_bytes_max) + " bytes";
            row.unread = true;
        });
    }
    return rows;
}

std::string StoreFile::Impl::problem_key(std::int64_t id)
{
    SQLite::Statement& statement =
        prepared("SELECT " USHER_PROBLEM_KEY("participant_id") " FROM participant WHERE id = ?");
    const Rewind rewind{statement};
    statement.bind(1, id);
    return statement.executeStep() ? statement.getColumn(0).getString() : std::string{};
}

void StoreFile::Impl::add_tokens(MeetingSnapshot& meeting, SessionNo session)
{
    std::vector<ParticipantRow>& rows = meeting.participants;
    const std::size_t present = rows.size();
    ParticipantFinder finder{rows, present};
    const bool is_read = fits([&] {
        SQLite::Statement& statement = prepared(
            R"sql(SELECT participant_id, role, issued_at, expires_at, generation, key_id, fingerprint, reason
                    FROM token WHERE session_no = ? ORDER BY participant_id LIMIT ?)sql"
        );
        const Rewind rewind{statement};
        statement.bind(1, number(session));
        statement.bind(2, static_cast<std::int64_t>(2 * meeting_participants_max));
        while (statement.executeStep()) {
            std::string id = statement.getColumn(0).getString();
            const std::size_t row = finder.find(id);
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
    });
    meeting.has_unreadable_rows = meeting.has_unreadable_rows || !is_read;
}

} // namespace usher
