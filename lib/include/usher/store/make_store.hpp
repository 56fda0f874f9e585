// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include <usher/async/clock.hpp>
#include <usher/store/store.hpp>

namespace usher {

/// The store in `database`, as the configuration names it, for one daemon: no other one on this machine is let near it.
/// Store::open() is still to be called. `who` names this daemon to the next one that wants it. The store is used on
/// `executor`; in `background`, which may be the same, it works meanwhile. Errors: AlreadyAtWork, DatabaseError.
std::unique_ptr<Store> make_store(
    std::string database, std::string who, Clock& clock, boost::asio::any_io_executor executor,
    boost::asio::any_io_executor background
);

} // namespace usher
