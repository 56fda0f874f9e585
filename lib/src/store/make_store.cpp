// SPDX-License-Identifier: Apache-2.0
#include <usher/store/make_store.hpp>

#include <utility>

#include <usher/store/sqlite/database_keeper.hpp>
#include <usher/store/sqlite/sqlite_store.hpp>

namespace usher {

std::unique_ptr<Store> make_store(
    std::string database, std::string who, Clock& clock, boost::asio::any_io_executor executor,
    boost::asio::any_io_executor background
)
{
    auto keeper = std::make_unique<DatabaseKeeper>(std::move(database), who);
    return std::make_unique<SqliteStore>(
        std::move(keeper), std::move(who), clock, std::move(executor), std::move(background)
    );
}

} // namespace usher
