// SPDX-License-Identifier: Apache-2.0
#include "sql_tokens.hpp"

#include <algorithm>
#include <array>

#include <usher/core/ascii.hpp>

namespace usher {

namespace {

bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool is_word_part(char c)
{
    return is_letter(c) || is_digit(c) || c == '_' || c == '$' || static_cast<unsigned char>(c) >= 0x80;
}

/// The end of what begins with a quote at `begin`; a doubled quote stands for itself.
std::size_t quote_end(std::string_view sql, std::size_t begin)
{
    const char quote = sql[begin] == '[' ? ']' : sql[begin];
    for (std::size_t i = begin + 1; i < sql.size(); ++i) {
        if (sql[i] != quote)
            continue;
        if (quote == ']' || i + 1 == sql.size() || sql[i + 1] != quote)
            return i + 1;
        ++i;
    }
    return sql.size();
}

/// What stands between the quotes.
std::string unquoted(std::string_view text)
{
    const char quote = text[0] == '[' ? ']' : text[0];
    std::string result;
    const std::size_t end = text.size() > 1 && text.back() == quote ? text.size() - 1 : text.size();
    for (std::size_t i = 1; i < end; ++i) {
        result += text[i];
        if (text[i] == quote && quote != ']')
            ++i;
    }
    return result;
}

constexpr std::array<std::string_view, 11> long_operators = {
    "->>", "||", "<<", ">>", "<=", ">=", "<>", "!=", "==", "->", "."};

std::size_t operator_size(std::string_view rest)
{
    for (const std::string_view known : long_operators)
        if (rest.starts_with(known))
            return known.size();
    return 1;
}

/// A comment's end, or `begin` when there is none.
std::size_t comment_end(std::string_view sql, std::size_t begin)
{
    const std::string_view rest = sql.substr(begin);
    if (rest.starts_with("--"))
        return std::min(sql.find('\n', begin), sql.size());
    if (rest.starts_with("/*")) {
        const std::size_t end = sql.find("*/", begin + 2);
        return end == std::string_view::npos ? sql.size() : end + 2;
    }
    return begin;
}

/// The end of a number that begins at `begin`, such as 12, .5, 1e-3 or 0x1f.
std::size_t number_end(std::string_view sql, std::size_t begin)
{
    std::size_t i = begin;
    while (i < sql.size() && (is_word_part(sql[i]) || sql[i] == '.' ||
                              ((sql[i] == '+' || sql[i] == '-') && in_lower_case(sql[i - 1]) == 'e' &&
                               in_lower_case(sql.substr(begin, 2)) != "0x")))
        ++i;
    return i;
}

SqlToken token_at(std::string_view sql, std::size_t begin)
{
    using Kind = SqlToken::Kind;
    const char c = sql[begin];
    const char next = begin + 1 < sql.size() ? sql[begin + 1] : '\0';
    const auto whole = [&](std::size_t end) { return sql.substr(begin, end - begin); };
    if (c == '\'') {
        const std::size_t end = quote_end(sql, begin);
        return {Kind::string, unquoted(whole(end)), begin, end};
    }
    if (c == '"' || c == '`' || c == '[') {
        const std::size_t end = quote_end(sql, begin);
        return {Kind::quoted_word, in_lower_case(unquoted(whole(end))), begin, end};
    }
    if (in_lower_case(c) == 'x' && next == '\'') {
        const std::size_t end = quote_end(sql, begin + 1);
        return {Kind::other, in_lower_case(whole(end)), begin, end};
    }
    if (is_digit(c) || (c == '.' && is_digit(next))) {
        const std::size_t end = number_end(sql, begin);
        return {Kind::other, in_lower_case(whole(end)), begin, end};
    }
    std::size_t end = begin;
    while (end < sql.size() && is_word_part(sql[end]))
        ++end;
    if (end > begin)
        return {Kind::word, in_lower_case(whole(end)), begin, end};
    end = begin + operator_size(sql.substr(begin));
    return {Kind::other, std::string{whole(end)}, begin, end};
}

bool is_plain_word(std::string_view text)
{
    return !text.empty() && !is_digit(text[0]) && std::all_of(text.begin(), text.end(), is_word_part);
}

/// Words that are no names unless they are quoted, among those that make sense in our schema.
bool is_reserved(std::string_view word)
{
    constexpr std::array<std::string_view, 37> words = {
        "and",        "as",     "autoincrement", "between",    "case",     "check", "collate",
        "constraint", "create", "default",       "delete",     "distinct", "else",  "escape",
        "exists",     "from",   "group",         "having",     "in",       "index", "is",
        "isnull",     "join",   "limit",         "not",        "notnull",  "null",  "on",
        "or",         "order",  "primary",       "references", "select",   "table", "unique",
        "when",       "where"};
    return std::binary_search(words.begin(), words.end(), word);
}

} // namespace

std::vector<SqlToken> sql_tokens(std::string_view sql)
{
    std::vector<SqlToken> tokens;
    for (std::size_t i = 0; i < sql.size();) {
        if (is_space(sql[i])) {
            ++i;
        } else if (const std::size_t end = comment_end(sql, i); end != i) {
            i = end;
        } else {
            tokens.push_back(token_at(sql, i));
            i = tokens.back().end;
        }
    }
    return tokens;
}

std::string canonical(std::span<SqlToken const> tokens)
{
    using Kind = SqlToken::Kind;
    std::string result;
    for (SqlToken const& token : tokens) {
        if (token.kind == Kind::string) {
            result += '\'';
            for (const char c : token.text)
                result.append(c == '\'' ? 2 : 1, c);
            result += '\'';
        } else {
            const bool needs_quotes =
                token.kind == Kind::quoted_word && (!is_plain_word(token.text) || is_reserved(token.text));
            result.append(needs_quotes ? "\"" : "").append(token.text).append(needs_quotes ? "\"" : "");
        }
        result += ' ';
    }
    if (!result.empty())
        result.pop_back();
    return result;
}

} // namespace usher
