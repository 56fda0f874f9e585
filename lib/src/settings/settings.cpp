// SPDX-License-Identifier: Apache-2.0
#include <usher/settings/settings.hpp>

#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace usher {

namespace {

std::optional<Settings::Value> standard_of(KeyDeclaration const& key)
{
    return std::visit(
        [](auto const& declared) -> std::optional<Settings::Value> {
            using Declared = std::decay_t<decltype(declared)>;
            if constexpr (std::is_same_v<Declared, OwnRule>)
                return std::nullopt;
            else if constexpr (std::is_same_v<Declared, DurationKey>)
                return declared.standard ? std::optional<Settings::Value>{*declared.standard} : std::nullopt;
            else if constexpr (std::is_same_v<Declared, ChoiceKey>)
                return Settings::Choice{declared.standard};
            else if constexpr (std::is_same_v<Declared, SecretKey>)
                return Settings::Kept{Secret{std::string{declared.standard}}, {}};
            else if constexpr (std::is_same_v<Declared, NumberKey> || std::is_same_v<Declared, RoleDurationsKey>)
                return declared.standard;
            else
                return std::string{declared.standard};
        },
        key.value
    );
}

} // namespace

void Settings::set(std::string_view name, Value value)
{
    values_.insert_or_assign(std::string{name}, std::move(value));
}

void Settings::set_standard(KeyDeclaration const& key)
{
    if (auto standard = standard_of(key))
        set(key.name, std::move(*standard));
}

Settings::Value const& Settings::at(std::string_view name) const
{
    const auto found = values_.find(name);
    if (found == values_.end())
        throw std::logic_error{"no key " + std::string{name} + " was declared"};
    return found->second;
}

bool Settings::is_text(std::string_view name) const
{
    return std::holds_alternative<std::string>(at(name));
}

std::string const& Settings::text(std::string_view name) const
{
    return std::get<std::string>(at(name));
}

seconds Settings::duration(std::string_view name) const
{
    return std::get<seconds>(at(name));
}

EarlyJoin Settings::early_join(std::string_view name) const
{
    return std::get<EarlyJoin>(at(name));
}

std::int64_t Settings::number(std::string_view name) const
{
    return std::get<std::int64_t>(at(name));
}

std::size_t Settings::choice(std::string_view name) const
{
    return std::get<Choice>(at(name)).index;
}

Secret const& Settings::secret(std::string_view name) const
{
    return std::get<Kept>(at(name)).secret;
}

std::string const& Settings::source(std::string_view name) const
{
    return std::get<Kept>(at(name)).source;
}

void Settings::forget_secrets()
{
    for (auto& [name, value] : values_)
        if (auto* const kept = std::get_if<Kept>(&value))
            kept->secret = Secret{std::string{}};
}

} // namespace usher
