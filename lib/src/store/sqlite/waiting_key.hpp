// SPDX-License-Identifier: Apache-2.0
// The key of a copy that is put in a database's place: both count from the same instant on.
#pragma once

#include <string>

namespace usher {

/// Where the key of `file` waits, which is about to get the name of `database`: it counts from the instant at which the
/// file has that name, and not before.
std::string waiting_key(std::string const& database, std::string const& file);

/// Makes the key that waited for the file that `database` is now the one in DATABASE.key, and keeps the former one as
/// DATABASE.replaced.key. Errors: DatabaseError.
void take_waiting_key(std::string const& database);

} // namespace usher
