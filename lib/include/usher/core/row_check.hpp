// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <usher/core/meeting.hpp>

namespace usher {

struct Blob {
    std::string_view bytes;
};

/// A value as its column holds it before anybody has looked at it: NULL, a number, text of any bytes, or a BLOB.
using RowValue = std::variant<std::monostate, std::int64_t, double, std::string_view, Blob>;

/// A row of the table `meeting`, by columns. Those that are left out have the table's defaults.
struct RawMeeting {
    RowValue id;
    RowValue title = std::string_view{};
    RowValue starts_at;
    RowValue ends_at;
    RowValue status = std::string_view{"scheduled"};
    RowValue project = std::string_view{"default"};
    RowValue media_mode = std::string_view{"routed"};
    RowValue archive_mode = std::string_view{"manual"};
    RowValue archive_name;
    RowValue archive_resolution;
    RowValue location;
    RowValue e2ee = std::int64_t{0};
    RowValue session_id;
    RowValue early_join;
    RowValue grace;
};

/// A row of the table `participant`.
struct RawParticipant {
    RowValue meeting_id;
    RowValue participant_id;
    RowValue display_name;
    RowValue role;
    RowValue connection_data;
    RowValue layout_classes;
};

/// What is wrong with a row.
struct RowFault {
    std::string_view column;
    std::string value;  ///< Printable and short.
    std::string reason; ///< Such as `expected an IPv4 address such as 203.0.113.7`.

    /// `location: 999.1.1.1: expected an IPv4 address such as 203.0.113.7`.
    std::string text() const;
};

/// The one place that says which rows are good: what the tables' CHECKs refuse is refused here too, should they have
/// got lost, and so is what they cannot tell, such as 999.1.1.1. The first fault is told.
std::optional<RowFault> check_row(RawMeeting const& row);
std::optional<RowFault> check_row(RawParticipant const& row);

/// Of that, what concerns the session alone. Empty texts are NULL.
std::optional<RowFault> check_session_options(SessionOptions const& options);

} // namespace usher
