// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>
#include <variant>

#include "calendar.hpp"

namespace usher::ctl {
namespace {

std::string place(std::string const& name, std::size_t line)
{
    return name + ":" + std::to_string(line) + ": ";
}

} // namespace

template <class Table>
CalendarReader<Table>::CalendarReader(std::string name, Content content)
    : name_{std::move(name)},
      rows_{std::move(content.rows)},
      problems_{std::move(content.problems)},
      kept_{std::move(content.kept)}
{
    for (CalendarProblem const& note : content.notes)
        notes_.push_back(place(name_, note.line) + note.reason);
}

template <class Table>
CsvStep CalendarReader<Table>::next()
{
    if (next_problem_ < problems_.size()) {
        CalendarProblem const& problem = problems_[next_problem_++];
        line_ = problem.line;
        problem_ = place(name_, line_) + problem.reason;
        return CsvStep::problem;
    }
    if (next_row_ == rows_.size())
        return CsvStep::end;
    CalendarRow<Table>& row = rows_[next_row_++];
    line_ = row.line;
    row_.values = std::move(row.values);
    for (std::size_t i = 0; i < Table::size; ++i) {
        row_.places[i] = {line_, 1};
        auto const* const number = std::get_if<std::int64_t>(&row_.values[i]);
        row_.written[i] = number != nullptr && Table::columns()[i].kind == ColumnKind::time
                              ? to_iso8601(from_unix(*number))
                              : std::string{};
    }
    return CsvStep::row;
}

template <class Table>
std::string CalendarReader<Table>::at(Record<Table> const& row, std::size_t, std::string const& sentence) const
{
    return place(name_, row.places[0].line) + sentence;
}

template <class Table>
std::optional<std::string>
CalendarReader<Table>::check(Record<Table> const& row, ScheduleRow<Table> const& completed) const
{
    const auto problem = problem_of<Table>(row, completed);
    return problem ? std::optional{at(row, problem->column, problem->text)} : std::nullopt;
}

template <class Table>
bool CalendarReader<Table>::has(std::size_t index) const
{
    return std::any_of(rows_.begin(), rows_.end(), [&](CalendarRow<Table> const& row) {
        return !std::holds_alternative<std::monostate>(row.values[index]);
    });
}

template class CalendarReader<Meetings>;
template class CalendarReader<Participants>;

} // namespace usher::ctl
