// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <istream>
#include <optional>
#include <string>
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
    /// Cancelled as a whole: by the row of that id, or, if it is a series that was loaded before, by those of `id#…`.
    struct CancelledSeries {
        std::string id;
        std::size_t line;
    };
    std::vector<CancelledSeries> cancelled_series;
    std::string zone;             ///< In which times without one were taken.
    std::size_t passed_over = 0;  ///< Events and occurrences that are over, or begin too late.
    std::size_t without_zone = 0; ///< Events whose times are in no zone, and were taken in the calendar's or in UTC.
};

/// Between which instants occurrences are looked for.
struct CalendarWindow {
    sys_seconds from;  ///< What ended before is passed over,
    sys_seconds until; ///< and what begins then or later.
};

struct CalendarLimits {
    std::size_t file_bytes = 16 * 1024 * 1024;
    std::size_t meetings = 100'000;
    std::size_t participants = 500'000;
    std::size_t occurrences = 20'000; ///< Of one event, with those that are over.
    seconds time{30};                 ///< For rules that have no occurrence, and are tried for centuries.
};

/// Reads a calendar. An event that cannot be read costs that event only. Errors: the file is none, or larger than usher
/// takes.
tl::expected<Calendar, FileError>
read_calendar(std::istream& in, std::string const& name, CalendarWindow window, CalendarLimits limits = {});

/// The rows of a calendar for one table, as ScheduleReader gives those of a file. `problems`: also what is wrong with
/// events.
template <class Table>
class CalendarReader {
public:
    CalendarReader(std::string name, std::vector<CalendarRow<Table>> rows, std::vector<CalendarProblem> problems)
        : name_{std::move(name)}, rows_{std::move(rows)}, problems_{std::move(problems)}
    {}

    bool has_more() const { return next_problem_ < problems_.size() || next_row_ < rows_.size(); }
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
