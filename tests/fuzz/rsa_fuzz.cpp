// SPDX-License-Identifier: Apache-2.0
// Hostile keys and signatures: what is no key is refused with a reason, and nothing verifies but what we signed.
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include <usher/core/token.hpp>
#include <usher/crypto/base64.hpp>

namespace {

using namespace usher;

std::string key_text()
{
    std::ifstream file{USHER_SOURCE_DIR "/tests/vectors/throwaway_rsa2048.pem", std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size)
{
    static const RsaSigner key = std::move(*RsaSigner::from_pem(Secret{key_text()}));
    static const TokenSigner signer = std::move(*TokenSigner::for_application(
        "29f760f8-7ce1-46c9-ade3-f2dedee4ed5f", std::move(*RsaSigner::from_pem(Secret{key_text()}))
    ));
    static const std::string right = key.sign("message");
    const std::string_view text{reinterpret_cast<char const*>(data), size};

    if (key.verify("message", text) != (text == right) || key.verify(text, right) != (text == "message"))
        std::abort();
    // PKCS #1 v1.5 has one signature for each message, so one that verifies is the one that we make.
    if (signer.verify(text)) {
        const std::size_t dot = text.rfind('.');
        if (base64url_encode(key.sign(text.substr(0, dot))) != text.substr(dot + 1))
            std::abort();
    }
    (void)RsaSigner::from_pem(Secret{std::string{text}});
    return 0;
}
