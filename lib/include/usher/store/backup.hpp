// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <usher/core/time.hpp>
#include <usher/store/errors.hpp>

namespace usher {

/// Told of each further part of a copy: how many pages that is, and how many the whole copy has.
using CopyProgress = std::function<void(std::size_t pages, std::size_t total)>;

/// Copies `database`, as it is at one instant, to `target`, which is checked and readable by this account alone;
/// DATABASE.key and DATABASE.mark go with it where they are. What was of these names is replaced once the copies are
/// whole, unless it is of `database` itself, or another daemon works on it; `who` is for one that starts meanwhile.
/// After an error all of them are as they were. Returns the files. Errors: AlreadyAtWork, DatabaseError, DatabaseBusy.
std::vector<std::string> back_up(
    std::string const& database, std::string const& target, std::string const& who, CopyProgress const& progress = {}
);

/// What is there already of the files that back_up() would write.
std::vector<std::string> files_replaced_by_backup(std::string const& database, std::string const& target);

/// Refuses a name of a file that `database` needs, or at which a restore puts something: nothing is to be written
/// there. Errors: DatabaseError.
void expect_other_file(std::string const& database, std::string const& target);

/// Puts a copy of a database in its place, in two steps: what it takes is read and checked by the constructor, and
/// nothing is replaced before commit(). No usherd can start meanwhile. Errors: AlreadyAtWork, DatabaseError,
/// DatabaseBusy.
class Restore {
public:
    /// `who` is for the message of a usherd that starts meanwhile.
    Restore(
        std::string const& database, std::string const& backup, std::string const& who,
        CopyProgress const& progress = {}
    );
    Restore(Restore const&) = delete;
    Restore& operator=(Restore const&) = delete;
    ~Restore();

    /// The last instant that the copy's rows, or its file, know of.
    sys_seconds taken_at() const;

    /// The copy has sessions, and there is no key: neither with it nor beside the database.
    bool lacks_key() const;

    struct Replaced {
        std::string replaced;    ///< Where the former file is; empty when there was none.
        bool still_open = false; ///< Others have the former file open, and go on with it.
    };
    /// The copy gets the mode and owner of the former file, whose companions are gone afterwards. DATABASE.mark
    /// stays: by it usherd sees that the rows are older than what was read already. Whenever this is interrupted, the
    /// database is the former one or the copy, with its own key.
    Replaced commit();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// For older rows that nothing tells of, since a snapshot of the whole machine came back and DATABASE.mark with it: has
/// usherd number all meetings anew, so that who follows changes starts anew. Returns what `restores` is now. Errors: as
/// above.
std::int64_t note_restore(std::string const& database, std::string const& who);

} // namespace usher
