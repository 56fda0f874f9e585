// SPDX-License-Identifier: Apache-2.0
#include "calendar_text.hpp"

#include <utility>

#include <usher/core/printable.hpp>

namespace usher::ctl {
namespace {

constexpr std::size_t block_bytes_max = 4 * 1024 * 1024; // of one event

std::string to_upper(std::string_view text)
{
    std::string result{text};
    for (char& c : result)
        if (c >= 'a' && c <= 'z')
            c = static_cast<char>(c - 'a' + 'A');
    return result;
}

std::string_view without_blanks(std::string_view text)
{
    constexpr char const* blanks = " \t";
    const std::size_t begin = text.find_first_not_of(blanks);
    return begin == std::string_view::npos ? std::string_view{}
                                           : text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

/// `^n`, `^^` and `^'` as RFC 6868 has them.
std::string decoded(std::string_view text)
{
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char next = text[i] == '^' && i + 1 < text.size() ? text[i + 1] : ' ';
        const bool is_escape = next == 'n' || next == '^' || next == '\'';
        result += !is_escape ? text[i] : next == 'n' ? '\n' : next == '^' ? '^' : '"';
        i += is_escape ? 1 : 0;
    }
    return result;
}

class Cutter {
public:
    explicit Cutter(std::string_view text)
    {
        std::string unfolded;
        std::size_t first = 1;
        for (std::size_t line = 1; !text.empty(); ++line) {
            const std::size_t end = text.find('\n');
            std::string_view content = text.substr(0, end);
            text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
            if (content.ends_with('\r'))
                content.remove_suffix(1);
            if (line > 1 && (content.starts_with(' ') || content.starts_with('\t'))) {
                unfolded += content.substr(1);
                continue;
            }
            take(unfolded, first);
            unfolded = content;
            first = line;
        }
        take(unfolded, first);
        end_calendar();
    }

    CalendarText take_result() { return std::move(result_); }

private:
    void take(std::string_view content, std::size_t line)
    {
        const std::string name = property_name(content);
        if (name == "BEGIN" || name == "END") {
            const std::string component = to_upper(without_blanks(content.substr(name.size() + 1)));
            name == "BEGIN" ? begin(component, content, line) : end(component, content, line);
        } else if (!open_.empty()) {
            add(content);
        } else if (is_in_calendar_ && (name == "METHOD" || name == "X-WR-TIMEZONE")) {
            const auto property = parse_content_line(content);
            const std::string_view value = without_blanks(property ? property->value : std::string_view{});
            (name == "METHOD" ? part().method : part().zone_name) =
                name == "METHOD" ? to_upper(value) : std::string{value};
        }
    }

    void begin(std::string const& component, std::string_view content, std::size_t line)
    {
        if (component == "VCALENDAR") {
            end_calendar();
            is_in_calendar_ = true;
            result_.parts.emplace_back().line = line;
            return;
        }
        if (!open_.empty() && component == "VEVENT" && block_.kind == "VEVENT")
            end_block();
        if (open_.empty())
            block_ = {component, line, {}};
        open_.push_back(component);
        add(content);
    }

    void end(std::string const& component, std::string_view content, std::size_t line)
    {
        if (component == "VCALENDAR" && open_.empty() && is_in_calendar_) {
            is_in_calendar_ = false;
            return;
        }
        if (open_.empty() || open_.back() != component) {
            result_.problems.push_back({line, "END of " + printable(component, 64) + ", which was not begun"});
            open_.clear();
            return;
        }
        add(content);
        open_.pop_back();
        if (!open_.empty())
            return;
        if (block_.text.size() > block_bytes_max)
            result_.problems.push_back({block_.line, block_.kind + " has more than 4 MiB"});
        else if (is_in_calendar_)
            part().blocks.push_back(std::exchange(block_, {}));
        else
            result_.problems.push_back({block_.line, printable(block_.kind, 64) + " is in no VCALENDAR"});
    }

    void end_block()
    {
        if (!open_.empty())
            result_.problems.push_back({block_.line, printable(block_.kind, 64) + " has no end"});
        open_.clear();
    }

    /// The file may have been cut off: what is missing must not be taken for deleted.
    void end_calendar()
    {
        const bool has_open_block = !open_.empty();
        end_block();
        if (is_in_calendar_ && !has_open_block)
            result_.problems.push_back({part().line, "VCALENDAR has no end"});
        is_in_calendar_ = false;
    }

    void add(std::string_view content)
    {
        if (block_.text.size() <= block_bytes_max)
            block_.text.append(content).append("\r\n");
    }

    CalendarPart& part() { return result_.parts.back(); }

    CalendarText result_;
    std::vector<std::string> open_; ///< Names, from the outermost below VCALENDAR.
    CalendarBlock block_;
    bool is_in_calendar_ = false;
};

} // namespace

std::vector<std::string_view> CalendarBlock::properties() const
{
    std::vector<std::string_view> lines;
    std::size_t depth = 0;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = text.find("\r\n", begin);
        const std::string_view content = std::string_view{text}.substr(begin, end - begin);
        begin = end + 2;
        const std::string name = property_name(content);
        if (name == "BEGIN")
            ++depth;
        if (depth == 1 && name != "BEGIN" && name != "END")
            lines.push_back(content);
        if (name == "END")
            --depth;
    }
    return lines;
}

CalendarText cut_calendar(std::string_view text)
{
    return Cutter{text}.take_result();
}

std::string property_name(std::string_view line)
{
    const std::size_t end = line.find_first_of(":;");
    return end == std::string_view::npos ? std::string{} : to_upper(line.substr(0, end));
}

std::optional<ContentLine> parse_content_line(std::string_view line)
{
    ContentLine result{property_name(line), {}, {}};
    if (result.name.empty())
        return std::nullopt;
    line.remove_prefix(result.name.size());
    while (line.starts_with(';')) {
        const std::size_t equals = line.find('=');
        if (equals == std::string_view::npos || line.find_first_of("\":;", 1) < equals)
            return std::nullopt;
        const std::string parameter = to_upper(line.substr(1, equals - 1));
        line.remove_prefix(equals);
        std::string value;
        do { // one value, or several between commas
            value += line.front() == ',' ? "," : "";
            line.remove_prefix(1);
            const bool in_quotes = line.starts_with('"');
            line.remove_prefix(in_quotes ? 1 : 0);
            const std::size_t end = line.find_first_of(in_quotes ? "\"" : "\",;:");
            if (end == std::string_view::npos)
                return std::nullopt;
            value += line.substr(0, end);
            line.remove_prefix(end + (in_quotes ? 1 : 0));
        } while (line.starts_with(','));
        result.parameters.emplace(parameter, decoded(value));
    }
    if (!line.starts_with(':'))
        return std::nullopt;
    result.value = line.substr(1);
    return result;
}

} // namespace usher::ctl
