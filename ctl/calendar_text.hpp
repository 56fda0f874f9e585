// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "calendar.hpp"

namespace usher::ctl {

/// A component below VCALENDAR.
struct CalendarBlock {
    std::string kind; ///< `VEVENT`
    std::size_t line = 0;
    std::string text; ///< Unfolded, each line with CR LF.

    /// Its own lines, without those of components inside.
    std::vector<std::string_view> properties() const;
};

/// One VCALENDAR; a file may have several.
struct CalendarPart {
    std::size_t line = 0;
    std::string method;    ///< In capitals.
    std::string zone_name; ///< X-WR-TIMEZONE
    std::vector<CalendarBlock> blocks;
};

/// A file, cut so that a component that is malformed costs no other, and each has its line.
struct CalendarText {
    std::vector<CalendarPart> parts;
    std::vector<CalendarProblem> problems;
};

CalendarText cut_calendar(std::string_view text);

/// A property.
struct ContentLine {
    std::string name;                              ///< In capitals.
    std::map<std::string, std::string> parameters; ///< By names in capitals, without quotation marks.
    std::string value;                             ///< As it is written.
};

/// Reads an unfolded line. Nothing when a quotation mark is stray or left open, or it is no property.
std::optional<ContentLine> parse_content_line(std::string_view line);

/// The name at the begin of a line, in capitals.
std::string property_name(std::string_view line);

} // namespace usher::ctl
