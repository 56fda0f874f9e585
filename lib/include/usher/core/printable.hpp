// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace usher {

/// Text from elsewhere as a terminal, a log and the journal may show it. What acts on them, is invisible or reorders
/// text becomes `\x1b` or `\u{202e}`; so does each byte that is not UTF-8. Shows at most `longest` bytes of it, and
/// then `...`. Text that is printable already stays as it is.
std::string printable(std::string_view text, std::size_t longest = 255);

/// An id or a name as printable(), in quotes where it would not be seen: it is empty, or has a blank at an end.
std::string shown_id(std::string_view text);

/// As above, as a part of a sentence: in quotes, and with `\"` for a quote.
std::string in_quotes(std::string_view text, std::size_t longest = 64);

/// As above, as the value of a `key=value`: as it is where nothing else can be meant, else in quotes, with `\"` for a
/// quote and `\\` for a backslash.
std::string quoted_value(std::string_view text, std::size_t longest);

/// As above, as one word of a command that somebody is told to type: in single quotes where a shell would act on it.
std::string shell_word(std::string_view text);

/// A JSON document with the same characters as `\u202e`: the same document, harmless to a terminal.
std::string printable_json(std::string_view document);

} // namespace usher
