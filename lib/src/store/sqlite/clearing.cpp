// SPDX-License-Identifier: Apache-2.0
// What goes before a meeting is settled: tokens, problems, and in the end all of its past.
#include <algorithm>

#include "columns.hpp"
#include "store_file_impl.hpp"

namespace usher {

/// Deletes what goes before a meeting is settled, except its past.
Cleared StoreFile::Impl::clear(
    Publication const& publication, Clearance const& clearance, SessionLinks const& links,
    std::optional<SessionNo> session, Numbering& seq, sys_seconds now
)
{
    MeetingSnapshot const& meeting = *publication.meeting;
    Plan const& plan = *publication.plan;
    Cleared cleared;
    cleared.links = links;
    const auto count = [&](WithdrawReason why, std::size_t deleted) {
        cleared.deleted += deleted;
        cleared.whys.at(static_cast<std::size_t>(why) - first_withdraw_reason) += deleted;
    };
    if (clearance.withdraws) {
        for (Withdrawal const& withdrawal : plan.withdraw) {
            if (deletes_left <= 0)
                break;
            const std::size_t deleted = delete_token(
                *session, meeting.participants[withdrawal.participant].id, withdrawal.reason, seq(), plan.at
            );
            deletes_left -= static_cast<std::int64_t>(deleted);
            cleared.withdrawn += deleted;
            count(withdrawal.reason, deleted);
        }
        cleared.finished = cleared.withdrawn == plan.withdraw.size() || deletes_left > 0;
    }
    if (clearance.keeps_problems)
        keep_problems(meeting, plan, now);
    if (clearance.all_tokens || clearance.leftovers) {
        count(
            clearance.all_tokens.value_or(WithdrawReason::session_replaced),
            delete_session_tokens(without_foreign(meeting, links, session), clearance.all_tokens, seq(), plan.at)
        );
        cleared.finished = cleared.finished && deletes_left > 0;
    }
    if (clearance.marks_disconnect)
        for (const SessionNo of_meeting : sessions_since(links.last))
            run("UPDATE session SET disconnect = 1 WHERE session_no = ? AND adopted = 0", number(of_meeting));
    if (clearance.removals)
        cleared.finished = forget_removals(meeting.id) && cleared.finished;
    return cleared;
}

void StoreFile::Impl::keep_problems(MeetingSnapshot const& meeting, Plan const& plan, sys_seconds now)
{
    const std::int64_t meeting_no = number(meeting.number);
    for (ParticipantProblem const& problem : plan.problems)
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

std::size_t StoreFile::Impl::delete_token(
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

std::size_t StoreFile::Impl::delete_session_tokens(
    SessionLinks const& links, std::optional<WithdrawReason> all, std::int64_t seq, sys_seconds now
)
{
    std::size_t deleted = 0;
    for (const SessionNo session : sessions_since(links.last)) {
        const bool in_use = links.published == session || links.staged == session;
        if ((all || !in_use) && deletes_left > 0)
            deleted += delete_tokens(session, all.value_or(WithdrawReason::session_replaced), seq, now);
    }
    return deleted;
}

std::size_t StoreFile::Impl::delete_tokens(SessionNo session, WithdrawReason why, std::int64_t seq, sys_seconds now)
{
    const std::int64_t session_no = number(session);
    const auto kept = run(
        R"sql(INSERT INTO token_past (session_no, participant_id, seq, role, reason, issued_at, expires_at,
                                      withdrawn_at, withdrawn_reason)
              SELECT session_no, participant_id, ?3, role, reason, issued_at, expires_at, ?4, ?5
                FROM token WHERE session_no = ?1
                 AND EXISTS (SELECT 1 FROM session s WHERE s.session_no = ?1 AND s.published_at IS NOT NULL)
               ORDER BY participant_id LIMIT ?2)sql",
        session_no, deletes_left, seq, unix_seconds(now), static_cast<int>(why)
    );
    if (kept > 0)
        run("UPDATE session SET has_past = 1 WHERE session_no = ? AND has_past = 0", session_no);
    const int deleted =
        run(R"sql(DELETE FROM token WHERE session_no = ?1 AND participant_id IN
                  (SELECT participant_id FROM token WHERE session_no = ?1 ORDER BY participant_id LIMIT ?2))sql",
            session_no, deletes_left);
    deletes_left -= deleted;
    return static_cast<std::size_t>(deleted);
}

/// Usher never wrote these rows. All tokens and problems of the meeting are made anew.
void StoreFile::Impl::delete_unreadable(MeetingNo meeting, SessionLinks const& links)
{
    unbounded([&] {
        for (const auto session : {links.published, links.staged})
            if (session)
                run("DELETE FROM token WHERE session_no = ?", number(*session));
        run("DELETE FROM participant_problem WHERE meeting_no = ?", number(meeting));
    });
}

/// Deletes a part of who was removed early; true when nobody is left.
bool StoreFile::Impl::forget_removals(std::string const& meeting_id)
{
    unbounded([&] { // whatever somebody else wrote there
        deletes_left -= run(
            R"sql(DELETE FROM removal WHERE (meeting_id, participant_id) IN
                  (SELECT meeting_id, participant_id FROM removal WHERE meeting_id = ? LIMIT ?))sql",
            meeting_id, deletes_left
        );
    });
    return deletes_left > 0;
}

/// Deletes a part of what is over, newest first.
StoreFile::Impl::PastLeft StoreFile::Impl::purge(MeetingNo meeting, AgendaHead const& head)
{
    PastLeft past{head.sessions.last, head.last_history_no};
    std::int64_t& left = deletes_left;
    while (past.last_session && left > 0) {
        const SessionNo session = *past.last_session;
        left -= run(
            R"sql(DELETE FROM token_past WHERE session_no = ?1 AND (participant_id, seq) IN
                  (SELECT participant_id, seq FROM token_past WHERE session_no = ?1 LIMIT ?2))sql",
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

} // namespace usher
