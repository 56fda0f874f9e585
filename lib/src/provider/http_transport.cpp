// SPDX-License-Identifier: Apache-2.0
#include <usher/provider/http_transport.hpp>

#include <algorithm>

#include <usher/core/ascii.hpp>

namespace usher {

std::string_view HttpReply::header(std::string_view name) const
{
    for (auto const& [key, value] : headers)
        if (std::equal(key.begin(), key.end(), name.begin(), name.end(), [](char a, char b) {
                return in_lower_case(a) == in_lower_case(b);
            }))
            return value;
    return {};
}

} // namespace usher
