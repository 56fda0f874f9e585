// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace usher {

/// The `~`-separated fields of a session id, or nothing when it does not decode to `1~…~…`. The form is not documented
/// by the vendor: good for a sanity check and for people, for nothing else.
std::optional<std::vector<std::string>> session_id_fields(std::string_view session_id);

/// The API key or application id in a session id, or nothing when it does not decode.
std::optional<std::string> project_key_of(std::string_view session_id);

/// Whether the session id begins with what decodes to `start`; the rest is not looked at, and may not decode.
bool session_id_starts_with(std::string_view session_id, std::string_view start);

} // namespace usher
