// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include <gtest/gtest.h>

#include <usher/settings/provider_declaration.hpp>
#include <usher/settings/settings.hpp>

namespace usher {
namespace {

using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<Settings>, "they hold secrets");

constexpr std::array<std::string_view, 2> words{"off", "on"};

TEST(Settings, HaveTheDefaultsOfEveryTypeOfKey)
{
    Settings settings;
    for (KeyDeclaration const& key : {
             KeyDeclaration{"own", OwnRule{}},
             KeyDeclaration{"text", TextKey{"a text", nullptr, "abc"}},
             KeyDeclaration{"url", UrlKey{"https", "https://a.example"}},
             KeyDeclaration{"path", PathKey{"a path"}},
             KeyDeclaration{"duration", DurationKey{1s, 1h, 1min}},
             KeyDeclaration{"derived", DurationKey{1s, 1h, std::nullopt}},
             KeyDeclaration{"roles", RoleDurationsKey{0s, 1h, EarlyJoin{5min}}},
             KeyDeclaration{"number", NumberKey{1, 9, 7}},
             KeyDeclaration{"choice", ChoiceKey{words, 1}},
             KeyDeclaration{"secret", SecretKey{nullptr, "public"}},
         })
        settings.set_standard(key);

    EXPECT_FALSE(settings.has("own"));
    EXPECT_FALSE(settings.has("derived"));
    EXPECT_EQ(settings.text("text"), "abc");
    EXPECT_EQ(settings.text("url"), "https://a.example");
    EXPECT_EQ(settings.text("path"), "");
    EXPECT_EQ(settings.duration("duration"), 1min);
    EXPECT_EQ(settings.early_join("roles"), EarlyJoin{5min});
    EXPECT_EQ(settings.number("number"), 7);
    EXPECT_EQ(settings.choice("choice"), 1U);
    EXPECT_EQ(settings.secret("secret").reveal(), "public");
    EXPECT_EQ(settings.source("secret"), "");
    EXPECT_TRUE(settings.is_text("text"));
    EXPECT_FALSE(settings.is_text("number"));
}

TEST(Settings, KnowOnlyWhatWasDeclaredAndByItsType)
{
    Settings settings;
    settings.set("number", std::int64_t{7});

    EXPECT_THROW(static_cast<void>(settings.number("nubmer")), std::logic_error);
    EXPECT_THROW(static_cast<void>(settings.text("number")), std::bad_variant_access);
}

TEST(Settings, ForgetSecretsAndNothingElse)
{
    Settings settings;
    settings.set("text", std::string{"abc"});
    settings.set("secret", Settings::Kept{Secret{"s3cret"}, "/etc/usher/a.secret"});

    settings.forget_secrets();

    EXPECT_EQ(settings.secret("secret").reveal(), "");
    EXPECT_EQ(settings.source("secret"), "/etc/usher/a.secret");
    EXPECT_EQ(settings.text("text"), "abc");
}

TEST(ProviderDeclaration, UsesTheNetworkForSessionsOrToThrowPeopleOut)
{
    ProviderDeclaration kind{
        .name = "a",
        .credentials = {},
        .project_key = "",
        .secret = "",
        .formats = {},
        .standard_format = TokenFormat::jwt,
        .signer = nullptr,
    };
    for (auto const& [orders, disconnects, uses] : {
             std::array{false, false, false},
             std::array{false, true, true},
             std::array{true, false, true},
             std::array{true, true, true},
         }) {
        kind.orders_sessions = orders;
        kind.disconnects = disconnects;
        EXPECT_EQ(kind.uses_network(), uses) << orders << disconnects;
    }
}

} // namespace
} // namespace usher
