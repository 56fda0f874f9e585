// SPDX-License-Identifier: Apache-2.0
#include <usher/store/sqlite/sqlite_store.hpp>

#include <algorithm>

namespace usher {

namespace {

using namespace std::chrono_literals;

constexpr auto look_unnoticed = 100ms; // where nothing is noticed
constexpr auto first_look = 250us;     // after a notice of a change,
constexpr auto last_look = 256ms;      // ever more slowly until here
constexpr auto look_at_files = 1s;     // at least so often, once the database itself was written to
constexpr auto quiet_before_empty_log = 5s;
constexpr int idle_log_pages = 100; // worth a checkpoint when there is nothing else to do
constexpr int empty_log_tries = 20; // at the stop, beside readers
constexpr auto empty_log_pause = 50ms;

} // namespace

SqliteStore::SqliteStore(
    std::unique_ptr<FileGuard> guard, std::string who, Clock& clock, boost::asio::any_io_executor executor,
    boost::asio::any_io_executor background
)
    : guard_{std::move(guard)},
      who_{std::move(who)},
      clock_{clock},
      executor_{std::move(executor)},
      background_{std::move(background)},
      looks_{clock, executor_}
{}

SqliteStore::~SqliteStore() = default;

std::string SqliteStore::open()
{
    file_.emplace(guard_->open());
    writer_.emplace(*file_, clock_, executor_, background_);
    writer_->watch_writes(wrote_);
    return guard_->log_set_aside();
}

Tenure SqliteStore::take_over()
{
    const Tenure tenure = file_->take_over(who_, clock_.now(), clock_.steady_now());
    guard_->attend(*file_);
    return tenure;
}

std::optional<Store::SlowNotices> SqliteStore::notice_changes()
{
    notice_problem_ = guard_->notice(executor_, [this] { looks_.notify(); });
    if (notice_problem_.empty())
        return std::nullopt;
    return SlowNotices{notice_problem_, look_unnoticed};
}

/// The WAL is written before the commit is visible, so it is looked again after a notice, ever more slowly; a new
/// notice is looked after at once.
boost::asio::awaitable<void> SqliteStore::follow_changes(Duration every, std::function<void()> changed)
{
    const Duration quiet = notice_problem_.empty() ? every : Duration{look_unnoticed};
    Duration delay = quiet;
    while (!stopping_) {
        const Duration most = look_at_files;
        const bool noticed = co_await looks_.wait(guard_->is_file_noticed() ? std::min(delay, most) : delay);
        guard_->check(clock_.steady_now());
        if (has_changed()) {
            changed();
            delay = quiet;
        } else {
            delay = noticed ? first_look : delay < last_look ? 2 * delay : quiet;
        }
    }
}

bool SqliteStore::has_changed() const
{
    try {
        return file_->data_version() != seen_version_;
    } catch (DatabaseBusy const&) { // then somebody is at work on it
        return true;
    }
}

void SqliteStore::caught_up()
{
    guard_->note_commits();
    seen_version_ = file_->data_version();
}

boost::asio::awaitable<Inspection> SqliteStore::inspect()
{
    return writer_->inspect();
}

boost::asio::awaitable<bool> SqliteStore::renumber(std::size_t limit)
{
    return writer_->renumber(limit);
}

boost::asio::awaitable<Published> SqliteStore::publish(std::vector<Publication> publications)
{
    const bool works = !publications.empty();
    Published published = co_await writer_->publish(std::move(publications));
    if (works) {
        worked_at_ = clock_.steady_now();
        guard_->expect_change(); // what was written may be in the file already, with none of it left in the WAL
    }
    co_return published;
}

boost::asio::awaitable<void> SqliteStore::add_missing(std::vector<std::string> meeting_ids)
{
    return writer_->add_missing(std::move(meeting_ids));
}

boost::asio::awaitable<void> SqliteStore::forget_unreadable(std::vector<MeetingNo> meetings)
{
    return writer_->forget_unreadable(std::move(meetings));
}

boost::asio::awaitable<void> SqliteStore::remove(Outdated outdated)
{
    return writer_->remove(std::move(outdated));
}

boost::asio::awaitable<void> SqliteStore::record_doors(Policy policy)
{
    return writer_->record_doors(policy);
}

boost::asio::awaitable<void> SqliteStore::beat(sys_seconds certain)
{
    return writer_->beat(certain);
}

boost::asio::awaitable<void> SqliteStore::keep_house()
{
    co_await empty_log();
    caught_up(); // at once: what is written before it is taken for the file's own
}

/// Moves the WAL into the file, all of it once nothing has been written for a while.
boost::asio::awaitable<void> SqliteStore::empty_log()
{
    const bool quiet = clock_.steady_now() - worked_at_ >= quiet_before_empty_log;
    if (quiet && file_->wal_pages() > 0)
        co_await writer_->take_turn(
        ); // for all that follows: nobody may replace the file between the look and the work
    if (quiet && file_->wal_pages() > 0)
        guard_->check_contents(); // what is moved now would go into the other file
    if (file_->wal_pages() >= idle_log_pages || (quiet && file_->wal_pages() > 0))
        file_->checkpoint(CheckpointMode::passive);
    if (quiet && file_->wal_pages() > 0) { // what is in no WAL cannot be played into a file that is put in its place
        guard_->expect_change();
        file_->checkpoint(CheckpointMode::truncate);
    }
}

std::optional<Store::Duration> SqliteStore::keep_house_in() const
{
    return file_->wal_pages() > 0 ? std::optional<Duration>{quiet_before_empty_log} : std::nullopt;
}

void SqliteStore::request_stop()
{
    stopping_ = true;
    guard_->stop_notices();
    writer_->request_stop();
}

/// Empties -wal, so that it is not played into a backup that somebody puts in the database's place. Whoever still reads
/// in it is waited for with no lock held.
bool SqliteStore::finish(std::function<void(Duration)> const& pause)
{
    file_->checkpoint(CheckpointMode::passive);
    for (int tries = 1; !file_->checkpoint(CheckpointMode::truncate); ++tries) {
        if (tries == empty_log_tries)
            return false;
        pause(empty_log_pause);
    }
    return true;
}

void SqliteStore::watch_writes(std::function<void(Duration waited, std::optional<Duration> held)> wrote)
{
    wrote_ = std::move(wrote);
    if (writer_)
        writer_->watch_writes(wrote_);
}

std::vector<HealthRow> SqliteStore::health() const
{
    std::vector<HealthRow> rows = file_->health();
    for (HealthRow& row : writer_->health())
        rows.push_back(std::move(row));
    return rows;
}

} // namespace usher
