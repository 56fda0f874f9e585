// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace usher {

/// The status page, daemon/page.html, with `nonce` for its script and style, and `sentence` for those without scripts.
std::string page_html(std::string_view nonce, std::string_view sentence);

} // namespace usher
