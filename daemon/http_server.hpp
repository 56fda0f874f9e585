// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <usher/config/listen.hpp>

namespace usher {

/// What is asked for; headers that are not there are empty.
struct PageRequest {
    std::string method;
    std::string target;
    std::string host;
    std::string origin;
    std::string if_none_match;
    int fault = 0; ///< Status that says why it cannot be understood; 0 where it can be.
};

struct PageResponse {
    int status = 200;
    std::vector<std::pair<std::string, std::string>> headers{};
    std::string body{};
};

/// Answers requests for what usherd knows: small ones, few at a time, each within seconds. `answer` is called on the
/// executor and does not wait for anything.
class HttpServer {
public:
    using Answer = std::function<PageResponse(PageRequest const&)>;

    /// Listens from now on. A socket that a dead process left at the path is replaced; the new one is for the owner and
    /// the group of this process. Errors: runtime_error with the address and the way out.
    HttpServer(boost::asio::any_io_executor executor, ListenAddress const& address, Answer answer);
    HttpServer(HttpServer const&) = delete;
    HttpServer& operator=(HttpServer const&) = delete;
    ~HttpServer();

    /// Until it is cancelled. What goes wrong in one connection ends that one.
    boost::asio::awaitable<void> serve();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace usher
