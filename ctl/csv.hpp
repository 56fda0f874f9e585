// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <istream>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace usher::ctl {

struct CsvLimits {
    std::size_t field_bytes = 64 * 1024;
    std::size_t row_bytes = 16 * 1024 * 1024; ///< Read of a row, rounded up to a block, before reading stops.
    std::size_t columns = 256;
};

/// What next() of a reader came upon.
enum class CsvStep : std::uint8_t {
    row,     ///< `fields()`, or `row()`, has it.
    problem, ///< `problem()` says why it is skipped.
    end,
};

/// Reads RFC 4180 from a stream, a row at a time and in memory that does not grow with the file. Also takes lines that
/// end in LF alone and a UTF-8 byte order mark; skips empty lines.
///
/// The separator is a comma unless another is set.
///
/// A malformed row costs that row only. When its quotes do not match, the next row is taken to begin on the line after
/// the one where the mismatched quote opened.
class CsvReader {
public:
    struct Place {
        std::size_t line = 1;   ///< From 1.
        std::size_t column = 1; ///< Likewise, in characters.
    };

    explicit CsvReader(std::istream& in, CsvLimits limits = {});

    /// What the next row begins with, to its end or to that of the buffer.
    std::string_view line_ahead() const;
    void set_separator(char separator) { separator_ = separator; }
    void skip_line();

    CsvStep next();
    /// Whether anything but empty lines follows.
    bool has_more();

    /// Valid until the next call of `next()`.
    std::span<std::string const> fields() const { return {fields_.data(), count_}; }

    /// Whether a field of the row stood in quotes: an empty one is an empty text then, and else nothing.
    bool is_quoted(std::size_t field) const { return quoted_[field]; }

    /// Where the row began; for a problem, where that began.
    Place place() const { return place_; }
    std::size_t line() const { return place_.line; }
    /// Where a field of the row began.
    Place place_of(std::size_t field) const { return places_[field]; }
    std::string const& problem() const { return problem_; }

    /// The stream broke before its end.
    bool failed() const { return failed_; }
    /// Reading stopped before the end of the stream, in a row without an end: the one at `place()`.
    bool endless() const { return endless_; }

private:
    static constexpr int end_of_file = -1;

    struct LineStart {
        std::uint64_t offset = 0; ///< in bytes from where the stream stood at first
        std::size_t line = 1;
    };

    int peek();
    int get();
    bool skip_to(LineStart start);
    bool refill();
    void add_field();
    void add(std::string_view bytes);
    void add_byte(int byte);
    void add_plain();
    void report(Place place, std::string reason);
    bool skip_empty_lines();
    CsvStep read_row();
    bool read_field();
    bool read_quoted();
    bool read_plain();

    std::istream& in_;
    CsvLimits limits_;
    std::streamoff base_;
    std::vector<char> buffer_;
    std::uint64_t buffer_offset_ = 0; ///< of the buffer's first byte
    std::size_t position_ = 0;
    std::size_t filled_ = 0;
    Place here_; ///< of the next character
    char separator_ = ',';

    std::vector<std::string> fields_; ///< kept from row to row, for their memory
    std::size_t count_ = 0;
    std::vector<Place> places_; ///< of the fields
    std::vector<bool> quoted_;  ///< likewise
    bool field_too_long_ = false;
    Place place_;
    std::string problem_;
    bool row_is_bad_ = false;
    bool stray_return_ = false; ///< taken already, and no line end
    bool failed_ = false;
    std::optional<std::uint64_t> row_begin_; ///< Of the row that is being read, in bytes as LineStart::offset.
    bool endless_ = false;
};

} // namespace usher::ctl
