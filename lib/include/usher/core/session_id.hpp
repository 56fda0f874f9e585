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

/// Whether an id tells that another project's session it is; one that does not decode tells nothing. Upper and lower
/// case of an application id are the same.
bool is_of_another_project(std::string_view session_id, std::string_view project_key);

/// Recognises the session ids of one project without decoding them.
class SessionIdStart {
public:
    explicit SessionIdStart(std::string_view project_key);

    /// Whether `session_id` begins with the project's key; the rest is not looked at, and may not decode. Ids that are
    /// encoded in another alphabet than the vendor's are not recognised.
    bool is_in(std::string_view session_id) const;

private:
    std::string digits_; ///< Of whole groups of three bytes.
    std::string rest_;   ///< The bytes that follow, at most two.
};

} // namespace usher
