// SPDX-License-Identifier: Apache-2.0
// What the kinds of providers declare, against what they do.
#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include <usher/provider/kind.hpp>
#include <usher/provider/sandbox.hpp>

namespace usher {
namespace {

class NoTransport final : public HttpTransport {
public:
    boost::asio::awaitable<tl::expected<HttpReply, HttpFailure>> send(HttpRequest) override
    {
        co_return tl::unexpected{HttpFailure{}};
    }
};

std::string content_of(std::string const& path)
{
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

/// Good values of all keys that have no default.
Settings settings_of(ProviderDeclaration const& kind)
{
    Settings settings;
    for (const auto keys : {kind.credentials, kind.connection})
        for (KeyDeclaration const& key : keys)
            settings.set_standard(key);
    settings.set("concurrency", std::int64_t{3});
    for (KeyDeclaration const& key : kind.credentials) {
        if (key.name == "api_key")
            settings.set(key.name, std::string{"47665971"});
        else if (key.name == "application_id")
            settings.set(key.name, std::string{"29f760f8-7ce1-46c9-ade3-f2dedee4ed5f"});
        else if (key.name == "api_secret")
            settings.set(key.name, Settings::Kept{Secret{"0123456789abcdef0123456789abcdef01234567"}, {}});
        else if (key.name == "private_key")
            settings.set(
                key.name,
                Settings::Kept{Secret{content_of(USHER_SOURCE_DIR "/tests/vectors/throwaway_rsa2048.pem")}, {}}
            );
        else
            ADD_FAILURE() << "a value for " << key.name << " is needed here";
    }
    return settings;
}

TEST(Kinds, DeclareWhatTheirProvidersDo)
{
    for (ProviderKind const* const kind : provider_kinds()) {
        ProviderDeclaration const& declared = kind->declared;
        SCOPED_TRACE(declared.name);
        const Settings settings = settings_of(declared);
        bool asked = false;
        const ProviderDoors doors{
            [] { return from_unix(1'800'000'000); },
            [&](TransportSettings const& transport) {
                asked = true;
                EXPECT_EQ(transport.base_url, settings.text("base_url"));
                EXPECT_EQ(transport.total_timeout, seconds{20});
                EXPECT_EQ(transport.connect_timeout, seconds{5});
                EXPECT_EQ(transport.idle_max, 3U);
                return std::make_shared<NoTransport>();
            }};

        const auto signer = declared.signer("default", settings, declared.standard_format);
        ASSERT_TRUE(signer) << signer.error().message;
        const auto provider = kind->make(settings, *signer, seconds{10}, doors);
        ASSERT_TRUE(provider) << provider.error();

        EXPECT_EQ((*provider)->needs_network(), declared.orders_sessions);
        EXPECT_EQ((*provider)->can_disconnect(), declared.disconnects);
        EXPECT_EQ(asked, declared.uses_network());
        EXPECT_EQ(signer->project_key(), settings.text(declared.project_key));
        EXPECT_EQ(signer->format(), declared.standard_format);
        EXPECT_LE(declared.life_limit, seconds{30 * 24 * 3600});
    }
}

TEST(Kinds, SignInEveryFormatThatTheyTake)
{
    for (ProviderKind const* const kind : provider_kinds()) {
        const Settings settings = settings_of(kind->declared);
        for (TokenFormat const& format : kind->declared.formats)
            EXPECT_EQ(kind->declared.signer("default", settings, format)->format(), format) << kind->declared.name;
    }
}

TEST(Kinds, PassOnWhyTheyCannotBeMade)
{
    const ProviderDoors doors{
        [] { return sys_seconds{}; },
        [](TransportSettings const&) -> tl::expected<std::shared_ptr<HttpTransport>, std::string> {
            return tl::unexpected{std::string{"no network today"}};
        }};
    for (ProviderKind const* const kind : provider_kinds()) {
        const Settings settings = settings_of(kind->declared);
        const auto signer = kind->declared.signer("default", settings, kind->declared.standard_format);
        const auto provider = kind->make(settings, *signer, seconds{10}, doors);
        EXPECT_EQ(provider ? "" : provider.error(), kind->declared.uses_network() ? "no network today" : "");
    }
}

TEST(Kinds, AreDeclaredWhole)
{
    std::set<std::string_view> names;
    for (ProviderDeclaration const* const kind : declarations_of()) {
        EXPECT_TRUE(names.insert(kind->name).second) << kind->name;
        const auto has = [&](std::string_view name) {
            return std::any_of(kind->credentials.begin(), kind->credentials.end(), [&](KeyDeclaration const& key) {
                return key.name == name;
            });
        };
        EXPECT_TRUE(has(kind->project_key)) << kind->name;
        EXPECT_TRUE(has(kind->secret)) << kind->name;
        EXPECT_NE(std::find(kind->formats.begin(), kind->formats.end(), kind->standard_format), kind->formats.end());
        EXPECT_EQ(find_kind(declarations_of(), kind->name), kind);
        EXPECT_EQ(&kind_of(*kind).declared, kind);
    }
    EXPECT_EQ(find_kind(declarations_of(), "zoom"), nullptr);
    for (KeyDeclaration const& key :
         declarations_of().front()->credentials) // it serves where there is no configuration
        EXPECT_FALSE(key.required) << key.name;
}

TEST(Kinds, NoneButTheSandboxPretends)
{
    for (ProviderDeclaration const* const kind : declarations_of())
        EXPECT_EQ(kind->pretends, kind->name == "sandbox");
}

} // namespace
} // namespace usher
