// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <usher/core/time.hpp>

#include "printer.hpp"

namespace usher::ctl {

struct ImportOptions {
    std::string meetings_path;     ///< empty: none, and the table stays as it is
    std::string participants_path; ///< likewise
    std::string calendar_path;     ///< Instead of both.
    sys_seconds until{};           ///< Of a calendar: what begins then or later is passed over.
    std::string database_path;
    std::optional<char> separator; ///< else it is found
    /// Moves all meetings so that the first one begins then. Reads the meetings twice, so it takes a regular file.
    std::optional<sys_seconds> shift_start;
    bool exact = false;    ///< Ids and words are what the file has, blanks at their ends included.
    bool prune = false;    ///< Delete what the files do not have; not done when a row of theirs is refused.
    bool force = false;    ///< Though a file has no rows.
    bool dry_run = false;  ///< Write nothing, and tell what would change.
    bool progress = false; ///< Show progress on standard error.
    sys_seconds now;       ///< For what is told of meetings.
    bool local = false;    ///< Its times are in this machine's zone.
};

struct ImportCounts {
    std::size_t added = 0;
    std::size_t changed = 0;
    std::size_t unchanged = 0;
    std::size_t refused = 0;
    std::size_t pruned = 0;

    friend bool operator==(ImportCounts const&, ImportCounts const&) = default;
};

/// What is in the database when the import returns, or would be.
struct ImportReport {
    ImportCounts meetings;
    ImportCounts participants;
    std::size_t passed_over = 0;    ///< Events of a calendar that are over, or begin too late.
    bool prune_skipped = false;     ///< asked for, and not done because of a refused row
    std::vector<std::string> would; ///< Of a dry run: what changes of the first meetings.
    std::size_t would_count = 0;    ///< How many meetings change.
    std::string failure;            ///< why the import ended early; empty when it did not
    std::string to_do;              ///< the way out of that, where the failure does not name it

    std::size_t refused() const { return meetings.refused + participants.refused; }
};

/// Loads a schedule into the tables `meeting` and `participant`, a few milliseconds of the write lock at a time, with
/// longer pauses for others. A row that is there already is not written again, and keeps what its file leaves empty.
/// Writes a line for each row that is refused, and what else deserves mention, to `problems`.
ImportReport import_schedule(ImportOptions const& options, Printer& problems);

} // namespace usher::ctl
