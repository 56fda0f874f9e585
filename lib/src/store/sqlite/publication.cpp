// SPDX-License-Identifier: Apache-2.0
// One meeting after the other, in one transaction: tokens, then the agenda row by which readers see them.
#include <algorithm>
#include <functional>

#include "columns.hpp"
#include "store_file_impl.hpp"

namespace usher {

namespace {

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

/// Of its session; 0 for one that is not on record yet.
SessionNo number_of(Publication const& publication)
{
    return publication.numbered != SessionNo{} ? publication.numbered : publication.session->number;
}

} // namespace

PublishCounts& PublishCounts::operator+=(PublishCounts const& other)
{
    tokens += other.tokens;
    withdrawn += other.withdrawn;
    std::transform(reasons.begin(), reasons.end(), other.reasons.begin(), reasons.begin(), std::plus{});
    std::transform(
        withdraw_whys.begin(), withdraw_whys.end(), other.withdraw_whys.begin(), withdraw_whys.begin(), std::plus{}
    );
    skipped += other.skipped;
    sessions += other.sessions;
    settled += other.settled;
    return *this;
}

void StoreFile::warm_up(std::span<Publication const> publications) const
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
                    number(number_of(publication)), meeting.participants[publication.tokens.front().participant].id,
                    meeting.participants[publication.tokens.back().participant].id
                );
            }
        });
    } catch (RowError const&) { // publish() finds out which
    }
}

bool StoreFile::doubts(Publication const& publication) const
{
    MeetingSnapshot const& meeting = *publication.meeting;
    if (publication.tokens.empty() || is_compared_whole(meeting))
        return false;
    Impl& impl = *impl_;
    const bool others_wrote = seen() != publication.seen;
    try {
        return impl.guarded([&] {
            const std::optional<std::int64_t> due_at =
                impl.integer("SELECT due_at FROM agenda WHERE meeting_no = ?", number(meeting.number));
            return due_at && !is_untouched(meeting, *due_at, others_wrote);
        });
    } catch (RowError const&) { // publish() finds out which
        return true;
    }
}

StoreFile::PublishedSlice
StoreFile::publish(std::span<Publication const> publications, sys_seconds now, std::size_t deletes_max)
{
    if (publications.empty())
        return {};
    Impl& impl = *impl_;
    const auto most_deletes = static_cast<std::int64_t>(deletes_max);
    impl.deletes_left = most_deletes;
    return impl.write([&] {
        PublishedSlice slice;
        const Seen seen{impl.integer("PRAGMA data_version").value_or(0), impl.own_writes};
        for (Publication const& publication : publications) {
            const Impl::PublishedMeeting published = impl.publish_one(publication, seen != publication.seen, now);
            slice.counts.push_back(published.counts);
            slice.sessions.push_back(published.session);
        }
        slice.deleted = static_cast<std::size_t>(most_deletes - impl.deletes_left);
        impl.unbounded([&] { impl.requests.keep_counts(now); }); // whatever somebody else wrote there
        impl.look(now);
        return slice;
    });
}

StoreFile::Impl::PublishedMeeting
StoreFile::Impl::publish_one(Publication const& publication, bool others_wrote, sys_seconds now)
{
    MeetingSnapshot const& meeting = *publication.meeting;
    Plan const& plan = *publication.plan;
    const std::optional<AgendaHead> found = read_head(meeting.number);
    if (!found)
        return {};
    AgendaHead head = *found;
    const std::vector<OpenWork> open =
        meeting.requests.empty() ? std::vector<OpenWork>{} : requests.open_work(number(meeting.number));
    const SettlementFacts facts{
        meeting, plan, standing(meeting, head.due_at, others_wrote), open, publication.session != nullptr};
    Numbering seq{*this, now};

    // A session that was made for this and is not on record yet is staged, or published at once by the only slice.
    PublishedMeeting result;
    SessionNo& session = result.session;
    if (uses_session(facts))
        session = number_of(publication);
    const bool added = uses_session(facts) && session == SessionNo{};
    const bool published_at_once = added && publication.last && plan.session == SessionStep::create;
    if (added) {
        session = add_session(
            meeting.number, meeting.id, head.sessions.last, *publication.session, now,
            published_at_once ? std::optional{plan.at} : std::nullopt
        );
        head.sessions.staged = head.sessions.last = session;
    }
    if (meeting.has_unreadable_rows && publication.first) // else what the slices before it stored would go
        delete_unreadable(meeting.number, head.sessions);
    const bool published = uses_session(facts) && head.sessions.published == session;
    const bool in_use = published || (uses_session(facts) && head.sessions.staged == session);
    PublishCounts& counts = result.counts;
    if (in_use)
        counts = store_tokens(publication, session, standing_of(facts) == Standing::intact, published, seq);
    else
        counts.skipped = publication.tokens.size();
    if (counts.tokens > 0)
        requests.count_tokens(meeting, counts.tokens);
    if (!publication.last) {
        if (added)
            run("UPDATE agenda SET staged_no = ?1, last_session_no = ?1 WHERE meeting_no = ?2", number(session),
                number(meeting.number));
        if (counts.tokens > 0)
            run("UPDATE agenda SET seq = ? WHERE meeting_no = ?", seq(), number(meeting.number));
        return result;
    }

    const Clearance clearance = clearance_of(facts, in_use);
    const std::optional<SessionNo> used = in_use ? std::optional{session} : std::nullopt;
    Cleared cleared = clear(publication, clearance, head.sessions, used, seq, now);
    cleared.tokens = counts.tokens;
    counts.withdrawn = cleared.deleted;
    counts.withdraw_whys = cleared.whys;
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
        return result;
    }
    const Settlement settlement = settle(facts, cleared, used, now);
    if (settlement.outcome.publishes && !published_at_once)
        run("UPDATE session SET published_at = ? WHERE session_no = ?", unix_seconds(plan.at), number(session));
    for (HistoryEvent const& event : settlement.events)
        head.last_history_no = add_history(meeting.number, head.last_history_no, event.name, event.detail, now);
    keep_settled(meeting.number, settlement, head, seq);
    requests.end(meeting, plan, settlement.outcome, now);
    counts.sessions = settlement.outcome.publishes ? 1 : 0;
    counts.settled = settlement.settled ? 1 : 0;
    return result;
}

std::optional<StoreFile::Impl::AgendaHead> StoreFile::Impl::read_head(MeetingNo meeting)
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

Standing StoreFile::Impl::standing(MeetingSnapshot const& meeting, std::int64_t due_at, bool others_wrote)
{
    if (is_untouched(meeting, due_at, others_wrote))
        return Standing::intact;
    return standing_of(meeting, read_meeting(number(meeting.number), reads_participants(meeting, due_at)), due_at);
}

PublishCounts StoreFile::Impl::store_tokens(
    Publication const& publication, SessionNo session, bool intact, bool published, Numbering& numbering
)
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
            seq, unix_seconds(publication.plan->at), static_cast<int>(first.reason), number(session),
            meeting.participants[first.participant].id, meeting.participants[last.participant].id
        );
        kept = kept || rows > 0;
    };
    if (kept_at_once)
        keep(publication.tokens.front(), publication.tokens.back());
    for (SQLite::Statement* statement : {&upsert, &update}) {
        statement->bind(1, number(session));
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
        counts.count_token(token.reason);
    }
    if (kept)
        run("UPDATE session SET has_past = 1 WHERE session_no = ? AND has_past = 0", number(session));
    return counts;
}

bool StoreFile::Impl::participant_unchanged(MeetingSnapshot const& meeting, ParticipantRow const& participant)
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

/// The agenda row of a meeting that was published.
void StoreFile::Impl::keep_settled(
    MeetingNo meeting, Settlement const& settlement, AgendaHead const& head, Numbering& seq
)
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
void StoreFile::Impl::keep_links(
    MeetingNo meeting, Settlement const& settlement, AgendaHead const& head, std::int64_t seq
)
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

std::int64_t StoreFile::Impl::add_history(
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

void StoreFile::Impl::history(MeetingNo meeting, std::string const& event, std::string const& detail, sys_seconds now)
{
    const auto last = integer("SELECT last_history_no FROM agenda WHERE meeting_no = ?", number(meeting));
    const std::int64_t added = add_history(meeting, last, event, detail, now);
    run("UPDATE agenda SET last_history_no = ? WHERE meeting_no = ?", added, number(meeting));
}

} // namespace usher
