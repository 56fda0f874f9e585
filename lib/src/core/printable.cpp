// SPDX-License-Identifier: Apache-2.0
#include <usher/core/printable.hpp>

#include <algorithm>
#include <array>

#include <usher/core/utf8.hpp>

namespace usher {

namespace {

struct Range {
    char32_t first;
    char32_t last;
};

/// Control a terminal, look like nothing, or change the order in which text is shown: Unicode's
/// Default_Ignorable_Code_Point, its line and paragraph separators, the controls, and what is blank beside them.
constexpr std::array<Range, 20> unprintable{{
    {0x00, 0x1f},       // C0 controls
    {0x7f, 0x9f},       // DEL and C1 controls
    {0xad, 0xad},       // soft hyphen
    {0x34f, 0x34f},     // combining grapheme joiner
    {0x61c, 0x61c},     // Arabic letter mark
    {0x115f, 0x1160},   // Hangul fillers
    {0x17b4, 0x17b5},   // Khmer inherent vowels
    {0x180b, 0x180f},   // Mongolian variation selectors and vowel separator
    {0x200b, 0x200f},   // zero width, marks of direction
    {0x2028, 0x202e},   // ends of line and paragraph, embeddings and overrides of direction
    {0x2060, 0x206f},   // invisible operators, isolates of direction
    {0x2800, 0x2800},   // Braille without a dot
    {0x3164, 0x3164},   // Hangul filler
    {0xfe00, 0xfe0f},   // variation selectors
    {0xfeff, 0xfeff},   // byte order mark
    {0xffa0, 0xffa0},   // Hangul filler of half width
    {0xfff0, 0xfffb},   // unassigned, interlinear annotation
    {0x1bca0, 0x1bca3}, // shorthand format controls
    {0x1d173, 0x1d17a}, // musical format controls
    {0xe0000, 0xe0fff}, // tags, variation selectors
}};

bool is_unprintable(char32_t code)
{
    if (code >= 0x20 && code < 0x7f)
        return false;
    return std::any_of(unprintable.begin(), unprintable.end(), [code](Range range) {
        return code >= range.first && code <= range.last;
    });
}

std::string in_hex(char32_t value, int digits)
{
    constexpr std::string_view hex = "0123456789abcdef";
    std::string text;
    for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4)
        text += hex[(value >> static_cast<unsigned>(shift)) & 15U];
    return text;
}

std::string escaped(Utf8Character character)
{
    if (!character.valid || character.code < 0x80)
        return "\\x" + in_hex(character.code, 2);
    return "\\u{" + in_hex(character.code, character.code < 0x100 ? 2 : character.code < 0x10000 ? 4 : 5) + '}';
}

/// Printable characters among `marked` get a backslash.
std::string printable_part(std::string_view text, std::size_t longest, std::string_view marked)
{
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const Utf8Character character = first_utf8_character(text.substr(at, 4));
        if (at + character.size > longest) {
            out += "...";
            break;
        }
        if (!character.valid || is_unprintable(character.code)) {
            out += escaped(character);
        } else {
            if (character.size == 1 && marked.find(text[at]) != std::string_view::npos)
                out += '\\';
            out += text.substr(at, character.size);
        }
        at += character.size;
    }
    return out;
}

} // namespace

std::string printable(std::string_view text, std::size_t longest)
{
    return printable_part(text, longest, {});
}

std::string shown_id(std::string_view text)
{
    const bool is_seen = !text.empty() && text.front() != ' ' && text.back() != ' ';
    return is_seen ? printable(text) : '"' + printable(text) + '"';
}

std::string in_quotes(std::string_view text, std::size_t longest)
{
    return '"' + printable_part(text, longest, "\"") + '"';
}

std::string quoted_value(std::string_view text, std::size_t longest)
{
    const bool is_plain = !text.empty() && text.size() <= longest && std::all_of(text.begin(), text.end(), [](char c) {
        return c > ' ' && c <= '~' && c != '"' && c != '=' && c != '\\';
    });
    if (is_plain)
        return std::string{text};
    return '"' + printable_part(text, longest, "\"\\") + '"';
}

std::string shell_word(std::string_view text)
{
    constexpr std::size_t longest = 4096; // as paths are
    std::string shown = printable(text, longest);
    constexpr std::string_view harmless = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+=,";
    const bool is_harmless = std::all_of(shown.begin(), shown.end(), [&](char c) {
        return (static_cast<unsigned char>(c) & 0x80U) != 0 || harmless.find(c) != std::string_view::npos;
    });
    if (is_harmless && !shown.empty())
        return shown;
    std::string word = "'";
    for (const char c : shown)
        word += c == '\'' ? "'\\''" : std::string{c};
    return word + "'";
}

std::string printable_json(std::string_view document)
{
    std::string out;
    for (std::size_t at = 0; at < document.size();) {
        const Utf8Character character = first_utf8_character(document.substr(at, 4));
        const std::string_view bytes = document.substr(at, character.size);
        at += character.size;
        if (!character.valid) {
            out += "\\ufffd";
        } else if (character.code < 0x20 || !is_unprintable(character.code)) { // JSON escapes the former within texts
            out += bytes;
        } else if (character.code < 0x10000) {
            out += "\\u" + in_hex(character.code, 4);
        } else {
            const char32_t rest = character.code - 0x10000;
            out += "\\u" + in_hex(0xd800 + (rest >> 10U), 4) + "\\u" + in_hex(0xdc00 + (rest & 0x3ffU), 4);
        }
    }
    return out;
}

} // namespace usher
