// SPDX-License-Identifier: Apache-2.0
#include "calendar.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <utility>

#include <libical/ical.h>

#include <usher/core/printable.hpp>

namespace usher::ctl {
namespace {

constexpr std::size_t block_bytes_max = 4 * 1024 * 1024; // of one event
constexpr std::size_t title_bytes_max = 64 * 1024;       // as of a field in a CSV file
constexpr std::size_t zones_max = 1000;
constexpr std::size_t exceptions_max = 20'000;
constexpr std::ptrdiff_t dates_in_line_max = 500;

struct ComponentFree {
    void operator()(icalcomponent* component) const { icalcomponent_free(component); }
};
using Component = std::unique_ptr<icalcomponent, ComponentFree>;

struct IteratorFree {
    void operator()(icalrecur_iterator* iterator) const { icalrecur_iterator_free(iterator); }
};

/// A component below VCALENDAR, as it is written.
struct Block {
    std::string kind; ///< `VEVENT`
    std::size_t line = 0;
    std::string text;
};

/// What makes one event unusable.
struct BadEvent {
    std::string reason;
};

std::string upper(std::string_view text)
{
    std::string result{text};
    for (char& c : result)
        if (c >= 'a' && c <= 'z')
            c = static_cast<char>(c - 'a' + 'A');
    return result;
}

/// Cuts a file into its components, so that one that is malformed costs no other, and each has its line.
class Blocks {
public:
    /// In the order of the file.
    std::vector<Block> all;
    std::vector<CalendarProblem> problems;
    bool is_calendar = false;
    bool cancels = false;  ///< By METHOD.
    std::string zone_name; ///< X-WR-TIMEZONE

    explicit Blocks(std::string_view text)
    {
        for (std::size_t line = 1; !text.empty(); ++line) {
            const std::size_t end = text.find('\n');
            std::string_view content = text.substr(0, end);
            text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
            if (content.ends_with('\r'))
                content.remove_suffix(1);
            take(content, line);
        }
        if (!open_.empty())
            problems.push_back({block_.line, block_.kind + " has no end"});
    }

private:
    void take(std::string_view content, std::size_t line)
    {
        const bool goes_on = content.starts_with(' ') || content.starts_with('\t');
        if (!goes_on && starts_with(content, "BEGIN:"))
            return begin(upper(content.substr(6)), content, line);
        if (!goes_on && starts_with(content, "END:"))
            return end(upper(content.substr(4)), content, line);
        if (!open_.empty())
            return add(content);
        if (starts_with(content, "METHOD:"))
            cancels = upper(content.substr(7)) == "CANCEL";
        if (starts_with(content, "X-WR-TIMEZONE:"))
            zone_name = content.substr(14);
    }

    static bool starts_with(std::string_view content, std::string_view name)
    {
        return upper(content.substr(0, name.size())) == name;
    }

    void begin(std::string const& name, std::string_view content, std::size_t line)
    {
        if (name == "VCALENDAR" || (!open_.empty() && name == "VEVENT" && block_.kind == "VEVENT")) {
            if (!open_.empty())
                problems.push_back({block_.line, block_.kind + " has no end"});
            open_.clear();
        }
        if (name == "VCALENDAR") {
            is_calendar = true;
            return;
        }
        if (open_.empty())
            block_ = {name, line, {}};
        open_.push_back(name);
        add(content);
    }

    void end(std::string const& name, std::string_view content, std::size_t line)
    {
        if (name == "VCALENDAR" && open_.empty())
            return;
        if (open_.empty() || open_.back() != name) {
            problems.push_back({line, "END of " + printable(name, 64) + ", which was not begun"});
            open_.clear();
            return;
        }
        add(content);
        open_.pop_back();
        if (!open_.empty())
            return;
        if (block_.text.size() > block_bytes_max)
            problems.push_back({block_.line, block_.kind + " has more than 4 MiB"});
        else
            all.push_back(std::exchange(block_, {}));
    }

    void add(std::string_view content)
    {
        if (block_.text.size() <= block_bytes_max)
            block_.text.append(content).append("\r\n");
    }

    std::vector<std::string> open_; ///< Names, from the outermost below VCALENDAR.
    Block block_;
};

/// A component's text, each property on one line.
std::string unfold(std::string const& text)
{
    std::string unfolded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text.compare(i, 3, "\r\n ") == 0 || text.compare(i, 3, "\r\n\t") == 0)
            i += 2;
        else
            unfolded += text[i];
    }
    return unfolded;
}

/// How many dates a property's line has; libical reads the first 500.
std::ptrdiff_t most_dates(std::string const& unfolded, std::string const& property)
{
    std::ptrdiff_t most = 0;
    for (std::size_t begin = 0; begin < unfolded.size();) {
        const std::size_t end = std::min(unfolded.find("\r\n", begin), unfolded.size());
        const std::string_view line = std::string_view{unfolded}.substr(begin, end - begin);
        const std::string_view after = line.substr(std::min(property.size(), line.size()));
        if (upper(line.substr(0, property.size())) == property && (after.starts_with(':') || after.starts_with(';')))
            most = std::max(most, 1 + std::count(line.begin(), line.end(), ','));
        begin = end + 2;
    }
    return most;
}

/// The values behind `FREQ=` in a component's text, whatever they are in.
bool has_frequency_other_than(std::string const& text, std::string_view allowed)
{
    const std::string unfolded = upper(unfold(text));
    for (std::size_t at = unfolded.find("FREQ="); at != std::string::npos; at = unfolded.find("FREQ=", at + 1))
        if (unfolded.compare(at + 5, allowed.size(), allowed) != 0)
            return true;
    return false;
}

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

/// An event as it is written, its times with their zones.
struct Event {
    Component component;
    std::size_t line = 0;
    std::string uid;
    bool cancelled = false;
    std::optional<icaltimetype> starts;
    seconds length{};
    int days = 0;                         ///< Instead of a length, of whole days.
    std::optional<icaltimetype> replaces; ///< Its RECURRENCE-ID.
};

class Reader {
public:
    Reader(CalendarWindow window, CalendarLimits limits)
        : window_{window}, limits_{limits}, calendar_{icalcomponent_new_vcalendar()}
    {
        icalerror_set_errors_are_fatal(0);
    }

    Calendar read(Blocks& blocks)
    {
        calendar_rows_.problems = std::move(blocks.problems);
        cancels_ = blocks.cancels;
        std::size_t zones = 0;
        for (Block const& block : blocks.all)
            if (block.kind == "VTIMEZONE" && ++zones <= zones_max)
                add_zone(block);
        choose_zone(blocks.zone_name);
        std::vector<Event> series;
        for (Block const& block : blocks.all) {
            if (block.kind != "VEVENT")
                continue;
            attempt(block.line, [&] {
                Event event = read_event(block);
                if (event.replaces) // comes first: it takes the place of what its series has there
                    add_override(event);
                else
                    series.push_back(std::move(event));
            });
        }
        for (Event& event : series)
            attempt(event.line, [&] { add_series(event); });
        std::ranges::stable_sort(calendar_rows_.problems, {}, &CalendarProblem::line);
        return std::move(calendar_rows_);
    }

private:
    using SteadyClock = std::chrono::steady_clock;

    template <class Work>
    void attempt(std::size_t line, Work work)
    {
        try {
            work();
        } catch (BadEvent const& bad) {
            calendar_rows_.problems.push_back({line, bad.reason});
        }
    }

    void add_zone(Block const& block)
    {
        // libical follows a zone's rules for centuries when it is first used.
        if (has_frequency_other_than(block.text, "YEARLY")) {
            calendar_rows_.problems.push_back({block.line, "VTIMEZONE changes more often than once a year"});
            return;
        }
        Component zone{icalparser_parse_string(block.text.c_str())};
        if (zone && icalcomponent_isa(zone.get()) == ICAL_VTIMEZONE_COMPONENT)
            icalcomponent_add_component(calendar_.get(), zone.release());
    }

    void choose_zone(std::string const& name)
    {
        zone_ = find_zone(name);
        calendar_rows_.zone = zone_ != nullptr ? printable(name, 64) : "UTC";
        if (zone_ == nullptr)
            zone_ = icaltimezone_get_utc_timezone();
    }

    icaltimezone* find_zone(std::string const& name)
    {
        if (name.empty())
            return nullptr;
        icaltimezone* zone = icalcomponent_get_timezone(calendar_.get(), name.c_str());
        if (zone == nullptr)
            zone = icaltimezone_get_builtin_timezone_from_tzid(name.c_str());
        return zone != nullptr ? zone : icaltimezone_get_builtin_timezone(name.c_str());
    }

    /// The time of a property in its zone.
    icaltimetype in_zone(icalproperty* property, icaltimetype time)
    {
        const bool is_time = time.year > 0 && time.year < 10'000 && time.month >= 1 && time.month <= 12 &&
                             time.day >= 1 && time.day <= icaltime_days_in_month(time.month, time.year) &&
                             time.hour >= 0 && time.hour < 24 && time.minute >= 0 && time.minute < 60 &&
                             time.second >= 0 && time.second <= 60;
        if (!is_time)
            throw BadEvent{printable(icalproperty_get_property_name(property), 64) + ": is no time"};
        if (icaltime_is_utc(time) != 0)
            return time;
        if (icalparameter* const parameter = icalproperty_get_first_parameter(property, ICAL_TZID_PARAMETER)) {
            const std::string name = text_or_empty(icalparameter_get_tzid(parameter));
            icaltimezone* const zone = find_zone(name);
            if (zone == nullptr)
                throw BadEvent{
                    printable(icalproperty_get_property_name(property), 64) + ": TZID " + printable(name, 64) +
                    " is neither in the file nor one of this system's zones"};
            return icaltime_set_timezone(&time, zone);
        }
        is_without_zone_ = true;
        return icaltime_set_timezone(&time, zone_);
    }

    sys_seconds instant_of(icaltimetype time) const
    {
        auto const* const zone = time.zone != nullptr ? time.zone : zone_;
        if (time.is_date != 0) { // from its first second on
            time.is_date = 0;
            time.hour = 0;
            time.minute = 0;
            time.second = 0;
        }
        const time_t instant = icaltime_as_timet_with_zone(time, zone);
        // A time that the clocks skip is meant by the offset of before: RFC 5545, 3.3.5.
        const icaltimetype shown = icaltime_from_timet_with_zone(instant, 0, zone);
        const time_t skipped = icaltime_as_timet(without_zone(time)) - icaltime_as_timet(without_zone(shown));
        return from_unix(skipped > 0 ? instant + skipped : instant);
    }

    static icaltimetype without_zone(icaltimetype time)
    {
        time.zone = nullptr;
        return time;
    }

    Event read_event(Block const& block)
    {
        Event event;
        event.line = block.line;
        event.component.reset(icalparser_parse_string(block.text.c_str()));
        icalcomponent* const component = event.component.get();
        if (component == nullptr || icalcomponent_isa(component) != ICAL_VEVENT_COMPONENT)
            throw BadEvent{"is no VEVENT"};
        each_property(component, ICAL_XLICERROR_PROPERTY, [](icalproperty* property) {
            const std::string error = text_or_empty(icalproperty_get_xlicerror(property));
            for (const std::string needed :
                 {"DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "UID", "STATUS"})
                if (error.find(" " + needed + " property") != std::string::npos)
                    throw BadEvent{needed + ": " + printable(error, 200)};
        });
        const std::string unfolded = unfold(block.text);
        for (const std::string property : {"RDATE", "EXDATE"})
            if (most_dates(unfolded, property) > dates_in_line_max)
                throw BadEvent{
                    property + ": has more than " + std::to_string(dates_in_line_max) +
                    " dates in one line; write several lines"};
        if (icalcomponent_get_first_property(component, ICAL_EXRULE_PROPERTY) != nullptr)
            throw BadEvent{"EXRULE: is of an older format, and not read"};
        event.uid = text_or_empty(icalcomponent_get_uid(component));
        if (event.uid.empty())
            throw BadEvent{"UID: is not there"};
        if (printable(event.uid, event.uid.size()) != event.uid || event.uid.starts_with(' ') ||
            event.uid.ends_with(' '))
            throw BadEvent{
                "UID: " + in_quotes(event.uid) + ": has a character that cannot be seen, and would be another id"};
        event.cancelled = cancels_;
        each_property(component, ICAL_STATUS_PROPERTY, [&](icalproperty* property) {
            event.cancelled = event.cancelled || icalproperty_get_status(property) == ICAL_STATUS_CANCELLED;
        });
        is_without_zone_ = false;
        read_times(event);
        calendar_rows_.without_zone += is_without_zone_ ? 1 : 0;
        return event;
    }

    void read_times(Event& event)
    {
        icalcomponent* const component = event.component.get();
        if (icalproperty* const property = icalcomponent_get_first_property(component, ICAL_RECURRENCEID_PROPERTY)) {
            if (icalproperty_get_first_parameter(property, ICAL_RANGE_PARAMETER) != nullptr)
                throw BadEvent{"RECURRENCE-ID: RANGE is not read; write the series anew from there on"};
            event.replaces = in_zone(property, icalproperty_get_recurrenceid(property));
        }
        icalproperty* const start = icalcomponent_get_first_property(component, ICAL_DTSTART_PROPERTY);
        if (start == nullptr)
            return; // enough for a cancellation
        event.starts = in_zone(start, icalproperty_get_dtstart(start));
        if (icalproperty* const end = icalcomponent_get_first_property(component, ICAL_DTEND_PROPERTY)) {
            const icaltimetype ends = in_zone(end, icalproperty_get_dtend(end));
            if (event.starts->is_date != 0 && ends.is_date != 0)
                event.days = day_number(ends) - day_number(*event.starts);
            else
                event.length = instant_of(ends) - instant_of(*event.starts);
        } else if (icalproperty* const duration = icalcomponent_get_first_property(component, ICAL_DURATION_PROPERTY)) {
            event.length = seconds{icaldurationtype_as_int(icalproperty_get_duration(duration))};
        } else if (event.starts->is_date != 0) {
            event.days = 1;
        } else if (event.cancelled) {
            event.starts.reset(); // enough for a cancellation
            return;
        } else {
            throw BadEvent{"DTEND: is not there, nor DURATION"};
        }
        if (event.length + seconds{event.days} <= seconds{0})
            throw BadEvent{"DTEND: is not after the start, " + to_iso8601(instant_of(*event.starts))};
    }

    static int day_number(icaltimetype time)
    {
        using namespace std::chrono;
        return static_cast<int>(sys_days{year{time.year} / time.month / time.day}.time_since_epoch().count());
    }

    sys_seconds end_of(Event const& event, icaltimetype starts) const
    {
        if (event.days == 0)
            return instant_of(starts) + event.length;
        icaltime_adjust(&starts, event.days, 0, 0, 0);
        return instant_of(starts);
    }

    /// `20260302T090000Z`, or `20260302` of a whole day: which occurrence of its series it is, however it is moved.
    std::string occurrence_name(icaltimetype time) const
    {
        std::string iso = to_iso8601(instant_of(time));
        std::erase_if(iso, [](char c) { return c == '-' || c == ':'; });
        if (time.is_date == 0)
            return iso;
        const auto padded = [](int number, std::size_t width) {
            std::string digits = std::to_string(number);
            return std::string(width - std::min(width, digits.size()), '0') + digits;
        };
        return padded(time.year, 4) + padded(time.month, 2) + padded(time.day, 2);
    }

    void add_override(Event const& event)
    {
        const std::string id = event.uid + "#" + occurrence_name(*event.replaces);
        if (!replaced_.insert(id).second)
            throw BadEvent{"RECURRENCE-ID: there is another event for this occurrence"};
        add_meeting(event, id, event.starts);
    }

    void add_series(Event const& event)
    {
        icalcomponent* const component = event.component.get();
        const bool recurs = icalcomponent_get_first_property(component, ICAL_RRULE_PROPERTY) != nullptr ||
                            icalcomponent_get_first_property(component, ICAL_RDATE_PROPERTY) != nullptr;
        if (!recurs && event.cancelled)
            calendar_rows_.cancelled_series.push_back({event.uid, event.line});
        if (!recurs)
            return add_meeting(event, event.uid, event.starts);
        if (!event.starts)
            throw BadEvent{"DTSTART: is not there"};
        std::map<sys_seconds, icaltimetype> times = occurrences(event);
        each_property(component, ICAL_EXDATE_PROPERTY, [&](icalproperty* property) {
            times.erase(instant_of(in_zone(property, icalproperty_get_exdate(property))));
        });
        for (auto const& [instant, time] : times) {
            const std::string id = event.uid + "#" + occurrence_name(time);
            if (!replaced_.contains(id))
                add_meeting(event, id, time);
        }
    }

    /// In the order of time, with those that are over.
    std::map<sys_seconds, icaltimetype> occurrences(Event const& event)
    {
        std::map<sys_seconds, icaltimetype> times;
        const auto add = [&](icaltimetype time) {
            const sys_seconds instant = instant_of(time);
            if (instant >= window_.until)
                return false;
            if (times.emplace(instant, time).second && times.size() > limits_.occurrences)
                throw BadEvent{
                    "RRULE: has more than " + std::to_string(limits_.occurrences) + " occurrences before --until"};
            return true;
        };
        if (!add(*event.starts))
            ++calendar_rows_.passed_over;
        const auto began = SteadyClock::now();
        each_property(event.component.get(), ICAL_RRULE_PROPERTY, [&](icalproperty* property) {
            icalrecurrencetype rule = icalproperty_get_rrule(property);
            if (rule.freq == ICAL_SECONDLY_RECURRENCE || rule.freq == ICAL_MINUTELY_RECURRENCE)
                throw BadEvent{"RRULE: a meeting that recurs each second or minute is not read"};
            if (rule.freq == ICAL_NO_RECURRENCE)
                throw BadEvent{"RRULE: is no rule"};
            if (spent_ > limits_.time)
                throw BadEvent{"RRULE: the rules of this file take too long"};
            // By the clock on the wall: with a zone, all that follow a time that is skipped would be later, too.
            icaltimezone const* const zone = event.starts->zone;
            if (icaltime_is_null_time(rule.until) == 0 && rule.until.is_date == 0 && icaltime_is_utc(rule.until) != 0)
                rule.until = without_zone(icaltime_convert_to_zone(rule.until, const_cast<icaltimezone*>(zone)));
            const std::unique_ptr<icalrecur_iterator, IteratorFree> iterator{
                icalrecur_iterator_new(rule, without_zone(*event.starts))};
            if (!iterator)
                throw BadEvent{"RRULE: is no rule"};
            for (icaltimetype time = icalrecur_iterator_next(iterator.get()); icaltime_is_null_time(time) == 0;
                 time = icalrecur_iterator_next(iterator.get())) {
                time.zone = zone;
                if (!add(time))
                    break;
            }
        });
        spent_ += SteadyClock::now() - began;
        std::size_t dates = 0;
        each_property(event.component.get(), ICAL_RDATE_PROPERTY, [&](icalproperty* property) {
            if (++dates > exceptions_max)
                throw BadEvent{"RDATE: there are more than " + std::to_string(exceptions_max)};
            const icaldatetimeperiodtype date = icalproperty_get_rdate(property);
            if (icaltime_is_null_time(date.time) != 0)
                throw BadEvent{"RDATE: VALUE=PERIOD is not read; write an event of its own for each"};
            add(in_zone(property, date.time));
        });
        return times;
    }

    void add_meeting(Event const& event, std::string const& id, std::optional<icaltimetype> starts)
    {
        CalendarRow<Meetings> row{{}, event.line};
        row.values[0] = id;
        const std::string title = text_or_empty(icalcomponent_get_summary(event.component.get()));
        if (title.size() > title_bytes_max)
            throw BadEvent{"SUMMARY: has more than " + std::to_string(title_bytes_max) + " bytes"};
        if (!title.empty())
            row.values[1] = title;
        if (starts) {
            const sys_seconds begins = instant_of(*starts);
            const sys_seconds ends = end_of(event, *starts);
            if (ends <= window_.from || begins >= window_.until) {
                ++calendar_rows_.passed_over;
                return;
            }
            row.values[Meetings::starts_at] = unix_seconds(begins);
            row.values[Meetings::ends_at] = unix_seconds(ends);
        } else if (!event.cancelled) {
            throw BadEvent{"DTSTART: is not there"};
        }
        row.values[Meetings::status] = std::string{event.cancelled ? "cancelled" : "scheduled"};
        if (calendar_rows_.meetings.size() == limits_.meetings)
            throw BadEvent{"there are more than " + std::to_string(limits_.meetings) + " meetings before --until"};
        calendar_rows_.meetings.push_back(std::move(row));
        add_people(event, id);
    }

    struct Person {
        std::string name;
        std::string role;
    };

    void add_people(Event const& event, std::string const& meeting)
    {
        std::map<std::string, Person> people;
        const auto add = [&](icalproperty* property, char const* address, std::string role) {
            std::string id = text_or_empty(address);
            if (upper(id.substr(0, 7)) == "MAILTO:")
                id.erase(0, 7);
            if (id.empty() || printable(id, id.size()) != id || id.starts_with(' ') || id.ends_with(' ')) {
                if (told_.insert(event.line).second)
                    calendar_rows_.problems.push_back(
                        {event.line, "ATTENDEE: " + in_quotes(id) + ": is no address; the person is left out"}
                    );
                return;
            }
            Person& person = people[id];
            if (person.role != "moderator")
                person.role = std::move(role);
            if (icalparameter* const parameter = icalproperty_get_first_parameter(property, ICAL_CN_PARAMETER))
                person.name = text_or_empty(icalparameter_get_cn(parameter));
        };
        icalcomponent* const component = event.component.get();
        each_property(component, ICAL_ORGANIZER_PROPERTY, [&](icalproperty* property) {
            add(property, icalproperty_get_organizer(property), "moderator");
        });
        each_property(component, ICAL_ATTENDEE_PROPERTY, [&](icalproperty* property) {
            icalparameter* const parameter = icalproperty_get_first_parameter(property, ICAL_ROLE_PARAMETER);
            const icalparameter_role role =
                parameter != nullptr ? icalparameter_get_role(parameter) : ICAL_ROLE_REQPARTICIPANT;
            add(property, icalproperty_get_attendee(property),
                role == ICAL_ROLE_CHAIR            ? "moderator"
                : role == ICAL_ROLE_NONPARTICIPANT ? "subscriber"
                                                   : "publisher");
        });
        if (calendar_rows_.participants.size() + people.size() > limits_.participants)
            throw BadEvent{"there are more than " + std::to_string(limits_.participants) + " people before --until"};
        for (auto& [id, person] : people) {
            CalendarRow<Participants> row{{}, event.line};
            row.values[0] = meeting;
            row.values[1] = id;
            if (!person.name.empty())
                row.values[2] = std::move(person.name);
            row.values[3] = std::move(person.role);
            calendar_rows_.participants.push_back(std::move(row));
        }
    }

    CalendarWindow window_;
    CalendarLimits limits_;
    Component calendar_; ///< For its zones.
    icaltimezone* zone_ = nullptr;
    bool cancels_ = false;
    bool is_without_zone_ = false;
    std::set<std::string> replaced_; ///< Occurrences that have an event of their own.
    std::set<std::size_t> told_;
    SteadyClock::duration spent_{};
    Calendar calendar_rows_;
};

} // namespace

tl::expected<Calendar, FileError>
read_calendar(std::istream& in, std::string const& name, CalendarWindow window, CalendarLimits limits)
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
    Blocks blocks{text};
    if (!blocks.is_calendar)
        return tl::unexpected{FileError{
            name + ": is no iCalendar file: it has no BEGIN:VCALENDAR. Nothing was done.",
            "name a file that ends in .ics"}};
    text.clear();
    text.shrink_to_fit();
    return Reader{window, limits}.read(blocks);
}

} // namespace usher::ctl
