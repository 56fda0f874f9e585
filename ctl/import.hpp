// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include <usher/core/time.hpp>

#include "printer.hpp"

namespace usher::ctl {

struct ImportOptions {
    std::string meetings_path;     ///< empty: none, and the table stays as it is
    std::string participants_path; ///< likewise
    std::string database_path;
    /// Moves all meetings so that the first one begins then. Reads the meetings twice, so it takes a regular file.
    std::optional<sys_seconds> shift_start;
    bool prune = false;    ///< Delete what the files do not have; not done when a row of theirs is bad.
    bool progress = false; ///< Show progress on standard error, when that is a terminal.
};

struct ImportCounts {
    std::size_t added = 0;
    std::size_t changed = 0;
    std::size_t unchanged = 0;
    std::size_t bad = 0;
    std::size_t pruned = 0;

    friend bool operator==(ImportCounts const&, ImportCounts const&) = default;
};

/// What is in the database when the import returns.
struct ImportReport {
    ImportCounts meetings;
    ImportCounts participants;
    bool prune_skipped = false; ///< asked for, and not done because of a bad row
    std::string failure;        ///< why the import ended early, a sentence; empty when it did not

    bool has_bad_rows() const { return meetings.bad + participants.bad > 0; }
};

/// Loads a schedule into the tables `meeting` and `participant`, in transactions of about 20 ms with pauses for others
/// between them. A row that is there already is not written again. Writes a line per bad row, and what else deserves
/// mention, to `problems`.
ImportReport import_schedule(ImportOptions const& options, Printer& problems);

} // namespace usher::ctl
