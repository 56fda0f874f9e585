// SPDX-License-Identifier: Apache-2.0
// A meeting in one word, from its rows.
#pragma once

#include <string>

#include <SQLiteCpp/SQLiteCpp.h>

#include <usher/store/report.hpp>

namespace usher {

/// What is due then or later is due by nothing but an edit.
inline constexpr sys_seconds never_due = from_unix(100'000'000'000);

/// Statements whose rows StandingReader reads; ?1 is the instant of its view. `where` speaks of `a`, a row of agenda.
std::string standing_sql(std::string const& where);

/// Likewise, of meetings whose row in `agenda` is gone: usher puts it back when it next looks through all. `where`
/// speaks of `m`, a row of meeting.
std::string forgotten_sql(std::string const& where);

/// Reads one meeting after another into the same object.
class StandingReader {
public:
    explicit StandingReader(Viewpoint const& view) : view_{view} {}

    /// Valid until the next call.
    MeetingStanding const& read(SQLite::Statement& row);

private:
    void read_wanted(SQLite::Statement& row);

    Viewpoint const& view_;
    MeetingStanding standing_;
};

} // namespace usher
