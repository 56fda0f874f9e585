// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace usher {

/// Where a server is: `scheme://host[:port][/prefix]`.
struct Url {
    std::string scheme;     ///< `http` or `https`.
    std::string host;       ///< A name in lower case, or an address; an IPv6 one without its brackets.
    std::uint16_t port = 0; ///< 80 or 443 when the text has none.
    std::string prefix;     ///< Without a slash at its end: empty, or such as `/api`.

    /// `host:port`, as for a message or a CONNECT.
    std::string endpoint() const;
    /// What the Host header says: without the port when it is the scheme's own.
    std::string authority() const;
};

/// The error says what was expected and never repeats the text, which may hold a password.
tl::expected<Url, std::string> parse_url(std::string_view text);

} // namespace usher
