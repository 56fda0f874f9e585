// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <usher/core/promises.hpp>
#include <usher/store/errors.hpp>

namespace usher {

/// Every breach of a promise in a database, as a reader whose clock shows `now` would see it. Errors: DatabaseError,
/// DatabaseBusy.
std::vector<Violation>
find_violations(std::string const& database, Projects const& projects, SignatureCheck const& verify, sys_seconds now);

} // namespace usher
