// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include "vendor/model.hpp"

namespace usher::vendor {

struct ServerSettings {
    std::filesystem::path directory; ///< Gets `ca.pem`; must exist.
    std::uint16_t port = 0;          ///< Of the HTTPS server; 0 takes a free one.
    std::uint64_t seed = 1;          ///< Of what happens by chance.
    std::function<Instant()> now;    ///< The system's clock when empty.
};

/// The vendor on 127.0.0.1: an HTTPS server, and beside it an HTTP proxy that knows CONNECT, whose tunnels all lead to
/// that server whatever their target. Both listen once constructed and answer while the io_context runs, on one thread.
class VendorServer {
public:
    VendorServer(boost::asio::io_context& context, ServerSettings settings);
    VendorServer(VendorServer const&) = delete;
    VendorServer& operator=(VendorServer const&) = delete;

    /// Stops, then runs the io_context until nothing of this server is left on it: not from inside one of its handlers.
    ~VendorServer();

    /// Closes everything.
    void stop();

    /// Accounts, faults, records. To be touched on the io_context's thread.
    Vendor& model();

    std::uint16_t port() const;
    std::uint16_t proxy_port() const;
    std::string url() const;       ///< `https://127.0.0.1:PORT`.
    std::string proxy_url() const; ///< `http://127.0.0.1:PORT`.
    std::filesystem::path ca_file() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace usher::vendor
