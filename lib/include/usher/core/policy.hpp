// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <usher/core/role.hpp>
#include <usher/core/time.hpp>

namespace usher {

/// How long before a meeting starts each role may enter.
class EarlyJoin {
public:
    constexpr explicit EarlyJoin(seconds for_all) { by_role_.fill(for_all); }

    constexpr void set(Role role, seconds early) { by_role_[index(role)] = early; }
    constexpr seconds of(Role role) const { return by_role_[index(role)]; }
    constexpr seconds longest() const { return *std::max_element(by_role_.begin(), by_role_.end()); }

    friend bool operator==(EarlyJoin const&, EarlyJoin const&) = default;

private:
    static constexpr std::size_t index(Role role) { return static_cast<std::size_t>(role) - 1; }

    std::array<seconds, 4> by_role_{};
};

/// How far ahead sessions and tokens are made and how long they live, for one project. Values are checked where they
/// are parsed (config/), so arithmetic on them cannot overflow or loop.
struct Policy {
    seconds session_lead{24 * 3600};        ///< A session exists this long before `opens`.
    seconds token_lead{3600};               ///< Tokens are published this long before `opens`.
    EarlyJoin early_join{seconds{15 * 60}}; ///< A role's door opens this long before the meeting starts.
    bool visible_at_opens = false;          ///< A credential is not shown before its holder's own door.
    seconds grace{15 * 60};                 ///< `closes` is this long after it ends.
    seconds clock_skew{10};            ///< Tokens are dated back by this, since the vendor refuses one from the future.
    seconds max_token_life{24 * 3600}; ///< Longest life of a token, under 30 days.
    seconds rotation_margin{8 * 3600}; ///< A token is replaced before less than this is left.
    seconds retention{30 * 24 * 3600}; ///< What ended or is gone is kept this long.

    // The vendor cannot revoke a token. What can be done instead, none of it by default:
    bool replace_on_removal = false;   ///< Before `opens`, whoever is removed holds a token for an empty room.
    bool disconnect_on_cancel = false; ///< Whoever is in a meeting that is cancelled or deleted is thrown out, once.
    bool disconnect_at_close = false;  ///< Whoever is still there when it closes, likewise.

    friend bool operator==(Policy const&, Policy const&) = default;
};

/// A stable hash (FNV-1a), the same on every machine and in every release: stored in tables, and used for spreads.
std::uint64_t stable_hash(std::string_view bytes, std::uint64_t seed = 0xcbf29ce484222325U);

/// Between zero and `range`, inclusive; a pure function of its arguments, so the same after a restart.
seconds spread(std::string_view id, std::uint64_t salt, seconds range);

} // namespace usher
