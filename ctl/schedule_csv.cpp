// SPDX-License-Identifier: Apache-2.0
#include "schedule_csv.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <usher/core/ascii.hpp>
#include <usher/core/nearest.hpp>
#include <usher/core/printable.hpp>
#include <usher/core/row_check.hpp>
#include <usher/core/utf8.hpp>
#include <usher/store/contract.hpp>

namespace usher::ctl {
namespace {

constexpr std::string_view separators = ",;\t";       // that are found by themselves
constexpr std::string_view other_separators = "|:^~"; // that are named when they fit
constexpr std::string_view blanks = " \t";

std::string_view trimmed(std::string_view text)
{
    const std::size_t begin = text.find_first_not_of(blanks);
    return begin == std::string_view::npos ? std::string_view{}
                                           : text.substr(begin, text.find_last_not_of(blanks) + 1 - begin);
}

/// The name of a column as a header may write it: ` External_ID`.
std::string column_name(std::string_view text)
{
    return in_lower_case(trimmed(text));
}

template <class Table>
std::optional<std::size_t> index_of(std::string_view name)
{
    auto const& columns = Table::columns();
    const auto found = std::ranges::find(columns, name, &ScheduleColumn::name);
    if (found == columns.end())
        return std::nullopt;
    return static_cast<std::size_t>(found - columns.begin());
}

/// How many columns the header would have that are known.
template <class Table>
std::size_t known_columns(std::string_view header, char separator)
{
    std::size_t count = 0;
    for (bool more = true; more;) {
        const std::size_t end = header.find(separator);
        std::string_view name = trimmed(header.substr(0, end));
        if (name.size() >= 2 && name.front() == '"' && name.back() == '"')
            name = name.substr(1, name.size() - 2);
        count += index_of<Table>(column_name(name)) ? 1U : 0U;
        more = end != std::string_view::npos;
        if (more)
            header.remove_prefix(end + 1);
    }
    return count;
}

/// The known column that an unknown one was probably meant for, among those that the file lacks. A short name has to be
/// closer: `room` is not `role`.
template <class Table>
std::optional<std::string_view> meant_by(std::string const& name, auto const& has)
{
    std::string plain = name;
    std::ranges::replace_if(
        plain, [](char c) { return c == ' ' || c == '-'; }, '_'
    );
    std::vector<std::string_view> lacking;
    for (std::size_t i = 0; i < Table::size; ++i) {
        ScheduleColumn const& column = Table::columns()[i];
        if (has(i))
            continue;
        if (plain == column.name || plain == column.table)
            return column.name;
        lacking.push_back(column.name);
    }
    return nearest(plain, lacking, plain.size() < 6 ? 1 : 2);
}

bool is_blank_at_an_end(std::string_view text)
{
    constexpr std::string_view no_break_space = "\xc2\xa0";
    return !text.empty() &&
           (trimmed(text).size() != text.size() || text.starts_with(no_break_space) || text.ends_with(no_break_space));
}

/// An error's message says `value: reason`, or only the reason where the value is empty.
struct BadCell {
    std::string message;
};

/// `quoted`: it stands in quotes.
tl::expected<PlatformValue, BadCell> read_cell(ColumnKind kind, std::string const& field, bool quoted, bool exact)
{
    const auto bad = [&](std::string const& reason) {
        return tl::unexpected{BadCell{printable(field, 64) + ": " + reason}};
    };
    if (field.find('\0') != std::string::npos)
        return tl::unexpected{BadCell{"contains a NUL character"}};
    if (!is_utf8(field))
        return bad("is not UTF-8; save the file as CSV UTF-8");
    const std::string_view text = exact ? std::string_view{field} : trimmed(field);
    switch (kind) {
    case ColumnKind::id:
        if (exact)
            return PlatformValue{field};
        if (is_blank_at_an_end(field))
            return tl::unexpected{BadCell{in_quotes(field) + ": has blanks at its ends, and would be another id"}};
        if (printable(field, field.size()) != field)
            return bad("has a character that cannot be seen, and would be another id");
        return PlatformValue{field};
    case ColumnKind::text: return field.empty() && !(exact && quoted) ? PlatformValue{} : PlatformValue{field};
    case ColumnKind::word: return text.empty() ? PlatformValue{} : PlatformValue{std::string{text}};
    case ColumnKind::time: {
        if (text.empty())
            return PlatformValue{};
        const Result<sys_seconds> time = parse_iso8601(text);
        if (!time)
            return tl::unexpected{BadCell{time.error().message}};
        return PlatformValue{unix_seconds(*time)};
    }
    case ColumnKind::flag: {
        const std::string flag = in_lower_case(text);
        if (flag.empty())
            return PlatformValue{};
        if (flag != "0" && flag != "1" && flag != "false" && flag != "true")
            return bad("expected 0, 1, false or true");
        return PlatformValue{std::int64_t{flag == "1" || flag == "true"}};
    }
    case ColumnKind::number: {
        if (text.empty())
            return PlatformValue{};
        std::int64_t number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error != std::errc{} || end != text.data() + text.size())
            return bad("expected a whole number");
        return PlatformValue{number};
    }
    }
    return PlatformValue{};
}

RowValue raw(PlatformValue const& value)
{
    if (auto const* const number = std::get_if<std::int64_t>(&value))
        return *number;
    if (auto const* const number = std::get_if<double>(&value))
        return *number;
    if (auto const* const text = std::get_if<std::string>(&value))
        return std::string_view{*text};
    return {};
}

std::optional<RowFault> fault_in(std::span<RowValue const, Meetings::size> row)
{
    return check_row(RawMeeting{
        row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9], row[10], row[11], row[12],
        row[13], row[14]});
}

std::optional<RowFault> fault_in(std::span<RowValue const, Participants::size> row)
{
    return check_row(RawParticipant{row[0], row[1], row[2], row[3], row[4], row[5]});
}

template <class Table>
std::optional<RowFault> fault_of(ScheduleRow<Table> const& row)
{
    std::array<RowValue, Table::size> values;
    std::ranges::transform(row, values.begin(), raw);
    return fault_in(values);
}

/// A value of a good row as a field.
std::string text_of(ColumnKind kind, RowValue const& value)
{
    if (auto const* const number = std::get_if<std::int64_t>(&value))
        return kind == ColumnKind::time ? to_iso8601(from_unix(*number)) : std::to_string(*number);
    auto const* const text = std::get_if<std::string_view>(&value);
    return std::string{text != nullptr ? *text : std::string_view{}};
}

void append_field(std::string& line, std::string_view field)
{
    if (field.find_first_of("\",\r\n") == std::string_view::npos) {
        line += field;
        return;
    }
    line += '"';
    for (const char c : field)
        line.append(c == '"' ? 2 : 1, c);
    line += '"';
}

/// The contract's default is a new row's value, unless the column says another.
template <class Table>
std::array<ScheduleColumn, Table::size> with_defaults(std::array<ScheduleColumn, Table::size> columns)
{
    for (ScheduleColumn& column : columns)
        if (std::holds_alternative<std::monostate>(column.initial))
            std::visit(
                [&](auto const& value) { column.initial = value; }, contract_default(Table::table, column.table)
            );
    return columns;
}

std::string join(std::span<std::string const> names)
{
    std::string list;
    for (std::string const& name : names)
        list += (list.empty() ? "" : ", ") + name;
    return list;
}

} // namespace

std::array<ScheduleColumn, Meetings::size> const& Meetings::columns()
{
    using enum ColumnKind;
    static const auto all = with_defaults<Meetings>({{
        {"external_id", "id", id, true},
        {"title", "title", text, true},
        {"starts_at_utc", "starts_at", time, true},
        {"ends_at_utc", "ends_at", time, true},
        {"status", "status", word},
        {"project", "project", word},
        {"media_mode", "media_mode", word},
        {"archive_mode", "archive_mode", word},
        {"archive_name", "archive_name", text},
        {"archive_resolution", "archive_resolution"},
        {"location", "location"},
        {"e2ee", "e2ee", flag},
        {"session_id", "session_id"},
        {"early_join", "early_join", number},
        {"grace", "grace", number},
    }});
    return all;
}

std::array<ScheduleColumn, Participants::size> const& Participants::columns()
{
    using enum ColumnKind;
    static const std::array<ScheduleColumn, size> all{{
        {"meeting_external_id", "meeting_id", id, true},
        {"external_id", "participant_id", id, true},
        {"display_name", "display_name", text},
        {"role", "role", word, true, "publisher"}, // the vendor's default
        {"connection_data", "connection_data", text},
        {"layout_classes", "layout_classes", text},
    }};
    return all;
}

template <class Table>
ScheduleReader<Table>::ScheduleReader(std::istream& in, std::string name, std::optional<char> separator, bool exact)
    : name_{std::move(name)}, csv_{in}, separator_{separator}, exact_{exact}
{}

template <class Table>
std::string ScheduleReader<Table>::at(CsvReader::Place place) const
{
    return name_ + ":" + std::to_string(place.line) + ":" + std::to_string(place.column) + ": ";
}

template <class Table>
std::optional<FileError> ScheduleReader<Table>::find_separator()
{
    if (separator_) {
        csv_.set_separator(*separator_);
        return std::nullopt;
    }
    std::string_view header = csv_.line_ahead();
    if (header.size() == 5 && in_lower_case(header.substr(0, 4)) == "sep=") { // what Excel writes and reads
        csv_.set_separator(header.back());
        csv_.skip_line();
        return std::nullopt;
    }
    const auto known = [&](char separator) { return known_columns<Table>(header, separator); };
    const char best = *std::ranges::max_element(separators, {}, known);
    csv_.set_separator(best);
    if (known(best) > 0 || header.find(best) != std::string_view::npos)
        return std::nullopt;
    const char other = *std::ranges::max_element(other_separators, {}, known);
    const std::string which = known(other) > 1 ? "'" + std::string{other} + "'" : "CHARACTER";
    if (known(other) > 1 ||
        std::ranges::any_of(header, [](char c) { return other_separators.find(c) != std::string_view::npos; }))
        return FileError{name_ + ":1: one column " + in_quotes(header) + ". Nothing was done.", "--separator " + which};
    return std::nullopt;
}

template <class Table>
std::optional<FileError> ScheduleReader<Table>::place_columns()
{
    std::vector<std::string> unknown;
    for (std::size_t i = 0; i < csv_.fields().size(); ++i) {
        std::string const& written = csv_.fields()[i];
        if (written.find('\0') != std::string::npos || !is_utf8(written))
            return FileError{
                name_ + ":1: is not text in UTF-8. Nothing was done.",
                written.starts_with("\xff\xfe") || written.starts_with("\xfe\xff") ||
                        written.find('\0') != std::string::npos
                    ? "it looks like UTF-16: save it as CSV UTF-8"
                    : "save it as CSV UTF-8"};
        const auto known = index_of<Table>(column_name(written));
        if (known && place_[*known])
            return FileError{
                at(csv_.place_of(i)) + "column " + in_quotes(written) + " is there twice. Nothing was done.",
                "leave one of the two out"};
        if (known)
            place_[*known] = i;
        else
            unknown.push_back(at(csv_.place_of(i)) + "column " + in_quotes(written) + " is not known");
    }
    width_ = csv_.fields().size();
    const auto has_column = [this](std::size_t i) { return has(i); };
    std::string problems;
    std::vector<std::string_view> guessed;
    for (std::size_t i = 0, n = 0; i < width_; ++i) {
        std::string const& written = csv_.fields()[i];
        if (index_of<Table>(column_name(written)))
            continue;
        std::string const& sentence = unknown[n++];
        if (const auto meant = meant_by<Table>(column_name(written), has_column)) {
            problems += (problems.empty() ? "" : "\n") + sentence + "; did you mean " + std::string{*meant} + "?";
            guessed.push_back(*meant);
        } else
            notes_.push_back(sentence + ", and ignored");
    }
    bool all_needed = true; // of those that were guessed
    std::vector<std::string> missing;
    for (ScheduleColumn const& column : Table::columns()) {
        const bool guess = std::ranges::find(guessed, column.name) != guessed.end();
        if (guess && !column.required)
            all_needed = false;
        if (!guess && column.required && !has(*index_of<Table>(column.name)))
            missing.emplace_back(column.name);
    }
    if (!missing.empty()) {
        std::string found;
        for (std::string const& name : csv_.fields())
            found += (found.empty() ? "" : ", ") + printable(name, 64);
        problems += (problems.empty() ? "" : "\n") + name_ + ":1: lacks the column" +
                    (missing.size() == 1 ? " " : "s ") + join(missing) + "; it has " + printable(found) + ".";
    }
    if (problems.empty())
        return std::nullopt;
    return FileError{
        problems + " Nothing was done.", guessed.empty() ? ""
                                         : all_needed    ? "rename the column"
                                                         : "rename the column, or leave it out"};
}

template <class Table>
tl::expected<void, FileError> ScheduleReader<Table>::read_header()
{
    if (auto error = find_separator())
        return tl::unexpected{std::move(*error)};
    const CsvStep step = csv_.next();
    if (csv_.failed())
        return tl::unexpected{FileError{name_ + ": cannot be read. Nothing was done."}};
    if (auto error = endless_row())
        return tl::unexpected{FileError{error->message + ". Nothing was done.", std::move(error->to_do)}};
    if (step == CsvStep::end)
        return tl::unexpected{FileError{name_ + ": is empty; the first line must name the columns. Nothing was done."}};
    if (step == CsvStep::problem)
        return tl::unexpected{
            FileError{at(csv_.place()) + "the line that names the columns " + csv_.problem() + ". Nothing was done."}};
    if (auto error = place_columns())
        return tl::unexpected{std::move(*error)};
    return {};
}

template <class Table>
std::optional<FileError> ScheduleReader<Table>::endless_row() const
{
    if (!csv_.endless())
        return std::nullopt;
    return FileError{
        name_ + ":" + std::to_string(csv_.line()) + ": has a row of more than 16 MiB, and was read no further",
        "name a CSV file, or mend that row; then import again"};
}

template <class Table>
std::string ScheduleReader<Table>::at(Record<Table> const& row, std::size_t column, std::string const& sentence) const
{
    return at(row.places[column]) + sentence;
}

template <class Table>
std::string ScheduleReader<Table>::bad_cell(std::size_t column, std::string const& reason) const
{
    return at(row_, column, std::string{Table::columns()[column].name} + ": " + reason);
}

template <class Table>
CsvStep ScheduleReader<Table>::next()
{
    const auto bad = [&](std::string problem) {
        problem_ = std::move(problem);
        return CsvStep::problem;
    };
    switch (csv_.next()) {
    case CsvStep::end: return CsvStep::end;
    case CsvStep::problem: return bad(at(csv_.place()) + csv_.problem());
    case CsvStep::row: break;
    }
    const std::span<std::string const> fields = csv_.fields();
    if (fields.size() != width_)
        return bad(
            at(csv_.place()) + "has " + std::to_string(fields.size()) + (fields.size() == 1 ? " field" : " fields") +
            " where the header has " + std::to_string(width_) +
            (fields.size() > width_ ? "; quote a field that holds the separator" : "")
        );
    for (std::size_t i = 0; i < Table::size; ++i) {
        row_.values[i] = PlatformValue{};
        row_.written[i].clear();
        row_.places[i] = has(i) ? csv_.place_of(*place_[i]) : csv_.place();
    }
    for (std::size_t i = 0; i < Table::size; ++i) {
        if (!has(i))
            continue;
        std::string const& field = fields[*place_[i]];
        const ColumnKind kind = Table::columns()[i].kind;
        auto value = read_cell(kind, field, csv_.is_quoted(*place_[i]), exact_);
        if (!value)
            return bad(bad_cell(i, value.error().message));
        if (i < Table::key_columns && field.empty())
            return bad(bad_cell(i, "is empty"));
        row_.values[i] = std::move(*value);
        if (kind == ColumnKind::time)
            row_.written[i] = trimmed(field);
    }
    return CsvStep::row;
}

template <class Table>
std::optional<std::string>
ScheduleReader<Table>::check(Record<Table> const& row, ScheduleRow<Table> const& completed) const
{
    const auto problem = problem_of<Table>(row, completed);
    return problem ? std::optional{at(row, problem->column, problem->text)} : std::nullopt;
}

template <class Table>
std::optional<RowProblem> problem_of(Record<Table> const& row, ScheduleRow<Table> const& completed)
{
    auto const& columns = Table::columns();
    for (std::size_t i = 0; i < Table::size; ++i)
        if (columns[i].required && std::holds_alternative<std::monostate>(completed[i]))
            return RowProblem{i, std::string{columns[i].name} + ": is empty"};
    const auto fault = fault_of<Table>(completed);
    if (!fault)
        return std::nullopt;
    const auto column =
        static_cast<std::size_t>(std::ranges::find(columns, fault->column, &ScheduleColumn::table) - columns.begin());
    const std::string value = row.written[column].empty() ? fault->value : printable(row.written[column], 64);
    return RowProblem{column, std::string{columns[column].name} + ": " + value + ": " + fault->reason};
}

template <class Table>
std::string schedule_header()
{
    std::string line;
    for (ScheduleColumn const& column : Table::columns())
        line.append(line.empty() ? "" : ",").append(column.name);
    return line + "\n";
}

template <class Table>
tl::expected<ScheduleLine, std::string> schedule_line(std::span<RowValue const> row)
{
    auto const& columns = Table::columns();
    if (const auto fault = fault_in(row.template first<Table::size>()))
        return tl::unexpected{
            std::string{std::ranges::find(columns, fault->column, &ScheduleColumn::table)->name} + ": " + fault->value +
            ": " + fault->reason};
    ScheduleLine line;
    for (std::size_t i = 0; i < Table::size; ++i) {
        const std::string field = text_of(columns[i].kind, row[i]);
        const auto bad = [&](std::string const& reason) {
            return tl::unexpected{std::string{columns[i].name} + ": " + reason};
        };
        if (field.size() > CsvLimits{}.field_bytes)
            return bad("has more than " + std::to_string(CsvLimits{}.field_bytes) + " bytes");
        if (!is_utf8(field))
            return bad(printable(field, 64) + ": is not UTF-8");
        // A new row would get nothing there.
        const bool is_empty_text = columns[i].kind == ColumnKind::text && field.empty() &&
                                   std::holds_alternative<std::string_view>(row[i]) &&
                                   std::holds_alternative<std::monostate>(columns[i].initial);
        const auto exact = read_cell(columns[i].kind, field, is_empty_text, true);
        if (!exact)
            return bad(exact.error().message);
        const auto usual = read_cell(columns[i].kind, field, is_empty_text, false);
        line.needs_exact = line.needs_exact || !usual || *usual != *exact;
        line.text += i == 0 ? "" : ",";
        if (is_empty_text)
            line.text += "\"\"";
        else
            append_field(line.text, field);
    }
    line.text += '\n';
    return line;
}

template class ScheduleReader<Meetings>;
template class ScheduleReader<Participants>;
template std::optional<RowProblem> problem_of<Meetings>(Record<Meetings> const&, ScheduleRow<Meetings> const&);
template std::optional<RowProblem>
problem_of<Participants>(Record<Participants> const&, ScheduleRow<Participants> const&);
template std::string schedule_header<Meetings>();
template std::string schedule_header<Participants>();
template tl::expected<ScheduleLine, std::string> schedule_line<Meetings>(std::span<RowValue const> row);
template tl::expected<ScheduleLine, std::string> schedule_line<Participants>(std::span<RowValue const> row);

tl::expected<std::optional<sys_seconds>, FileError>
earliest_start(std::istream& meetings, std::string name, std::optional<char> separator, bool exact)
{
    using Reader = ScheduleReader<Meetings>;
    Reader reader{meetings, std::move(name), separator, exact};
    if (auto header = reader.read_header(); !header)
        return tl::unexpected{std::move(header.error())};
    std::optional<sys_seconds> earliest;
    for (auto step = reader.next(); step != CsvStep::end; step = reader.next()) {
        if (step != CsvStep::row || reader.check(reader.row(), with_initials<Meetings>(reader.row().values)))
            continue;
        const sys_seconds start = from_unix(std::get<std::int64_t>(reader.row().values[Meetings::starts_at]));
        earliest = earliest ? std::min(*earliest, start) : start;
    }
    return earliest;
}

Result<sys_seconds> parse_shift_start(std::string_view text, sys_seconds now)
{
    if (!text.starts_with('+'))
        return parse_iso8601(text);
    const Result<seconds> later = parse_duration(text.substr(1));
    if (!later)
        return tl::unexpected{later.error()};
    return now + *later;
}

} // namespace usher::ctl
