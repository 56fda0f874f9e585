// SPDX-License-Identifier: Apache-2.0
// A vendor that nobody has heard of, to show what a new one takes: this folder, and a row in a table of kinds.
#pragma once

#include <usher/core/token_format.hpp>
#include <usher/provider/kind.hpp>

namespace usher::madeup {

/// Rooms need no call: they are there as soon as somebody enters. People are thrown out by one.
extern const ProviderKind kind;

/// The same vendor's older service, whose rooms are made by a call.
extern const ProviderKind kind_with_calls;

/// `MU1.payload.signature`; says who enters, and how the others see them.
extern const TokenFormatDeclaration format;

} // namespace usher::madeup
