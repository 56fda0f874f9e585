// SPDX-License-Identifier: Apache-2.0
#include "page.hpp"

#include <algorithm>
#include <cstdlib>

#include <sys/ioctl.h>
#include <unistd.h>

#include <usher/core/printable.hpp>
#include <usher/core/utf8.hpp>

namespace usher::ctl {
namespace {

constexpr std::size_t label_width = 11;
constexpr char bound_space = '\x1f'; // printable text has no such byte

} // namespace

std::string whole(std::string_view text)
{
    std::string result = shown_id(text);
    std::replace(result.begin(), result.end(), ' ', bound_space);
    return result;
}

std::string argument(std::string_view id)
{
    return (id.starts_with('-') ? "-- " : "") + whole(shell_word(id));
}

std::string prose(std::string_view text)
{
    constexpr std::size_t longest = 1000;
    return printable(text, longest);
}

std::string unbound(std::string text)
{
    std::replace(text.begin(), text.end(), bound_space, ' ');
    return text;
}

void Page::verdict(Verdict verdict, std::string const& sentence)
{
    if (colour_)
        switch (verdict) {
        case Verdict::all_well: out_ << "\x1b[32m"; break;
        case Verdict::at_risk: out_ << "\x1b[33m"; break;
        case Verdict::failing: out_ << "\x1b[31m"; break;
        }
    put(sentence, {});
    if (colour_)
        out_ << "\x1b[0m";
}

void Page::line(std::string_view label, std::string const& text)
{
    std::string start{label};
    start.resize(std::max(label_width, start.size() + 1), ' ');
    std::replace(start.begin(), start.end(), ' ', bound_space);
    put(start + text, "  ");
}

void Page::put(std::string const& text, std::string_view indent)
{
    std::string line;
    std::string_view rest = text;
    while (!rest.empty()) {
        // A word, with the spaces before it. A character takes one column, as far as usher knows.
        const std::size_t start = std::min(rest.find_first_not_of(' '), rest.size());
        const std::size_t end = std::min(rest.find(' ', start), rest.size());
        const std::string_view word = rest.substr(0, end);
        if (width_ > 0 && count_characters(line) > indent.size() &&
            count_characters(line) + count_characters(word) > width_) {
            out_ << unbound(line) << '\n';
            line = indent;
            line += word.substr(start);
        } else {
            line += word;
        }
        rest.remove_prefix(end);
    }
    out_ << unbound(line) << '\n';
}

std::size_t terminal_width(int descriptor)
{
    if (::isatty(descriptor) == 0)
        return 0;
    winsize size{};
    constexpr std::size_t usual = 80;
    if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return usual;
    return std::clamp<std::size_t>(size.ws_col, 60, 120);
}

bool terminal_is_able()
{
    char const* const kind = std::getenv("TERM");
    return kind != nullptr && std::string_view{kind} != "dumb" && *kind != '\0';
}

} // namespace usher::ctl
