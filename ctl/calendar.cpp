// SPDX-License-Identifier: Apache-2.0
#include "calendar.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <tuple>
#include <utility>

#include <libical/ical.h>

#include <usher/core/printable.hpp>
#include <usher/core/utf8.hpp>

#include "calendar_text.hpp"
#include "calendar_zones.hpp"
#include "recurrence.hpp"

namespace usher::ctl {
namespace {

using std::chrono::days;

constexpr std::size_t title_bytes_max = 64 * 1024; // as of a field in a CSV file
constexpr std::size_t zones_max = 1000;
constexpr std::size_t dates_max = 20'000;
constexpr std::ptrdiff_t dates_in_line_max = 500; // libical reads no more
constexpr seconds kept_when_over = std::chrono::hours{24};

/// What makes one event unusable.
struct BadEvent {
    std::string reason;
};

template <class Visit>
void each_property(icalcomponent* component, icalproperty_kind kind, Visit visit)
{
    for (icalproperty* property = icalcomponent_get_first_property(component, kind); property != nullptr;
         property = icalcomponent_get_next_property(component, kind))
        visit(property);
}

std::string text_or_empty(char const* text)
{
    return text != nullptr ? text : "";
}

/// What the events of one VCALENDAR share.
struct Source {
    CalendarZones zones;
    icaltimezone* zone = nullptr; ///< Of times without one; nullptr if X-WR-TIMEZONE is none.
    std::string zone_name;        ///< Printable.
    bool cancels = false;
};

struct Person {
    std::string name;
    std::string role;
};

/// An event as it is written.
struct Event {
    std::size_t line = 0;
    std::string uid;
    int sequence = 0;
    std::string stamp; ///< `20260302T090000Z`: which of two with the same sequence is newer.
    bool is_cancelled = false;
    std::optional<WallTime> replaces; ///< Its RECURRENCE-ID.
    icaltimezone* zone = nullptr;     ///< Of a day that names no zone.

    // What follows is not read of one that is cancelled.
    std::optional<WallTime> starts;
    days whole_days{}; ///< By the clock on the wall, and then
    seconds length{};  ///< so long.
    std::string title;
    std::vector<RecurrenceRule> rules;
    std::vector<WallTime> more_dates;
    std::vector<WallTime> exceptions;
    std::map<std::string, Person> people;
    std::vector<CalendarProblem> unusable_people;

    bool recurs() const { return !rules.empty() || !more_dates.empty(); }

    /// With the same UID.
    bool is_newer_than(Event const& other) const
    {
        return std::tie(sequence, stamp) > std::tie(other.sequence, other.stamp);
    }

    sys_seconds end_of(WallTime occurrence) const
    {
        occurrence.time += whole_days;
        return instant_of(occurrence) + length;
    }
};

/// `20260302T090000Z`, or `20260302` of a whole day: which occurrence of its series it is, however it is moved.
std::string occurrence_name(WallTime time)
{
    const sys_seconds instant = time.is_date ? sys_seconds{time.time.time_since_epoch()} : instant_of(time);
    std::string iso = to_iso8601(instant);
    std::erase_if(iso, [](char c) { return c == '-' || c == ':'; });
    return time.is_date ? iso.substr(0, 8) : iso;
}

/// Of an occurrence's id, behind its `#`; of a whole day its begin in UTC.
std::optional<sys_seconds> instant_of_name(std::string_view name)
{
    constexpr std::string_view day_pattern = "dddddddd";
    constexpr std::string_view time_pattern = "ddddddddTddddddZ";
    if (name.size() != day_pattern.size() && name.size() != time_pattern.size())
        return std::nullopt;
    for (std::size_t i = 0; i < name.size(); ++i)
        if (time_pattern[i] == 'd' ? name[i] < '0' || name[i] > '9' : name[i] != time_pattern[i])
            return std::nullopt;
    const std::string time{name.size() == day_pattern.size() ? "000000" : name.substr(9, 6)};
    const std::string iso = std::string{name.substr(0, 4)} + "-" + std::string{name.substr(4, 2)} + "-" +
                            std::string{name.substr(6, 2)} + "T" + time.substr(0, 2) + ":" + time.substr(2, 2) + ":" +
                            time.substr(4, 2) + "Z";
    const auto instant = parse_iso8601(iso);
    return instant ? std::optional{*instant} : std::nullopt;
}

/// Reads one event.
class EventReader {
public:
    EventReader(Source const& source, CalendarBlock const& block) : source_{source}, block_{block}
    {
        event_.line = block.line;
        event_.zone = source.zone != nullptr ? source.zone : icaltimezone_get_utc_timezone();
    }

    Event read()
    {
        check_lines();
        component_.reset(icalparser_parse_string(block_.text.c_str()));
        if (!component_ || icalcomponent_isa(component_.get()) != ICAL_VEVENT_COMPONENT)
            throw BadEvent{"is no VEVENT"};
        read_identity();
        check_properties();
        if (event_.is_cancelled)
            read_zone();
        else
            read_times();
        if (icalproperty* const property = first(ICAL_RECURRENCEID_PROPERTY)) {
            if (icalproperty_get_first_parameter(property, ICAL_RANGE_PARAMETER) != nullptr)
                throw BadEvent{"RECURRENCE-ID: RANGE is not read; write the series anew from there on"};
            event_.replaces = in_zone(property, icalproperty_get_recurrenceid(property));
        }
        if (event_.is_cancelled)
            return std::move(event_);
        read_recurrence();
        read_title();
        read_people();
        return std::move(event_);
    }

    bool is_without_zone() const { return is_without_zone_; }

private:
    icalproperty* first(icalproperty_kind kind) const
    {
        return icalcomponent_get_first_property(component_.get(), kind);
    }

    /// What libical would pass over, or read as something else.
    void check_lines() const
    {
        std::map<std::string, int> counts;
        for (const std::string_view line : block_.properties()) {
            const std::string name = property_name(line);
            ++counts[name];
            if (name == "ATTENDEE" || name == "ORGANIZER") // cost only the person
                continue;
            const bool is_read = std::ranges::find(read_properties, name) != std::end(read_properties);
            if (is_read && !is_utf8(line))
                throw BadEvent{name + ": is not UTF-8; export the calendar as UTF-8"};
            if (is_read && !parse_content_line(line))
                throw BadEvent{name + ": its parameters cannot be read; look for a stray quotation mark"};
            if ((name == "RDATE" || name == "EXDATE") && std::count(line.begin(), line.end(), ',') >= dates_in_line_max)
                throw BadEvent{
                    name + ": has more than " + std::to_string(dates_in_line_max) +
                    " dates in one line; write several lines"};
        }
        for (const std::string name : {"UID", "DTSTART", "DTEND", "DURATION", "RECURRENCE-ID"})
            if (counts[name] > 1)
                throw BadEvent{name + ": is there more than once"};
        if (counts["DTEND"] > 0 && counts["DURATION"] > 0)
            throw BadEvent{"DTEND: is there, and DURATION, too"};
    }

    void read_identity()
    {
        event_.uid = text_or_empty(icalcomponent_get_uid(component_.get()));
        if (event_.uid.empty())
            throw BadEvent{"UID: is not there"};
        if (printable(event_.uid, event_.uid.size()) != event_.uid || event_.uid.starts_with(' ') ||
            event_.uid.ends_with(' '))
            throw BadEvent{
                "UID: " + in_quotes(event_.uid) + ": has a character that cannot be seen, and would be another id"};
        if (icalproperty* const property = first(ICAL_SEQUENCE_PROPERTY))
            event_.sequence = icalproperty_get_sequence(property);
        if (icalproperty* const property = first(ICAL_DTSTAMP_PROPERTY))
            event_.stamp = text_or_empty(icalproperty_get_value_as_string(property));
        event_.is_cancelled = source_.cancels;
        each_property(component_.get(), ICAL_STATUS_PROPERTY, [&](icalproperty* property) {
            event_.is_cancelled = event_.is_cancelled || icalproperty_get_status(property) == ICAL_STATUS_CANCELLED;
        });
    }

    void check_properties() const
    {
        each_property(component_.get(), ICAL_XLICERROR_PROPERTY, [&](icalproperty* property) {
            const std::string error = text_or_empty(icalproperty_get_xlicerror(property));
            for (const std::string needed :
                 {"DTSTART", "DTEND", "DURATION", "RDATE", "EXDATE", "RECURRENCE-ID", "UID", "STATUS"})
                if (error.find(" " + needed + " property") != std::string::npos &&
                    (!event_.is_cancelled || needed == "RECURRENCE-ID"))
                    throw BadEvent{needed + ": " + printable(error, 200)};
        });
        if (first(ICAL_EXRULE_PROPERTY) != nullptr && !event_.is_cancelled)
            throw BadEvent{"EXRULE: is of an older format, and not read"};
    }

    /// The time of a property in its zone.
    WallTime in_zone(icalproperty* property, icaltimetype time)
    {
        const std::string name = printable(text_or_empty(icalproperty_get_property_name(property)), 64);
        const bool is_time = time.year > 0 && time.year < 10'000 && time.month >= 1 && time.month <= 12 &&
                             time.day >= 1 && time.day <= icaltime_days_in_month(time.month, time.year) &&
                             time.hour >= 0 && time.hour < 24 && time.minute >= 0 && time.minute < 60 &&
                             time.second >= 0 && time.second <= 60;
        if (!is_time)
            throw BadEvent{name + ": is no time"};
        using namespace std::chrono;
        const local_days day = local_days{year{time.year} / time.month / time.day};
        WallTime result{day, nullptr, time.is_date != 0};
        if (!result.is_date)
            result.time += hours{time.hour} + minutes{time.minute} + seconds{time.second};
        if (icaltime_is_utc(time) != 0) {
            result.zone = icaltimezone_get_utc_timezone();
        } else if (icalparameter* const tzid = icalproperty_get_first_parameter(property, ICAL_TZID_PARAMETER)) {
            const std::string zone_name = text_or_empty(icalparameter_get_tzid(tzid));
            result.zone = source_.zones.find(zone_name);
            if (result.zone == nullptr)
                throw BadEvent{
                    name + ": TZID " + printable(zone_name, 64) +
                    " is neither in the file nor one of this system's zones"};
        } else if (result.is_date && (event_.is_cancelled || (event_.starts && !event_.starts->is_date))) {
            result.zone = event_.zone;
        } else {
            is_without_zone_ = true;
            result.zone = source_.zone;
            if (result.zone == nullptr)
                throw BadEvent{
                    name + ": has no zone, and X-WR-TIMEZONE " + source_.zone_name +
                    " is neither in the file nor one of this system's zones"};
        }
        return result;
    }

    /// Of a cancellation, whose times matter no more.
    void read_zone()
    {
        icalproperty* const start = first(ICAL_DTSTART_PROPERTY);
        if (start == nullptr)
            return;
        if (icalparameter* const tzid = icalproperty_get_first_parameter(start, ICAL_TZID_PARAMETER))
            if (icaltimezone* const zone = source_.zones.find(text_or_empty(icalparameter_get_tzid(tzid))))
                event_.zone = zone;
    }

    void read_times()
    {
        icalproperty* const start = first(ICAL_DTSTART_PROPERTY);
        if (start == nullptr)
            throw BadEvent{"DTSTART: is not there"};
        event_.starts = in_zone(start, icalproperty_get_dtstart(start));
        event_.zone = event_.starts->zone;
        if (icalproperty* const end = first(ICAL_DTEND_PROPERTY)) {
            const WallTime ends = in_zone(end, icalproperty_get_dtend(end));
            if (event_.starts->is_date && ends.is_date)
                event_.whole_days = floor<days>(ends.time - event_.starts->time);
            else
                event_.length = instant_of(ends) - instant_of(*event_.starts);
        } else if (icalproperty* const property = first(ICAL_DURATION_PROPERTY)) {
            icaldurationtype duration = icalproperty_get_duration(property);
            const int sign = duration.is_neg != 0 ? -1 : 1;
            event_.whole_days = days{sign * static_cast<int>(duration.weeks * 7 + duration.days)};
            duration.weeks = 0;
            duration.days = 0;
            event_.length = seconds{icaldurationtype_as_int(duration)};
        } else if (event_.starts->is_date) {
            event_.whole_days = days{1};
        } else {
            throw BadEvent{"DTEND: is not there, nor DURATION"};
        }
        if (event_.end_of(*event_.starts) <= instant_of(*event_.starts))
            throw BadEvent{"DTEND: is not after the start, " + to_iso8601(instant_of(*event_.starts))};
    }

    void read_recurrence()
    {
        for (const std::string_view line : block_.properties()) {
            if (property_name(line) != "RRULE")
                continue;
            const auto property = parse_content_line(line);
            const auto rule = parse_recurrence(property ? property->value : std::string{});
            if (!rule)
                throw BadEvent{"RRULE: " + rule.error()};
            if (rule->frequency == RecurrenceRule::Frequency::hourly && event_.starts->is_date)
                throw BadEvent{"RRULE: whole days do not recur each hour"};
            event_.rules.push_back(*rule);
        }
        each_property(component_.get(), ICAL_RDATE_PROPERTY, [&](icalproperty* property) {
            const icaldatetimeperiodtype date = icalproperty_get_rdate(property);
            if (icaltime_is_null_time(date.time) != 0)
                throw BadEvent{"RDATE: VALUE=PERIOD is not read; write an event of its own for each"};
            event_.more_dates.push_back(in_zone(property, date.time));
            if (event_.more_dates.back().is_date != event_.starts->is_date)
                throw BadEvent{"RDATE: is a whole day and DTSTART is none, or the other way round"};
            if (event_.more_dates.size() > dates_max)
                throw BadEvent{"RDATE: there are more than " + std::to_string(dates_max)};
        });
        each_property(component_.get(), ICAL_EXDATE_PROPERTY, [&](icalproperty* property) {
            event_.exceptions.push_back(in_zone(property, icalproperty_get_exdate(property)));
        });
    }

    void read_title()
    {
        event_.title = text_or_empty(icalcomponent_get_summary(component_.get()));
        if (event_.title.size() > title_bytes_max)
            throw BadEvent{"SUMMARY: has more than " + std::to_string(title_bytes_max) + " bytes"};
    }

    void read_people()
    {
        for (const std::string_view line : block_.properties()) {
            const std::string name = property_name(line);
            if (name != "ATTENDEE" && name != "ORGANIZER")
                continue;
            const auto refuse = [&](std::string const& what, std::string const& reason) {
                event_.unusable_people.push_back(
                    {event_.line, name + ": " + in_quotes(what) + ": " + reason + "; the person is left out"}
                );
            };
            const std::string written{line.substr(std::min(line.size(), name.size() + 1))};
            if (!is_utf8(line)) {
                refuse(written, "is not UTF-8");
                continue;
            }
            const auto property = parse_content_line(line);
            if (!property) {
                refuse(written, "has a stray quotation mark");
                continue;
            }
            std::string id = property->value;
            if (begins_with(id, "mailto:"))
                id.erase(0, 7);
            if (id.empty() || printable(id, id.size()) != id || id.starts_with(' ') || id.ends_with(' ') ||
                id.find_first_of("\"<>") != std::string::npos || begins_with(id, "invalid:"))
                refuse(id, "is no address");
            else
                add_person(id, *property);
        }
    }

    /// `scheme`, in small letters.
    static bool begins_with(std::string_view id, std::string_view scheme)
    {
        return id.size() >= scheme.size() && std::ranges::equal(id.substr(0, scheme.size()), scheme, {}, [](char c) {
                   return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
               });
    }

    void add_person(std::string const& id, ContentLine const& property)
    {
        const auto parameter = [&](char const* key) {
            const auto found = property.parameters.find(key);
            return found != property.parameters.end() ? found->second : std::string{};
        };
        const std::string role = property_name(parameter("ROLE") + ":");
        Person& person = event_.people[id];
        if (person.role != "moderator")
            person.role = property.name == "ORGANIZER" || role == "CHAIR" ? "moderator"
                          : role == "NON-PARTICIPANT"                     ? "subscriber"
                                                                          : "publisher";
        if (const std::string name = parameter("CN"); !name.empty())
            person.name = name;
    }

    static constexpr std::string_view read_properties[] = {"UID",           "DTSTART", "DTEND",    "DURATION",
                                                           "RRULE",         "RDATE",   "EXDATE",   "EXRULE",
                                                           "RECURRENCE-ID", "STATUS",  "SEQUENCE", "SUMMARY"};

    Source const& source_;
    CalendarBlock const& block_;
    Component component_;
    Event event_;
    bool is_without_zone_ = false;
};

/// The events with one UID.
struct Group {
    std::optional<Event> whole;             ///< A single event, or a series.
    std::map<std::string, Event> overrides; ///< By the names of their occurrences.
};

struct Occurrence {
    WallTime time;
    bool is_excluded = false;
};
using Occurrences = std::map<sys_seconds, Occurrence>;

class Reader {
public:
    Reader(CalendarWindow window, CalendarLimits limits)
        : window_{window}, from_{window.now - kept_when_over}, limits_{limits}
    {
        icalerror_set_errors_are_fatal(0);
    }

    Calendar read(CalendarText const& text, FindKnown const& find_known)
    {
        calendar_.problems = text.problems;
        for (CalendarPart const& part : text.parts)
            read_part(part);
        if (!order_.empty())
            known_ = find_known(Uids{order_.begin(), order_.end()});
        for (std::string const& uid : order_)
            add_group(groups_.at(uid));
        std::ranges::stable_sort(calendar_.problems, {}, &CalendarProblem::line);
        std::ranges::stable_sort(calendar_.notes, {}, &CalendarProblem::line);
        return std::move(calendar_);
    }

private:
    using SteadyClock = std::chrono::steady_clock;

    template <class Work>
    bool attempt(std::size_t line, Work work)
    {
        try {
            work();
            return true;
        } catch (BadEvent const& bad) {
            calendar_.problems.push_back({line, bad.reason});
            return false;
        }
    }

    void read_part(CalendarPart const& part)
    {
        // The others are answers and proposals of people who are invited.
        if (!part.method.empty() && part.method != "PUBLISH" && part.method != "REQUEST" && part.method != "CANCEL") {
            calendar_.problems.push_back(
                {part.line, "METHOD: " + printable(part.method, 64) +
                                ": is not read; PUBLISH, REQUEST and CANCEL are the organizer's word"}
            );
            return;
        }
        Source& source = *sources_.emplace_back(std::make_unique<Source>());
        source.cancels = part.method == "CANCEL";
        std::size_t zones = 0;
        for (CalendarBlock const& block : part.blocks)
            if (block.kind == "VTIMEZONE" && ++zones <= zones_max)
                if (auto problem = source.zones.add(block))
                    calendar_.problems.push_back({block.line, std::move(*problem)});
        source.zone = part.zone_name.empty() ? icaltimezone_get_utc_timezone() : source.zones.find(part.zone_name);
        source.zone_name = part.zone_name.empty() ? "UTC" : printable(part.zone_name, 64);
        for (CalendarBlock const& block : part.blocks)
            if (block.kind == "VEVENT")
                attempt(block.line, [&] { read_event(source, block); });
    }

    void read_event(Source const& source, CalendarBlock const& block)
    {
        EventReader reader{source, block};
        Event event = reader.read();
        if (reader.is_without_zone())
            ++calendar_.without_zone[source.zone_name];
        const auto [found, is_new] = groups_.try_emplace(event.uid);
        if (is_new)
            order_.push_back(event.uid);
        Group& group = found->second;
        if (event.replaces) {
            const std::string name = occurrence_name(*event.replaces);
            const auto [other, is_first] = group.overrides.try_emplace(name, event);
            if (!is_first)
                take_newer(
                    other->second, std::move(event), "RECURRENCE-ID: there is another event for this occurrence"
                );
        } else if (group.whole) {
            take_newer(*group.whole, std::move(event), "UID: there is another event with this UID");
        } else {
            group.whole = std::move(event);
        }
    }

    /// Of two versions of an event.
    void take_newer(Event& place, Event event, std::string const& complaint)
    {
        if (!event.is_newer_than(place) && !place.is_newer_than(event))
            throw BadEvent{complaint + ", that of line " + std::to_string(place.line)};
        if (event.is_newer_than(place))
            std::swap(place, event);
        calendar_.notes.push_back(
            {event.line,
             "UID: " + printable(event.uid, 64) + ": line " + std::to_string(place.line) + " has a newer version"}
        );
    }

    void add_group(Group const& group)
    {
        if (group.whole && group.whole->is_cancelled)
            return cancel_all(*group.whole);
        Occurrences occurrences;
        const bool has_occurrences =
            group.whole && attempt(group.whole->line, [&] { occurrences = occurrences_of(group); });
        std::set<std::string> replaced;
        for (auto const& entry : group.overrides) {
            Event const& event = entry.second;
            attempt(event.line, [&] {
                const std::string id = id_of_override(event, has_occurrences ? &occurrences : nullptr);
                if (!replaced.insert(id).second)
                    throw BadEvent{"RECURRENCE-ID: there is another event for this occurrence"};
                if (event.is_cancelled)
                    cancel(id, event.line);
                else
                    add_meeting(event, id, *event.starts);
            });
        }
        if (!has_occurrences)
            return;
        attempt(group.whole->line, [&] {
            for (auto const& [instant, occurrence] : occurrences) {
                const std::string id = id_of(*group.whole, occurrence.time);
                if (!occurrence.is_excluded && !replaced.contains(id) && is_wanted(*group.whole, occurrence.time))
                    add_meeting(*group.whole, group.whole->recurs() ? id : group.whole->uid, occurrence.time);
            }
        });
    }

    static std::string id_of(Event const& event, WallTime occurrence)
    {
        return event.uid + "#" + occurrence_name(occurrence);
    }

    /// The meetings of the database that are of this event, and of no other of the file.
    template <class Visit>
    void each_known(std::string const& uid, Visit visit) const
    {
        if (const auto single = known_.find(uid); single != known_.end())
            visit(single->first, single->second);
        const std::string begin = uid + "#";
        for (auto known = known_.lower_bound(begin); known != known_.end() && known->first.starts_with(begin); ++known)
            if (uid_of_occurrence(known->first) == uid && !groups_.contains(known->first))
                visit(known->first, known->second);
    }

    void cancel_all(Event const& event)
    {
        each_known(event.uid, [&](std::string const& id, KnownMeeting const&) { cancel(id, event.line); });
    }

    /// A meeting that is not there needs no cancelling.
    void cancel(std::string const& id, std::size_t line)
    {
        const auto known = known_.find(id);
        if (known == known_.end())
            return;
        calendar_.kept.insert(id);
        if (!known->second.is_scheduled || !known->second.ends || *known->second.ends <= window_.now)
            return;
        CalendarRow<Meetings> row{{}, line};
        row.values[0] = id;
        row.values[Meetings::status] = std::string{"cancelled"};
        calendar_.meetings.push_back(std::move(row));
    }

    bool is_in_window(Event const& event, WallTime occurrence) const
    {
        return instant_of(occurrence) < window_.until && event.end_of(occurrence) > from_;
    }

    bool is_wanted(Event const& event, WallTime occurrence) const
    {
        return !event.recurs() || is_in_window(event, occurrence) || known_.contains(id_of(event, occurrence));
    }

    /// How far a series is followed: to what is known of it, or named by another event.
    sys_seconds horizon_of(Group const& group) const
    {
        sys_seconds horizon = window_.until;
        each_known(group.whole->uid, [&](std::string const& id, KnownMeeting const&) {
            if (const auto instant = instant_of_name(id.substr(std::min(id.size(), group.whole->uid.size() + 1))))
                horizon = std::max(horizon, *instant + days{2});
        });
        for (auto const& [name, event] : group.overrides)
            horizon = std::max(horizon, instant_of(*event.replaces) + days{2});
        return horizon;
    }

    /// Those that are in the window, known, or named by another event.
    Occurrences occurrences_of(Group const& group)
    {
        Event const& event = *group.whole;
        const sys_seconds horizon = horizon_of(group);
        const bool is_date = event.starts->is_date;
        std::set<sys_seconds> named;
        std::set<local_days> named_days;
        for (auto const& [name, other] : group.overrides) {
            named.insert(instant_of(*other.replaces));
            if (other.replaces->is_date)
                named_days.insert(floor<days>(other.replaces->time));
        }
        std::map<sys_seconds, bool> excluded; // and whether an occurrence is
        std::map<local_days, bool> excluded_days;
        for (const WallTime exception : event.exceptions)
            if (exception.is_date && !is_date)
                excluded_days.emplace(floor<days>(exception.time), false);
            else
                excluded.emplace(instant_of(exception), false);

        Occurrences occurrences;
        const auto consider = [&](local_seconds time) {
            const WallTime occurrence{time, event.starts->zone, is_date};
            const sys_seconds instant = instant_of(occurrence);
            const local_days day = floor<days>(time);
            const auto exception = excluded.find(instant);
            const auto day_exception = excluded_days.find(day);
            bool is_excluded = false;
            if (exception != excluded.end())
                is_excluded = exception->second = true;
            if (day_exception != excluded_days.end())
                is_excluded = day_exception->second = true;
            if (!named.contains(instant) && !named_days.contains(day)) {
                if (is_excluded)
                    return;
                if (!is_wanted(event, occurrence)) {
                    const bool is_over = event.end_of(occurrence) <= from_;
                    if (is_over || time == event.starts->time)
                        ++calendar_.passed_over;
                    return;
                }
            }
            occurrences.emplace(instant, Occurrence{occurrence, is_excluded});
            if (occurrences.size() > limits_.occurrences)
                throw BadEvent{
                    "RRULE: has more than " + std::to_string(limits_.occurrences) + " occurrences before --until"};
        };
        consider(event.starts->time);
        for (RecurrenceRule const& rule : event.rules)
            follow(rule, event, horizon, consider);
        for (const WallTime date : event.more_dates)
            if (instant_of(date) < horizon)
                consider(wall_clock(instant_of(date), event.starts->zone));
        note_vain_exceptions(event, horizon, excluded, excluded_days);
        return occurrences;
    }

    template <class Consider>
    void follow(RecurrenceRule const& rule, Event const& event, sys_seconds horizon, Consider const& consider)
    {
        const auto began = SteadyClock::now();
        const auto check_time = [&] {
            if (spent_ + (SteadyClock::now() - began) > limits_.time)
                throw BadEvent{"RRULE: the rules of this file take too long"};
        };
        check_time();
        const WallTime start = *event.starts;
        std::size_t count = 0;
        const local_seconds end = wall_clock(horizon, start.zone) + days{1};
        each_recurrence(rule, start.time, start.is_date, end, [&](local_seconds time) {
            if (++count % 1024 == 0)
                check_time();
            if (time == start.time)
                return true;
            const sys_seconds instant = instant_of({time, start.zone, start.is_date});
            if (rule.until) {
                const local_seconds last = rule.until->time;
                const bool is_behind = rule.until->is_utc    ? instant > sys_seconds{last.time_since_epoch()}
                                       : rule.until->is_date ? floor<days>(time) > floor<days>(last)
                                                             : time > last;
                if (is_behind) // a time that the clocks skip may be followed by an earlier one
                    return time < last + days{2};
            }
            if (instant < horizon)
                consider(time);
            return true;
        });
        spent_ += SteadyClock::now() - began;
    }

    void note_vain_exceptions(
        Event const& event, sys_seconds horizon, std::map<sys_seconds, bool> const& excluded,
        std::map<local_days, bool> const& excluded_days
    )
    {
        if (!event.recurs())
            return;
        const auto tell = [&](std::string const& what) {
            calendar_.notes.push_back(
                {event.line, "EXDATE: " + what + ": no occurrence begins then; all stay as they are"}
            );
        };
        for (auto const& [instant, is_found] : excluded)
            if (!is_found && instant >= from_ && instant < horizon)
                tell(to_iso8601(instant));
        for (auto const& [day, is_found] : excluded_days) {
            const sys_seconds instant = instant_of({day, event.starts->zone});
            if (!is_found && instant + days{1} > from_ && instant < horizon)
                tell(to_iso8601(sys_seconds{day.time_since_epoch()}).substr(0, 10));
        }
    }

    /// `occurrences`: of its series; nullptr when the file does not have it, so that the database tells.
    std::string id_of_override(Event const& event, Occurrences const* occurrences)
    {
        const WallTime replaced = *event.replaces;
        const std::string id = id_of(event, replaced);
        const local_days day = floor<days>(replaced.time);
        std::vector<std::string> of_the_day;
        bool has_series = occurrences != nullptr;
        if (occurrences != nullptr) {
            if (const auto found = occurrences->find(instant_of(replaced)); found != occurrences->end())
                return id_of(event, found->second.time);
            for (auto const& [instant, occurrence] : *occurrences)
                if (floor<days>(occurrence.time.time) == day)
                    of_the_day.push_back(id_of(event, occurrence.time));
        } else {
            if (known_.contains(id))
                return id;
            each_known(event.uid, [&](std::string const& known, KnownMeeting const&) {
                has_series = true;
                const auto instant = instant_of_name(known.substr(std::min(known.size(), event.uid.size() + 1)));
                if (instant && floor<days>(wall_clock(*instant, event.zone)) == day)
                    of_the_day.push_back(known);
            });
        }
        const bool names_a_day = replaced.is_date && (!event.starts || !event.starts->is_date);
        if (names_a_day && of_the_day.size() == 1)
            return of_the_day.front();
        if (names_a_day && of_the_day.size() > 1)
            throw BadEvent{"RECURRENCE-ID: is a day with several occurrences; name one with its time"};
        if (has_series && (!event.is_cancelled || instant_of(replaced) >= from_))
            calendar_.notes.push_back(
                {event.line, "RECURRENCE-ID: " + occurrence_name(replaced) +
                                 ": no occurrence of the series begins then" +
                                 (event.is_cancelled ? "; nothing is cancelled" : "; the event is one more")}
            );
        return id;
    }

    /// What is over, or begins too late, follows the file only if it is in the database.
    void add_meeting(Event const& event, std::string const& id, WallTime starts)
    {
        const sys_seconds begins = instant_of(starts);
        const sys_seconds ends = event.end_of(starts);
        const auto known = known_.find(id);
        if (known == known_.end() && !is_in_window(event, starts)) {
            ++calendar_.passed_over;
            return;
        }
        if (ends <= from_ && known->second.ends && *known->second.ends <= from_) {
            calendar_.kept.insert(id);
            return;
        }
        CalendarRow<Meetings> row{{}, event.line};
        row.values[0] = id;
        if (!event.title.empty())
            row.values[1] = event.title;
        row.values[Meetings::starts_at] = unix_seconds(begins);
        row.values[Meetings::ends_at] = unix_seconds(ends);
        row.values[Meetings::status] = std::string{"scheduled"};
        if (calendar_.meetings.size() == limits_.meetings)
            throw BadEvent{"there are more than " + std::to_string(limits_.meetings) + " meetings before --until"};
        if (calendar_.participants.size() + event.people.size() > limits_.participants)
            throw BadEvent{"there are more than " + std::to_string(limits_.participants) + " people before --until"};
        calendar_.meetings.push_back(std::move(row));
        add_people(event, id);
    }

    void add_people(Event const& event, std::string const& meeting)
    {
        if (told_.insert(event.line).second)
            calendar_.problems.insert(
                calendar_.problems.end(), event.unusable_people.begin(), event.unusable_people.end()
            );
        for (auto const& [id, person] : event.people) {
            CalendarRow<Participants> row{{}, event.line};
            row.values[0] = meeting;
            row.values[1] = id;
            if (!person.name.empty())
                row.values[2] = person.name;
            row.values[3] = person.role;
            calendar_.participants.push_back(std::move(row));
        }
    }

    CalendarWindow window_;
    sys_seconds from_; ///< What ended before is over.
    CalendarLimits limits_;
    std::vector<std::unique_ptr<Source>> sources_;
    std::map<std::string, Group, std::less<>> groups_; ///< By UID.
    std::vector<std::string> order_;                   ///< UIDs as they come in the file.
    KnownMeetings known_;
    std::set<std::size_t> told_; ///< Lines of events whose unusable people are told.
    SteadyClock::duration spent_{};
    Calendar calendar_;
};

} // namespace

std::optional<std::string_view> uid_of_occurrence(std::string_view id)
{
    const std::size_t mark = id.rfind('#');
    if (mark == std::string_view::npos || !instant_of_name(id.substr(mark + 1)))
        return std::nullopt;
    return id.substr(0, mark);
}

tl::expected<Calendar, FileError> read_calendar(
    std::istream& in, std::string const& name, CalendarWindow window, FindKnown const& find_known, CalendarLimits limits
)
{
    std::string text(limits.file_bytes + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (in.bad())
        return tl::unexpected{FileError{name + ": cannot be read. Nothing was done."}};
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > limits.file_bytes)
        return tl::unexpected{FileError{
            name + ": has more than " + std::to_string(limits.file_bytes >> 20U) + " MiB. Nothing was done.",
            "export fewer calendars, or fewer years, at a time"}};
    if (text.find('\0') != std::string::npos)
        return tl::unexpected{FileError{name + ": contains a NUL character. Nothing was done."}};
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    if (text.starts_with(byte_order_mark))
        text.erase(0, byte_order_mark.size());
    const CalendarText cut = cut_calendar(text);
    if (cut.parts.empty())
        return tl::unexpected{FileError{
            name + ": is no iCalendar file: it has no BEGIN:VCALENDAR. Nothing was done.",
            "name a file that ends in .ics"}};
    text.clear();
    text.shrink_to_fit();
    return Reader{window, limits}.read(cut, find_known);
}

} // namespace usher::ctl
