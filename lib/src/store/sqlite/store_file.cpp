// SPDX-License-Identifier: Apache-2.0
#include <usher/store/sqlite/store_file.hpp>

#include <algorithm>
#include <array>

#include <sqlite3.h>

#include <usher/core/certain_time.hpp>
#include <usher/core/printable.hpp>

#include "columns.hpp"
#include "file_health.hpp"
#include "store_file_impl.hpp"

namespace usher {

StoreFile::StoreFile(std::unique_ptr<Impl> impl) : impl_{std::move(impl)} {}

StoreFile::StoreFile(StoreFile&&) noexcept = default;

StoreFile& StoreFile::operator=(StoreFile&&) noexcept = default;

StoreFile::~StoreFile() = default;

StoreFile StoreFile::open(std::string const& path)
{
    return StoreFile{std::make_unique<Impl>(path, Access::read_write)};
}

StoreFile StoreFile::open_read_only(std::string const& path)
{
    return StoreFile{std::make_unique<Impl>(path, Access::read_only)};
}

std::unique_ptr<StoreFile> StoreFile::reader() const
{
    auto other = std::make_unique<StoreFile>(open_read_only(impl_->path));
    other->impl_->seal = impl_->seal;
    other->impl_->database_id = impl_->database_id;
    return other;
}

std::string const& StoreFile::path() const
{
    return impl_->path;
}

Tenure StoreFile::take_over(std::string_view who, sys_seconds now, std::chrono::steady_clock::time_point steady)
{
    Impl& impl = *impl_;
    impl.seal = read_seal(impl.path);
    impl.mark_file.emplace(impl.path);
    impl.who = who;
    impl.since = now;
    return impl.guarded([&] {
        Impl::Writing transaction{impl};
        const bool row_was_lost = impl.discard_foreign_rows();
        if (!impl.seal && impl.integer("SELECT 1 FROM session LIMIT 1"))
            throw DatabaseError{
                impl.path +
                ".key: is missing, and with it the proof that the sessions are usher's own; restore it from "
                "the backup of the database, or accept all sessions that are there with: usherctl --db " +
                shell_word(impl.path) + " init --adopt-sessions"};
        if (!impl.seal)
            impl.seal = make_seal(impl.path, impl.path + ".key");
        impl.key_file.emplace(impl.path);
        const auto kept = [&](char const* sql) { return bounded_instant(impl.integer(sql).value_or(0)); };
        const sys_seconds last_look = kept("SELECT max(since, heartbeat) FROM daemon WHERE id = 1");
        const ClockRecord clock = at_start(
            {kept("SELECT certain_at FROM daemon WHERE id = 1"), kept("SELECT clock_at FROM daemon WHERE id = 1"),
             kept("SELECT clock_steady FROM daemon WHERE id = 1").time_since_epoch()},
            now, steady
        );
        const std::int64_t before = impl.integer("SELECT epoch FROM daemon WHERE id = 1").value_or(0);
        impl.epoch = std::clamp<std::int64_t>(before, 0, foreign_number) + 1;
        if (row_was_lost) // an epoch that no daemon had before
            impl.epoch = std::max(impl.epoch, unix_seconds(now) * 1000);
        impl.know_database();
        impl.run(
            R"sql(UPDATE daemon SET epoch = ?, who = ?, since = ?, heartbeat = ?, certain_at = ?, clock_at = ?,
                                    clock_steady = ? WHERE id = 1)sql",
            impl.epoch, impl.who, unix_seconds(now), unix_seconds(now), unix_seconds(clock.certain),
            unix_seconds(clock.seen), std::int64_t{clock.steady.count()}
        );
        impl.run("UPDATE session_attempt SET outcome = 'abandoned' WHERE outcome = 'started'");
        transaction.commit();
        impl.write_mark();
        return Tenure{last_look, clock};
    });
}

bool StoreFile::Impl::discard_foreign_rows()
{
    run("DELETE FROM agenda WHERE meeting_no >= ?", foreign_number);
    run("DELETE FROM session WHERE session_no >= ?", foreign_number);
    run("DELETE FROM session_attempt WHERE attempt_no >= ?", foreign_number);
    run("DELETE FROM history WHERE history_no >= ?", foreign_number);
    bool row_was_lost = false;
    for (int tries = 0;; ++tries) {
        try {
            row_was_lost = run("INSERT OR IGNORE INTO daemon (id) VALUES (1)") > 0 || row_was_lost;
            // Fails for a value that is too large, and for a NULL where none may be.
            run(R"sql(UPDATE daemon SET epoch = epoch, who = who, since = since, heartbeat = heartbeat,
                             certain_at = certain_at, clock_at = clock_at, clock_steady = clock_steady, seq = seq,
                             work_no = work_no, database_id = database_id, restores = restores, damage = damage
                       WHERE id = 1)sql");
            return row_was_lost;
        } catch (SQLite::Exception const& error) {
            const int code = error.getErrorCode();
            if ((code != SQLITE_TOOBIG && code != SQLITE_CONSTRAINT) || tries > 0)
                throw;
            run("DELETE FROM daemon");
        }
    }
}

void StoreFile::Impl::know_database()
{
    read_database_id();
    const std::int64_t seq = integer("SELECT seq FROM daemon WHERE id = 1").value_or(0);
    const std::optional<Mark> mark = mark_file->read();
    highest_seq = seq >= foreign_number ? 0 : seq;
    restores = integer("SELECT restores FROM daemon WHERE id = 1").value_or(0);
    if (seq == 0 && !mark)
        return; // new
    const bool is_known = mark && mark->database_id == database_id;
    if (is_known) {
        highest_seq = std::max(highest_seq, mark->seq);
        restores = std::max(restores, mark->restores);
    }
    if (!is_known || mark->seq > seq)
        note_restore();
}

void StoreFile::Impl::read_database_id()
{
    SQLite::Statement& statement = prepared("SELECT database_id FROM daemon WHERE id = 1");
    {
        const Rewind rewind{statement};
        database_id = statement.executeStep() ? statement.getColumn(0).getString() : std::string{};
    }
    if (database_id.empty()) { // it is new, or its row is lost: the sessions are of the id that the mark has
        const std::optional<Mark> mark = mark_file ? mark_file->read() : std::nullopt;
        database_id = mark && !mark->database_id.empty() ? mark->database_id : random_id();
        run("UPDATE daemon SET database_id = ? WHERE id = 1", database_id);
    }
}

void StoreFile::Impl::note_restore()
{
    run("INSERT OR IGNORE INTO daemon (id) VALUES (1)");
    run(
        R"sql(UPDATE daemon SET epoch = ?1, seq = max(CASE WHEN typeof(seq) = 'integer' THEN seq ELSE 0 END, ?2),
                     restores = max(CASE WHEN typeof(restores) = 'integer' THEN restores ELSE 0 END, ?6) + 1,
                     restore_cursor = 0, database_id = ?3, who = ?4, since = ?5
               WHERE id = 1)sql",
        epoch, highest_seq, database_id, who, unix_seconds(since), restores
    );
    restores = integer("SELECT restores FROM daemon WHERE id = 1").value_or(restores); // a number it never was
    run("UPDATE session_attempt SET outcome = 'abandoned' WHERE outcome = 'started'"); // when the copy was taken
    restored = true;
}

bool StoreFile::holds_older_rows() const
{
    Impl& impl = *impl_;
    return impl.guarded([&] {
        return impl.passing_over([&] {
            return impl
                .integer(
                    "SELECT 1 FROM daemon WHERE id = 1 AND (epoch < ?1 OR (epoch = ?1 AND seq < ?2))", impl.epoch,
                    impl.highest_seq
                )
                .has_value();
        });
    });
}

bool StoreFile::take_restored()
{
    return std::exchange(impl_->restored, false);
}

void StoreFile::Impl::expect_own_epoch()
{
    const std::optional<std::int64_t> current = integer("SELECT epoch FROM daemon WHERE id = 1");
    if (!current || *current < epoch ||
        (*current == epoch && integer("SELECT seq FROM daemon WHERE id = 1") < highest_seq))
        note_restore(); // an older copy came back into the file
    else if (*current != epoch)
        throw Fenced{
            path + (owner() == who ? ": somebody else wrote to usher's row in daemon" : ": taken over by " + owner()) +
            "; this daemon stops writing"};
}

std::string StoreFile::Impl::owner()
{
    SQLite::Statement& statement = prepared("SELECT who FROM daemon WHERE id = 1");
    const Rewind rewind{statement};
    return statement.executeStep() ? statement.getColumn(0).getString() : std::string{};
}

std::int64_t StoreFile::Impl::next_seq(sys_seconds now)
{
    if (last_seq == 0)
        last_seq = integer("SELECT seq FROM daemon WHERE id = 1").value_or(0);
    if (last_seq >= foreign_number) // followers start anew
        run("UPDATE daemon SET restores = restores + 1 WHERE id = 1");
    last_seq = std::max(last_seq >= foreign_number ? 0 : last_seq + 1, unix_seconds(now) * 1'000'000);
    return last_seq;
}

void StoreFile::Impl::keep_seq()
{
    if (last_seq != 0)
        passing_over([&] { run("UPDATE daemon SET seq = ? WHERE id = 1", last_seq); });
}

void StoreFile::Impl::keep_mark()
{
    if (key_file)
        key_file->put_back();
    if (!mark_file || (last_seq == 0 && restores == marked_restores && mark_file->is_there()))
        return;
    highest_seq = std::max(highest_seq, last_seq);
    write_mark();
}

void StoreFile::Impl::write_mark()
{
    mark_file->write({database_id, highest_seq, restores});
    marked_restores = restores;
}

Inspection StoreFile::inspect(std::chrono::steady_clock::time_point now)
{
    Impl& impl = *impl_;
    return impl.guarded([&] {
        const Impl::MaybeHeld held{impl}; // where something is put back
        return impl.keeper.inspect(*impl.database, now);
    });
}

namespace {

/// For `usher_status`: a line for each.
std::string damage_lines(ContractState const& state)
{
    std::string lines;
    for (Damage const& damage : state.damages)
        lines.append(lines.empty() ? "" : "\n").append(damage.sentence);
    return lines;
}

} // namespace

bool StoreFile::has_damage(ContractState const& state) const
{
    Impl& impl = *impl_;
    try {
        return impl.guarded([&] {
            return impl.passing_over([&] {
                return !impl.integer("SELECT 1 FROM daemon WHERE id = 1 AND damage IS NOT ?", damage_lines(state));
            });
        });
    } catch (SchemaBroken const&) {
        return true; // that column is what was lost
    }
}

void StoreFile::record_damage(ContractState const& state)
{
    impl_->write([&] {
        impl_->passing_over([&] { impl_->run("UPDATE daemon SET damage = ? WHERE id = 1", damage_lines(state)); });
    });
}

namespace {

constexpr std::array door_roles{Role::subscriber, Role::publisher, Role::publisheronly, Role::moderator};

} // namespace

bool StoreFile::has_doors(Policy const& policy) const
{
    Impl& impl = *impl_;
    try {
        return impl.guarded([&] {
            SQLite::Statement& statement = impl.prepared(
                R"sql(SELECT CASE typeof(role) || typeof(code) || typeof(early_join) || typeof(hidden)
                             WHEN 'textintegerintegerinteger' THEN role END, code, early_join, hidden FROM door)sql"
            );
            const Rewind rewind{statement};
            std::size_t recorded = 0;
            for (; statement.executeStep(); ++recorded) {
                const auto role = parse_role(option(statement.getColumn(0)));
                if (!role || statement.getColumn(1).getInt64() != static_cast<int>(*role) ||
                    statement.getColumn(2).getInt64() != policy.early_join.of(*role).count() ||
                    statement.getColumn(3).getInt64() != (policy.visible_at_opens ? 1 : 0))
                    return false;
            }
            return recorded == door_roles.size(); // a role is there once: it is the key
        });
    } catch (RowError const&) {
        return false;
    }
}

void StoreFile::record_doors(Policy const& policy)
{
    Impl& impl = *impl_;
    impl.write([&] {
        impl.run("DELETE FROM door");
        for (const Role role : door_roles)
            impl.run(
                "INSERT OR REPLACE INTO door (role, code, early_join, hidden) VALUES (?, ?, ?, ?)",
                std::string{to_text(role)}, static_cast<int>(role), std::int64_t{policy.early_join.of(role).count()},
                policy.visible_at_opens ? 1 : 0
            );
    });
}

void StoreFile::beat(sys_seconds now, sys_seconds certain)
{
    impl_->write([&] {
        impl_->look(now);
        impl_->passing_over([&] { impl_->run("UPDATE daemon SET certain_at = ? WHERE id = 1", unix_seconds(certain)); }
        );
    });
}

void StoreFile::Impl::look(sys_seconds now)
{
    passing_over([&] { run("UPDATE daemon SET heartbeat = ? WHERE id = 1", unix_seconds(now)); });
}

RequestStep StoreFile::advance_requests(sys_seconds now)
{
    Impl& impl = *impl_;
    RequestStep result;
    result.finished = impl.requests.news();
    const auto portion = impl.guarded([&] { return impl.passing_over([&] { return impl.requests.next(now); }); });
    if (!portion)
        return result;
    ++impl.own_writes;
    impl.write([&] {
        impl.unbounded([&] { impl.requests.take(*portion, now); }); // rows that nobody has looked at yet
    });
    result.more = true;
    for (RequestNews& news : impl.requests.news())
        result.finished.push_back(std::move(news));
    return result;
}

bool StoreFile::has_request_work() const
{
    return impl_->guarded([&] { return impl_->requests.has_work(); });
}

Seen StoreFile::seen() const
{
    return {data_version(), impl_->own_writes};
}

std::int64_t StoreFile::data_version() const
{
    return impl_->guarded([&] { return impl_->integer("PRAGMA data_version").value_or(0); });
}

std::int64_t StoreFile::last_seq() const
{
    return impl_->guarded([&] { return impl_->integer("SELECT seq FROM daemon WHERE id = 1").value_or(0); });
}

std::int64_t StoreFile::schema_version() const
{
    return impl_->guarded([&] { return impl_->integer("PRAGMA schema_version").value_or(0); });
}

int StoreFile::wal_pages() const
{
    return impl_->wal_pages;
}

std::string StoreFile::Impl::damage_text(SQLite::Exception const& error)
{
    if (!damaged)
        damaged = damaged_tables(database->getHandle());
    return usher::damage_text(path, *damaged, error);
}

void StoreFile::watch_lock(std::function<void(LockStep)> watcher)
{
    impl_->lock_watcher = std::move(watcher);
}

bool StoreFile::checkpoint(Checkpoint mode)
{
    std::optional<Impl::MaybeHeld> held;
    if (mode != Checkpoint::passive)
        held.emplace(*impl_);
    const bool moved = impl_->guarded([&] { return move_wal(*impl_->database, mode); });
    if (moved && mode != Checkpoint::passive)
        impl_->wal_pages = 0;
    return moved;
}

std::vector<HealthRow> StoreFile::health() const
{
    Impl& impl = *impl_;
    return impl.guarded([&] {
        std::vector<HealthRow> rows = file_health(*impl.database, impl.path);
        const auto counted = [&](int what) {
            int count = 0;
            int highest = 0;
            sqlite3_db_status(impl.database->getHandle(), what, &count, &highest, 0);
            return std::int64_t{count};
        };
        rows.push_back({"wal_pages", impl.wal_pages, "pages", "in -wal after usherd's last commit"});
        rows.push_back({"cache_hits", counted(SQLITE_DBSTATUS_CACHE_HIT), "pages", "were in memory when needed"});
        rows.push_back({"cache_misses", counted(SQLITE_DBSTATUS_CACHE_MISS), "pages", "had to be read"});
        return rows;
    });
}

} // namespace usher
