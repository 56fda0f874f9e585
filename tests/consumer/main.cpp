// SPDX-License-Identifier: Apache-2.0
// Makes one token with the installed library, and verifies it.
#include <chrono>
#include <iostream>
#include <string>

#include <usher/core/token.hpp>

int main()
{
    using namespace std::chrono_literals;
    const usher::sys_seconds now{1'700'000'000s};
    const usher::Secret api_secret{std::string{"a secret of the test"}};

    const auto signer = usher::TokenSigner::for_api_key(usher::TokenFormat::t1, "100", api_secret);
    if (!signer) {
        std::cerr << signer.error().message << '\n';
        return 1;
    }
    const usher::TokenClaims claims{
        .session_id = "2_MX4xMDB-fjE3MDAwMDAwMDAwMDB-YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4fn5-",
        .role = usher::Role::moderator,
        .issued_at = now,
        .expires_at = now + 1h,
        .connection_data = "seat=7",
        .layout_classes = "focus",
    };
    const auto token = signer->sign(claims, usher::TokenEntropy{.high = 1, .low = 2}, now);
    if (!token) {
        std::cerr << token.error().message << '\n';
        return 1;
    }
    const auto verified = signer->verify(*token);
    const auto forged = signer->verify(token->substr(0, token->size() - 8) + "AAAAAAAA");
    if (!token->starts_with("T1==") || !verified || forged) {
        std::cerr << "not a token that verifies, or a forged one that does: " << *token << '\n';
        return 1;
    }
    return 0;
}
