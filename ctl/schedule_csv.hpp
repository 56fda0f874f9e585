// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <istream>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <tl/expected.hpp>

#include <usher/core/failure.hpp>
#include <usher/core/row_check.hpp>
#include <usher/core/time.hpp>
#include <usher/store/platform_writer.hpp>

#include "csv.hpp"

namespace usher::ctl {

enum class ColumnKind : std::uint8_t {
    id,     ///< Text; blanks at its ends and what cannot be seen are refused.
    text,   ///< As it is.
    word,   ///< Without blanks at its ends.
    time,   ///< ISO 8601 in the file, Unix seconds in the table.
    flag,   ///< 0, 1, false or true.
    number, ///< Whole.
};

struct ScheduleColumn {
    std::string_view name;  ///< In the file.
    std::string_view table; ///< In the database.
    ColumnKind kind = ColumnKind::word;
    bool required = false;   ///< In the file's header.
    PlatformValue initial{}; ///< Of a new row.
};

/// The meetings file, and the table that it goes into.
struct Meetings {
    static constexpr std::string_view table = "meeting";
    static constexpr std::size_t key_columns = 1; ///< Of `columns`, the first.
    static constexpr std::size_t size = 15;
    static constexpr std::size_t starts_at = 2; ///< The column's number.
    static constexpr std::size_t ends_at = 3;
    static constexpr std::size_t status = 4;
    static std::array<ScheduleColumn, size> const& columns();
};

struct Participants {
    static constexpr std::string_view table = "participant";
    static constexpr std::size_t key_columns = 2;
    static constexpr std::size_t size = 6;
    static std::array<ScheduleColumn, size> const& columns();
};

/// The values of a row. What a file leaves empty, or has no column for, is std::monostate: what the row in the table
/// has stays, and a new row gets the column's `initial`.
template <class Table>
using ScheduleRow = std::array<PlatformValue, Table::size>;

/// A good row of a file, with where it stands.
template <class Table>
struct Record {
    ScheduleRow<Table> values;
    std::array<CsvReader::Place, Table::size> places; ///< Of the row, for a column that the file lacks.
    std::array<std::string, Table::size> written;     ///< Times, as the file has them.
};

/// What is wrong with a row of a file once it has been completed from the table.
struct RowProblem {
    std::size_t column;
    std::string text; ///< `column: value: reason`
};

template <class Table>
std::optional<RowProblem> problem_of(Record<Table> const& row, ScheduleRow<Table> const& completed);

/// Why a file cannot be used, for people.
struct FileError {
    std::string message;
    std::string to_do{}; ///< Empty: that says the message.
};

/// Reads the rows of a schedule's file, in memory that does not grow with the file. Table is Meetings or Participants.
template <class Table>
class ScheduleReader {
public:
    /// `name` is the file's, for messages. Without a separator it is found: one of comma, semicolon and tab, or what a
    /// first line `sep=;` says. `exact`: ids and words are what the file has, blanks at their ends included.
    ScheduleReader(std::istream& in, std::string name, std::optional<char> separator = {}, bool exact = false);

    /// To be called first.
    tl::expected<void, FileError> read_header();

    /// Whether any row follows, good or bad.
    bool has_more() { return csv_.has_more(); }
    CsvStep next();

    /// Of the last step.
    Record<Table> const& row() const { return row_; }
    std::size_t line() const { return csv_.line(); }
    /// `file:line:column: column: value: reason`.
    std::string const& problem() const { return problem_; }

    /// What is wrong with a row once it has been completed from the table, as `problem()`; nothing when it is good.
    std::optional<std::string> check(Record<Table> const& row, ScheduleRow<Table> const& completed) const;
    /// A sentence about a field of a row, in that form.
    std::string at(Record<Table> const& row, std::size_t column, std::string const& sentence) const;

    /// Whether the file has the column of Table::columns()[index].
    bool has(std::size_t index) const { return place_[index].has_value(); }
    /// A sentence for each column that is not known, and is ignored.
    std::vector<std::string> const& notes() const { return notes_; }

    /// The stream broke before its end.
    bool failed() const { return csv_.failed(); }
    /// What is wrong when reading stopped in a row that does not end.
    std::optional<FileError> endless_row() const;

private:
    std::optional<FileError> find_separator();
    std::optional<FileError> place_columns();
    std::string at(CsvReader::Place place) const;
    std::string bad_cell(std::size_t column, std::string const& reason) const;

    std::string name_;
    CsvReader csv_;
    std::optional<char> separator_;
    bool exact_;
    std::array<std::optional<std::size_t>, Table::size> place_;
    std::size_t width_ = 0; ///< Of the header.
    std::vector<std::string> notes_;
    Record<Table> row_;
    std::string problem_;
};

extern template class ScheduleReader<Meetings>;
extern template class ScheduleReader<Participants>;

/// A row of a table in a file that ScheduleReader reads.
struct ScheduleLine {
    std::string text;         ///< With its line end.
    bool needs_exact = false; ///< It is read as the row that it was only when it is read `exact`.
};

/// The first line of a file with all columns.
template <class Table>
std::string schedule_header();

/// `row` has the values of Table::columns(). Returns why there can be no such line, as `title: reason`.
template <class Table>
tl::expected<ScheduleLine, std::string> schedule_line(std::span<RowValue const> row);

/// The row with what a new one gets where the file says nothing.
template <class Table>
ScheduleRow<Table> with_initials(ScheduleRow<Table> row)
{
    for (std::size_t i = 0; i < row.size(); ++i)
        if (std::holds_alternative<std::monostate>(row[i]))
            row[i] = Table::columns()[i].initial;
    return row;
}

/// The earliest start among the rows that can be read; nullopt when there is none.
tl::expected<std::optional<sys_seconds>, FileError>
earliest_start(std::istream& meetings, std::string name, std::optional<char> separator = {}, bool exact = false);

/// What `--shift-start` takes: ISO 8601 with a zone, or `+5m` from `now`. Errors: Errc::bad_time, Errc::bad_duration.
Result<sys_seconds> parse_shift_start(std::string_view text, sys_seconds now);

} // namespace usher::ctl
