// SPDX-License-Identifier: Apache-2.0
#include <usher/store/forget.hpp>

#include <initializer_list>
#include <vector>

#include <sqlite3.h>

#include <usher/core/plan.hpp>
#include <usher/store/platform_writer.hpp>

#include "connection.hpp"
#include "write_turns.hpp"

namespace usher {

namespace {

constexpr std::size_t shown_meetings = 3;

/// Whether the person of ?1 is a participant of the meeting whose number is `meeting_no`.
std::string is_participant(std::string const& meeting_no)
{
    return "EXISTS (SELECT 1 FROM main.agenda a JOIN main.participant p ON p.meeting_id = a.meeting_id "
           "AND p.participant_id = ?1 WHERE a.meeting_no = " +
           meeting_no + ")";
}

/// The numbers in the first column of `table` whose rows name the person of ?1. The tables have no index by person:
/// each number costs one look, however many people it has.
std::string numbers_with(std::string const& table, std::string const& number, std::string const& condition = {})
{
    return "WITH RECURSIVE each(no) AS (SELECT min(" + number + ") FROM main." + table +
           " UNION ALL SELECT (SELECT min(" + number + ") FROM main." + table + " WHERE " + number +
           " > each.no) FROM each WHERE each.no IS NOT NULL) SELECT each.no FROM each WHERE typeof(each.no) = "
           "'integer' "
           "AND EXISTS (SELECT 1 FROM main." +
           table + " t WHERE t." + number + " = each.no AND t.participant_id = ?1)" + condition;
}

} // namespace

struct PersonEraser::Impl {
    template <class Work>
    auto guarded(Work&& work) const
    {
        return guard(*database, path, work);
    }

    explicit Impl(std::string const& file)
        : path{file}, database{open_for_loading(file, PlatformWriter::patience)}, turns{*database}
    {
        guarded([&] { database->exec("PRAGMA main.secure_delete = ON"); }); // else the id stays in what is free
    }

    std::string path;
    std::unique_ptr<SQLite::Database> database;
    WriteTurns turns;

    std::int64_t count(std::string const& sql, std::string const& person) const
    {
        SQLite::Statement query{*database, sql};
        query.bind(1, person);
        query.executeStep();
        return query.getColumn(0).getInt64();
    }

    std::vector<std::int64_t> numbers(std::string const& sql, std::string const& person) const
    {
        SQLite::Statement query{*database, sql};
        query.bind(1, person);
        std::vector<std::int64_t> result;
        while (query.executeStep())
            result.push_back(query.getColumn(0).getInt64());
        return result;
    }

    std::vector<std::int64_t> sessions_with_past(std::string const& person) const
    {
        return numbers(numbers_with("token_past", "session_no"), person);
    }
    std::vector<std::int64_t> sessions_with_left_tokens(std::string const& person) const
    {
        return numbers(
            numbers_with(
                "token", "session_no",
                " AND NOT EXISTS (SELECT 1 FROM main.session s WHERE s.session_no = each.no AND " +
                    is_participant("s.meeting_no") + ")"
            ),
            person
        );
    }
    std::vector<std::int64_t> meetings_with_problems(std::string const& person) const
    {
        return numbers(
            numbers_with("participant_problem", "meeting_no", " AND NOT " + is_participant("each.no")), person
        );
    }

    /// Runs `step` for each number until it returns 0, in as many turns as that takes.
    template <class Step>
    std::int64_t each(std::vector<std::int64_t> const& all, std::function<void(std::size_t)> const& progress, Step step)
    {
        std::int64_t rows = 0;
        for (std::size_t done = 0; done < all.size();) {
            std::int64_t in_turn = 0;
            turns.begin();
            try {
                while (done < all.size() && !turns.is_over()) {
                    const int changed = step(all[done]);
                    in_turn += changed;
                    if (changed == 0)
                        ++done;
                }
                turns.commit();
            } catch (...) {
                turns.end();
                throw;
            }
            rows += in_turn;
            progress(static_cast<std::size_t>(in_turn));
            turns.let_others();
        }
        return rows;
    }
};

PersonEraser::PersonEraser(std::string const& database) : impl_{std::make_unique<Impl>(database)} {}

PersonEraser::~PersonEraser() = default;

PersonRows PersonEraser::look(std::string const& person) const
{
    Impl const& impl = *impl_;
    return impl.guarded([&] {
        const SQLite::Transaction snapshot{*impl.database};
        PersonRows rows;
        SQLite::Statement past{
            *impl.database, "SELECT count(*) FROM main.token_past WHERE session_no = ?1 AND participant_id = ?2"};
        for (const std::int64_t session : impl.sessions_with_past(person)) {
            const Rewind rewind{past};
            SQLite::bind(past, session, person);
            past.executeStep();
            rows.past_tokens += past.getColumn(0).getInt64();
        }
        rows.left_tokens = static_cast<std::int64_t>(impl.sessions_with_left_tokens(person).size());
        rows.problems = static_cast<std::int64_t>(impl.meetings_with_problems(person).size());
        rows.removals = impl.count("SELECT count(*) FROM main.removal WHERE participant_id = ?1", person);
        rows.participants = impl.count("SELECT count(*) FROM main.participant WHERE participant_id = ?1", person);
        rows.blocks = impl.count("SELECT count(*) FROM main.block WHERE participant_id = ?1", person);
        rows.kept_tokens = static_cast<std::int64_t>(impl.numbers(numbers_with("token", "session_no"), person).size()) -
                           rows.left_tokens;
        SQLite::Statement meetings{
            *impl.database, "SELECT substr(meeting_id, 1, 1001) FROM main.participant WHERE participant_id = ?1 UNION "
                            "SELECT substr(meeting_id, 1, 1001) FROM main.block WHERE participant_id = ?1 ORDER BY 1"};
        meetings.bind(1, person);
        for (; meetings.executeStep(); ++rows.meetings.total)
            if (rows.meetings.items.size() < shown_meetings)
                rows.meetings.items.push_back(shown_text(meetings.getColumn(0)));
        return rows;
    });
}

std::int64_t
PersonEraser::erase(std::string const& person, sys_seconds now, std::function<void(std::size_t)> const& progress)
{
    Impl& impl = *impl_;
    if (person == forgotten_person)
        return 0;
    return impl.guarded([&] {
        const std::string forgotten{forgotten_person};
        const std::string next_seq =
            "1 + COALESCE((SELECT max(f.seq) FROM main.token_past f WHERE f.session_no = ?1 AND "
            "f.participant_id = ?3), 0)";
        const std::string is_there =
            "EXISTS (SELECT 1 FROM main.session s JOIN main.agenda a ON a.meeting_no = s.meeting_no JOIN "
            "main.participant p ON p.meeting_id = a.meeting_id AND p.participant_id = ?2 WHERE s.session_no = ?1)";
        // Who was removed early and could enter is still removed early, whoever it was: usherd makes a new session.
        SQLite::Statement keep_removal{
            *impl.database,
            "INSERT INTO main.removal (meeting_id, participant_id) SELECT r.meeting_id, ?3 FROM main.session s JOIN "
            "main.agenda a ON a.meeting_no = s.meeting_no JOIN main.removal r ON r.meeting_id = a.meeting_id AND "
            "r.participant_id = ?2 WHERE s.session_no = ?1 ON CONFLICT DO NOTHING"};
        SQLite::Statement rename_past{
            *impl.database,
            "UPDATE main.token_past SET participant_id = ?3, seq = " + next_seq +
                " WHERE session_no = ?1 AND participant_id = ?2 AND seq = (SELECT min(o.seq) FROM main.token_past o "
                "WHERE o.session_no = ?1 AND o.participant_id = ?2)"};
        SQLite::Statement withdraw{
            *impl.database,
            "INSERT INTO main.token_past (session_no, participant_id, seq, role, reason, issued_at, expires_at, "
            "withdrawn_at, withdrawn_reason) SELECT session_no, ?3, " +
                next_seq +
                ", role, reason, issued_at, expires_at, ?4, ?5 FROM main.token WHERE session_no = ?1 AND "
                "participant_id = ?2 AND EXISTS (SELECT 1 FROM main.session s WHERE s.session_no = ?1 AND "
                "s.published_at IS NOT NULL) AND NOT " +
                is_there};
        SQLite::Statement note_past{
            *impl.database, "UPDATE main.session SET has_past = 1 WHERE session_no = ?1 AND has_past = 0"};
        SQLite::Statement remove_token{
            *impl.database, "DELETE FROM main.token WHERE session_no = ?1 AND participant_id = ?2 AND NOT " + is_there};
        SQLite::Statement remove_problem{
            *impl.database,
            "DELETE FROM main.participant_problem WHERE meeting_no = ?2 AND participant_id = ?1 AND NOT " +
                is_participant("?2")};
        const auto run = [](SQLite::Statement& statement, auto const&... values) {
            const Rewind rewind{statement};
            SQLite::bind(statement, values...);
            return statement.exec();
        };

        std::int64_t rows = impl.each(impl.sessions_with_past(person), progress, [&](std::int64_t session) {
            run(keep_removal, session, person, forgotten);
            return run(rename_past, session, person, forgotten);
        });
        rows += impl.each(impl.sessions_with_left_tokens(person), progress, [&](std::int64_t session) {
            run(keep_removal, session, person, forgotten);
            if (run(withdraw, session, person, forgotten, unix_seconds(now),
                    static_cast<int>(WithdrawReason::removed)) > 0)
                run(note_past, session);
            return run(remove_token, session, person);
        });
        rows += impl.each(impl.meetings_with_problems(person), progress, [&](std::int64_t meeting) {
            return run(remove_problem, person, meeting);
        });
        // Its own tokens have no other name any more; those of the forgotten one count for it.
        SQLite::Statement remove_removals{
            *impl.database, "DELETE FROM main.removal WHERE (meeting_id, participant_id) IN (SELECT meeting_id, "
                            "participant_id FROM main.removal WHERE participant_id = ?1 LIMIT 100)"};
        rows += impl.each({0}, progress, [&](std::int64_t) { return run(remove_removals, person); });
        if (!sync_log(*impl.database))
            throw DatabaseError{
                impl.path + ": what was erased could not be written to the disk for good; forget again"};
        return rows;
    });
}

} // namespace usher
