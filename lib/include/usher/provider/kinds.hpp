// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

#include <usher/settings/provider_declaration.hpp>

namespace usher {

struct ProviderKind;
using ProviderKinds = std::span<ProviderKind const* const>;

/// All kinds of providers that usher has; the sandbox is the first.
ProviderKinds provider_kinds();

ProviderDeclarations declarations_of(ProviderKinds kinds = provider_kinds());

/// What makes the providers of a declared kind: one of `kinds`, by its declaration.
ProviderKind const& kind_of(ProviderDeclaration const& declared, ProviderKinds kinds = provider_kinds());

} // namespace usher
