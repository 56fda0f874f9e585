// SPDX-License-Identifier: Apache-2.0
// What databases hold of our hashes. A release that computes one of them differently would sign every token anew, or
// move every instant that was planned, so each value is written down here. They were computed with another program.
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include <usher/core/plan.hpp>
#include <usher/core/policy.hpp>
#include <usher/core/token.hpp>
#include <usher/crypto/rsa.hpp>

namespace usher {
namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;

/// FNV-1a once more, by its definition at http://www.isthe.com/chongo/tech/comp/fnv/, over a text that is spelled out.
std::uint64_t fnv(std::string_view bytes)
{
    std::uint64_t hash = 14695981039346656037U;
    for (const char byte : bytes)
        hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211U;
    return hash;
}

ProjectFacts sandbox()
{
    ProjectFacts facts;
    facts.name = "default";
    facts.provider = "sandbox";
    facts.project_key = "100000";
    facts.key_id = "0123456789abcdef";
    facts.format = TokenFormat::jwt;
    facts.connection_hash = 0x8547e07b5084555U;
    return facts;
}

ProjectFacts live()
{
    ProjectFacts facts;
    facts.name = "acme";
    facts.provider = "opentok";
    facts.project_key = "47665971";
    facts.key_id = "fedcba9876543210";
    facts.format = TokenFormat::t1;
    facts.connection_hash = 0x73edacd9e6b98241U;
    facts.policy.early_join.set(Role::moderator, 30min);
    facts.policy.max_token_life = 12h;
    facts.policy.rotation_margin = 4h;
    facts.policy.visible_at_opens = true;
    facts.policy.replace_on_removal = true;
    facts.policy.disconnect_on_cancel = true;
    return facts;
}

ParticipantRow ann()
{
    ParticipantRow row;
    row.id = "ann";
    row.connection_data = "name=Ann";
    row.layout_classes = "focus small";
    return row;
}

TEST(StoredValues, StableHashIsFnv1a)
{
    EXPECT_EQ(stable_hash(""), 0xcbf29ce484222325U);
    EXPECT_EQ(stable_hash("a"), 0xaf63dc4c8601ec8cU);
    EXPECT_EQ(stable_hash("foobar"), 0x85944171f73967e8U); // all three are in the authors' own list
    EXPECT_EQ(stable_hash("foobar"), fnv("foobar"));
    EXPECT_EQ(stable_hash("bar", stable_hash("foo")), stable_hash("foobar"));
}

TEST(StoredValues, SpreadsStay)
{
    EXPECT_EQ(spread("m", 1, 6h), 8804s);
    EXPECT_EQ(spread("m", 2, 15min), 828s);
    EXPECT_EQ(spread("meeting 17", 1, 6h), 16376s);
    EXPECT_EQ(spread("", 0, 899s), 158s);
    EXPECT_EQ(spread("m", 1'800'000'000, 2h), 3224s);
}

TEST(StoredValues, PolicyHashesStay)
{
    EXPECT_EQ(hash_of(sandbox()), 0x135bb507b63bd9c6U);
    EXPECT_EQ(hash_of(live()), 0xd736ed45823c43eeU);
    EXPECT_EQ(
        hash_of(live()), fnv("acme\nopentok\n47665971\nfedcba9876543210\nt1\n"
                             "86400\n3600\n900\n900\n900\n1800\n900\n10\n43200\n14400\n2592000\n"
                             "1\n1\n1\n0\n"
                             "8353522935720936001")
    );
}

TEST(StoredValues, InputsOfSessionsStay)
{
    MeetingRow row{};
    row.options = {"relayed", "always", "May day", "1280x720", "192.0.2.1", true};

    EXPECT_EQ(
        to_text(row.options), "media=relayed archive=always e2ee=1 resolution=1280x720 location=192.0.2.1 "
                              "name=May day"
    );
    EXPECT_EQ(inputs_of(row, live()), 0x38527b8d723342c0U);
    EXPECT_EQ(
        inputs_of(row, live()), fnv("acme\nopentok\n47665971\nfedcba9876543210\n8353522935720936001\n"
                                    "media=relayed archive=always e2ee=1 resolution=1280x720 location=192.0.2.1 "
                                    "name=May day")
    );
}

TEST(StoredValues, FingerprintsStay)
{
    EXPECT_EQ(fingerprint_of(ann(), "2_MX4", TokenFormat::t1), 0x6290cbd3869be388U);
    EXPECT_EQ(fingerprint_of(ann(), "2_MX4", TokenFormat::jwt), 0xe44d4e6d9dbea5dcU);
    EXPECT_EQ(fingerprint_of(ParticipantRow{}, "s", TokenFormat::jwt), 0x84d60f8f19f46197U);
    EXPECT_EQ(fingerprint_of(ann(), "2_MX4", TokenFormat::jwt), fnv("2_MX4\0name=Ann\0focus small\0jwt"sv));
}

TEST(StoredValues, KeyIdsStay)
{
    const auto by_secret =
        TokenSigner::for_api_key(TokenFormat::t1, "1", Secret{"0123456789abcdef0123456789abcdef01234567"});
    std::ifstream file{USHER_SOURCE_DIR "/tests/vectors/throwaway_rsa2048.pem"};
    auto key = RsaSigner::from_pem(Secret{std::string{std::istreambuf_iterator<char>{file}, {}}});
    const auto by_key = TokenSigner::for_application("29f760f8-7ce1-46c9-ade3-f2dedee4ed5f", std::move(*key));

    EXPECT_EQ(by_secret->key_id(), "5928310d2c2fdae2");
    EXPECT_EQ(by_key->key_id(), "fc83bd9b5eeff6fe");
}

} // namespace
} // namespace usher
