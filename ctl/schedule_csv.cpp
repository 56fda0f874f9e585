// SPDX-License-Identifier: Apache-2.0
#include "schedule_csv.hpp"

#include <algorithm>
#include <utility>

namespace usher::ctl {
namespace {

constexpr std::int64_t first_not_seconds = 100'000'000'000; // the year 5138; from there on it is milliseconds

struct Problem {
    std::string_view column; ///< empty when it is about the whole row
    std::string reason;
};

using Fields = std::span<std::string const* const>; ///< by column of the row's type; null for one the file lacks
using Check = std::optional<Problem>;

/// A value as messages show it: short, and harmless to a terminal.
std::string quoted(std::string_view text)
{
    constexpr std::size_t longest = 40;
    std::string shown = "\"";
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (i >= longest && (byte & 0xC0U) != 0x80U) { // not within a character
            shown += "...";
            break;
        }
        shown += byte < 0x20 || byte == 0x7F ? '?' : text[i];
    }
    return shown + '"';
}

bool is_utf8(std::string_view text)
{
    for (std::size_t i = 0; i < text.size();) {
        const auto first = static_cast<unsigned char>(text[i++]);
        if (first < 0x80)
            continue;
        const int more = first >= 0xC2 && first < 0xE0   ? 1
                         : (first & 0xF0U) == 0xE0       ? 2
                         : first >= 0xF0 && first < 0xF5 ? 3
                                                         : 0;
        // The second byte rules out overlong forms, surrogates and what lies beyond U+10FFFF.
        unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
        unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
        for (int k = 0; k < more; ++k, ++i, low = 0x80, high = 0xBF) {
            if (i == text.size())
                return false;
            const auto next = static_cast<unsigned char>(text[i]);
            if (next < low || next > high)
                return false;
        }
        if (more == 0)
            return false;
    }
    return true;
}

std::string bytes(std::size_t count)
{
    return std::to_string(count) + (count == 1 ? " byte" : " bytes");
}

std::size_t characters(std::string_view utf8)
{
    return static_cast<std::size_t>(std::ranges::count_if(utf8, [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    }));
}

bool is_ipv4(std::string_view text)
{
    int parts = 0;
    for (;; ++parts) {
        const std::size_t dot = text.find('.');
        const std::string_view part = text.substr(0, dot);
        if (part.empty() || part.size() > 3)
            return false;
        int value = 0;
        for (const char c : part) {
            if (c < '0' || c > '9')
                return false;
            value = value * 10 + (c - '0');
        }
        if (value > 255)
            return false;
        if (dot == std::string_view::npos)
            return parts == 3;
        text.remove_prefix(dot + 1);
    }
}

/// The value, or nullopt for an empty one and for a column that the file lacks.
std::optional<std::string> optional_text(std::string const* field)
{
    if (field == nullptr || field->empty())
        return std::nullopt;
    return *field;
}

Check check_length(std::string_view column, std::string_view value, std::size_t longest)
{
    if (value.empty())
        return Problem{column, "is empty"};
    if (value.size() > longest)
        return Problem{column, "has " + bytes(value.size()) + "; at most " + std::to_string(longest) + " are allowed"};
    return std::nullopt;
}

Check check_one_of(
    std::string_view column, std::optional<std::string> const& value, std::initializer_list<std::string_view> allowed
)
{
    if (!value || std::ranges::find(allowed, *value) != allowed.end())
        return std::nullopt;
    std::string list;
    for (std::size_t i = 0; i < allowed.size(); ++i) {
        if (i > 0)
            list += i + 1 == allowed.size() ? " or " : ", ";
        list += allowed.begin()[i];
    }
    return Problem{column, quoted(*value) + " is not " + list};
}

Check read_switch(std::string_view column, std::string const* field, std::optional<bool>& value)
{
    std::optional<std::string> text = optional_text(field);
    value = std::nullopt;
    if (!text)
        return std::nullopt;
    for (char& c : *text)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c - 'A' + 'a');
    if (*text != "0" && *text != "1" && *text != "false" && *text != "true")
        return Problem{column, quoted(*field) + " is not 0, 1, false or true"};
    value = *text == "1" || *text == "true";
    return std::nullopt;
}

Check read_time(std::string_view column, std::string_view text, sys_seconds& time)
{
    const Result<sys_seconds> parsed = parse_iso8601(text);
    if (!parsed)
        return Problem{column, quoted(text) + " is not a time with a zone, like 2021-02-06T09:00:00Z"};
    if (unix_seconds(*parsed) < 0 || unix_seconds(*parsed) >= first_not_seconds)
        return Problem{column, quoted(text) + " is before 1970 or after 5138"};
    time = *parsed;
    return std::nullopt;
}

Check read_row(Fields field, MeetingRow& row)
{
    row.external_id = *field[0];
    row.title = *field[1];
    row.status = optional_text(field[4]);
    row.project = optional_text(field[5]);
    row.media_mode = optional_text(field[6]);
    row.archive_mode = optional_text(field[7]);
    row.archive_name = optional_text(field[8]);
    row.archive_resolution = optional_text(field[9]);
    row.location = optional_text(field[10]);

    if (auto problem = check_length("external_id", row.external_id, 255))
        return problem;
    if (auto problem = read_time("starts_at_utc", *field[2], row.starts_at))
        return problem;
    if (auto problem = read_time("ends_at_utc", *field[3], row.ends_at))
        return problem;
    if (row.ends_at <= row.starts_at)
        return Problem{"ends_at_utc", quoted(*field[3]) + " is not after the start, " + quoted(*field[2])};
    if (auto problem = check_one_of("status", row.status, {"scheduled", "cancelled"}))
        return problem;
    if (row.project)
        if (auto problem = check_length("project", *row.project, 64))
            return problem;
    if (auto problem = check_one_of("media_mode", row.media_mode, {"routed", "relayed"}))
        return problem;
    if (auto problem = check_one_of("archive_mode", row.archive_mode, {"manual", "always"}))
        return problem;
    if (row.archive_name && characters(*row.archive_name) > 80)
        return Problem{
            "archive_name",
            "has " + std::to_string(characters(*row.archive_name)) + " characters; at most 80 are allowed"};
    if (auto problem = check_one_of(
            "archive_resolution", row.archive_resolution,
            {"640x480", "480x640", "1280x720", "720x1280", "1920x1080", "1080x1920"}
        ))
        return problem;
    if (row.location && !is_ipv4(*row.location))
        return Problem{"location", quoted(*row.location) + " is not an IPv4 address"};
    if (auto problem = read_switch("e2ee", field[11], row.e2ee))
        return problem;

    const bool relayed = row.media_mode == "relayed";
    const bool always = row.archive_mode == "always";
    if (always && relayed)
        return Problem{"archive_mode", "always needs media_mode routed"};
    if (row.archive_name && !always)
        return Problem{"archive_name", "needs archive_mode always"};
    if (row.archive_resolution && !always)
        return Problem{"archive_resolution", "needs archive_mode always"};
    if (row.e2ee == true && (relayed || always))
        return Problem{"e2ee", "needs media_mode routed and archive_mode manual"};
    return std::nullopt;
}

Check read_row(Fields field, ParticipantRow& row)
{
    row.meeting_external_id = *field[0];
    row.external_id = *field[1];
    row.display_name = optional_text(field[2]);
    row.connection_data = optional_text(field[4]);
    row.layout_classes = optional_text(field[5]);

    if (auto problem = check_length("meeting_external_id", row.meeting_external_id, 255))
        return problem;
    if (auto problem = check_length("external_id", row.external_id, 255))
        return problem;
    const std::optional<Role> role = field[3]->empty() ? Role::publisher : parse_role(*field[3]);
    if (!role)
        return Problem{
            "role", quoted(*field[3]) + " is not subscriber, publisher, publisheronly, moderator or empty (publisher)"};
    row.role = *role;
    if (row.connection_data)
        if (auto problem = check_length("connection_data", *row.connection_data, 1000))
            return problem;
    if (row.layout_classes) {
        std::string const& classes = *row.layout_classes;
        if (auto problem = check_length("layout_classes", classes, 1000))
            return problem;
        const auto is_part = [](char c) {
            return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
                   c == ' ';
        };
        if (!std::ranges::all_of(classes, is_part) || classes.front() == ' ' || classes.back() == ' ' ||
            classes.find("  ") != std::string::npos)
            return Problem{
                "layout_classes",
                quoted(classes) + " are not names of letters, digits, _ and - with one space between two"};
    }
    return std::nullopt;
}

std::string join(std::span<std::string const> names)
{
    std::string list;
    for (std::string const& name : names)
        list += (list.empty() ? "" : ", ") + name;
    return list;
}

} // namespace

template <class Row>
ScheduleReader<Row>::ScheduleReader(std::istream& in, std::string name) : name_{std::move(name)}, csv_{in}
{}

template <class Row>
tl::expected<void, std::string> ScheduleReader<Row>::read_header()
{
    const auto error = [&](std::string reason) { return tl::unexpected{name_ + ": " + std::move(reason)}; };
    const CsvReader::Step step = csv_.next();
    if (csv_.failed())
        return error("cannot be read");
    if (step == CsvReader::Step::end)
        return error("is empty; the first line must name the columns");
    if (step == CsvReader::Step::problem)
        return error("the line that names the columns " + csv_.problem());
    for (std::string const& name : csv_.fields()) {
        if (name.find('\0') != std::string::npos || !is_utf8(name))
            return error("is not text in UTF-8");
        if (!name.empty() && std::ranges::find(names_, name) != names_.end())
            return error("column " + quoted(name) + " is there twice");
        const auto* const known = std::ranges::find(Row::columns, name, &ScheduleColumn::name);
        if (known != Row::columns.end())
            place_[static_cast<std::size_t>(known - Row::columns.begin())] = names_.size();
        else
            unknown_columns_.push_back(name);
        names_.push_back(name);
    }
    std::vector<std::string> missing;
    for (std::size_t i = 0; i < Row::columns.size(); ++i)
        if (Row::columns[i].required && !has(i))
            missing.emplace_back(Row::columns[i].name);
    if (!missing.empty())
        return error((missing.size() == 1 ? "lacks the column " : "lacks the columns ") + join(missing));
    return {};
}

template <class Row>
typename ScheduleReader<Row>::Step ScheduleReader<Row>::next()
{
    const auto bad = [&](Problem const& problem) {
        problem_ = name_ + ":" + std::to_string(csv_.line()) + ": ";
        if (!problem.column.empty())
            problem_.append(problem.column).append(": ");
        problem_ += problem.reason;
        return Step::problem;
    };
    switch (csv_.next()) {
    case CsvReader::Step::end: return Step::end;
    case CsvReader::Step::problem: return bad({{}, csv_.problem()});
    case CsvReader::Step::row: break;
    }
    const std::span<std::string const> fields = csv_.fields();
    if (fields.size() != names_.size())
        return bad(
            {{},
             "has " + std::to_string(fields.size()) + (fields.size() == 1 ? " field" : " fields") +
                 " where the header has " + std::to_string(names_.size())}
        );
    std::array<std::string const*, Row::columns.size()> known{};
    for (std::size_t i = 0; i < known.size(); ++i) {
        if (!has(i))
            continue;
        known[i] = &fields[*place_[i]];
        if (known[i]->find('\0') != std::string::npos)
            return bad({Row::columns[i].name, "contains a NUL byte"});
        if (!is_utf8(*known[i]))
            return bad({Row::columns[i].name, "is not UTF-8"});
    }
    if (const Check problem = read_row(known, row_))
        return bad(*problem);
    return Step::row;
}

template class ScheduleReader<MeetingRow>;
template class ScheduleReader<ParticipantRow>;

tl::expected<std::optional<sys_seconds>, std::string> earliest_start(std::istream& meetings, std::string name)
{
    MeetingReader reader{meetings, std::move(name)};
    if (auto header = reader.read_header(); !header)
        return tl::unexpected{std::move(header.error())};
    std::optional<sys_seconds> earliest;
    for (auto step = reader.next(); step != MeetingReader::Step::end; step = reader.next())
        if (step == MeetingReader::Step::row && (!earliest || reader.row().starts_at < *earliest))
            earliest = reader.row().starts_at;
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
