// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <usher/provider/provider.hpp>

namespace usher {

/// Mints session ids locally, in the vendor's format; they open no real meeting. Never touches the network.
class SandboxProvider final : public Provider {
public:
    explicit SandboxProvider(std::string api_key) : api_key_{std::move(api_key)} {}

    bool needs_network() const override { return false; }
    boost::asio::awaitable<CreateOutcome> create_session(SessionOrder order) override;
    boost::asio::awaitable<DisconnectOutcome> disconnect_all(std::string session_id, SessionOrder order) override;

private:
    std::string api_key_;
};

/// `1_` and base64url of `1~KEY~~MILLISECONDS~24 RANDOM CHARACTERS~P or nothing~~`.
std::string sandbox_session_id(std::string_view api_key, SessionOrder const& order);

} // namespace usher
