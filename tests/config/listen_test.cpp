// SPDX-License-Identifier: Apache-2.0
#include <usher/config/listen.hpp>

#include <fstream>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "support/temp_dir.hpp"

namespace usher {
namespace {

/// Bound to a port that the kernel chooses, or to a path; accepts nobody.
class Listener {
public:
    explicit Listener(std::string const& ip)
    {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        const bool is_v6 = ::inet_pton(AF_INET, ip.c_str(), &v4.sin_addr) != 1;
        ::inet_pton(AF_INET6, ip.c_str(), &v6.sin6_addr);
        auto* address = is_v6 ? reinterpret_cast<sockaddr*>(&v6) : reinterpret_cast<sockaddr*>(&v4);
        socklen_t size = is_v6 ? sizeof v6 : sizeof v4;
        descriptor_ = ::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT_EQ(::bind(descriptor_, address, size), 0);
        EXPECT_EQ(::getsockname(descriptor_, address, &size), 0);
        port = ntohs(is_v6 ? v6.sin6_port : v4.sin_port);
    }
    explicit Listener(sockaddr_un const& path) : descriptor_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)}
    {
        EXPECT_EQ(::bind(descriptor_, reinterpret_cast<sockaddr const*>(&path), sizeof path), 0);
    }
    Listener(Listener const&) = delete;
    Listener& operator=(Listener const&) = delete;
    ~Listener() { ::close(descriptor_); }

    void listen() const { EXPECT_EQ(::listen(descriptor_, 1), 0); }

    std::uint16_t port = 0;

private:
    int descriptor_;
};

class Served : public testing::TestWithParam<std::string> {};

TEST_P(Served, IsAPortWhereSomebodyListens)
{
    const Listener listener{GetParam() == "0.0.0.0" ? "127.0.0.1" : GetParam()};
    const ListenAddress address{{}, GetParam(), listener.port};
    EXPECT_FALSE(is_served(address)) << "bound only";
    listener.listen();
    EXPECT_TRUE(is_served(address));
    EXPECT_EQ(answers_http(address, std::chrono::milliseconds{20}), false) << "only the kernel accepts";
}

INSTANTIATE_TEST_SUITE_P(At, Served, testing::Values("127.0.0.1", "::1", "0.0.0.0"));

TEST(ServedPath, IsASocketWhereSomebodyListens)
{
    const test::TempDir folder;
    const ListenAddress address{folder.file("s"), {}, 0};
    EXPECT_FALSE(is_served(address)) << "nothing is there";
    sockaddr_un path{};
    path.sun_family = AF_UNIX;
    address.socket.copy(path.sun_path, sizeof path.sun_path - 1);
    {
        const Listener listener{path};
        EXPECT_FALSE(is_served(address)) << "bound only";
        listener.listen();
        EXPECT_TRUE(is_served(address));
    }
    EXPECT_FALSE(is_served(address)) << "the socket of a process that is gone";
}

} // namespace
} // namespace usher
