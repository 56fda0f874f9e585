// SPDX-License-Identifier: Apache-2.0
#include <usher/settings/provider_declaration.hpp>

#include <algorithm>

namespace usher {

ProviderDeclaration const* find_kind(ProviderDeclarations const& kinds, std::string_view name)
{
    const auto found =
        std::find_if(kinds.begin(), kinds.end(), [&](ProviderDeclaration const* kind) { return kind->name == name; });
    return found == kinds.end() ? nullptr : *found;
}

std::vector<TokenFormat> formats_of(ProviderDeclarations const& kinds)
{
    std::vector<TokenFormat> all;
    for (ProviderDeclaration const* const kind : kinds)
        for (TokenFormat const& format : kind->formats)
            if (std::find(all.begin(), all.end(), format) == all.end())
                all.push_back(format);
    return all;
}

} // namespace usher
