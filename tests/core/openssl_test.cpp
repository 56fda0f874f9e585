// SPDX-License-Identifier: Apache-2.0
// The public signer against tokens that the openssl command line computed (tests/vectors/make.sh), and the texts that
// it says of tokens that cannot be read.
#include <fstream>
#include <future>
#include <map>
#include <sstream>

#include <gtest/gtest.h>

#include <usher/core/token.hpp>
#include <usher/crypto/base64.hpp>

namespace usher {
namespace {

using namespace std::chrono_literals;

const std::string folder = USHER_SOURCE_DIR "/tests/vectors/";
const std::string session = "1_" + base64url_encode("1~47665971~~1700000000000~abcdefghijklmnopqrstuvwx~~~");
constexpr sys_seconds issued{1'700'000'000s};
constexpr TokenEntropy entropy{0, 42};

std::string contents(std::string const& path)
{
    std::ifstream in{path};
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
}

std::map<std::string, std::string> vectors()
{
    std::map<std::string, std::string> result;
    std::ifstream in{folder + "openssl.txt"};
    for (std::string name, token; in >> name >> token;)
        result[name] = token;
    return result;
}

TokenSigner by_secret(TokenFormat format)
{
    return std::move(*TokenSigner::for_api_key(format, "47665971", Secret{"0123456789abcdef0123456789abcdef01234567"}));
}

TEST(Openssl, AgreesOnT1)
{
    const TokenSigner signer = by_secret(TokenFormat::t1);
    const TokenClaims plain{session, Role::publisher, issued, issued + 1h, {}, {}};
    const TokenClaims details{session, Role::publisher, issued, issued + 1h, "name=Ann & Bob+\u00e9", "focus small"};
    EXPECT_EQ(signer.sign(plain, entropy, issued), vectors().at("t1_plain"));
    EXPECT_EQ(signer.sign(details, entropy, issued), vectors().at("t1_details"));
}

TEST(Openssl, AgreesOnHs256)
{
    const TokenClaims claims{session, Role::moderator, issued, issued + 1h, "{\"a\":\"\u00e9\n\"}", "focus small"};
    EXPECT_EQ(by_secret(TokenFormat::jwt).sign(claims, entropy, issued), vectors().at("hs256"));
}

TEST(Openssl, AgreesOnRs256)
{
    auto key = RsaSigner::from_pem(Secret{contents(folder + "throwaway_rsa2048.pem")});
    ASSERT_TRUE(key);
    const auto signer = TokenSigner::for_application("29f760f8-7ce1-46c9-ade3-f2dedee4ed5f", std::move(*key));
    ASSERT_TRUE(signer);
    const TokenClaims claims{session, Role::subscriber, issued, issued + 1h, {}, {}};
    EXPECT_EQ(signer->sign(claims, entropy, issued), vectors().at("rs256"));
    EXPECT_TRUE(signer->verify(vectors().at("rs256")));
    EXPECT_FALSE(signer->verify(vectors().at("hs256"))); // another algorithm is another key's
}

TEST(Openssl, AgreesOnRs256FromTwoThreadsAtOnce)
{
    auto key = RsaSigner::from_pem(Secret{contents(folder + "throwaway_rsa2048.pem")});
    ASSERT_TRUE(key);
    const auto signer = TokenSigner::for_application("29f760f8-7ce1-46c9-ade3-f2dedee4ed5f", std::move(*key));
    const std::string expected = vectors().at("rs256");
    const auto agrees = [&] {
        const TokenClaims claims{session, Role::subscriber, issued, issued + 1h, {}, {}};
        for (int i = 0; i < 50; ++i)
            if (signer->sign(claims, entropy, issued) != expected)
                return false;
        return true;
    };

    auto other = std::async(std::launch::async, agrees);

    EXPECT_TRUE(agrees());
    EXPECT_TRUE(other.get());
}

TEST(Openssl, TakesKeysInEveryLineEndAndRefusesTheOthersByName)
{
    const std::string pem = contents(folder + "throwaway_rsa2048.pem");
    const auto replaced = [&](std::string const& line_end) {
        std::string text;
        for (const char byte : pem)
            text += byte == '\n' ? line_end : std::string{byte};
        return text;
    };
    EXPECT_TRUE(RsaSigner::from_pem(Secret{replaced("\r\n")}));
    EXPECT_TRUE(RsaSigner::from_pem(Secret{replaced("\\n")}));
    const auto error = [](std::string text) { return RsaSigner::from_pem(Secret{std::move(text)}).error(); };
    EXPECT_EQ(error(""), RsaKeyError::missing);
    EXPECT_EQ(error(contents(folder + "throwaway_rsa1024.pem")), RsaKeyError::too_short);
    EXPECT_EQ(error(contents(folder + "throwaway_ec.pem")), RsaKeyError::not_rsa);
    EXPECT_EQ(error(pem.substr(0, pem.size() / 2)), RsaKeyError::unreadable);
}

TEST(DecodeToken, SaysWhatIsWrongInTheWordsOfTheCorpus)
{
    std::ifstream in{USHER_SOURCE_DIR "/tests/bad/tokens.tsv"};
    int compared = 0;
    for (std::string line; std::getline(in, line); ++compared) {
        const auto tab = line.find('\t');
        ASSERT_NE(tab, std::string::npos) << line;
        const std::string token = line.substr(0, tab);
        SCOPED_TRACE(token);
        const auto decoded = decode_token(token);
        const auto verified = by_secret(token.starts_with("T1") ? TokenFormat::t1 : TokenFormat::jwt).verify(token);
        std::string said = decoded ? "" : decoded.error().message;
        if (decoded)
            for (std::string const& note : decoded->notes)
                said += note + "; ";
        said += verified ? " | verified" : " | " + verified.error().message;
        EXPECT_EQ(said, line.substr(tab + 1));
        EXPECT_FALSE(verified);
    }
    EXPECT_GE(compared, 20);
}

} // namespace
} // namespace usher
