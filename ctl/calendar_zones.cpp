// SPDX-License-Identifier: Apache-2.0
#include "calendar_zones.hpp"

#include <algorithm>
#include <string_view>

namespace usher::ctl {
namespace {

seconds offset_at(sys_seconds instant, icaltimezone* zone)
{
    icaltimetype time = icaltime_from_timet_with_zone(unix_seconds(instant), 0, icaltimezone_get_utc_timezone());
    int is_daylight = 0;
    return seconds{icaltimezone_get_utc_offset_of_utc_time(zone, &time, &is_daylight)};
}

/// The values behind `FREQ=` in a component's text, whatever they are in.
bool has_frequency_other_than(std::string text, std::string_view allowed)
{
    std::ranges::transform(text, text.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    for (std::size_t at = text.find("FREQ="); at != std::string::npos; at = text.find("FREQ=", at + 1))
        if (text.compare(at + 5, allowed.size(), allowed) != 0)
            return true;
    return false;
}

/// Else libical takes it for UTC.
bool has_offsets(icalcomponent* zone)
{
    bool has_any = false;
    for (const icalcomponent_kind kind : {ICAL_XSTANDARD_COMPONENT, ICAL_XDAYLIGHT_COMPONENT})
        for (icalcomponent* part = icalcomponent_get_first_component(zone, kind); part != nullptr;
             part = icalcomponent_get_next_component(zone, kind)) {
            has_any = true;
            for (const icalproperty_kind needed :
                 {ICAL_DTSTART_PROPERTY, ICAL_TZOFFSETFROM_PROPERTY, ICAL_TZOFFSETTO_PROPERTY})
                if (icalcomponent_get_first_property(part, needed) == nullptr)
                    return false;
        }
    return has_any;
}

} // namespace

sys_seconds instant_of(WallTime time)
{
    const sys_seconds as_utc{time.time.time_since_epoch()};
    const seconds before = offset_at(as_utc - std::chrono::days{1}, time.zone);
    const seconds after = offset_at(as_utc + std::chrono::days{1}, time.zone);
    const bool exists_before = offset_at(as_utc - before, time.zone) == before;
    const bool exists_after = offset_at(as_utc - after, time.zone) == after;
    return as_utc - (exists_before || !exists_after ? before : after);
}

std::chrono::local_seconds wall_clock(sys_seconds instant, icaltimezone* zone)
{
    return std::chrono::local_seconds{instant.time_since_epoch() + offset_at(instant, zone)};
}

std::optional<std::string> CalendarZones::add(CalendarBlock const& block)
{
    // libical follows a zone's rules for centuries when it is first used.
    if (has_frequency_other_than(block.text, "YEARLY"))
        return "VTIMEZONE changes more often than once a year";
    Component zone{icalparser_parse_string(block.text.c_str())};
    if (!zone || icalcomponent_isa(zone.get()) != ICAL_VTIMEZONE_COMPONENT || !has_offsets(zone.get()))
        return "VTIMEZONE has no STANDARD or DAYLIGHT with DTSTART, TZOFFSETFROM and TZOFFSETTO";
    icalcomponent_add_component(calendar_.get(), zone.release());
    return std::nullopt;
}

icaltimezone* CalendarZones::find(std::string const& name) const
{
    if (name.empty())
        return nullptr;
    if (icaltimezone* const zone = icalcomponent_get_timezone(calendar_.get(), name.c_str()))
        return zone;
    if (name.find("..") != std::string::npos) // it would be a path
        return nullptr;
    if (icaltimezone* const zone = icaltimezone_get_builtin_timezone_from_tzid(name.c_str()))
        return zone;
    if (icaltimezone* const zone = icaltimezone_get_builtin_timezone(name.c_str()))
        return zone;
    // `/example.org/2026/Europe/Berlin`: one of all programs, behind who defined it.
    for (std::size_t slash = name.find('/'); name.front() == '/' && slash != std::string::npos;
         slash = name.find('/', slash + 1))
        if (icaltimezone* const zone = icaltimezone_get_builtin_timezone(name.c_str() + slash + 1))
            return zone;
    return nullptr;
}

} // namespace usher::ctl
