// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace usher {

/// What a participant may do. The values are stored in the `token` table: never renumber.
enum class Role : std::uint8_t { subscriber = 1, publisher = 2, publisheronly = 3, moderator = 4 };

/// The vendor's wire name, also the text in the `participant` table.
constexpr std::string_view to_text(Role role)
{
    switch (role) {
    case Role::subscriber: return "subscriber";
    case Role::publisher: return "publisher";
    case Role::publisheronly: return "publisheronly";
    case Role::moderator: return "moderator";
    }
    return {};
}

constexpr std::optional<Role> parse_role(std::string_view text)
{
    for (const Role role : {Role::subscriber, Role::publisher, Role::publisheronly, Role::moderator})
        if (text == to_text(role))
            return role;
    return std::nullopt;
}

} // namespace usher
