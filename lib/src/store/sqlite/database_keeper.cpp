// SPDX-License-Identifier: Apache-2.0
#include <usher/store/sqlite/database_keeper.hpp>

#include <cerrno>
#include <system_error>
#include <utility>

#include <unistd.h>

#include <usher/core/printable.hpp>
#include <usher/store/database.hpp>

namespace usher {

namespace {

using namespace std::chrono_literals;

constexpr auto files_compared = 1s; // at most so often

} // namespace

DatabaseKeeper::DatabaseKeeper(std::string named, std::string const& who)
    : named_{std::move(named)}, path_{real_path(named_)}, lock_{path_, who}
{}

DatabaseKeeper::~DatabaseKeeper() = default;

StoreFile DatabaseKeeper::open()
{
    bool in_doubt = false;
    {
        expect_nobody_separated();
        const DatabaseFiles left{path_}; // closed before SQLite has any lock
        expect_one_name(path_);
        if (left.log_is_foreign(lock_.note()))
            set_aside_ = left.set_log_aside();
        else
            in_doubt = left.written_after_log();
    }
    if (in_doubt && log_does_not_fit(path_))
        set_aside_ = DatabaseFiles{path_}.set_log_aside();
    return StoreFile::open(path_);
}

/// A process that has the removed files open and this one would write over each other's pages.
void DatabaseKeeper::expect_nobody_separated() const
{
    if (const auto user = DatabaseFiles{path_}.user_of_separated(lock_.note()))
        throw DatabaseBusy{
            path_ + ": " + *user +
            " has it open since before its -wal or -shm was removed or cut; end or restart that program"};
}

void DatabaseKeeper::attend(StoreFile& store)
{
    store_ = &store;
    files_.emplace(named_);
}

std::string DatabaseKeeper::notice(boost::asio::any_io_executor executor, std::function<void()> noticed)
{
    watch_.emplace(path_);
    if (!watch_->problem().empty())
        return watch_->problem();
    const int copy = ::dup(watch_->descriptor()); // that one is the watch's; Asio closes this one
    if (copy < 0)
        throw std::system_error{errno, std::generic_category(), "cannot watch the database"};
    noticed_ = std::move(noticed);
    notices_.emplace(std::move(executor), copy);
    wait_for_notice();
    return {};
}

void DatabaseKeeper::wait_for_notice()
{
    // An error says that the descriptor was closed, and the keeper may be gone then.
    notices_->async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](boost::system::error_code error) {
        if (error || !notices_)
            return;
        const ChangeWatch::Notices seen = watch_->drain();
        file_noticed_ = file_noticed_ || seen.database;
        if (seen.database || seen.log)
            noticed_();
        wait_for_notice();
    });
}

bool DatabaseKeeper::has_changed() const
{
    try {
        return store_->data_version() != seen_version_;
    } catch (DatabaseBusy const&) { // then somebody is at work on it
        return true;
    }
}

/// What anybody has committed since the last note may have changed the file; nothing else does.
void DatabaseKeeper::note_commits()
{
    if (const std::string note = files_->note(lock_.note()); !note.empty())
        lock_.leave_note(note);
    const std::int64_t version = store_->data_version();
    if (version != seen_version_ || store_->wal_pages() > 0)
        file_note_.clear();
    seen_version_ = version;
    if (file_note_.empty() && store_->wal_pages() == 0)
        file_note_ = files_->note_without_log();
}

void DatabaseKeeper::check(Instant now)
{
    expect_not_lost();
    if (files_->replaced()) {
        // What is in -wal belongs to the file that was here before. It is moved into that file, wherever it is now, and
        // must not get into the new one.
        store_->checkpoint(StoreFile::Checkpoint::passive);
        store_->checkpoint(StoreFile::Checkpoint::truncate);
        files_->remove_log();
        lose(": the database file was replaced by another, or taken away; the next start works on the one that is "
             "there then");
    }
    check_log();
    const bool look = file_noticed_ || (watch_ && !watch_->problem().empty());
    if (!look || now - files_compared_at_ < files_compared)
        return;
    file_noticed_ = false;
    files_compared_at_ = now;
    check_contents();
}

/// When somebody took -wal or -shm away, or cut them, others who open the database then see nothing of what we commit,
/// and we nothing of theirs. The next start waits for those who have the database open as it was.
void DatabaseKeeper::check_log()
{
    using LogFault = DatabaseFiles::LogFault;
    expect_not_lost();
    const LogFault fault = files_->log_fault();
    if (fault == LogFault::none)
        return;
    if (fault == LogFault::removed)
        store_->checkpoint(StoreFile::Checkpoint::passive);
    if (fault == LogFault::used)
        files_->put_log_back();
    lock_.leave_note(files_->separate());
    const std::string what = fault == LogFault::cut || fault == LogFault::emptied ? "cut" : "removed";
    const std::string others = "others wrote beside it, and some of what they committed may be lost";
    lose(
        ": its -wal or -shm was " + what + " while it was in use; " +
        (fault == LogFault::cut                                  ? "what was committed last may be lost"
         : fault == LogFault::used || fault == LogFault::divided ? others
                                                                 : "all that was committed is kept") +
        "; restart all programs that had it open"
    );
}

void DatabaseKeeper::check_contents()
{
    expect_not_lost();
    const auto nothing_committed = [&] { return store_->wal_pages() == 0 && !has_changed(); };
    if (!file_note_.empty() && nothing_committed()) {
        const std::string now = files_->note_without_log();
        if (!now.empty() && now != file_note_ && nothing_committed())
            lose(": the database file was overwritten; the next start works on what is there now");
    }
    if (files_->log_is_foreign(lock_.note()))
        lose(
            ": the database file was overwritten; what its -wal had for the former contents is in " +
            files_->set_log_aside() + "; the next start works on what is there now"
        );
}

/// After the first DatabaseLost the files are left alone: what could be saved has been saved.
void DatabaseKeeper::expect_not_lost() const
{
    if (lost_)
        throw DatabaseLost{*lost_};
}

void DatabaseKeeper::lose(std::string const& why)
{
    lost_ = path_ + why;
    throw DatabaseLost{*lost_};
}

} // namespace usher
