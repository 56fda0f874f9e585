// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <usher/core/readiness.hpp>

#include "printer.hpp"

namespace usher::ctl {

/// One answer, from above to below: the verdict, what to do, the details. Wrapped where it goes to a terminal, between
/// words and never within what whole() made.
class Page {
public:
    /// `width` in columns; 0: nothing is wrapped. `colour`: the verdict has one, which only repeats its words.
    Page(Printer& out, std::size_t width, bool colour) : out_{out}, width_{width}, colour_{colour} {}

    /// `All well: …`.
    void verdict(Verdict verdict, std::string const& sentence);
    void sentence(std::string const& text) { put(text, {}); }
    void to_do(std::string const& command) { put("do: " + command, "  "); }
    /// `live       5 ready`.
    void line(std::string_view label, std::string const& text);
    void indented(std::string const& text) { put("  " + text, "  "); }
    bool is_terminal() const { return width_ > 0; }
    void blank() { out_ << "\n"; }

private:
    void put(std::string const& text, std::string_view indent);

    Printer& out_;
    std::size_t width_;
    bool colour_;
};

/// An id or another text from elsewhere, as shown_id(), and never broken over two lines.
std::string whole(std::string_view text);

/// An id as an argument of a command that somebody is told to type; else as whole().
std::string argument(std::string_view id);

/// A sentence from elsewhere, printable.
std::string prose(std::string_view text);

/// What whole() made as it is printed: for JSON, and for what goes elsewhere than to a page.
std::string unbound(std::string text);

/// How wide the terminal is that `descriptor` leads to: 60 to 120; 0 where it leads to none.
std::size_t terminal_width(int descriptor);

/// Whether terminals of the kind that TERM names know colours and can clear a line: not `dumb`, such as an editor's.
bool terminal_is_able();

} // namespace usher::ctl
