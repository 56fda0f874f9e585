// SPDX-License-Identifier: Apache-2.0
#include <usher/store/report.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include <sqlite3.h>

#include <usher/core/nearest.hpp>
#include <usher/core/printable.hpp>

#include "columns.hpp"
#include "connection.hpp"
#include "contract.hpp"
#include "file_health.hpp"
#include "standing.hpp"
#include "statements.hpp"
#include "store/status_sum.hpp"

namespace usher {
namespace {

using SQLite::Statement;

constexpr std::size_t problems_max = 20; // of these many are shown
constexpr std::size_t people_max = 1000;
constexpr std::size_t credentials_max = 10'000;
constexpr std::int64_t candidates_max = 200'000; // ids to compare a mistyped one with
constexpr std::size_t projects_max = 100;        // there are a handful
constexpr std::size_t listed_max = 100'000;      // meetings of a list
constexpr std::int64_t events_max = 1000;
constexpr std::int64_t tokens_max = 1000; // of one person
constexpr std::size_t older_keys_told = 3;
constexpr std::int64_t quarter_seconds = 900;

// An id of any size is cut before it is sorted; in characters, so that shown_text still sees that it was longer.
constexpr char const* person_columns =
    "SELECT substr(s.participant_id, 1, 1001) AS shown_id, s.role, s.state, s.reason, s.detail, "
    "s.opens_at, s.expires_at";

bool has_token(PersonReport const& person)
{
    return person.state == "ready" || person.reason == "before_door";
}

PersonReport person_of(Statement& row)
{
    PersonReport person{
        .participant_id = shown_text(row.getColumn(0)),
        .role = shown_text(row.getColumn(1)),
        .state = shown_text(row.getColumn(2)),
        .reason = shown_text(row.getColumn(3)),
        .detail = shown_text(row.getColumn(4)),
        .opens = instant_of(row.getColumn(5)),
        .expires = instant_of(row.getColumn(6)),
    };
    if (!has_token(person))
        person.expires.reset();
    return person;
}

/// Rows whose columns are read as SQLite has them: SQLiteCpp's take longer than all else where there are very many.
class PlainRows {
public:
    PlainRows(sqlite3* database, char const* sql, std::int64_t first_value) : database_{database}
    {
        sqlite3_stmt* statement = nullptr;
        if (sqlite3_prepare_v2(database, sql, -1, &statement, nullptr) != SQLITE_OK)
            throw SQLite::Exception{database};
        statement_.reset(statement);
        sqlite3_bind_int64(statement, 1, first_value);
    }

    bool step()
    {
        const int code = sqlite3_step(statement_.get());
        if (code != SQLITE_ROW && code != SQLITE_DONE)
            throw SQLite::Exception{database_, code};
        return code == SQLITE_ROW;
    }
    std::int64_t integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
    /// Valid until the next step.
    std::string_view text(int column) const
    {
        auto const* const bytes = static_cast<char const*>(sqlite3_column_blob(statement_.get(), column));
        const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
        return bytes == nullptr ? std::string_view{} : std::string_view{bytes, size};
    }

private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };
    sqlite3* database_;
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

HistoryReport history_of_row(Statement& row)
{
    return {
        instant_of(row.getColumn(0)).value_or(sys_seconds{}), shown_text(row.getColumn(1)),
        shown_text(row.getColumn(2))};
}

} // namespace

struct Report::Impl {
    Impl(std::string file, sys_seconds at)
        : path{std::move(file)}, now{at}, database{open_connection(path, Access::read_only)}
    {
        read_any_size(*database);
        // The views ask for the clock by this name: they are to speak of the same instant as all else here.
        const int code = sqlite3_create_function_v2(
            database->getHandle(), "strftime", 2, SQLITE_UTF8 | SQLITE_INNOCUOUS, &now,
            [](sqlite3_context* call, int, sqlite3_value**) {
                auto const* const held = static_cast<sys_seconds const*>(sqlite3_user_data(call));
                sqlite3_result_int64(call, unix_seconds(*held));
            },
            nullptr, nullptr, nullptr
        );
        if (code != SQLITE_OK)
            throw DatabaseError{path + ": cannot be read: " + sqlite3_errstr(code)};
    }

    std::string path;
    sys_seconds now;
    std::unique_ptr<SQLite::Database> database;

    /// Runs `work` on one snapshot.
    template <class Work>
    auto on_snapshot(Work&& work) const -> decltype(work())
    {
        return guard(*database, path, [&] {
            const SQLite::Transaction transaction{*database};
            return work();
        });
    }

    /// Calls `read` with each row, on the snapshot at hand.
    template <class Read, class... Values>
    void each(Read read, std::string const& sql, Values const&... values) const
    {
        Statement statement{*database, sql};
        SQLite::bind(statement, values...);
        while (statement.executeStep())
            read(statement);
    }

    template <class... Values>
    std::int64_t integer(std::string const& sql, Values const&... values) const
    {
        std::int64_t result = 0;
        each([&](Statement& row) { result = row.getColumn(0).getInt64(); }, sql, values...);
        return result;
    }

    DaemonReport daemon() const;
    std::vector<ProjectReport> projects() const;
    StatusReport with_tokens(StatusReport report, StatusSum& sum) const;
    StatusReport with_requests(StatusReport report) const;
    void each_standing(Viewpoint const& view, std::function<void(MeetingStanding const&)> const& visit) const;
    MeetingReport with_people(MeetingReport report, std::string const& id) const;
    MeetingReport with_tokens_out(MeetingReport report, std::string const& id) const;

    /// What in the first column of `sql` is nearest to `id`.
    template <class... Values>
    std::optional<std::string> nearest_of(std::string_view id, std::string const& sql, Values const&... values) const
    {
        return on_snapshot([&]() -> std::optional<std::string> {
            std::vector<std::string> ids;
            each([&](Statement& row) { ids.push_back(shown_text(row.getColumn(0))); }, sql, values...);
            const std::vector<std::string_view> known{ids.begin(), ids.end()};
            const std::optional<std::string_view> found = nearest(id, known);
            return found ? std::optional{std::string{*found}} : std::nullopt;
        });
    }
};

Report::Report(std::string const& path, sys_seconds now) : impl_{std::make_unique<Impl>(path, now)} {}
Report::Report(Report&&) noexcept = default;
Report& Report::operator=(Report&&) noexcept = default;
Report::~Report() = default;

std::vector<Damage> Report::damages() const
{
    return impl_->on_snapshot([&] { return Contract::get().compare(*impl_->database).state().damages; });
}

std::vector<HealthRow> Report::health() const
{
    return impl_->on_snapshot([&] { return file_health(*impl_->database, impl_->path); });
}

DaemonReport Report::daemon() const
{
    return impl_->on_snapshot([&] {
        DaemonReport result;
        impl_->each(
            [&](Statement& row) {
                result.who = shown_text(row.getColumn(0));
                result.since = instant_of(row.getColumn(1)).value_or(sys_seconds{});
                result.looked_at = instant_of(row.getColumn(2)).value_or(sys_seconds{});
            },
            "SELECT who, since, looked_at FROM usher_status"
        );
        impl_->each(
            [&](Statement& row) { result.database_id = shown_text(row.getColumn(0)); },
            "SELECT database_id FROM daemon WHERE id = 1"
        );
        return result;
    });
}

void Report::Impl::each_standing(Viewpoint const& view, std::function<void(MeetingStanding const&)> const& visit) const
{
    StandingReader reader{view};
    for (std::string const& sql :
         {standing_sql("NOT (a.state = 'ended' AND a.due_at > ?1)"), forgotten_sql("m.ends_at > ?1 - 86400")})
        each([&](Statement& row) { visit(reader.read(row)); }, sql, unix_seconds(view.now));
}

void Report::each_meeting(Viewpoint const& view, std::function<void(MeetingStanding const&)> const& visit) const
{
    impl_->on_snapshot([&] { impl_->each_standing(view, visit); });
}

Listing<ListedMeeting>
Report::list(Viewpoint const& view, std::function<bool(MeetingStanding const&)> const& wanted) const
{
    Impl const& impl = *impl_;
    return impl.on_snapshot([&] {
        Listing<ListedMeeting> result;
        Statement people{*impl.database, "SELECT count(*) FROM participant WHERE meeting_id = ?"};
        impl.each_standing(view, [&](MeetingStanding const& meeting) {
            if (meeting.word == Word::ended || meeting.word == Word::cancelled || !wanted(meeting))
                return;
            result.add({meeting, 0}, listed_max);
        });
        for (ListedMeeting& meeting : result.items) {
            people.reset();
            people.bind(1, meeting.standing.id);
            if (people.executeStep())
                meeting.people = people.getColumn(0).getInt64();
        }
        std::sort(result.items.begin(), result.items.end(), [](ListedMeeting const& a, ListedMeeting const& b) {
            const auto key = [](ListedMeeting const& meeting) {
                return std::pair{meeting.standing.facts.opens.value_or(sys_seconds::max()), meeting.standing.id};
            };
            return key(a) < key(b);
        });
        return result;
    });
}

Listing<EventReport> Report::history(std::optional<std::string> const& meeting_id) const
{
    Impl const& impl = *impl_;
    return impl.on_snapshot([&] {
        Listing<EventReport> result;
        const auto read = [&](Statement& row) {
            result.add(
                {shown_text(row.getColumn(3)), shown_text(row.getColumn(4)), history_of_row(row)},
                static_cast<std::size_t>(2 * events_max)
            );
        };
        if (!meeting_id) {
            impl.each(
                read,
                R"sql(SELECT h.at, h.event, h.detail, a.meeting_id, ''
                        FROM history h LEFT JOIN agenda a ON a.meeting_no = h.meeting_no
                       ORDER BY h.history_no DESC LIMIT ?1)sql",
                events_max
            );
            return result;
        }
        impl.each(
            read,
            R"sql(WITH RECURSIVE chain (history_no, depth) AS (
                      SELECT last_history_no, 1 FROM agenda WHERE meeting_id = ?1
                      UNION ALL SELECT h.previous_no, depth + 1 FROM history h JOIN chain c USING (history_no)
                                 WHERE depth < ?2 AND h.previous_no < c.history_no)
                  SELECT h.at, h.event, h.detail, ?1, '' FROM chain JOIN history h USING (history_no)
                   ORDER BY h.history_no DESC)sql",
            *meeting_id, events_max
        );
        impl.each(
            read,
            R"sql(SELECT c.withdrawn_at, CASE WHEN c.withdrawn_reason IN ('role_changed', 'details_changed')
                                              THEN 'token replaced' ELSE 'token withdrawn' END,
                         CASE c.withdrawn_reason WHEN 'role_changed'
                              THEN coalesce(c.role, '') || ' -> ' || coalesce(
                                       (SELECT n.role FROM credential_history n
                                         WHERE n.meeting_id = ?1 AND n.participant_id = c.participant_id
                                           AND n.issued_at >= c.issued_at AND n.reason = 'role_changed'
                                           AND n.withdrawn_at IS NOT c.withdrawn_at
                                         ORDER BY n.issued_at LIMIT 1), '')
                              ELSE replace(c.withdrawn_reason, '_', ' ') END,
                         ?1, c.participant_id
                    FROM credential_history c
                   WHERE c.meeting_id = ?1 AND c.withdrawn_reason IN
                         ('role_changed', 'details_changed', 'removed', 'blocked', 'not_served')
                   ORDER BY c.withdrawn_at DESC LIMIT ?2)sql",
            *meeting_id, events_max
        );
        std::stable_sort(result.items.begin(), result.items.end(), [](EventReport const& a, EventReport const& b) {
            return a.event.at > b.event.at;
        });
        return result;
    });
}

namespace {

/// credential_history of one person, with what is known of when each token was first shown: when its session was
/// published, and what became of the person's token before it in that session.
constexpr char const* tokens_of_person = R"sql(
    WITH own AS (
        SELECT a.meeting_id, s.session_no, s.published_at, t.participant_id, t.role, t.reason, t.issued_at,
               t.expires_at, NULL AS withdrawn_at, NULL AS withdrawn_reason, NULL AS seq
          FROM agenda a JOIN session s ON s.session_no = a.session_no JOIN token t ON t.session_no = s.session_no
         WHERE t.participant_id = ?1 AND a.meeting_id = COALESCE(?2, a.meeting_id)
         UNION ALL
        SELECT a.meeting_id, s.session_no, s.published_at, t.participant_id, t.role, t.reason, t.issued_at,
               t.expires_at, t.withdrawn_at, t.withdrawn_reason, t.seq
          FROM agenda a JOIN session s ON s.meeting_no = a.meeting_no AND s.has_past = 1
                        JOIN token_past t ON t.session_no = s.session_no
         WHERE t.participant_id = ?1 AND a.meeting_id = COALESCE(?2, a.meeting_id))
    SELECT o.meeting_id, o.participant_id, d.role, r.reason, o.issued_at, o.expires_at, o.withdrawn_at, w.reason,
           o.published_at, before.withdrawn_at, before.withdrawn_reason = o.reason
      FROM own o LEFT JOIN door d ON d.code = o.role LEFT JOIN token_reason r ON r.code = o.reason
                 LEFT JOIN token_reason w ON w.code = o.withdrawn_reason
                 LEFT JOIN token_past before
                        ON before.session_no = o.session_no AND before.participant_id = o.participant_id
                       AND before.seq = (SELECT max(p.seq) FROM token_past p
                                          WHERE p.session_no = o.session_no AND p.participant_id = o.participant_id
                                            AND (o.seq IS NULL OR p.seq < o.seq))
     ORDER BY o.issued_at DESC, o.withdrawn_at IS NOT NULL, o.withdrawn_at DESC)sql";

} // namespace

Listing<TokenReport> Report::tokens_of(
    std::optional<std::string> const& meeting_id, std::string const& participant_id, seconds clock_skew
) const
{
    return impl_->on_snapshot([&] {
        Listing<TokenReport> result;
        const auto read = [&](Statement& row) {
            TokenReport token{
                .meeting_id = shown_text(row.getColumn(0)),
                .participant_id = shown_text(row.getColumn(1)),
                .role = shown_text(row.getColumn(2)),
                .reason = shown_text(row.getColumn(3)),
                .issued_at = instant_of(row.getColumn(4)).value_or(sys_seconds{}),
                .expires_at = instant_of(row.getColumn(5)).value_or(sys_seconds{}),
                .withdrawn_at = instant_of(row.getColumn(6)),
                .withdrawn_reason = shown_text(row.getColumn(7))};
            const sys_seconds signed_at = token.issued_at + clock_skew;
            const sys_seconds session = instant_of(row.getColumn(8)).value_or(signed_at);
            const sys_seconds before = instant_of(row.getColumn(9)).value_or(signed_at);
            const bool replaced_it = row.getColumn(10).getInt() == 1;
            token.published_at = replaced_it ? before : std::max({signed_at, session, before});
            // The skew may have been another one then.
            token.published_at = std::min({token.published_at, token.withdrawn_at.value_or(impl_->now), impl_->now});
            result.add(std::move(token), static_cast<std::size_t>(tokens_max));
        };
        if (meeting_id)
            impl_->each(read, tokens_of_person, participant_id, *meeting_id);
        else
            impl_->each(read, tokens_of_person, participant_id, nullptr);
        return result;
    });
}

std::vector<ProjectReport> Report::projects() const
{
    return impl_->on_snapshot([&] { return impl_->projects(); });
}

std::vector<ProjectReport> Report::Impl::projects() const
{
    std::vector<ProjectReport> result;
    each(
        [&](Statement& row) {
            ProjectReport project;
            project.name = shown_text(row.getColumn(0));
            project.provider = shown_text(row.getColumn(1));
            project.project_key = shown_text(row.getColumn(2));
            project.key_id = shown_text(row.getColumn(3));
            project.reason = shown_text(row.getColumn(4));
            project.detail = shown_text(row.getColumn(5));
            project.next_probe = instant_of(row.getColumn(6));
            project.clock_ahead = duration_of(row.getColumn(7), far);
            if (result.size() < projects_max)
                result.push_back(std::move(project));
        },
        "SELECT name, provider, project_key, key_id, reason, detail, next_at, clock_ahead FROM project_status "
        "ORDER BY name"
    );
    return result;
}

namespace {

/// The published tokens of one project, as they come by.
class KeySum {
public:
    explicit KeySum(ProjectReport& report) : report_{report} {}

    void add(std::string_view key, sys_seconds issued, bool is_live)
    {
        ++report_.tokens;
        if (key == report_.key_id) {
            report_.first_of_new_key = std::min(report_.first_of_new_key.value_or(issued), issued);
            return;
        }
        ++report_.tokens_of_old_key;
        report_.live_tokens_of_old_key += is_live ? 1 : 0;
        if (last_ == nullptr || last_->first != key) {
            auto found = keys_.find(key);
            if (found == keys_.end() && keys_.size() < keys_max)
                found = keys_.emplace(key, Key{}).first;
            last_ = found == keys_.end() ? nullptr : &*found;
        }
        if (last_ == nullptr)
            return;
        ++last_->second.tokens;
        last_->second.newest = std::max(last_->second.newest, issued);
    }
    /// Once there are no more.
    void finish()
    {
        std::vector<std::pair<std::string, Key>> keys{keys_.begin(), keys_.end()};
        std::sort(keys.begin(), keys.end(), [](auto const& a, auto const& b) {
            return std::pair{a.second.newest, a.first} > std::pair{b.second.newest, b.first};
        });
        if (!keys.empty())
            report_.old_key_id = shown(keys_.rbegin()->first);
        for (std::size_t i = 0; i < std::min(keys.size(), older_keys_told); ++i)
            report_.older_keys.emplace(shown(keys[i].first), keys[i].second.tokens);
    }

private:
    static constexpr std::size_t keys_max = 64;
    struct Key {
        std::int64_t tokens = 0;
        sys_seconds newest{};
    };

    static std::string shown(std::string const& key) { return printable(key, 64); }

    ProjectReport& report_;
    std::map<std::string, Key, std::less<>> keys_;
    std::pair<std::string const, Key>* last_ = nullptr;
};

} // namespace

/// Looks at each published token of what is not over. There may be very many: nothing is copied.
StatusReport Report::Impl::with_tokens(StatusReport report, StatusSum& sum) const
{
    std::map<std::string, KeySum, std::less<>> keys;
    for (ProjectReport& project : report.projects)
        keys.emplace(project.name, KeySum{project});
    const std::int64_t at = unix_seconds(now);
    PlainRows row{
        database->getHandle(),
        R"sql(SELECT s.project, t.key_id, t.issued_at, t.expires_at, a.closes, a.opens <= ?1,
                     a.state = 'ready' AND a.due_at < a.closes, a.meeting_no, a.meeting_id
                FROM agenda a CROSS JOIN session s CROSS JOIN token t
               WHERE a.closes > ?1 AND s.session_no = a.session_no AND t.session_no = a.session_no)sql",
        at};
    std::pair<std::string const, KeySum>* last = nullptr;
    std::optional<std::int64_t> first_end; // of the tokens of one meeting
    std::int64_t meeting = 0;
    std::string meeting_id;
    const auto tell_end = [&] {
        if (first_end)
            sum.add_token_end(meeting_id, bounded_instant(*first_end));
        first_end.reset();
    };
    while (row.step()) {
        const std::string_view project = row.text(0);
        if (last == nullptr || last->first != project) {
            const auto found = keys.find(project);
            last = found == keys.end() ? nullptr : &*found;
        }
        if (last != nullptr)
            last->second.add(row.text(1), bounded_instant(row.integer(2)), row.integer(5) != 0);
        const std::int64_t ends = row.integer(3);
        if (ends <= at || ends >= row.integer(4))
            continue;
        if (ends - at < std::int64_t{verdict_span.count()})
            ++report.token_ends.at(static_cast<std::size_t>((ends - at) / quarter_seconds));
        // Where no token ends before its meeting, the meeting is due when it closes.
        if (row.integer(6) == 0)
            continue;
        if (meeting != row.integer(7)) {
            tell_end();
            meeting = row.integer(7);
            meeting_id = printable(row.text(8));
        }
        first_end = std::min(first_end.value_or(ends), ends);
    }
    tell_end();
    for (auto& [name, key] : keys)
        key.finish();
    return report;
}

StatusReport Report::Impl::with_requests(StatusReport report) const
{
    for (const RequestAction action : {RequestAction::rotate, RequestAction::replace_session, RequestAction::retry})
        report.requests_open[action] = 0;
    const auto count = [&](Statement& row) {
        if (const auto action = parse_request_action(shown_text(row.getColumn(0))))
            report.requests_open[*action] += row.getColumn(1).getInt64();
    };
    for (char const* const state : {"filed", "running"}) // each by an index of its own
        each(
            count,
            std::string{"SELECT action, count(*) FROM request_result WHERE request_id IS NOT NULL AND state = '"} +
                state + "' GROUP BY action"
        );
    return report;
}

StatusReport Report::status(Viewpoint const& view) const
{
    Impl const& impl = *impl_;
    const std::int64_t now = unix_seconds(view.now);
    return impl.on_snapshot([&] {
        StatusReport rest;
        rest.projects = impl.projects();
        StatusSum sum{view, rest.projects};
        impl.each_standing(view, [&](MeetingStanding const& meeting) { sum.add_meeting(meeting); });
        rest = impl.with_tokens(impl.with_requests(std::move(rest)), sum);
        impl.each(
            [&](Statement& row) { sum.add_ended(shown_text(row.getColumn(0)), row.getColumn(1).getInt64()); },
            R"sql(SELECT coalesce(m.project, ''), count(*) FROM agenda a LEFT JOIN meeting m ON m.id = a.meeting_id
                   WHERE a.state = 'ended' AND a.due_at > ?1 GROUP BY 1)sql",
            now
        );
        StatusReport result = std::move(sum).result();
        result.projects = std::move(rest.projects);
        result.token_ends = rest.token_ends;
        result.requests_open = std::move(rest.requests_open);
        result.any_meeting = impl.integer("SELECT EXISTS (SELECT 1 FROM meeting)") != 0;
        impl.each(
            [&](Statement& row) {
                const std::string reason = shown_text(row.getColumn(2));
                const bool has_room = result.problems.contains(reason) || result.problems.size() < told_reasons_max;
                ++result.problems[has_room ? reason : "(other)"];
                result.not_served.add(
                    {shown_text(row.getColumn(0)), shown_text(row.getColumn(1)), shown_text(row.getColumn(2)),
                     shown_text(row.getColumn(3)), instant_of(row.getColumn(4)).value_or(sys_seconds{})},
                    problems_max
                );
            },
            R"sql(SELECT a.meeting_id, q.participant_id, q.reason, q.detail, q.since
                    FROM participant_problem q
                    JOIN agenda a ON a.meeting_no = q.meeting_no
                    JOIN meeting m ON m.id = a.meeting_id AND m.status = 'scheduled'
                   WHERE a.closes > ?1
                     AND (EXISTS (SELECT 1 FROM participant p
                                   WHERE p.meeting_id = a.meeting_id AND p.participant_id = q.participant_id)
                          OR EXISTS (SELECT 1 FROM participant p
                                      WHERE p.meeting_id = a.meeting_id
                                        AND )sql" USHER_PROBLEM_KEY("p.participant_id") R"sql( = q.participant_id))
                     AND NOT EXISTS (SELECT 1 FROM block b WHERE b.meeting_id = a.meeting_id
                                                          AND b.participant_id = q.participant_id)
                   ORDER BY a.opens, a.meeting_id, q.participant_id)sql",
            now
        );
        impl.each(
            [&](Statement& row) { result.next_work = instant_of(row.getColumn(0)); },
            "SELECT due_at FROM agenda WHERE due_at > ?1 AND due_at < 1000000000000 ORDER BY due_at LIMIT 1", now
        );
        result.restores = impl.integer("SELECT restores FROM daemon WHERE id = 1");
        result.sessions_to_empty = impl.integer("SELECT count(*) FROM session WHERE disconnect = 1");
        result.abandoned_attempts = impl.integer("SELECT count(*) FROM session_attempt WHERE outcome = 'abandoned'");
        return result;
    });
}

MeetingReport Report::Impl::with_people(MeetingReport report, std::string const& id) const
{
    const sys_seconds at = now;
    std::set<std::string> roles;
    each(
        [&](Statement& row) {
            PersonReport person = person_of(row);
            roles.insert(person.role);
            report.people_unserved += row.getColumn(7).getInt() != 0 ? 1U : 0U;
            report.people_blocked += person.reason == "blocked" ? 1U : 0U;
            const bool holds = has_token(person);
            report.people_with_token += holds ? 1 : 0;
            if (person.expires)
                report.first_expiry = std::min(report.first_expiry.value_or(*person.expires), *person.expires);
            if (holds && person.opens && *person.opens <= at)
                ++report.people_let_in;
            else if (holds && person.opens)
                report.last_door = std::max(report.last_door.value_or(*person.opens), *person.opens);
            report.people.add(std::move(person), people_max);
        },
        std::string{person_columns} + R"sql(, q.reason IS NOT NULL AND s.reason <> 'blocked' AS unserved
                FROM participant_status s
                LEFT JOIN agenda a ON a.meeting_id = s.meeting_id
                LEFT JOIN participant_problem q
                       ON q.meeting_no = a.meeting_no
                      AND q.participant_id = )sql" USHER_PROBLEM_KEY("s.participant_id") R"sql(
               WHERE s.meeting_id = ?1
               ORDER BY unserved DESC, s.reason = 'before_door', s.opens_at, s.role, shown_id)sql",
        id
    );
    each(
        [&](Statement& row) {
            std::string role = shown_text(row.getColumn(0));
            if (roles.contains(role))
                report.doors.push_back(
                    {std::move(role), instant_of(row.getColumn(1)).value_or(sys_seconds{}),
                     row.getColumn(2).getInt() != 0}
                );
        },
        R"sql(SELECT d.role, m.starts_at - COALESCE(m.early_join, d.early_join) AS opens, d.hidden
                FROM meeting m JOIN door d WHERE m.id = ?1 ORDER BY opens, d.role)sql",
        id
    );
    return report;
}

/// Tokens that were withdrawn work at the vendor until they expire. Those of a meeting that usher has not looked at
/// since it was cancelled are still where they were.
MeetingReport Report::Impl::with_tokens_out(MeetingReport report, std::string const& id) const
{
    each(
        [&](Statement& row) {
            report.tokens_out = row.getColumn(0).getInt64();
            report.tokens_out_until = instant_of(row.getColumn(1));
        },
        R"sql(SELECT count(*), max(expires_at)
                FROM (SELECT t.expires_at
                        FROM agenda a
                        JOIN token t ON t.session_no = a.last_session_no
                        LEFT JOIN meeting m ON m.id = a.meeting_id
                       WHERE a.meeting_id = ?1 AND m.status IS NOT 'scheduled'
                       UNION ALL
                      SELECT t.expires_at
                        FROM agenda a
                        JOIN session s ON s.meeting_no = a.meeting_no AND s.has_past = 1
                        JOIN token_past t ON t.session_no = s.session_no
                        JOIN token_reason r ON r.code = t.withdrawn_reason
                       WHERE a.meeting_id = ?1 AND r.reason IN ('removed', 'blocked', 'cancelled', 'deleted'))
               WHERE expires_at > ?2)sql",
        id, unix_seconds(now)
    );
    return report;
}

std::optional<MeetingReport> Report::meeting(std::string_view meeting_id, Viewpoint const& view) const
{
    Impl const& impl = *impl_;
    const std::string id{meeting_id};
    return impl.on_snapshot([&] {
        std::optional<MeetingReport> result;
        StandingReader reader{view};
        for (std::string const& sql : {standing_sql("a.meeting_id = ?2"), forgotten_sql("m.id = ?2")})
            impl.each(
                [&](Statement& row) { result.emplace().standing = reader.read(row); }, sql, unix_seconds(view.now), id
            );
        if (!result)
            return result;
        MeetingReport& report = *result;
        impl.each(
            [&](Statement& row) {
                report.title = shown_text(row.getColumn(0));
                report.row_status = shown_text(row.getColumn(1));
                report.starts_at = instant_of(row.getColumn(2));
                report.ends_at = instant_of(row.getColumn(3));
                report.attempts = row.getColumn(4).getInt64();
                if (const auto due = instant_of(row.getColumn(5)); due && *due > view.now && *due < never_due)
                    report.next_work = due;
                report.session_id = shown_text(row.getColumn(6));
                report.session_adopted = row.getColumn(7).getInt() != 0;
                report.session_since = instant_of(row.getColumn(8));
            },
            R"sql(SELECT m.title, m.status, m.starts_at, m.ends_at, a.attempts, a.due_at,
                         coalesce(s.session_id, m.session_id), coalesce(s.adopted, m.session_id IS NOT NULL),
                         s.created_at
                    FROM (SELECT ?1 AS id)
                    LEFT JOIN agenda a ON a.meeting_id = ?1
                    LEFT JOIN meeting m ON m.id = ?1
                    LEFT JOIN session s ON s.session_no = a.session_no)sql",
            id
        );
        report = impl.with_tokens_out(impl.with_people(std::move(report), id), id);
        impl.each(
            [&](Statement& row) { report.history.items.push_back(history_of_row(row)); },
            R"sql(WITH RECURSIVE chain (history_no, depth) AS (
                      SELECT last_history_no, 1 FROM agenda WHERE meeting_id = ?1
                      UNION ALL SELECT h.previous_no, depth + 1 FROM history h JOIN chain c USING (history_no)
                                 WHERE depth < 5 AND h.previous_no < c.history_no)
                  SELECT h.at, h.event, h.detail FROM chain JOIN history h USING (history_no)
                   ORDER BY h.history_no DESC)sql",
            id
        );
        return result;
    });
}

std::optional<PersonReport> Report::person(std::string_view meeting_id, std::string_view participant_id) const
{
    return impl_->on_snapshot([&] {
        std::optional<PersonReport> result;
        impl_->each(
            [&](Statement& row) { result = person_of(row); },
            std::string{person_columns} +
                " FROM participant_status s WHERE s.meeting_id = ?1 AND s.participant_id = ?2",
            std::string{meeting_id}, std::string{participant_id}
        );
        return result;
    });
}

Listing<CredentialReport>
Report::credentials(std::string_view meeting_id, std::optional<std::string> const& participant) const
{
    return impl_->on_snapshot([&] {
        Listing<CredentialReport> result;
        const auto read = [&](Statement& row) {
            result.add(
                {.meeting_id = shown_text(row.getColumn(0)),
                 .participant_id = shown_text(row.getColumn(1)),
                 .project = shown_text(row.getColumn(2)),
                 .project_key = shown_text(row.getColumn(3)),
                 .session_id = shown_text(row.getColumn(4)),
                 .token = shown_text(row.getColumn(5), shown_token_bytes_max),
                 .role = shown_text(row.getColumn(6)),
                 .issued_at = instant_of(row.getColumn(7)).value_or(sys_seconds{}),
                 .expires_at = instant_of(row.getColumn(8)).value_or(sys_seconds{}),
                 .opens = instant_of(row.getColumn(9)),
                 .closes = instant_of(row.getColumn(10))},
                credentials_max
            );
        };
        const std::string columns = R"sql(SELECT meeting_id, participant_id, project, project_key, session_id, token,
            role, issued_at, expires_at, opens_at, closes_at FROM join_credential WHERE meeting_id = ?1)sql";
        if (participant)
            impl_->each(read, columns + " AND participant_id = ?2", std::string{meeting_id}, *participant);
        else
            impl_->each(read, columns + " ORDER BY participant_id", std::string{meeting_id});
        return result;
    });
}

std::optional<std::string> Report::nearest_meeting(std::string_view id) const
{
    return impl_->nearest_of(id, "SELECT substr(meeting_id, 1, 255) FROM agenda LIMIT ?", candidates_max);
}

std::optional<std::string> Report::nearest_participant(std::string_view meeting_id, std::string_view id) const
{
    return impl_->nearest_of(
        id, "SELECT substr(participant_id, 1, 255) FROM participant WHERE meeting_id = ? LIMIT ?",
        std::string{meeting_id}, candidates_max
    );
}

} // namespace usher
