// SPDX-License-Identifier: Apache-2.0
#include <usher/provider/name_lookup.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace usher {

namespace {

namespace asio = boost::asio;
using std::chrono::steady_clock;

constexpr std::size_t addresses_max = 16; // of one host; the rest is not tried
constexpr std::size_t searches_max = 4;   // threads that one host can hold up
constexpr std::chrono::seconds search_patience{
    30}; // then a search may be lost for ever, and another one begins beside it

} // namespace

LookedUp look_up_by_system(std::string const& host)
{
    addrinfo hints{};
    hints.ai_flags = AI_ADDRCONFIG;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
    if (error != 0)
        return tl::unexpected{
            error == EAI_SYSTEM ? std::generic_category().message(errno) : std::string{::gai_strerror(error)}};
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> guard{found, ::freeaddrinfo};
    Addresses addresses;
    for (; found != nullptr; found = found->ai_next) {
        asio::ip::tcp::endpoint endpoint;
        if (found->ai_addr == nullptr || found->ai_addrlen > endpoint.capacity())
            continue;
        std::copy_n(
            reinterpret_cast<char const*>(found->ai_addr), found->ai_addrlen, reinterpret_cast<char*>(endpoint.data())
        );
        addresses.push_back(endpoint.address());
    }
    return addresses;
}

Addresses in_turns(Addresses const& addresses)
{
    Addresses first;
    Addresses second;
    for (auto const& address : addresses)
        (address.is_v6() == addresses.front().is_v6() ? first : second).push_back(address);
    Addresses mixed;
    for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
        if (i < first.size())
            mixed.push_back(first[i]);
        if (i < second.size())
            mixed.push_back(second[i]);
    }
    if (mixed.size() > addresses_max)
        mixed.resize(addresses_max);
    return mixed;
}

/// One look-up. Its thread touches nothing but this, and the executor only while somebody is there to be told.
struct NameLookup::Search {
    steady_clock::time_point begun = steady_clock::now();
    std::optional<LookedUp> found; ///< The executor's thread alone uses it.

    std::mutex mutex;
    NameLookup* asker = nullptr; ///< Empty once it has gone.
};

NameLookup::NameLookup(asio::any_io_executor executor, std::string host, LookUp look_up)
    : executor_{std::move(executor)},
      host_{std::move(host)},
      look_up_{std::move(look_up)},
      news_{executor_, steady_clock::time_point::max()}
{}

NameLookup::~NameLookup()
{
    for (auto const& search : searches_) {
        const std::lock_guard lock{search->mutex};
        search->asker = nullptr;
    }
}

std::shared_ptr<NameLookup::Search> NameLookup::current()
{
    const bool late = !searches_.empty() && searches_.back()->begun + search_patience <= steady_clock::now();
    if (!searches_.empty() && (!late || searches_.size() == searches_max))
        return searches_.back();

    auto search = std::make_shared<Search>();
    search->asker = this;
    auto work = [search, host = host_, look_up = look_up_] {
        sigset_t all; // signals are for the main thread
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
        LookedUp found = look_up(host);
        const std::lock_guard lock{search->mutex};
        if (search->asker == nullptr)
            return;
        asio::post(search->asker->executor_, [search, found = std::move(found)]() mutable {
            NameLookup* const asker = search->asker; // it comes and goes on this thread
            if (asker == nullptr)
                return;
            search->found = std::move(found);
            std::erase(asker->searches_, search);
            asker->wake();
        });
    };
    try {
        std::thread{std::move(work)}.detach();
        searches_.push_back(search);
    } catch (std::system_error const& error) {
        search->found = tl::unexpected{std::string{"no thread can be started to look it up: "} + error.what()};
    }
    return search;
}

asio::awaitable<LookedUp> NameLookup::addresses(std::function<bool()> wanted)
{
    boost::system::error_code not_an_address;
    const auto literal = asio::ip::make_address(host_, not_an_address);
    if (!not_an_address)
        co_return Addresses(1, literal);

    const auto search = current();
    while (!search->found && wanted()) {
        boost::system::error_code woken;
        co_await news_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
    if (!search->found)
        co_return tl::unexpected{std::string{"nobody waits for it any more"}};
    if (*search->found && (*search->found)->empty())
        co_return tl::unexpected{std::string{"the look-up found none"}};
    co_return *search->found;
}

} // namespace usher
