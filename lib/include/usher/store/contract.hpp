// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace usher {

/// Something of usher's schema that the database lacks or has otherwise, or, on usher's own tables, something more.
struct Damage {
    std::string object;   ///< `meeting`, `meeting.status`, `join_credential`.
    std::string sentence; ///< `meeting lost e2ee_must_be_0_or_1`; one printable line without its full stop.
    std::string way_out;  ///< A command, or what to do before it.

    friend bool operator==(Damage const&, Damage const&) = default;
};

struct ContractState {
    std::vector<Damage> damages;    ///< Those of tables first, in the order of the schema.
    std::vector<std::string> notes; ///< What is legal on a platform's tables and may refuse what the contract takes.

    friend bool operator==(ContractState const&, ContractState const&) = default;
};

/// What a look at the schema found and did.
struct Inspection {
    std::vector<std::string> put_back; ///< Sentences like those of damages, which are no longer true.
    ContractState state;               ///< What remains.
    bool again = false;                ///< Something is to be put back at the next look, a minute from now.
};

struct Repair {
    std::vector<Damage> mended;
    std::int64_t rows = 0;            ///< In the tables that were mended: all of them satisfy the contract.
    std::vector<std::string> refused; ///< The first rows that do not; if there are any, nothing was done.
    std::int64_t refused_in_all = 0;
};

/// Mends everything in one transaction, for which all writers wait; `announce` is told before, if it will take long.
/// Rows, and what platforms added to their tables, are kept; what others added to usher's own tables is not.
/// Errors: DatabaseError, DatabaseBusy; with nothing done.
Repair repair_database(std::string const& path, std::function<void(std::string const&)> const& announce);

/// The default of a column of ours, if it is a literal. Does not ask the database, where anybody may have changed it.
using ContractDefault = std::variant<std::monostate, std::int64_t, std::string>;
ContractDefault contract_default(std::string_view table, std::string_view column);

} // namespace usher
