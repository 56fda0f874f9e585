// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <memory>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <SQLiteCpp/VariadicBind.h>

#include "usher_bench.hpp"

namespace usher::bench {

namespace {

constexpr std::int64_t transaction_rows = 10'000;

std::string numbered(char const* format, std::int64_t number)
{
    std::array<char, 64> text{};
    const int length = std::snprintf(text.data(), text.size(), format, static_cast<long long>(number));
    return {text.data(), static_cast<std::size_t>(length)};
}

/// With it a T1 token has about 420 bytes.
std::string connection_data(std::int64_t meeting, std::int64_t participant)
{
    return "user:" + std::to_string(1'000'000'000 + meeting * 100 + participant);
}

using Value = std::variant<std::monostate, std::int64_t, double, std::string>;

Value value_of(SQLite::Column const& column)
{
    if (column.isInteger())
        return column.getInt64();
    if (column.isFloat())
        return column.getDouble();
    if (column.isNull())
        return {};
    return column.getString();
}

/// The writing of one table: a statement for `to`, whose parameters are the columns of a SELECT from `from`.
struct Stream {
    std::unique_ptr<SQLite::Statement> read;
    std::unique_ptr<SQLite::Statement> write;
    std::vector<bool> is_blob;
    std::int64_t rows;  ///< In all.
    std::int64_t share; ///< In each transaction.
    std::vector<std::vector<Value>> chunk{};

    void fetch()
    {
        chunk.clear();
        while (std::ssize(chunk) < share && read->executeStep()) {
            std::vector<Value>& row = chunk.emplace_back();
            for (int i = 0; i < read->getColumnCount(); ++i) {
                row.push_back(value_of(read->getColumn(i)));
                if (read->getColumn(i).isBlob())
                    is_blob.at(static_cast<std::size_t>(i)) = true;
            }
        }
    }

    void store()
    {
        for (std::vector<Value> const& row : chunk) {
            for (std::size_t i = 0; i < row.size(); ++i)
                bind(static_cast<int>(i + 1), row[i], is_blob[i]);
            write->exec();
            write->reset();
        }
    }

    void bind(int index, Value const& value, bool blob)
    {
        if (auto const* const number = std::get_if<std::int64_t>(&value))
            write->bind(index, *number);
        else if (auto const* const real = std::get_if<double>(&value))
            write->bind(index, *real);
        else if (auto const* const text = std::get_if<std::string>(&value); text != nullptr && blob)
            write->bindNoCopy(index, text->data(), static_cast<int>(text->size()));
        else if (text != nullptr)
            write->bindNoCopy(index, *text);
        else
            write->bind(index);
    }
};

std::string joined(std::vector<std::string> const& words, std::string const& between, std::string const& after = {})
{
    std::string result;
    for (std::string const& word : words)
        result += (result.empty() ? "" : between) + word + after;
    return result;
}

/// What was written to a table: columns that differ in rows that both databases have, and rows that only `from` has.
class Difference {
public:
    /// `both` is `to`, with `from` attached as `source`.
    Difference(SQLite::Database& both, std::string table) : table_{std::move(table)}
    {
        std::vector<std::string> keys;
        SQLite::Statement columns{both, "SELECT name, pk FROM pragma_table_info('" + table_ + "', 'source')"};
        while (columns.executeStep()) {
            all_.push_back(columns.getColumn(0).getString());
            if (columns.getColumn(1).getInt() > 0)
                keys.push_back(all_.back());
        }
        key_ = joined(keys, ", ");
        keys_ = std::move(keys);
        const bool empty = integer(both, "SELECT NOT EXISTS (SELECT 1 FROM main." + table_ + ")") != 0;
        if (!empty && keys_.size() == 1) { // numbered rows: new ones are above
            const std::int64_t last = integer(both, "SELECT max(" + key_ + ") FROM main." + table_);
            old_ = " WHERE " + key_ + " <= " + std::to_string(last);
            new_ = " WHERE " + key_ + " > " + std::to_string(last);
        } else {
            (empty ? old_ : new_) = " WHERE 0";
        }
        new_rows_ = integer(both, "SELECT count(*) FROM source." + table_ + new_);
        if (empty)
            return;
        std::vector<std::string> differ;
        for (std::string const& column : all_)
            differ.push_back("max(a." + column + " IS NOT b." + column + ")");
        SQLite::Statement compare{
            both, "SELECT " + joined(differ, ", ") + ", count(*) FROM main." + table_ + " a JOIN source." + table_ +
                      " b USING (" + key_ + ")"};
        compare.executeStep();
        for (std::size_t i = 0; i < all_.size(); ++i)
            if (compare.getColumn(static_cast<int>(i)).getInt() != 0)
                changed_.push_back(all_[i]);
        if (!changed_.empty())
            old_rows_ = compare.getColumn(static_cast<int>(all_.size())).getInt64();
    }

    std::int64_t rows() const { return old_rows_ + new_rows_; }

    /// What is to be done in that many transactions, each table in the order of its own key.
    void
    streams(SQLite::Database& from, SQLite::Database& to, std::int64_t transactions, std::vector<Stream>& result) const
    {
        const auto add = [&](std::vector<std::string> const& columns, std::string const& where,
                             std::string const& write, std::int64_t rows) {
            if (rows == 0)
                return;
            result.push_back(
                {std::make_unique<SQLite::Statement>(
                     from, "SELECT " + joined(columns, ", ") + " FROM " + table_ + where + " ORDER BY " + key_
                 ),
                 std::make_unique<SQLite::Statement>(to, write), std::vector<bool>(columns.size()), rows,
                 (rows + transactions - 1) / transactions}
            );
        };
        std::vector<std::string> set = changed_;
        set.insert(set.end(), keys_.begin(), keys_.end());
        add(set, old_,
            "UPDATE " + table_ + " SET " + joined(changed_, ", ", " = ?") + " WHERE " + joined(keys_, " AND ", " = ?"),
            old_rows_);
        add(all_, new_,
            "INSERT INTO " + table_ + " (" + joined(all_, ", ") + ") VALUES (" +
                joined(std::vector<std::string>(all_.size(), "?"), ", ") + ")",
            new_rows_);
    }

private:
    static std::int64_t integer(SQLite::Database& database, std::string const& sql)
    {
        return database.execAndGet(sql).getInt64();
    }

    std::string table_;
    std::string key_;
    std::vector<std::string> keys_;
    std::vector<std::string> all_;
    std::vector<std::string> changed_;
    std::string old_;
    std::string new_;
    std::int64_t old_rows_ = 0;
    std::int64_t new_rows_ = 0;
};

} // namespace

std::string meeting_id(std::int64_t meeting)
{
    return numbered("meeting-%06lld", meeting);
}

std::string participant_id(std::int64_t participant)
{
    return numbered("participant-%02lld", participant);
}

void fill(std::string const& path, std::int64_t meetings, std::int64_t each)
{
    constexpr std::array roles{"publisher", "moderator", "subscriber", "publisheronly"};
    constexpr std::int64_t prime = 2'654'435'761; // so that `meeting * prime % meetings` is a permutation
    SQLite::Database database{path, SQLite::OPEN_READWRITE};
    database.exec("PRAGMA synchronous = OFF"); // the making of it is not what is measured
    database.exec("PRAGMA cache_size = -131072");
    SQLite::Statement insert_meeting{
        database, "INSERT INTO meeting (id, title, starts_at, ends_at) VALUES (?, ?, ?, ?)"};
    SQLite::Statement insert_participant{
        database, "INSERT INTO participant (meeting_id, participant_id, display_name, role, connection_data) "
                  "VALUES (?, ?, ?, ?, ?)"};
    const std::int64_t now = std::time(nullptr);
    auto transaction = std::make_unique<SQLite::Transaction>(database);
    std::int64_t rows = 0;
    for (std::int64_t meeting = 0; meeting < meetings; ++meeting) {
        const std::int64_t slot = meeting * prime % meetings;
        const bool near = meeting % near_every == 0;
        const std::int64_t from = near ? 1800 : 3 * 3600;
        const std::int64_t to = near ? 3600 : 20 * 86400;
        const std::int64_t starts = now + from + (to - from) * slot / meetings;
        const std::string id = meeting_id(meeting);
        SQLite::bind(insert_meeting, id, "Meeting " + std::to_string(meeting), starts, starts + 7200);
        insert_meeting.exec();
        insert_meeting.reset();
        for (std::int64_t participant = 0; participant < each; ++participant) {
            const std::string name = "Participant " + std::to_string(participant);
            SQLite::bind(
                insert_participant, id, participant_id(participant), name,
                roles.at(static_cast<std::size_t>(meeting + participant) % roles.size()),
                connection_data(meeting, participant)
            );
            insert_participant.exec();
            insert_participant.reset();
        }
        rows += 1 + each;
        if (rows >= transaction_rows) {
            transaction->commit();
            transaction = std::make_unique<SQLite::Transaction>(database);
            rows = 0;
            show_progress("filling", meeting, meetings);
        }
    }
    transaction->commit();
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    show_progress("filling", meetings, meetings);
}

void write_bare(std::string const& from, std::string const& to, bool past)
{
    std::vector<Difference> differences;
    std::int64_t tokens = 0;
    {
        SQLite::Database both{to, SQLite::OPEN_READWRITE};
        SQLite::Statement attach{both, "ATTACH ? AS source"};
        attach.bind(1, from);
        attach.exec();
        std::vector<char const*> tables{"session", "token", "history", "agenda"};
        if (past)
            tables.push_back("token_past");
        for (char const* const table : tables) {
            differences.emplace_back(both, table);
            if (std::string_view{table} == "token")
                tokens = differences.back().rows();
        }
    }
    if (tokens == 0)
        throw std::runtime_error{"both databases have the same tokens"};

    SQLite::Database source{from, SQLite::OPEN_READONLY};
    SQLite::Database target{to, SQLite::OPEN_READWRITE};
    target.exec("PRAGMA synchronous = FULL");
    target.exec("PRAGMA cache_size = -16384"); // as much as usherd has
    const std::int64_t transactions = (tokens + transaction_rows - 1) / transaction_rows;
    std::vector<Stream> streams;
    for (Difference const& difference : differences)
        difference.streams(source, target, transactions, streams);
    double seconds = 0;
    for (std::int64_t i = 0; i < transactions; ++i) {
        for (Stream& stream : streams)
            stream.fetch();
        const auto start = SteadyClock::now();
        SQLite::Transaction transaction{target, SQLite::TransactionBehavior::IMMEDIATE};
        for (Stream& stream : streams)
            stream.store();
        transaction.commit();
        seconds += seconds_since(start);
        show_progress("writing", i, transactions);
    }
    const auto start = SteadyClock::now();
    target.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    seconds += seconds_since(start);
    show_progress("writing", transactions, transactions);
    print("seconds", seconds);
    print("tokens", static_cast<double>(tokens));
}

} // namespace usher::bench
