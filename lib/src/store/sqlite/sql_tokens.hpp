// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace usher {

/// A word, literal or operator of SQL, in a form in which equal ones are equal: words and numbers in lower case, names
/// without their quotes.
struct SqlToken {
    enum class Kind : std::uint8_t { word, quoted_word, string, other };

    Kind kind = Kind::other;
    std::string text;
    std::size_t begin = 0; ///< Where it stands: [begin, end).
    std::size_t end = 0;

    bool is(std::string_view word) const { return kind == Kind::word && text == word; }
    bool is_operator(char c) const { return kind == Kind::other && text.size() == 1 && text[0] == c; }
    /// Whether it can be a name; SQLite takes 'text' for one where only a name can stand.
    bool is_name() const { return kind != Kind::other; }
};

/// All of `sql` but space and comments. Never fails: what SQLite would refuse gives some tokens.
std::vector<SqlToken> sql_tokens(std::string_view sql);

/// One text for each meaning, as far as tokens tell: equal when only comments, space, case and quotes differ.
std::string canonical(std::span<SqlToken const> tokens);

} // namespace usher
