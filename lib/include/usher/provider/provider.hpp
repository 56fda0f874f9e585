// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <tl/expected.hpp>

#include <usher/core/meeting.hpp>

namespace usher {

/// What a session is created from. `entropy` is drawn by the caller, so that a test can repeat it.
struct SessionOrder {
    SessionOptions options;
    std::chrono::sys_time<std::chrono::milliseconds> at;
    std::array<std::uint64_t, 3> entropy;
    std::uint64_t serial = 0; ///< Counts orders. Ids that begin alike for neighbours are stored side by side.
};

enum class FailureKind : std::uint8_t {
    permanent,      ///< The same request will be refused again.
    transient,      ///< It may work later; nothing was made.
    ambiguous,      ///< The answer was lost: a session may have been made.
    authentication, ///< The credentials, or the clock, are wrong.
    quota,          ///< Too many requests.
};

/// One word, the same in metrics and in the log.
constexpr std::string_view to_text(FailureKind kind)
{
    switch (kind) {
    case FailureKind::permanent: return "permanent";
    case FailureKind::transient: return "transient";
    case FailureKind::ambiguous: return "ambiguous";
    case FailureKind::authentication: return "authentication";
    case FailureKind::quota: return "quota";
    }
    return {};
}

/// Whether trying again is of no use until somebody puts something right.
constexpr bool needs_somebody(FailureKind kind)
{
    return kind == FailureKind::permanent || kind == FailureKind::authentication;
}

/// Why a provider did not do what it was asked.
struct ProviderFailure {
    FailureKind kind = FailureKind::transient;
    std::string reason;      ///< A code, as `meeting_status` shows it: `provider_timeout`.
    std::string detail;      ///< A sentence, with the provider's own message and the way out where there is one.
    bool of_project = false; ///< Whether every other request of this project would fail alike.
    std::optional<seconds> retry_after{}; ///< As the provider asks.
    bool made = false;                    ///< A session was made all the same, and cannot be used.
};

/// Whether there may be a session at the provider that nobody will use.
inline bool leaves_session(ProviderFailure const& failure)
{
    return failure.kind == FailureKind::ambiguous || failure.made;
}

/// `clock_ahead` is how far this machine's clock is ahead of the provider's, where an answer told.
struct CreateOutcome {
    tl::expected<std::string, ProviderFailure> session_id;
    std::optional<seconds> clock_ahead{};
};

struct DisconnectOutcome {
    tl::expected<std::size_t, ProviderFailure> disconnected; ///< How many were.
    std::optional<seconds> clock_ahead{};
    bool is_endless = false; ///< There are always more; to go on is of no use.
};

/// Throws everybody out of one session, in as many parts as there are turns for.
class Emptier {
public:
    Emptier() = default;
    Emptier(Emptier const&) = delete;
    Emptier& operator=(Emptier const&) = delete;
    virtual ~Emptier() = default;

    /// Goes on where it was left, until nobody is there any more or `turn` says no. That is asked before each request,
    /// when the one before has gone well. Returns how many were thrown out by now.
    virtual boost::asio::awaitable<DisconnectOutcome> go_on(SessionOrder order, std::function<bool()> turn) = 0;
};

/// Creates sessions for one project: the door to a vendor. The caller owns retries.
class Provider {
public:
    virtual ~Provider() = default;

    /// Whether create_session() may take long and fail; one that does not answers at once, on any thread.
    virtual bool needs_network() const = 0;

    /// Whether there is an emptier(), whose calls may take long and fail. Most vendors whose sessions are made by calls
    /// have such calls too.
    virtual bool can_disconnect() const { return needs_network(); }

    virtual boost::asio::awaitable<CreateOutcome> create_session(SessionOrder order) = 0;

    /// For everybody who is in the session; it must not outlive the provider. Null unless can_disconnect() says so.
    virtual std::unique_ptr<Emptier> emptier(std::string) { return nullptr; }
};

} // namespace usher
