// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>

#include <usher/core/printable.hpp>

namespace usher::ctl {

/// Where usherctl prints; nothing else writes to a stream. Literals are printed as they are. Any other text may come
/// from a row, a file, a server or SQLite: it is printable() on its line, and bounded.
class Printer {
public:
    explicit Printer(std::ostream& stream) : stream_{stream} {}

    template <std::size_t Size>
    Printer& operator<<(char const (&literal)[Size])
    {
        stream_ << std::string_view{literal, Size - 1};
        return *this;
    }
    template <std::size_t Size>
    Printer& operator<<(char (&buffer)[Size]) = delete; // is no literal

    Printer& operator<<(std::string_view text)
    {
        stream_ << printable(text, text_bytes_max);
        return *this;
    }
    Printer& operator<<(char c) { return c == '\n' ? *this << "\n" : *this << std::string_view{&c, 1}; }
    Printer& operator<<(std::integral auto number) { return *this << std::string_view{std::to_string(number)}; }

    /// Text of several lines, each of which is printable. What stands in it from elsewhere must be on one line already.
    void lines(std::string_view text)
    {
        while (!text.empty()) {
            const std::size_t end = text.find('\n');
            *this << text.substr(0, end) << '\n';
            text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        }
    }

    /// A part of a file for a program to read, as it is: nothing that a terminal is shown.
    void file(std::string_view bytes) { stream_ << bytes; }

    /// A whole JSON document.
    void json(std::string_view document) { stream_ << printable_json(document) << '\n'; }

private:
    static constexpr std::size_t text_bytes_max = 16 * 1024; // bytes, as the longest token

    std::ostream& stream_;
};

} // namespace usher::ctl
