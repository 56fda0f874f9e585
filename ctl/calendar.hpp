// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <istream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include <usher/core/time.hpp>

#include "schedule_csv.hpp"

namespace usher::ctl {

/// A row that a calendar's event stands for.
template <class Table>
struct CalendarRow {
    ScheduleRow<Table> values;
    std::size_t line; ///< At which the event begins.
};

/// An event that is none, or a person.
struct CalendarProblem {
    std::size_t line;
    std::string reason; ///< Printable.
};

/// What a file of RFC 5545 says, as rows of the tables.
struct Calendar {
    std::vector<CalendarRow<Meetings>> meetings;
    std::vector<CalendarRow<Participants>> participants;
    std::vector<CalendarProblem> problems;
    std::vector<CalendarProblem> notes; ///< What costs nothing, and may still be meant otherwise.
    /// Meetings that the file has and that stay as they are, with their people: those that are over or cancelled.
    std::set<std::string, std::less<>> kept;
    std::size_t passed_over = 0; ///< Events and occurrences that are over, or begin too late.
    /// How many events have times in no zone, by the zone in which they were taken.
    std::map<std::string, std::size_t> without_zone;
};

/// Between which instants occurrences are looked for.
struct CalendarWindow {
    sys_seconds now;   ///< What ended a day before is passed over,
    sys_seconds until; ///< and what begins then or later.
};

/// A meeting that is in the database. What the file says of it counts even outside of the window.
struct KnownMeeting {
    std::optional<sys_seconds> ends;
    bool is_scheduled = true;
};
using KnownMeetings = std::map<std::string, KnownMeeting, std::less<>>;
using Uids = std::set<std::string, std::less<>>;
/// Finds those of some events.
using FindKnown = std::function<KnownMeetings(Uids const&)>;

/// The UID of an occurrence's id, `standup#20260302T090000Z` or `standup#20260302`. Nothing for another id.
std::optional<std::string_view> uid_of_occurrence(std::string_view id);

struct CalendarLimits {
    std::size_t file_bytes = 16 * 1024 * 1024;
    std::size_t meetings = 100'000;
    std::size_t participants = 500'000;
    std::size_t occurrences = 20'000; ///< Of one event, in the window.
    seconds time{30};                 ///< For the rules of the file.
};

/// Reads a calendar. An event that cannot be read costs that event only. Errors: the file is none, or larger than usher
/// takes.
tl::expected<Calendar, FileError> read_calendar(
    std::istream& in, std::string const& name, CalendarWindow window, FindKnown const& find_known,
    CalendarLimits limits = {}
);

/// The rows of a calendar for one table, as ScheduleReader gives those of a file.
template <class Table>
class CalendarReader {
public:
    struct Content {
        std::vector<CalendarRow<Table>> rows;
        std::vector<CalendarProblem> problems; ///< What is wrong with events.
        std::vector<CalendarProblem> notes;
        std::vector<ScheduleRow<Table>>
            kept; ///< Keys of rows that stay as they are, and count as if the file had them.
    };
    CalendarReader(std::string name, Content content);

    bool has_more() const { return next_problem_ < problems_.size() || next_row_ < rows_.size() || !kept_.empty(); }
    std::vector<ScheduleRow<Table>> const& kept() const { return kept_; }
    CsvStep next();

    Record<Table> const& row() const { return row_; }
    std::size_t line() const { return line_; }
    std::string const& problem() const { return problem_; }

    std::optional<std::string> check(Record<Table> const& row, ScheduleRow<Table> const& completed) const;
    std::string at(Record<Table> const& row, std::size_t column, std::string const& sentence) const;

    bool has(std::size_t index) const;
    std::vector<std::string> const& notes() const { return notes_; }
    bool failed() const { return false; }
    std::optional<FileError> endless_row() const { return std::nullopt; }

private:
    std::string name_;
    std::vector<CalendarRow<Table>> rows_;
    std::vector<CalendarProblem> problems_;
    std::vector<ScheduleRow<Table>> kept_;
    std::vector<std::string> notes_;
    std::size_t next_row_ = 0;
    std::size_t next_problem_ = 0;
    std::size_t line_ = 0;
    Record<Table> row_;
    std::string problem_;
};

extern template class CalendarReader<Meetings>;
extern template class CalendarReader<Participants>;

} // namespace usher::ctl
