// SPDX-License-Identifier: Apache-2.0
#include <usher/store/requests.hpp>

#include "columns.hpp"
#include "request_book.hpp"
#include "statements.hpp"

namespace usher {

namespace {

std::optional<std::string> text_at(SQLite::Statement& statement, int column)
{
    const SQLite::Column value = statement.getColumn(column);
    return value.isNull() ? std::nullopt : std::optional{shown_text(value)};
}

RequestReport report_at(SQLite::Statement& row)
{
    RequestReport report;
    report.number = row.getColumn(0).getInt64();
    report.id = row.getColumn(1).getInt64();
    report.action = shown_text(row.getColumn(2));
    report.scope = {text_at(row, 3), text_at(row, 4)};
    report.requested_by = shown_text(row.getColumn(5));
    report.requested_at = instant_of(row.getColumn(6)).value_or(sys_seconds{});
    report.state = shown_text(row.getColumn(7));
    report.all_marked = report.state == "running" && row.getColumn(8).isNull();
    report.counts = {
        row.getColumn(9).getInt64(), row.getColumn(10).getInt64(), row.getColumn(11).getInt64(),
        row.getColumn(12).getInt64(), row.getColumn(13).getInt64()};
    report.detail = shown_text(row.getColumn(14));
    report.done_at = instant_of(row.getColumn(15));
    return report;
}

#define USHER_REQUEST_COLUMNS                                                                                          \
    "SELECT q.request_no, r.id, r.action, r.meeting_id, r.project, r.requested_by, r.requested_at, q.state, "          \
    "q.cursor_no, q.meetings, q.served, q.renewed, q.sessions, q.tokens, q.detail, q.done_at FROM request r "

} // namespace

struct RequestDesk::Impl : Statements {
    Impl(std::string file, Access access) : Statements{open_connection(file, access)}, path{std::move(file)}
    {
        read_any_size(*database);
    }

    std::string path;

    template <class Work>
    auto guarded(Work&& work)
    {
        return guard(*database, path, work);
    }

    template <class... Values>
    std::vector<RequestReport> reports(char const* sql, Values const&... values)
    {
        SQLite::Statement& statement = prepared(sql);
        const Rewind rewind{statement};
        SQLite::bind(statement, values...);
        std::vector<RequestReport> result;
        while (statement.executeStep())
            result.push_back(report_at(statement));
        return result;
    }

    template <class... Values>
    std::optional<RequestReport> report(char const* sql, Values const&... values)
    {
        std::vector<RequestReport> all = reports(sql, values...);
        return all.empty() ? std::nullopt : std::optional{std::move(all.front())};
    }

    std::vector<std::string> texts(char const* sql)
    {
        SQLite::Statement& statement = prepared(sql);
        const Rewind rewind{statement};
        std::vector<std::string> result;
        while (statement.executeStep())
            result.push_back(shown_text(statement.getColumn(0)));
        return result;
    }
};

RequestDesk::RequestDesk(std::string const& path, bool writes)
    : impl_{std::make_unique<Impl>(path, writes ? Access::read_write : Access::read_only)}
{}
RequestDesk::RequestDesk(RequestDesk&&) noexcept = default;
RequestDesk& RequestDesk::operator=(RequestDesk&&) noexcept = default;
RequestDesk::~RequestDesk() = default;

bool RequestDesk::knows_meeting(std::string const& id) const
{
    return impl_->guarded([&] { return impl_->integer("SELECT 1 FROM meeting WHERE id = ?", id).has_value(); });
}

bool RequestDesk::knows_project(std::string const& name) const
{
    return impl_->guarded([&] {
        return impl_->integer("SELECT 1 FROM meeting WHERE project = ? LIMIT 1", name).has_value();
    });
}

std::vector<std::string> RequestDesk::meetings() const
{
    return impl_->guarded([&] { return impl_->texts("SELECT id FROM meeting ORDER BY id"); });
}

std::vector<std::string> RequestDesk::projects() const
{
    return impl_->guarded([&] { return impl_->texts("SELECT DISTINCT project FROM meeting ORDER BY project"); });
}

RequestExtent RequestDesk::extent(RequestScope const& scope, sys_seconds now) const
{
    return impl_->guarded([&] {
        const SQLite::Transaction transaction{*impl_->database};
        SQLite::Statement& statement = impl_->prepared(R"sql(
            SELECT m.id, a.session_no, a.opens, a.closes, a.state, a.attempts
              FROM meeting m LEFT JOIN agenda a ON a.meeting_id = m.id
             WHERE m.status = 'scheduled' AND (?1 IS NULL OR m.id = ?1)
               AND (?2 IS NULL OR ?2 = '*' OR m.project = ?2) AND (a.closes IS NULL OR a.closes > ?3)
        )sql");
        const Rewind rewind{statement};
        if (scope.meeting)
            statement.bind(1, *scope.meeting);
        if (scope.project)
            statement.bind(2, *scope.project);
        statement.bind(3, unix_seconds(now));
        RequestExtent extent;
        while (statement.executeStep()) {
            ++extent.meetings;
            const std::string id = shown_text(statement.getColumn(0));
            const std::string state = shown_text(statement.getColumn(4));
            if (state == "pending" || state == "failed" || statement.getColumn(5).getInt64() > 0)
                extent.failing.push_back(id);
            if (statement.getColumn(1).isNull())
                continue;
            ++extent.sessions;
            const std::int64_t tokens =
                impl_->integer("SELECT count(*) FROM token WHERE session_no = ?", statement.getColumn(1).getInt64())
                    .value_or(0);
            extent.tokens += tokens;
            extent.token_meetings += tokens > 0 ? 1 : 0;
            const auto opens = instant_of(statement.getColumn(2));
            if (!opens || *opens > now)
                continue;
            ++extent.live;
            extent.people += impl_->integer("SELECT count(*) FROM participant WHERE meeting_id = ?", id).value_or(0);
        }
        return extent;
    });
}

RequestReport RequestDesk::file(RequestAction action, RequestScope const& scope, std::string const& by)
{
    return impl_->guarded([&] {
        SQLite::Transaction transaction{*impl_->database, SQLite::TransactionBehavior::IMMEDIATE};
        {
            SQLite::Statement& insert =
                impl_->prepared("INSERT INTO request (action, meeting_id, project, requested_by) VALUES (?, ?, ?, ?)");
            const Rewind rewind{insert};
            insert.bind(1, std::string{to_text(action)});
            if (scope.meeting)
                insert.bind(2, *scope.meeting);
            if (scope.project)
                insert.bind(3, *scope.project);
            insert.bind(4, by);
            insert.exec();
        }
        const std::int64_t id = impl_->database->getLastInsertRowid();
        auto report = find(id);
        if (report && report->number == 0) { // no trigger did it
            RequestBook{*impl_}.record(id);
            report = find(id);
        }
        transaction.commit();
        return report.value();
    });
}

std::optional<RequestReport> RequestDesk::read(std::int64_t number) const
{
    return impl_->guarded([&] {
        return impl_->report(
            USHER_REQUEST_COLUMNS "JOIN request_result q ON q.request_id = r.id WHERE q.request_no = ?", number
        );
    });
}

std::optional<RequestReport> RequestDesk::find(std::int64_t id) const
{
    return impl_->guarded([&] {
        return impl_->report(
            USHER_REQUEST_COLUMNS "LEFT JOIN request_result q ON q.request_id = r.id WHERE r.id = ?", id
        );
    });
}

std::vector<RequestReport> RequestDesk::open() const
{
    return impl_->guarded([&] {
        return impl_->reports(USHER_REQUEST_COLUMNS "LEFT JOIN request_result q ON q.request_id = r.id "
                                                    "WHERE q.state IS NULL OR q.state IN ('filed', 'running') "
                                                    "ORDER BY r.id");
    });
}

std::optional<RequestReport> RequestDesk::abort(std::int64_t id, std::string const& by, sys_seconds now)
{
    return impl_->guarded([&]() -> std::optional<RequestReport> {
        SQLite::Transaction transaction{*impl_->database, SQLite::TransactionBehavior::IMMEDIATE};
        auto report = find(id);
        if (report && report->number == 0) { // no trigger did it
            RequestBook{*impl_}.record(id);
            report = find(id);
        }
        if (!report || !report->open())
            return std::nullopt;
        impl_->run(
            R"sql(UPDATE request_result SET state = 'aborted', pass = 2,
                         cursor_no = CASE state WHEN 'running' THEN 0 END, done_at = ?1, detail = ?2
                   WHERE request_no = ?3)sql",
            unix_seconds(now), "aborted by " + by, report->number
        );
        transaction.commit();
        return report;
    });
}

bool RequestDesk::has_company(RequestReport const& report) const
{
    return impl_->guarded([&] {
        return impl_
            ->integer(
                R"sql(SELECT 1 FROM request_result WHERE state = 'running' AND work_no =
                             (SELECT work_no FROM request_result WHERE request_no = ?) LIMIT 1)sql",
                report.number
            )
            .has_value();
    });
}

bool RequestDesk::live_left(RequestReport const& report, sys_seconds now) const
{
    return impl_->guarded([&] {
        return impl_
            ->integer(
                R"sql(SELECT 1 FROM request_result q WHERE q.request_no = ?1
                         AND (q.state = 'filed' OR (q.pass = 0 AND q.cursor_no IS NOT NULL)
                              OR EXISTS (SELECT 1 FROM request_meeting m JOIN agenda a ON a.meeting_no = m.meeting_no
                                          WHERE m.work_no = q.work_no AND a.opens <= ?2 AND a.closes > ?2)))sql",
                report.number, unix_seconds(now)
            )
            .has_value();
    });
}

std::optional<sys_seconds> RequestDesk::looked_at() const
{
    return impl_->guarded([&]() -> std::optional<sys_seconds> {
        SQLite::Statement& statement = impl_->prepared("SELECT heartbeat FROM daemon WHERE id = 1");
        const Rewind rewind{statement};
        const auto heartbeat = statement.executeStep() ? instant_of(statement.getColumn(0)) : std::nullopt;
        return heartbeat && *heartbeat > sys_seconds{} ? heartbeat : std::nullopt;
    });
}

} // namespace usher
