// SPDX-License-Identifier: Apache-2.0
#include <usher/store/platform_reader.hpp>

#include <optional>
#include <string_view>
#include <vector>

#include <sqlite3.h>

#include "connection.hpp"

namespace usher {

namespace {

RowValue value_of(SQLite::Column const& column)
{
    const auto bytes = [&](void const* begin) {
        return std::string_view{static_cast<char const*>(begin), static_cast<std::size_t>(column.getBytes())};
    };
    switch (column.getType()) {
    case SQLITE_INTEGER: return column.getInt64();
    case SQLITE_FLOAT: return column.getDouble();
    case SQLITE_NULL: return {};
    case SQLITE_TEXT: return bytes(column.getText());
    default: return Blob{bytes(column.getBlob())};
    }
}

} // namespace

struct PlatformReader::Impl {
    template <class Work>
    auto guarded(Work&& work) const
    {
        return guard(*database, path, work);
    }

    explicit Impl(std::string const& file) : path{file}, database{open_connection(file, Access::read_only)}
    {
        read_any_size(*database); // one row that is too large hides no other
        guarded([&] { snapshot.emplace(*database); });
    }

    std::string path;
    std::unique_ptr<SQLite::Database> database;
    std::optional<SQLite::Transaction> snapshot;
};

PlatformReader::PlatformReader(std::string const& database) : impl_{std::make_unique<Impl>(database)} {}

PlatformReader::~PlatformReader() = default;

std::int64_t PlatformReader::count_rows(std::string const& table) const
{
    return impl_->guarded([&] { return impl_->database->execAndGet("SELECT count(*) FROM main." + table).getInt64(); });
}

void PlatformReader::each_row(PlatformTable const& table, std::function<void(std::span<RowValue const>)> const& visit)
    const
{
    impl_->guarded([&] {
        std::string all;
        std::string keys;
        for (std::size_t i = 0; i < table.columns.size(); ++i) {
            all += (i == 0 ? "" : ", ") + table.columns[i];
            if (i < table.key_columns)
                keys = all;
        }
        SQLite::Statement query{*impl_->database, "SELECT " + all + " FROM main." + table.name + " ORDER BY " + keys};
        std::vector<RowValue> row(table.columns.size());
        while (query.executeStep()) {
            for (std::size_t i = 0; i < row.size(); ++i)
                row[i] = value_of(query.getColumn(static_cast<int>(i)));
            visit(row);
        }
    });
}

} // namespace usher
