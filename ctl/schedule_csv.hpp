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
#include <vector>

#include <tl/expected.hpp>

#include <usher/core/failure.hpp>
#include <usher/core/role.hpp>
#include <usher/core/time.hpp>

#include "csv.hpp"

namespace usher::ctl {

struct ScheduleColumn {
    std::string_view name;  ///< in the file
    std::string_view table; ///< in the database
    bool required = false;
};

/// A row of the meetings file. What its file leaves empty or does not have is nullopt: the table's default applies.
struct MeetingRow {
    static constexpr std::string_view table = "meeting";
    static constexpr std::size_t key_columns = 1; ///< of `columns`, the first
    static constexpr std::array<ScheduleColumn, 12> columns{{
        {"external_id", "id", true},
        {"title", "title", true},
        {"starts_at_utc", "starts_at", true},
        {"ends_at_utc", "ends_at", true},
        {"status", "status"},
        {"project", "project"},
        {"media_mode", "media_mode"},
        {"archive_mode", "archive_mode"},
        {"archive_name", "archive_name"},
        {"archive_resolution", "archive_resolution"},
        {"location", "location"},
        {"e2ee", "e2ee"},
    }};

    std::string external_id;
    std::string title;
    sys_seconds starts_at;
    sys_seconds ends_at;
    std::optional<std::string> status;
    std::optional<std::string> project;
    std::optional<std::string> media_mode;
    std::optional<std::string> archive_mode;
    std::optional<std::string> archive_name;
    std::optional<std::string> archive_resolution;
    std::optional<std::string> location;
    std::optional<bool> e2ee;
};

/// A row of the participants file.
struct ParticipantRow {
    static constexpr std::string_view table = "participant";
    static constexpr std::size_t key_columns = 2;
    static constexpr std::array<ScheduleColumn, 6> columns{{
        {"meeting_external_id", "meeting_id", true},
        {"external_id", "participant_id", true},
        {"display_name", "display_name", true},
        {"role", "role", true},
        {"connection_data", "connection_data"},
        {"layout_classes", "layout_classes"},
    }};

    std::string meeting_external_id;
    std::string external_id;
    std::optional<std::string> display_name;
    Role role = Role::publisher; ///< the vendor's default, for an empty one
    std::optional<std::string> connection_data;
    std::optional<std::string> layout_classes;
};

/// Reads the rows of a schedule's file, in memory that does not grow with the file. Row is MeetingRow or
/// ParticipantRow. What a row must satisfy are the CHECKs of its table.
template <class Row>
class ScheduleReader {
public:
    enum class Step {
        row,     ///< `row()`
        problem, ///< `problem()`; the row is skipped
        end,
    };

    /// `name` is the file's, for messages.
    ScheduleReader(std::istream& in, std::string name);

    /// To be called first. The error is a sentence for people.
    tl::expected<void, std::string> read_header();

    Step next();

    /// Valid until the next call of `next()`.
    Row const& row() const { return row_; }
    std::size_t line() const { return csv_.line(); }

    /// `file:line: column: reason`.
    std::string const& problem() const { return problem_; }

    /// Whether the file has the column of Row::columns[index].
    bool has(std::size_t index) const { return place_[index].has_value(); }
    std::vector<std::string> const& unknown_columns() const { return unknown_columns_; }

    /// The stream broke before its end.
    bool failed() const { return csv_.failed(); }

private:
    std::string name_;
    CsvReader csv_;
    std::array<std::optional<std::size_t>, Row::columns.size()> place_;
    std::vector<std::string> names_; ///< of all columns, in the order of the file
    std::vector<std::string> unknown_columns_;
    Row row_;
    std::string problem_;
};

using MeetingReader = ScheduleReader<MeetingRow>;
using ParticipantReader = ScheduleReader<ParticipantRow>;

extern template class ScheduleReader<MeetingRow>;
extern template class ScheduleReader<ParticipantRow>;

/// The earliest start among the good rows; nullopt when there is none. The error is a sentence for people.
tl::expected<std::optional<sys_seconds>, std::string> earliest_start(std::istream& meetings, std::string name);

/// What `--shift-start` takes: ISO 8601 with a zone, or `+5m` from `now`. Errors: Errc::bad_time, Errc::bad_duration.
Result<sys_seconds> parse_shift_start(std::string_view text, sys_seconds now);

} // namespace usher::ctl
