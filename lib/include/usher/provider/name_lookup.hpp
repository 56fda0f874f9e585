// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/steady_timer.hpp>
#include <tl/expected.hpp>

namespace usher {

using Addresses = std::vector<boost::asio::ip::address>;
using LookedUp = tl::expected<Addresses, std::string>; ///< The error says why there is none.

/// Finds the addresses of a host; may take as long as it likes.
using LookUp = std::function<LookedUp(std::string const& host)>;

/// By getaddrinfo(), in the order of its preference.
LookedUp look_up_by_system(std::string const& host);

/// In the order of RFC 8305: the families take turns, the system's first choice begins.
Addresses in_turns(Addresses const& addresses);

/// Looks up the addresses of one host, on threads of its own: nothing can interrupt getaddrinfo(), so whoever waits may
/// leave, and the process may end, while a thread is still held up in it. Those who ask meanwhile share the answer.
class NameLookup {
public:
    NameLookup(boost::asio::any_io_executor executor, std::string host, LookUp look_up);
    NameLookup(NameLookup const&) = delete;
    NameLookup& operator=(NameLookup const&) = delete;
    /// Leaves behind the threads that are held up.
    ~NameLookup();

    /// Returns also when wake() was called and `wanted` says no; then without an answer.
    boost::asio::awaitable<LookedUp> addresses(std::function<bool()> wanted);
    void wake() { news_.cancel(); }

private:
    struct Search;

    std::shared_ptr<Search> current();

    boost::asio::any_io_executor executor_;
    std::string host_;
    LookUp look_up_;
    boost::asio::steady_timer news_;                ///< Cancelled when a search has ended.
    std::vector<std::shared_ptr<Search>> searches_; ///< Under way, the oldest first.
};

} // namespace usher
