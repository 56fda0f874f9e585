// SPDX-License-Identifier: Apache-2.0
// Hostile URLs: one that is taken says the same when it is written down and read again.
#include <cstdlib>
#include <string_view>

#include <usher/core/url.hpp>

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size)
{
    using namespace usher;
    const auto url = parse_url({reinterpret_cast<char const*>(data), size});
    if (!url)
        return url.error().empty() ? (std::abort(), 0) : 0;
    const auto again = parse_url(url->scheme + "://" + url->authority() + url->prefix);
    if (url->port == 0 || url->host.empty() || url->prefix.ends_with('/') || !again || again->scheme != url->scheme ||
        again->host != url->host || again->port != url->port || again->prefix != url->prefix)
        std::abort();
    return 0;
}
