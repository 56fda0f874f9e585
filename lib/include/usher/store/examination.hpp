// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <usher/store/errors.hpp>

namespace usher {

/// Something that is not as it should be about a database and its files.
struct StoreFinding {
    std::string check;       ///< One of Examination::checked, or `database`.
    bool is_problem = false; ///< Else it may become one.
    std::string text;
    std::string way_out;
};

struct Examination {
    std::vector<std::string> checked; ///< What was looked at: `rights`, `disk`.
    std::vector<StoreFinding> findings;
};

/// Looks at the files as their owner and their group would use them, at the disk, and at what the database itself
/// keeps. `full`: reads all of it, however large it is. One that cannot be opened is a problem of the check `database`.
/// Errors: DatabaseBusy.
Examination examine_store(std::string const& path, bool full);

} // namespace usher
