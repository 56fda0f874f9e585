// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace usher {

/// Where usherd answers requests: a Unix socket, or a port of one address of this machine.
struct ListenAddress {
    std::string socket; ///< A path; the rest means nothing then.
    std::string ip;     ///< Version 4 or 6, without brackets.
    std::uint16_t port = 0;

    bool is_socket() const { return !socket.empty(); }
    /// Only programs on this machine reach it.
    bool is_local() const;

    friend bool operator==(ListenAddress const&, ListenAddress const&) = default;
};

/// `127.0.0.1:9787`, `[::1]:9787`, or an absolute path. Errors: the sentence that says what was expected.
tl::expected<ListenAddress, std::string> parse_listen(std::string_view text);

/// As parse_listen() reads it.
std::string to_text(ListenAddress const& address);

/// Whether somebody accepts connections at an address of this machine. Also where that cannot be found out: a caller
/// acts on the answer no.
bool is_served(ListenAddress const& address);

/// Whether an answer in HTTP comes from there within `patience`, whatever it says. The kernel accepts connections for a
/// process that is stopped, too. Nothing where that cannot be found out, as by an account that may not use the socket.
std::optional<bool> answers_http(ListenAddress const& address, std::chrono::milliseconds patience);

} // namespace usher
