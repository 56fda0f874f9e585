// SPDX-License-Identifier: Apache-2.0
#include <usher/core/url.hpp>

#include <string>

#include <gtest/gtest.h>

namespace usher {
namespace {

struct Accepted {
    std::string text;
    std::string scheme;
    std::string host;
    int port;
    std::string prefix;
    std::string authority;
    std::string endpoint;
};

TEST(Url, HasSchemeHostPortAndPrefix)
{
    const Accepted table[] = {
        {"https://api.opentok.com", "https", "api.opentok.com", 443, "", "api.opentok.com", "api.opentok.com:443"},
        {"https://api.opentok.com/", "https", "api.opentok.com", 443, "", "api.opentok.com", "api.opentok.com:443"},
        {"HTTPS://API.Opentok.com:443", "https", "api.opentok.com", 443, "", "api.opentok.com", "api.opentok.com:443"},
        {"https://a:80", "https", "a", 80, "", "a:80", "a:80"},
        {"http://proxy", "http", "proxy", 80, "", "proxy", "proxy:80"},
        {"http://proxy:3128/", "http", "proxy", 3128, "", "proxy:3128", "proxy:3128"},
        {"https://a.b:65535/V2/x//", "https", "a.b", 65535, "/V2/x", "a.b:65535", "a.b:65535"},
        {"https://127.0.0.1:1/x", "https", "127.0.0.1", 1, "/x", "127.0.0.1:1", "127.0.0.1:1"},
        {"https://[::1]", "https", "::1", 443, "", "[::1]", "[::1]:443"},
        {"https://[2001:DB8::1]:8443/p", "https", "2001:db8::1", 8443, "/p", "[2001:db8::1]:8443",
         "[2001:db8::1]:8443"},
        {"https://1a.2b", "https", "1a.2b", 443, "", "1a.2b", "1a.2b:443"},
        {"https://a_b-c", "https", "a_b-c", 443, "", "a_b-c", "a_b-c:443"},
        {"https://" + std::string(63, 'x') + "", "https", std::string(63, 'x'), 443, "", std::string(63, 'x'),
         std::string(63, 'x') + ":443"},
    };
    for (auto const& expected : table) {
        SCOPED_TRACE(expected.text);

        const auto url = parse_url(expected.text);

        ASSERT_TRUE(url) << url.error();
        EXPECT_EQ(url->scheme, expected.scheme);
        EXPECT_EQ(url->host, expected.host);
        EXPECT_EQ(url->port, expected.port);
        EXPECT_EQ(url->prefix, expected.prefix);
        EXPECT_EQ(url->authority(), expected.authority);
        EXPECT_EQ(url->endpoint(), expected.endpoint);
    }
}

struct Refused {
    std::string text;
    std::string error;
};

TEST(Url, IsRefusedWithASentence)
{
    const std::string scheme = "expected a URL that starts with https:// or http://";
    const std::string host = "expected a host's name or address after the scheme";
    const std::string address = "expected an IPv6 address between [ and ] as host";
    const std::string port = "expected a port of 1 to 65535";
    const std::string path = "expected a path of printable ASCII without spaces";
    const Refused table[] = {
        {"", scheme},
        {"api.opentok.com", scheme},
        {"ftp://a", scheme},
        {"://a", scheme},
        {"https:/a", scheme},
        {" https://a", scheme},
        {"https://", host},
        {"https:///x", host},
        {"https://:443", host},
        {"https://a..b", host},
        {"https://.a", host},
        {"https://a.", host},
        {"https://a b", host},
        {"https://a\r\nb", host},
        {"https://a%20", host},
        {"https://" + std::string(64, 'x'), host},
        {"https://256.0.0.1", host},
        {"https://127.1", host},
        {"https://1", host},
        {std::string{"https://127.0.0.1\0", 18}, host},
        {"https://[::1", address},
        {"https://[]", address},
        {"https://[127.0.0.1]", address},
        {"https://[fe80::1%eth0]", address},
        {"https://::1", host},
        {"https://[::1]443", "expected a colon and the port after the host"},
        {"https://a:", port},
        {"https://a:0", port},
        {"https://a:65536", port},
        {"https://a:-1", port},
        {"https://a:+1", port},
        {"https://a:1x", port},
        {"https://[::1]:", port},
        {"https://me@a", "expected a URL without a user name or password"},
        {"https://me:secret@a:1", "expected a URL without a user name or password"},
        {"https://a/?x", "expected a URL without a query or fragment"},
        {"https://a#x", "expected a URL without a query or fragment"},
        {"https://a/b c", path},
        {"https://a/b\r\n", path},
        {"https://a/\xc3\xa9", path},
    };
    for (auto const& refused : table) {
        SCOPED_TRACE(refused.text);

        const auto url = parse_url(refused.text);

        ASSERT_FALSE(url);
        EXPECT_EQ(url.error(), refused.error);
    }
}

TEST(Url, IsRefusedWhenTheHostIsLongerThanANameCanBe)
{
    std::string host(61, 'x');
    for (int i = 0; i < 3; ++i)
        host += "." + std::string(63, 'x');
    ASSERT_EQ(host.size(), 253U);

    EXPECT_TRUE(parse_url("https://" + host));
    EXPECT_FALSE(parse_url("https://x" + host));
}

} // namespace
} // namespace usher
