// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace usher {

/// The files behind a database as they were opened: itself, -wal and -shm. Tells when the database was replaced, be it
/// by another file of its name or by other contents, so that its -wal is not played into a file that it is not of.
/// Closing the descriptors drops all locks of SQLite in this process: let none of its connections be open then.
class DatabaseFiles {
public:
    /// `named` is the path as the configuration has it. What is not there is not looked at.
    explicit DatabaseFiles(std::string const& named);
    DatabaseFiles(DatabaseFiles const&) = delete;
    DatabaseFiles& operator=(DatabaseFiles const&) = delete;
    ~DatabaseFiles();

    /// Whether the name now means another file, or none.
    bool replaced() const;

    /// What somebody who is not SQLite did to -wal or -shm since they were opened. Processes that had them open go on
    /// with files that have no name any more. Neither they nor those who come later see what the others commit.
    enum class LogFault {
        none,
        removed, ///< All that was committed is in the -wal that was opened: a checkpoint saves it.
        used,    ///< -wal was removed, and others have written to the one that they made in its place.
        divided, ///< -shm was removed, and others have made another: they are at work beside us.
        cut,     ///< -wal lacks what was committed and is not in the database yet.
        emptied, ///< -shm was cut. What is in -wal is whole, and read anew by who opens it next.
    };
    LogFault log_fault();

    /// After `used`: writes what was committed to the -wal that is gone into the one that has its place.
    /// Errors: DatabaseError.
    void put_log_back() const;

    /// Takes the name off the -shm that was opened, so that nobody comes to those who have it open, and returns a note
    /// by which user_of_separated() finds them.
    std::string separate() const;
    /// Somebody who has a database open through a -shm of which separate() left `note`, as `pid 812`. Nothing when
    /// nobody has, or where the system does not tell.
    std::optional<std::string> user_of_separated(std::string_view note) const;

    /// Whether -wal was begun beside other contents than those the database has now. `note` is a note() taken before,
    /// maybe by a process that was killed. False where nothing tells.
    bool log_is_foreign(std::string_view note) const;

    /// Whether somebody wrote to the database after the last commit to its -wal, which a checkpoint does too, and
    /// log_is_foreign() may not be able to tell: then see log_does_not_fit().
    bool written_after_log() const;

    /// Describes the database while -wal has been begun and nothing of it is moved. Empty at other times, and when
    /// `last` describes it beside the same -wal.
    std::string note(std::string_view last) const;

    /// Describes the database while -wal is empty, as it stays until a commit; empty while -wal is not.
    std::string note_without_log() const;

    /// Takes -wal and -shm away from beside another database, where they still are the ones that were opened.
    void remove_log() const;
    /// Likewise, but keeps -wal as DATABASE-wal.foreign, whose path it returns.
    std::string set_log_aside() const;

private:
    struct Index;
    std::optional<Index> shared_index() const;
    std::optional<Index> index() const;
    bool log_is_whole(Index const& index) const;
    bool file_differs(Index const& index, std::string_view note) const;
    bool pages_differ(Index const& index) const;
    std::string sample(std::uint32_t page_bytes) const;

    std::string named_;
    std::string path_;
    int database_ = -1;
    int log_ = -1;
    int index_ = -1;
    std::int64_t index_bytes_ = 0; // the most that was seen
};

/// Whether a database is whole without its -wal and is not with it: then that one is of another file. Reads all of
/// both. Errors: DatabaseError, DatabaseBusy.
bool log_does_not_fit(std::string const& database);

} // namespace usher
