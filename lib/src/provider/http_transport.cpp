// SPDX-License-Identifier: Apache-2.0
#include <usher/provider/http_transport.hpp>

#include <algorithm>

namespace usher {

namespace {

char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

} // namespace

std::string_view HttpReply::header(std::string_view name) const
{
    for (auto const& [key, value] : headers)
        if (std::equal(key.begin(), key.end(), name.begin(), name.end(), [](char a, char b) {
                return lower(a) == lower(b);
            }))
            return value;
    return {};
}

} // namespace usher
