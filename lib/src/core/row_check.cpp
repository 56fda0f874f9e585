// SPDX-License-Identifier: Apache-2.0
#include <usher/core/row_check.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <initializer_list>

#include <arpa/inet.h>

#include <usher/core/ascii.hpp>
#include <usher/core/printable.hpp>
#include <usher/core/role.hpp>
#include <usher/core/time.hpp>
#include <usher/core/token.hpp>
#include <usher/core/utf8.hpp>

namespace usher {

namespace {

using Check = std::optional<RowFault>;

constexpr std::int64_t first_seconds = 1'000'000'000;      // 2001; less is a year or a day
constexpr std::int64_t first_no_seconds = 100'000'000'000; // 5138; more is milliseconds
constexpr std::int64_t door_seconds_max = 2'592'000;
constexpr std::size_t id_max = 255;
constexpr std::size_t project_max = 64;
constexpr std::size_t archive_name_max = 80; // characters

bool is_null(RowValue const& value)
{
    return std::holds_alternative<std::monostate>(value);
}

std::string_view const* text_in(RowValue const& value)
{
    return std::get_if<std::string_view>(&value);
}

std::int64_t const* integer_in(RowValue const& value)
{
    return std::get_if<std::int64_t>(&value);
}

/// As SQLite makes text of a float that is bound to a TEXT column.
std::string text_of(double number)
{
    std::array<char, 32> buffer{};
    char* const end =
        std::to_chars(buffer.data(), buffer.data() + buffer.size(), number, std::chars_format::general, 15).ptr;
    std::string text{buffer.data(), end};
    if (text.find_first_of(".n") == std::string::npos) // not nan, inf
        text.insert(std::min(text.find('e'), text.size()), ".0");
    return text;
}

std::string shown(RowValue const& value)
{
    if (auto const* integer = integer_in(value))
        return std::to_string(*integer);
    if (auto const* number = std::get_if<double>(&value))
        return text_of(*number);
    if (auto const* blob = std::get_if<Blob>(&value))
        return "a BLOB of " + std::to_string(blob->bytes.size()) + " bytes";
    if (auto const* text = text_in(value)) {
        const bool bare = !text->empty() && text->front() != ' ' && text->back() != ' ';
        return bare ? printable(*text, 64) : in_quotes(*text);
    }
    return "NULL";
}

RowFault fault(std::string_view column, RowValue const& value, std::string reason)
{
    return {column, shown(value), std::move(reason)};
}

std::string at_most(std::size_t size, std::size_t longest, std::string_view unit)
{
    return "has " + std::to_string(size) + " " + std::string{unit} + "; at most " + std::to_string(longest) +
           " are allowed";
}

/// Whether a number was bound as a float where its text was meant: `7.0`, `1.0e+16`; not `1.50` or `v7.0`.
bool is_bound_as_float(std::string_view text)
{
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool suspicious = text.ends_with(".0") || text.find('e') != std::string_view::npos;
    return suspicious && error == std::errc{} && end == text.data() + text.size() && text_of(number) == text;
}

Check check_text(std::string_view column, RowValue const& value)
{
    if (is_null(value))
        return fault(column, value, "expected text");
    auto const* const text = text_in(value);
    if (text == nullptr)
        return fault(column, value, "expected text; bind it as text");
    if (text->find('\0') != std::string_view::npos)
        return fault(column, value, "contains a NUL character");
    return std::nullopt;
}

Check check_length(std::string_view column, RowValue const& value, std::size_t longest)
{
    if (auto wrong = check_text(column, value))
        return wrong;
    const std::string_view text = *text_in(value);
    if (text.empty())
        return fault(column, value, "is empty");
    if (text.size() > longest)
        return fault(column, value, at_most(text.size(), longest, "bytes"));
    return std::nullopt;
}

Check check_id(std::string_view column, RowValue const& value)
{
    if (integer_in(value) != nullptr) // which the column keeps as text
        return std::nullopt;
    if (auto wrong = check_length(column, value, id_max))
        return wrong;
    if (is_bound_as_float(*text_in(value)))
        return fault(column, value, "reads like a number that was bound as a float; bind ids as text");
    return std::nullopt;
}

Check check_time(std::string_view column, RowValue const& value)
{
    auto const* const time = integer_in(value);
    if (time == nullptr)
        return fault(column, value, "expected an integer, Unix seconds in UTC");
    if (*time < first_seconds)
        return fault(column, value, "is before 2001-09-09T01:46:40Z, 1000000000 in Unix seconds");
    if (*time >= first_no_seconds)
        return fault(
            column, value,
            *time < first_seconds * 1000 ? "is beyond the year 5138"
                                         : "is beyond the year 5138; milliseconds are no Unix seconds"
        );
    return std::nullopt;
}

Check check_one_of(std::string_view column, RowValue const& value, std::initializer_list<std::string_view> allowed)
{
    auto const* const text = text_in(value);
    if (text != nullptr && std::find(allowed.begin(), allowed.end(), *text) != allowed.end())
        return std::nullopt;
    std::string list;
    for (std::size_t i = 0; i < allowed.size(); ++i) {
        if (i > 0)
            list += i + 1 == allowed.size() ? " or " : ", ";
        list += allowed.begin()[i];
    }
    return fault(column, value, "expected " + list);
}

Check check_door(std::string_view column, RowValue const& value)
{
    if (is_null(value))
        return std::nullopt;
    auto const* const length = integer_in(value);
    if (length == nullptr || *length < 0 || *length > door_seconds_max)
        return fault(column, value, "expected seconds from 0 to 2592000, an integer");
    return std::nullopt;
}

bool is_visible_ascii(std::string_view text)
{
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

bool is_ipv4(std::string_view text)
{
    in_addr address{};
    return text.find('\0') == std::string_view::npos && ::inet_pton(AF_INET, std::string{text}.c_str(), &address) == 1;
}

std::string_view text_or_empty(RowValue const& value)
{
    auto const* const text = text_in(value);
    return text != nullptr ? *text : std::string_view{};
}

Check check_meeting_options(RawMeeting const& row)
{
    if (auto wrong = check_one_of("media_mode", row.media_mode, {"routed", "relayed"}))
        return wrong;
    if (auto wrong = check_one_of("archive_mode", row.archive_mode, {"manual", "always"}))
        return wrong;
    if (!is_null(row.archive_name)) {
        if (auto wrong = check_text("archive_name", row.archive_name))
            return wrong;
        const std::string_view name = text_or_empty(row.archive_name);
        if (name.empty())
            return fault("archive_name", row.archive_name, "is empty; NULL stands for none");
        if (!is_utf8(name))
            return fault("archive_name", row.archive_name, "is not UTF-8");
        if (count_characters(name) > archive_name_max)
            return fault(
                "archive_name", row.archive_name, at_most(count_characters(name), archive_name_max, "characters")
            );
    }
    if (!is_null(row.archive_resolution))
        if (auto wrong = check_one_of(
                "archive_resolution", row.archive_resolution,
                {"640x480", "480x640", "1280x720", "720x1280", "1920x1080", "1080x1920"}
            ))
            return wrong;
    if (!is_null(row.location) && !is_ipv4(text_or_empty(row.location)))
        return fault("location", row.location, "expected an IPv4 address such as 203.0.113.7");
    auto const* const e2ee = integer_in(row.e2ee);
    if (e2ee == nullptr || (*e2ee != 0 && *e2ee != 1))
        return fault("e2ee", row.e2ee, "expected 0 or 1");

    const bool relayed = text_or_empty(row.media_mode) == "relayed";
    const bool always = text_or_empty(row.archive_mode) == "always";
    if (always && relayed)
        return fault("archive_mode", row.archive_mode, "needs media_mode routed: relayed sessions cannot be archived");
    if (!is_null(row.archive_name) && !always)
        return fault("archive_name", row.archive_name, "needs archive_mode always");
    if (!is_null(row.archive_resolution) && !always)
        return fault("archive_resolution", row.archive_resolution, "needs archive_mode always");
    if (*e2ee == 1 && (relayed || always))
        return fault("e2ee", row.e2ee, "needs media_mode routed and archive_mode manual");
    return std::nullopt;
}

} // namespace

std::string RowFault::text() const
{
    return std::string{column} + ": " + value + ": " + reason;
}

std::optional<RowFault> check_row(RawMeeting const& row)
{
    if (auto wrong = check_id("id", row.id))
        return wrong;
    if (auto wrong = check_text("title", row.title))
        return wrong;
    if (auto wrong = check_time("starts_at", row.starts_at))
        return wrong;
    if (auto wrong = check_time("ends_at", row.ends_at))
        return wrong;
    const std::int64_t starts_at = *integer_in(row.starts_at);
    if (*integer_in(row.ends_at) <= starts_at)
        return fault("ends_at", row.ends_at, "is not after the start, " + to_iso8601(from_unix(starts_at)));
    if (auto wrong = check_one_of("status", row.status, {"scheduled", "cancelled"}))
        return wrong;
    if (auto wrong = check_length("project", row.project, project_max))
        return wrong;
    if (text_or_empty(row.project) == "*")
        return fault("project", row.project, "stands for all projects in requests; name one");
    if (auto wrong = check_meeting_options(row))
        return wrong;
    if (!is_null(row.session_id)) {
        if (auto wrong = check_length("session_id", row.session_id, id_max))
            return wrong;
        if (!is_visible_ascii(text_or_empty(row.session_id)))
            return fault("session_id", row.session_id, "holds what is not ASCII, or a space");
    }
    if (auto wrong = check_door("early_join", row.early_join))
        return wrong;
    return check_door("grace", row.grace);
}

std::optional<RowFault> check_row(RawParticipant const& row)
{
    if (auto wrong = check_id("meeting_id", row.meeting_id))
        return wrong;
    if (auto wrong = check_id("participant_id", row.participant_id))
        return wrong;
    if (!is_null(row.display_name))
        if (auto wrong = check_text("display_name", row.display_name))
            return wrong;
    if (!parse_role(text_or_empty(row.role)))
        return fault("role", row.role, "expected subscriber, publisher, publisheronly or moderator");
    if (!is_null(row.connection_data))
        if (auto wrong = check_text("connection_data", row.connection_data))
            return wrong;
    if (!is_null(row.layout_classes))
        if (auto wrong = check_text("layout_classes", row.layout_classes))
            return wrong;
    if (auto checked = check_connection_data(text_or_empty(row.connection_data)); !checked)
        return fault("connection_data", row.connection_data, checked.error().message);
    if (auto checked = check_layout_classes(text_or_empty(row.layout_classes)); !checked)
        return fault("layout_classes", row.layout_classes, checked.error().message);
    return std::nullopt;
}

std::optional<RowFault> check_session_options(SessionOptions const& options)
{
    const auto value = [](std::string const& text) {
        return text.empty() ? RowValue{} : RowValue{std::string_view{text}};
    };
    RawMeeting row;
    row.media_mode = std::string_view{options.media_mode};
    row.archive_mode = std::string_view{options.archive_mode};
    row.archive_name = value(options.archive_name);
    row.archive_resolution = value(options.archive_resolution);
    row.location = value(options.location);
    row.e2ee = std::int64_t{options.e2ee};
    return check_meeting_options(row);
}

} // namespace usher
