// SPDX-License-Identifier: Apache-2.0
// The hour for which usher is made: everybody's meeting begins at ten, and everything goes wrong before.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace usher::simulation {

struct FullHourOptions {
    std::uint64_t seed = 1;
    int meetings = 20'000;
    int people = 25;
};

/// All minutes are counted from the start of the week; `ten` is when the meetings begin.
struct FullHour {
    FullHourOptions options;
    int ten = 0;
    std::vector<int> booked; ///< Of each minute: how many meetings were booked,
    std::vector<int> made;   ///< got their session,
    std::vector<int> ready;  ///< and had a credential for everybody.
    std::vector<int> signed_tokens;
    std::vector<int> calls;
    std::vector<int> waiting;         ///< People at the door whose credential is not there, at the end of each minute.
    std::vector<int> waiting_at_join; ///< Likewise, if sessions and tokens were made when the first comes.
    std::vector<int> waiting_in_outage; ///< Likewise, if the vendor's outage came at that time.
    std::vector<int> live;              ///< Meetings that are on.
    std::vector<int> covered; ///< Of these, how many have good tokens if everything but the database stops at ten.
    std::int64_t not_ready_at_outage = 0; ///< Meetings without credentials when such an outage would begin.
    std::int64_t waited = 0;              ///< People.
    std::int64_t waited_at_join = 0;
    std::int64_t waited_in_outage = 0;
    std::int64_t longest_wait = 0; ///< In seconds.
    std::int64_t longest_wait_at_join = 0;
    std::int64_t longest_wait_in_outage = 0;
    std::int64_t starts = 0; ///< Of the daemon.
    std::int64_t rows_checked = 0;
    std::vector<std::string> violations;
};

FullHour run_full_hour(FullHourOptions options);

/// Four pictures under each other.
std::string to_svg(FullHour const& hour);

/// A few lines.
std::string to_text(FullHour const& hour);

} // namespace usher::simulation
