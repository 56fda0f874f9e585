// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include <usher/core/time.hpp>
#include <usher/store/health.hpp>

namespace usher {

/// A -wal of this size is longer than usherd lets it become while nobody reads in it.
constexpr std::int64_t held_log_bytes = 64 << 20;
/// What operators are told of it. `age`: for how long, where that is known.
std::string held_log_text(std::int64_t bytes, std::optional<seconds> age = std::nullopt);

/// What any connection can tell of the database's files, in the transaction at hand. Errors: SQLite::Exception.
std::vector<HealthRow> file_health(SQLite::Database& database, std::string const& path);

} // namespace usher
