// SPDX-License-Identifier: Apache-2.0
#include <usher/provider/kinds.hpp>

#include <array>
#include <stdexcept>
#include <string>

#include <usher/provider/kind.hpp>

#include "provider/opentok/kind.hpp"
#include "provider/sandbox/kind.hpp"
#include "provider/vonage/kind.hpp"

namespace usher {

ProviderKinds provider_kinds()
{
    static constexpr std::array<ProviderKind const*, 3> kinds{
        &sandbox_kind,
        &opentok_kind,
        &vonage_kind,
    };
    return kinds;
}

ProviderDeclarations declarations_of(ProviderKinds kinds)
{
    ProviderDeclarations declarations;
    for (ProviderKind const* const kind : kinds)
        declarations.push_back(&kind->declared);
    return declarations;
}

ProviderKind const& kind_of(ProviderDeclaration const& declared, ProviderKinds kinds)
{
    for (ProviderKind const* const kind : kinds)
        if (&kind->declared == &declared)
            return *kind;
    throw std::logic_error{"provider " + std::string{declared.name} + " is none of these kinds"};
}

} // namespace usher
