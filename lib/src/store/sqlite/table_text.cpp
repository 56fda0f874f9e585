// SPDX-License-Identifier: Apache-2.0
#include "table_text.hpp"

#include <algorithm>
#include <span>

#include "sql_tokens.hpp"

namespace usher {

namespace {

using Tokens = std::span<SqlToken const>;

/// Reads the tokens of one statement from left to right. Where the text is not what SQLite writes or takes, it moves on
/// and never past the end.
class Parser {
public:
    explicit Parser(std::string_view sql) : sql_{sql}, all_{sql_tokens(sql)}, tokens_{all_} {}

    std::optional<TableText> table();

private:
    bool at_end() const { return next_ >= tokens_.size(); }
    bool at(std::string_view word) const { return !at_end() && tokens_[next_].is(word); }
    bool at_operator(char c) const { return !at_end() && tokens_[next_].is_operator(c); }
    bool take(std::string_view word)
    {
        const bool is_there = at(word);
        next_ += is_there ? 1U : 0U;
        return is_there;
    }
    std::string take_any() { return at_end() ? std::string{} : tokens_[next_++].text; }

    /// What stands between parentheses, which are passed; one token when there are none.
    Tokens group();
    std::string source(Tokens tokens) const
    {
        return tokens.empty()
                   ? std::string{}
                   : std::string{sql_.substr(tokens.front().begin, tokens.back().end - tokens.front().begin)};
    }
    Tokens since(std::size_t begin) const { return tokens_.subspan(begin, next_ - begin); }

    bool ends_item() const { return at_end() || at_operator(',') || at_operator(')'); }
    bool begins_constraint() const;
    std::string conflict();
    void reference(std::string const& column, std::size_t begin);
    void skip_reference();
    void constraint(ColumnText* column);
    void column_item();
    void add_key(KeyText key, bool is_primary, std::string const& type);

    std::string_view sql_;
    std::vector<SqlToken> all_;
    Tokens tokens_;
    std::size_t next_ = 0;
    TableText table_;
};

Tokens without_parentheses(Tokens tokens)
{
    while (tokens.size() >= 2 && tokens.front().is_operator('(')) {
        std::size_t depth = 0;
        std::size_t end = 0;
        for (; end < tokens.size(); ++end) {
            depth += tokens[end].is_operator('(') ? 1U : 0U;
            if (tokens[end].is_operator(')') && --depth == 0)
                break;
        }
        if (end + 1 != tokens.size())
            break;
        tokens = tokens.subspan(1, tokens.size() - 2);
    }
    return tokens;
}

Tokens Parser::group()
{
    const std::size_t begin = next_;
    std::size_t depth = 0;
    do {
        depth += at_operator('(') ? 1U : 0U;
        depth -= at_operator(')') && depth > 0 ? 1U : 0U;
        next_ += at_end() ? 0U : 1U;
    } while (depth > 0 && !at_end());
    return without_parentheses(since(begin));
}

bool Parser::begins_constraint() const
{
    for (const std::string_view word :
         {"constraint", "primary", "not", "null", "unique", "check", "default", "collate", "references", "foreign",
          "generated", "as"})
        if (at(word))
            return true;
    return false;
}

std::string Parser::conflict()
{
    if (!at("on") || next_ + 1 >= tokens_.size() || !tokens_[next_ + 1].is("conflict"))
        return {};
    const std::size_t begin = next_;
    next_ = std::min(next_ + 3, tokens_.size());
    const std::string text = canonical(since(begin));
    return text == "on conflict abort" ? std::string{} : text; // the default
}

/// After REFERENCES.
void Parser::skip_reference()
{
    take_any();
    if (at_operator('('))
        group();
    while (!ends_item()) {
        const bool not_deferrable = next_ + 1 < tokens_.size() && tokens_[next_ + 1].is("deferrable");
        const bool set_default = tokens_[next_ - 1].is("set");
        if (!(at("on") || at("match") || (at("not") && not_deferrable) || at("deferrable") || at("initially") ||
              at("delete") || at("update") || at("cascade") || at("restrict") || at("set") || at("null") || at("no") ||
              at("action") || at("full") || at("partial") || at("simple") || at("deferred") || at("immediate") ||
              (at("default") && set_default)))
            break;
        ++next_;
    }
}

void Parser::reference(std::string const& column, std::size_t begin)
{
    skip_reference();
    const std::string prefix = column.empty() ? "" : "FOREIGN KEY (\"" + column + "\") ";
    table_.references.push_back({column, canonical(since(begin)), prefix + source(since(begin))});
}

void Parser::add_key(KeyText key, bool is_primary, std::string const& type)
{
    const bool is_rowid = is_primary && key.columns.size() == 1 && type == "integer";
    if (!is_rowid)
        table_.automatic_indexes.push_back(key.columns);
    if (is_primary)
        table_.primary_key = std::move(key);
    else
        table_.unique.push_back(std::move(key));
}

/// One constraint, of `column` or of the table.
void Parser::constraint(ColumnText* column)
{
    const std::string owner = column == nullptr ? std::string{} : column->name;
    std::string name;
    while (take("constraint"))
        name = take_any();
    const std::size_t begin = next_;
    if (take("primary") || take("unique")) {
        const bool is_primary = tokens_[begin].is("primary");
        if (is_primary)
            take("key");
        KeyText key;
        key.column = owner;
        std::string type;
        if (column != nullptr) {
            type = column->type;
            take("asc");
            key.columns = {owner + (take("desc") ? " desc" : "")};
        } else {
            const Tokens inner = group();
            for (std::size_t from = 0; from < inner.size();) {
                std::size_t to = from;
                while (to < inner.size() && !inner[to].is_operator(','))
                    ++to;
                Tokens part = inner.subspan(from, to - from);
                if (!part.empty() && part.back().is("autoincrement")) {
                    key.autoincrement = true;
                    part = part.first(part.size() - 1);
                }
                if (!part.empty() && part.back().is("asc"))
                    part = part.first(part.size() - 1);
                key.columns.push_back(part.size() == 1 ? part[0].text : canonical(part));
                from = to + 1;
            }
            if (key.columns.size() == 1)
                if (ColumnText const* only = table_.column(key.columns[0]))
                    type = only->type;
        }
        key.conflict = conflict();
        key.autoincrement = take("autoincrement") || key.autoincrement;
        add_key(std::move(key), is_primary, type);
    } else if (take("not") && take("null")) {
        if (column != nullptr)
            column->not_null = conflict();
    } else if (take("null")) {
        conflict();
    } else if (take("check")) {
        const Tokens condition = group();
        table_.checks.push_back({owner, name, canonical(condition), source(condition)});
    } else if (take("default")) {
        const std::size_t value = next_;
        while (at_operator('+') || at_operator('-'))
            ++next_;
        group();
        const std::string text = canonical(without_parentheses(since(value)));
        if (column != nullptr && text != "null")
            column->default_value = text;
    } else if (take("collate")) {
        const std::string collation = take_any();
        if (column != nullptr && collation != "binary")
            column->collation = collation;
    } else if (take("references")) {
        reference(owner, begin);
    } else if (take("foreign")) {
        take("key");
        group();
        take("references");
        reference({}, begin);
    } else if (take("generated") || at("as")) {
        take("always");
        take("as");
        const std::string expression = canonical(group());
        const std::string kind = take("stored") ? " stored" : "";
        take("virtual");
        if (column != nullptr)
            column->generated = expression + kind;
    } else {
        group(); // none that is known
    }
}

void Parser::column_item()
{
    ColumnText column;
    const std::size_t begin = next_;
    column.name = take_any();
    const std::size_t type = next_;
    while (!ends_item() && !begins_constraint())
        group();
    column.type = canonical(since(type));
    column.source_without_key = source(since(begin));
    while (!ends_item()) {
        const std::size_t from = next_;
        const bool had_key = table_.primary_key.has_value();
        constraint(&column);
        if (table_.primary_key.has_value() == had_key)
            column.source_without_key += " " + source(since(from));
    }
    column.source = source(since(begin));
    table_.columns.push_back(std::move(column));
}

std::optional<TableText> Parser::table()
{
    if (!take("create") || !take("table") || at_end())
        return std::nullopt;
    if (take("if"))
        next_ = std::min(next_ + 2, tokens_.size()); // NOT EXISTS
    take_any();
    if (!at_operator('('))
        return std::nullopt;
    ++next_;
    while (!at_end() && !at_operator(')')) {
        if (at_operator(',')) {
            ++next_;
            continue;
        }
        if (at("constraint") || at("primary") || at("unique") || at("check") || at("foreign"))
            constraint(nullptr);
        else
            column_item();
    }
    next_ += at_end() ? 0U : 1U;
    while (!at_end()) {
        const std::size_t begin = next_;
        while (!at_end() && !at_operator(',') && !at_operator(';'))
            ++next_;
        if (next_ > begin)
            table_.options.push_back(canonical(since(begin)));
        next_ += at_end() ? 0U : 1U;
    }
    std::sort(table_.options.begin(), table_.options.end());
    return std::move(table_);
}

} // namespace

bool same_key(KeyText const& a, KeyText const& b)
{
    return a.columns == b.columns && a.conflict == b.conflict;
}

ColumnText const* TableText::column(std::string_view name) const
{
    const auto found =
        std::find_if(columns.begin(), columns.end(), [&](ColumnText const& column) { return column.name == name; });
    return found == columns.end() ? nullptr : &*found;
}

bool TableText::has_option(std::string_view option) const
{
    return std::find(options.begin(), options.end(), option) != options.end();
}

std::optional<TableText> table_text(std::string_view sql)
{
    return Parser{sql}.table();
}

} // namespace usher
