// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <libical/ical.h>

#include <usher/core/time.hpp>

#include "calendar_text.hpp"

namespace usher::ctl {

struct ComponentFree {
    void operator()(icalcomponent* component) const { icalcomponent_free(component); }
};
using Component = std::unique_ptr<icalcomponent, ComponentFree>;

/// What the clock on the wall shows.
struct WallTime {
    std::chrono::local_seconds time;
    icaltimezone* zone = nullptr; ///< Of CalendarZones.
    bool is_date = false;         ///< A whole day, from its first second on.
};

/// A time that the clocks show twice is the first one, and one that they skip is meant by the offset from before: RFC
/// 5545, 3.3.5.
sys_seconds instant_of(WallTime time);

std::chrono::local_seconds wall_clock(sys_seconds instant, icaltimezone* zone);

/// The zones of one VCALENDAR, and those of the system.
class CalendarZones {
public:
    CalendarZones() : calendar_{icalcomponent_new_vcalendar()} {}

    /// A VTIMEZONE. Returns what is wrong with it.
    std::optional<std::string> add(CalendarBlock const& block);
    /// nullptr when there is none.
    icaltimezone* find(std::string const& name) const;

private:
    Component calendar_;
};

} // namespace usher::ctl
