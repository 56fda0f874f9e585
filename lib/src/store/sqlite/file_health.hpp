// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include <usher/store/health.hpp>

namespace usher {

/// What any connection can tell of the database's files, in the transaction at hand. Errors: SQLite::Exception.
std::vector<HealthRow> file_health(SQLite::Database& database, std::string const& path);

} // namespace usher
