// SPDX-License-Identifier: Apache-2.0
#include <usher/store/promise_check.hpp>

#include <sqlite3.h>

#include "columns.hpp"
#include "store_file_impl.hpp"

namespace usher {

std::vector<Violation>
find_violations(std::string const& database, Projects const& projects, SignatureCheck const& verify, sys_seconds now)
{
    std::vector<Violation> found;
    // A connection of its own, so that rows and view are read at one instant, by the clock that is asked about.
    StoreFile::Impl impl{database, Access::read_only};
    impl.guarded([&] {
        shield(impl.database->getHandle());
        return impl.unbounded([&] {
            std::int64_t clock = unix_seconds(now);
            const auto read_clock = [](sqlite3_context* context, int, sqlite3_value**) {
                sqlite3_result_int64(context, *static_cast<std::int64_t const*>(sqlite3_user_data(context)));
            };
            // What the view asks for the reader's clock.
            sqlite3_create_function_v2(
                impl.database->getHandle(), "strftime", 2, SQLITE_UTF8 | SQLITE_INNOCUOUS, &clock, read_clock, nullptr,
                nullptr, nullptr
            );
            std::int64_t after = 0;
            for (;;) {
                const SQLite::Transaction transaction{*impl.database};
                std::vector<std::int64_t> numbers;
                {
                    SQLite::Statement& statement =
                        impl.prepared("SELECT meeting_no FROM agenda WHERE meeting_no > ? ORDER BY meeting_no LIMIT 500"
                        );
                    const Rewind rewind{statement};
                    statement.bind(1, after);
                    while (statement.executeStep())
                        numbers.push_back(statement.getColumn(0).getInt64());
                }
                if (numbers.empty())
                    break;
                after = numbers.back();
                SQLite::Statement credentials{
                    *impl.database,
                    R"sql(SELECT participant_id, project, project_key, session_id, token, role, issued_at, expires_at
                        FROM join_credential WHERE meeting_id = ?)sql"};
                for (const std::int64_t meeting_no : numbers) {
                    std::optional<MeetingSnapshot> read = impl.read_meeting(meeting_no);
                    if (!read || read->is_unreadable)
                        continue;
                    MeetingEvidence evidence;
                    evidence.meeting = std::move(*read);
                    evidence.due = evidence.meeting.due_at <= clock;
                    credentials.reset();
                    credentials.bind(1, evidence.meeting.id);
                    while (credentials.executeStep())
                        evidence.published.push_back(
                            {credentials.getColumn(0).getString(), credentials.getColumn(1).getString(),
                             credentials.getColumn(2).getString(), credentials.getColumn(3).getString(),
                             credentials.getColumn(4).getString(), credentials.getColumn(5).getString(),
                             bounded_instant(credentials.getColumn(6).getInt64()),
                             bounded_instant(credentials.getColumn(7).getInt64())}
                        );
                    credentials.reset();
                    for (Violation& violation : check_promises(evidence, projects, verify, now))
                        found.push_back(std::move(violation));
                }
            }
        });
    });
    return found;
}

} // namespace usher
