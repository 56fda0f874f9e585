// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <usher/provider/provider.hpp>

namespace usher {

/// What the sandbox signs with when the configuration names no key of its own. They are public on purpose, so that
/// anyone can verify a sandbox token; no vendor knows them.
inline constexpr std::string_view sandbox_api_key = "100000";
inline constexpr std::string_view sandbox_api_secret = "5a4db0c0ffee5a4db0c0ffee5a4db0c0ffee5a4d";

/// Mints session ids locally, in the vendor's format; they open no real meeting. Never touches the network.
class SandboxProvider final : public Provider {
public:
    explicit SandboxProvider(std::string api_key) : api_key_{std::move(api_key)} {}

    bool needs_network() const override { return false; }
    boost::asio::awaitable<CreateOutcome> create_session(SessionOrder order) override;

private:
    std::string api_key_;
};

/// `1_` and base64url of `1~KEY~~MILLISECONDS~24 RANDOM CHARACTERS~P or nothing~~`.
std::string sandbox_session_id(std::string_view api_key, SessionOrder const& order);

} // namespace usher
