// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <usher/provider/kind.hpp>

namespace usher {

extern const ProviderKind sandbox_kind;

} // namespace usher
