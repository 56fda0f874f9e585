// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace usher {

/// `text`, which somebody else wrote, with `[credential]` for whatever in it comes from `credential`, also where that
/// is percent-encoded, in base64 or hex, backwards, in another case, or in pieces of eight letters and digits or more
/// (of a short one half of it, but four); and for whatever else looks like a key: twenty letters and digits or more
/// without a gap. The first 4 KiB of `text` only.
std::string without_credential(std::string_view text, std::string_view credential);

/// Whether `id`, which is to be published, has a piece of `credential` in it, in one of those forms. Of a credential
/// with less than sixteen letters and digits: all of it.
bool holds_credential(std::string_view id, std::string_view credential);

} // namespace usher
