// SPDX-License-Identifier: Apache-2.0
#include <usher/core/session_id.hpp>

#include <cstddef>
#include <utility>

#include <usher/core/ascii.hpp>
#include <usher/crypto/base64.hpp>

namespace usher {

namespace {

bool has_prefix(std::string_view session_id)
{
    return session_id.starts_with("1_") || session_id.starts_with("2_");
}

} // namespace

std::optional<std::vector<std::string>> session_id_fields(std::string_view session_id)
{
    if (!has_prefix(session_id))
        return std::nullopt;
    const auto decoded = base64_decode_lenient(session_id.substr(2));
    if (!decoded || !decoded->starts_with("1~"))
        return std::nullopt;
    std::vector<std::string> fields;
    std::size_t begin = 0;
    for (;;) {
        const std::size_t end = decoded->find('~', begin);
        fields.push_back(decoded->substr(begin, end - begin));
        if (end == std::string::npos)
            return fields;
        begin = end + 1;
    }
}

std::optional<std::string> project_key_of(std::string_view session_id)
{
    auto fields = session_id_fields(session_id);
    if (!fields || fields->size() < 3 || fields->at(1).empty())
        return std::nullopt;
    return std::move(fields->at(1));
}

bool is_of_another_project(std::string_view session_id, std::string_view project_key)
{
    const std::optional<std::string> owner = project_key_of(session_id);
    return owner && in_lower_case(*owner) != in_lower_case(project_key);
}

SessionIdStart::SessionIdStart(std::string_view project_key)
{
    const std::string start = "1~" + std::string{project_key} + '~';
    const std::size_t whole = start.size() / 3 * 3;
    digits_ = base64url_encode(std::string_view{start}.substr(0, whole));
    rest_ = start.substr(whole);
}

bool SessionIdStart::is_in(std::string_view session_id) const
{
    if (!has_prefix(session_id))
        return false;
    const std::string_view body = session_id.substr(2);
    return body.starts_with(digits_) && base64_starts_with(body.substr(digits_.size()), rest_);
}

} // namespace usher
