// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <usher/crypto/secret.hpp>
#include <usher/provider/http_transport.hpp>
#include <usher/provider/provider.hpp>

namespace usher {

/// The vendor's two platforms: one protocol, two hosts, two kinds of credentials.
enum class VendorHost : std::uint8_t {
    opentok, ///< API key and secret; `X-OPENTOK-AUTH`.
    vonage,  ///< Application id and RSA key; `Authorization: Bearer`.
};

/// More than this between the two clocks, in either direction, and nothing is published: either this machine's tokens
/// would be refused or they would expire too early.
inline constexpr seconds clock_difference_max{60};

// Bytes to and from values, for one attempt of one call. Pure: no I/O, no clock.

/// Whether an id of the vendor's may stand in a path, where it is between two slashes: 1 to 255 bytes of printable
/// ASCII without spaces, slashes, `..` and what else has a meaning there.
bool is_path_id(std::string_view id);

/// What the vendor would refuse, found before the network is touched.
std::optional<ProviderFailure> check_options(SessionOptions const& options);

/// `authorization` is a JWT made for this request.
HttpRequest create_request(VendorHost host, SessionOptions const& options, std::string_view authorization);
/// Asks for a page of the session's connections, from `offset` on.
HttpRequest list_request(
    VendorHost host, std::string_view project_key, std::string_view session_id, std::size_t offset,
    std::string_view authorization
);
HttpRequest disconnect_request(
    VendorHost host, std::string_view project_key, std::string_view session_id, std::string_view connection_id,
    std::string_view authorization
);

/// For sentences: who was asked, with what, when.
struct CallContext {
    VendorHost host = VendorHost::opentok;
    std::string server;                   ///< Such as `api.opentok.com`.
    std::string project_key;              ///< API key or application id.
    sys_seconds now;                      ///< When the answer came.
    std::string authorization;            ///< The JWT that was sent, which is cut out of whatever is quoted;
    VeiledSecret const* secret = nullptr; ///< and so is this.
};

/// How far this machine's clock is ahead of the server's, by the answer's `Date`.
std::optional<seconds> clock_ahead(HttpReply const& reply, sys_seconds now);

/// The new session's id, read strictly: a JSON array with `[0].session_id`.
tl::expected<std::string, ProviderFailure> read_created(HttpReply const& reply, CallContext const& context);

struct ConnectionPage {
    std::vector<std::string> connected; ///< Ids of the connections that are not disconnected.
    std::size_t listed = 0;             ///< Entries of any kind; none: the list has no more.
    std::size_t unusable = 0;           ///< Entries that may be connected, without an id that may stand in a path.
};

/// A session that the vendor does not know has no connections.
tl::expected<ConnectionPage, ProviderFailure> read_connections(HttpReply const& reply, CallContext const& context);

/// Asks for nothing but the time.
HttpRequest time_request();

/// Why no session should be asked for now: the answer's `Date` is too far from this machine's clock.
std::optional<ProviderFailure> clock_failure(HttpReply const& reply, CallContext const& context);

/// What an answer that is none of the good ones means.
ProviderFailure refusal_of(HttpReply const& reply, CallContext const& context);

/// What it means that there was no answer.
ProviderFailure failure_of(HttpFailure const& failure);

/// `120`, or a date. Nothing when it is neither; a date in the past is zero.
std::optional<seconds> parse_retry_after(std::string_view text, sys_seconds now);

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
std::optional<sys_seconds> parse_http_date(std::string_view text);

} // namespace usher
