// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "simulation/virtual_clock.hpp"

namespace usher::simulation {

/// What the world does, and when. Two of one instant happen in the order in which they were added.
class Events {
public:
    explicit Events(VirtualClock& clock) : clock_{clock} {}

    void at(Instant when, std::function<void()> what) { events_.emplace(Place{when, ++serial_}, std::move(what)); }
    /// Something that may as well happen earlier: see hurry().
    void about(Instant when, std::function<void()> what)
    {
        movable_.insert(Place{when, serial_ + 1});
        at(when, std::move(what));
    }
    void after(Duration delay, std::function<void()> what) { at(clock_.steady_now() + delay, std::move(what)); }

    void clear()
    {
        events_.clear();
        movable_.clear();
    }

    std::optional<Instant> next() const
    {
        return events_.empty() ? std::nullopt : std::optional{events_.begin()->first.first};
    }
    /// Has the first that may come early happen now, wherever the caller is, if it would happen within `reach`.
    bool hurry(Duration reach)
    {
        if (movable_.empty() || movable_.begin()->first > clock_.steady_now() + reach)
            return false;
        const auto first = events_.extract(*movable_.begin());
        movable_.erase(movable_.begin());
        first.mapped()();
        return true;
    }
    /// Has the first of those happen whose time has come; whether there was one.
    bool happen()
    {
        if (events_.empty() || events_.begin()->first.first > clock_.steady_now())
            return false;
        const auto first = events_.extract(events_.begin());
        movable_.erase(first.key());
        first.mapped()();
        return true;
    }

private:
    using Place = std::pair<Instant, std::uint64_t>;

    VirtualClock& clock_;
    std::map<Place, std::function<void()>> events_;
    std::set<Place> movable_;
    std::uint64_t serial_ = 0;
};

} // namespace usher::simulation
