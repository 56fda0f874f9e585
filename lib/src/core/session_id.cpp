// SPDX-License-Identifier: Apache-2.0
#include <usher/core/session_id.hpp>

#include <cstddef>
#include <utility>

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

bool session_id_starts_with(std::string_view session_id, std::string_view start)
{
    return has_prefix(session_id) && base64_starts_with(session_id.substr(2), start);
}

} // namespace usher
