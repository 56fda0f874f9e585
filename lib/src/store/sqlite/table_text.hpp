// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace usher {

// What a CREATE TABLE statement says, so that two can be compared whatever their order and layout, and a third can be
// made of both. Names are in lower case. Members are canonical, so that they are equal when they mean the same; those
// named `source` are SQL to be put into a statement. `column`: in whose definition it stands; empty for the table's.

struct CheckText {
    std::string column;
    std::string name;      ///< Empty without CONSTRAINT.
    std::string condition; ///< Without parentheses around it, as is its source.
    std::string source;
};

/// PRIMARY KEY or UNIQUE.
struct KeyText {
    std::string column;
    std::vector<std::string> columns; ///< With DESC or COLLATE, if any.
    std::string conflict;             ///< `on conflict replace`, if any.
    bool autoincrement = false;
};

/// Whether both keep the same rows out, wherever they stand.
bool same_key(KeyText const& a, KeyText const& b);

/// FOREIGN KEY or REFERENCES; the contract has none.
struct ReferenceText {
    std::string column;
    std::string condition;
    std::string source; ///< As a constraint of the table.
};

struct ColumnText {
    std::string name;
    std::string type;
    std::optional<std::string> not_null;      ///< What follows NOT NULL.
    std::optional<std::string> default_value; ///< Without parentheses around it; none for NULL.
    std::string collation;
    std::string generated; ///< The expression, if it is a generated column.
    std::string source;
    std::string source_without_key; ///< Without PRIMARY KEY.
};

struct TableText {
    std::vector<ColumnText> columns;
    std::vector<CheckText> checks;
    std::optional<KeyText> primary_key;
    std::vector<KeyText> unique;
    std::vector<ReferenceText> references;
    std::vector<std::string> options; ///< `strict`, `without rowid`: sorted.
    /// What SQLite makes indexes for by itself, in the order of these indexes.
    std::vector<std::vector<std::string>> automatic_indexes;

    ColumnText const* column(std::string_view name) const;
    bool has_option(std::string_view option) const;
};

/// Nothing when `sql` creates no ordinary table.
std::optional<TableText> table_text(std::string_view sql);

} // namespace usher
