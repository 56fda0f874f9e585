// SPDX-License-Identifier: Apache-2.0
#include <usher/store/report.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include <sqlite3.h>

#include <usher/core/nearest.hpp>

#include "columns.hpp"
#include "connection.hpp"
#include "contract.hpp"
#include "file_health.hpp"
#include "statements.hpp"

namespace usher {
namespace {

using SQLite::Column;
using SQLite::Statement;

constexpr std::size_t shown_ids = 3;    // of a group
constexpr std::size_t shown_items = 20; // of a listing
constexpr std::size_t shown_people = 1000;
constexpr std::size_t shown_credentials = 10'000;
constexpr std::size_t groups_max = 100;          // a platform may name any number of projects
constexpr std::int64_t candidates_max = 200'000; // ids to compare a mistyped one with
constexpr seconds hour{3600};
constexpr seconds long_session{8 * 3600}; // the vendor may move longer ones to another server

std::optional<seconds> duration(Column const& column)
{
    constexpr std::int64_t limit = 1'000'000'000;
    if (column.isNull())
        return std::nullopt;
    return seconds{std::clamp(column.getInt64(), -limit, limit)};
}

/// Adds to a listing that keeps its first few items.
template <class Item>
void add_item(Listing<Item>& listing, Item item, std::size_t limit = shown_items)
{
    ++listing.total;
    if (listing.items.size() < limit)
        listing.items.push_back(std::move(item));
}

bool opens_before(MeetingRef const& a, MeetingRef const& b)
{
    constexpr sys_seconds last = sys_seconds::max();
    return std::pair{a.opens.value_or(last), std::string_view{a.id}} <
           std::pair{b.opens.value_or(last), std::string_view{b.id}};
}

/// Keeps the earliest few, in their order.
void add_in_order(Listing<MeetingRef>& listing, MeetingRef ref)
{
    ++listing.total;
    const auto at = std::upper_bound(listing.items.begin(), listing.items.end(), ref, opens_before);
    if (listing.items.size() == shown_ids && at == listing.items.end())
        return;
    listing.items.insert(at, std::move(ref));
    if (listing.items.size() > shown_ids)
        listing.items.pop_back();
}

/// Finds when somebody first cannot enter, and into which meetings.
class SafeUntil {
public:
    void somebody_cannot_enter(std::string const& meeting, sys_seconds from)
    {
        if (result_.until && from > *result_.until)
            return;
        if (!result_.until || from < *result_.until)
            result_ = {from, {}};
        add_item(result_.then_not, meeting);
    }

    SafeReport result()
    {
        std::sort(result_.then_not.items.begin(), result_.then_not.items.end());
        return std::move(result_);
    }

private:
    SafeReport result_;
};

/// Sums up meetings as they come by.
class Sum {
public:
    explicit Sum(sys_seconds now) : now_{now} {}

    void add_meeting(MeetingStanding const& meeting)
    {
        const std::optional<sys_seconds> opens = meeting.facts.opens;
        const bool is_near = !opens || *opens <= now_ + verdict_span;
        if (!meeting.facts.exists && meeting.word != Word::cancelled && meeting.has_people)
            add_item(status_.without_row, meeting.id);
        if (meeting.word == Word::ended || meeting.word == Word::cancelled || !meeting.facts.exists)
            return;
        WordCounts& window = is_live(meeting.facts, now_) ? status_.live
                             : !opens                     ? status_.later
                             : *opens <= now_ + hour      ? status_.within_hour
                             : is_near                    ? status_.within_day
                                                          : status_.later;
        ++window[static_cast<std::size_t>(meeting.word)];
        if (is_near && opens && meeting.facts.closes && *meeting.facts.closes - *opens > long_session)
            add_item(status_.long_ones, meeting.id);
        if (meeting.word == Word::failed && is_near)
            ++status_.failed_near;
        if (meeting.word == Word::at_risk)
            ++status_.at_risk;
        if (meeting.word == Word::failed || meeting.word == Word::at_risk)
            add_to_group(meeting, is_near);
        if (meeting.word != Word::ready && meeting.has_people && opens)
            safe_.somebody_cannot_enter(meeting.id, std::max(*opens, now_));
    }

    void token_ends(std::string const& meeting, sys_seconds at) { safe_.somebody_cannot_enter(meeting, at); }

    StatusReport result()
    {
        for (auto& [key, group] : groups_)
            add_item(status_.groups, std::move(group), groups_max);
        status_.groups.total += groups_left_out_.size();
        std::sort(status_.groups.items.begin(), status_.groups.items.end(), [](auto const& a, auto const& b) {
            return std::pair{a.word, a.near == 0} != std::pair{b.word, b.near == 0}
                       ? std::pair{a.near == 0, a.word} < std::pair{b.near == 0, b.word}
                       : opens_before(a.meetings.items.front(), b.meetings.items.front());
        });
        status_.safe = safe_.result();
        return std::move(status_);
    }

private:
    using GroupKey = std::tuple<Word, std::string, std::string>;

    void add_to_group(MeetingStanding const& meeting, bool is_near)
    {
        GroupKey key{meeting.word, meeting.reason, meeting.project};
        if (groups_.size() == groups_max && !groups_.contains(key)) {
            if (groups_left_out_.size() < groups_max)
                groups_left_out_.emplace(std::move(key), true);
            return;
        }
        MeetingGroup& group = groups_[std::move(key)];
        if (group.meetings.total == 0) {
            group.word = meeting.word;
            group.reason = meeting.reason;
            group.project = meeting.project;
        }
        MeetingRef ref{meeting.id, meeting.facts.opens};
        if (group.meetings.items.empty() || opens_before(ref, group.meetings.items.front()))
            group.detail = meeting.detail;
        add_in_order(group.meetings, std::move(ref));
        group.near += is_near ? 1 : 0;
        group.has_session = group.has_session || meeting.has_session;
        group.rows_gone = group.rows_gone || meeting.rows_gone;
        const auto earlier = [](std::optional<sys_seconds>& kept, std::optional<sys_seconds> other) {
            if (other && (!kept || *other < *kept))
                kept = other;
        };
        earlier(group.since, meeting.facts.wanted_since);
        earlier(group.next_at, meeting.next_at);
    }

    sys_seconds now_;
    StatusReport status_;
    SafeUntil safe_;
    std::map<GroupKey, MeetingGroup> groups_;
    std::map<GroupKey, bool> groups_left_out_;
};

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
                                      )) END
      FROM )sql";

std::string standing_sql(std::string const& where)
{
    return standing_columns + ("agenda a LEFT JOIN meeting m ON m.id = a.meeting_id LEFT JOIN project_status o "
                               "ON o.name = m.project AND o.reason = a.reason AND o.reason <> '' WHERE " +
                               where);
}

/// Of meetings whose row in `agenda` is gone: usher puts it back when it next looks through all.
std::string forgotten_sql(std::string const& where)
{
    return standing_columns + ("meeting m LEFT JOIN agenda a ON a.meeting_id = m.id LEFT JOIN project_status o "
                               "ON o.name = m.project AND o.reason = a.reason AND o.reason <> '' "
                               "WHERE a.meeting_id IS NULL AND " +
                               where);
}

/// Reads one meeting after another into the same object.
class StandingReader {
public:
    explicit StandingReader(Viewpoint const& view) : view_{view} {}

    MeetingStanding const& read(Statement& row)
    {
        standing_.id = shown_text(row.getColumn(0));
        standing_.project = shown_text(row.getColumn(7));
        standing_.reason = shown_text(row.getColumn(13));
        standing_.detail = shown_text(row.getColumn(14));
        standing_.has_session = row.getColumn(15).getInt() != 0;
        standing_.has_people = row.getColumn(17).isNull() || row.getColumn(17).getInt() != 0;
        standing_.next_at = instant_of(row.getColumn(11));

        MeetingFacts& facts = standing_.facts;
        facts = {};
        facts.state = parse_state(shown_text(row.getColumn(12))).value_or(State::pending);
        facts.exists = row.getColumn(1).getInt() != 0;
        standing_.rows_gone = row.getColumn(12).isNull();
        if (standing_.rows_gone && standing_.id.size() > id_bytes_max) { // it never had any
            standing_.rows_gone = false;
            facts.state = State::failed;
            standing_.reason = "row_invalid";
            standing_.detail = "id has more than " + std::to_string(id_bytes_max) + " bytes";
        }
        facts.cancelled = shown_text(row.getColumn(2)) == "cancelled";
        facts.opens = instant_of(row.getColumn(8));
        facts.closes = instant_of(row.getColumn(9));
        read_wanted(row);
        standing_.word = word_of(facts, view_.at_work, view_.now);
        return standing_;
    }

private:
    void read_wanted(Statement& row)
    {
        MeetingFacts& facts = standing_.facts;
        const std::int64_t due_at = row.getColumn(10).getInt64();
        const std::int64_t now = unix_seconds(view_.now);
        const bool is_due = due_at <= now;
        facts.served = standing_.has_session &&
                       (row.getColumn(18).isNull() ? facts.state == State::ready : row.getColumn(18).getInt() == 0);
        Wanted wanted = Wanted::nothing;
        // A row that the contract would refuse has no times that mean anything.
        if (facts.exists && row.getColumn(3).isInteger() && row.getColumn(4).isInteger()) {
            MeetingRow meeting{};
            meeting.starts_at = instant_of(row.getColumn(3)).value_or(sys_seconds{});
            meeting.ends_at = instant_of(row.getColumn(4)).value_or(sys_seconds{});
            meeting.early_join = duration(row.getColumn(5));
            meeting.grace = duration(row.getColumn(6));
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
            facts.wanted =
                wanted == Wanted::session_and_tokens || (wanted == Wanted::session && !standing_.has_session);
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

    Viewpoint const& view_;
    MeetingStanding standing_;
};

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
        try {
            const SQLite::Transaction transaction{*database};
            return work();
        } catch (SQLite::Exception const& error) {
            rethrow(error, path, database->getHandle());
        }
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
    void each_standing(Viewpoint const& view, std::function<void(MeetingStanding const&)> const& visit) const;
    void read_people(MeetingReport& report, std::string const& id) const;
    void read_tokens_out(MeetingReport& report, std::string const& id) const;

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

std::vector<ProjectReport> Report::Impl::projects() const
{
    std::vector<ProjectReport> result;
    each(
        [&](Statement& row) {
            ProjectReport project;
            project.name = shown_text(row.getColumn(0));
            project.provider = shown_text(row.getColumn(1));
            project.project_key = shown_text(row.getColumn(2));
            project.reason = shown_text(row.getColumn(3));
            project.detail = shown_text(row.getColumn(4));
            project.next_probe = instant_of(row.getColumn(5));
            project.clock_ahead = duration(row.getColumn(6));
            project.key_id = shown_text(row.getColumn(7));
            project.tokens = row.getColumn(8).getInt64();
            project.tokens_of_old_key = row.getColumn(9).getInt64();
            project.live_tokens_of_old_key = row.getColumn(10).getInt64();
            project.old_key_id = shown_text(row.getColumn(11));
            project.first_of_new_key = instant_of(row.getColumn(12));
            result.push_back(std::move(project));
        },
        R"sql(SELECT p.name, p.provider, p.project_key, p.reason, p.detail, p.next_at, p.clock_ahead, p.key_id,
                     coalesce(n.tokens, 0), coalesce(n.old, 0), coalesce(n.live_old, 0), coalesce(n.old_key, ''),
                     n.first_new
                FROM project_status p
                LEFT JOIN (SELECT s.project, count(*) AS tokens, sum(t.key_id <> q.key_id) AS old,
                                  sum(t.key_id <> q.key_id AND a.opens <= ?1) AS live_old,
                                  max(CASE WHEN t.key_id <> q.key_id THEN t.key_id END) AS old_key,
                                  min(CASE WHEN t.key_id = q.key_id THEN t.issued_at END) AS first_new
                             FROM agenda a
                             JOIN session s ON s.session_no = a.session_no
                             JOIN project_status q ON q.name = s.project
                             JOIN token t ON t.session_no = a.session_no
                            WHERE a.closes > ?1
                            GROUP BY s.project) n ON n.project = p.name
               ORDER BY p.name)sql",
        unix_seconds(now)
    );
    return result;
}

StatusReport Report::status(Viewpoint const& view) const
{
    Impl const& impl = *impl_;
    const std::int64_t now = unix_seconds(view.now);
    return impl.on_snapshot([&] {
        Sum sum{view.now};
        impl.each_standing(view, [&](MeetingStanding const& meeting) { sum.add_meeting(meeting); });
        // Where no token ends before its meeting, the meeting is due when it closes.
        impl.each(
            [&](Statement& row) {
                sum.token_ends(shown_text(row.getColumn(0)), instant_of(row.getColumn(1)).value_or(view.now));
            },
            R"sql(SELECT a.meeting_id, min(t.expires_at) FROM agenda a JOIN token t ON t.session_no = a.session_no
                   WHERE a.state = 'ready' AND a.closes > ?1 AND a.due_at < a.closes
                     AND t.expires_at > ?1 AND t.expires_at < a.closes
                   GROUP BY a.meeting_no)sql",
            now
        );
        StatusReport result = sum.result();
        result.any_meeting = impl.integer("SELECT EXISTS (SELECT 1 FROM meeting)") != 0;
        impl.each(
            [&](Statement& row) {
                add_item(
                    result.not_served,
                    {shown_text(row.getColumn(0)), shown_text(row.getColumn(1)), shown_text(row.getColumn(2)),
                     shown_text(row.getColumn(3)), instant_of(row.getColumn(4)).value_or(sys_seconds{})}
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
        result.projects = impl.projects();
        result.sessions_to_empty = impl.integer("SELECT count(*) FROM session WHERE disconnect = 1");
        result.abandoned_attempts = impl.integer("SELECT count(*) FROM session_attempt WHERE outcome = 'abandoned'");
        return result;
    });
}

void Report::Impl::read_people(MeetingReport& report, std::string const& id) const
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
            add_item(report.people, std::move(person), shown_people);
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
}

/// Tokens that were withdrawn work at the vendor until they expire. Those of a meeting that usher has not looked at
/// since it was cancelled are still where they were.
void Report::Impl::read_tokens_out(MeetingReport& report, std::string const& id) const
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
                if (const auto due = instant_of(row.getColumn(5));
                    due && *due > view.now && *due < from_unix(100'000'000'000))
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
        impl.read_people(report, id);
        impl.read_tokens_out(report, id);
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
            add_item(
                result,
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
                shown_credentials
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
