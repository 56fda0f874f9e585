// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <usher/core/token.hpp>
#include <usher/provider/http_transport.hpp>
#include <usher/provider/provider.hpp>
#include <usher/provider/vendor_wire.hpp>

namespace usher {

/// One project at one of the vendor's two hosts. Each request carries a JWT of its own.
class VendorProvider final : public Provider {
public:
    /// `server` names the host in sentences; `clock_skew` dates the JWTs back; `now` is the wall clock.
    VendorProvider(
        VendorHost host, std::string server, TokenSigner signer, seconds clock_skew,
        std::shared_ptr<HttpTransport> transport, std::function<sys_seconds()> now
    );

    bool needs_network() const override { return true; }
    boost::asio::awaitable<CreateOutcome> create_session(SessionOrder order) override;
    std::unique_ptr<Emptier> emptier(std::string session_id) override;

private:
    class SessionEmptier;

    std::string authorization(TokenEntropy entropy) const;
    CallContext context(std::string authorization) const;
    boost::asio::awaitable<std::optional<ProviderFailure>> ask_the_time();

    VendorHost host_;
    std::string server_;
    TokenSigner signer_;
    seconds clock_skew_;
    std::shared_ptr<HttpTransport> transport_;
    std::function<sys_seconds()> now_;
    bool clock_is_off_ = false; ///< By the last session that was made: it cost one that nobody can use.
};

} // namespace usher
