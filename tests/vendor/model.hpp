// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include <usher/crypto/hmac.hpp>
#include <usher/provider/http_transport.hpp>

#include "vendor/rsa_public_key.hpp"

namespace usher::vendor {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Instant = std::chrono::sys_time<milliseconds>;
using Fields = std::vector<std::pair<std::string, std::string>>;

enum class FaultKind : std::uint8_t {
    none,            ///< `ok`: the request is answered as it deserves.
    delay,           ///< The right answer, late.
    too_many,        ///< 429 with Retry-After; nothing done.
    server_error,    ///< 500; nothing done.
    bad_gateway,     ///< 502 with an HTML page; the work was done behind the gateway.
    unavailable,     ///< 503, empty, as XML; nothing done.
    gateway_timeout, ///< 504, empty; the work was done behind the gateway.
    reset_connect,   ///< Closed before the TLS handshake; for a request the same as reset_before.
    reset_before,    ///< The connection is reset before the work.
    reset_after,     ///< The connection is reset after the work.
    half_body,       ///< Half of the body, then the end of the connection; the work was done.
    wrong_type,      ///< 200 with an HTML page; the work was done.
    xml,             ///< XML though JSON was asked for; the work was done.
    empty_array,     ///< 200 with `[]`; nothing done.
    missing_id,      ///< 200 with a session that has no session_id; nothing done.
    skewed_date,     ///< The right answer with a wrong Date; the work was done.
    echo,            ///< 500 that quotes the request's credentials; nothing done.
};

std::string_view to_text(FaultKind kind);
std::optional<FaultKind> parse_fault_kind(std::string_view name);

struct Fault {
    FaultKind kind = FaultKind::none;
    milliseconds delay{0}; ///< On top of the latency, for any kind.
    seconds retry_after{1};
    bool retry_after_is_date = false;
    seconds skew{3600}; ///< How far skewed_date is ahead.
};

/// A fault with defaults that make it felt: a delay of one second for `delay`.
Fault fault_of(FaultKind kind);

enum class Outage : std::uint8_t {
    none,
    unavailable, ///< Every request gets the 503.
    refused,     ///< Every connection is reset before the TLS handshake.
};

/// Which certificate the server shows to new connections.
enum class Certificate : std::uint8_t { good, ending, expired, wrong_host, unknown_ca };

std::string_view to_text(Certificate certificate);
std::optional<Certificate> parse_certificate(std::string_view name);

/// How the vendor behaves, to be changed at any time.
struct Behaviour {
    milliseconds latency{0};
    seconds clock_offset{0}; ///< The host's clock minus ours.
    Outage outage = Outage::none;
    std::deque<Fault> next;       ///< Each is taken by one request, before anything happens by chance.
    double chance = 0;            ///< That a request meets one of `by_chance`; or a connection, for reset_connect.
    std::vector<Fault> by_chance; ///< Equally likely.
    Certificate certificate = Certificate::good;
    bool proxy_allows = true;
    std::string repeats{}; ///< The API key or application id whose every create is answered with its first session.
};

enum class Reset : std::uint8_t { none, before_work, after_work };

/// What comes back, and what the connection does to it on the way.
struct Outcome {
    HttpReply reply;
    milliseconds delay{0};
    Reset reset = Reset::none; ///< When set, the reply is not sent.
    bool truncate = false;     ///< Send half of the body, then close.
};

struct Connection {
    std::string id;
    Instant created;
};

struct SessionRecord {
    std::string id;
    std::string project_key; ///< API key or application id.
    Instant created;         ///< By the host's clock, as the id has it.
    Fields fields;           ///< The form, decoded, in its order.
    std::vector<Connection> connections;
};

struct RequestRecord {
    Instant time; ///< By our clock.
    FaultKind fault = FaultKind::none;
    int status = 0; ///< 0 when the connection was reset instead.
    HttpRequest request;
};

/// splitmix64: small, and the same everywhere.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_{seed} {}

    std::uint64_t next();
    bool chance(double probability);
    std::size_t below(std::size_t bound);

private:
    std::uint64_t state_;
};

/// The vendor as its clients see it: both kinds of account, the calls that usher makes, and the ways in which they go
/// wrong. No I/O, no clock: the same requests at the same instants lead to the same answers. What the vendor does not
/// document is as its official SDKs and their users' reports have it.
class Vendor {
public:
    explicit Vendor(std::uint64_t seed = 1);

    /// Requests for a project come with `X-OPENTOK-AUTH` and an HS256 JWT.
    void add_opentok(std::string const& api_key, std::string_view secret);

    /// Requests for an application come with `Authorization: Bearer` and an RS256 JWT. The key may be the public or
    /// the private one. Throws std::invalid_argument when `pem` is neither.
    void add_vonage(std::string const& application_id, std::string_view pem);

    /// `entropy` makes session ids unlike those of other runs; within one they are unique anyway.
    Outcome handle(HttpRequest const& request, Instant now, std::uint64_t entropy);

    /// To be asked once for each new connection.
    bool refuses_connection();

    /// To be asked once for each CONNECT; `target` is what the client wants to reach.
    bool admits_tunnel(std::string target);

    /// Has somebody join. Returns the connection's id, or nothing when there is no such session.
    std::optional<std::string> connect(std::string_view session_id, Instant now);

    std::vector<SessionRecord> const& sessions() const { return sessions_; }
    std::vector<RequestRecord> const& requests() const { return requests_; }
    std::vector<std::string> const& tunnels() const { return tunnels_; } ///< Targets of the admitted ones.
    std::size_t refused_connections() const { return refused_connections_; }

    Behaviour behaviour;

private:
    enum class AccountKind : std::uint8_t { opentok, vonage };
    struct Account {
        AccountKind kind;
        std::string key;
    };
    struct Refusal {
        int status;
        std::string message;
    };
    struct Call {
        HttpRequest const& request;
        Instant host_now;
        std::uint64_t entropy;
        bool json; ///< Whether the answer is to be JSON; XML otherwise.
    };

    Fault next_fault();
    Outcome perform(Fault const& fault, Call const& call);
    HttpReply answer(Call const& call);
    tl::expected<Account, Refusal> authenticate(Call const& call) const;
    tl::expected<Account, Refusal> authenticate_opentok(std::string_view token, Instant host_now) const;
    tl::expected<Account, Refusal> authenticate_vonage(std::string_view token, Instant host_now) const;
    HttpReply create_session(Account const& account, Call const& call);
    HttpReply list_connections(Account const& account, SessionRecord const& session, Call const& call) const;
    HttpReply disconnect(SessionRecord& session, std::string_view connection_id, Call const& call);
    SessionRecord* find_session(std::string_view id, std::string_view project_key);

    std::map<std::string, HmacKey, std::less<>> projects_;
    std::map<std::string, RsaPublicKey, std::less<>> applications_;
    Random faults_;
    Random ids_;
    std::vector<SessionRecord> sessions_;
    std::vector<RequestRecord> requests_;
    std::vector<std::string> tunnels_;
    std::size_t refused_connections_ = 0;
};

/// As RFC 9110 wants it in Date and Retry-After: `Sun, 06 Nov 1994 08:49:37 GMT`.
std::string http_date(Instant instant);

} // namespace usher::vendor
