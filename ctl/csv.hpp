// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <istream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace usher::ctl {

struct CsvLimits {
    std::size_t field_bytes = 64 * 1024;
    std::size_t columns = 256;
};

/// Reads RFC 4180 from a stream, a row at a time and in memory that does not grow with the file. Also takes lines that
/// end in LF alone and a UTF-8 byte order mark; skips empty lines.
///
/// A malformed row costs that row only. When its quotes do not match, the next row is taken to begin on the line after
/// the one where the mismatched quote opened.
class CsvReader {
public:
    enum class Step {
        row,     ///< `fields()`
        problem, ///< `problem()`; the row is skipped
        end,
    };

    explicit CsvReader(std::istream& in, CsvLimits limits = {});

    Step next();

    /// Valid until the next call of `next()`.
    std::span<std::string const> fields() const { return {fields_.data(), count_}; }

    /// The line, from 1, where the row began; for a problem, where that began.
    std::size_t line() const { return line_; }
    std::string const& problem() const { return problem_; }

    /// The stream broke before its end.
    bool failed() const { return failed_; }

private:
    static constexpr int end_of_file = -1;

    struct Place {
        std::uint64_t offset = 0; ///< in bytes from where the stream stood at first
        std::size_t line = 1;
    };

    int peek();
    int get();
    bool skip_to(Place place);
    bool refill();
    void add_field();
    void add(std::string_view bytes);
    void add_byte(int byte);
    void add_plain();
    void report(std::size_t line, std::string reason);
    Step skip_line();
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
    std::size_t current_line_ = 1;

    std::vector<std::string> fields_; ///< kept from row to row, for their memory
    std::size_t count_ = 0;
    std::size_t field_line_ = 1;
    bool field_too_long_ = false;
    std::size_t line_ = 1;
    std::string problem_;
    bool row_is_bad_ = false;
    bool failed_ = false;
};

} // namespace usher::ctl
